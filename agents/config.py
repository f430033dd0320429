"""The settings of a training run, all in one place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from agents.distributions import DistributionName

__all__ = ["Config"]


@dataclass(frozen=True)
class Config:
    """Train an agent to answer texts with vectors that align with their targets."""

    data: str = "phrasebook:de-en"
    """Training texts: a TSV, CSV, JSONL or parquet file with a source and a target column, or the
    built-in corpus: phrasebook:de-en, phrasebook:en (echo) and so on, of de, en, fr, zh."""
    valid: Path | None = None
    """Texts that choose the best model; by default a part of --data."""
    test: Path | None = None
    """Texts that only the report sees; by default a part of --data, unless --valid is given."""
    source_column: str = "source"
    """Column of the input texts."""
    target_column: str = "target"
    """Column of the texts that should be answered; a file of one column is its own target."""
    on_bad_row: Literal["error", "skip"] = "error"
    """What to do with a row that cannot be used: stop, or skip it and say so."""
    env: str = "LLMAR/Align-v0"
    """Gymnasium id of the environment."""
    algo: str = "reinforce"
    """Algorithm: reinforce, ppo or a2c."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1; one that is asked for and absent is an error."""
    seed: int = 0
    """Seeds everything: the same seed gives the same run, up to the effect of --time-limit."""
    total_steps: float = 6e6
    """Answers to train on, each of them one step of one sub-environment."""
    time_limit: float | None = None
    """Seconds of training after which it ends, if --total-steps has not come before."""
    learning_rate: float | None = None
    """Of Adam at the start; falls linearly to 0. By default the algorithm's own."""
    num_texts: int | None = None
    """Texts in a batch. By default the algorithm's own."""
    group_size: int | None = None
    """Answers to each text of a batch. By default the algorithm's own."""
    baseline: Literal["none", "leave_one_out", "mean", "group"] = "leave_one_out"
    """What REINFORCE compares rewards with."""
    distribution: DistributionName = "gaussian"
    """Noise around the direction of an answer."""
    spread: float = 0.1
    """Noise of a coordinate over the length of the mean answer."""
    observation: Literal["index", "embeddings"] = "index"
    """What the environment shows: the row of the text, looked up by the policy, or its vectors."""
    max_length: int | None = None
    """Input texts are cut to this many vectors; by default none is."""
    num_vectors: int = 1
    """Vectors in an answer."""
    dim: int | None = None
    """Dimension of the word vectors, which are then trained on --data; by default 64, and the
    built-in corpus comes with vectors of its own."""
    hidden_dim: int = 128
    """Width of the GRU."""
    supervised: bool = True
    """Also train the same network on the gradient of the cosine itself, as long, for comparison."""
    name: str | None = None
    """Folder of the run within --runs; by default a new one, named by data, algorithm and time."""
    runs: Path = Path("runs")
    """Where runs are kept."""
    progress: bool = True
    """Show a progress bar."""

    def __post_init__(self) -> None:
        """Refuse settings that no run could use."""
        for name in ("num_texts", "group_size", "num_vectors", "dim", "hidden_dim", "max_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, found {value}")
        for name in ("total_steps", "time_limit", "learning_rate", "spread"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} must be above 0 and finite, found {value}")
        if self.total_steps < 1:
            raise ValueError(f"total_steps must be at least 1, found {self.total_steps}")

    def as_json(self) -> dict[str, Any]:
        """The settings as plain JSON-able data."""
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """What `as_json` gave."""
        paths = {name: Path(data[name]) for name in ("valid", "test", "runs") if data[name]}
        return cls(**data | paths)

"""The settings of a training run, all in one place."""

from __future__ import annotations

import json
from ast import literal_eval
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tyro

__all__ = ["Config", "DistributionName"]

DistributionName = Literal["gaussian", "free_gaussian", "power_spherical"]

_COUNTS = (
    "num_texts",
    "group_size",
    "num_vectors",
    "dim",
    "hidden_dim",
    "max_length",
    "max_new_tokens",
    "patience",
)
_AMOUNTS = (
    "total_steps",
    "time_limit",
    "learning_rate",
    "noise_scale",
    "warm_epochs",
    "warm_seconds",
)


def _read_setting(arguments: list[str]) -> tuple[str, Any]:
    """Read NAME=VALUE, VALUE being a Python literal, true, false or none, or else a string."""
    name, sign, text = arguments[0].partition("=")
    if not (name and sign):
        raise ValueError(f"a setting is NAME=VALUE, such as n_steps=64, found {arguments[0]!r}")
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return name, words[text.lower()]
    try:
        return name, literal_eval(text)
    except (ValueError, SyntaxError):
        return name, text


_NAME_AND_VALUE = tyro.constructors.PrimitiveConstructorSpec(
    nargs=1,
    metavar="NAME=VALUE",
    instance_from_str=_read_setting,
    is_instance=lambda pair: isinstance(pair, tuple),
    str_from_instance=lambda pair: [f"{pair[0]}={pair[1]!r}"],
)


@dataclass(frozen=True)
class Config:
    """Train an agent to answer texts with vectors, or with texts, that align with their targets."""

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
    """What to train: LLMAR/Align-v0 answers with vectors, LLMAR/Generate-v0 writes texts."""
    algo: str = "reinforce"
    """Algorithm: reinforce, ppo, a2c, sac, td3 or ddpg; with the extra contrib also trpo,
    recurrent_ppo, tqc, crossq and ars. A writer's is reinforce."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1; one that is asked for and absent is an error."""
    seed: int = 0
    """Seeds everything but the word vectors: the same seed gives the same run, up to the effect of
    --time-limit."""
    vectors_seed: int = 0
    """Seeds the word vectors that are trained on --data. Scores of runs with other vectors cannot
    be compared."""
    total_steps: float | None = None
    """Steps of sub-environments to train on: answers, or words of a writer, where texts that have
    ended wait for the longest. By default the algorithm's own."""
    time_limit: float | None = None
    """Seconds of training after which it ends, if --total-steps has not come before; a writer's
    warm start has limits of its own."""
    learning_rate: float | None = None
    """Of Adam at the start; falls linearly to 0. By default the algorithm's own."""
    num_texts: int | None = None
    """Texts in a batch. By default the algorithm's own."""
    group_size: int | None = None
    """Answers to each text of a batch. By default the algorithm's own."""
    settings: Annotated[
        tuple[Annotated[tuple[str, Any], _NAME_AND_VALUE], ...],
        tyro.conf.arg(name="set"),
        tyro.conf.UseAppendAction,
    ] = ()
    """A further setting of the algorithm, n_steps=64, or of its policy, policy.net_arch=[64,64];
    may be given several times. In Python pairs of name and value."""
    baseline: Literal["none", "leave_one_out", "mean", "group"] = "leave_one_out"
    """What REINFORCE compares rewards with."""
    distribution: DistributionName | None = None
    """Noise around an answer, of reinforce, ppo, a2c and trpo (not power_spherical); by default the
    algorithm's own. A writer chooses among its words instead."""
    noise_scale: float | None = None
    """Noise of a coordinate, at first, over the length of the mean answer, or over the policy's
    radius where that length is free; by default the algorithm's own. For reinforce, ppo, a2c and
    trpo, and not a writer's."""
    observation: Literal["index", "embeddings"] = "index"
    """What the environment shows: the row of the text, looked up by the policy, or its vectors.
    Training a writer takes the row."""
    max_length: int | None = None
    """Input texts are cut to this many vectors; by default none is."""
    num_vectors: int = 1
    """Vectors in an answer that is no text."""
    dim: int | None = None
    """Dimension of the word vectors, which are then trained on --data; by default 64, or 256 for a
    writer, and the built-in corpus comes with vectors of its own."""
    hidden_dim: int | None = None
    """Width of the GRU, by default 128; a writer's decoder, whose encoder has two thirds of it in
    each direction, has 384."""
    supervised: bool = True
    """Also train the same network on the gradient of the cosine itself, as long, for comparison; a
    writer's warm start is supervised anyway."""
    reward: str = "bleu"
    """Of a written text: bleu, chrf, rouge_l, mean, token_f1, ordered; with a length penalty,
    mean@0.25; or a weighted sum, "0.7*bleu + 0.3*mean"."""
    max_new_tokens: int = 40
    """The most words of a written text."""
    warm_epochs: float = 10.0
    """Passes of a writer's warm start, by cross-entropy, over the training texts."""
    warm_seconds: float | None = None
    """Seconds after which the warm start ends, if --warm-epochs have not come before."""
    patience: int | None = 6
    """Validations in a row without a better one, after which the warm start ends early."""
    smoothing: float = 0.1
    """Share of a word's probability that cross-entropy spreads over all words, in [0, 1)."""
    dropout: float = 0.2
    """Share of a writer's features that are dropped while it learns, in [0, 1)."""
    ce_weight: float = 0.5
    """Weight of the cross-entropy beside the reward; 0 leaves it out."""
    entropy: float = 0.0
    """Weight of the entropy bonus where a writer's reinforcement begins; falls linearly to 0."""
    kl_weight: float = 0.0
    """Weight of what keeps the writer near its warm start; 0 leaves it out."""
    name: str | None = None
    """Folder of the run within --runs; by default a new one, named by data, algorithm and time."""
    runs: Path = Path("runs")
    """Where runs are kept."""
    progress: bool = True
    """Show a progress bar."""

    def __post_init__(self) -> None:
        """Refuse settings that no run could use."""
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, found {value}")
        for name in _AMOUNTS:
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} must be above 0 and finite, found {value}")
        for name in ("ce_weight", "kl_weight", "entropy"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be at least 0, found {getattr(self, name)}")
        for name in ("smoothing", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), found {getattr(self, name)}")
        names = [name for name, _ in self.settings]
        if len(set(names)) < len(names):
            raise ValueError(f"a setting is given twice: {', '.join(names)}")
        try:
            plain = json.loads(json.dumps([value for _, value in self.settings]))
        except TypeError as error:
            raise ValueError(f"a setting must be plain, as JSON has it: {error}") from None
        # As they come back from a saved model.
        object.__setattr__(self, "settings", tuple(zip(names, plain, strict=True)))
        if self.total_steps is not None and self.total_steps < 1:
            raise ValueError(f"total_steps must be at least 1, found {self.total_steps}")

    @property
    def writes(self) -> bool:
        """Whether what is trained writes texts."""
        return self.env == "LLMAR/Generate-v0"

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
        settings = tuple((name, value) for name, value in data["settings"])
        return cls(**data | paths | {"settings": settings})

"""The options of a training run, in groups; the range and the scope of each stand beside it."""

from __future__ import annotations

import json
import math
from ast import literal_eval
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_type_hints

import tyro

__all__ = [
    "AlgorithmConfig",
    "Baseline",
    "Config",
    "DataConfig",
    "DistributionName",
    "RunConfig",
    "Scope",
    "TaskConfig",
    "WritingConfig",
    "refuse_unused",
]


Baseline = Literal["none", "leave_one_out", "mean", "group"]
"""Baselines of REINFORCE; `agents.algorithms.baselines` defines them."""
DistributionName = Literal["gaussian", "free_gaussian", "power_spherical"]
"""Distributions of answers; `agents.distributions.DISTRIBUTIONS` has their classes."""


class Scope(StrEnum):
    """What an option is for, where it is not for every training."""

    WRITER = "writers (LLMAR/Generate-v0)"
    VECTORS = "models that answer with vectors (LLMAR/Align-v0)"
    DIRECTION = "models that answer with vectors by reinforce, ppo, a2c or trpo"
    REINFORCE = "reinforce"


@dataclass(frozen=True)
class _Range:
    """The numbers that an option accepts, all of them finite."""

    low: float
    below: float
    with_low: bool

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.with_low else value > self.low
        return above and value < self.below

    def __str__(self) -> str:
        if self.below < math.inf:
            return f"lie in {'[' if self.with_low else '('}{self.low:g}, {self.below:g})"
        return f"be {'at least' if self.with_low else 'above'} {self.low:g}"


def option(
    default: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float = math.inf,
    scope: Scope | None = None,
) -> Any:
    """A field with its range and its scope.

    Args:
        default: its value unless it is given; None, where it is the default, is in no range.
        at_least: the lowest value.
        above: what the value has to exceed, in place of `at_least`.
        below: what the value must not reach.
        scope: what it is for; None for every training.
    """
    low = at_least if above is None else above
    accepted = None if low is None else _Range(low, below, with_low=above is None)
    return field(default=default, metadata={"range": accepted, "scope": scope})


class _Group:
    """A group of options; refuses a value outside of its range.

    Raises:
        ValueError: an option has a value that no run could use.
    """

    def __post_init__(self) -> None:
        for name, value, metadata in _options(self):
            accepted = metadata.get("range")
            if accepted is None or value is None or value in accepted:
                continue
            finite = "" if math.isfinite(value) else " and finite"
            raise ValueError(f"{name} must {accepted}{finite}, found {value}")


def _options(group: Any) -> Iterator[tuple[str, Any, Any]]:
    """The options of a group: name, value and metadata."""
    return ((one.name, getattr(group, one.name), one.metadata) for one in fields(group))


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
class DataConfig(_Group):
    """Which texts, and how they are read and embedded."""

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
    max_length: int | None = option(None, at_least=1)
    """Input texts are cut to this many vectors; by default none is."""
    dim: int | None = option(None, at_least=1)
    """Dimension of the word vectors, which are then trained on --data; by default 64, or 256 for a
    writer, and the built-in corpus comes with vectors of its own."""
    vectors_seed: int = 0
    """Seeds the word vectors that are trained on --data. Scores of runs with other vectors cannot
    be compared."""


@dataclass(frozen=True)
class TaskConfig(_Group):
    """What is learned: the environment, and what it shows and rewards."""

    env: str = "LLMAR/Align-v0"
    """What to train: LLMAR/Align-v0 answers with vectors, LLMAR/Generate-v0 writes texts."""
    observation: Literal["index", "embeddings"] = option("index", scope=Scope.VECTORS)
    """What the environment shows: the row of the text, looked up by the policy, or its vectors.
    Training a writer takes the row."""
    num_vectors: int = option(1, at_least=1, scope=Scope.VECTORS)
    """Vectors in an answer that is no text."""
    reward: str = option("bleu", scope=Scope.WRITER)
    """Of a written text: bleu, chrf, rouge_l, mean, token_f1, ordered; with a length penalty,
    mean@0.25; or a weighted sum, "0.7*bleu + 0.3*mean"."""
    max_new_tokens: int = option(40, at_least=1, scope=Scope.WRITER)
    """The most words of a written text."""


@dataclass(frozen=True)
class AlgorithmConfig(_Group):
    """What learns, for how long, and with which settings; by default those it was tuned to.

    Raises:
        ValueError: as for every group; or a setting is given twice, or is not plain data.
    """

    algo: str = "reinforce"
    """Algorithm: reinforce, ppo, a2c, sac, td3 or ddpg; with the extra contrib also trpo,
    recurrent_ppo, tqc, crossq and ars. A writer's is reinforce."""
    total_steps: float | None = option(None, at_least=1)
    """Steps of sub-environments to train on: answers, or words of a writer, where texts that have
    ended wait for the longest. By default the algorithm's own."""
    time_limit: float | None = option(None, above=0)
    """Seconds of training after which it ends, if --total-steps has not come before; a writer's
    warm start has limits of its own."""
    learning_rate: float | None = option(None, above=0)
    """Of Adam at the start; falls linearly to 0. By default the algorithm's own."""
    num_texts: int | None = option(None, at_least=1)
    """Texts in a batch. By default the algorithm's own."""
    group_size: int | None = option(None, at_least=1)
    """Answers to each text of a batch. By default the algorithm's own."""
    settings: Annotated[
        tuple[Annotated[tuple[str, Any], _NAME_AND_VALUE], ...],
        tyro.conf.arg(name="set"),
        tyro.conf.UseAppendAction,
    ] = ()
    """A further setting of the algorithm, n_steps=64, or of its policy, policy.net_arch=[64,64];
    may be given several times. In Python pairs of name and value."""
    baseline: Baseline = option("leave_one_out", scope=Scope.REINFORCE)
    """What REINFORCE compares rewards with."""
    distribution: DistributionName | None = option(None, scope=Scope.DIRECTION)
    """Noise around an answer, of reinforce, ppo, a2c and trpo (not power_spherical); by default the
    algorithm's own. A writer chooses among its words instead."""
    noise_scale: float | None = option(None, above=0, scope=Scope.DIRECTION)
    """Noise of a coordinate, at first, over the length of the mean answer, or over the policy's
    radius where that length is free; by default the algorithm's own. For reinforce, ppo, a2c and
    trpo, and not a writer's."""
    hidden_dim: int | None = option(None, at_least=1)
    """Width of the GRU, by default 128; a writer's decoder, whose encoder has two thirds of it in
    each direction, has 384."""

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [name for name, _ in self.settings]
        if len(set(names)) < len(names):
            raise ValueError(f"a setting is given twice: {', '.join(names)}")
        try:
            plain = json.loads(json.dumps([value for _, value in self.settings]))
        except TypeError as error:
            raise ValueError(f"a setting must be plain, as JSON has it: {error}") from None
        # As they come back from a saved model.
        object.__setattr__(self, "settings", tuple(zip(names, plain, strict=True)))


@dataclass(frozen=True)
class WritingConfig(_Group):
    """How a writer learns: the warm start, and what is mixed with its reward."""

    warm_epochs: float = option(10.0, above=0, scope=Scope.WRITER)
    """Passes of a writer's warm start, by cross-entropy, over the training texts."""
    warm_seconds: float | None = option(None, above=0, scope=Scope.WRITER)
    """Seconds after which the warm start ends, if --warm-epochs have not come before."""
    patience: int | None = option(6, at_least=1, scope=Scope.WRITER)
    """Validations in a row without a better one, after which the warm start ends early."""
    smoothing: float = option(0.1, at_least=0, below=1, scope=Scope.WRITER)
    """Share of a word's probability that cross-entropy spreads over all words, in [0, 1)."""
    dropout: float = option(0.2, at_least=0, below=1, scope=Scope.WRITER)
    """Share of a writer's features that are dropped while it learns, in [0, 1)."""
    ce_weight: float = option(0.5, at_least=0, scope=Scope.WRITER)
    """Weight of the cross-entropy beside the reward; 0 leaves it out."""
    entropy: float = option(0.0, at_least=0, scope=Scope.WRITER)
    """Weight of the entropy bonus where a writer's reinforcement begins; falls linearly to 0."""
    kl_weight: float = option(0.0, at_least=0, scope=Scope.WRITER)
    """Weight of what keeps the writer near its warm start; 0 leaves it out."""


@dataclass(frozen=True)
class RunConfig(_Group):
    """Where it runs, with which seed, and what it leaves behind."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:1; one that is asked for and absent is an error."""
    seed: int = 0
    """Seeds everything but the word vectors: the same seed gives the same run, up to the effect of
    --time-limit."""
    supervised: bool = True
    """Also train the same network on the gradient of the cosine itself, as long, for comparison; a
    writer's warm start is supervised anyway."""
    name: str | None = None
    """Folder of the run within --runs; by default a new one, named by data, algorithm and time."""
    runs: Path = Path("runs")
    """Where runs are kept."""
    progress: bool = True
    """Show a progress bar."""


@tyro.conf.configure(tyro.conf.OmitArgPrefixes)
@dataclass(frozen=True)
class Config:
    """Train an agent to answer texts with vectors, or with texts, that align with their targets."""

    data: DataConfig = field(default_factory=DataConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    algorithm: AlgorithmConfig = field(default_factory=AlgorithmConfig)
    writer: WritingConfig = field(default_factory=WritingConfig)
    run: RunConfig = field(default_factory=RunConfig)

    @property
    def writes(self) -> bool:
        """Whether what is trained writes texts."""
        return self.task.env == "LLMAR/Generate-v0"

    def as_json(self) -> dict[str, Any]:
        """The options of all groups in one object, as plain JSON-able data."""
        return {
            name: str(value) if isinstance(value, Path) else value
            for group in _groups(self)
            for name, value, _ in _options(group)
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """What `as_json` gave.

        Raises:
            ValueError: an option is missing, unknown or out of its range.
        """
        given, groups = dict(data), {}
        for name, group in get_type_hints(cls).items():
            hints = get_type_hints(group)
            if missing := [one for one in hints if one not in given]:
                raise ValueError(f"the configuration lacks {', '.join(missing)}")
            values = {one: given.pop(one) for one in hints}
            paths = {
                one: Path(values[one]) for one in hints if values[one] and _is_path(hints[one])
            }
            groups[name] = group(**values | paths)
        if given:
            raise ValueError(f"there is no option {', '.join(given)}")
        return cls(**groups)


def _groups(config: Config) -> list[Any]:
    return [getattr(config, one.name) for one in fields(config)]


def _is_path(hint: Any) -> bool:
    return Path in (hint, *get_args(hint))


def refuse_unused(config: Config, scopes: Container[Scope]) -> None:
    """Refuse an option that this training would ignore.

    Args:
        config: the options.
        scopes: those that the training is in.

    Raises:
        ValueError: an option of another scope is not as it is by default.
    """
    for group, default in zip(_groups(config), _groups(Config()), strict=True):
        for name, value, metadata in _options(group):
            scope = metadata.get("scope")
            if scope is not None and scope not in scopes and value != getattr(default, name):
                raise ValueError(
                    f"{name} is a setting of {scope}; leave it out here, found {value!r}"
                )

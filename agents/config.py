"""The options of a training run, in groups, each with its range and scope."""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_type_hints

import tyro

from .names import (
    DISTRIBUTIONS_OF,
    ENVIRONMENTS,
    Baseline,
    DistributionName,
    Precision,
    algorithm_name,
)
from .options import DeviceName, FolderName, Options, option, options_of, refuse

__all__ = [
    "AlgorithmConfig",
    "Config",
    "DataConfig",
    "FilesConfig",
    "PairsConfig",
    "ReadingConfig",
    "RunConfig",
    "Scope",
    "TaskConfig",
    "WritingConfig",
    "check_together",
    "refuse_unused",
]

_SEEDS = 2**32  # NumPy's global generator, which SB3 seeds, takes no others


class Scope(StrEnum):
    """The kind of training that an option applies to, if it does not apply to all."""

    WRITER = "writers (LLMAR/Generate-v0)"
    VECTORS = "models that answer with vectors (LLMAR/Align-v0)"
    DIRECTION = "models that answer with vectors by reinforce, ppo, a2c or trpo"
    REINFORCE = "reinforce"


def _read_setting(arguments: list[str]) -> tuple[str, Any]:
    """Parse NAME=VALUE. VALUE is a Python literal, true, false or none; otherwise a string."""
    name, sign, text = arguments[0].partition("=")
    if not (name and sign):
        raise ValueError(f"a setting must be NAME=VALUE, as in n_steps=64, found {arguments[0]!r}")
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
class ReadingConfig(Options):
    """How files of texts are read: the same options in every command."""

    source_column: str = "source"
    """Column of the input texts."""
    on_bad_row: Literal["error", "skip"] = "error"
    """How to handle an unusable row: stop with an error, or skip it with a warning."""
    format: Literal["tsv", "csv", "jsonl", "parquet"] | None = None
    """Format of files, and of standard input; by default as the name of a file ends."""


@dataclass(frozen=True)
class PairsConfig(ReadingConfig):
    """How files of texts and targets are read."""

    target_column: str = "target"
    """Column of the target texts. In a file with one column, each text is its own target."""


@dataclass(frozen=True)
class FilesConfig(Options):
    """The files of texts and targets."""

    data: str = "phrasebook:de-en"
    """Training texts: a TSV, CSV, JSONL or parquet file with a source and a target column, - for
    standard input, or the built-in corpus: phrasebook:de-en, phrasebook:en (echo) and so on, of
    de, en, fr, zh."""
    valid: Path | None = None
    """Validation texts, used to select the best model; by default a part of --data."""
    test: Path | None = None
    """Test texts, used in the report only; by default a part of --data, unless --valid is given."""


@dataclass(frozen=True)
class DataConfig(PairsConfig, FilesConfig):
    """The texts, and how they are read and embedded."""

    max_length: int | None = option(None, at_least=1)
    """Maximum length of input texts, in vectors; longer texts are cut. No limit by default."""
    dim: int | None = option(None, at_least=1)
    """Dimension of word vectors trained on --data; by default 64, or 256 for a writer.
    Without it, the built-in corpus uses its pretrained vectors."""
    vectors_seed: int = option(0, at_least=0, below=_SEEDS)
    """Seed of the word vectors trained on --data.
    Scores of runs with different vectors are not comparable."""


@dataclass(frozen=True)
class TaskConfig(Options):
    """The task: the environment, its observations and its rewards."""

    env: str = "LLMAR/Align-v0"
    """Environment: LLMAR/Align-v0, with vectors as answers, or LLMAR/Generate-v0, with texts."""
    observation: Literal["index", "embeddings"] = option("index", scope=Scope.VECTORS)
    """Observation: the row number of the text, which the policy looks up, or the text's vectors.
    A writer always observes row numbers."""
    num_vectors: int = option(1, at_least=1, scope=Scope.VECTORS)
    """Number of vectors in an answer."""
    reward: str = option("bleu", scope=Scope.WRITER)
    """Reward of a written text: bleu, chrf, rouge_l, mean, token_f1 or ordered; also with a length
    penalty, as in mean@0.25, or as a weighted sum, as in "0.7*bleu + 0.3*mean"."""
    max_new_tokens: int = option(40, at_least=1, below=2**16, scope=Scope.WRITER)
    """Maximum number of words in a written text, below 65,536."""

    def __post_init__(self) -> None:
        """Check all options."""
        if callable(self.reward):
            raise ValueError(
                "the reward of a Config is a name or a sum of names, since a saved model states "
                "it; to train on a function, pass it to the environment, make_vec_env(..., "
                "env_kwargs={'reward': function}), and train REINFORCE or PPO on that; found "
                f"{self.reward!r}"
            )
        super().__post_init__()


@dataclass(frozen=True)
class AlgorithmConfig(Options):
    """The algorithm, its budget and its settings; the defaults are tuned for each algorithm.

    Raises:
        ValueError: an option is out of range; or a setting is given twice or is not plain data.
    """

    algo: str = "reinforce"
    """Algorithm: reinforce, ppo, a2c, sac, td3 or ddpg; with the extra contrib also trpo, tqc,
    crossq, recurrent_ppo or ars. A writer requires reinforce."""
    total_steps: float | None = option(None, at_least=1)
    """Number of sub-environment steps, each an answer, or a word in the case of a writer.
    Texts of a batch that end early are counted until the longest one ends.
    By default the tuned value of the algorithm."""
    time_limit: float | None = option(None, above=0)
    """Time limit of the training, in wall-clock seconds; none by default.
    A writer's warm start has separate limits."""
    learning_rate: float | None = option(None, above=0)
    """Initial learning rate; it decays linearly to 0.
    By default the tuned value of the algorithm."""
    num_texts: int | None = option(None, at_least=1)
    """Number of texts in a batch. By default the tuned value of the algorithm."""
    group_size: int | None = option(None, at_least=1)
    """Number of answers to each text of a batch. By default the tuned value of the algorithm."""
    settings: Annotated[
        tuple[Annotated[tuple[str, Any], _NAME_AND_VALUE], ...],
        tyro.conf.arg(name="set"),
        tyro.conf.UseAppendAction,
    ] = field(default=(), hash=False)  # values may be lists
    """Another setting of the algorithm, as in n_steps=64,
    or of its policy, as in policy.net_arch=[64,64]. In Python, pairs of name and value."""
    baseline: Baseline = option("leave_one_out", scope=Scope.REINFORCE)
    """Baseline that REINFORCE uses to compute advantages."""
    distribution: DistributionName | None = option(None, scope=Scope.DIRECTION)
    """Distribution of answers, for reinforce, ppo, a2c and trpo (trpo: not power_spherical).
    By default the tuned value of the algorithm. A writer samples words instead."""
    noise_scale: float | None = option(None, above=0, scope=Scope.DIRECTION)
    """Initial standard deviation of each coordinate, relative to the length of the mean answer,
    or with free_gaussian to the policy's radius; for reinforce, ppo, a2c and trpo.
    By default the tuned value of the algorithm. Not for a writer."""
    hidden_dim: int | None = option(None, at_least=1)
    """Width of the GRU, by default 128; for a writer, width of the decoder, by default 384.
    Each direction of a writer's encoder is two thirds as wide."""

    def __post_init__(self) -> None:
        """Check all options, and bring the settings into one form."""
        given: Any = self.settings
        if isinstance(given, Mapping):
            given = given.items()
        try:
            pairs = [(name, value) for name, value in given]
        except (TypeError, ValueError):
            refuse("settings", f"must be pairs of a name and a value, found {given!r}")
        try:
            # The same form as after loading a saved model.
            plain = json.loads(json.dumps([value for _, value in pairs]))
        except (TypeError, ValueError) as error:
            refuse("settings", f"cannot be used: a setting must be plain JSON data: {error}")
        names = [name for name, _ in pairs]
        object.__setattr__(self, "settings", tuple(zip(names, plain, strict=True)))
        super().__post_init__()
        if len(set(names)) < len(names):
            refuse("settings", f"has a setting that is given twice: {', '.join(names)}")


@dataclass(frozen=True)
class WritingConfig(Options):
    """How a writer learns: the supervised warm start, and the terms added to the RL loss."""

    warm_epochs: float = option(10.0, above=0, scope=Scope.WRITER)
    """Epochs of the warm start, which trains on the targets by cross-entropy."""
    warm_seconds: float | None = option(None, above=0, scope=Scope.WRITER)
    """Maximum duration of the warm start, in wall-clock seconds; none by default."""
    patience: int | None = option(6, at_least=1, scope=Scope.WRITER)
    """The warm start ends early after this many validations in a row without improvement."""
    smoothing: float = option(0.1, at_least=0, below=1, scope=Scope.WRITER)
    """Label smoothing of the cross-entropy, in [0, 1)."""
    dropout: float = option(0.2, at_least=0, below=1, scope=Scope.WRITER)
    """Dropout rate of the writer's features in the supervised losses, in [0, 1)."""
    ce_weight: float = option(0.5, at_least=0, scope=Scope.WRITER)
    """Weight of the cross-entropy added to the policy-gradient loss; 0 disables it."""
    entropy: float = option(0.0, at_least=0, scope=Scope.WRITER)
    """Initial weight of the entropy bonus in reinforcement learning; it decays linearly to 0."""
    kl_weight: float = option(0.0, at_least=0, scope=Scope.WRITER)
    """Weight of the KL penalty towards the policy after the warm start; 0 disables it."""


@dataclass(frozen=True)
class RunConfig(Options):
    """Device, seed and output of the run."""

    device: str = option("auto", accepts=DeviceName())
    """Device: auto, cpu, cuda, cuda:1 and so on. An unavailable device is an error."""
    precision: Precision = option("auto", scope=Scope.WRITER)
    """Precision of a writer's matrix products: float32, bfloat16, or auto, bfloat16 where that is
    much faster, on GPUs and on CPUs with AMX."""
    seed: int = option(0, at_least=0, below=_SEEDS)
    """Seed of everything except the word vectors.
    The same seed reproduces a run on the same kind of processor and in the same precision, except
    under --time-limit."""
    supervised: bool = True
    """Also train the same network on the gradient of the cosine, for the same time, as a baseline.
    No effect on a writer, whose warm start is supervised."""
    name: str | None = option(None, accepts=FolderName())
    """Folder of the run in --runs; by default a new one, named by data, algorithm and time."""
    runs: Path = Path("runs")
    """Folder that contains the runs."""
    progress: bool = True
    """Show a progress bar."""


@tyro.conf.configure(tyro.conf.OmitArgPrefixes)
@dataclass(frozen=True)
class Config:
    """All options for training an agent whose answers, vectors or texts, align with targets."""

    data: DataConfig = field(default_factory=DataConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    algorithm: AlgorithmConfig = field(default_factory=AlgorithmConfig)
    writer: WritingConfig = field(default_factory=WritingConfig)
    run: RunConfig = field(default_factory=RunConfig)

    @property
    def writes(self) -> bool:
        """Whether the agent writes texts."""
        return self.task.env == "LLMAR/Generate-v0"

    @property
    def scopes(self) -> set[Scope]:
        """The kinds of training that this one is.

        Raises:
            ValueError: the algorithm is unknown.
        """
        if self.writes:
            return {Scope.WRITER, Scope.REINFORCE}
        algorithm, scopes = algorithm_name(self.algorithm.algo), {Scope.VECTORS}
        if algorithm in DISTRIBUTIONS_OF:
            scopes.add(Scope.DIRECTION)
        if algorithm == "reinforce":
            scopes.add(Scope.REINFORCE)
        return scopes

    def as_json(self) -> dict[str, Any]:
        """The options of all groups in one flat, JSON-serializable dict."""
        return {
            name: str(value) if isinstance(value, Path) else value
            for group in _groups(self)
            for name, value, _ in options_of(group)
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Make a configuration from the output of `as_json`.

        Raises:
            ValueError: an option is missing or unknown, has a wrong type or is out of range.
        """
        given, groups = dict(data), {}
        for name, group in get_type_hints(cls).items():
            hints = get_type_hints(group)
            if missing := [one for one in hints if one not in given]:
                raise ValueError(f"the configuration lacks {', '.join(missing)}")
            groups[name] = group(**{one: given.pop(one) for one in hints})
        if given:
            raise ValueError(f"unknown option in the configuration: {', '.join(given)}")
        return cls(**groups)


def _groups(config: Config) -> list[Any]:
    return [getattr(config, one.name) for one in fields(config)]


def refuse_unused(config: Config, scopes: Container[Scope]) -> None:
    """Check that no option is set that this training would ignore.

    Args:
        config: the options.
        scopes: the scopes that apply to this training.

    Raises:
        ValueError: an option of another scope differs from its default.
    """
    for group, default in zip(_groups(config), _groups(Config()), strict=True):
        for name, value, metadata in options_of(group):
            scope = metadata.get("scope")
            if scope is not None and scope not in scopes and value != getattr(default, name):
                refuse(name, f"is a setting of {scope}; leave it out here, found {value!r}")


def check_together(config: Config) -> None:
    """Check that there is such a training, and that it would use all options.

    Raises:
        ValueError: the environment, the algorithm or the reward is unknown, or an option does not
            apply.
    """
    env, algo = config.task.env, config.algorithm.algo
    if env not in ENVIRONMENTS:
        choices = ", ".join(ENVIRONMENTS)
        refuse("env", f"has no such task: cannot train on {env}; choose one of {choices}")
    try:
        name = algorithm_name(algo)
    except ValueError as error:
        refuse("algo", f"cannot be used: {error}")
    if config.writes and name != "reinforce":
        refuse("algo", f"cannot be used: a writer requires algo 'reinforce', found {algo!r}")
    refuse_unused(config, config.scopes)
    if config.writes:
        _check_reward(config.task.reward)
    chosen, among = config.algorithm.distribution, DISTRIBUTIONS_OF.get(name, ())
    if chosen is not None and chosen not in among:
        why = f"must be one of {', '.join(among)}, found {chosen!r}"
        refuse("distribution", why, context=f"with {algo}, ")


def _check_reward(reward: str) -> None:
    # Imported here, since it needs NumPy.
    from llmar_env.alignment.rewards import make_reward

    try:
        make_reward(reward)
    except ValueError as error:
        refuse("reward", f"cannot be used: {error}")

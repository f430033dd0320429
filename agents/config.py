"""The options of a training run, in groups, each with its range and scope."""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_type_hints

import tyro

from .names import (
    DISTRIBUTIONS_OF,
    ENVIRONMENTS,
    Baseline,
    DistributionName,
    Feedback,
    Precision,
    algorithm_name,
)
from .options import DeviceName, FolderName, Options, option, options_of, refuse

__all__ = [
    "AlgorithmConfig",
    "AlignmentConfig",
    "Config",
    "DataConfig",
    "FilesConfig",
    "PairsConfig",
    "ReadingConfig",
    "RetrievalConfig",
    "RunConfig",
    "Scope",
    "TaskConfig",
    "WritingConfig",
    "check_together",
    "in_environment_of_task",
    "refuse_unused",
]

# Kinds of embedders that a writer can write with.
_OF_TOKENS = ("word2vec", "bilingual", "vectors", "model2vec")
# Kinds that are fitted on the texts, with --dim and --vectors-seed.
_FITTED = (None, "word2vec", "bilingual")
_SEEDS = 2**32  # NumPy's global generator, which SB3 seeds, takes no others


class Scope(StrEnum):
    """The kind of training that an option applies to, if it does not apply to all."""

    WRITER = "writers (LLMAR/Generate-v0)"
    ALIGN = "LLMAR/Align-v0"
    RETRIEVAL = "LLMAR/Retrieve-v0"
    PAIRS = "pairs of texts (LLMAR/Align-v0, LLMAR/Generate-v0)"
    VECTORS = "models that answer with vectors (LLMAR/Align-v0, LLMAR/Retrieve-v0)"
    DIRECTION = "models that answer with vectors by reinforce, ppo, a2c or trpo"
    REINFORCE = "reinforce"
    WARM = "a warm start (LLMAR/Generate-v0, or --warm-start supervised)"


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

    source_column: str = option("source", scope=Scope.PAIRS)
    """Column of the input texts."""
    on_bad_row: Literal["error", "skip"] = option("error", scope=Scope.PAIRS)
    """How to handle an unusable row: stop with an error, or skip it with a warning."""
    format: Literal["tsv", "csv", "jsonl", "parquet"] | None = option(None, scope=Scope.PAIRS)
    """Format of files, and of standard input; by default as the name of a file ends."""


@dataclass(frozen=True)
class PairsConfig(ReadingConfig):
    """How files of texts and targets are read."""

    target_column: str = option("target", scope=Scope.PAIRS)
    """Column of the target texts. In a file with one column, each text is its own target."""


@dataclass(frozen=True)
class FilesConfig(Options):
    """The files of texts and targets."""

    data: str | None = None
    """Training texts: a TSV, CSV, JSONL or parquet file with a source and a target column, - for
    standard input, or the built-in corpus: phrasebook:de-en (the default), phrasebook:en (echo) and
    so on, of de, en, fr, zh. For LLMAR/Retrieve-v0: a folder of the BEIR layout, by default
    phrasebook:en, or with --documents and --queries a TSV file of judgments."""
    valid: Path | None = None
    """Validation texts, used to select the best model; by default a part of --data."""
    test: Path | None = None
    """Test texts, used in the report only; by default a part of --data, unless --valid is given."""
    source_vectors: Path | None = option(None, scope=Scope.PAIRS)
    """A file of vectors in place of input texts: npz with vectors (total, D) and offsets (n + 1),
    npy (n, D), or a parquet column of lists. One item for each row of --data, --valid and --test,
    in this order; or, with --target-vectors and without --data, for each row of that."""
    target_vectors: Path | None = option(None, scope=Scope.ALIGN)
    """A file of vectors in place of targets, as --source-vectors."""
    documents: Path | None = option(None, scope=Scope.RETRIEVAL)
    """A JSONL file of documents, with _id, text and optionally title; --data, --valid and --test
    are then files of judgments: query id, document id and grade."""
    queries: Path | None = option(None, scope=Scope.RETRIEVAL)
    """A JSONL file of queries, with _id and text, to go with --documents."""


@dataclass(frozen=True)
class DataConfig(PairsConfig, FilesConfig):
    """The texts, and how they are read and embedded."""

    max_length: int | None = option(None, at_least=1)
    """Maximum length of input texts, in vectors; longer texts are cut. No limit by default."""
    embedder: str | None = None
    """Embedder: word2vec, word vectors trained on --data (the default); bilingual, the same with
    those of the input texts where their translations are; st:PATH_OR_NAME, a model of
    sentence-transformers, or with #tokens its token vectors; hf:PATH_OR_NAME, an encoder or decoder
    of transformers; vectors:FILE, a file of word vectors; or model2vec:PATH_OR_NAME."""
    source_embedder: str | None = option(None, scope=Scope.PAIRS)
    """Embedder of the input texts alone, in place of --embedder."""
    target_embedder: str | None = option(None, scope=Scope.PAIRS)
    """Embedder of the targets alone, in place of --embedder. A writer's has one vector for each
    token: word2vec, vectors or model2vec."""
    cache: str = "auto"
    """Folder that keeps the vectors of st and hf between runs; none for no cache. By default
    LLMAR_CACHE, or llmar in the user's folder of caches."""
    dim: int | None = option(None, at_least=1)
    """Dimension of word vectors trained on --data; by default 64, or 256 for a writer.
    Without it, the built-in corpus uses its pretrained vectors."""
    vectors_seed: int = option(0, at_least=0, below=_SEEDS)
    """Seed of the word vectors trained on --data.
    Scores of runs with different vectors are not comparable."""


@dataclass(frozen=True)
class TaskConfig(Options):
    """The task: the environment, its observations and its rewards."""

    task: str | None = None
    """What is learned, on built-in data unless --data is given, and measured as its field does:
    echo, translation, summarization, dialogue or retrieval."""
    env: str = "LLMAR/Align-v0"
    """Environment: LLMAR/Align-v0, with vectors as answers; LLMAR/Generate-v0, with texts; or
    LLMAR/Retrieve-v0, with vectors that an index is searched with. --task sets it too."""
    observation: Literal["index", "embeddings"] = option("index", scope=Scope.VECTORS)
    """Observation: the row number of the text, which the policy looks up, or the text's vectors.
    A writer always observes row numbers."""
    num_vectors: int = option(1, at_least=1, scope=Scope.ALIGN)
    """Number of vectors in an answer."""
    reward: str | None = None
    """Reward, by default the task's own. Of a vector: cosine (the default); p_at_1, mrr, ndcg_at_10
    or recall_at_10, by the rank of the right target among --pool others. Of a written text: bleu
    (the default), chrf, rouge_l, mean, token_f1 or ordered, also with a length penalty, as in
    mean@0.25. Of a search: ndcg_at_10 (the default), recall_at_10, mrr_at_10, p_at_1, or another
    cutoff. Also a weighted sum, as in "0.7*bleu + 0.3*mean", or a function,
    package.module:function. Of a vector or a text also model:FOLDER, an alignment model of
    llmar fit-alignment, which needs no references."""
    pool: int = option(1024, at_least=1, scope=Scope.ALIGN)
    """Number of targets among which the reward of a vector takes the rank of the right one."""
    feedback: Feedback = option("judgments", scope=Scope.RETRIEVAL)
    """What rewards a search: judgments, which --reward scores, or clicks: the share of the
    documents found that a simulated user clicks."""
    top_k: int = option(10, at_least=1, scope=Scope.RETRIEVAL)
    """Number of documents that a search finds."""
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
    By default the tuned value of the algorithm, or no limit where --time-limit is given."""
    time_limit: float | None = option(None, above=0)
    """Time limit of the training, in wall-clock seconds; none by default.
    A warm start has separate limits."""
    warm_seconds: float | None = option(None, above=0, scope=Scope.WARM)
    """Maximum duration of the warm start, in wall-clock seconds; for a writer none by default, for
    LLMAR/Retrieve-v0 20."""
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
    baseline: Baseline | None = option(None, scope=Scope.REINFORCE)
    """Baseline that REINFORCE uses to compute advantages; by default leave_one_out, or for
    LLMAR/Retrieve-v0 group."""
    distribution: DistributionName | None = option(None, scope=Scope.DIRECTION)
    """Distribution of answers, for reinforce, ppo, a2c and trpo (trpo: not power_spherical).
    By default the tuned value of the algorithm. A writer samples words instead."""
    noise_scale: float | None = option(None, above=0, scope=Scope.DIRECTION)
    """Initial standard deviation of each coordinate, relative to the length of the mean answer,
    or with free_gaussian to the policy's radius; for reinforce, ppo, a2c and trpo. By default the
    tuned value of the algorithm, or for LLMAR/Retrieve-v0 one over the square root of the
    dimension. Not for a writer."""
    hidden_dim: int | None = option(None, at_least=1)
    """Width of the GRU, by default 128, and for LLMAR/Retrieve-v0 no less than the dimension of the
    vectors; for a writer, width of the decoder, by default 256. Each direction of a writer's
    encoder is half as wide."""

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
    patience: int | None = option(6, at_least=1, scope=Scope.WRITER)
    """The warm start ends early after this many validations in a row without improvement."""
    learn_vectors: bool = option(default=True, scope=Scope.WRITER)
    """Whether the warm start also learns the vectors of the texts' and targets' tokens, which then
    stay fixed. Only vectors of word2vec and bilingual are learned."""
    smoothing: float = option(0.1, at_least=0, below=1, scope=Scope.WRITER)
    """Label smoothing of the cross-entropy, in [0, 1)."""
    dropout: float = option(0.35, at_least=0, below=1, scope=Scope.WRITER)
    """Dropout rate of the writer's features in the supervised losses, in [0, 1)."""
    ce_weight: float = option(0.5, at_least=0, scope=Scope.WRITER)
    """Weight of the cross-entropy added to the policy-gradient loss; 0 disables it."""
    entropy: float = option(0.0, at_least=0, scope=Scope.WRITER)
    """Initial weight of the entropy bonus in reinforcement learning; it decays linearly to 0."""
    kl_weight: float = option(0.0, at_least=0, scope=Scope.WRITER)
    """Weight of the KL penalty towards the policy after the warm start; 0 disables it."""


@dataclass(frozen=True)
class RetrievalConfig(Options):
    """How a query adapter learns before reinforcement learning."""

    warm_start: Literal["none", "supervised"] = option("none", scope=Scope.RETRIEVAL)
    """What precedes reinforcement learning: nothing, or supervised, contrastive training (InfoNCE)
    on the judgments, or on --click-log."""
    click_log: Path | None = option(None, scope=Scope.RETRIEVAL)
    """A TSV file of logged clicks, in place of judgments in the warm start: query id, document id,
    rank from 1, and clicked, 0 or 1."""


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
    seeds: int = option(1, at_least=1)
    """Number of seeds from --seed on, each trained in a process of its own; one table then has the
    interquartile means of their scores."""
    supervised: bool = True
    """Also train the same network supervised, for the same time, as a baseline: on the gradient of
    the cosine, or for LLMAR/Retrieve-v0 by InfoNCE on the judgments, or on as many clicks.
    No effect on a writer, whose warm start is supervised."""
    name: str | None = option(None, accepts=FolderName())
    """Folder of the run in --runs; by default a new one, named by data, algorithm and time."""
    runs: Path = Path("runs")
    """Folder that contains the runs."""
    progress: bool = True
    """Show a progress bar."""


@dataclass(frozen=True)
class AlignmentConfig(Options):
    """How an alignment model is fitted."""

    members: int = option(1, at_least=1)
    """Number of models, whose lowest score counts. Several are harder to exploit than one."""
    hidden_dim: int = option(512, at_least=1)
    """Width of the hidden layer, a ReLU."""
    epochs: int = option(40, at_least=1)
    """Most passes over the training pairs."""
    patience: int = option(5, at_least=1)
    """A fit ends after so many epochs without improvement on the validation pairs."""
    batch_size: int = option(1024, at_least=2)
    """Pairs in a batch: each is to be told from all others of its batch."""
    learning_rate: float = option(2e-3, above=0)
    """Initial learning rate of Adam; it decays linearly to 0."""
    temperature: float = option(0.05, above=0)
    """Cosines are divided by it."""
    dropout: float = option(0.2, at_least=0, below=1)
    """Dropout rate of what is read."""
    seed: int = option(0, at_least=0, below=_SEEDS)
    """Seed of the weights and of the batches."""


@tyro.conf.configure(tyro.conf.OmitArgPrefixes)
@dataclass(frozen=True)
class Config:
    """All options for training an agent whose answers, vectors or texts, align with targets."""

    data: DataConfig = field(default_factory=DataConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    algorithm: AlgorithmConfig = field(default_factory=AlgorithmConfig)
    writer: WritingConfig = field(default_factory=WritingConfig)
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    run: RunConfig = field(default_factory=RunConfig)

    @property
    def writes(self) -> bool:
        """Whether the agent writes texts."""
        return self.task.env == "LLMAR/Generate-v0"

    @property
    def retrieves(self) -> bool:
        """Whether the agent's answers are searched with."""
        return self.task.env == "LLMAR/Retrieve-v0"

    @property
    def texts(self) -> str:
        """The name of the training texts, as given or by default."""
        if self.data.data:
            return self.data.data
        if self.task.task is not None:
            from llmar_env.tasks import find_task

            return find_task(self.task.task).data
        return "phrasebook:en" if self.retrieves else "phrasebook:de-en"

    @property
    def scopes(self) -> set[Scope]:
        """The kinds of training that this one is.

        Raises:
            ValueError: the algorithm is unknown.
        """
        if self.writes:
            return {Scope.WRITER, Scope.PAIRS, Scope.REINFORCE, Scope.WARM}
        algorithm, scopes = algorithm_name(self.algorithm.algo), {Scope.VECTORS}
        scopes |= {Scope.RETRIEVAL} if self.retrieves else {Scope.ALIGN, Scope.PAIRS}
        if self.retrieval.warm_start != "none":
            scopes.add(Scope.WARM)
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
    if config.task.task is not None:
        _check_task(config)
    if env not in ENVIRONMENTS:
        choices = ", ".join(ENVIRONMENTS)
        refuse("env", f"has no such task: cannot train on {env}; choose one of {choices}")
    try:
        name = algorithm_name(algo)
    except ValueError as error:
        refuse("algo", f"cannot be used: {error}")
    if config.writes and name != "reinforce":
        refuse("algo", f"cannot be used: a writer requires algo 'reinforce', found {algo!r}")
    if config.retrieves and name not in DISTRIBUTIONS_OF:
        names = ", ".join(DISTRIBUTIONS_OF)
        refuse(
            "algo",
            f"cannot be used: training starts at the queries' own vectors, which is possible with "
            f"{names}; found {algo!r}",
        )
    refuse_unused(config, config.scopes)
    _check_vectors(config)
    _check_embedders(config)
    _check_reward(config)
    if config.retrieves:
        _check_retrieval(config)
    chosen, among = config.algorithm.distribution, DISTRIBUTIONS_OF.get(name, ())
    if chosen is not None and chosen not in among:
        why = f"must be one of {', '.join(among)}, found {chosen!r}"
        refuse("distribution", why, context=f"with {algo}, ")


def in_environment_of_task(config: Config) -> Config:
    """The same options with the default environment of the task, if they name one."""
    if config.task.task is None:
        return config
    from llmar_env.tasks import TASKS

    if config.task.task not in TASKS:
        return config  # which `check_together` refuses
    env = TASKS[config.task.task].environments[0]
    return replace(config, task=replace(config.task, env=env))


def _check_task(config: Config) -> None:
    """Check that there is such a task, and that the environment fits it."""
    from llmar_env.tasks import find_task

    try:
        fits = find_task(config.task.task or "").environments
    except ValueError as error:
        refuse("task", f"cannot be used: {error}")
    if config.task.env not in fits:
        refuse(
            "env",
            f"does not fit the task {config.task.task}, which has {' and '.join(fits)}, found "
            f"{config.task.env!r}",
        )


def _check_vectors(config: Config) -> None:
    """Check that files of vectors and files of texts go together."""
    data = config.data
    given = {
        name: getattr(data, name)
        for name in ("source_vectors", "target_vectors")
        if getattr(data, name) is not None
    }
    if not given:
        return
    if len(given) == 2 and (data.data or data.valid or data.test):
        refuse("data", "has no effect beside --source-vectors and --target-vectors")
    if len(given) == 1 and data.data is None:
        [name] = given
        side = "target" if name == "source_vectors" else "source"
        refuse(name, f"needs --data, a file with the column of {side} texts")
    for name in given:
        embedder = name.replace("vectors", "embedder")
        if getattr(data, embedder) is not None:
            refuse(embedder, f"has no effect beside --{name.replace('_', '-')}")
    if len(given) == 2 and data.embedder is not None:
        refuse("embedder", "has no effect beside --source-vectors and --target-vectors")
    if data.on_bad_row == "skip":
        refuse("on_bad_row", "cannot be skip beside vectors, whose rows would no longer fit")


def _check_embedders(config: Config) -> None:
    """Check the names of embedders, and that no option is without effect beside them."""
    data = config.data
    sides = (data.source_embedder or data.embedder, data.target_embedder or data.embedder)
    if data.embedder and data.source_embedder and data.target_embedder:
        refuse("embedder", "has no effect beside --source-embedder and --target-embedder")
    given = [one for one in sides if one is not None]
    if given:
        # Imported here, since it needs NumPy.
        from llmar_env.text.embedders import check_spec

        for name in ("embedder", "source_embedder", "target_embedder"):
            try:
                check_spec(getattr(data, name) or "word2vec")
            except ValueError as error:
                refuse(name, f"cannot be used: {error}")
    if config.writes and (sides[1] or "word2vec").partition(":")[0] not in _OF_TOKENS:
        name = "embedder" if data.target_embedder is None else "target_embedder"
        refuse(
            name,
            "cannot be used for the targets of a writer, which need one vector for each token: "
            f"{', '.join(_OF_TOKENS)}; give --source-embedder, found {sides[1]!r}",
        )
    if config.retrieves and data.embedder == "bilingual":
        refuse("embedder", "cannot be bilingual for LLMAR/Retrieve-v0, which has no pairs of texts")
    if sides[1] == "bilingual" != sides[0]:
        refuse("target_embedder", "cannot be bilingual: give --source-embedder bilingual")
    if all(one not in _FITTED for one in sides):
        for name in ("dim", "vectors_seed"):
            if getattr(data, name) != getattr(DataConfig(), name):
                refuse(name, f"is a setting of word2vec; leave it out, with {sides[0]}")


def _check_reward(config: Config) -> None:
    reward = config.task.reward
    if reward is None:
        return
    if config.task.feedback == "clicks":
        refuse(
            "reward",
            f"cannot be used with --feedback clicks: the clicks are the reward, found {reward!r}",
        )
    # Imported here, since they need NumPy.
    from llmar_env.alignment.pools import check_align_reward
    from llmar_env.alignment.rewards import make_reward
    from llmar_env.envs.retrieve import check_reward

    try:
        if config.writes:
            make_reward(reward)
        elif config.retrieves:
            check_reward(reward, config.task.top_k)
        else:
            check_align_reward(reward)
    except ValueError as error:
        refuse("reward", f"cannot be used: {error}")


def _check_retrieval(config: Config) -> None:
    """Check that the files of a collection and the warm start go together."""
    data, retrieval = config.data, config.retrieval
    files = data.documents, data.queries
    if any(files) and not (all(files) and data.data):
        name, other = "documents", "--queries"
        if data.documents is None:
            name, other = "queries", "--documents"
        refuse(name, f"needs {other} and --data, the file of the training judgments")
    if not any(files) and (data.valid or data.test):
        name = "valid" if data.valid else "test"
        refuse(name, "needs --documents and --queries; a folder has judgments of all splits")
    if retrieval.click_log is not None and retrieval.warm_start == "none":
        refuse("click_log", "is learned from in the warm start: give --warm-start supervised")

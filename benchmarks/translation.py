"""Measure how well a writer translates: cross-entropy, then reinforcement learning, and controls.

Multi30k, German to English. The warm start (`warm`) learns the network and the vectors by
cross-entropy; the other parts continue from the weights of its first seed, for the same time each:
reinforcement with a BLEU reward (`rl`), more cross-entropy (`ce`), and as controls the same
reinforcement with a constant reward (`constant`) and with the cosine (`cosine`). A peer, the same
network with a learned softmax, trains from scratch as long as the warm start (`softmax`), and is
compared in speed (`speed`). Weights are selected on val by greedy answers, and figures are on test,
greedy and with a beam of 4.

    python benchmarks/translation.py --data DIR
    python benchmarks/translation.py --data DIR --part rl --seed 1
    python benchmarks/translation.py --report-only

DIR holds train.tsv, val.tsv and test.tsv. Each part appends to a file of runs, one JSON object per
line with the answers, the commit and the processor; the last run of a part and seed counts. Run it
on an otherwise idle machine.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from run_files import append_run, read_runs
from safetensors.torch import load_file
from softmax_writer import SoftmaxWriter, step_softmax, texts_per_second, train_softmax
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy

from agents.algorithms.presets import WRITING
from agents.algorithms.reinforce import REINFORCE
from agents.algorithms.update import descend
from agents.config import Config, TaskConfig
from agents.inference.decoding import Method, decode
from agents.inference.refinement import refine
from agents.networks.device import resolve_device
from agents.networks.seq2seq import Seq2SeqConfig
from agents.policies.writer import WriterPolicy
from agents.trainers.generate import writer_config
from agents.training.callback import Progress, Training
from agents.training.clock import Clock, LinearDecay
from agents.training.cross_entropy import (
    BatchStream,
    TargetTexts,
    target_cross_entropy,
    train_cross_entropy,
)
from agents.training.learned_vectors import LearnedVectors
from agents.training.regularizers import CrossEntropy
from agents.training.validation import Validation
from agents.vec_env import GymVecEnv, make_vec_env
from llmar_env.alignment.rewards import Reward, Written, bleu
from llmar_env.alignment.rewards import mean as mean_reward
from llmar_env.alignment.scores import cosine
from llmar_env.envs.generate import GenerateMDP
from llmar_env.metrics import TextScores, bleu_difference, score_texts
from llmar_env.progress import ProgressBar
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import BILINGUAL, WordVectors
from llmar_env.text.pairs import TextPairs
from llmar_env.text.tensor_files import write_tensors

Part = Literal[
    "warm", "rl", "ce", "constant", "cosine", "decoding", "refine", "throughput", "softmax", "speed"
]
_SHOWN = ("bleu_tok", "bleu_13a", "chrf", "rouge_l", "alignment", "p_at_1")
_SEEDED: tuple[Part, ...] = ("warm", "rl", "ce", "softmax")
_MAX_NEW_TOKENS = 40
_THRESHOLD, _ROUNDS = 0.9, 8
_WEIGHTS, _EMBEDDERS = "warm.safetensors", ("source.safetensors", "target.safetensors")
_THROUGHPUT_SECONDS = 20.0
_TURNS, _TURN_SECONDS = 5, 8.0  # of each side, in turns


@dataclass(frozen=True)
class Options:
    """Measure translation."""

    data: Path = Path("../shared/data/multi30k-de-en")
    """Folder with train.tsv, val.tsv and test.tsv, columns source and target."""
    runs: Path = Path("benchmarks/results/translation.jsonl.gz")
    """File of the runs."""
    report_only: bool = False
    """Only report the runs of the file."""
    part: tuple[Part, ...] = get_args(Part)
    """What to measure."""
    seed: tuple[int, ...] = (0, 1, 2)
    """Seeds of the parts warm, rl, ce and softmax; all other parts use the first one."""
    warm_minutes: float = 20.0
    """Minutes of the warm start, validations included."""
    minutes: float = 10.0
    """Minutes of each part that continues from it, validations included."""
    folder: Path = Path("runs/translation")
    """Where weights and word vectors are kept between parts."""
    device: str = "auto"
    """As in train.py."""


# What `train.py --env LLMAR/Generate-v0` trains with.
_CONFIG = Config(task=TaskConfig(env="LLMAR/Generate-v0"))
_RL = WRITING.reinforcement


# ---------------------------------------------------------------------------- the writer


def load(options: Options, *, learned: bool = True) -> Corpus:
    """Read and embed the data, with the vectors that the warm start has learned or without.

    Raises:
        FileNotFoundError: they are to be learned, and the part `warm` has not run.
    """
    pairs = {
        split: TextPairs.read(options.data / f"{stem}.tsv")
        for split, stem in {"train": "train", "valid": "val", "test": "test"}.items()
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*are in train too")
        if not learned:
            config = WRITING.word_vectors
            return Corpus.load(pairs, source_embedder=BILINGUAL, word_vectors=config)
        source, target = (WordVectors.load(options.folder / name) for name in _EMBEDDERS)
        return Corpus.load(pairs, source_embedder=source, target_embedder=target)


def make_env(corpus: Corpus, reward: Reward | str, num_envs: int, group_size: int) -> GymVecEnv:
    """LLMAR/Generate-v0, rewarded at the end of each text."""
    return make_vec_env(
        "LLMAR/Generate-v0",
        num_envs,
        env_kwargs={
            "data": corpus,
            "reward": reward,
            "credit": "sparse",
            "observation": "index",
            "max_new_tokens": _MAX_NEW_TOKENS,
            "group_size": group_size,
        },
    )


def make_writer(corpus: Corpus, options: Options) -> WriterPolicy:
    """An untrained writer."""
    mdp = GenerateMDP(corpus, observation="index", max_new_tokens=_MAX_NEW_TOKENS)
    policy = WriterPolicy(
        mdp.observation_space, mdp.action_space, lambda _: 1.0, writer=writer_of(corpus)
    )
    return policy.to(resolve_device(options.device))


def writer_of(corpus: Corpus) -> Seq2SeqConfig:
    """The sizes of the writer of a corpus."""
    return replace(writer_config(_CONFIG), lexical=corpus.shared_space)


def warm_writer(corpus: Corpus, options: Options) -> WriterPolicy:
    """The writer after the warm start.

    Raises:
        FileNotFoundError: the part `warm` has not run.
    """
    policy = make_writer(corpus, options)
    policy.load_state_dict(load_file(options.folder / _WEIGHTS))
    return policy


def write(policy: WriterPolicy, corpus: Corpus, split: str, **decoding: Any) -> list[str]:
    """The texts written for those of a split."""
    assert policy.vocabulary is not None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*without an EOS")
        rows = corpus.rows(split)
        tokens = decode(policy, corpus.source, rows, max_new_tokens=_MAX_NEW_TOKENS, **decoding)
    return policy.vocabulary.decode(tokens)


def score(policy: WriterPolicy, corpus: Corpus, split: str, **decoding: Any) -> TextScores:
    """Scores of the texts written for those of a split."""
    written, rows = write(policy, corpus, split, **decoding), corpus.rows(split)
    assert corpus.target_embedder is not None
    return score_texts(written, corpus.targets[rows.start : rows.stop], corpus.target_embedder)


def validation_of(corpus: Corpus, times: int, metric: str = "bleu_tok") -> Validation:
    """A validation that selects the best weights on val."""
    return Validation(partial(score, corpus=corpus, split="valid"), metric, times)


# ---------------------------------------------------------------------------- the parts


def measure_warm(corpus: Corpus, options: Options, seed: int) -> dict[str, Any]:
    """Cross-entropy from scratch, of the network and the vectors; kept for the first seed."""
    torch.manual_seed(seed)
    policy = make_writer(corpus, options)
    assert policy.vocabulary is not None
    vectors = LearnedVectors(corpus, policy.vocabulary)
    vectors.join(policy)

    def score_learned(policy: WriterPolicy) -> TextScores:
        with torch.no_grad():
            vectors.use(policy)
        return score(policy, vectors.corpus()[0], "valid")

    validation = Validation(score_learned, "bleu_tok", 12)
    seconds = learn_cross_entropy(
        policy, corpus, validation, options.warm_minutes, seed, vectors=vectors
    )
    vectors.leave(policy)
    corpus, _ = vectors.corpus()
    policy, learned = make_writer(corpus, options), policy
    policy.load_state_dict(learned.state_dict())
    if seed == options.seed[0]:
        weights = {name: weight.cpu().numpy() for name, weight in policy.state_dict().items()}
        write_tensors(weights, options.folder / _WEIGHTS)
        for name, embedder in zip(
            _EMBEDDERS, (corpus.source_embedder, corpus.target_embedder), strict=True
        ):
            assert isinstance(embedder, WordVectors)
            embedder.save(options.folder / name)
    return _after("warm", seed, policy, corpus, validation, seconds)


def learn_cross_entropy(
    policy: WriterPolicy,
    corpus: Corpus,
    validation: Validation,
    minutes: float,
    seed: int,
    *,
    vectors: LearnedVectors | None = None,
) -> float:
    """Minimize the cross-entropy for some minutes; returns the seconds that it took.

    From scratch if vectors are learned too, or else from a warm start.
    """
    assert policy.vocabulary is not None
    clock = Clock(60 * minutes)
    train_cross_entropy(
        policy,
        TargetTexts(corpus, policy.vocabulary),
        validation,
        clock=clock,
        epochs=1000.0,
        learning_rate=_RL.learning_rate if vectors is None else WRITING.warm_learning_rate,
        batch_size=WRITING.warm_texts,
        smoothing=_CONFIG.writer.smoothing,
        seed=seed,
        progress=True,
        vectors=vectors,
    )
    return clock.seconds


def measure_ce(corpus: Corpus, options: Options, seed: int) -> dict[str, Any]:
    """More cross-entropy instead of reinforcement."""
    torch.manual_seed(seed)
    policy = warm_writer(corpus, options)
    validation = validation_of(corpus, times=8)
    seconds = learn_cross_entropy(policy, corpus, validation, options.minutes, 100 + seed)
    return _after("ce", seed, policy, corpus, validation, seconds)


def measure_reinforced(
    corpus: Corpus, options: Options, seed: int, reward: Reward | str, name: str, metric: str
) -> dict[str, Any]:
    """Reinforcement from the warm start."""
    torch.manual_seed(seed)
    env = make_env(corpus, reward, _RL.num_texts * _RL.group_size, _RL.group_size)
    clock = Clock(60 * options.minutes)
    warm = warm_writer(corpus, options)
    model = REINFORCE(
        WriterPolicy,
        env,
        learning_rate=LinearDecay(_RL.learning_rate, clock),
        seed=seed,
        device=options.device,
        policy_kwargs={"writer": writer_of(corpus)},
        regularizers=(cross_entropy(corpus, warm, seed),),
    )
    policy = model.policy
    assert isinstance(policy, WriterPolicy)
    policy.load_state_dict(warm.state_dict())
    policy.scale_temperature(WRITING.temperature_scale)
    validation = validation_of(corpus, 8, metric)
    training = Training(clock, validation, _RL.group_size)
    try:
        with ProgressBar("training") as bar:
            model.learn(10**12, [training, Progress(training, bar)], log_interval=20)
    finally:
        clock.stop()
    validation.restore_best(policy)
    return _after(name, seed, policy, corpus, validation, clock.seconds)


def cross_entropy(corpus: Corpus, policy: BasePolicy, seed: int) -> CrossEntropy:
    """The cross-entropy term that is added to reinforcement."""
    assert isinstance(policy, WriterPolicy)
    assert policy.vocabulary is not None
    texts = TargetTexts(corpus, policy.vocabulary)
    options = _CONFIG.writer
    return CrossEntropy(texts, options.ce_weight, _RL.num_texts, options.smoothing, seed=100 + seed)


def _after(
    name: str,
    seed: int,
    policy: WriterPolicy,
    corpus: Corpus,
    validation: Validation,
    seconds: float,
) -> dict[str, Any]:
    """The figures of a part that trained, and its answers to the test texts."""
    assert policy.vocabulary is not None
    assert corpus.target_embedder is not None
    rows = corpus.rows("test")
    targets = corpus.targets[rows.start : rows.stop]
    figures: dict[str, Any] = {
        "seconds": seconds,
        "valid": validation.value(validation.best),
        "cross_entropy": target_cross_entropy(
            policy, TargetTexts(corpus, policy.vocabulary, "test")
        ),
    }
    for method in ("greedy", "beam"):
        written = write(policy, corpus, "test", method=method)
        scores = score_texts(written, targets, corpus.target_embedder)
        show(f"{name}, {method}", seed, validation, scores)
        figures[method] = {metric: getattr(scores, metric) for metric in _SHOWN}
        figures[method] |= {"written": written, "signatures": dict(scores.signatures)}
    return figures


def constant(written: Written) -> NDArray[np.float64]:
    """A reward without information."""
    return np.ones(len(written))


def measure_decoding(corpus: Corpus, options: Options, seed: int) -> dict[str, Any]:
    """Scores of the warm start under every decoding method."""
    policy = warm_writer(corpus, options)
    figures: dict[str, Any] = {}
    for method in get_args(Method):
        scores = score(policy, corpus, "test", method=method, seed=seed)
        figures |= {f"bleu_tok_{method}": scores.bleu_tok, f"alignment_{method}": scores.alignment}
    return figures


def measure_refine(corpus: Corpus, options: Options, seed: int) -> dict[str, Any]:  # noqa: ARG001 - nothing is drawn
    """Shares of val texts that reach the threshold, round by round.

    By the writer's own estimate, which is all that refinement sees, and by the target itself;
    for comparison, also the share of source texts that reach it when copied unchanged.
    """
    policy = warm_writer(corpus, options)
    rows = corpus.rows("valid")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*without an EOS")
        refined = [
            refine(policy, corpus.source, rows, threshold=_THRESHOLD, max_rounds=rounds)
            for rounds in range(_ROUNDS + 1)
        ]
    assert policy.vocabulary is not None
    written = [
        Written(corpus, policy.vocabulary, np.arange(rows.start, rows.stop), one.tokens)
        for one in refined
    ]
    embedder = corpus.target_embedder
    assert embedder is not None
    copied = embedder.embed(corpus.sources[rows.start : rows.stop]).means
    targets = corpus.target.unit_means[rows.start : rows.stop]
    return {
        "refine_share_by_round": refined[-1].reached.mean(axis=1).tolist(),
        "refine_score_by_round": refined[-1].scores.mean(axis=1).tolist(),
        "refine_alignment_by_round": [float(mean_reward(one).mean()) for one in written],
        "refine_true_share_by_round": [
            float((mean_reward(one) >= _THRESHOLD).mean()) for one in written
        ],
        "refine_bleu_tok_by_round": [
            score_texts(one.strings, one.target_strings, embedder).bleu_tok for one in written
        ],
        "refine_true_share_source": float((cosine(copied, targets) >= _THRESHOLD).mean()),
    }


def measure_throughput(corpus: Corpus, options: Options, seed: int) -> dict[str, Any]:
    """Words written and learned from per second, against the same policy under stock PPO."""
    words, seconds, shares = [], [], []
    for stock in (False, True):
        group = 1 if stock else _RL.group_size
        reward = Timed(bleu)
        env = make_env(corpus, reward, 64 if stock else _RL.num_texts * group, group)
        kwargs: dict[str, Any] = {
            "learning_rate": _RL.learning_rate,
            "policy_kwargs": {"writer": writer_of(corpus)},
            "seed": seed,
            "device": options.device,
        }
        warm = warm_writer(corpus, options)
        # PPO encodes the text and all that is written again at each step, and once per epoch.
        model = (
            PPO(WriterPolicy, env, n_steps=16, batch_size=256, n_epochs=1, **kwargs)
            if stock
            else REINFORCE(
                WriterPolicy, env, regularizers=(cross_entropy(corpus, warm, seed),), **kwargs
            )
        )
        model.policy.load_state_dict(warm.state_dict())
        count = CountWords()
        model.learn(64 * 16 if stock else 1, count)  # warms up
        count.words, reward.seconds, started = 0, 0.0, time.perf_counter()
        while time.perf_counter() - started < _THROUGHPUT_SECONDS:
            model.learn(64 * 16 if stock else 1, count, reset_num_timesteps=False)
        words.append(count.words)
        seconds.append(time.perf_counter() - started)
        shares.append(reward.seconds / seconds[-1])
    ours, peer = (n / s for n, s in zip(words, seconds, strict=True))
    return {
        "throughput_words_per_second": ours,
        "throughput_words_per_second_ppo": peer,
        "throughput_ratio": ours / peer,
        "reward_share_of_training": shares[0],
    }


def measure_softmax(corpus: Corpus, options: Options, seed: int) -> dict[str, Any]:
    """The peer with a softmax, trained as the warm start is, for as long; greedy answers."""
    torch.manual_seed(seed)
    texts = target_texts(corpus, options)
    peer = SoftmaxWriter(texts, writer_of(corpus))
    embedder = corpus.target_embedder
    assert embedder is not None

    def score_peer(peer: SoftmaxWriter, split: str = "valid") -> TextScores:
        rows = corpus.rows(split)
        written = peer.write(split, _MAX_NEW_TOKENS)
        return score_texts(written, corpus.targets[rows.start : rows.stop], embedder)

    validation = Validation(score_peer, "bleu_tok", 12)
    clock = Clock(60 * options.warm_minutes)
    rates = (WRITING.warm_learning_rate, _CONFIG.writer.smoothing)
    train_softmax(peer, validation, clock, WRITING.warm_texts, *rates, seed)
    scores = score_peer(peer, "test")
    show("softmax, greedy", seed, validation, scores)
    return {
        "seconds": clock.seconds,
        "valid": validation.value(validation.best),
        "bleu_tok_softmax": scores.bleu_tok,
        "bleu_13a_softmax": scores.bleu_13a,
        "chrf_softmax": scores.chrf,
    }


def measure_speed(corpus: Corpus, options: Options, seed: int) -> dict[str, Any]:
    """Texts per second of the warm start, and of the peer with a softmax, in turns."""
    torch.manual_seed(seed)
    smoothing = _CONFIG.writer.smoothing
    texts, policy = target_texts(corpus, options), make_writer(corpus, options)
    peer = SoftmaxWriter(texts, writer_of(corpus))
    vectors = LearnedVectors(corpus, texts.vocabulary)
    vectors.join(policy)
    policy.set_training_mode(True)
    optimizer = torch.optim.Adam(peer.parameters(), WRITING.warm_learning_rate, eps=1e-8)

    def ours(rows: NDArray[np.int64]) -> None:
        vectors.use(policy)
        losses, misaligned = texts.loss(policy, rows, smoothing)
        descend(policy, losses.mean() + misaligned.mean(), 1.0, "")

    def theirs(rows: NDArray[np.int64]) -> None:
        step_softmax(peer, optimizer, rows, smoothing)

    rates: list[list[float]] = [[], []]
    sides = [(step, BatchStream(texts, WRITING.warm_texts, seed)) for step in (ours, theirs)]
    for turn in range(1 + _TURNS):
        for side, (step, batches) in enumerate(sides):
            rate = texts_per_second(step, batches, _TURN_SECONDS)
            if turn:  # the first warms up
                rates[side].append(rate)
    ratios = [one / other for one, other in zip(*rates, strict=True)]
    return {
        "speed_texts_per_second": median(rates[0]),
        "speed_texts_per_second_softmax": median(rates[1]),
        "speed_ratio": median(ratios),
        "speed_ratio_lowest": min(ratios),
    }


def target_texts(corpus: Corpus, options: Options) -> TargetTexts:
    """The targets of a corpus as tokens."""
    vocabulary = make_writer(corpus, options).vocabulary
    assert vocabulary is not None
    return TargetTexts(corpus, vocabulary)


class Timed:
    """A reward that counts the seconds it takes."""

    def __init__(self, reward: Reward) -> None:
        self.reward = reward
        self.seconds = 0.0

    def __call__(self, written: Written) -> NDArray[np.float64]:
        """(n,) scores of the reward."""
        started = time.perf_counter()
        scores = self.reward(written)
        self.seconds += time.perf_counter() - started
        return scores


class CountWords(BaseCallback):
    """Counts the words of episodes that are learned from."""

    def __init__(self) -> None:
        super().__init__()
        self.words = 0

    def _on_step(self) -> bool:
        running = self.locals.get("running")
        self.words += self.training_env.num_envs if running is None else int(running.sum())
        return True


# ---------------------------------------------------------------------------- report


def show(name: str, seed: int, validation: Validation, scores: TextScores) -> None:
    """Print a part's curve on val and its scores on test."""
    console = Console()
    curve = ", ".join(
        f"{record.seconds:.0f} s {getattr(record.scores, validation.metric):.2f}"
        for record in validation.records
    )
    console.print(f"{name}, seed {seed}, {validation.metric} on val: {curve}", soft_wrap=True)
    table = Table(*_SHOWN, title=f"{name}, seed {seed}, on test")
    table.add_row(*(f"{getattr(scores, metric):.4g}" for metric in _SHOWN))
    console.print(table)


_MEASURES: dict[Part, Callable[[Corpus, Options, int], dict[str, Any]]] = {
    "warm": measure_warm,
    "rl": partial(measure_reinforced, reward="bleu", name="rl", metric="bleu_tok"),
    "ce": measure_ce,
    "constant": partial(measure_reinforced, reward=constant, name="constant", metric="bleu_tok"),
    "cosine": partial(measure_reinforced, reward="mean", name="cosine", metric="alignment"),
    "decoding": measure_decoding,
    "refine": measure_refine,
    "throughput": measure_throughput,
    "softmax": measure_softmax,
    "speed": measure_speed,
}
_FROM_SCRATCH = ("warm", "softmax", "speed")


def report(runs: Sequence[Mapping[str, Any]], targets: Sequence[str], console: Console) -> None:
    """Print the figures of the last run of each part and seed; targets are those of test."""
    last = {(run["part"], run["seed"]): run for run in runs}
    trained = [run for run in last.values() if "greedy" in run]
    table = Table("part", "seed", "minutes", "nats/token", "decoding", *_SHOWN, title="Test")
    for run in trained:
        for method in ("greedy", "beam"):
            scores = (f"{run[method][metric]:.4g}" for metric in _SHOWN)
            minutes, entropy = f"{run['seconds'] / 60:.1f}", f"{run['cross_entropy']:.3f}"
            table.add_row(run["part"], str(run["seed"]), minutes, entropy, method, *scores)
    console.print(table)
    for method in ("greedy", "beam"):
        written = {
            part: [run[method]["written"] for run in trained if run["part"] == part]
            for part in ("rl", "ce")
        }
        if all(written.values()):
            gain = bleu_difference(written["rl"], written["ce"], targets)
            console.print(
                f"{method}: reinforcement over cross-entropy {gain.mean:+.2f} BLEU, paired "
                f"bootstrap [{gain.low:+.2f}, {gain.high:+.2f}], seeds {len(written['rl'])} and "
                f"{len(written['ce'])}"
            )
    for run in last.values():
        if "greedy" not in run:
            hidden = ("machine", "signatures")
            console.print({name: one for name, one in run.items() if name not in hidden})


def main(options: Options) -> None:
    """Measure, print, and append to the file of runs."""
    console = Console()
    options.folder.mkdir(parents=True, exist_ok=True)
    if not options.report_only:
        console.print(
            f"{WRITING}; torch {torch.__version__}, {torch.get_num_threads()} threads, "
            f"device {options.device}"
        )
        for part in options.part:
            for seed in options.seed if part in _SEEDED else options.seed[:1]:
                corpus = load(options, learned=part not in _FROM_SCRATCH)
                found = _MEASURES[part](corpus, options, seed)
                append_run(options.runs, {"part": part, "seed": seed, **found})
    targets = TextPairs.read(options.data / "test.tsv").target
    report(read_runs(options.runs), targets, console)


if __name__ == "__main__":
    main(tyro.cli(Options))

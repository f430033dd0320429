"""Compare the speed and quality of LLMAR with its peers, in one run on one machine.

The peer in speed is what the documentation of Stable-Baselines3 suggests: PPO, a GRU as features
extractor, `DummyVecEnv` of 8 environments, embeddings observed. The baseline in quality is the same
network trained on the gradient of the cosine itself. Sides alternate, medians are reported, and
all rows of LLMAR use the settings of `train.py`.

    python benchmarks/speed.py --data DIR --json runs/speed.json

DIR holds train.tsv, val.tsv and test.tsv. Run it on an otherwise idle machine. `--part` runs
single parts, which add their figures to the file.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any, Literal, get_args

import gymnasium
import numpy as np
import torch
import tyro
from gymnasium.vector import AutoresetMode
from rates import steps_per_second
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env as sb3_make_vec_env
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor, nn

from agents import LLMAR
from agents.algorithms.presets import SUPERVISED
from agents.config import AlgorithmConfig, Config, RunConfig
from agents.inference.evaluation import evaluate
from agents.networks.device import as_shared_tensor, resolve_device
from agents.policies.gru import GRUPolicy
from agents.training.losses import CosineLoss
from agents.training.supervised import train_supervised
from agents.training.validation import Validation
from llmar_env.metrics import Scores, score_answers
from llmar_env.spaces import TextIndex
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import WordVectorsConfig
from llmar_env.text.pairs import TextPairs

Part = Literal["environment", "echo", "translation"]
_LENGTH, _DIM, _HIDDEN = 24, 64, 128
_MARK = 0.78
_PEER_LIMIT = 180.0
_ECHO_SECONDS, _TRANSLATION_SECONDS = 30.0, 40.0
_SUPERVISED_RATES = (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2)
_NUM_ENVS = 1024


@dataclass(frozen=True)
class Options:
    """Measure speed and quality against the peers."""

    data: Path = Path("../shared/data/multi30k-de-en")
    """Folder with train.tsv, val.tsv and test.tsv, columns source and target."""
    json: Path | None = None
    """Add the figures to this file, one flat object."""
    part: tuple[Part, ...] = get_args(Part)
    """What to measure."""
    repeats: int = 3
    """Number of runs of each side, whose median is reported, and of seeds of the translation."""
    device: str = "auto"
    """As in train.py."""


def load(folder: Path, *, echo: bool) -> Corpus:
    """Read and embed the data, as `train.py --max-length 24` does."""
    pairs = {}
    for split, stem in {"train": "train", "valid": "val", "test": "test"}.items():
        part = TextPairs.read(folder / f"{stem}.tsv")
        pairs[split] = TextPairs(part.source, part.source, part.name) if echo else part
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*longer than max_length")
        return Corpus.load(pairs, word_vectors=WordVectorsConfig(dim=_DIM), max_length=_LENGTH)


# ---------------------------------------------------------------------------- the peer in speed


class PeerFeatures(BaseFeaturesExtractor):
    """A GRU over padded embeddings, as a user of SB3 would write it."""

    def __init__(self, observation_space: gymnasium.spaces.Box, features_dim: int) -> None:
        super().__init__(observation_space, features_dim)
        self.gru = nn.GRU(observation_space.shape[1], features_dim, batch_first=True)

    def forward(self, observations: Tensor) -> Tensor:
        """Encode (B, L, D) to (B, H): the state after the last vector that is not padding."""
        lengths = (observations != 0).any(-1).sum(-1)
        states, _ = self.gru(observations)
        last: Tensor = states[torch.arange(len(states)), lengths - 1]
        return last


def make_peer(corpus: Corpus, seed: int, device: str) -> PPO:
    """PPO with SB3's default settings; shorter rollouts (n_steps=256) learn more slowly."""
    env = sb3_make_vec_env(
        "LLMAR/Align-v0", n_envs=8, seed=seed, env_kwargs={"data": corpus}, vec_env_cls=DummyVecEnv
    )
    return PPO(
        "MlpPolicy",
        env,
        policy_kwargs={
            "features_extractor_class": PeerFeatures,
            "features_extractor_kwargs": {"features_dim": _HIDDEN},
        },
        seed=seed,
        device=device,
    )


def score_peer(policy: BasePolicy, corpus: Corpus) -> float:
    """Mean alignment of the peer's answers, without noise, on the test texts."""
    rows = corpus.rows("test")
    vectors, _ = corpus.source.gather(np.arange(rows.start, rows.stop))
    answers, _ = policy.predict(vectors, deterministic=True)
    targets = corpus.target.means[rows.start : rows.stop]
    # In torch, like `evaluate`: NumPy's BLAS threads would slow down the training that follows.
    return score_answers(torch.as_tensor(answers), torch.as_tensor(targets)).alignment


# ---------------------------------------------------------------------------- measuring


class Reach(BaseCallback):
    """Measures the seconds until a policy reaches the mark on the test texts.

    The time that scoring takes does not count, on either side.

    Args:
        score: mean alignment of a policy on the test texts.
        limit: seconds after which training ends, unless the mark ends it before; if infinite,
            neither ends it.
    """

    def __init__(self, score: Callable[[BasePolicy], float], limit: float = math.inf) -> None:
        super().__init__()
        self.score = score
        self.limit = limit
        self.best = -1.0
        self.reached: float | None = None
        self.seconds = 0.0  # until the last update
        self.steps = 0

    @property
    def elapsed(self) -> float:
        """Seconds since training started, without those of scoring."""
        return time.perf_counter() - self.started - self.scoring

    def _on_training_start(self) -> None:
        self.started, self.scoring, self.due = time.perf_counter(), 0.0, 0.0

    def _on_rollout_start(self) -> None:
        self.seconds, self.steps = self.elapsed, self.model.num_timesteps
        if self.reached is None and self.seconds >= self.due:
            before = time.perf_counter()
            self.best = max(self.best, self.score(self.model.policy))
            self.scoring += time.perf_counter() - before
            self.due = self.seconds + 0.1
            if self.best >= _MARK:
                self.reached = self.seconds

    def _on_step(self) -> bool:
        if self.limit == math.inf:
            return True
        return self.reached is None and self.elapsed < self.limit

    @property
    def rate(self) -> float:
        """Steps per second, including updates."""
        return self.steps / self.seconds


# ---------------------------------------------------------------------------- the parts


def measure_environment(options: Options, console: Console) -> dict[str, float]:
    """The environment alone, against SyncVectorEnv of the single one."""
    corpus = load(options.data, echo=False)
    figures: dict[str, float] = {}
    table = Table(
        "observation",
        "native, steps/s",
        "SyncVectorEnv",
        "ratio",
        title=f"{_NUM_ENVS} environments",
    )
    for observation in ("embeddings", "index"):
        kwargs: dict[str, Any] = {"data": corpus, "observation": observation}
        native = gymnasium.make_vec("LLMAR/Align-v0", _NUM_ENVS, **kwargs)
        sync = gymnasium.make_vec(
            "LLMAR/Align-v0",
            _NUM_ENVS,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
            **kwargs,
        )
        pairs = [(steps_per_second(native), steps_per_second(sync)) for _ in range(5)]
        ours, peer = (median(side) for side in zip(*pairs, strict=True))
        figures[f"env_ratio_{observation}"] = ours / peer
        table.add_row(observation, f"{ours:,.0f}", f"{peer:,.0f}", f"{ours / peer:.0f}x")
    sizes = [
        gymnasium.make_vec("LLMAR/Align-v0", 1, data=corpus, observation=one).reset()[0].nbytes
        for one in ("embeddings", "index")
    ]
    figures["bytes_ratio"] = sizes[0] / sizes[1]
    console.print(table)
    console.print(f"bytes of observation per transition: {sizes[0]} against {sizes[1]}")
    return figures


def measure_echo(options: Options, console: Console) -> dict[str, float]:
    """Training throughput, and time and quality on the echo task, against stock PPO."""
    corpus = load(options.data, echo=True)
    ours: list[tuple[float, float, float]] = []  # steps/s, seconds to the mark, alignment
    peer: list[tuple[float, float, float]] = []
    for seed in range(options.repeats):
        reach = Reach(lambda policy: evaluate(_gru(policy), corpus, "test").alignment)
        trained = LLMAR(_config(options, seed, _ECHO_SECONDS)).train(corpus, callback=reach)
        alignment = trained.scores["test"]["trained"].alignment
        ours.append((reach.rate, reach.reached or math.inf, alignment))
        reach = Reach(lambda policy: score_peer(policy, corpus), _PEER_LIMIT)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*primarily intended to run on the CPU")
            make_peer(corpus, seed, options.device).learn(10**9, reach)
        peer.append((reach.rate, reach.reached or _PEER_LIMIT, reach.best))
        console.print(f"echo, seed {seed}: ours {_row(ours[-1])}; peer {_row(peer[-1])}")
    rate, seconds, alignment = (median(column) for column in zip(*ours, strict=True))
    peer_rate, peer_seconds, _ = (median(column) for column in zip(*peer, strict=True))
    return {
        "throughput_ratio": rate / peer_rate,
        "steps_per_second": rate,
        "peer_steps_per_second": peer_rate,
        "time_to_078_ratio": peer_seconds / seconds,
        "time_to_078": seconds,
        "peer_time_to_078": peer_seconds,
        "echo_alignment_30s": alignment,
    }


def measure_translation(options: Options, console: Console) -> dict[str, float]:
    """Quality of translation after 40 s, and texts encoded, against the supervised baseline."""
    corpus = load(options.data, echo=False)
    valid = {rate: _supervised(options, corpus, 0, rate)[0] for rate in _SUPERVISED_RATES}
    for rate, scores in valid.items():
        one = scores["valid"]
        console.print(f"supervised, learning rate {rate:g}: {one.alignment:.4f} on valid")
    rate = max(valid, key=lambda one: valid[one]["valid"].alignment)
    ours: list[tuple[Scores, float]] = []  # on test, texts/s
    baseline: list[tuple[Scores, float]] = []
    for seed in range(options.repeats):
        trained = LLMAR(_config(options, seed, _TRANSLATION_SECONDS)).train(corpus)
        ours.append((trained.scores["test"]["trained"], trained.timings["texts_per_second"]))
        scores, texts = _supervised(options, corpus, seed, rate)
        baseline.append((scores["test"], texts))
        console.print(f"translation, seed {seed}: ours {ours[-1]}; supervised {baseline[-1]}")
    texts_ours, texts_baseline = (median(texts for _, texts in side) for side in (ours, baseline))
    return {
        "mt_alignment_40s": mean(scores.alignment for scores, _ in ours),
        "mt_p1_40s": mean(scores.p_at_1 for scores, _ in ours),
        "supervised_mt_alignment_40s": mean(scores.alignment for scores, _ in baseline),
        "supervised_mt_p1_40s": mean(scores.p_at_1 for scores, _ in baseline),
        "supervised_learning_rate": rate,
        "mt_alignment_lead": mean(scores.alignment for scores, _ in ours)
        - mean(scores.alignment for scores, _ in baseline),
        "mt_p1_lead": mean(scores.p_at_1 for scores, _ in ours)
        - mean(scores.p_at_1 for scores, _ in baseline),
        "encode_ratio": texts_ours / texts_baseline,
        "texts_per_second": texts_ours,
        "supervised_texts_per_second": texts_baseline,
    }


def _config(options: Options, seed: int, seconds: float) -> Config:
    return Config(
        algorithm=AlgorithmConfig(hidden_dim=_HIDDEN, total_steps=1e12, time_limit=seconds),
        run=RunConfig(seed=seed, device=options.device, supervised=False, progress=False),
    )


def _supervised(
    options: Options, corpus: Corpus, seed: int, rate: float
) -> tuple[dict[str, Scores], float]:
    """Scores of the supervised baseline, by split, and its texts per second."""
    config = _config(options, seed, _TRANSLATION_SECONDS)
    torch.manual_seed(seed)
    policy = GRUPolicy(
        TextIndex(corpus.source),
        gymnasium.spaces.Box(-1.0, 1.0, (corpus.target.dim,)),
        lambda _: rate,
        hidden_dim=_HIDDEN,
    ).to(resolve_device(config.run.device))
    validation = Validation(partial(evaluate, corpus=corpus, split="valid"))
    texts = train_supervised(
        policy,
        corpus.rows("train"),
        CosineLoss(as_shared_tensor(corpus.target.unit_means, policy.device)),
        validation,
        seconds=_TRANSLATION_SECONDS,
        learning_rate=rate,
        num_texts=SUPERVISED.num_texts,
        seed=seed,
    )
    valid = validation.best.scores
    assert isinstance(valid, Scores)
    scores = {"valid": valid, "test": evaluate(policy, corpus, "test")}
    return scores, texts / validation.records[-1].seconds


def _gru(policy: BasePolicy) -> GRUPolicy:
    assert isinstance(policy, GRUPolicy)
    return policy


def _row(figures: tuple[float, float, float]) -> str:
    rate, seconds, alignment = figures
    return f"{rate:,.0f} steps/s, {seconds:.1f} s to {_MARK}, alignment {alignment:.4f}"


# ---------------------------------------------------------------------------- report

_AT_LEAST = {
    "throughput_ratio": 200.0,
    "time_to_078_ratio": 30.0,
    "echo_alignment_30s": 0.97,
    "mt_alignment_lead": -0.01,
    "mt_p1_lead": -0.05,
    "encode_ratio": 0.9,
    "env_ratio_embeddings": 12.0,
    "env_ratio_index": 100.0,
    "bytes_ratio": 500.0,
}

_MEASURES: dict[Part, Callable[[Options, Console], dict[str, float]]] = {
    "environment": measure_environment,
    "echo": measure_echo,
    "translation": measure_translation,
}


def main(options: Options) -> None:
    """Measure, print, and write the figures."""
    console = Console()
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
    algorithm = LLMAR().algorithm
    console.print(
        f"ours: REINFORCE, {algorithm.num_texts} texts x K = {algorithm.group_size}, learning rate "
        f"{algorithm.learning_rate:g}, GRU {_HIDDEN}, {_DIM}-d vectors, L = {_LENGTH}; "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, device {options.device}"
    )
    for part in options.part:
        figures = _MEASURES[part](options, console)
        table = Table("figure", "measured", "at least", title=part)
        for name, value in figures.items():
            table.add_row(name, f"{value:,.4g}", f"{_AT_LEAST.get(name, '')}")
        console.print(table)
        if options.json is not None:
            before = json.loads(options.json.read_text()) if options.json.exists() else {}
            options.json.write_text(json.dumps(before | figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))

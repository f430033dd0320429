"""Measure the gain from groups in SB3's algorithms: PPO's and A2C's speed, memory of a replay.

The baseline is `GRUPolicy` on embeddings, which encodes each row of a batch separately, with SB3's
buffers. The other side observes row numbers of the text store in groups of 16, and its minibatches
keep the answers to a text together (`GroupedRolloutBuffer`), so that each text is encoded once per
minibatch. Environments, batch size, epochs and network are the same on both sides: those of
`agents.algorithms.ALGORITHMS`, except for groups of 16; PPO also runs with minibatches of 2,048.
Sides alternate, and medians are reported.

    python benchmarks/groups.py --data ../shared/data/multi30k-de-en

The folder holds train.tsv. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import tyro
from rates import Rate
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer, RolloutBuffer

from agents import GroupedReplayBuffer, GRUPolicy, make_vec_env
from agents.algorithms.presets import ALGORITHMS, Algorithm
from llmar_env.envs.align import AlignVectorEnv
from llmar_env.text.corpus import Corpus
from llmar_env.text.pairs import TextPairs

_GROUP_SIZE = 16
_PPO = ALGORITHMS["ppo"]
# A minibatch of 256 holds 16 texts, so few that the overhead of operations dominates.
_ROWS = {
    "ppo": _PPO,
    "ppo_2048": replace(_PPO, settings={**_PPO.settings, "batch_size": 2048}),
    "a2c": ALGORITHMS["a2c"],
}
_TRANSITIONS = 1_000_000
_NUM_ENVS = 512


@dataclass(frozen=True)
class Options:
    """Measure the gain from groups in SB3's algorithms."""

    data: Path = Path("../shared/data/multi30k-de-en")
    """Folder with train.tsv, columns source and target."""
    json: Path | None = None
    """Write the figures to this file, one flat object."""
    seconds: float = 10.0
    """Training time of each side and repeat."""
    repeats: int = 3
    """Number of runs of each side; the median is reported."""
    device: str = "auto"
    """As in train.py."""


def make_model(algorithm: Algorithm, corpus: Corpus, side: str, device: str) -> BaseAlgorithm:
    """One side's model: "embeddings", "index" with SB3's buffer, or "grouped"."""
    env_kwargs: dict[str, Any] = {
        "data": corpus,
        "observation": "embeddings" if side == "embeddings" else "index",
        "group_size": _GROUP_SIZE,
    }
    settings = dict(algorithm.settings)
    if side != "grouped":
        settings["rollout_buffer_class"] = RolloutBuffer
    size = algorithm.num_texts * algorithm.group_size
    make: Any = algorithm.cls
    model: BaseAlgorithm = make(
        GRUPolicy,
        make_vec_env("LLMAR/Align-v0", size, env_kwargs=env_kwargs),
        learning_rate=algorithm.learning_rate,
        seed=0,
        device=device,
        policy_kwargs=dict(algorithm.policy_kwargs),
        **settings,
    )
    return model


def measure_speed(options: Options, corpus: Corpus, console: Console) -> dict[str, float]:
    """Steps per second of each side, and ratios to the baseline."""
    sides = ("embeddings", "index", "grouped")
    table = Table("algorithm", *sides, "grouped / embeddings", title="steps/s")
    figures: dict[str, float] = {}
    for name, algorithm in _ROWS.items():
        rates: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(options.repeats):
            for side in sides:
                rate = Rate(options.seconds)
                make_model(algorithm, corpus, side, options.device).learn(10**12, rate)
                rates[side].append(rate.steps_per_second)
        middle = {side: median(found) for side, found in rates.items()}
        ratio = middle["grouped"] / middle["embeddings"]
        table.add_row(name, *(f"{middle[side]:,.0f}" for side in sides), f"{ratio:.1f}x")
        figures |= {f"{name}_{side}_steps_per_second": rate for side, rate in middle.items()}
        figures[f"{name}_grouped_ratio"] = ratio
    console.print(table)
    return figures


def measure_replay(corpus: Corpus, console: Console) -> dict[str, float]:
    """Bytes of a replay buffer of a million transitions, for each observation."""
    table = Table("observation", "MB", title=f"replay of {_TRANSITIONS:,} transitions, D = 64")
    figures: dict[str, float] = {}
    for observation in ("index", "embeddings"):
        env = AlignVectorEnv(num_envs=_NUM_ENVS, data=corpus, observation=observation)
        spaces = (env.single_observation_space, env.single_action_space)
        # As SAC and similar algorithms make them. Zeros take no memory until they are written, so
        # this also works for a buffer that is larger than the machine's memory.
        cls = GroupedReplayBuffer if observation == "index" else ReplayBuffer
        buffer = cls(_TRANSITIONS, *spaces, "cpu", n_envs=_NUM_ENVS)
        arrays = [value for value in vars(buffer).values() if isinstance(value, np.ndarray)]
        size = sum(array.nbytes for array in arrays) / 1e6
        table.add_row(observation, f"{size:,.0f}")
        figures[f"replay_{observation}_mb"] = size
    console.print(table)
    return figures


def main(options: Options) -> None:
    """Measure, print, and write the figures."""
    console = Console()
    console.print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    corpus = Corpus.load({"train": TextPairs.read(options.data / "train.tsv")})
    figures = measure_speed(options, corpus, console) | measure_replay(corpus, console)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))

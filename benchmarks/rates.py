"""Measure one checkout in under a minute: steps per second of training, environments and writing.

Rates only, over a few seconds each and without a baseline: `speed.py` and `translation.py` measure
whole training runs against baselines, and take too long to alternate between checkouts.
`compare.py` runs this file on two checkouts, possibly old ones, so it uses only the public
interface of `agents` and `llmar_env`.

    python benchmarks/rates.py --data train.tsv --json runs/rates.json
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import gymnasium
import numpy as np
import tyro
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback

from agents import REINFORCE, GRUPolicy, GymVecEnv, WriterPolicy, make_vec_env
from llmar_env.text.corpus import Corpus

Part = Literal["training", "environments", "writing"]
_NUM_ENVS = 1024
_ENVIRONMENTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "align_embeddings": ("LLMAR/Align-v0", {"observation": "embeddings"}),
    "align_index": ("LLMAR/Align-v0", {"observation": "index"}),
    "generate_index": ("LLMAR/Generate-v0", {"observation": "index", "max_new_tokens": 40}),
    "refine_index": ("LLMAR/Refine-v0", {"observation": "index"}),
    "align_single": (
        "LLMAR/Align-v0",
        {
            "vectorization_mode": "sync",
            "vector_kwargs": {"autoreset_mode": AutoresetMode.SAME_STEP},
        },
    ),
}
"""Ids, and arguments of `gymnasium.make_vec`; all but "sync" ones are native."""


@dataclass(frozen=True)
class Options:
    """Measure the rates of the packages that Python finds."""

    data: str = "phrasebook:de-en"
    """A file with the columns source and target, or a name of the built-in corpus."""
    json: Path | None = None
    """Write the figures to this file, one flat object."""
    part: tuple[Part, ...] = get_args(Part)
    """What to measure."""
    seconds: float = 10.0
    """Time of each training; each environment gets a fifth of it."""


class Rate(BaseCallback):
    """Measures steps per second over whole iterations, without the first, which is a warm-up.

    Args:
        seconds: time after which training ends, but not before two iterations have counted.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.limit = seconds
        self.marks: list[tuple[float, int]] = []  # time and steps at the start of iterations

    def _on_rollout_start(self) -> None:
        self.marks.append((time.perf_counter(), self.model.num_timesteps))

    def _on_step(self) -> bool:
        return len(self.marks) < 4 or self.marks[-1][0] - self.marks[1][0] < self.limit

    @property
    def steps_per_second(self) -> float:
        """Steps per second between the first mark that counts and the last."""
        (start, before), (end, after) = self.marks[1], self.marks[-1]
        return (after - before) / (end - start)


def steps_per_second(env: gymnasium.vector.VectorEnv[Any, Any, Any], seconds: float = 2.0) -> float:
    """Rate of environments with fixed actions, in the fastest of ten spans of time.

    Whatever else the machine does can only slow a span down.
    """
    generator = np.random.default_rng(0)
    actions = generator.standard_normal(env.action_space.shape or (), np.float32) * 0.1
    env.reset(seed=0)
    env.step(actions)
    return max(_rate(env, actions, seconds / 10) for _ in range(10))


def _rate(
    env: gymnasium.vector.VectorEnv[Any, Any, Any], actions: NDArray[np.float32], seconds: float
) -> float:
    steps, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        env.step(actions)
        steps += env.num_envs
    return steps / elapsed


def measure_environments(corpus: Corpus, seconds: float) -> dict[str, float]:
    """Steps per second of the environments alone."""
    figures = {}
    for name, (env_id, kwargs) in _ENVIRONMENTS.items():
        envs = gymnasium.make_vec(env_id, _NUM_ENVS, data=corpus, **kwargs)
        figures[f"env_{name}_steps_per_second"] = steps_per_second(envs, seconds / 5)
    return figures


def measure_training(corpus: Corpus, seconds: float) -> dict[str, float]:
    """REINFORCE on Align, with the batch of `train.py`: 384 texts, 16 answers to each."""
    env_kwargs = {"data": corpus, "observation": "index", "group_size": 16}
    env = make_vec_env("LLMAR/Align-v0", 384 * 16, env_kwargs=env_kwargs)
    rate = Rate(seconds)
    REINFORCE(GRUPolicy, env, seed=0).learn(10**12, rate)
    return {"training_steps_per_second": rate.steps_per_second}


def measure_writing(corpus: Corpus, seconds: float) -> dict[str, float]:
    """REINFORCE on Generate, with a BLEU reward at the end of each text.

    An untrained writer hardly ever writes EOS, so its steps are words.
    """
    rate = Rate(seconds)
    REINFORCE(WriterPolicy, make_writing_env(corpus), learning_rate=3e-4, seed=0).learn(
        10**12, rate
    )
    return {"writing_words_per_second": rate.steps_per_second}


def make_writing_env(corpus: Corpus) -> GymVecEnv:
    """8 texts, written 8 times each."""
    env_kwargs = {
        "data": corpus,
        "observation": "index",
        "max_new_tokens": 40,
        "group_size": 8,
        "reward": "bleu",
    }
    try:
        return make_vec_env("LLMAR/Generate-v0", 64, env_kwargs=env_kwargs | {"credit": "sparse"})
    except ValueError:  # its name in older checkouts
        return make_vec_env("LLMAR/Generate-v0", 64, env_kwargs=env_kwargs | {"credit": "final"})


_MEASURES: Mapping[Part, Callable[[Corpus, float], dict[str, float]]] = {
    "training": measure_training,
    "environments": measure_environments,
    "writing": measure_writing,
}


def main(options: Options) -> None:
    """Measure, print, and write the figures."""
    corpus = Corpus.load(options.data)
    figures: dict[str, float] = {}
    for part in options.part:
        figures |= _MEASURES[part](corpus, options.seconds)
    for name, rate in figures.items():
        print(f"{name}: {rate:,.0f}")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))

"""The algorithms by name, with the settings they were tuned to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stable_baselines3 import A2C, PPO
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from agents.config import Config
from agents.reinforce import REINFORCE
from llmar_env.text.embedders import WordVectorsConfig

__all__ = [
    "ALGORITHMS",
    "SUPERVISED",
    "WRITING",
    "Algorithm",
    "Supervised",
    "Writing",
    "find_algorithm",
    "tuned",
]


@dataclass(frozen=True)
class Algorithm:
    """An SB3 algorithm and what it trains with unless told otherwise."""

    cls: type[OnPolicyAlgorithm]
    num_texts: int
    """Texts that the environments show at a time."""
    group_size: int
    """Answers to each of them."""
    learning_rate: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the class."""


ALGORITHMS: Mapping[str, Algorithm] = {
    "reinforce": Algorithm(
        REINFORCE,
        num_texts=384,
        group_size=16,
        learning_rate=2e-2,
        settings={"baseline": "leave_one_out"},
    ),
    "ppo": Algorithm(
        PPO,
        num_texts=128,
        group_size=8,
        learning_rate=1e-3,
        settings={
            "n_steps": 4,
            "batch_size": 1024,
            "n_epochs": 4,
            "gamma": 0.0,
            "max_grad_norm": 1.0,
        },
    ),
    "a2c": Algorithm(
        A2C,
        num_texts=128,
        group_size=8,
        learning_rate=2e-3,
        settings={"n_steps": 1, "gamma": 0.0, "use_rms_prop": False, "max_grad_norm": 1.0},
    ),
}


@dataclass(frozen=True)
class Supervised:
    """What the supervised rival trains with, whatever the agent's algorithm."""

    num_texts: int = 384
    """Texts in a batch."""
    learning_rate: float = 1.6e-2
    """Of Adam at the start; the best on Multi30k's validation texts."""


SUPERVISED = Supervised()


@dataclass(frozen=True)
class Writing:
    """What a writer trains with, unless told otherwise."""

    word_vectors: WordVectorsConfig
    """Trained for it, where texts come without vectors."""
    hidden_dim: int
    """Width of the decoder; each direction of the encoder has two thirds of it."""
    warm_texts: int
    """Texts in a batch of the warm start."""
    warm_learning_rate: float
    """Of Adam in the warm start, at its highest."""
    sharpening: float
    """Factor of the softmax's temperature where reinforcement begins: label smoothing leaves it too
    high, and samples with words that nothing asks for."""
    reinforcement: Algorithm
    """What follows the warm start."""
    validations: int
    """In either part of the training; each writes all validation texts."""


WRITING = Writing(
    word_vectors=WordVectorsConfig(dim=256, vocab_size=8000, whitening=0.5),
    hidden_dim=384,
    warm_texts=96,
    warm_learning_rate=2e-3,
    sharpening=0.7,
    reinforcement=Algorithm(
        REINFORCE,
        num_texts=32,
        group_size=8,
        learning_rate=3e-4,
        settings={"baseline": "leave_one_out"},
    ),
    validations=15,
)


def find_algorithm(name: str) -> Algorithm:
    """The algorithm of a name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if name not in ALGORITHMS:
        raise ValueError(f"no algorithm {name!r}; there are {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]


def tuned(algorithm: Algorithm, config: Config) -> Algorithm:
    """An algorithm, with the settings that a configuration replaces."""
    given = {
        name: value
        for name in ("num_texts", "group_size", "learning_rate")
        if (value := getattr(config, name)) is not None
    }
    settings = dict(algorithm.settings)
    if "baseline" in settings:
        settings["baseline"] = config.baseline
    return replace(algorithm, settings=settings, **given)

"""The choices that options name, apart from what implements them, which takes long to import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

__all__ = [
    "ALGORITHM_NAMES",
    "DISTRIBUTIONS_OF",
    "ENVIRONMENTS",
    "Baseline",
    "DistributionName",
    "Feedback",
    "Method",
    "Precision",
    "algorithm_name",
]

Baseline = Literal["none", "leave_one_out", "mean", "group"]
"""Baselines of REINFORCE, computed by `agents.algorithms.baselines`."""

DistributionName = Literal["gaussian", "free_gaussian", "power_spherical"]
"""Distributions of answers; `agents.distributions.DISTRIBUTIONS` has their classes."""

Method = Literal["greedy", "csls", "best_of", "beam"]
"""Decoding methods of `agents.decode`."""

Feedback = Literal["judgments", "clicks"]
"""What rewards a search; `llmar_env.envs.retrieve` explains them."""

Precision = Literal["auto", "float32", "bfloat16"]
"""Precisions of a writer's matrix products; `agents.networks.device` resolves "auto"."""

ENVIRONMENTS = ("LLMAR/Align-v0", "LLMAR/Generate-v0", "LLMAR/Retrieve-v0")
"""Environments that an agent can be trained on: its answers are vectors, texts, or vectors that an
index is searched with."""

ALGORITHM_NAMES = (
    *("reinforce", "ppo", "a2c", "trpo", "recurrent_ppo"),
    *("sac", "td3", "ddpg", "tqc", "crossq", "ars"),
)
"""The keys of `agents.algorithms.ALGORITHMS`."""

_ALL = get_args(DistributionName)
DISTRIBUTIONS_OF: Mapping[str, tuple[str, ...]] = {
    "reinforce": _ALL,
    "ppo": _ALL,
    "a2c": _ALL,
    "trpo": ("gaussian", "free_gaussian"),  # whose KL divergence is known
}
"""The algorithms whose policy answers with a direction, and the distributions of each."""

_DISCRETE = ("dqn", "qrdqn", "maskableppo")


def algorithm_name(name: str) -> str:
    """Find the name of an algorithm, ignoring case, hyphens and underscores.

    Raises:
        ValueError: the name is unknown, or the algorithm has discrete actions and cannot answer
            with vectors; the message lists those that can.
    """
    plain = _plain(name)
    for known in ALGORITHM_NAMES:
        if _plain(known) == plain:
            return known
    if plain in _DISCRETE:
        raise ValueError(
            f"{name} needs discrete actions (Discrete), but an answer is a vector of real numbers "
            f"(Box); suitable algorithms are {', '.join(ALGORITHM_NAMES)}"
        )
    raise ValueError(f"unknown algorithm {name!r}; choose one of {', '.join(ALGORITHM_NAMES)}")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")

"""REINFORCE, buffers that keep groups together, and every algorithm's tuned settings."""

from .baselines import advantages
from .buffers import GroupedReplayBuffer, GroupedRolloutBuffer
from .presets import ALGORITHMS, Algorithm
from .reinforce import REINFORCE
from .update import NonFiniteLossError

__all__ = [
    "ALGORITHMS",
    "REINFORCE",
    "Algorithm",
    "GroupedReplayBuffer",
    "GroupedRolloutBuffer",
    "NonFiniteLossError",
    "advantages",
]

"""REINFORCE, SB3 buffers that keep groups together, and the tuned settings of all algorithms."""

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

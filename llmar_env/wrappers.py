"""Wrappers for libraries that know flat actions only, such as RLlib and tianshou.

Gymnasium has `FlattenObservation`, single and vector, for the other side.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorActionWrapper, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

__all__ = ["FlattenAction", "VectorFlattenAction"]


class FlattenAction(
    gymnasium.ActionWrapper[Any, NDArray[Any], NDArray[Any]], RecordConstructorArgs
):
    """Takes flat actions, (n,), where the environment takes a Box of any shape of n numbers.

    Args:
        env: with actions in a Box, such as (T, D) of LLMAR/Align-v0 with `num_vectors=T`.

    Raises:
        TypeError: the actions are not in a Box.
    """

    def __init__(self, env: gymnasium.Env[Any, NDArray[Any]]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)
        self.action_space = _flat(env.action_space)

    def action(self, action: NDArray[Any]) -> NDArray[Any]:
        """(n,) in the environment's shape."""
        return np.reshape(action, self.env.action_space.shape or ())


class VectorFlattenAction(VectorActionWrapper):
    """`FlattenAction` for a vector environment: takes actions (N, n).

    Args:
        env: with actions in a Box.

    Raises:
        TypeError: the actions are not in a Box.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self.single_action_space = _flat(env.single_action_space)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def actions(self, actions: NDArray[Any]) -> NDArray[Any]:
        """(N, n) in the environment's shape."""
        return np.reshape(actions, self.env.action_space.shape or ())


def _flat(space: spaces.Space[Any]) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        raise TypeError(f"FlattenAction takes an environment with actions in a Box, found {space}")
    return spaces.Box(space.low.ravel(), space.high.ravel(), dtype=space.dtype)

"""Wrappers for libraries that support only flat actions, such as RLlib and tianshou.

For observations, Gymnasium has `FlattenObservation`, for single and vector environments.
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
    """Accepts flat actions, (n,), for an environment with a Box of n numbers in any shape.

    Args:
        env: an environment with a Box of actions, such as LLMAR/Align-v0's (T, D) with
            `num_vectors=T`.

    Raises:
        TypeError: the action space is not a Box.
    """

    def __init__(self, env: gymnasium.Env[Any, NDArray[Any]]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)
        self.action_space = _flat(env.action_space)

    def action(self, action: NDArray[Any]) -> NDArray[Any]:
        """Reshape (n,) to the environment's shape."""
        return np.reshape(action, self.env.action_space.shape or ())


class VectorFlattenAction(VectorActionWrapper):
    """`FlattenAction` for a vector environment: accepts actions (N, n).

    Args:
        env: a vector environment with a Box of actions.

    Raises:
        TypeError: the action space is not a Box.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self.single_action_space = _flat(env.single_action_space)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def actions(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Reshape (N, n) to the environment's shape."""
        return np.reshape(actions, self.env.action_space.shape or ())


def _flat(space: spaces.Space[Any]) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        raise TypeError(f"FlattenAction needs an action space that is a Box, found {space}")
    return spaces.Box(space.low.ravel(), space.high.ravel(), dtype=space.dtype)

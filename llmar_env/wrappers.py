"""Wrappers for libraries that support only flat actions or observations, as RLlib and tianshou do.

For observations of a single environment, Gymnasium has `FlattenObservation`. Its vector wrapper of
that name refuses the autoreset mode SAME_STEP; `VectorFlattenObservation` takes every mode.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorActionWrapper, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

__all__ = ["FlattenAction", "VectorFlattenAction", "VectorFlattenObservation"]


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


class VectorFlattenObservation(VectorWrapper):
    """Gives flat observations, (N, n), of a vector environment; also those in `final_obs`.

    Args:
        env: a vector environment whose observations are a Box, or a Dict of Boxes.

    Raises:
        TypeError: the observation space is something else.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        space = env.single_observation_space
        parts = space.values() if isinstance(space, spaces.Dict) else [space]
        if not all(isinstance(part, spaces.Box) for part in parts):
            raise TypeError(
                f"VectorFlattenObservation needs observations that are a Box, or a Dict of Boxes, "
                f"found {space}"
            )
        self.single_observation_space = spaces.flatten_space(space)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Reset, and flatten the observations."""
        # Gymnasium's annotation lacks the list of seeds, which its environments take.
        observations, infos = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        return self._flattened(observations), infos

    def step(
        self, actions: Any
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Take a step, and flatten the observations."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        if "final_obs" in infos:
            infos = infos | {"final_obs": self._flattened_final(infos["final_obs"])}
        return self._flattened(observations), rewards, terminated, truncated, infos

    def _flattened(self, observations: Any) -> NDArray[Any]:
        """(N, n) of observations (N, ...), or of a dict of them."""
        space = self.env.single_observation_space
        parts = [observations]
        if isinstance(space, spaces.Dict):
            parts = [observations[name] for name in space]
        flat = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
        return flat.astype(self.single_observation_space.dtype, copy=False)

    def _flattened_final(self, final: Any) -> NDArray[Any]:
        """The last observations: an array of all, or Gymnasium's array of objects and None."""
        if not (isinstance(final, np.ndarray) and final.dtype == object):
            return self._flattened(final)
        space, flat = self.env.single_observation_space, np.full(len(final), None, object)
        for i, one in enumerate(final):
            if one is not None:
                flat[i] = spaces.flatten(space, one)
        return flat


def _flat(space: spaces.Space[Any]) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        raise TypeError(f"FlattenAction needs an action space that is a Box, found {space}")
    return spaces.Box(space.low.ravel(), space.high.ravel(), dtype=space.dtype)

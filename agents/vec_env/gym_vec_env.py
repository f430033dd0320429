"""Gymnasium's vector environments as Stable-Baselines3's `VecEnv`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray
from stable_baselines3.common import env_util
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from llmar_env.envs.core import observation_of, without_final

from .infos import LazyInfos, Obs, select_rows, spread_infos

__all__ = ["GymVecEnv"]

_FLAT = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


@dataclass
class _Moved:
    """One step of N sub-environments."""

    obs: Obs  # the observations for the next actions
    rewards: NDArray[Any]  # (N,)
    terminated: NDArray[np.bool_]  # (N,)
    truncated: NDArray[np.bool_]  # (N,)
    infos: dict[str, Any]  # with final_obs if an episode was closed
    step_infos: list[tuple[Mapping[str, Any], NDArray[np.bool_]]]  # infos of the step, with masks
    reset_infos: tuple[Mapping[str, Any], NDArray[np.bool_]]  # infos of the resets, with their mask

    @property
    def dones(self) -> NDArray[np.bool_]:
        """(N,) whether an episode was closed."""
        return self.terminated | self.truncated


@dataclass(frozen=True)
class _Ended:
    """The K episodes that ended in one step; reset steps do not count."""

    index: NDArray[np.intp]  # (K,) sub-environments
    returns: NDArray[np.float64]  # (K,)
    lengths: NDArray[np.int64]  # (K,)


class GymVecEnv(VecEnv):
    """A `gymnasium.vector.VectorEnv` as an SB3 `VecEnv`, in each of Gymnasium's autoreset modes.

    SB3 has one convention for the end of an episode: `step` returns the next episode's first
    observation, and the info holds the last one under "terminal_observation". SAME_STEP does the
    same. Under DISABLED, this adapter resets ended sub-environments right after the step, with
    `reset_mask`. In both modes, the rollout is the same as that of `DummyVecEnv`.

    Under NEXT_STEP, the first observation comes one step late, from a *reset step*, which ignores
    its action. An SB3 rollout buffer nevertheless has a row for it. The adapter closes it as a
    truncated episode of one step with reward 0, whose observation and "terminal_observation" are
    the last state s of the ended episode. The effect on learners:

    - PPO, A2C: both this row and the one before it are done, so no advantage or return leaks from
      one episode into another. The row bootstraps from itself: its TD error is
      (gamma - 1) V(s), whatever the action, so its expected policy gradient is 0 and the value of
      s, an ended state, is pulled to gamma V(s): exact for gamma = 1, and close to it otherwise.
      What remains is the cost of the rows, and their share in the batch's statistics.
    - Off-policy algorithms: Q(s, a) is pulled to gamma max Q(s, .), which is used only where an
      episode was truncated in s.

    Reset steps are counted in `reset_steps`, marked with `info["reset_step"] = True`, and excluded
    from the episode statistics. The constructor warns about them; prefer SAME_STEP if you can
    choose.

    Episodes are reported as by SB3's `Monitor`, in `info["episode"]` of their last step, so
    `env_is_wrapped(Monitor)` is True. A `VecMonitor` on top works, but warns that it overwrites
    these statistics, and counts reset steps as episodes.

    `step_arrays` is a faster `step` for many sub-environments, without N dicts of infos.

    Args:
        vector_env: a vector environment with NumPy arrays. If it has no
            `metadata["autoreset_mode"]`, Gymnasium's default, NEXT_STEP, is assumed.

    Attributes:
        vector_env: the wrapped environment.
        autoreset_mode: its autoreset mode.
        reset_steps: number of reset steps so far, over all sub-environments.
        waiting: (N,) bool, the sub-environments whose next step is a reset step.

    Raises:
        TypeError: it is not a `VectorEnv`, or SB3 does not support one of its spaces.
    """

    def __init__(self, vector_env: VectorEnv[Any, Any, Any]) -> None:
        _require_supported(vector_env)
        self.vector_env = vector_env
        self.autoreset_mode = AutoresetMode(
            vector_env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        )
        super().__init__(
            vector_env.num_envs,
            vector_env.single_observation_space,
            vector_env.single_action_space,
        )
        self.metadata = vector_env.metadata
        self.reset_steps = 0
        self.waiting = np.zeros(self.num_envs, np.bool_)
        self._all = np.ones(self.num_envs, np.bool_)
        self._actions: Any = None
        self._last_obs: Obs = None  # for NEXT_STEP
        self._t_start = time.time()
        # SyncVectorEnv(copy=False), for example, overwrites observations in place.
        self._reuses_obs = getattr(vector_env.unwrapped, "copy", True) is False
        self._forget_episodes()
        self._ended: list[_Ended] = []
        if self.autoreset_mode is AutoresetMode.NEXT_STEP:
            warnings.warn(
                f"{vector_env} resets its sub-environments one step late (AutoresetMode.NEXT_STEP):"
                " the step after each episode ignores its action, and is closed as a truncated "
                "episode of one step, counted in `reset_steps`. AutoresetMode.SAME_STEP avoids "
                "such steps",
                stacklevel=2,
            )

    # ------------------------------------------------------------------ stepping

    def reset(self) -> VecEnvObs:
        """Start an episode in every sub-environment, with the seeds and options set before.

        Returns:
            (N, ...) observations; `reset_infos` has the infos.
        """
        seed: Any = self._take_seed()  # may be a list, which VectorEnv's annotation lacks
        obs, infos = self.vector_env.reset(seed=seed, options=self._take_options())
        obs = self._owned(obs)
        self._forget_episodes()
        self._last_obs = obs
        self._note_resets(infos, self._all)
        return obs  # type: ignore[no-any-return]  # VectorEnv's types are open

    def step_async(self, actions: NDArray[Any]) -> None:
        """Store the actions, (N, ...), for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Take the step.

        Returns:
            Observations (N, ...), rewards (N,) float32, dones (N,) bool, N dicts of infos.
        """
        moved, ended = self._advance(self._actions)
        self._note_resets(*moved.reset_infos)
        infos = self._infos(moved, ended)
        # SB3's learners add to the rewards in place, so they need a copy.
        return moved.obs, moved.rewards.astype(np.float32), moved.dones, infos

    def _infos(self, moved: _Moved, ended: _Ended) -> list[dict[str, Any]]:
        """SB3's infos of a step, one dict for each sub-environment."""
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for arrays, mask in moved.step_infos:
            spread_infos(arrays, mask, infos)
        cut = moved.truncated & ~moved.terminated
        for info, value in zip(infos, cut.tolist(), strict=True):
            info["TimeLimit.truncated"] = value
        for i in np.flatnonzero(moved.dones).tolist():
            infos[i]["terminal_observation"] = observation_of(moved.infos["final_obs"], i)
        now = round(time.time() - self._t_start, 6)
        columns = (ended.index.tolist(), ended.returns.tolist(), ended.lengths.tolist())
        for i, total, length in zip(*columns, strict=True):
            infos[i]["episode"] = {"r": round(total, 6), "l": length, "t": now}
        return infos

    def step_arrays(
        self, actions: NDArray[Any]
    ) -> tuple[Obs, NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Take a step, without a loop over sub-environments.

        The infos are those of the vector environment. In every mode they have "final_obs", with
        the mask "_final_obs", where an episode was closed, and "reset_step" where a step was a
        reset step. Ended episodes are kept for `episode_statistics`; `reset_infos` is unchanged.

        Args:
            actions: (N, ...).

        Returns:
            Observations, rewards (N,), terminated (N,), truncated (N,), infos.
        """
        moved, ended = self._advance(actions)
        if len(ended.index):
            self._ended.append(ended)
        self._last_step = (moved, ended)
        return moved.obs, moved.rewards, moved.terminated, moved.truncated, moved.infos

    def last_infos(self) -> Sequence[dict[str, Any]]:
        """The infos that `step` would have given for the last `step_arrays`.

        Returns:
            N dicts, created when one of them is first accessed.
        """
        return LazyInfos(partial(self._infos, *self._last_step), self.num_envs)

    def episode_statistics(
        self,
    ) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.int64]]:
        """Return and clear the episodes that ended in `step_arrays` since the last call.

        Returns:
            Sub-environments (K,), returns (K,) and lengths (K,), ordered by the end of the
            episodes.
        """
        ended, self._ended = self._ended, []
        if not ended:
            return np.empty(0, np.intp), np.empty(0, np.float64), np.empty(0, np.int64)
        columns = (
            [getattr(one, name) for one in ended] for name in ("index", "returns", "lengths")
        )
        index, returns, lengths = map(np.concatenate, columns)
        return index, returns, lengths

    def _advance(self, actions: Any) -> tuple[_Moved, _Ended]:
        obs, rewards, terminated, truncated, infos = self.vector_env.step(actions)
        obs = self._owned(obs)
        none = ~self._all
        moved = _Moved(obs, rewards, terminated, truncated, infos, [], ({}, none))
        real = terminated | truncated
        self._returns += rewards
        self._lengths += ~self.waiting
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            self._close_same_step(moved, real)
        elif self.autoreset_mode is AutoresetMode.NEXT_STEP:
            self._close_next_step(moved, real)
        else:
            self._close_disabled(moved, real)
        return moved, self._take_ended(real)

    def _take_ended(self, real: NDArray[np.bool_]) -> _Ended:
        index = np.flatnonzero(real)
        ended = _Ended(index, self._returns[index], self._lengths[index])
        self._returns[index] = 0.0
        self._lengths[index] = 0
        return ended

    def _close_same_step(self, moved: _Moved, real: NDArray[np.bool_]) -> None:
        if not real.any():
            moved.step_infos = [(moved.infos, self._all)]
            return
        if "final_obs" not in moved.infos:
            raise ValueError(
                f"{self.vector_env} declares AutoresetMode.SAME_STEP, but its infos have no "
                f"'final_obs' after the end of an episode; found {sorted(moved.infos)}"
            )
        reset_infos = without_final(moved.infos)
        moved.step_infos = [(reset_infos, ~real), (moved.infos.get("final_info", {}), real)]
        moved.reset_infos = (reset_infos, real)

    def _close_disabled(self, moved: _Moved, real: NDArray[np.bool_]) -> None:
        moved.step_infos = [(moved.infos, self._all)]
        if not real.any():
            return
        moved.infos = {**moved.infos, "final_obs": moved.obs, "_final_obs": real}
        obs, reset_infos = self.vector_env.reset(options={"reset_mask": real.copy()})
        moved.obs = self._owned(obs)
        moved.reset_infos = (reset_infos, real)

    def _close_next_step(self, moved: _Moved, real: NDArray[np.bool_]) -> None:
        reset, self.waiting = self.waiting, real
        last, self._last_obs = self._last_obs, moved.obs
        moved.step_infos = [(moved.infos, ~reset)]
        if reset.any():
            self.reset_steps += int(reset.sum())
            moved.truncated = moved.truncated | reset
            moved.reset_infos = (moved.infos, reset)
            mark = {"reset_step": reset, "_reset_step": reset}
            moved.step_infos.append((mark, reset))
            final = select_rows(reset, last, moved.obs)
            moved.infos = {**moved.infos, **mark, "final_obs": final, "_final_obs": real | reset}
        elif real.any():
            moved.infos = {**moved.infos, "final_obs": moved.obs, "_final_obs": real}

    def _owned(self, obs: Obs) -> Obs:
        return deepcopy(obs) if self._reuses_obs else obs

    def _forget_episodes(self) -> None:
        """Clear the statistics of all sub-environments."""
        self.waiting = np.zeros(self.num_envs, np.bool_)
        self._returns = np.zeros(self.num_envs, np.float64)
        self._lengths = np.zeros(self.num_envs, np.int64)

    def _note_resets(self, infos: Mapping[str, Any], mask: NDArray[np.bool_]) -> None:
        for i in np.flatnonzero(mask).tolist():
            self.reset_infos[i] = {}
        spread_infos(infos, mask, self.reset_infos)

    def _take_seed(self) -> int | list[int | None] | None:
        """SB3's seeds in Gymnasium's format: an int s if they are s, s + 1, ..."""
        seeds = self._seeds
        self._reset_seeds()
        first = seeds[0]
        if all(seed is None for seed in seeds):
            return None
        if first is not None and seeds == list(range(first, first + self.num_envs)):
            return int(first)
        return list(seeds)

    def _take_options(self) -> dict[str, Any] | None:
        options = self._options
        self._reset_options()
        first = options[0]
        for i, one in enumerate(options):
            if one is not first and not data_equivalence(one, first, exact=True):
                raise ValueError(
                    "a vector environment needs the same reset options for all sub-environments, "
                    f"found {first} for sub-environment 0 and {one} for sub-environment {i}"
                )
        return first or None

    # ------------------------------------------------------------------ the rest of SB3's VecEnv

    def close(self) -> None:
        """Close the vector environment."""
        self.vector_env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Read an attribute of each sub-environment.

        Worker processes of an `AsyncVectorEnv` send theirs, pickled. A native vector environment
        has no separate sub-environments: its attribute, or that of the environment it wraps, is
        repeated.

        Raises:
            AttributeError: there is no such attribute.
        """
        chosen = list(self._get_indices(indices))
        if (envs := self._envs) is not None:
            return [envs[i].get_wrapper_attr(attr_name) for i in chosen]
        if (workers := self._workers_with(attr_name)) is not None:
            values = workers.call("get_wrapper_attr", attr_name)
            return [values[i] for i in chosen]
        return [getattr(self._layer_with(attr_name), attr_name)] * len(chosen)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of each sub-environment, or of a native vector environment.

        Raises:
            ValueError: only some indices are given, and the vector environment is native or an
                `AsyncVectorEnv`, which calls all of its workers.
        """
        if (envs := self._envs) is not None:
            for i in self._get_indices(indices):
                envs[i].set_wrapper_attr(attr_name, value)
            return
        self._require_all(indices, f"the attribute {attr_name!r}")
        if (workers := self._workers) is not None:
            workers.set_attr(attr_name, [value] * self.num_envs)
            return
        try:
            layer = self._layer_with(attr_name)
        except AttributeError:
            layer = self.vector_env.unwrapped
        setattr(layer, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of each sub-environment.

        A native vector environment's method is called once. A tuple of N results, such as
        `render` returns, holds one for each sub-environment; any other result is repeated.

        Raises:
            AttributeError: there is no such method.
            ValueError: as in `set_attr`.
        """
        if (envs := self._envs) is not None:
            return [
                envs[i].get_wrapper_attr(method_name)(*method_args, **method_kwargs)
                for i in self._get_indices(indices)
            ]
        self._require_all(indices, f"the method {method_name!r}")
        if (workers := self._workers_with(method_name)) is not None:
            return list(workers.call(method_name, *method_args, **method_kwargs))
        result = getattr(self._layer_with(method_name), method_name)(*method_args, **method_kwargs)
        if isinstance(result, tuple) and len(result) == self.num_envs:
            return list(result)
        return [result] * self.num_envs

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """Whether sub-environments are wrapped in a class.

        Always True for `Monitor`: like `Monitor`, the adapter reports `info["episode"]`, and only
        at true ends of episodes, which is what SB3 wants to know.
        """
        chosen = list(self._get_indices(indices))
        if wrapper_class is Monitor:
            return [True] * len(chosen)
        if (envs := self._envs) is not None:
            return [env_util.is_wrapped(envs[i], wrapper_class) for i in chosen]
        return [any(isinstance(layer, wrapper_class) for layer in self._layers())] * len(chosen)

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """One RGB image (H, W, 3) of each sub-environment, or None without `rgb_array` mode."""
        if self.render_mode != "rgb_array":
            warnings.warn(
                f"images need render_mode='rgb_array', but the environment was made with "
                f"render_mode={self.render_mode!r}",
                stacklevel=2,
            )
            return [None] * self.num_envs
        images: Any = self.vector_env.render() or [None] * self.num_envs
        return list(images)

    @property
    def _envs(self) -> Sequence[gymnasium.Env[Any, Any]] | None:
        """The sub-environments if they are separate objects, as in a `SyncVectorEnv`."""
        return getattr(self.vector_env.unwrapped, "envs", None)

    @property
    def _workers(self) -> AsyncVectorEnv | None:
        """The vector environment, if its sub-environments are in processes of their own."""
        base = self.vector_env.unwrapped
        return base if isinstance(base, AsyncVectorEnv) else None

    def _workers_with(self, name: str) -> AsyncVectorEnv | None:
        # Asked for an attribute that it does not have, a worker ends: so ask about it first.
        workers = self._workers
        if workers is None or not all(workers.call("has_wrapper_attr", name)):
            return None
        return workers

    def _layers(self) -> Iterator[VectorEnv[Any, Any, Any]]:
        """The wrappers, outermost first, then the vector environment itself."""
        layer = self.vector_env
        while isinstance(layer, VectorWrapper):
            yield layer
            layer = layer.env
        yield layer

    def _layer_with(self, name: str) -> VectorEnv[Any, Any, Any]:
        # Gymnasium's vector wrappers do not forward attributes.
        for layer in self._layers():
            if hasattr(layer, name):
                return layer
        raise AttributeError(f"{self.vector_env} has no attribute {name!r}")

    def _require_all(self, indices: VecEnvIndices, what: str) -> None:
        chosen = list(self._get_indices(indices))
        if sorted(chosen) != list(range(self.num_envs)):
            raise ValueError(
                f"{self.vector_env} takes {what} for all of its {self.num_envs} sub-environments "
                f"together: leave out indices, found {chosen}"
            )


def _require_supported(vector_env: VectorEnv[Any, Any, Any]) -> None:
    if not isinstance(vector_env, VectorEnv):
        raise TypeError(
            "GymVecEnv needs a gymnasium.vector.VectorEnv, as gymnasium.make_vec returns, "
            f"found {type(vector_env).__name__}"
        )
    observation, action = vector_env.single_observation_space, vector_env.single_action_space
    parts = observation.values() if isinstance(observation, spaces.Dict) else [observation]
    names = ", ".join(kind.__name__ for kind in _FLAT)
    if not all(isinstance(part, _FLAT) for part in parts):
        raise TypeError(
            f"an observation space must be one of {names}, or a Dict of those, found {observation}"
        )
    if not isinstance(action, _FLAT):
        raise TypeError(f"an action space must be one of {names}, found {action}")

"""N environments in one batch: `gymnasium.vector.VectorEnv` over an MDP."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Generic

import numpy as np
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from llmar_env.envs.core import (
    MDP,
    Observed,
    StateT,
    check_action,
    check_count,
    require_keys,
    select_states,
    stream_key,
)
from llmar_env.envs.frame import draw_frame
from llmar_env.envs.single import SingleEnv, check_render_mode

__all__ = ["BatchedEnv"]

_Step = tuple[Observed, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class BatchedEnv(VectorEnv[Observed, NDArray[np.float32], NDArray[Any]], Generic[StateT]):
    """`gymnasium.vector.VectorEnv` over an MDP, without a loop over sub-environments.

    Sub-environment i is bit-identical to a single environment reset with the seed
    seed + i // group_size and the option member i % group_size.
    Where an episode ends under SAME_STEP, `final_obs` and `final_info` hold its last observation
    and info: `final_obs` has the shape of the observations, (N, ...), and only the rows under the
    mask `_final_obs` are valid.

    Args:
        make_mdp: makes the MDP.
        num_envs: N.
        group_size: K, divides N: K consecutive sub-environments form a group, which follows one
            stream of texts.
        autoreset_mode: SAME_STEP, or DISABLED, where the caller resets ended episodes with
            `reset(options={"reset_mask": mask})`.
        render_mode: "ansi", "rgb_array" or None.
        **options: options of `make_mdp`.

    Raises:
        ValueError: N is below 1 or not divisible by K, or an option has a value other than those
            above.
    """

    metadata = dict(SingleEnv.metadata)  # noqa: RUF012 - Gymnasium's own form
    autoreset_modes = (AutoresetMode.SAME_STEP, AutoresetMode.DISABLED)

    def __init__(
        self,
        make_mdp: Callable[..., MDP[StateT]],
        num_envs: int = 1,
        *,
        group_size: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        check_count("num_envs", num_envs)
        check_count("group_size", group_size)
        if num_envs % group_size:
            raise ValueError(f"group_size={group_size} must divide num_envs={num_envs}")
        check_render_mode(render_mode, self.metadata["render_modes"])
        self.autoreset_mode = _autoreset_mode(autoreset_mode, self.autoreset_modes)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        mdp = self.mdp = make_mdp(**options)
        self.num_envs = num_envs
        self.group_size = group_size
        self.render_mode = render_mode
        self.single_observation_space = mdp.observation_space
        self.single_action_space = mdp.action_space
        self.observation_space = batch_space(mdp.observation_space, num_envs)
        self.action_space = batch_space(mdp.action_space, num_envs)
        self._state: StateT | None = None
        self._ended = np.zeros(num_envs, np.bool_)  # (N,) episodes that wait for a reset
        self._all = np.ones(num_envs, np.bool_)  # (N,)
        self._last: dict[str, Any] | None = None

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each part of its data, by name, such as "texts" and "vocabulary".

        Other processes can ask for these, and need no copy of the data.
        """
        return self.mdp.fingerprints

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observed, dict[str, Any]]:
        """Start the next episodes; with a seed, the first ones of that seed's streams of texts.

        Args:
            seed: an int s seeds sub-environment i with s + i // group_size; a sequence has
                one seed for each, and None leaves a sub-environment unseeded.
            options: `{"reset_mask": (N,) bool}` resets only the sub-environments under the mask.

        Raises:
            ResetNeeded: a mask is given before the first reset.
            ValueError, TypeError: the seeds, the mask or the options are invalid.
        """
        self._require_open()
        mask = self._reset_mask(options or {})
        if self._state is None and not mask.all():
            raise ResetNeeded("the first reset needs all sub-environments: leave out reset_mask")
        generators = self._generators(seed)
        state = self._state
        if state is None:
            state = self._begin([one or self.np_random for one in generators])
        elif any(generators):
            seeded = np.repeat([one is not None for one in generators], self.group_size)
            state = select_states(seeded & mask, self._begin(generators), state)
        self._state = self.mdp.reset(state, mask)
        # Every input is checked by now, so a rejected reset changes nothing.
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
        self._ended = self._ended & ~mask
        self._last = None
        return self.mdp.observe(self._state), self._masked(self.mdp.describe(self._state), mask)

    def step(self, actions: NDArray[np.float32]) -> _Step:
        """Take one step in every sub-environment.

        Args:
            actions: (N, ...) floating-point, of `action_space`'s shape, finite in float32.

        Returns:
            Observations, rewards (N,) float64, terminated (N,), truncated (N,), infos.

        Raises:
            ResetNeeded: an episode has ended, or none has started.
            TypeError: the actions are not floating-point.
            ValueError: the actions have the wrong shape, or hold NaN or infinity; the state is
                unchanged then.
        """
        self._require_open()
        if self._state is None:
            raise ResetNeeded("call reset() before step()")
        if self._ended.any():
            raise ResetNeeded(
                f"{self._ended.sum()} episodes have ended, the first in sub-environment "
                f"{self._ended.argmax()}: call reset(options={{'reset_mask': mask}})"
            )
        moved = self.mdp.step(self._state, check_action(actions, self.action_space.shape))
        self._last = moved.info
        self._state, self._ended = moved.state, moved.terminated | moved.truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            infos = self._autoreset(moved.info)
        else:
            infos = self._masked(moved.info, self._all)
        infos |= self._masked(self.mdp.describe(self._state), self._all)
        observation = self.mdp.observe(self._state)
        return observation, moved.reward, moved.terminated, moved.truncated, infos

    def _autoreset(self, info: dict[str, Any]) -> dict[str, Any]:
        """Reset ended episodes and return infos with their final ones; `info` is the step's."""
        state, done = self._state, self._ended
        assert state is not None
        final = self._masked(self.mdp.describe(state) | info, done)
        infos = {
            "final_obs": self.mdp.observe(state),
            "_final_obs": done,
            "final_info": final,
            "_final_info": done,
        }
        self._state = self.mdp.reset(state, done)
        self._ended = ~self._all
        return infos if done.all() else infos | self._masked(info, ~done)

    def render(self) -> tuple[Any, ...] | None:
        """Render each sub-environment, as a string or an RGB image (H, W, 3)."""
        if self.render_mode is None:
            return None
        if self._state is None:
            raise ResetNeeded("there is nothing to render before reset()")
        texts = [self.mdp.render(self._state, i, self._last) for i in range(self.num_envs)]
        return tuple(texts if self.render_mode == "ansi" else map(draw_frame, texts))

    def get_state(self) -> dict[str, Any]:
        """Everything that determines the future, as JSON-serializable data."""
        return {
            "mdp": None if self._state is None else self.mdp.dump(self._state),
            "ended": self._ended.tolist(),
            "np_random": self.np_random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned, on the same texts.

        Raises:
            ValueError: the state is from another environment, other texts or another N.
        """
        self._require_open()
        require_keys(state, ("mdp", "ended", "np_random"))
        ended = np.array(state["ended"], np.bool_)
        if ended.shape != (self.num_envs,):
            raise ValueError(
                f"the state has {len(ended)} sub-environments, and this environment {self.num_envs}"
            )
        restored = None if state["mdp"] is None else self.mdp.restore(state["mdp"], self.num_envs)
        self.np_random.bit_generator.state = state["np_random"]
        self._state, self._ended, self._last = restored, ended, None

    def _begin(self, generators: Sequence[np.random.Generator | None]) -> StateT:
        """States of new streams, one generator per group; None gives placeholders."""
        keys = [0 if one is None else stream_key(one) for one in generators]
        members = np.tile(np.arange(self.group_size), len(keys))
        return self.mdp.init(np.repeat(np.array(keys, np.int64), self.group_size), members)

    def _masked(self, info: dict[str, Any], mask: NDArray[np.bool_]) -> dict[str, Any]:
        """Add to each array of `info` a mask of the rows that are valid, as Gymnasium does."""
        return info | {f"_{name}": mask.copy() for name in info}

    def _generators(
        self, seed: int | Sequence[int | None] | None
    ) -> list[np.random.Generator | None]:
        """One generator per group, None where there is no seed."""
        groups = self.num_envs // self.group_size
        if seed is None:
            return [None] * groups
        if isinstance(seed, (int, np.integer)):
            seeds: list[int | None] = [int(seed) + i for i in range(groups)]
        else:
            members = [None if one is None else operator.index(one) for one in seed]
            if len(members) != self.num_envs:
                raise ValueError(
                    f"{self.num_envs} sub-environments need as many seeds, found {len(members)}"
                )
            seeds = members[:: self.group_size]
            if members != [one for one in seeds for _ in range(self.group_size)]:
                raise ValueError(f"the members of a group of {self.group_size} must share one seed")
        return [None if one is None else seeding.np_random(one)[0] for one in seeds]

    def _reset_mask(self, options: dict[str, Any]) -> NDArray[np.bool_]:
        unknown = sorted(set(options) - {"reset_mask"})
        if unknown:
            raise ValueError(f"reset takes only the option reset_mask, found {', '.join(unknown)}")
        if "reset_mask" not in options:
            return self._all
        mask = options["reset_mask"]
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(f"reset_mask must be an array of bool, found {type(mask).__name__}")
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"reset_mask must have shape ({self.num_envs},) and at least one True, "
                f"found shape {mask.shape} with {mask.sum()} True"
            )
        return mask

    def _require_open(self) -> None:
        if self.closed:
            raise ClosedEnvironmentError("this environment is closed; make a new one")


def _autoreset_mode(
    mode: AutoresetMode | str, accepted: tuple[AutoresetMode, ...]
) -> AutoresetMode:
    for one in accepted:
        if mode is one or str(mode).lower() in (one.value.lower(), one.name.lower()):
            return one
    names = ", ".join(one.name for one in accepted)
    raise ValueError(f"autoreset_mode must be one of {names}, found {mode!r}")

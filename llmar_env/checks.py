"""A bit-for-bit comparison of a vector environment with N single ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from numpy.typing import NDArray

from llmar_env.envs.core import observation_of, without_final

__all__ = ["VectorEnvMismatchError", "check_vector_env"]

_Single = gymnasium.Env[Any, Any]
_Vector = VectorEnv[Any, Any, Any]


class VectorEnvMismatchError(AssertionError):
    """A vector environment differs from its single ones, or breaks Gymnasium's rules."""


def check_vector_env(
    env_id: str | EnvSpec,
    *,
    num_envs: int = 4,
    steps: int = 1000,
    seed: int = 0,
    modes: Sequence[AutoresetMode] | None = None,
    group_size: int = 1,
    **env_kwargs: Any,
) -> None:
    """Check that a native vector environment behaves exactly like N single ones.

    Both sides get the same actions, and everything they return is compared bit for bit: in each
    autoreset mode, across a reset without a seed, across partial resets by `reset_mask` (under
    DISABLED), and, if the environments have `get_state` and `set_state`, after their state has
    been moved through JSON into new environments.

    Args:
        env_id: as for `gymnasium.make` and `gymnasium.make_vec`; has a vector entry point.
        num_envs: N.
        steps: the number of steps in each mode.
        seed: the seed of the first reset and of the actions. Sub-environment i must equal a single
            environment reset with seed + i // group_size and, where i % group_size is not 0, with
            the option "member" of that value.
        modes: the modes to check; by default those in the vector environment's
            `autoreset_modes`, or the one in its metadata if it has no such attribute. If it has,
            each mode is passed as `autoreset_mode`.
        group_size: passed to the vector environment, unless it is 1.
        **env_kwargs: passed to both sides.

    Raises:
        VectorEnvMismatchError: names the mode, the step, the sub-environment and what differs.
        ValueError: the vector environment does not offer one of the modes.
    """

    def make_single() -> _Single:
        return gymnasium.make(env_id, disable_env_checker=True, **env_kwargs)

    def make_vector(**mode: Any) -> _Vector:
        groups: dict[str, Any] = {"group_size": group_size} if group_size != 1 else {}
        return gymnasium.make_vec(
            env_id, num_envs, "vector_entry_point", **groups, **mode, **env_kwargs
        )

    probe = make_vector()
    _check_spaces(probe, make_single(), num_envs)
    for mode, named in _modes(probe, modes):
        comparison = _Comparison(
            mode=mode,
            seeds=[seed + i // group_size for i in range(num_envs)],
            members=[i % group_size for i in range(num_envs)],
            make_vector=partial(make_vector, **named),
            vector=make_vector(**named),
            singles=[make_single() for _ in range(num_envs)],
        )
        comparison.run(steps)
    _check_single_state(make_single, seed)
    _check_lifecycle(make_vector)


def _modes(
    vector: _Vector, requested: Sequence[AutoresetMode] | None
) -> Iterator[tuple[AutoresetMode, dict[str, AutoresetMode]]]:
    """The modes to check, each with the keyword arguments that select it."""
    own = vector.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
    offered = getattr(vector.unwrapped, "autoreset_modes", None)
    for mode in offered or (own,) if requested is None else requested:
        if mode not in (offered or (own,)):
            names = ", ".join(one.name for one in offered or (own,))
            raise ValueError(f"{vector} offers the autoreset modes {names}, found {mode}")
        yield mode, {"autoreset_mode": mode} if offered else {}


@dataclass
class _Outcome:
    """What a single environment returned from one step or reset."""

    observation: Any
    info: dict[str, Any]
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    final: tuple[Any, dict[str, Any]] | None = None  # observation and info before the autoreset


@dataclass
class _Comparison:
    """Both sides in one mode, and the state of their comparison."""

    mode: AutoresetMode
    seeds: list[int]
    members: list[int]
    make_vector: Callable[[], _Vector]
    vector: _Vector
    singles: list[_Single]
    when: str = "reset"
    restored: bool = False
    waiting: list[bool] = field(init=False)  # (N,) whether the next step is NEXT_STEP's reset
    held: tuple[Any, Any] | None = None  # the last observation, and a copy

    def run(self, steps: int) -> None:
        """Compare the sides over a number of steps.

        Raises:
            VectorEnvMismatchError: as in `check_vector_env`.
        """
        found = self.vector.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        if found is not self.mode:
            self.fail(None, f"metadata['autoreset_mode'] is {found}")
        space = deepcopy(self.vector.single_action_space)
        space.seed(self.seeds[0])
        chance = np.random.default_rng(self.seeds[0])
        self.reset(self.seeds)
        for step in range(1, steps + 1):
            if step == steps // 3 + 1:
                self.when = f"reset before step {step}"
                self.reset([None] * len(self.seeds))
            if step == 2 * steps // 3 + 1:
                self.restore(step)
            self.when = f"step {step}"
            ended = self.step([space.sample() for _ in self.singles])
            if self.mode is AutoresetMode.DISABLED:
                further = chance.random(len(ended)) < (0.3 if step % 5 == 0 else 0.0)
                self.reset_masked(ended | further)
        self.vector.close()

    def step(self, actions: list[Any]) -> NDArray[np.bool_]:
        """Step both sides and compare them; returns which episodes have ended, (N,) bool."""
        space = self.vector.single_action_space
        empty: Any = create_empty_array(space, len(actions), np.empty)
        batch = concatenate(space, actions, empty)
        sent = deepcopy(batch)
        observation, rewards, terminated, truncated, infos = self.vector.step(batch)
        if difference := _difference(batch, sent):
            self.fail(None, f"step has modified the actions that it was given: {difference}")
        self.check_form(rewards, terminated, truncated)
        expected = [self.step_single(i, action) for i, action in enumerate(actions)]
        for i, one in enumerate(expected):
            self.compare(i, "reward", float(rewards[i]), float(one.reward))
            self.compare(i, "terminated", bool(terminated[i]), one.terminated)
            self.compare(i, "truncated", bool(truncated[i]), one.truncated)
            self.compare_final(i, infos, one)
        self.compare_observed(observation, infos, expected)
        return np.array([one.terminated or one.truncated for one in expected])

    def step_single(self, i: int, action: Any) -> _Outcome:
        """Step a single environment as the autoreset mode demands."""
        single = self.singles[i]
        if self.waiting[i]:
            self.waiting[i] = False
            return _Outcome(*single.reset())
        observation, reward, terminated, truncated, info = single.step(action)
        one = _Outcome(observation, info, float(reward), bool(terminated), bool(truncated))
        if one.terminated or one.truncated:
            if self.mode is AutoresetMode.SAME_STEP:
                one.final = (deepcopy(observation), info)
                one.observation, one.info = single.reset()
            self.waiting[i] = self.mode is AutoresetMode.NEXT_STEP
        return one

    def reset(self, seeds: Sequence[int | None]) -> None:
        """Reset both sides, the vector environment with the first seed."""
        self.waiting = [False] * len(self.singles)
        observation, infos = self.vector.reset(seed=seeds[0])
        expected = [
            _Outcome(*single.reset(seed=one, options=options))
            for single, one, options in zip(self.singles, seeds, self.options(seeds), strict=True)
        ]
        self.compare_observed(observation, infos, expected)

    def options(self, seeds: Sequence[int | None]) -> list[dict[str, int] | None]:
        """The options of the singles' resets: their places in groups, where they get a seed."""
        return [
            {"member": member} if member and seed is not None else None
            for member, seed in zip(self.members, seeds, strict=True)
        ]

    def reset_masked(self, mask: NDArray[np.bool_]) -> None:
        """Reset some sub-environments; the others keep their observations and have no infos."""
        if not mask.any():
            return
        self.when = f"{self.when}, reset_mask={mask.tolist()}"
        assert self.held is not None
        shown = list(iterate(self.vector.observation_space, self.held[1]))
        observation, infos = self.vector.reset(options={"reset_mask": mask.copy()})
        expected = [
            _Outcome(*single.reset()) if now else _Outcome(shown[i], {})
            for i, (single, now) in enumerate(zip(self.singles, mask, strict=True))
        ]
        self.compare_observed(observation, infos, expected)

    def restore(self, step: int) -> None:
        """Continue in a new vector environment, with the state of the current one."""
        if not hasattr(self.vector.unwrapped, "get_state"):
            return
        self.when = f"set_state before step {step}"
        fresh = self.make_vector()
        error = _move_state(self.vector.unwrapped, fresh.unwrapped)
        if error:
            self.fail(None, error)
        self.vector.close()
        self.vector, self.restored = fresh, True

    def check_form(self, rewards: Any, terminated: Any, truncated: Any) -> None:
        """Check the dtypes and shapes of a step's rewards and flags."""
        columns = {"rewards": rewards, "terminated": terminated, "truncated": truncated}
        for name, column in columns.items():
            kind, word = ("f", "float") if name == "rewards" else ("b", "bool")
            array, shape = np.asarray(column), (len(self.singles),)
            if array.dtype.kind != kind or array.shape != shape:
                self.fail(None, f"{name} are {array.dtype} {array.shape}, not {word} {shape}")

    def compare_observed(
        self, observation: Any, infos: Mapping[str, Any], expected: Sequence[_Outcome]
    ) -> None:
        """Compare observations and infos; check that the previous observation has not changed."""
        rows = list(iterate(self.vector.observation_space, observation))
        if self.held is not None:
            for i, now in enumerate(iterate(self.vector.observation_space, self.held[0])):
                before = list(iterate(self.vector.observation_space, self.held[1]))[i]
                self.compare(i, "the previous observation, which must not change,", now, before)
        self.held = observation, deepcopy(observation)
        for i, one in enumerate(expected):
            self.compare(i, "observation", rows[i], one.observation)
            self.compare_info(i, "info", without_final(infos), one.info)
        if observation not in self.vector.observation_space:
            self.fail(None, f"observations are not in {self.vector.observation_space}")

    def compare_final(self, i: int, infos: Mapping[str, Any], one: _Outcome) -> None:
        """Compare the final observation and info of an episode, under SAME_STEP."""
        for name in ("final_obs", "final_info"):
            mask = infos.get(f"_{name}")
            if one.final is None:
                if mask is not None and mask[i]:
                    self.fail(i, f"infos have {name}, but no episode was reset")
            elif name not in infos or mask is None or not mask[i]:
                self.fail(i, f"infos lack {name}, or the mask _{name}, where an episode ended")
        if one.final is not None:
            self.compare(i, "final_obs", observation_of(infos["final_obs"], i), one.final[0])
            self.compare_info(i, "final_info", infos["final_info"], one.final[1])

    def compare_info(
        self, i: int, name: str, infos: Mapping[str, Any], expected: dict[str, Any]
    ) -> None:
        """Compare an info with row i of Gymnasium's arrays and masks of infos."""
        bare = sorted(key for key in infos if not _is_mask(key, infos) and f"_{key}" not in infos)
        if bare:
            self.fail(i, f"{name}[{bare[0]!r}] has no mask '_{bare[0]}'")
        self.compare(i, name, _info_of(infos, i), expected)

    def compare(self, i: int, name: str, found: Any, expected: Any) -> None:
        """Fail unless two values are bit-identical."""
        difference = _difference(found, expected)
        if difference:
            self.fail(i, f"{name}{difference}")

    def fail(self, i: int | None, message: str) -> None:
        """Report a difference, with the mode and the step.

        Raises:
            VectorEnvMismatchError: always.
        """
        after = " (after set_state)" if self.restored else ""
        where = "" if i is None else f"sub-environment {i}: "
        raise VectorEnvMismatchError(f"{self.mode.name}, {self.when}{after}: {where}{message}")


def _is_mask(key: str, infos: Mapping[str, Any]) -> bool:
    return key[:1] == "_" and key[1:] in infos


def _info_of(infos: Mapping[str, Any], i: int) -> dict[str, Any]:
    """The info of sub-environment i."""
    return {
        key: _info_of(value, i) if isinstance(value, dict) else value[i]
        for key, value in infos.items()
        if not _is_mask(key, infos) and infos.get(f"_{key}", {i: True})[i]
    }


def _difference(found: Any, expected: Any) -> str:
    """Describe where two values first differ, in type, shape or value; empty if they are equal."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        for key in sorted({*found, *expected}, key=str):
            if key not in found:
                return f" lacks the key {key!r}"
            if key not in expected:
                return f" has the unexpected key {key!r}"
            if inner := _difference(found[key], expected[key]):
                return f"[{key!r}]{inner}"
        return ""
    if isinstance(found, (list, tuple)) and isinstance(expected, (list, tuple)):
        if len(found) != len(expected):
            return f" differs in length: {len(found)}, expected {len(expected)}"
        for k, pair in enumerate(zip(found, expected, strict=True)):
            if inner := _difference(*pair):
                return f"[{k}]{inner}"
        return ""
    return _array_difference(np.asarray(found), np.asarray(expected))


def _array_difference(found: NDArray[Any], expected: NDArray[Any]) -> str:
    for name in ("dtype", "shape"):
        here, there = getattr(found, name), getattr(expected, name)
        if here != there:
            return f" differs in {name}: {here}, expected {there}"
    if found.dtype.kind == "O" and found.ndim:
        return _difference(found.tolist(), expected.tolist())
    if np.array_equal(found, expected, equal_nan=found.dtype.kind in "fc"):
        return ""
    if found.ndim == 0:
        return f" differs: {found.item()!r}, expected {expected.item()!r}"
    differs = found != expected
    if found.dtype.kind in "fc":
        differs &= ~(np.isnan(found) & np.isnan(expected))
    at = tuple(int(k[0]) for k in np.nonzero(differs))
    here, there = found[at].item(), expected[at].item()
    return f" differs at {list(at)}: {here!r}, expected {there!r}"


def _check_spaces(vector: _Vector, single: _Single, num_envs: int) -> None:
    pairs = {
        "single_observation_space": (vector.single_observation_space, single.observation_space),
        "single_action_space": (vector.single_action_space, single.action_space),
        "observation_space": (
            vector.observation_space,
            batch_space(vector.single_observation_space, num_envs),
        ),
        "action_space": (vector.action_space, batch_space(vector.single_action_space, num_envs)),
        "num_envs": (vector.num_envs, num_envs),
    }
    for name, (found, expected) in pairs.items():
        if found != expected:
            raise VectorEnvMismatchError(f"{name} is {found}, expected {expected}")


def _check_single_state(make_single: Callable[[], _Single], seed: int) -> None:
    """Check that a restored single environment continues exactly like the original."""
    # Without wrappers: the state is the environment's, not theirs.
    one, other = make_single().unwrapped, make_single().unwrapped
    if not hasattr(one, "get_state"):
        return
    space = deepcopy(one.action_space)
    space.seed(seed)
    one.reset(seed=seed)
    _walk(one, [space.sample() for _ in range(10)])
    error = _move_state(one, other)
    if error:
        raise VectorEnvMismatchError(f"single environment: {error}")
    actions = [space.sample() for _ in range(10)]
    for step, pair in enumerate(zip(_walk(other, actions), _walk(one, actions), strict=True)):
        if difference := _difference(*pair):
            raise VectorEnvMismatchError(
                f"single environment, step {step + 1} after set_state: "
                f"(observation, reward, terminated, truncated, info){difference}"
            )


def _walk(env: _Single, actions: Sequence[Any]) -> list[Any]:
    """The results of steps; an episode that has ended is reset."""
    results: list[Any] = []
    for action in actions:
        results.append(deepcopy(env.step(action)))
        if results[-1][2] or results[-1][3]:
            env.reset()
    return results


def _move_state(source: Any, target: Any) -> str:
    """Move a state through JSON to another environment; returns an error message, or none."""
    try:
        state = json.loads(json.dumps(source.get_state()))
    except (TypeError, ValueError) as error:
        return f"get_state() is not JSON-serializable: {error}"
    try:
        target.set_state(state)
    except Exception as error:  # any error rejects the state
        return f"set_state rejects what get_state returned: {type(error).__name__}: {error}"
    difference = _difference(json.loads(json.dumps(target.get_state())), state)
    return difference and f"get_state() after set_state{difference}"


def _check_lifecycle(make_vector: Callable[[], _Vector]) -> None:
    """Check that `step` raises before the first reset and after `close`."""
    vector = make_vector()
    action = vector.action_space.sample()
    _require_refusal(vector, action, "step before reset")
    vector.reset(seed=0)
    vector.close()
    vector.close()
    _require_refusal(vector, action, "step after close")


def _require_refusal(vector: _Vector, action: Any, when: str) -> None:
    try:
        vector.step(action)
    except Exception:  # environments raise different errors
        return
    raise VectorEnvMismatchError(f"{when} raises no error")

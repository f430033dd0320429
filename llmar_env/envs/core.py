"""The protocol of an MDP, and helpers of the environments over it.

Two shells make environments of an MDP, `single.SingleEnv` and `vector.BatchedEnv`. The MDP itself
is batched and pure: arrays in, arrays out. All its randomness is a hash of (key, counters), so a
state is a few integer arrays, and N environments need no generators of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from array_api_compat import array_namespace
from gymnasium import spaces
from numpy.typing import NDArray

from llmar_env.arrays import Array

__all__ = [
    "MDP",
    "Array",
    "Observed",
    "StateT",
    "Transition",
    "check_action",
    "check_choice",
    "check_count",
    "check_threshold",
    "observation_of",
    "require_keys",
    "select_states",
    "stream_key",
    "without_final",
]

StateT = TypeVar("StateT")

Observed = NDArray[Any] | dict[str, NDArray[Any]]
"""Observations as arrays, or in a `Dict` space as a dict of them."""


@dataclass(frozen=True)
class Transition(Generic[StateT]):
    """The result of a step."""

    state: StateT
    reward: Array  # (N,) float64
    terminated: Array  # (N,) bool
    truncated: Array  # (N,) bool
    info: dict[str, Array]  # (N,) each: what happened in the step, beside what `describe` says


class MDP(Protocol[StateT]):
    """A Markov decision process over texts, for a batch of N at once."""

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """Of one sub-environment."""

    @property
    def action_space(self) -> spaces.Box:
        """Of one sub-environment."""

    def init(self, key: Array) -> StateT:
        """States before the first episode of the streams `key`, (N,) int64."""

    def reset(self, state: StateT, mask: Array) -> StateT:
        """States at the start of the next episode where `mask`, (N,) bool; the others as given."""

    def observe(self, state: StateT) -> Any:
        """(N, ...) observations, one array or a dict of arrays, in fresh memory."""

    def describe(self, state: StateT) -> dict[str, Array]:
        """The part of `info` that describes states, as arrays (N,)."""

    def step(self, state: StateT, action: Array) -> Transition[StateT]:
        """Act once in each state.

        Raises:
            ValueError: an action is NaN or infinite; nothing has changed then.
        """

    def render(self, state: StateT, position: int, last: Mapping[str, Array] | None) -> str:
        """One sub-environment as text; `last` is the info of the step before, if there was one."""

    def dump(self, state: StateT) -> dict[str, Any]:
        """States as plain JSON-able data."""

    def restore(self, data: Mapping[str, Any], size: int) -> StateT:
        """What `dump` wrote for N = `size`; raises ValueError if the data do not fit."""


def stream_key(generator: np.random.Generator) -> int:
    """Draw the key of a stream of texts, in [0, 2**63)."""
    return int(generator.integers(2**63))


def select_states(mask: Array, chosen: StateT, other: StateT) -> StateT:
    """States of `chosen` where `mask`, (N,) bool, is true, and of `other` elsewhere.

    Args:
        mask: (N,) bool.
        chosen: a dataclass of arrays (N, ...).
        other: another of the same kind.
    """
    if mask.all():
        return chosen
    xp = array_namespace(mask)
    merged = {}
    for field in fields(chosen):  # type: ignore[arg-type]  # any state is a dataclass
        one, two = getattr(chosen, field.name), getattr(other, field.name)
        merged[field.name] = xp.where(xp.reshape(mask, (-1, *[1] * (one.ndim - 1))), one, two)
    return type(chosen)(**merged)


def observation_of(batch: Any, position: int) -> Any:
    """One sub-environment's part of a batch of observations."""
    if isinstance(batch, dict):
        return {name: values[position] for name, values in batch.items()}
    return batch[position]


def without_final(infos: Mapping[str, Any]) -> dict[str, Any]:
    """Gymnasium's infos, without what episodes ended with under SAME_STEP."""
    final = ("final_obs", "_final_obs", "final_info", "_final_info")
    return {key: value for key, value in infos.items() if key not in final}


def require_keys(data: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse a state that lacks some of its keys."""
    missing = sorted(set(names) - set(data))
    if missing:
        raise ValueError(f"the state lacks {', '.join(missing)}; it is not one of this environment")


def check_count(name: str, value: object) -> None:
    """Refuse an option that is not an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, found {value!r}")


def check_threshold(threshold: float) -> None:
    """Refuse a score to reach that is outside (0, 1]."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must lie in (0, 1], found {threshold!r}")


def check_choice(name: str, value: object, accepted: Sequence[str]) -> None:
    """Refuse an option that is none of the names accepted."""
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(accepted)}, found {value!r}")


def check_action(action: Any, shape: tuple[int, ...] | None) -> NDArray[np.float32]:
    """The action as float32; what overflows becomes infinite.

    Raises:
        TypeError: its numbers are not floating.
        ValueError: its shape is not `shape`.
    """
    array = np.asarray(action)
    if array.dtype.kind != "f":
        raise TypeError(f"an action is floating numbers (float32), found dtype {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"an action has shape {shape} here, found {array.shape}")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)

"""The MDP protocol, and helpers that the environments share.

Two adapters turn an MDP into an environment: `single.SingleEnv` and `vector.BatchedEnv`. The MDP
itself is batched and pure: arrays in, arrays out. All its randomness is a hash of (key, counters),
so a state is a few integer arrays, and N environments do not need N random generators.
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
"""Observations: an array, or a dict of arrays for a `Dict` space."""


@dataclass(frozen=True)
class Transition(Generic[StateT]):
    """The result of a step."""

    state: StateT
    reward: Array  # (N,) float64
    terminated: Array  # (N,) bool
    truncated: Array  # (N,) bool
    info: dict[str, Array]  # (N,) each: about the step; `describe` adds what is about the state


class MDP(Protocol[StateT]):
    """A Markov decision process over texts, stepped as a batch of N."""

    @property
    def observation_space(self) -> spaces.Space[Any]:
        """The observation space of one sub-environment."""

    @property
    def action_space(self) -> spaces.Box:
        """The action space of one sub-environment."""

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each part of its data, by name; "texts" are the texts it shows."""

    def init(self, key: Array, member: Array) -> StateT:
        """States before the first episode of the streams `key`, (N,) int64.

        `member`, (N,) int64, is the place of each in its group, from 0. The members of a group
        share a stream; an MDP may use their places for chance that they should not share.
        """

    def reset(self, state: StateT, mask: Array) -> StateT:
        """Start the next episode where `mask`, (N,) bool, is true; keep the other states."""

    def observe(self, state: StateT) -> Any:
        """(N, ...) observations, a newly allocated array or a dict of such arrays."""

    def describe(self, state: StateT) -> dict[str, Array]:
        """The part of `info` that describes the states, as arrays (N,)."""

    def step(self, state: StateT, action: Array) -> Transition[StateT]:
        """Take one step in each state.

        Raises:
            ValueError: an action is NaN or infinite.
        """

    def render(self, state: StateT, position: int, last: Mapping[str, Array] | None) -> str:
        """Render one sub-environment as text; `last` is the previous step's info, or None."""

    def dump(self, state: StateT) -> dict[str, Any]:
        """The states as JSON-serializable data."""

    def restore(self, data: Mapping[str, Any], size: int) -> StateT:
        """Restore what `dump` returned for N = `size`; raises ValueError if it does not fit."""


def stream_key(generator: np.random.Generator) -> int:
    """Draw the key of a stream of texts, in [0, 2**63)."""
    return int(generator.integers(2**63))


def select_states(mask: Array, chosen: StateT, other: StateT) -> StateT:
    """Take states from `chosen` where `mask` is true, and from `other` elsewhere.

    Args:
        mask: (N,) bool.
        chosen: a dataclass of arrays (N, ...).
        other: a dataclass of the same type.
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
    """Extract one sub-environment's observation from a batch."""
    if isinstance(batch, dict):
        return {name: values[position] for name, values in batch.items()}
    return batch[position]


def without_final(infos: Mapping[str, Any]) -> dict[str, Any]:
    """Infos without the final observations and infos that SAME_STEP adds."""
    final = ("final_obs", "_final_obs", "final_info", "_final_info")
    return {key: value for key, value in infos.items() if key not in final}


def require_keys(data: Mapping[str, Any], names: Iterable[str]) -> None:
    """Reject a state with missing keys."""
    missing = sorted(set(names) - set(data))
    if missing:
        raise ValueError(
            f"the state lacks {', '.join(missing)}; it is not a state of this environment"
        )


def check_count(name: str, value: object) -> None:
    """Reject an option that is not an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, found {value!r}")


def check_threshold(threshold: float) -> None:
    """Reject a threshold outside (0, 1]."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must lie in (0, 1], found {threshold!r}")


def check_choice(name: str, value: object, accepted: Sequence[str]) -> None:
    """Reject an option that is not one of the accepted names."""
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(accepted)}, found {value!r}")


def check_action(action: Any, shape: tuple[int, ...] | None) -> NDArray[np.float32]:
    """Convert an action to float32; values that overflow become infinite.

    Raises:
        TypeError: the dtype is not floating-point.
        ValueError: the shape is not `shape`.
    """
    array = np.asarray(action)
    if array.dtype.kind != "f":
        raise TypeError(f"an action must be floating-point (float32), found dtype {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"an action must have shape {shape}, found shape {array.shape}")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)

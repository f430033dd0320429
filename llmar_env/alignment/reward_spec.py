"""Rewards by name: weighted sums, functions of a user, and the check of what rewards return."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

MODEL_PREFIX = "model:"
"""Begins the name of a reward that is an alignment model, followed by its folder."""

__all__ = [
    "MODEL_PREFIX",
    "Described",
    "RewardFunction",
    "Weighted",
    "checked",
    "needs_no_reference",
    "parse_reward",
    "read_number",
    "reward_name",
    "term_names",
]

RewardFunction = Callable[..., NDArray[np.float64]]
"""Scores a batch of n answers, given by the arguments: (n,) finite numbers, the higher the better.
The first argument has the length n."""


@runtime_checkable
class Described(Sized, Protocol):
    """Answers that can say which one they are, for messages."""

    def describe(self, place: int) -> str:
        """Describe the answer of a place."""


@dataclass(frozen=True)
class Weighted:
    """A weighted sum of rewards.

    Attributes:
        terms: (weight, reward) pairs, at least one.

    Raises:
        ValueError: there is no term, or a weight is not finite.
    """

    terms: tuple[tuple[float, RewardFunction], ...]

    def __post_init__(self) -> None:
        """Reject an empty sum, and weights that are not finite."""
        if not self.terms:
            raise ValueError("a weighted sum needs at least one reward")
        for weight, reward in self.terms:
            if not math.isfinite(weight):
                raise ValueError(f"the weight of {reward_name(reward)} is {weight}, not finite")

    def __call__(self, *batch: Any) -> NDArray[np.float64]:
        """(n,) weighted sums."""
        total = np.zeros(len(batch[0]))
        for weight, reward in self.terms:
            total += weight * checked(reward, reward(*batch), batch[0])
        return total

    def __str__(self) -> str:
        return " + ".join(f"{weight}*{reward_name(reward)}" for weight, reward in self.terms)


def parse_reward(
    spec: str | RewardFunction | Mapping[str, float], find: Callable[[str], RewardFunction]
) -> RewardFunction:
    """Make a reward from a specification.

    Args:
        spec: a name; a function of an importable module, "package.module:function"; a weighted sum
            of these, "0.7*bleu + 0.3*chrf", also as a mapping, {"bleu": 0.7, "chrf": 0.3}; or a
            function, which is returned unchanged.
        find: the reward of a name; raises ValueError for an unknown one.

    Raises:
        ValueError: a name is unknown, a function cannot be imported, or a number is malformed.
    """
    if isinstance(spec, str):
        terms = [_read_term(term, find) for term in spec.split("+")]
    elif isinstance(spec, Mapping):
        terms = [(read_number(weight, name), _find(name, find)) for name, weight in spec.items()]
    elif callable(spec):
        return spec
    else:
        raise ValueError(f"a reward must be a name, a mapping or a function, found {spec!r}")
    if len(terms) == 1 and terms[0][0] == 1:
        return terms[0][1]
    return Weighted(tuple(terms))


def _read_term(text: str, find: Callable[[str], RewardFunction]) -> tuple[float, RewardFunction]:
    """Read a weight and a reward, such as "0.3*chrf"."""
    weight, star, name = text.rpartition("*")
    return (read_number(weight, text) if star else 1.0), _find(name, find)


def _find(name: str, find: Callable[[str], RewardFunction]) -> RewardFunction:
    """The reward of a name, or the function of an import path."""
    name = name.strip()
    if ":" not in name or name.startswith(MODEL_PREFIX):
        return find(name)
    try:
        function = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cannot import the reward {name!r}: {error}") from None
    if not callable(function):
        raise ValueError(f"the reward {name!r} is not a function, but {type(function).__name__}")
    return function  # type: ignore[no-any-return]  # resolve_name returns Any


def read_number(value: str | float, text: str) -> float:
    """A number of a specification `text`; raises ValueError if it is malformed."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a number, in the reward {text.strip()!r}") from None


def term_names(spec: str | None) -> list[str]:
    """The names in a weighted sum, without their weights; none of no specification."""
    return [] if spec is None else [one.rpartition("*")[2].strip() for one in spec.split("+")]


def needs_no_reference(spec: str | None) -> bool:
    """Whether a reward is the score of alignment models alone, which know no reference."""
    names = term_names(spec)
    return bool(names) and all(name.startswith(MODEL_PREFIX) for name in names)


def reward_name(reward: RewardFunction) -> str:
    """The name of a reward: its specification for `parse_reward`, or its function's name."""
    return getattr(reward, "__name__", None) or str(reward)


def checked(
    reward: RewardFunction, returned: object, answers: Sized | Described
) -> NDArray[np.float64]:
    """Check what a reward has returned.

    Args:
        reward: the reward, for its name.
        returned: what it returned.
        answers: the n answers that were scored.

    Returns:
        (n,) float64, all finite.

    Raises:
        ValueError: the reward returned something else; the message names it.
    """
    name, n = reward_name(reward), len(answers)
    try:
        found = np.asarray(returned, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"reward {name} must return numbers, found {type(returned).__name__}: {error}"
        ) from None
    if returned is None or found.shape != (n,):
        shape = "nothing" if returned is None else f"shape {found.shape}"
        raise ValueError(
            f"reward {name} must return one number per answer, shape ({n},), found {shape}"
        )
    if not np.isfinite(found).all():
        place = int(np.isfinite(found).argmin())
        of = answers.describe(place) if isinstance(answers, Described) else f"answer {place}"
        raise ValueError(f"reward {name} must be finite, found {found[place]} for {of}")
    return found

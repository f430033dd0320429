"""How options are declared: with a type and a range, and with a message about any other value."""

from __future__ import annotations

import math
import os
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol, Union, get_args, get_origin, get_type_hints

__all__ = [
    "Accepted",
    "DeviceName",
    "FlagError",
    "FolderName",
    "Options",
    "Range",
    "check_range",
    "check_type",
    "converted",
    "naming_flags",
    "option",
    "options_of",
    "refuse",
]

_UNIONS = (Union, types.UnionType)
_WORDS: Mapping[Any, tuple[str, str]] = {
    int: ("an integer", "integers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "truth values"),
    str: ("a string", "strings"),
    Path: ("a path", "paths"),
}


class Accepted(Protocol):
    """A condition that values of the right type must meet."""

    def __contains__(self, value: Any) -> bool:
        """Whether a value meets it."""

    def __str__(self) -> str:
        """The condition, as it follows "must"."""


@dataclass(frozen=True)
class Range:
    """The interval of finite numbers that an option accepts.

    Attributes:
        low: the lower bound.
        high: the upper bound.
        with_low: whether the lower bound is accepted itself.
        with_high: whether the upper bound is accepted itself.
    """

    low: float = -math.inf
    high: float = math.inf
    with_low: bool = True
    with_high: bool = False

    def __contains__(self, value: float) -> bool:
        """Whether a number lies in the interval and is finite."""
        above = value >= self.low if self.with_low else value > self.low
        below = value <= self.high if self.with_high else value < self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        """The interval, as it follows "must"."""
        if self.high < math.inf:
            low, high = "[" if self.with_low else "(", "]" if self.with_high else ")"
            return f"lie in {low}{_digits(self.low)}, {_digits(self.high)}{high}"
        if self.low == -math.inf:
            return "be finite"
        return f"be {'at least' if self.with_low else 'above'} {_digits(self.low)}"


def _digits(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


class FolderName:
    """The names that a folder may have within another one."""

    def __contains__(self, value: str) -> bool:
        """Whether a string names a folder, not a path."""
        return value not in ("", ".", "..") and Path(value).name == value and "\0" not in value

    def __str__(self) -> str:
        """The condition, as it follows "must"."""
        return "be the name of a folder, not a path"


class DeviceName:
    """The names of devices, available or not."""

    def __contains__(self, value: str) -> bool:
        """Whether a string is the name of a device."""
        return re.fullmatch(r"auto|cpu|cuda(:\d+)?", value) is not None

    def __str__(self) -> str:
        """The condition, as it follows "must"."""
        return "be auto, cpu, cuda, or cuda:1 and so on"


# Whether messages are read by someone who typed flags.
_FLAGS: ContextVar[bool] = ContextVar("flags", default=False)


class FlagError(Exception):
    """An option on the command line that cannot be used.

    Tyro would put a ValueError into a box under a name that is its own.
    """


@contextmanager
def naming_flags() -> Iterator[None]:
    """Within it, `refuse` calls options by their flags, and raises `FlagError`."""
    token = _FLAGS.set(True)
    try:
        yield
    finally:
        _FLAGS.reset(token)


def refuse(name: str, why: str, context: str = "") -> NoReturn:
    """Raise an error about an option.

    Args:
        name: the option's name; its field in Python.
        why: what follows the name in the message.
        context: what precedes it.

    Raises:
        ValueError: always; within `naming_flags`, a `FlagError`.
    """
    if _FLAGS.get():
        flag = {"settings": "set"}.get(name, name.replace("_", "-"))
        raise FlagError(f"{context}--{flag} {why}")
    raise ValueError(f"{context}{name} {why}")


def check_range(name: str, value: Any, accepted: Accepted, also: str = "") -> None:
    """Check that a value of the right type meets a condition.

    Args:
        name: the option's name.
        value: its value.
        accepted: the condition.
        also: added to the message.

    Raises:
        ValueError: it does not; the message has the condition and the value.
    """
    if value not in accepted:
        infinite = isinstance(value, Real) and not math.isfinite(value)
        finite = " and finite" if infinite and "finite" not in str(accepted) else ""
        refuse(name, f"must {accepted}{finite}, found {value!r}{also}")


def check_type(name: str, value: Any, hint: Any, also: str = "") -> None:
    """Check that a value has the type of an annotation.

    Args:
        name: the option's name.
        value: its value.
        hint: the annotation. Of a union, classes and functions are left out of the message: plain
            data does not contain them.
        also: added to the message.

    Raises:
        ValueError: it has another type; the message has both.
    """
    if not _fits(value, hint):
        refuse(name, f"must be {_described(hint)}, found {value!r}{also}")


def converted(value: Any, hint: Any) -> Any:
    """A value in the form of its annotation, if it only differs in form.

    A path may be given as a string, and a string as a path; an integer as a float without a
    fraction; and a number as one of NumPy's.
    """
    members = _members(hint)
    if isinstance(value, os.PathLike) and Path not in members and str in members:
        return os.fspath(value)
    if isinstance(value, str) and Path in members and str not in members:
        return Path(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    if isinstance(value, Integral):
        return int(value)
    number = float(value)
    whole = int in members and float not in members and number.is_integer()
    return int(number) if whole else number


def _members(hint: Any) -> tuple[Any, ...]:
    """The annotations that a union joins; of another annotation, itself."""
    return get_args(hint) if get_origin(hint) in _UNIONS else (hint,)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value has the type of an annotation. A list is accepted as a tuple."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in _UNIONS:
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin is tuple and parts[-1] is not ...:
        return (
            isinstance(value, tuple | list)
            and len(value) == len(parts)
            and all(map(_fits, value, parts))
        )
    if origin in (list, tuple, Sequence):
        return isinstance(value, list | tuple) and all(_fits(one, parts[0]) for one in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(
            _fits(one, part)
            for item in value.items()
            for one, part in zip(item, parts, strict=True)
        )
    return _is_plain(value, hint)


def _is_plain(value: Any, hint: Any) -> bool:
    """Whether a value is an instance of a class; of a number's, whatever its size."""
    if hint is None:
        return value is None
    if hint in (int, float):
        kind = Integral if hint is int else Real
        return isinstance(value, kind) and not isinstance(value, bool)
    return isinstance(hint, type) and get_origin(hint) is None and isinstance(value, hint)


def _described(hint: Any) -> str:
    """An annotation in words, apart from what plain data does not contain."""
    words = [word for part in _members(hint) if (word := _word(part))]
    return " or ".join(words) if words else "left out: it is not plain data"


def _word(hint: Any, plural: bool = False) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if hint in _WORDS:
        return _WORDS[hint][plural]
    if hint in (None, type(None)):
        return "none"
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin is tuple and parts[-1] is not ...:
        inner = " and ".join(_word(part) for part in parts)
        return f"{'pairs' if plural else 'a pair'} of {inner}"
    if origin in (list, tuple, Sequence):
        return f"{'lists' if plural else 'a list'} of {_word(parts[0], plural=True)}"
    if origin in (dict, Mapping):
        inner = "" if parts[1] is Any else f" of {_word(parts[1], plural=True)}"
        return f"{'mappings' if plural else 'a mapping'}{inner}"
    return "values" if hint is Any and plural else ""


def option(
    default: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float = math.inf,
    at_most: float | None = None,
    accepts: Accepted | None = None,
    scope: str | None = None,
) -> Any:
    """A dataclass field with a range and a scope.

    Args:
        default: the default value. None is accepted, whatever the range, if its type includes it.
        at_least: inclusive lower bound.
        above: exclusive lower bound, as an alternative to `at_least`.
        below: exclusive upper bound.
        at_most: inclusive upper bound, as an alternative to `below`.
        accepts: another condition, in place of a range.
        scope: the kind of training it applies to; None for all.
    """
    low = at_least if above is None else above
    if low is not None:
        high = below if at_most is None else at_most
        accepts = Range(low, high, with_low=above is None, with_high=at_most is not None)
    return field(default=default, metadata={"accepts": accepts, "scope": scope})


class Options:
    """A dataclass of options, each checked against its type and its range.

    Paths may be given as strings and strings as paths, and numbers as those of NumPy.

    Raises:
        ValueError: an option has a wrong type or is out of range.
    """

    def __post_init__(self) -> None:
        """Check all options."""
        hints = get_type_hints(type(self))
        for name, given, metadata in options_of(self):
            value = converted(given, hints[name])
            check_type(name, value, hints[name])
            object.__setattr__(self, name, value)
            accepts = metadata.get("accepts")
            if accepts is not None and value is not None:
                check_range(name, value, accepts)


def options_of(group: Any) -> Iterator[tuple[str, Any, Any]]:
    """The options of a group: name, value and metadata."""
    return ((one.name, getattr(group, one.name), one.metadata) for one in fields(group))

"""Small numerical functions over the array API, used throughout the package."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

__all__ = [
    "Array",
    "as_numpy",
    "as_torch",
    "check_finite",
    "has_direction",
    "hash_counters",
    "hash_to_unit",
    "row_scale",
    "unit",
]

Array = Any
"""A NumPy array or a torch tensor; anything `array_api_compat` supports."""

# SplitMix64 (Steele, Lea and Flood 2014), its constants written as signed 64-bit integers:
# the array API's right shift keeps the sign, and torch cannot multiply unsigned ones.
_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_MIX_1 = 0xBF58476D1CE4E5B9 - 2**64
_MIX_2 = 0x94D049BB133111EB - 2**64


def as_torch(array: NDArray[Any], device: str) -> Array:
    """A tensor on a device, which shares the array's memory where it can.

    Raises:
        ImportError: torch is not installed.
    """
    try:
        torch = __import__("torch")
    except ModuleNotFoundError:
        raise ImportError(f"device={device!r} needs torch, which is not installed") from None
    with warnings.catch_warnings():
        # Nothing writes to the tensor, whether or not the array could be written to.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
        return torch.from_numpy(array).to(device)


def as_numpy(array: Array) -> NDArray[Any]:
    """An array or a tensor of any device as an array."""
    return np.asarray(array if isinstance(array, np.ndarray) else array.cpu())


def row_scale(x: Array, safe: Array | None = None) -> Array:
    """(..., 1) divisors of rows, so that their squares neither underflow nor overflow.

    The divisor is 1 for rows that are `safe` or zero, so that they are bit-identical in every
    batch, and NaN for rows that are not finite.
    """
    xp = array_namespace(x)
    scale = xp.max(xp.abs(x), axis=-1, keepdims=True)
    scale = xp.where(xp.isfinite(scale), scale, xp.asarray(np.nan, dtype=scale.dtype))
    one = scale == 0 if safe is None else safe[..., None] | (scale == 0)
    return xp.where(one, xp.ones_like(scale), scale)


def unit(x: Array) -> Array:
    """Scale the vectors in `x`, (..., D), to unit length; a zero vector stays zero."""
    xp = array_namespace(x)
    x = x / row_scale(x)
    square = xp.sum(x * x, axis=-1, keepdims=True)
    return x / xp.sqrt(xp.where(square == 0, xp.ones_like(square), square))


def check_finite(x: Array, name: str) -> None:
    """Reject actions that are not finite.

    Args:
        x: (n, ...) the actions, or values computed from each that are not finite if it is not.
        name: of one action, to which the message adds its number, such as "action".

    Raises:
        ValueError: an action holds NaN or infinity; the message names the first.
    """
    xp = array_namespace(x)
    finite = xp.isfinite(x)
    if not bool(xp.all(finite)):
        rows = xp.all(xp.reshape(finite, (x.shape[0], -1)), axis=1)
        first = int(xp.argmin(xp.astype(rows, xp.int8)))
        raise ValueError(f"{name} {first} holds NaN or infinity; an action must be finite")


def has_direction(x: Array) -> Array:
    """Whether vectors (n, D) are finite and not zero, (n,) bool."""
    xp = array_namespace(x)
    return xp.all(xp.isfinite(x), axis=1) & xp.any(x != 0, axis=1)


def hash_counters(key: Array, *counters: Array) -> Array:
    """Hash a key and counters to 63 random bits.

    With one counter it is the SplitMix64 generator: stream `key`, draw number `counter`. Each
    further counter selects a draw of the substream that the draw before it opens.

    Args:
        key: (N,) int64.
        *counters: (N,) int64 each.

    Returns:
        (N,) int64 in [0, 2**63).
    """
    bits = key
    for counter in counters:
        bits = _mix(bits + (counter + 1) * _GAMMA)
    return _shift_right(bits, 1)


def hash_to_unit(bits: Array) -> Array:
    """Turn (N,) hashed bits into (N,) float64 in [0, 1)."""
    xp = array_namespace(bits)
    return xp.astype(bits >> 10, xp.float64) * 2.0**-53


def _mix(bits: Array) -> Array:
    bits = (bits ^ _shift_right(bits, 30)) * _MIX_1
    bits = (bits ^ _shift_right(bits, 27)) * _MIX_2
    return bits ^ _shift_right(bits, 31)


def _shift_right(bits: Array, count: int) -> Array:
    """Logical right shift of signed integers."""
    return (bits >> count) & ((1 << (64 - count)) - 1)

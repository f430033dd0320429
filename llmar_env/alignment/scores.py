"""Alignment scores: how well vectors say what should be said.

Pure functions over the array API: NumPy arrays in, NumPy arrays out; torch tensors in, torch
tensors out, differentiable and on their own device.
"""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace, device

from llmar_env.arrays import Array, row_scale, unit

__all__ = ["alignment_score", "cosine", "cosine_to_unit", "mean_vector", "unit"]

# A float32 square loses bits below the first bound and overflows above the second.
_SAFE_SQUARE = (1e-30, 1e30)


def cosine_to_unit(x: Array, unit_y: Array) -> Array:
    """Cosine of the vectors in `x` with vectors that already have unit length.

    Every row is reduced by itself, so in NumPy the score of a row does not depend, to the last
    bit, on the batch that it stands in.

    Args:
        x: (..., D) floating, of any length; a zero vector scores 0.
        unit_y: (..., D) floating, unit (or zero) vectors.

    Returns:
        (...) in [-1, 1]; NaN exactly where a row of `x` holds NaN or infinity.
    """
    xp = array_namespace(x, unit_y)
    with np.errstate(over="ignore"):
        square = xp.vecdot(x, x)
    safe = (square > _SAFE_SQUARE[0]) & (square < _SAFE_SQUARE[1])
    if not bool(xp.all(safe)):
        x = x / row_scale(x, safe)
        square = xp.vecdot(x, x)
    # The inner `where` keeps torch's gradient of the square root finite at zero.
    length = xp.sqrt(xp.where(square == 0, xp.ones_like(square), square))
    # The method, which arrays of all libraries have: the wrapper costs a third of a single step.
    return (xp.vecdot(x, unit_y) / length).clip(-1.0, 1.0)


def cosine(x: Array, y: Array) -> Array:
    """Cosine of the vectors in `x` and `y`, (..., D) each, broadcast; 0 where either is zero."""
    return cosine_to_unit(x, unit(y))


def mean_vector(x: Array, lengths: Array | None = None) -> Array:
    """Mean over a text's vectors.

    Args:
        x: (L, D) for one text or (B, L, D) for a batch.
        lengths: how many leading vectors of each text count: an int or (B,) integers; all of
            them if None. A text of length 0 has the zero vector as its mean.

    Returns:
        (D,) or (B, D).

    Raises:
        ValueError: `x` has not 2 or 3 dimensions.
    """
    if x.ndim not in (2, 3):
        raise ValueError(
            f"a text is (L, D) and a batch of texts is (B, L, D), found shape {tuple(x.shape)}"
        )
    xp = array_namespace(x)
    if lengths is None:
        return xp.mean(x, axis=-2)
    lengths = xp.asarray(lengths, device=device(x))
    counted = xp.arange(x.shape[-2], device=device(x)) < lengths[..., None]
    total = xp.sum(xp.where(counted[..., None], x, xp.zeros_like(x)), axis=-2)
    return total / xp.astype(xp.clip(lengths, 1, None), x.dtype)[..., None]


def alignment_score(
    s: Array, a: Array, s_lengths: Array | None = None, a_lengths: Array | None = None
) -> Array:
    """Alignment of a text `s` with an answer `a`: the cosine of their mean vectors.

    The reward of LLMAR: r(s, a) = cos(mean_i s_i, mean_j a_j).

    Args:
        s: (L, D) for one text or (B, L, D) for a batch.
        a: (T, D) or (B, T, D), of the same kind.
        s_lengths: how many leading vectors of `s` count, as in `mean_vector`.
        a_lengths: the same for `a`.

    Returns:
        A scalar array for one pair, (B,) for a batch, in [-1, 1]; 0 where a mean is zero.

    Raises:
        ValueError: the vectors differ in dimension, the batches in size, or the shapes are not
            those above.
    """
    left, right = mean_vector(s, s_lengths), mean_vector(a, a_lengths)
    if left.shape != right.shape:
        raise ValueError(
            "the two sides must agree in batch size and vector dimension, "
            f"found shapes {tuple(s.shape)} and {tuple(a.shape)}"
        )
    return cosine(right, left)

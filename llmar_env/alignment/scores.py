"""Alignment scores: how well the vectors of one text match those of another.

Pure functions over the array API: NumPy arrays in, NumPy arrays out; torch tensors in, torch
tensors out, differentiable and on their own device.
"""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from llmar_env.arrays import Array, row_scale, unit

__all__ = [
    "alignment_score",
    "cosine",
    "cosine_to_unit",
    "lcs_f1",
    "mean_vector",
    "ordered_f1",
    "reaches",
    "token_f1",
    "unit",
]

# The cosine of equal vectors may be rounded to less than 1.
_ROUNDING = 1e-6

# A float32 square loses bits below the first bound and overflows above the second.
_SAFE_SQUARE = (1e-30, 1e30)


def cosine_to_unit(x: Array, unit_y: Array) -> Array:
    """Cosine of the vectors in `x` with vectors that already have unit length.

    Every row is reduced on its own, so in NumPy the score of a row is bit-identical in every
    batch.

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
    # The method `clip`, which all libraries have: `xp.clip` would take a third of a single step.
    return (xp.vecdot(x, unit_y) / length).clip(-1.0, 1.0)


def cosine(x: Array, y: Array) -> Array:
    """Cosine of the vectors in `x` and `y`, (..., D) each, broadcast; 0 where either is zero."""
    return cosine_to_unit(x, unit(y))


def reaches(score: Array, threshold: float) -> Array:
    """(...) bool, whether scores (...) reach the threshold, within a tolerance of 1e-6."""
    return score >= threshold - _ROUNDING


def mean_vector(x: Array, lengths: Array | None = None) -> Array:
    """Mean over a text's vectors.

    Args:
        x: (L, D) for one text or (B, L, D) for a batch.
        lengths: how many leading vectors of each text count: an int or (B,) integers; all of
            them if None. A text of length 0 has the zero vector as its mean.

    Returns:
        (D,) or (B, D).

    Raises:
        ValueError: `x` does not have 2 or 3 dimensions.
    """
    if x.ndim not in (2, 3):
        raise ValueError(
            f"expected a text (L, D) or a batch of texts (B, L, D), found shape {tuple(x.shape)}"
        )
    xp = array_namespace(x)
    if lengths is None:
        return xp.mean(x, axis=-2)
    total = xp.sum(_zero_padding(x, lengths), axis=-2)
    return total / _at_least_1(lengths, x)[..., None]


def alignment_score(
    s: Array, a: Array, s_lengths: Array | None = None, a_lengths: Array | None = None
) -> Array:
    """Alignment of a text `s` with an answer `a`: the cosine of their mean vectors.

    The reward of LLMAR: r(s, a) = cos(mean_i s_i, mean_j a_j).

    Args:
        s: (L, D) for one text or (B, L, D) for a batch.
        a: (T, D) or (B, T, D), of the same library.
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


def token_f1(
    s: Array, a: Array, s_lengths: Array | None = None, a_lengths: Array | None = None
) -> Array:
    """F1 of greedy matching: each token is matched with the most similar one in the other text.

    BERTScore (Zhang et al. 2020) over the given vectors, without IDF weights and rescaling:
    R = mean_i max_j cos(s_i, a_j), P = mean_j max_i cos(s_i, a_j), F1 = 2 P R / (P + R). A negative
    cosine counts as 0, no match, so that P and R cannot cancel each other.

    Args:
        s: the target, (L, D) for one text or (B, L, D) for a batch, L at least 1.
        a: the answer, (T, D) or (B, T, D), T at least 1.
        s_lengths: how many leading vectors of `s` count, as in `mean_vector`.
        a_lengths: the same for `a`.

    Returns:
        A scalar array for one pair, (B,) for a batch, in [0, 1]; 0 where a text is empty.

    Raises:
        ValueError: the vectors differ in dimension, the batches in size, or the shapes are not
            those above.
    """
    xp = array_namespace(s, a)
    matches = _matches(s, a, s_lengths, a_lengths)
    precision = _sum_in_order(xp.max(matches, axis=-1)) / _at_least_1(a_lengths, matches)
    recall = _sum_in_order(xp.max(matches, axis=-2)) / _at_least_1(s_lengths, matches.mT)
    total = precision + recall
    return 2 * precision * recall / xp.where(total == 0, xp.ones_like(total), total)


def ordered_f1(
    s: Array, a: Array, s_lengths: Array | None = None, a_lengths: Array | None = None
) -> Array:
    """F1 of the best matching that keeps the order of both texts, each token used once.

    For texts of m and n vectors, 2 S(m, n) / (m + n), where S(i, j) =
    max(S(i - 1, j), S(i, j - 1), S(i - 1, j - 1) + max(cos(s_i, a_j), 0)): `lcs_f1` with a cosine
    in place of equality. Arguments, return value and errors are those of `token_f1`.
    """
    return _chain_f1(_matches(s, a, s_lengths, a_lengths), s_lengths, a_lengths)


def lcs_f1(
    s: Array, a: Array, s_lengths: Array | None = None, a_lengths: Array | None = None
) -> Array:
    """ROUGE-L (Lin 2004): F1 of the longest common subsequence of tokens.

    Args:
        s: the target, (L,) integers for one text or (B, L) for a batch, L at least 1.
        a: the answer, (T,) or (B, T), T at least 1.
        s_lengths: how many leading tokens of `s` count: an int or (B,); all of them if None.
        a_lengths: the same for `a`.

    Returns:
        A scalar array for one pair, (B,) for a batch, float32 in [0, 1]; 0 where a text is empty.

    Raises:
        ValueError: the batches differ in size, or the shapes are not those above.
    """
    xp = array_namespace(s, a)
    if a.ndim not in (1, 2) or a.shape[:-1] != s.shape[:-1]:
        raise ValueError(
            "expected the tokens of a text (L,) or of a batch (B, L), as many texts on both sides, "
            f"found shapes {tuple(s.shape)} and {tuple(a.shape)}"
        )
    equal = xp.astype(s[..., :, None] == a[..., None, :], xp.float32)
    matches = _zero_padding(_zero_padding(equal, s_lengths).mT, a_lengths)
    return _chain_f1(matches, s_lengths, a_lengths)


def _matches(s: Array, a: Array, s_lengths: Array | None, a_lengths: Array | None) -> Array:
    """(..., T, L) max(cos(a_t, s_l), 0); 0 after the end of either text."""
    xp = array_namespace(s, a)
    if a.ndim not in (2, 3) or (*a.shape[:-2], a.shape[-1]) != (*s.shape[:-2], s.shape[-1]):
        raise ValueError(
            "expected texts (L, D) or batches of texts (B, L, D), where the two sides agree in "
            f"batch size and vector dimension, found shapes {tuple(s.shape)} and {tuple(a.shape)}"
        )
    s, a = unit(_zero_padding(s, s_lengths)), unit(_zero_padding(a, a_lengths))
    # In NumPy each pair is computed on its own: the rounding of a matrix product depends on its
    # shape, so a text's score would depend on its batch. Torch would copy all pairs of vectors.
    cosines = a @ s.mT if is_torch_array(s) else xp.vecdot(a[..., :, None, :], s[..., None, :, :])
    return cosines.clip(0.0, 1.0)


def _chain_f1(matches: Array, s_lengths: Array | None, a_lengths: Array | None) -> Array:
    """F1 of the heaviest chain of (..., T, L) matches that keeps the order of both texts."""
    xp = array_namespace(matches)
    none = xp.zeros_like(matches[..., 0, :1])
    # One row of the table S, for the answer's tokens so far; the 0 in front is an empty target's.
    best = xp.zeros_like(xp.concat([none, matches[..., 0, :]], axis=-1))
    for step in range(matches.shape[-2]):
        longer = xp.maximum(best[..., 1:], best[..., :-1] + matches[..., step, :])
        best = _cumulative_max(xp.concat([none, longer], axis=-1))
    total = _at_least_1(s_lengths, matches.mT) + _at_least_1(a_lengths, matches)
    return 2 * best[..., -1] / total


def _cumulative_max(x: Array) -> Array:
    """Running maximum over the last axis, which the array API lacks."""
    if is_torch_array(x):
        return array_namespace(x).cummax(x, dim=-1).values
    return np.maximum.accumulate(x, axis=-1)


def _sum_in_order(x: Array) -> Array:
    """Sum over the last axis; zeros of padding at the end do not change the rounding."""
    return array_namespace(x).cumulative_sum(x, axis=-1)[..., -1]


def _zero_padding(x: Array, lengths: Array | None) -> Array:
    """Keep the first `lengths` rows of `x`, (..., L, D), and set the others to zero."""
    if lengths is None:
        return x
    xp = array_namespace(x)
    lengths = xp.asarray(lengths, device=device(x))
    mask = xp.arange(x.shape[-2], device=device(x)) < lengths[..., None]
    return xp.where(mask[..., None], x, xp.zeros_like(x))


def _at_least_1(lengths: Array | None, x: Array) -> Array:
    """Lengths to divide by, at least 1, in the dtype of `x`, (..., L, D); L if None."""
    xp = array_namespace(x)
    lengths = xp.asarray(x.shape[-2] if lengths is None else lengths, device=device(x))
    return xp.astype(xp.clip(lengths, 1, None), x.dtype)

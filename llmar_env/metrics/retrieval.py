"""Metrics of answers as vectors: alignment, and retrieval of their own targets."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from llmar_env.arrays import Array, unit

__all__ = ["Scores", "kinds", "nearest", "ranks", "score_answers"]

# Answers compared with all targets at a time; bounds the memory of the similarity matrix.
_BLOCK = 1024


@dataclass(frozen=True)
class Scores:
    """Means over the texts of a split."""

    alignment: float
    """Cosine of the answer with its target, in [-1, 1]."""
    p_at_1: float
    """Share of answers whose nearest target is the right one."""
    p_at_10: float
    """Share of answers with the right target among the nearest ten."""
    mrr: float
    """Mean reciprocal rank of the right target, in (0, 1]."""
    reward: float | None = field(default=None, kw_only=True)
    """Mean reward that was trained on, where that is an alignment model's score: the proxy, beside
    which the other scores are the truth."""


def ranks(answers: Array, targets: Array) -> Array:
    """Rank of each answer's own target among all targets, by cosine; 1 is best.

    Of K answers to each text the lowest cosine counts, as of an `AlignmentModel`'s predictions.

    Ties count against the answer, so that an answer equally near to all targets ranks last; targets
    equal to the right one count as right. An answer that is NaN ranks last.

    Args:
        answers: (n, D) or (K, n, D), NumPy or torch.
        targets: (n, D), the target of each answer, of the same library.

    Returns:
        (n,) integers in [1, n].
    """
    xp = array_namespace(answers, targets)
    answers, targets = unit(answers), unit(targets)
    kind = xp.asarray(kinds(targets), device=device(targets))
    own = xp.arange(len(targets), device=device(targets))
    blocks = []
    for first in range(0, len(targets), _BLOCK):
        block = slice(first, first + _BLOCK)
        similarity = answers[..., block, :] @ targets.T
        if similarity.ndim == 3:
            similarity = xp.min(similarity, axis=0)
        right = similarity[own[: len(similarity)], own[block]][:, None]
        as_good = ~(similarity < right)  # also where either is NaN
        as_good = as_good & (kind[block, None] != kind)
        blocks.append(1 + xp.sum(xp.astype(as_good, xp.int64), axis=1))
    return xp.concat(blocks)


def kinds(targets: Array) -> NDArray[np.int64]:
    """(n,) numbers, equal for equal targets (n, D)."""
    array = np.asarray(targets if isinstance(targets, np.ndarray) else targets.cpu())
    # NumPy 2.0.0 gives them the shape (n, 1).
    return np.unique(array, axis=0, return_inverse=True)[1].reshape(-1)


def score_answers(answers: Array, targets: Array) -> Scores:
    """Score answers, (n, D) mean vectors, against their targets, (n, D) mean vectors.

    Both are NumPy arrays, or both are torch tensors.

    Raises:
        ValueError: the two differ in shape.
    """
    if answers.shape != targets.shape:
        raise ValueError(f"answers have shape {answers.shape}, but targets {targets.shape}")
    rank = ranks(answers, targets)
    return Scores(
        alignment=float((unit(answers) * unit(targets)).sum(1).mean()),
        p_at_1=float((rank <= 1).sum()) / len(rank),
        p_at_10=float((rank <= 10).sum()) / len(rank),
        mrr=float((1 / rank).mean()),
    )


def nearest(
    answers: NDArray[np.floating], targets: NDArray[np.floating], k: int
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The k targets nearest to each answer, by cosine.

    Args:
        answers: (n, D).
        targets: (m, D).
        k: in [1, m].

    Returns:
        Rows of `targets`, (n, k), best first, and their cosines, (n, k).

    Raises:
        ValueError: k is out of range.
    """
    if not 1 <= k <= len(targets):
        raise ValueError(f"k must lie in 1 to {len(targets)}, the number of targets, found {k}")
    targets = unit(targets)
    rows = np.empty((len(answers), k), np.int64)
    cosines = np.empty((len(answers), k), targets.dtype)
    for first in range(0, len(answers), _BLOCK):
        block = slice(first, first + _BLOCK)
        similarity = unit(answers[block]) @ targets.T
        rows[block] = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        cosines[block] = np.take_along_axis(similarity, rows[block], axis=1)
    return rows, cosines

"""How good answers are: their alignment, and whether they find the right target among all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmar_env.arrays import unit

__all__ = ["Scores", "nearest", "ranks", "score_answers"]

# Answers compared with all targets at a time: bounds the memory of the similarity matrix.
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


def ranks(answers: NDArray[np.floating], targets: NDArray[np.floating]) -> NDArray[np.int64]:
    """Rank of each answer's own target among all targets, by cosine; 1 is best.

    Ties count against the answer, so that one that tells nothing apart ranks last; targets equal
    to the right one count as right. An answer that is not a number ranks last.

    Args:
        answers: (n, D).
        targets: (n, D), row by row.

    Returns:
        (n,) in [1, n].
    """
    answers, targets = unit(answers), unit(targets)
    _, kind = np.unique(targets, axis=0, return_inverse=True)
    result = np.empty(len(answers), np.int64)
    for first in range(0, len(answers), _BLOCK):
        block = slice(first, first + _BLOCK)
        similarity = answers[block] @ targets.T
        own = np.arange(len(targets))[block]
        right = similarity[np.arange(len(own)), own]
        as_good = ~(similarity < right[:, None])  # also where either is NaN
        result[block] = 1 + (as_good & (kind[block, None] != kind)).sum(1)
    return result


def score_answers(answers: NDArray[np.floating], targets: NDArray[np.floating]) -> Scores:
    """Score answers, (n, D) mean vectors, against their targets, (n, D) mean vectors.

    Raises:
        ValueError: the two differ in shape.
    """
    if answers.shape != targets.shape:
        raise ValueError(f"answers are {answers.shape}, but targets are {targets.shape}")
    rank = ranks(answers, targets)
    return Scores(
        alignment=float((unit(answers) * unit(targets)).sum(1).mean()),
        p_at_1=float((rank <= 1).mean()),
        p_at_10=float((rank <= 10).mean()),
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

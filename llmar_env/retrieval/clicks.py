"""A simulated user, who looks at found documents from the top and clicks on some of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llmar_env.arrays import hash_counters, hash_to_unit

__all__ = [
    "CLICKS_NOT_RELEVANT",
    "CLICKS_RELEVANT",
    "click_probabilities",
    "clicks",
    "examines",
]

CLICKS_RELEVANT, CLICKS_NOT_RELEVANT = 0.9, 0.1
"""Probability of a click on an examined document that is relevant, and that is not."""


def examines(k: int) -> NDArray[np.float64]:
    """(k,) probability that the user examines each rank r: 1 / log2(r + 1)."""
    return 1 / np.log2(np.arange(2, k + 2))


def click_probabilities(relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n, k) probability of a click on each of the documents shown, best rank first.

    Args:
        relevant: (n, k) whether each is relevant.
    """
    return examines(relevant.shape[1]) * np.where(relevant, CLICKS_RELEVANT, CLICKS_NOT_RELEVANT)


def clicks(
    relevant: NDArray[np.bool_],
    key: NDArray[np.int64],
    text: NDArray[np.int64],
    member: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Draw the clicks of N users, by the position-based model (Craswell et al. 2008).

    Args:
        relevant: (N, k) whether each document shown is relevant, best rank first.
        key: (N,) int64, the stream of each user.
        text: (N,) int64, the number of the query in it.
        member: (N,) int64, a further number; users with another one click independently.

    Returns:
        (N, k) whether the user clicked.
    """
    k = relevant.shape[1]
    one = np.ones(k, np.int64)
    bits = hash_counters(key[:, None], text[:, None] * one, member[:, None] * one, np.arange(k))
    return np.asarray(hash_to_unit(bits) < click_probabilities(relevant))

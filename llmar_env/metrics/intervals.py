"""Confidence intervals of differences between two systems on the same texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Difference", "paired_bootstrap"]

# Resampled values at a time; bounds memory.
_VALUES = 1 << 22


@dataclass(frozen=True)
class Difference:
    """A difference of means, with its confidence interval."""

    mean: float
    low: float
    """Lower bound of the interval."""
    high: float
    """Upper bound of the interval."""


def paired_bootstrap(
    ours: NDArray[np.floating],
    theirs: NDArray[np.floating],
    *,
    level: float = 0.95,
    samples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """Percentile bootstrap of the mean difference over the same n texts (Efron 1979).

    Args:
        ours: (n,) finite values.
        theirs: (n,) finite values of the same texts.
        level: the interval's confidence level, in (0, 1).
        samples: number of resampled sets of texts.
        seed: seeds the resampling.

    Raises:
        ValueError: the two differ in shape, or there is no value.
    """
    if ours.shape != theirs.shape or ours.ndim != 1 or not len(ours):
        raise ValueError(
            f"expected values (n,) of the same texts, found shapes {ours.shape} and {theirs.shape}"
        )
    difference = np.asarray(ours, np.float64) - theirs
    n, generator = len(difference), np.random.default_rng(seed)
    means = np.empty(samples)
    step = max(1, _VALUES // n)
    for first in range(0, samples, step):
        size = min(step, samples - first)
        drawn = generator.integers(0, n, (size, n), np.int32)
        means[first : first + size] = difference[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(difference.mean()), float(low), float(high))

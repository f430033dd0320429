"""Confidence intervals of differences between two systems on the same texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Difference", "paired_bootstrap", "paired_bootstraps", "resampled_means"]

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
    ours: NDArray[np.floating], theirs: NDArray[np.floating], **options: Any
) -> Difference:
    """Percentile bootstrap of the mean difference over the same n texts (Efron 1979).

    Args:
        ours: (n,) finite values.
        theirs: (n,) finite values of the same texts.
        **options: level, samples and seed of `paired_bootstraps`.

    Raises:
        ValueError: the two differ in shape, or there is no value.
    """
    if ours.shape != theirs.shape or ours.ndim != 1 or not len(ours):
        raise ValueError(
            f"expected values (n,) of the same texts, found shapes {ours.shape} and {theirs.shape}"
        )
    [difference] = paired_bootstraps((np.asarray(ours, np.float64) - theirs)[:, None], **options)
    return difference


def paired_bootstraps(
    differences: NDArray[np.float64],
    *,
    level: float = 0.95,
    samples: int = 10_000,
    seed: int = 0,
) -> list[Difference]:
    """`paired_bootstrap` of m differences over the same texts, from the same resampled sets.

    Args:
        differences: (n, m) finite values, n at least 1.
        level: the intervals' confidence level, in (0, 1).
        samples: number of resampled sets of texts.
        seed: seeds the resampling.
    """
    means = resampled_means(differences, samples, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [
        Difference(*map(float, one))
        for one in zip(differences.mean(axis=0), low, high, strict=True)
    ]


def resampled_means(values: NDArray[np.float64], samples: int, seed: int) -> NDArray[np.float64]:
    """(samples, m) means of (n, m) values over sets of n texts, drawn with replacement."""
    n, generator = len(values), np.random.default_rng(seed)
    means = np.empty((samples, values.shape[1]))
    step = max(1, _VALUES // n)
    for first in range(0, samples, step):
        size = min(step, samples - first)
        drawn = generator.integers(0, n, (size, n), np.int32)
        # How often each text is in each set: sets share the sums over m columns.
        drawn += n * np.arange(size, dtype=np.int32)[:, None]
        times = np.bincount(drawn.reshape(-1), minlength=size * n).reshape(size, n)
        means[first : first + size] = times @ values / n
    return means

"""Bootstrap intervals of scores, also of those that are no means over texts, such as BLEU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmar_env.arrays import unit
from llmar_env.metrics.intervals import Difference, resampled_means
from llmar_env.metrics.retrieval import ranks

__all__ = [
    "Interval",
    "PerText",
    "interquartile_mean",
    "score_difference",
    "score_differences",
    "score_intervals",
    "vector_measures",
]

_SAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A score, with its confidence interval."""

    value: float
    low: float
    """Lower bound of the interval."""
    high: float
    """Upper bound of the interval."""


class PerText(NamedTuple):
    """A score of n texts, by what each of them adds to it."""

    values: NDArray[np.float64]
    """(n, k) numbers of each text, of whose sums the score is computed."""
    score: Callable[[NDArray[np.float64]], float]
    """The score of sums (k,)."""

    @classmethod
    def mean(cls, values: NDArray[Any]) -> PerText:
        """A score that is the mean of values (n,)."""
        ones = np.ones(len(values))
        return cls(
            np.stack([values, ones], axis=1).astype(np.float64), lambda x: float(x[0] / x[1])
        )

    def resampled(self, samples: int, seed: int) -> NDArray[np.float64]:
        """(1 + samples,) the score, and scores of sets of n texts, drawn with replacement.

        Equal seeds draw equal sets of n texts.
        """
        n = len(self.values)
        # Scaled so that sums of whole numbers come out whole again.
        drawn = n * resampled_means(self.values, samples, seed)
        sums = np.concatenate([self.values.sum(axis=0)[None], drawn])
        whole = np.rint(sums)
        sums = np.where(np.isclose(sums, whole, rtol=0, atol=1e-6), whole, sums)
        return np.array([self.score(one) for one in sums])


def vector_measures(
    answers: NDArray[np.floating], targets: NDArray[np.floating]
) -> dict[str, PerText]:
    """The scores of `score_answers` by text, of answers (n, D) to targets (n, D)."""
    rank = np.asarray(ranks(answers, targets))
    cosines = (unit(answers) * unit(targets)).sum(axis=1)
    values = {"alignment": cosines, "p_at_1": rank <= 1, "p_at_10": rank <= 10, "mrr": 1 / rank}
    return {name: PerText.mean(one) for name, one in values.items()}


def interquartile_mean(
    values: Sequence[float], *, level: float = 0.95, samples: int = 2000, seed: int = 0
) -> Interval:
    """Mean of the middle half of the runs, with a percentile bootstrap over runs.

    As Agarwal et al. (2021) recommend for few runs: a quarter of them, rounded down, is left out at
    either end.

    Args:
        values: the score of each run, at least one.
        level: the interval's confidence level, in (0, 1).
        samples: number of resampled sets of runs.
        seed: seeds the resampling.

    Raises:
        ValueError: there is no run.
    """
    if not len(values):
        raise ValueError("an interquartile mean needs at least one run")
    runs = np.asarray(values, np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(runs), (samples, len(runs)))
    cut = len(runs) // 4
    ordered = np.sort(np.concatenate([runs[None], runs[drawn]]), axis=1)
    means = ordered[:, cut : len(runs) - cut].mean(axis=1)
    low, high = np.quantile(means[1:], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(means[0]), float(low), float(high))


def score_intervals(
    measures: Mapping[str, PerText],
    *,
    level: float = 0.95,
    samples: int = _SAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile bootstrap of scores by name (Efron 1979; of BLEU, Koehn 2004).

    Args:
        measures: scores of the same texts.
        level: the intervals' confidence level, in (0, 1).
        samples: number of resampled sets of texts.
        seed: seeds the resampling.
    """
    found = {}
    for name, one in measures.items():
        values = one.resampled(samples, seed)
        low, high = np.quantile(values[1:], [(1 - level) / 2, (1 + level) / 2])
        found[name] = Interval(float(values[0]), float(low), float(high))
    return found


def score_differences(
    ours: Mapping[str, PerText], theirs: Mapping[str, PerText], **options: Any
) -> dict[str, Difference]:
    """Paired bootstrap of the differences of scores that both sides have, by name.

    Args:
        ours: our scores.
        theirs: the others', of the same texts.
        **options: level, samples and seed, as in `score_intervals`.

    Raises:
        ValueError: the numbers of texts differ.
    """
    return {
        name: score_difference([ours[name]], [theirs[name]], **options)
        for name in ours
        if name in theirs
    }


def score_difference(
    ours: Sequence[PerText],
    theirs: Sequence[PerText],
    *,
    level: float = 0.95,
    samples: int = _SAMPLES,
    seed: int = 0,
) -> Difference:
    """Paired bootstrap of the difference of a score, the mean over the systems of each side.

    Args:
        ours: the score of each of our systems, at least one.
        theirs: of the others, for the same texts.
        level: the interval's confidence level, in (0, 1).
        samples: number of resampled sets of texts.
        seed: seeds the resampling.

    Raises:
        ValueError: a side has no system, or the numbers of texts differ.
    """
    sizes = [[len(one.values) for one in side] for side in (ours, theirs)]
    if not ours or not theirs or len({*sizes[0], *sizes[1]}) > 1:
        raise ValueError(f"expected systems of the same texts, found {sizes[0]} and {sizes[1]}")
    both = [
        np.mean([one.resampled(samples, seed) for one in side], axis=0) for side in (ours, theirs)
    ]
    differences = both[0] - both[1]
    low, high = np.quantile(differences[1:], [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(differences[0]), float(low), float(high))

"""Scores of answers as probabilities that they are right, and how well these agree with what is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bin", "Calibration", "Judged", "Reliability"]

_STEPS = 50


class Judged(NamedTuple):
    """Answers whose right answers are known."""

    scores: NDArray[np.float64]
    """(n,) scores that tell how sure a model is; higher is surer."""
    right: NDArray[np.bool_]
    """(n,) whether each answer is right."""


@dataclass(frozen=True)
class Calibration:
    """Turns scores of answers into probabilities that they are right (Platt 1999).

    The probability is the logistic function of `slope` times the score plus `offset`.
    """

    slope: float
    offset: float

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) probabilities for (n,) scores."""
        probabilities: NDArray[np.float64] = _logistic(
            self.slope * np.asarray(scores, np.float64) + self.offset
        )
        return probabilities

    @classmethod
    def fit(cls, scores: NDArray[np.floating], right: NDArray[np.bool_]) -> Self:
        """Maximize the likelihood of which answers are right, by Newton's method.

        The labels are smoothed as Platt does: (a + 1) / (a + 2) and 1 / (b + 2) for a right and b
        wrong answers, so that a model that is always right stays short of certain.

        Args:
            scores: (n,) finite scores of answers, n at least 1.
            right: (n,) whether each is right.
        """
        a, b = int(right.sum()), int((~right).sum())
        labels = np.where(right, (a + 1) / (a + 2), 1 / (b + 2))
        center, spread = scores.mean(), scores.std() or 1.0
        inputs = np.stack([(scores - center) / spread, np.ones(len(scores))], axis=1)
        weights = np.zeros(2)
        for _ in range(_STEPS):
            p = _logistic(inputs @ weights)
            gradient = inputs.T @ (labels - p)
            curvature = (inputs * (p * (1 - p))[:, None]).T @ inputs + 1e-6 * np.eye(2)
            step = np.linalg.solve(curvature, gradient)
            weights += step / max(1.0, np.abs(step).max())
        slope = weights[0] / spread
        return cls(float(slope), float(weights[1] - slope * center))


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence lies in [low, high), or in [low, 1] of the last bin."""

    low: float
    high: float
    answers: int
    """Number of answers, at least 1."""
    confidence: float
    """Their mean confidence."""
    right: float
    """Share of them that is right."""


@dataclass(frozen=True)
class Reliability:
    """Confidence beside correctness, in bins of equal width."""

    bins: Sequence[Bin]
    """The bins that have answers, in order."""

    @classmethod
    def of(cls, confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = 10) -> Self:
        """Compare the confidence of n answers, (n,) in [0, 1], with whether they are right, (n,).

        Raises:
            ValueError: there is no answer.
        """
        if not len(confidence):
            raise ValueError("reliability needs at least one answer")
        places = np.minimum((confidence * bins).astype(int), bins - 1)
        counts = np.bincount(places, minlength=bins)
        stated, found = (np.bincount(places, one, bins) for one in (confidence, right))
        return cls(
            [
                Bin(i / bins, (i + 1) / bins, int(n), float(stated[i] / n), float(found[i] / n))
                for i, n in enumerate(counts)
                if n
            ]
        )

    @property
    def answers(self) -> int:
        """Number of answers."""
        return sum(one.answers for one in self.bins)

    @property
    def confidence(self) -> float:
        """Mean confidence."""
        return self._mean([one.confidence for one in self.bins])

    @property
    def right(self) -> float:
        """Share of answers that is right."""
        return self._mean([one.right for one in self.bins])

    @property
    def error(self) -> float:
        """Expected calibration error (Naeini et al. 2015): mean gap of confidence and `right`."""
        return self._mean([abs(one.confidence - one.right) for one in self.bins])

    def as_json(self) -> Mapping[str, Any]:
        """Bins and means, JSON-serializable."""
        return {
            "answers": self.answers,
            "confidence": self.confidence,
            "right": self.right,
            "calibration_error": self.error,
            "bins": [vars(one) for one in self.bins],
        }

    def _mean(self, values: Sequence[float]) -> float:
        """The mean over answers of a value of each bin."""
        return float(np.average(values, weights=[one.answers for one in self.bins]))


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (1 + np.tanh(x / 2))

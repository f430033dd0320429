"""How sure a model is of an answer, as the probability that it is right, and what it never saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llmar_env.metrics import split_words
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.tokens import up_to_eos

from ..policies.writer import WriterPolicy
from .decoding import read_blocks

__all__ = [
    "Answer",
    "Calibration",
    "KnownWords",
    "UnknownWordsWarning",
    "calibration_error",
    "describe_unknown",
    "mean_log_probs",
]

_BLOCK = 512
_STEPS = 50


class UnknownWordsWarning(UserWarning):
    """Texts have words that no training text has."""


@dataclass(frozen=True)
class Answer:
    """A written answer, and how far to trust it."""

    text: str
    confidence: float | None
    """Probability that the text is the right one, word for word, calibrated on validation texts;
    None for a model without probabilities of words."""
    unknown: tuple[str, ...] = ()
    """The words of the text answered that training never saw, in lower case."""


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


def calibration_error(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], bins: int = 10
) -> float:
    """Expected calibration error (Naeini et al. 2015): mean gap of confidence and correctness.

    Args:
        confidence: (n,) probabilities that answers are right.
        right: (n,) whether they are.
        bins: number of bins of equal width, over which the gaps are averaged by their answers.
    """
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(places, right, bins) - np.bincount(places, confidence, bins)
    return float(np.abs(gaps).sum() / len(confidence))


@torch.no_grad()
def mean_log_probs(
    policy: WriterPolicy, texts: EmbeddedTexts, tokens: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n,) mean log-probabilities of the tokens of answers (n, M), EOS included.

    Args:
        policy: the policy that wrote them, which gives words probabilities.
        texts: the n texts that were answered.
        tokens: the answers, filled with EOS after the end.
    """
    reader = policy.reader
    eos = len(reader.padded_table) - 1
    found = np.zeros(len(texts))
    for places, memory in read_blocks(policy, texts, np.arange(len(texts)), _BLOCK):
        written = torch.as_tensor(tokens[places], device=policy.device)
        asked = up_to_eos(written, eos)
        with policy.precision():
            words = reader.padded_table[written[:, :-1]]
            distribution = policy.distributions_at(memory, words, asked)
            log_probs: Tensor = distribution.log_prob_of(written[asked])
        sums = torch.zeros(len(places), dtype=torch.float64, device=policy.device)
        sums.index_add_(0, asked.nonzero()[:, 0], log_probs.double())
        found[places] = (sums / asked.sum(1)).cpu().numpy()
    return found


class KnownWords:
    """The words of the texts that a model was trained on, whatever their case.

    Args:
        words: the words, in lower case, as `split_words` gives them.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(words)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """The words of texts."""
        return cls(word for text in texts for word in split_words(text))

    def __len__(self) -> int:
        """Count the words."""
        return len(self._words)

    def sorted(self) -> list[str]:
        """The words, in order."""
        return sorted(self._words)

    def unknown(self, text: str) -> tuple[str, ...]:
        """The words of a text that are not known, each once, in lower case; marks do not count."""
        return tuple(
            dict.fromkeys(
                word
                for word in split_words(text)
                if word not in self._words and any(map(str.isalnum, word))
            )
        )


def describe_unknown(texts: Sequence[tuple[str, ...]]) -> str:
    """Say which words of n texts are unknown; "" if none is."""
    count = sum(map(bool, texts))
    words = list(dict.fromkeys(word for one in texts for word in one))
    if not words:
        return ""
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    shown = ", ".join(words[:5])
    return f"{count} of {len(texts)} texts have words that training never saw: {shown}{more}"


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (1 + np.tanh(x / 2))

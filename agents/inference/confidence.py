"""How sure a model is of its answers, and what it never saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llmar_env.metrics import split_words
from llmar_env.retrieval import ExactIndex
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.tokens import up_to_eos

from ..policies.writer import WriterPolicy
from .calibration import Judged
from .decoding import read_blocks

__all__ = [
    "Answer",
    "KnownWords",
    "UnknownWordsWarning",
    "describe_unknown",
    "judge_nearest",
    "margins",
    "mean_log_probs",
]

_BLOCK = 512


class UnknownWordsWarning(UserWarning):
    """Texts have words that no training text has."""


@dataclass(frozen=True)
class Answer:
    """An answer as text, written or found, and how far to trust it."""

    text: str
    confidence: float | None
    """Probability that the text is the right one, calibrated on validation texts; None for a model
    without probabilities of words."""
    unknown: tuple[str, ...] = ()
    """The words of the text answered that training never saw, in lower case."""


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


def margins(cosines: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,) what the best of each row of cosines is ahead of the second by, in [0, 2].

    Args:
        cosines: (n, k) cosines of what was found, best first, k at least 2; -inf where nothing was.
    """
    best, second = np.maximum(cosines[:, :2].astype(np.float64), -1.0).T
    ahead: NDArray[np.float64] = best - second
    return ahead


def judge_nearest(
    answers: NDArray[np.floating], targets: NDArray[np.floating], device: str | None = None
) -> Judged | None:
    """Judge whether n answers (n, D) are nearest to their own of n targets (n, D).

    Targets that are equal count as one. Scores are margins, as of `margins`; None if there are
    fewer than two targets.

    Args:
        answers: the answers.
        targets: the target of each, in the same order.
        device: that of `ExactIndex`, which finds the nearest.
    """
    distinct, own = np.unique(targets, axis=0, return_inverse=True)
    if len(distinct) < 2:
        return None
    found, cosines = ExactIndex(distinct, device).search(answers, 2)
    return Judged(margins(cosines), found[:, 0] == own.ravel())


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

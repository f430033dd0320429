"""Measures of ranked documents, as trec_eval computes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmar_env.retrieval.judgments import Judgments

__all__ = [
    "MEASURES",
    "RANKING_MEASURES",
    "Measure",
    "RankingScores",
    "find_measure",
    "measure_rankings",
    "mrr",
    "ndcg",
    "precision",
    "recall",
]

Measure = Callable[[Judgments, NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Scores the k documents found for each of N queries, rows (N,) and documents (N, k): (N,)."""


def ndcg(
    judgments: Judgments, rows: NDArray[np.int64], found: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Normalized discounted cumulative gain, in [0, 1] (Järvelin and Kekäläinen 2002).

    The gain is the grade, the discount 1 / log2(rank + 1), and the ideal ranking has the judged
    documents by descending grade, as in trec_eval's `ndcg_cut`.
    """
    k = found.shape[1]
    discount = 1 / np.log2(np.arange(2, k + 2))
    # Not a matrix product, whose rounding depends on the number of rows.
    gain = (judgments.grades_of(rows, found) * discount).sum(axis=1)
    ideal = (judgments.best(rows, k) * discount).sum(axis=1)
    return np.asarray(gain / ideal)


def recall(
    judgments: Judgments, rows: NDArray[np.int64], found: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Share of all relevant documents that were found, in [0, 1]."""
    hits = (judgments.grades_of(rows, found) > 0).sum(axis=1)
    return np.asarray(hits / judgments.num_relevant[rows])


def mrr(
    judgments: Judgments, rows: NDArray[np.int64], found: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Reciprocal rank of the first relevant document, in [0, 1]; 0 if none was found."""
    relevant = judgments.grades_of(rows, found) > 0
    return np.where(relevant.any(axis=1), 1 / (1 + relevant.argmax(axis=1)), 0.0)


def precision(
    judgments: Judgments, rows: NDArray[np.int64], found: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Share of the k documents that are relevant, in [0, 1]."""
    return np.asarray((judgments.grades_of(rows, found) > 0).mean(axis=1))


MEASURES: Mapping[str, Measure] = {"ndcg": ndcg, "recall": recall, "mrr": mrr, "p": precision}
"""The measures by name; a cutoff is added to it, as in "ndcg_at_10"."""

_NAME = re.compile(r"(?P<measure>[a-z]+)_at_(?P<k>[1-9][0-9]*)")


def find_measure(name: str) -> tuple[Measure, int]:
    """The measure of a name such as "ndcg_at_10", and its cutoff k.

    Raises:
        ValueError: there is no such measure; the message lists those there are.
    """
    match = _NAME.fullmatch(name)
    if match is None or match["measure"] not in MEASURES:
        raise ValueError(
            f"no ranking measure {name!r}; there are "
            f"{', '.join(f'{measure}_at_K' for measure in MEASURES)}, as in ndcg_at_10"
        )
    return MEASURES[match["measure"]], int(match["k"])


@dataclass(frozen=True)
class RankingScores:
    """Means over queries of measures of their ten best documents, in [0, 1] each."""

    ndcg_at_10: float
    """Normalized discounted cumulative gain."""
    recall_at_10: float
    """Share of the relevant documents that were found."""
    mrr_at_10: float
    """Reciprocal rank of the first relevant document."""
    p_at_1: float
    """Share of queries whose first document is relevant."""
    reward: float | None = None
    """The reward that was trained on, where it is none of the measures."""


RANKING_MEASURES = ("ndcg_at_10", "recall_at_10", "mrr_at_10", "p_at_1")
"""The measures of `RankingScores`."""


def measure_rankings(
    judgments: Judgments, rows: NDArray[np.int64], found: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """The measures of `RankingScores` for each query.

    Args:
        judgments: of the collection.
        rows: (n,) queries.
        found: (n, k) documents, best first. Of fewer than ten, where the collection has no more,
            measures score those.

    Returns:
        By measure, (n,) values.
    """
    values = {}
    for name in RANKING_MEASURES:
        measure, k = find_measure(name)
        values[name] = measure(judgments, rows, found[:, :k])
    return values

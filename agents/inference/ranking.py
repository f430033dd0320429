"""Scores of what queries find in an index: a policy's, and those of baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy

from llmar_env.metrics import (
    Difference,
    RankingScores,
    measure_rankings,
    paired_bootstrap,
)
from llmar_env.retrieval import Collection

from .answering import answer

__all__ = ["Evaluation", "bm25", "evaluate_policy", "evaluate_vectors", "fit_linear"]

_K = 10
# Multiples of the mean squared length of a query, from nearly none to nearly no change.
_PENALTIES = tuple(10.0**power for power in range(-4, 4))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The measures of each of n queries.

    Attributes:
        values: (n,) by the name of the measure, as in `RankingScores`.
    """

    values: Mapping[str, NDArray[np.float64]]

    @property
    def scores(self) -> RankingScores:
        """The means over the queries."""
        return RankingScores(**{name: float(one.mean()) for name, one in self.values.items()})

    def minus(self, other: Evaluation) -> dict[str, Difference]:
        """The differences from another one on the same queries, by the name of the measure."""
        return {
            one.name: paired_bootstrap(self.values[one.name], other.values[one.name])
            for one in fields(RankingScores)
        }


def evaluate_vectors(
    vectors: NDArray[np.floating], collection: Collection, split: str
) -> Evaluation:
    """Search with the vectors (n, D) of the queries of a split, in their order."""
    rows = np.asarray(collection.rows(split))
    found, _ = collection.index.search(vectors, min(_K, len(collection.index)))
    return Evaluation(measure_rankings(collection.judgments, rows, found))


def evaluate_policy(policy: BasePolicy, collection: Collection, split: str) -> Evaluation:
    """Search with a policy's deterministic answers to the queries of a split."""
    answers = answer(policy, collection.source, collection.rows(split)).mean(axis=1)
    return evaluate_vectors(answers, collection, split)


def fit_linear(collection: Collection) -> NDArray[np.float32]:
    """A linear map of queries: ridge regression, drawn to the identity, in closed form.

    The mean vectors q of the training queries are mapped to the unit vectors d of their relevant
    documents: W minimizes sum |q W - d|^2 + c |W - I|^2 over all relevant pairs, each query's with
    a total weight of 1. Of a few penalties c, the one with the highest nDCG on "valid" is taken.

    Returns:
        (D, D) W; a query is searched with q W.
    """
    queries = collection.source.means.astype(np.float64)
    rows = collection.rows("train")
    train, wanted = queries[rows.start : rows.stop], _mean_relevant(collection, rows)
    covariance = train.T @ train
    cross = train.T @ (wanted - train)
    identity = np.eye(queries.shape[1])
    among = collection.rows("valid")
    valid = queries[among.start : among.stop]
    best, best_value = identity, -np.inf
    for penalty in _PENALTIES:
        added = penalty * np.trace(covariance) / len(identity)
        adapter = identity + np.linalg.solve(covariance + added * identity, cross)
        value = evaluate_vectors(valid @ adapter, collection, "valid").scores.ndcg_at_10
        if value > best_value:
            best, best_value = adapter, value
    return best.astype(np.float32)


def _mean_relevant(collection: Collection, rows: range) -> NDArray[np.float64]:
    """(n, D) mean of the unit vectors of the relevant documents of each of n queries."""
    judged = collection.judgments
    span = slice(judged.offsets[rows.start], judged.offsets[rows.stop])
    relevant = judged.grades[span] > 0
    vectors = collection.index.vectors(judged.documents[span]) * relevant[:, None]
    starts = judged.offsets[rows.start : rows.stop] - judged.offsets[rows.start]
    # Every query has a judged document, so that no segment is empty.
    sums: NDArray[np.float64] = np.add.reduceat(vectors.astype(np.float64), starts)
    return sums / judged.num_relevant[rows.start : rows.stop, None]


def bm25(collection: Collection, split: str) -> Evaluation:
    """Search the documents' words by BM25 (Robertson and Zaragoza 2009), as bm25s ranks them.

    Raises:
        ImportError: bm25s is not installed; it comes with the extra `bm25`.
        ValueError: the collection has no strings.
    """
    try:
        import bm25s
    except ModuleNotFoundError:
        raise ImportError('BM25 needs bm25s: pip install "llmar[bm25]"') from None
    if not collection.documents or not collection.sources:
        raise ValueError("BM25 needs queries and documents as strings")
    rows = collection.rows(split)
    quiet = {"show_progress": False}
    ranker = bm25s.BM25()
    ranker.index(bm25s.tokenize(list(collection.documents), stopwords=None, **quiet), **quiet)
    queries = bm25s.tokenize(
        list(collection.sources[rows.start : rows.stop]), stopwords=None, **quiet
    )
    k = min(_K, len(collection.index))
    found, scores = ranker.retrieve(queries, k=k, **quiet)
    # A document without a word of the query is not found, whatever its place in the list.
    found = np.where(scores > 0, found, -1)
    return Evaluation(measure_rankings(collection.judgments, np.asarray(rows), found))

"""Scores of what queries find in an index: a policy's, and those of baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy

from llmar_env.alignment.reward_spec import checked
from llmar_env.envs.retrieve import RetrieveReward
from llmar_env.metrics import (
    Difference,
    RankingScores,
    measure_rankings,
    paired_bootstraps,
    split_words,
)
from llmar_env.retrieval import Collection

from .answering import answer
from .calibration import Judged, Reliability
from .confidence import margins

__all__ = ["BM25", "Evaluation", "Evaluator", "differences", "fit_linear"]

_K = 10
# Multiples of the mean eigenvalue of the queries' covariance, from nearly none to nearly no change.
_PENALTIES = tuple(10.0**power for power in range(-4, 4))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The measures of each of n queries.

    Attributes:
        values: (n,) by the name of the measure, a field of `RankingScores`.
        judged: margins of the first document to the second, and whether the first is relevant;
            None without a second, and of rankings without cosines.
        reliability: confidence in the first document beside whether it is relevant, if known.
    """

    values: Mapping[str, NDArray[np.float64]]
    judged: Judged | None = None
    reliability: Reliability | None = None

    @property
    def scores(self) -> RankingScores:
        """The means over the queries."""
        return RankingScores(**{name: float(one.mean()) for name, one in self.values.items()})


def differences(
    ours: Evaluation, others: Mapping[str, Evaluation]
) -> dict[str, dict[str, Difference]]:
    """Differences from others on the same queries, by name and measure, with 95% intervals."""
    pairs = [
        (name, measure)
        for name, other in others.items()
        for measure in ours.values
        if measure in other.values
    ]
    if not pairs:
        return {}
    values = [ours.values[measure] - others[name].values[measure] for name, measure in pairs]
    found: dict[str, dict[str, Difference]] = {name: {} for name in others}
    for (name, measure), one in zip(pairs, paired_bootstraps(np.stack(values, 1)), strict=True):
        found[name][measure] = one
    return found


@dataclass(frozen=True)
class Evaluator:
    """Scores what queries find in a collection, by the measures of `RankingScores`.

    Attributes:
        collection: queries, documents and judgments.
        reward: another measure, whose values are those of "reward"; or None.
        top_k: number of documents that it scores.
    """

    collection: Collection
    reward: RetrieveReward | None = None
    top_k: int = _K

    def vectors(self, vectors: NDArray[np.floating], split: str) -> Evaluation:
        """Search with the vectors (n, D) of the queries of a split, in their order."""
        collection = self.collection
        rows = np.asarray(collection.rows(split))
        k = _K if self.reward is None else max(_K, self.top_k)
        found, cosines = collection.index.search(vectors, min(k, len(collection.index)))
        values = measure_rankings(collection.judgments, rows, found)
        judged = None
        if found.shape[1] > 1:
            judged = Judged(margins(cosines), values["p_at_1"] > 0)
        if self.reward is not None:
            found, cosines = found[:, : self.top_k], cosines[:, : self.top_k]
            values["reward"] = checked(self.reward, self.reward(found, cosines, rows), found)
        return Evaluation(values, judged)

    def policy(self, policy: BasePolicy, split: str) -> Evaluation:
        """Search with a policy's deterministic answers to the queries of a split."""
        answers = answer(policy, self.collection.source, self.collection.rows(split))
        return self.vectors(answers.mean(axis=1), split)


def fit_linear(collection: Collection) -> NDArray[np.float32]:
    """A linear map of queries: ridge regression, shrunk towards the identity, in closed form.

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
        value = Evaluator(collection).vectors(valid @ adapter, "valid").scores.ndcg_at_10
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


class BM25:
    """The ranking of documents by the words of queries, of bm25s (Robertson and Zaragoza 2009).

    Words are those of `split_words`: lower-cased, Chinese characters one by one.

    Args:
        collection: queries, documents and judgments.

    Raises:
        ImportError: bm25s is not installed; it comes with the extra `bm25`.
        ValueError: the collection has no strings.
    """

    def __init__(self, collection: Collection) -> None:
        try:
            import bm25s
        except ModuleNotFoundError:
            raise ImportError('BM25 needs bm25s: pip install "llmar[bm25]"') from None
        if not collection.documents or not collection.sources:
            raise ValueError("BM25 needs queries and documents as strings")
        self.collection = collection
        self.ranker = bm25s.BM25()
        self.ranker.index([_words(one) for one in collection.documents], show_progress=False)

    def evaluate(self, split: str) -> Evaluation:
        """Score what the words of the queries of a split find."""
        collection = self.collection
        rows = collection.rows(split)
        queries = [_words(one) for one in collection.sources[rows.start : rows.stop]]
        k = min(_K, len(collection.index))
        found, scores = self.ranker.retrieve(queries, k=k, show_progress=False)
        # A document without a word of the query is not found, whatever its place in the list.
        found = np.where(scores > 0, found, -1)
        return Evaluation(measure_rankings(collection.judgments, np.asarray(rows), found))


def _words(text: str) -> list[str]:
    """The words of a text, without punctuation marks."""
    return [word for word in split_words(text) if any(map(str.isalnum, word))]

"""Logged clicks as labels: how much each document was clicked for a query, whatever its rank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmar_env.retrieval.clicks import click_probabilities, examines
from llmar_env.retrieval.collection import Collection
from llmar_env.retrieval.files import Clicks

__all__ = ["ClickCounts"]


@dataclass(frozen=True, eq=False)
class ClickCounts:
    """The clicked pairs of query and document, each with its weight.

    A click at rank r counts 1 / P(the user examines rank r): in expectation, a document's weight
    then does not depend on where it was shown (inverse propensity scoring, Joachims et al. 2017).

    Attributes:
        queries: (p,) int64.
        documents: (p,) int64.
        weights: (p,) float64, above 0.
        impressions: number of rankings in the log.
    """

    queries: NDArray[np.int64]  # (p,)
    documents: NDArray[np.int64]  # (p,)
    weights: NDArray[np.float64]  # (p,)
    impressions: int

    @classmethod
    def of_log(
        cls, log: Iterable[Clicks], queries: Mapping[str, int], documents: Mapping[str, int]
    ) -> ClickCounts:
        """Sum up a log, as `read_clicks` reads it.

        Args:
            log: what was shown at which rank, and whether it was clicked.
            queries: number by query id.
            documents: number by document id.

        Raises:
            ValueError: nothing was clicked.
        """
        shown = [
            (queries[one.query], documents[one.document], one.rank, one.clicked) for one in log
        ]
        query, document, rank, clicked = np.array(shown, np.int64).reshape(-1, 4).T
        if not clicked.any():
            raise ValueError("nothing was clicked in the log: there is nothing to learn from it")
        weight = 1 / examines(int(rank.max()))[rank - 1]
        kept = clicked == 1
        return cls._sum(query[kept], document[kept], weight[kept], int((rank == 1).sum()))

    @classmethod
    def simulate(
        cls, collection: Collection, rows: NDArray[np.int64], impressions: int, *, seed: int
    ) -> ClickCounts:
        """Clicks of simulated users on what the queries' own mean vectors find.

        Args:
            collection: queries, documents and judgments.
            rows: (n,) the queries.
            impressions: number of rankings of ten documents that are shown, spread evenly.
            seed: seeds the clicks.
        """
        found, _ = collection.index.search(
            collection.source.means[rows], min(10, len(collection.index))
        )
        relevant = collection.judgments.grades_of(rows, found) > 0
        generator = np.random.default_rng(seed)
        # The first queries get one more where they cannot all get as many.
        users = impressions // len(rows) + (np.arange(len(rows)) < impressions % len(rows))
        counts = generator.binomial(users[:, None], click_probabilities(relevant))
        place, rank = counts.nonzero()
        weights = counts[place, rank] / examines(found.shape[1])[rank]
        return cls._sum(rows[place], found[place, rank], weights, impressions)

    @classmethod
    def _sum(
        cls,
        query: NDArray[np.int64],
        document: NDArray[np.int64],
        weight: NDArray[np.float64],
        impressions: int,
    ) -> ClickCounts:
        """Add the weights of equal pairs."""
        pairs, place = np.unique(np.stack([query, document], 1), axis=0, return_inverse=True)
        # NumPy 2.0.0 gives the places the shape (n, 1).
        weights: NDArray[np.float64] = np.zeros(len(pairs))
        np.add.at(weights, place.reshape(-1), weight)
        return cls(pairs[:, 0], pairs[:, 1], weights, impressions)

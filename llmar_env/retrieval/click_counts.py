"""Logs of clicks, summed up: how often each document was clicked for a query, and looked at."""

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
    """How often documents were clicked for queries, and how often users looked at them.

    An impression is one ranking that was shown to one user, who examines rank r with the
    probability of `examines`. So clicks / examined estimates how attractive a document is, whatever
    the ranks at which it was shown (the position-based model: Craswell et al. 2008; inverse
    propensity weights: Joachims et al. 2017).

    Attributes:
        queries: (p,) int64, ascending; the pairs of query and document that were shown.
        documents: (p,) int64, ascending within a query.
        clicks: (p,) float64, the number of clicks.
        examined: (p,) float64, the expected number of users who examined the document, above 0.
        impressions: number of rankings in the log.
    """

    queries: NDArray[np.int64]  # (p,)
    documents: NDArray[np.int64]  # (p,)
    clicks: NDArray[np.float64]  # (p,)
    examined: NDArray[np.float64]  # (p,)
    impressions: int

    @classmethod
    def of_log(
        cls, log: Iterable[Clicks], queries: Mapping[str, int], documents: Mapping[str, int]
    ) -> ClickCounts:
        """Sum up a log, as `read_clicks` reads it.

        Args:
            log: what was shown at which rank, and whether it was clicked.
            queries: number by query id; the others' lines are left out.
            documents: number by document id.

        Raises:
            ValueError: nothing was clicked; or of some query the log has a rank more often than
                rank 1, so that it cannot have all that was shown.
        """
        shown = [
            (queries[one.query], documents[one.document], one.rank, one.clicked)
            for one in log
            if one.query in queries
        ]
        query, document, rank, clicked = np.array(shown, np.int64).reshape(-1, 4).T
        if not clicked.any():
            raise ValueError("nothing was clicked in the log: there is nothing to learn from it")
        names = list(queries)
        first = np.zeros(1 + query.max(), np.int64)
        np.add.at(first, query[rank == 1], 1)
        ranks, times = np.unique(np.stack([query, rank], 1), axis=0, return_counts=True)
        if (wrong := times > first[ranks[:, 0]]).any():
            place = int(wrong.argmax())
            one, at = ranks[place].tolist()
            name = names[list(queries.values()).index(one)]
            raise ValueError(
                f"the log has rank {at} of query {name!r} {times[place]} times, and rank 1 only "
                f"{first[one]} times: it must have a line for each document that was shown, "
                "clicked or not"
            )
        examined = examines(int(rank.max()))[rank - 1]
        return cls._sum(query, document, clicked, examined, int((rank == 1).sum()))

    @classmethod
    def simulate(
        cls,
        collection: Collection,
        rows: NDArray[np.int64],
        impressions: int,
        *,
        seed: int,
        top_k: int = 10,
    ) -> ClickCounts:
        """Clicks of simulated users on what the queries' own mean vectors find.

        Args:
            collection: queries, documents and judgments.
            rows: (n,) the queries.
            impressions: number of rankings that are shown, spread evenly over the queries.
            seed: seeds the clicks.
            top_k: number of documents in a ranking.
        """
        found, _ = collection.index.search(
            collection.source.means[rows], min(top_k, len(collection.index))
        )
        relevant = collection.judgments.grades_of(rows, found) > 0
        generator = np.random.default_rng(seed)
        # The first queries get one more where they cannot all get as many.
        users = impressions // len(rows) + (np.arange(len(rows)) < impressions % len(rows))
        counts = generator.binomial(users[:, None], click_probabilities(relevant))
        place, rank = ((found >= 0) & (users > 0)[:, None]).nonzero()
        examined = users[place] * examines(found.shape[1])[rank]
        clicked = counts[place, rank]
        return cls._sum(rows[place], found[place, rank], clicked, examined, impressions)

    @classmethod
    def _sum(
        cls,
        query: NDArray[np.int64],
        document: NDArray[np.int64],
        clicked: NDArray[np.int64],
        examined: NDArray[np.float64],
        impressions: int,
    ) -> ClickCounts:
        """Add what belongs to the same pairs."""
        pairs, place = np.unique(np.stack([query, document], 1), axis=0, return_inverse=True)
        place = place.reshape(-1)  # NumPy 2.0.0 gives it the shape (n, 1)
        clicks: NDArray[np.float64] = np.bincount(place, clicked, len(pairs)).astype(np.float64)
        looks: NDArray[np.float64] = np.bincount(place, examined, len(pairs)).astype(np.float64)
        return cls(pairs[:, 0], pairs[:, 1], clicks, looks, impressions)

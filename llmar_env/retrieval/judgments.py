"""Relevance judgments ("qrels"): how relevant which document is to which query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Judgments"]


@dataclass(frozen=True, eq=False)
class Judgments:
    """The judged documents of n queries, in one ragged store.

    A document that is not judged counts as not relevant, grade 0, as in trec_eval.

    Attributes:
        offsets: (n + 1,) int64; query i has the judgments offsets[i] to offsets[i + 1].
        documents: (total,) int64, the judged documents, ascending within a query.
        grades: (total,) int64, at least 0; a document of grade 1 or above is relevant.
        num_documents: m, the documents of the collection.

    Raises:
        ValueError: the arrays do not fit together, a document is judged twice or out of range, a
            grade is negative, or a query has no relevant document.
    """

    offsets: NDArray[np.int64]  # (n + 1,)
    documents: NDArray[np.int64]  # (total,)
    grades: NDArray[np.int64]  # (total,)
    num_documents: int

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        documents, grades, total = self.documents, self.grades, int(self.offsets[-1])
        if documents.shape != (total,) or grades.shape != (total,) or self.offsets[0] != 0:
            raise ValueError(
                f"offsets end at {total}, but there are {documents.shape} documents and "
                f"{grades.shape} grades"
            )
        if total and not 0 <= documents.min() <= documents.max() < self.num_documents:
            raise ValueError(
                f"documents must lie in 0 to {self.num_documents - 1}, found "
                f"{documents.min()} to {documents.max()}"
            )
        if (grades < 0).any():
            raise ValueError(f"a grade must be at least 0, found {grades.min()}")
        if (np.diff(self._keys) <= 0).any():
            raise ValueError(
                "the documents of a query must be ascending, and none may be judged twice"
            )
        if not self.num_relevant.all():
            raise ValueError(f"query {self.num_relevant.argmin()} has no relevant document")

    @classmethod
    def of(cls, judged: Iterable[tuple[int, int, int]], n: int, num_documents: int) -> Judgments:
        """Store (query, document, grade) triples, in any order, of n queries.

        Raises:
            ValueError: as in the class; or a query is not in 0 to n - 1.
        """
        triples = np.array(list(judged), np.int64).reshape(-1, 3)
        query, document, grade = triples[np.lexsort((triples[:, 1], triples[:, 0]))].T
        if len(query) and not 0 <= query[0] <= query[-1] < n:
            raise ValueError(f"queries must lie in 0 to {n - 1}, found {query[0]} to {query[-1]}")
        counts = np.bincount(query, minlength=n)
        return cls(np.append(0, np.cumsum(counts)), document.copy(), grade.copy(), num_documents)

    def __len__(self) -> int:
        """Count the queries."""
        return len(self.offsets) - 1

    @cached_property
    def queries(self) -> NDArray[np.int64]:
        """(total,) the query of each judgment."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @cached_property
    def num_relevant(self) -> NDArray[np.int64]:
        """(n,) the number of relevant documents of each query, at least 1."""
        return np.bincount(self.queries[self.grades > 0], minlength=len(self))

    def grades_of(self, rows: NDArray[np.int64], documents: NDArray[np.int64]) -> NDArray[np.int64]:
        """Look up grades.

        Args:
            rows: (N,) queries.
            documents: (N, k) documents; -1 where there is none.

        Returns:
            (N, k) grades, 0 where a document is not judged.
        """
        keys = rows[:, None] * self.num_documents + documents
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        judged = (self._keys[place] == keys) & (documents >= 0)
        return np.where(judged, self.grades[place], 0)

    def best(self, rows: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """(N, k) the highest grades of each query, descending, 0 where it has fewer than k."""
        columns = np.arange(k)
        inside = columns < np.diff(self.offsets)[rows, None]
        place = np.where(inside, self.offsets[rows, None] + columns, 0)
        return np.where(inside, self._sorted_grades[place], 0)

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        """(total,) one number for each pair of query and document, ascending."""
        return self.queries * self.num_documents + self.documents

    @cached_property
    def _sorted_grades(self) -> NDArray[np.int64]:
        """(total,) the grades of each query, descending."""
        return self.grades[np.lexsort((-self.grades, self.queries))]

"""The documents that are searched: a frozen index of their unit vectors."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from llmar_env.arrays import Array, as_numpy, as_torch, has_direction, unit

__all__ = ["ExactIndex", "FaissIndex", "Index"]

# Queries and documents compared at a time; their similarities, 4 MB, stay in the cache.
_QUERIES, _DOCUMENTS = 1024, 1024
# The k best are found anew when there are so many times k candidates.
_PRUNED = 2
# Candidates whose cosines are summed at a time; their vectors should stay in the cache.
_CANDIDATES = 512
# Groups of documents for each document that is searched; more of them leave fewer candidates.
_GROUPS = 6


class Index(Protocol):
    """m documents, found by the cosine of their vectors with a query's."""

    dim: int
    """D, the dimension of the vectors."""

    def __len__(self) -> int:
        """Count the documents."""

    def search(
        self, queries: NDArray[np.floating], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the k documents nearest to each query.

        Args:
            queries: (n, D), of any length.
            k: in [1, m].

        Returns:
            Documents (n, k), best first, and their cosines (n, k).
        """

    def vectors(self, documents: NDArray[np.int64]) -> NDArray[np.float32]:
        """(..., D) the unit vectors of documents (...)."""


class ExactIndex:
    """Compares a query with every document.

    What it finds for a query does not depend on the other queries of the batch, nor on the
    library that multiplies: the matrix product, whose rounding depends on both, only selects
    candidates, with a margin for its error; their cosines are then summed one by one. Documents
    with equal cosines are ranked by their number. Memory: the vectors, and at most 64 MB for the
    search.

    Args:
        vectors: (m, D) of any length, finite and not zero.
        device: where products are computed by torch, such as "cpu" or "cuda"; by default NumPy
            computes them.

    Raises:
        ValueError: a vector is zero or not finite, or there is none.
    """

    def __init__(self, vectors: NDArray[np.floating], device: str | None = None) -> None:
        if vectors.ndim != 2 or not len(vectors):
            raise ValueError(f"an index needs vectors (m, D), found shape {vectors.shape}")
        if not (good := has_direction(vectors)).all():
            raise ValueError(f"the vector of document {good.argmin()} is zero or not finite")
        self.dim = int(vectors.shape[1])
        self.device = device
        self._units = _as_units(vectors)
        self._searched: Array = self._units if device is None else as_torch(self._units, device)
        # Bounds the rounding of a float32 product of two unit vectors (Higham 2002, eq. 3.5).
        self._error = self.dim * 2.0**-24

    def __len__(self) -> int:
        """Count the documents."""
        return len(self._units)

    def __deepcopy__(self, memo: dict[int, Any]) -> ExactIndex:
        """Return the index itself: it is immutable, and `gym.make` copies its arguments."""
        return self

    def vectors(self, documents: NDArray[np.int64]) -> NDArray[np.float32]:
        """(..., D) the unit vectors of documents (...)."""
        return self._units[documents]

    def search(
        self, queries: NDArray[np.floating], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the k documents nearest to each query, as in `Index.search`.

        Raises:
            ValueError: k is out of range.
        """
        if not 1 <= k <= len(self):
            raise ValueError(f"k must lie in 1 to {len(self)}, the number of documents, found {k}")
        queries = unit(queries.astype(np.float32, copy=False))
        documents = np.empty((len(queries), k), np.int64)
        cosines = np.empty((len(queries), k), np.float32)
        for first in range(0, len(queries), _QUERIES):
            block = slice(first, first + _QUERIES)
            documents[block], cosines[block] = self._search_block(queries[block], k)
        return documents, cosines

    def _search_block(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """`search` for unit or zero queries (n, D)."""
        query, document = self._candidates(queries, k)
        cosine = self._cosines(queries, query, document)
        best = _k_best(query, document, cosine, k)
        shape = (len(queries), k)
        return document[best].reshape(shape), cosine[best].reshape(shape)

    def _cosines(
        self,
        queries: NDArray[np.float32],
        query: NDArray[np.int64],
        document: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """(c,) cosines of pairs, given by the places of queries (c,) and documents (c,).

        The two buffers stay in the processor's cache; new arrays would take three times as long.
        """
        cosine = np.empty(len(query), np.float32)
        left, right = np.empty((2, _CANDIDATES, self.dim), np.float32)
        for first in range(0, len(query), _CANDIDATES):
            block = slice(first, first + _CANDIDATES)
            size = len(query[block])
            # In the mode "raise", NumPy copies by way of another buffer.
            np.take(queries, query[block], axis=0, out=left[:size], mode="clip")
            np.take(self._units, document[block], axis=0, out=right[:size], mode="clip")
            np.multiply(left[:size], right[:size], out=left[:size])
            left[:size].sum(axis=1, out=cosine[block])
        return cosine

    def _candidates(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Documents that may be among the k nearest: places of queries (c,) and documents (c,)."""
        left: Array = queries if self.device is None else as_torch(queries, self.device)
        xp = array_namespace(left)
        # One buffer for all blocks, small enough to stay in the processor's cache.
        products = xp.empty((len(queries), _DOCUMENTS), dtype=left.dtype, device=device(left))
        bound = np.full(len(queries), -np.inf, np.float32)  # (n,) at most the k-th best cosine
        margin = np.float32(4 * self._error)
        found: list[_Pairs] = []
        for first in range(0, len(self), _DOCUMENTS):
            block = self._searched[first : first + _DOCUMENTS]
            if len(block) == _DOCUMENTS:
                xp.matmul(left, block.T, out=products)
            else:
                products = left @ block.T
            bound, (query, column, cosine) = _reaching(xp, products, bound, margin, k)
            found.append((query, column + first, cosine))
            if sum(len(one[0]) for one in found) >= _PRUNED * k * len(queries):
                bound, found = _pruned(found, bound, margin, k)
        query, document, cosine = _joined(found)
        kept = cosine >= (bound - margin)[query]
        return query[kept], document[kept]


_Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Pairs of query and document: their places (c,) and (c,), and cosines (c,)."""


def _reaching(
    xp: Any, similarity: Array, bound: NDArray[np.float32], margin: np.float32, k: int
) -> tuple[NDArray[np.float32], _Pairs]:
    """The similarities (n, b) that may be among the k best, and a better bound (n,).

    Columns are put into groups. The k-th largest of the groups' maxima is reached by at least k
    columns; and only groups whose maximum reaches the bound are looked at, which are few.
    """
    n, columns = similarity.shape
    groups = min(_GROUPS * k, columns)
    height = columns // groups
    grouped = xp.reshape(similarity[:, : height * groups], (n, height, groups))
    maxima = as_numpy(xp.max(grouped, axis=1))
    if groups >= k:
        reached = np.partition(maxima, groups - k, axis=1)[:, groups - k]
        bound = np.maximum(bound, reached)
    query, group = (maxima >= (bound - margin)[:, None]).nonzero()
    column = group[:, None] + groups * np.arange(height)
    # Columns that are left over belong to no group.
    rest = np.arange(height * groups, columns)
    pairs = [
        (np.repeat(query, height), column.reshape(-1)),
        (np.repeat(np.arange(n), len(rest)), np.tile(rest, n)),
    ]
    query, place = (np.concatenate(part) for part in zip(*pairs, strict=True))
    where = (xp.asarray(one, device=device(similarity)) for one in (query, place))
    cosine = as_numpy(similarity[tuple(where)])
    kept = cosine >= (bound - margin)[query]
    return bound, (query[kept], place[kept], cosine[kept])


def _pruned(
    found: list[_Pairs], bound: NDArray[np.float32], margin: np.float32, k: int
) -> tuple[NDArray[np.float32], list[_Pairs]]:
    """A better bound (n,), by the k best of each query so far, and what still reaches it."""
    query, document, cosine = _joined(found)
    if (np.bincount(query, minlength=len(bound)) < k).any():
        return bound, [(query, document, cosine)]
    k_th = cosine[_k_best(query, document, cosine, k)].reshape(-1, k)[:, -1]
    bound = np.maximum(bound, k_th)
    kept = cosine >= (bound - margin)[query]
    return bound, [(query[kept], document[kept], cosine[kept])]


def _joined(found: list[_Pairs]) -> _Pairs:
    query, document, cosine = (np.concatenate(part) for part in zip(*found, strict=True))
    return query, document, cosine


def _as_units(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """The vectors at unit length, in blocks and without a copy if they have it already."""
    units = vectors.astype(np.float32, copy=False)
    for first in range(0, len(vectors), _DOCUMENTS):
        block = slice(first, first + _DOCUMENTS)
        scaled = unit(vectors[block].astype(np.float32, copy=False))
        if not np.allclose(scaled, units[block], rtol=0, atol=1e-6):
            if units is vectors or not units.flags.writeable:
                units = units.copy()
            units[block] = scaled
    return units


def _k_best(
    query: NDArray[np.int64], document: NDArray[np.int64], cosine: NDArray[np.float32], k: int
) -> NDArray[np.int64]:
    """(n * k,) places of the k largest cosines of each query, at least k each, best first."""
    order = np.lexsort((document, -cosine, query))
    starts = np.flatnonzero(np.diff(query[order], prepend=-1))
    best: NDArray[np.int64] = order[(starts[:, None] + np.arange(k)).ravel()]
    return best


class FaissIndex:
    """A FAISS index over unit vectors, for collections that an exact search is too slow for.

    Approximate indexes may find fewer than k documents; the places that are left hold -1, which
    no query finds relevant.

    Args:
        vectors: (m, D) of any length, finite and not zero.
        factory: as in `faiss.index_factory`, such as "HNSW32" or "IVF1024,Flat".

    Raises:
        ImportError: FAISS is not installed; it comes with the extra `faiss`.
        ValueError: a vector is zero or not finite.
    """

    def __init__(self, vectors: NDArray[np.floating], factory: str = "HNSW32") -> None:
        try:
            import faiss
        except ModuleNotFoundError:
            raise ImportError('FaissIndex needs faiss: pip install "llmar[faiss]"') from None
        if not (good := has_direction(vectors)).all():
            raise ValueError(f"the vector of document {good.argmin()} is zero or not finite")
        self.dim = int(vectors.shape[1])
        self._index: Any = faiss.index_factory(self.dim, factory, faiss.METRIC_INNER_PRODUCT)
        self._units = _as_units(vectors)
        self._index.train(self._units)
        self._index.add(self._units)

    def __len__(self) -> int:
        """Count the documents."""
        return int(self._index.ntotal)

    def __deepcopy__(self, memo: dict[int, Any]) -> FaissIndex:
        """Return the index itself: it is immutable, and `gym.make` copies its arguments."""
        return self

    def vectors(self, documents: NDArray[np.int64]) -> NDArray[np.float32]:
        """(..., D) the unit vectors of documents (...)."""
        return self._units[documents]

    def search(
        self, queries: NDArray[np.floating], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find documents near to each query, as in `Index.search`."""
        cosines, documents = self._index.search(unit(queries.astype(np.float32, copy=False)), k)
        return documents, cosines

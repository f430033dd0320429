"""A store of embedded texts: ragged sequences of vectors, looked up by row number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import ArrayLike, NDArray

from llmar_env.arrays import Array, has_direction, unit

__all__ = ["EmbeddedTexts", "gather_padded", "like_length", "shareable", "split_by_padding"]

_Scalar = TypeVar("_Scalar", bound=np.generic)

# Padded texts of a block take at most this many times the memory of the texts themselves.
_MOST_PADDING = 4
# How many texts are averaged at a time; bounds the memory that they take.
_MEAN_BLOCK = 4096


def gather_padded(
    padded_table: Array, ids: Array | None, offsets: Array, index: Array, max_length: int
) -> tuple[Array, Array]:
    """Look texts up in a ragged store, as one padded batch.

    Works on NumPy arrays and on torch tensors of one device.

    Args:
        padded_table: (V + 1, D) vectors, the last of them zero.
        ids: (total,) integers, the row of the table at every position of every text, or None
            where the table holds the positions themselves, in order.
        offsets: (n + 1,) integers; text i takes the positions offsets[i] to offsets[i + 1].
        index: (B,) integers, the texts to look up.
        max_length: L, at least the length of every text that is looked up.

    Returns:
        vectors (B, L, D), zero rows after a text's end, and lengths (B,).
    """
    xp = array_namespace(padded_table, offsets, index)
    start = xp.take(offsets, index, axis=0)
    lengths = xp.take(offsets, index + 1, axis=0) - start
    step = xp.arange(max_length, device=device(offsets))
    inside = step[None, :] < lengths[:, None]
    # Positions after a text's end read position 0, which is always there, and are replaced.
    positions = xp.where(inside, start[:, None] + step, 0)
    rows = positions if ids is None else xp.reshape(_take(xp, ids, positions), positions.shape)
    padding = padded_table.shape[0] - 1
    vectors = _take(xp, padded_table, xp.where(inside, rows, padding))
    return xp.reshape(vectors, (*inside.shape, padded_table.shape[1])), lengths


def _take(xp: Any, array: Array, index: Array) -> Array:
    return xp.take(array, xp.reshape(index, (-1,)), axis=0)


def like_length(lengths: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Group texts of similar length, so that little of a batch is padding.

    Args:
        lengths: (n,) of the texts.
        size: the most texts of a block, at least 1.

    Returns:
        The places (b,) in `lengths` of each block, the shortest texts first; each place once.
    """
    order = np.argsort(lengths, kind="stable")
    return np.array_split(order, -(-len(order) // size)) if len(order) else []


def split_by_padding(lengths: NDArray[np.int64]) -> list[slice]:
    """Split texts where padding all to the longest would take much more than the texts do.

    One text among many that is far longer than they are gets a block of its own; texts of ordinary
    lengths stay together.

    Args:
        lengths: (n,) of the texts, at least 1, in descending order.

    Returns:
        Consecutive slices. Padded to its longest, a slice has at most four times as many vectors
        as without padding. There are at most 1 + log_4 (longest / shortest) slices.
    """
    slices, first = [], 0
    while first < len(lengths):
        means = np.cumsum(lengths[first:]) / np.arange(1, len(lengths) - first + 1)
        stop = first + int((means * _MOST_PADDING >= lengths[first]).sum())
        slices.append(slice(first, stop))
        first = stop
    return slices


def shareable(table: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """A table of vectors that stores can share without a copy.

    Args:
        table: (V, D).

    Returns:
        (V, D) read-only, a view of an array with one more row, of zeros: `table` itself if it is
        such a view already, or else a copy.
    """
    shape = (len(table) + 1, *table.shape[1:])
    base = table.base
    if isinstance(base, np.ndarray) and (base.shape, base.dtype) == (shape, table.dtype):
        whole = base.ctypes.data == table.ctypes.data and base.strides == table.strides
        fixed = not (base.flags.writeable or table.flags.writeable)
        if whole and fixed and base.flags.c_contiguous and not base[-1].any():
            return table
    padded = np.zeros(shape, table.dtype)
    padded[:-1] = table
    padded.flags.writeable = False
    return padded[:-1]


def _read_only(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """The array if it is read-only, or else a read-only view; the array itself is unchanged."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False)
class EmbeddedTexts:
    """n texts, each a sequence of D-vectors, in one ragged store.

    Texts that share a vocabulary keep one table of vectors and integer ids; texts with their
    own vectors (contextual embeddings, other modalities) keep the rows themselves, of any floating
    type, and no ids. The store is immutable and is passed by reference, also through `deepcopy`.

    Processes can share one: its arrays are read-only, each vector is in memory once, and a pickle
    of protocol 5 passes the arrays as buffers, which `pickle.loads` uses without a copy.

    Attributes:
        table: (V, D) floating: the vocabulary's vectors, or all rows of all texts in order.
        ids: (total,) int32 into `table`, or None where `table` holds the rows themselves.
        offsets: (n + 1,) int64; text i takes positions offsets[i] to offsets[i + 1].
        padded_table: (V + 1, D) the table and a zero row for padding; `table` is a
            view of it.
    """

    table: NDArray[np.floating]  # (V, D)
    ids: NDArray[np.int32] | None  # (total,)
    offsets: NDArray[np.int64]  # (n + 1,)
    padded_table: NDArray[np.floating] = field(init=False)  # (V + 1, D)

    def __post_init__(self) -> None:
        """Check the shapes, and that every position of every text has a vector."""
        if self.table.ndim != 2 or not np.issubdtype(self.table.dtype, np.floating):
            raise ValueError(
                f"table must be (V, D) floating, found {self.table.dtype} {self.table.shape}"
            )
        if len(self.offsets) < 2 or self.offsets[0] != 0:
            raise ValueError("a store holds at least one text, and its offsets begin at 0")
        empty = np.flatnonzero(np.diff(self.offsets) <= 0)
        if len(empty):
            raise ValueError(f"text {empty[0]} has no vectors; every text must have at least one")
        total = len(self.table) if self.ids is None else len(self.ids)
        if self.offsets[-1] != total:
            raise ValueError(f"offsets end at {self.offsets[-1]}, but there are {total} positions")
        if self.ids is not None and not 0 <= self.ids.min() <= self.ids.max() < len(self.table):
            raise ValueError(f"ids must lie in 0 to {len(self.table) - 1}, the rows of the table")
        # A zero vector marks the end of a text wherever texts are padded.
        bad = ~has_direction(self.table)
        if (
            bad.any()
            and (places := np.flatnonzero(bad if self.ids is None else bad[self.ids])).size
        ):
            text = int(np.searchsorted(self.offsets, places[0], side="right")) - 1
            raise ValueError(
                f"text {text} has a vector that is zero or not finite, at its position "
                f"{places[0] - self.offsets[text]}"
            )
        table = shareable(self.table)
        self.__dict__.update(table=table, padded_table=table.base, offsets=_read_only(self.offsets))
        if self.ids is not None:
            self.__dict__["ids"] = _read_only(self.ids)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the table, which is a view of the padded one."""
        return {name: value for name, value in self.__dict__.items() if name != "table"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the arrays, which were checked when the store was made, as read-only."""
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        self.__dict__.update(state, table=state["padded_table"][:-1])

    @classmethod
    def from_ids(cls, table: NDArray[np.floating], texts: Iterable[list[int]]) -> EmbeddedTexts:
        """Store texts given as lists of row numbers of `table`, (V, D)."""
        sequences = list(texts)
        offsets = np.fromiter(
            accumulate(map(len, sequences), initial=0), np.int64, len(sequences) + 1
        )
        flat = (token for sequence in sequences for token in sequence)
        return cls(table, np.fromiter(flat, np.int32, int(offsets[-1])), offsets)

    @classmethod
    def from_vectors(cls, texts: Iterable[ArrayLike]) -> EmbeddedTexts:
        """Store texts given as (length, D) arrays of their own vectors."""
        sequences = [np.asarray(text) for text in texts]
        offsets = np.cumsum([0, *map(len, sequences)], dtype=np.int64)
        # With the padded table's zero row at the end, so that they are not copied again.
        zero = [np.zeros((1, *text.shape[1:]), text.dtype) for text in sequences[:1]]
        padded = np.concatenate([*sequences, *zero])
        padded.flags.writeable = False
        return cls(padded[:-1], None, offsets)

    def __len__(self) -> int:
        """Count the texts."""
        return len(self.offsets) - 1

    def __deepcopy__(self, memo: dict[int, Any]) -> EmbeddedTexts:
        """Return the store itself: it is immutable, and `gym.make` copies its arguments."""
        return self

    def __repr__(self) -> str:
        return (
            f"EmbeddedTexts(n={len(self)}, dim={self.dim}, max_length={self.max_length}, "
            f"fingerprint={self.fingerprint})"
        )

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors."""
        return int(self.table.shape[1])

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) the number of vectors of each text."""
        return np.diff(self.offsets)

    @cached_property
    def max_length(self) -> int:
        """The length of the longest text."""
        return int(self.lengths.max())

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that identify the content of this store."""
        digest = hashlib.sha256(f"{self.table.dtype} {self.table.shape}".encode())
        for array in (self.table, self.ids, self.offsets):
            digest.update(b"none" if array is None else np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]

    @cached_property
    def means(self) -> NDArray[np.float32]:
        """(n, D) the mean vector of each text."""
        means = np.empty((len(self), self.dim), np.float32)
        for first in range(0, len(self), _MEAN_BLOCK):
            offsets = self.offsets[first : first + _MEAN_BLOCK + 1]
            span = slice(offsets[0], offsets[-1])
            rows = self.table[span] if self.ids is None else self.table[self.ids[span]]
            sums = np.add.reduceat(rows.astype(np.float32), offsets[:-1] - offsets[0], axis=0)
            means[first : first + _MEAN_BLOCK] = sums / np.diff(offsets)[:, None]
        return _read_only(means)

    @cached_property
    def unit_means(self) -> NDArray[np.float32]:
        """(n, D) the mean vector of each text, scaled to unit length."""
        return _read_only(unit(self.means))

    def gather(
        self, index: ArrayLike, length: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Look up texts as one padded batch.

        Args:
            index: (B,) integers in [0, n).
            length: L, at least the length of every text of the batch; by default `max_length`.

        Returns:
            vectors (B, L, D) float32, zero rows after a text's end, and lengths (B,).

        Raises:
            IndexError: a row is not in the store.
        """
        rows = np.asarray(index, np.int64)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(
                f"rows must lie in 0 to {len(self) - 1}, found {rows.min()} to {rows.max()}"
            )
        vectors, lengths = gather_padded(
            self.padded_table, self.ids, self.offsets, rows, length or self.max_length
        )
        return vectors.astype(np.float32, copy=False), lengths

    def blocks(
        self, rows: ArrayLike, size: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]]:
        """Look up texts in blocks of similar length, which take memory by the texts' own lengths.

        Args:
            rows: (n,) integers, the texts.
            size: the most texts of a block, at least 1.

        Yields:
            The places (b,) in `rows` of a block's texts, vectors (b, L, D) float32 and lengths
            (b,), as `gather` gives them but padded to the longest of the block.

        Raises:
            IndexError: a row is not in the store.
        """
        index = np.asarray(rows, np.int64)
        for texts in like_length(self.lengths[index], size):
            lengths = self.lengths[index[texts]]  # ascending
            for part in reversed(split_by_padding(lengths[::-1])):
                places = texts[::-1][part][::-1]
                yield places, *self.gather(index[places], int(lengths[::-1][part.start]))

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> EmbeddedTexts:
        """The store of some texts, in the order of their rows (n,)."""
        chosen = np.asarray(rows, np.int64)
        lengths = self.lengths[chosen]
        offsets = np.append(0, np.cumsum(lengths))
        positions = np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], lengths)
        if self.ids is None:
            return EmbeddedTexts(self.table[positions], None, offsets)
        return EmbeddedTexts(self.table, self.ids[positions], offsets)

    def truncate(self, max_length: int) -> tuple[EmbeddedTexts, int]:
        """Keep the first `max_length` vectors of each text.

        Returns:
            The shortened store and the number of texts that were cut.

        Raises:
            ValueError: `max_length` is below 1.
        """
        if max_length < 1:
            raise ValueError(f"max_length must be at least 1, found {max_length}")
        cut = int((self.lengths > max_length).sum())
        if not cut:
            return self, 0
        kept = np.minimum(self.lengths, max_length)
        offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        positions = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1] - offsets[:-1], kept)
        if self.ids is None:
            return EmbeddedTexts(self.table[positions], None, offsets), cut
        return EmbeddedTexts(self.table, self.ids[positions], offsets), cut

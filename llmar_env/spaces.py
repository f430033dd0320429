"""Spaces of observations that refer to vectors by number: text rows and tokens."""

from __future__ import annotations

import copyreg
import multiprocessing
import warnings
from copy import deepcopy
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, Self, TypeVar

import numpy as np
from gymnasium import spaces

from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.vocabulary import Vocabulary

__all__ = ["TextIndex", "TokenIndex"]

DataT = TypeVar("DataT", EmbeddedTexts, Vocabulary)


class _Index(spaces.Box, Generic[DataT]):
    """`Box(0, n - 1, (size,), int64)`: indices into data that the space carries.

    A policy made for the space looks the vectors up on its own device. The space carries the
    data's fingerprint too, so that two spaces are equal only if their data are. Pickling a space
    drops the data and keeps the fingerprint; compared with an equal space that has the data, as
    SB3 compares a saved model's space with the environment's, it takes them from there. Only what a
    worker process sends to its parent through a pipe has the data: the parent may have no copy.
    """

    _data: DataT | None
    fingerprint: str

    def __init__(self, data: DataT, size: int, seed: int | None) -> None:
        super().__init__(0, len(data) - 1, (size,), np.int64, seed)
        self.dim = data.dim
        self.fingerprint = data.fingerprint
        self.attach(data)

    def attach(self, data: DataT) -> None:
        """Set the data, whose fingerprint must be that of the space."""
        assert data.fingerprint == self.fingerprint
        self._data = data

    @property
    def n(self) -> int:
        """The number of valid indices."""
        return int(self.high[0]) + 1

    def __eq__(self, other: object) -> bool:
        """Whether the other is a space of the same type and shape, on the same data.

        If one of two equal spaces lacks the data, it takes those of the other.
        """
        if (
            type(other) is not type(self)
            or self.shape != other.shape
            or self.fingerprint != other.fingerprint
        ):
            return False
        if self._data is None:
            self._data = other._data
        elif other._data is None:
            other._data = self._data
        return True

    __hash__ = None  # type: ignore[assignment]  # as in Box, whose arrays cannot be hashed

    def __getstate__(self) -> dict[str, Any]:
        """Leave the data out of pickles: they are not part of a model."""
        return {**self.__dict__, "_data": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the space and its generator, and share the data."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(deepcopy(self.__dict__, memo))
        return copy


class TextIndex(_Index[EmbeddedTexts]):
    """`Box(0, n - 1, (1,), int64)`: the row of a text in a store of n embedded texts.

    Attributes:
        n: the number of texts in the store.
        dim: D, the dimension of the vectors.
        max_length: L, the length of the longest text.
        fingerprint: the store's fingerprint.
    """

    def __init__(self, texts: EmbeddedTexts, seed: int | None = None) -> None:
        super().__init__(texts, 1, seed)
        self.max_length = texts.max_length

    @property
    def texts(self) -> EmbeddedTexts | None:
        """The store, or None in an unpickled space that has not found it."""
        return self._data

    def __repr__(self) -> str:
        return f"TextIndex(n={self.n}, dim={self.dim}, fingerprint={self.fingerprint})"


class TokenIndex(_Index[Vocabulary]):
    """`Box(0, V - 1, (M,), int64)`: a written text, padded with EOS.

    Attributes:
        n: V, the number of tokens; the last, V - 1, is EOS.
        dim: D, the dimension of the vectors.
        max_length: M, the maximum number of words in a text.
        fingerprint: the vocabulary's fingerprint.
    """

    def __init__(self, vocabulary: Vocabulary, max_length: int, seed: int | None = None) -> None:
        super().__init__(vocabulary, max_length, seed)
        self.max_length = max_length

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The tokens, or None in an unpickled space that has not found them."""
        return self._data

    def __repr__(self) -> str:
        return (
            f"TokenIndex(n={self.n}, max_length={self.max_length}, dim={self.dim}, "
            f"fingerprint={self.fingerprint})"
        )


def _reduce_for_pipe(space: _Index[Any]) -> tuple[Any, ...]:
    """Pickle a space for a pipe between processes, from a worker to its parent with the data."""
    state = space.__getstate__()
    if multiprocessing.parent_process() is not None:
        state["_data"] = space._data
    return copyreg.__newobj__, (type(space),), state  # type: ignore[attr-defined]  # not in its stub


for _kind in (TextIndex, TokenIndex):
    ForkingPickler.register(_kind, _reduce_for_pipe)


@spaces.utils.flatdim.register(_Index)
def _flatdim(space: _Index[Any]) -> int:
    # Code that flattens a space for a plain network calls this first, as SB3's MlpPolicy does, so
    # this is the one place to warn about such a network.
    warnings.warn(
        "the index observation is a row number, and a network that flattens it sees a "
        "meaningless scalar: use agents.GRUPolicy, or make the environment with "
        'observation="embeddings"',
        stacklevel=3,
    )
    return int(space.shape[0])

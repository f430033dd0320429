"""Spaces of observations that refer to vectors by number: text rows and tokens."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any, ClassVar, Self

import numpy as np
from gymnasium import spaces

from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.vocabulary import Vocabulary

__all__ = ["TextIndex", "TokenIndex"]


class _Index(spaces.Box):
    """`Box(0, n - 1, (size,), int64)`: indices into data that the space carries.

    A policy made for the space looks the vectors up on its own device. The space carries the
    data's fingerprint too, so that two spaces are equal only if their data are. Pickling
    a space drops the data and keeps the fingerprint.
    """

    data: ClassVar[str]  # the name of the attribute that holds the data

    def __init__(self, n: int, size: int, dim: int, fingerprint: str, seed: int | None) -> None:
        super().__init__(0, n - 1, (size,), np.int64, seed)
        self.dim = dim
        self.fingerprint = fingerprint

    @property
    def n(self) -> int:
        """The number of valid indices."""
        return int(self.high[0]) + 1

    def __eq__(self, other: object) -> bool:
        """Whether the other is a space of the same type and shape, on the same data."""
        return (
            type(other) is type(self)
            and self.shape == other.shape
            and self.fingerprint == other.fingerprint
        )

    __hash__ = None  # type: ignore[assignment]  # as in Box, whose arrays cannot be hashed

    def __getstate__(self) -> dict[str, Any]:
        """Leave the data out of pickles: they are not part of a model."""
        return {**self.__dict__, self.data: None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the space and its generator, and share the data."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(deepcopy(self.__dict__, memo))
        return copy


class TextIndex(_Index):
    """`Box(0, n - 1, (1,), int64)`: the row of a text in a store of n embedded texts.

    Attributes:
        texts: the store, or None in an unpickled space.
        n: the number of texts in the store.
        dim: D, the dimension of the vectors.
        max_length: L, the length of the longest text.
        fingerprint: the store's fingerprint.
    """

    data = "texts"
    texts: EmbeddedTexts | None

    def __init__(self, texts: EmbeddedTexts, seed: int | None = None) -> None:
        super().__init__(len(texts), 1, texts.dim, texts.fingerprint, seed)
        self.texts = texts
        self.max_length = texts.max_length

    def __repr__(self) -> str:
        return f"TextIndex(n={self.n}, dim={self.dim}, fingerprint={self.fingerprint})"


class TokenIndex(_Index):
    """`Box(0, V - 1, (M,), int64)`: a written text, padded with EOS.

    Attributes:
        vocabulary: the tokens, or None in an unpickled space.
        n: V, the number of tokens; the last, V - 1, is EOS.
        dim: D, the dimension of the vectors.
        max_length: M, the maximum number of words in a text.
        fingerprint: the vocabulary's fingerprint.
    """

    data = "vocabulary"
    vocabulary: Vocabulary | None

    def __init__(self, vocabulary: Vocabulary, max_length: int, seed: int | None = None) -> None:
        super().__init__(len(vocabulary), max_length, vocabulary.dim, vocabulary.fingerprint, seed)
        self.vocabulary = vocabulary
        self.max_length = max_length

    def __repr__(self) -> str:
        return (
            f"TokenIndex(n={self.n}, max_length={self.max_length}, dim={self.dim}, "
            f"fingerprint={self.fingerprint})"
        )


@spaces.utils.flatdim.register(_Index)
def _flatdim(space: _Index) -> int:
    # Code that flattens a space for a plain network calls this first, as SB3's MlpPolicy does, so
    # this is the one place to warn about such a network.
    warnings.warn(
        "the index observation is a row number, and a network that flattens it sees a "
        "meaningless scalar: use agents.GRUPolicy, or make the environment with "
        'observation="embeddings"',
        stacklevel=3,
    )
    return int(space.shape[0])

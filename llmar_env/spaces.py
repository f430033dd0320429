"""Observations that stand for vectors: the row of a text, the tokens of a vocabulary."""

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
    """`Box(0, n - 1, (size,), int64)`: numbers of vectors in data that the space carries.

    A policy made for the space looks the vectors up on its own device. The space carries the
    data's fingerprint too, so that two spaces are equal only if their data are. A pickled
    space leaves the data behind and keeps the fingerprint.
    """

    data: ClassVar[str]  # the attribute that holds them

    def __init__(self, n: int, size: int, dim: int, fingerprint: str, seed: int | None) -> None:
        super().__init__(0, n - 1, (size,), np.int64, seed)
        self.dim = dim
        self.fingerprint = fingerprint

    @property
    def n(self) -> int:
        """How many numbers there are."""
        return int(self.high[0]) + 1

    def __eq__(self, other: object) -> bool:
        """Whether the other is such a space, of one shape and on the same data."""
        return (
            type(other) is type(self)
            and self.shape == other.shape
            and self.fingerprint == other.fingerprint
        )

    __hash__ = None  # type: ignore[assignment]  # as in Box, whose arrays cannot be hashed

    def __getstate__(self) -> dict[str, Any]:
        """Leave the data out of pickles: they are no part of a model."""
        return {**self.__dict__, self.data: None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the space, its generator included, and share the data."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(deepcopy(self.__dict__, memo))
        return copy


class TextIndex(_Index):
    """`Box(0, n - 1, (1,), int64)`: the row of a text in a store of n embedded texts.

    Attributes:
        texts: the store, or None in a space that came out of a pickle.
        n: the number of texts in the store.
        dim: D, the dimension of the vectors.
        max_length: L, the length of the longest text.
        fingerprint: of the store.
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
    """`Box(0, V - 1, (M,), int64)`: a written text, filled with EOS behind its end.

    Attributes:
        vocabulary: the tokens, or None in a space that came out of a pickle.
        n: V, EOS included, which is V - 1.
        dim: D, the dimension of the vectors.
        max_length: M, the most words of a text.
        fingerprint: of the vocabulary.
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
    # Whoever flattens a space to feed a plain network asks for this number first: SB3's
    # MlpPolicy does, and it is the one moment at which such a network can be warned about.
    warnings.warn(
        "the index observation is a row number, and a network that flattens it sees a "
        "meaningless scalar: use agents.GRUPolicy, or make the environment with "
        'observation="embeddings"',
        stacklevel=3,
    )
    return int(space.shape[0])

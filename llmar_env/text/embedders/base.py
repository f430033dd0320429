"""What turns texts into sequences of vectors."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from llmar_env.text.embedded import EmbeddedTexts

__all__ = ["Embedder", "Encoded", "Encoder", "Lookup", "TokenEmbedder"]


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into sequences of vectors."""

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors."""

    def fit(self, texts: Sequence[str]) -> Embedder:
        """Learn from the training texts, and return the embedder itself."""

    def embed(self, texts: Sequence[str]) -> EmbeddedTexts:
        """Embed texts, in order.

        Raises:
            ValueError: a text has nothing to embed; a text never becomes a zero vector.
        """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file that `load` reads back."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Embedder:
        """Read what `save` wrote."""


@runtime_checkable
class TokenEmbedder(Embedder, Protocol):
    """An embedder with one vector for each token, in every text: what a writer needs."""

    @property
    def table(self) -> NDArray[np.float32]:
        """(V, D) the vector of each token, read-only; V may grow, but no row ever changes."""

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, rows of `table`.

        Raises:
            ValueError: a text yields no token.
        """

    def detokenize(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each sequence of token ids."""


class Encoded(NamedTuple):
    """The vectors of n texts, as a model gives them.

    Attributes:
        vectors: (total, D) floating, all vectors of all texts in order.
        offsets: (n + 1,) int64; text i has the vectors offsets[i] to offsets[i + 1], maybe none.
        cut: (n,) bool, whether a text is longer than the model reads, and its end was left out.
    """

    vectors: NDArray[np.floating]  # (total, D)
    offsets: NDArray[np.int64]  # (n + 1,)
    cut: NDArray[np.bool_]  # (n,)


class _Model(Protocol):
    """A frozen model: where it is, and what decides its vectors."""

    @property
    def spec(self) -> str:
        """The string that `embedder` takes."""

    @property
    def revision(self) -> str:
        """64 hex digits, a hash of the content of the model's files."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What decides the vectors besides the files, JSON-serializable."""

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors; may load the model."""


class Encoder(_Model, Protocol):
    """A frozen model that reads a text as a whole."""

    def encode(self, texts: Sequence[str], advance: Callable[[int], object]) -> Encoded:
        """The vectors of texts, in order.

        Args:
            texts: n texts, best sorted by length.
            advance: called with the number of texts done since the last call.
        """


class Lookup(_Model, Protocol):
    """A frozen model with one vector for each token."""

    @property
    def words(self) -> list[str]:
        """The tokens by id, where ids are given as tokens come up; empty if the model has ids."""

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(V, D) the vector of each token; V may grow, but no row ever changes."""

    @property
    def weighted(self) -> bool:
        """Whether the length of a vector is the weight of its token in the mean of a text."""

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text; unknown tokens are left out, and a warning counts them."""

    def detokenize(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each sequence of token ids."""

"""What turns texts into sequences of vectors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from llmar_env.text.embedded import EmbeddedTexts

__all__ = ["Embedder"]


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

"""Documents to search, with their texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmar_env.retrieval import Collection, ExactIndex, Index
from llmar_env.text.embedders import Embedder

__all__ = ["Documents", "Hit"]


@dataclass(frozen=True)
class Hit:
    """A document that was found."""

    id: str
    text: str
    score: float
    """Cosine with the vector that was searched with, in [-1, 1]."""
    confidence: float | None = None
    """Of the first document found, the probability that it is relevant, by its margin to the
    second, calibrated on validation queries; None of the others."""


@dataclass(frozen=True, eq=False)
class Documents:
    """Documents in an index, with their ids and texts.

    Attributes:
        index: m documents.
        ids: m ids.
        texts: m strings.
    """

    index: Index
    ids: Sequence[str]
    texts: Sequence[str]

    @property
    def digest(self) -> str:
        """24 hex digits, which the ids and texts determine."""
        found = hashlib.sha256()
        for one in zip(self.ids, self.texts, strict=True):
            found.update(json.dumps(one).encode())
        return found.hexdigest()[:24]

    @classmethod
    def embed(
        cls, documents: Mapping[str, str], embedder: Embedder, device: str | None = None
    ) -> Documents:
        """Embed texts by id; `device` is that of `ExactIndex`."""
        texts = list(documents.values())
        return cls(ExactIndex(embedder.embed(texts).means, device), list(documents), texts)

    @classmethod
    def of(cls, collection: Collection) -> Documents:
        """The documents of a collection; their numbers are their ids where it has no others.

        Raises:
            ValueError: it has no strings.
        """
        if not collection.documents:
            raise ValueError("the collection has no strings: there is nothing to show")
        ids = collection.document_ids or [str(i) for i in range(len(collection.index))]
        return cls(collection.index, ids, collection.documents)

    def search(self, vectors: NDArray[np.floating], k: int) -> list[list[Hit]]:
        """The k documents nearest to each of n vectors (n, D), best first.

        Raises:
            ValueError: k is not between 1 and the number of documents.
        """
        found, cosines = self.index.search(vectors, k)
        return [
            [
                Hit(self.ids[document], self.texts[document], cosine)
                for document, cosine in zip(documents, scores, strict=True)
                if document >= 0
            ]
            for documents, scores in zip(found.tolist(), cosines.tolist(), strict=True)
        ]

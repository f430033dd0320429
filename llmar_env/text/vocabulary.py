"""The tokens that written texts consist of: vectors in, words out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmar_env.arrays import has_direction, unit
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import TokenEmbedder

__all__ = ["Vocabulary"]

# How many tokens are compared with all others at a time; bounds the memory that this takes.
_BLOCK = 512


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """V tokens, each a vector: words or pieces of words, and then EOS.

    An action is read as the token nearest to it by cosine. Immutable; passed by reference.

    Attributes:
        table: (V - 1, D) float32, the vectors of the words, as in embedded texts.
        ids: (V - 1,) int64, their ids in the embedder.
        embedder: turns ids into text and back.

    Raises:
        ValueError: there is no word, a word has no direction, or two tokens have the same
            direction, so that no action could select one rather than the other.
    """

    table: NDArray[np.float32]  # (V - 1, D)
    ids: NDArray[np.int64]  # (V - 1,)
    embedder: TokenEmbedder

    def __post_init__(self) -> None:
        """Check that there are tokens, and that no two share a direction."""
        if len(self.table) == 0:
            raise ValueError("a vocabulary needs at least one word besides EOS")
        if self.table.shape[:1] != self.ids.shape:
            raise ValueError(f"{len(self.table)} vectors, but {len(self.ids)} ids")
        bad = ~has_direction(self.table)
        if bad.any():
            raise ValueError(f"token {bad.argmax()} has a vector that is zero or not finite")
        _, first, counts = np.unique(self.directions, axis=0, return_index=True, return_counts=True)
        if (counts > 1).any():
            token = int(first[counts > 1][0])
            raise ValueError(
                f"token {token} and {counts.max() - 1} more have the same direction; no action "
                "could tell them apart"
            )

    @classmethod
    def of(cls, corpus: Corpus, split: str = "train") -> Vocabulary:
        """Make the vocabulary of the tokens that the targets of a split use.

        Raises:
            ValueError: the targets are not embedded by a `TokenEmbedder`, with one vector for each
                token, or there is no such split.
        """
        texts, embedder = corpus.target, corpus.target_embedder
        if texts.ids is None or not isinstance(embedder, TokenEmbedder):
            raise ValueError(
                "writing needs targets with one vector for each token, the same in every text: "
                f"embed them with word2vec, vectors or model2vec, found {type(embedder).__name__}"
            )
        rows = corpus.rows(split)
        ids = np.unique(texts.ids[texts.offsets[rows.start] : texts.offsets[rows.stop]])
        return cls(embedder.table[ids], ids.astype(np.int64), embedder)

    def __len__(self) -> int:
        """V, EOS included."""
        return len(self.table) + 1

    def __deepcopy__(self, memo: dict[int, Any]) -> Vocabulary:
        """Return the vocabulary itself: it is immutable."""
        return self

    def __repr__(self) -> str:
        return f"Vocabulary(n={len(self)}, dim={self.dim}, fingerprint={self.fingerprint})"

    @property
    def eos(self) -> int:
        """The token of EOS, V - 1: it ends a text and pads what follows."""
        return len(self.table)

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors."""
        return int(self.table.shape[1])

    @cached_property
    def padded_table(self) -> NDArray[np.float32]:
        """(V, D) vectors of the tokens in a text; zero for EOS, which is not text."""
        return np.concatenate([self.table, np.zeros((1, self.dim), np.float32)])

    @cached_property
    def directions(self) -> NDArray[np.float32]:
        """(V, D) unit vectors that actions are compared with.

        EOS has no meaning that a vector could have: its direction is random, and the same
        for all vocabularies of dimension D.
        """
        eos = np.random.default_rng(self.dim).standard_normal((1, self.dim))
        directions: NDArray[np.float32] = unit(np.concatenate([self.table, eos.astype(np.float32)]))
        return directions

    @cached_property
    def nearest_cosines(self) -> NDArray[np.float32]:
        """(V,) the cosine of each token's direction with the nearest of the others."""
        nearest = np.empty(len(self), np.float32)
        for first in range(0, len(self), _BLOCK):
            cosines = self.directions[first : first + _BLOCK] @ self.directions.T
            own = np.arange(len(cosines))
            cosines[own, first + own] = -1.0
            nearest[first : first + _BLOCK] = cosines.max(1)
        return nearest

    @cached_property
    def projections(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """A line (D,), the sorted projections of the directions on it (V,), their tokens (V,)."""
        line = unit(np.random.default_rng(self.dim + 1).standard_normal(self.dim))
        line = line.astype(np.float32)
        projections = np.vecdot(self.directions, line)
        order = np.argsort(projections, kind="stable")
        return line, projections[order], order

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that identify this vocabulary."""
        digest = hashlib.sha256(f"{self.table.shape}".encode())
        for array in (self.table, self.ids):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]

    @cached_property
    def _token_of_id(self) -> NDArray[np.int64]:
        """(max(ids) + 2,) the token of each id of the embedder, or -1 where there is none."""
        tokens = np.full(int(self.ids.max()) + 2, -1, np.int64)
        tokens[self.ids] = np.arange(len(self.ids))
        return tokens

    def _tokens(self, ids: NDArray[np.integer]) -> NDArray[np.int64]:
        """The token of each id, or -1 where there is none."""
        known: NDArray[np.int64] = self._token_of_id
        # The embedder may have got further ids since.
        tokens: NDArray[np.int64] = known[np.minimum(ids, len(known) - 1)]
        return tokens

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of texts, without an EOS; ids that are not in the vocabulary are left out.

        Raises:
            ValueError: a text yields no token.
        """
        return self.from_ids(self.embedder.tokenize(texts))

    def from_ids(self, texts: Sequence[ArrayLike]) -> list[list[int]]:
        """Tokens of texts given as ids of the embedder; ids not in the vocabulary are left out."""
        found = (self._tokens(np.asarray(text, np.int64)) for text in texts)
        return [tokens[tokens >= 0].tolist() for tokens in found]

    def tokens_of(self, texts: EmbeddedTexts) -> NDArray[np.int64]:
        """(n, M) tokens of texts that the embedder embedded, padded with EOS.

        M is one more than the length of the longest text, so that each has its EOS. Ids that
        are not in the vocabulary are left out.

        Raises:
            ValueError: the store holds no tokens.
        """
        if texts.ids is None:
            raise ValueError("this store holds vectors and no ids")
        tokens = self._tokens(texts.ids)
        kept = tokens >= 0
        text = np.repeat(np.arange(len(texts)), texts.lengths)[kept]
        lengths = np.bincount(text, minlength=len(texts))
        filled = np.full((len(texts), int(lengths.max()) + 1), self.eos)
        filled[np.arange(filled.shape[1]) < lengths[:, None]] = tokens[kept]
        return filled

    def decode(self, texts: ArrayLike) -> list[str]:
        """Strings of (n, M) tokens, each up to its first EOS, spaced and cased as written.

        An empty text is the empty string.
        """
        tokens = np.asarray(texts, np.int64)
        lengths = self.lengths(tokens)
        padded = np.append(self.ids, -1)[tokens]
        ids = [row[:length].tolist() for row, length in zip(padded, lengths, strict=True)]
        return self.embedder.detokenize(ids)

    def lengths(self, tokens: NDArray[np.integer]) -> NDArray[np.int64]:
        """(n,) words before the first EOS of (n, M) tokens; M where there is none."""
        ended = tokens == self.eos
        lengths: NDArray[np.int64] = np.where(ended.any(1), ended.argmax(1), tokens.shape[1])
        return lengths

    def check_tokens(
        self, name: str, tokens: ArrayLike, size: int, length: int | None = None
    ) -> NDArray[np.int64]:
        """Check texts that a caller gives as tokens.

        Args:
            name: what the tokens are called in errors, such as "the drafts".
            tokens: (n, M) integers in [0, V), M at least 1; tokens after the first EOS are
                ignored.
            size: the required n.
            length: the required M; any if None.

        Returns:
            (n, M) the texts, padded with EOS after each one's end, newly allocated.

        Raises:
            ValueError: the tokens have another dtype, shape or range.
        """
        found = np.asarray(tokens)
        fits = found.dtype.kind in "iu" and found.ndim == 2 and len(found) == size
        if not fits or not found.shape[1] or length not in (None, found.shape[1]):
            expected = f"({size}, M), M at least 1" if length is None else f"({size}, {length})"
            raise ValueError(
                f"{name} must be integers {expected}, found {found.dtype} {found.shape}"
            )
        if found.size and not 0 <= found.min() <= found.max() <= self.eos:
            raise ValueError(
                f"{name} must lie in 0 to {self.eos}, EOS, found {found.min()} to {found.max()}"
            )
        after_end = np.arange(found.shape[1]) >= self.lengths(found)[:, None]
        return np.where(after_end, self.eos, found).astype(np.int64, copy=False)

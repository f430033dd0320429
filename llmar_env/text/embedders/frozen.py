"""Embedders around models that others have trained and that stay as they are.

What is done with a model's vectors is decided here for all kinds: length, centre and cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from llmar_env.arrays import has_direction, unit
from llmar_env.progress import ProgressBar
from llmar_env.text.embedded import EmbeddedTexts, shareable
from llmar_env.text.embedders.base import Encoder, Lookup
from llmar_env.text.embedders.cache import EmbeddingCache, Shard, text_digests
from llmar_env.text.embedders.labels import write_label

__all__ = ["Frozen", "FrozenEmbedder", "FrozenTokenEmbedder"]

_Model = TypeVar("_Model", Encoder, Lookup)

# A shard ends with the text that brings it to one of these.
_SHARD_TEXTS, _SHARD_CHARACTERS = 4096, 1 << 18
# A bar is shown for at least so many texts.
_BAR = 256
# Rows that are centered at a time; bounds the memory that this takes.
_ROWS = 1 << 16


class Frozen(ABC, Generic[_Model]):
    """An embedder around a frozen model.

    Vectors are scaled first. Then `fit` learns the centre and nothing else: the mean over the
    training texts of their mean vectors. It is subtracted from every vector, so that an answer
    that ignores its text scores about 0. Without `fit` no centre is subtracted: so queries fit an
    index that somebody else has built with the model.

    Args:
        model: the model.
        center: (D,) the centre; None before `fit`.

    Attributes:
        model: the model.
        center: (D,) float32, or None.
    """

    def __init__(self, model: _Model, *, center: NDArray[np.float32] | None = None) -> None:
        self.model: _Model = model
        self.center = center

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the embedder itself, since `gym.make` copies its arguments."""
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.spec!r})"

    @property
    def spec(self) -> str:
        """The string that names the embedder; a local path in it is absolute."""
        return self.model.spec

    @property
    def space(self) -> str:
        """24 hex digits; vectors of embedders with the same ones belong to one space."""
        what = json.dumps([self.model.revision, dict(self.model.settings)], sort_keys=True)
        return hashlib.sha256(what.encode()).hexdigest()[:24]

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors."""
        return self.model.dim

    @abstractmethod
    def twin(self) -> Self:
        """An embedder around the same model with a centre of its own, which is not fitted yet."""

    @abstractmethod
    def _uncentered(self, texts: Sequence[str]) -> EmbeddedTexts:
        """The texts, by scaled vectors."""

    @abstractmethod
    def _centered(self, store: EmbeddedTexts) -> EmbeddedTexts:
        """The same texts with the centre subtracted, if there is one."""

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn the centre from the training texts.

        Raises:
            ValueError: a text yields no vector, or there is no text.
        """
        self.center = self._uncentered(texts).means.mean(axis=0)
        return self

    def fit_and_embed(self, texts: Sequence[str], train: range) -> EmbeddedTexts:
        """Embed texts, after `fit` on those of the rows `train`; the model reads each text once."""
        store = self._uncentered(texts)
        self.center = store.means[train.start : train.stop].mean(axis=0)
        return self._centered(store)

    def embed(self, texts: Sequence[str]) -> EmbeddedTexts:
        """Embed texts, in order.

        Raises:
            ValueError: a text yields no vector, or there is no text.
        """
        return self._centered(self._uncentered(texts))

    def label(self) -> dict[str, Any]:
        """What finds the model again, JSON-serializable: not the model itself."""
        settings = dict(self.model.settings)
        return {"spec": self.spec, "revision": self.model.revision, "settings": settings}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one safetensors file: the centre; its header has what finds the model again.

        That is the string, the hash of the model's files and its settings; not the model.
        """
        write_label(path, self.label() | {"dim": self.dim}, self.center)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote, as `load_embedder` does without options.

        Raises:
            ValueError: the file holds something else.
            FileNotFoundError: the model is not found, or another one is in its place by now.
        """
        from llmar_env.text.embedders.registry import load_embedder

        found = load_embedder(path)
        if not isinstance(found, cls):
            raise ValueError(f"{path} holds {found!r}, expected {cls.__name__}")
        return found


class FrozenEmbedder(Frozen[Encoder]):
    """A `Frozen` embedder around a model that reads a text as a whole: kinds `st` and `hf`.

    Each vector is scaled to unit length. The vectors, not centered yet, are kept in a cache on
    disk, so that no text is read twice by one model.

    Args:
        model: the model.
        center: (D,) the centre; None before `fit`.
        cache: the cache; None reads every text anew.
        dim: D, if it is known; otherwise the model is loaded when it is asked for.
        progress: whether a bar on standard error shows how texts are embedded.
    """

    def __init__(
        self,
        model: Encoder,
        *,
        center: NDArray[np.float32] | None = None,
        cache: EmbeddingCache | None = None,
        dim: int | None = None,
        progress: bool = False,
    ) -> None:
        super().__init__(model, center=center)
        self.cache = cache
        self.progress = progress
        self._dim = dim

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors; loads the model if nothing is embedded yet."""
        if self._dim is None:
            self._dim = self.model.dim
        return self._dim

    def twin(self) -> Self:
        """An embedder around the same model with a centre of its own, which is not fitted yet."""
        return type(self)(self.model, cache=self.cache, dim=self._dim, progress=self.progress)

    def _centered(self, store: EmbeddedTexts) -> EmbeddedTexts:
        if self.center is None:
            return store
        padded = np.zeros_like(store.padded_table)
        for first in range(0, len(store.table), _ROWS):
            rows = store.table[first : first + _ROWS].astype(np.float32) - self.center
            padded[first : first + len(rows)] = rows
        padded.flags.writeable = False
        return EmbeddedTexts(padded[:-1], None, store.offsets)

    def _uncentered(self, texts: Sequence[str]) -> EmbeddedTexts:
        if not texts:
            raise ValueError("there is no text to embed")
        for row, text in enumerate(texts):
            if not text.strip():
                raise ValueError(f"text {row} has nothing to embed: {text!r}")
        _, rows, inverse = np.unique(
            text_digests(texts), axis=0, return_index=True, return_inverse=True
        )
        shards, holder, place = self._shards([texts[row] for row in rows], rows)
        cut = sum(int(one.cut[place[holder == s]].sum()) for s, one in enumerate(shards))
        if cut:
            warnings.warn(
                f"{cut:,} of {len(rows):,} texts are longer than {self.spec} reads; their ends are "
                "left out",
                stacklevel=4,
            )
        inverse = inverse.reshape(-1)  # (n, 1) in some versions of NumPy 2
        store = _gathered(shards, holder[inverse], place[inverse])
        self._dim = store.dim
        return store

    def _shards(
        self, texts: list[str], rows: NDArray[np.int64]
    ) -> tuple[list[Shard], NDArray[np.int64], NDArray[np.int64]]:
        """Shards with the vectors of n distinct texts, which of them has a text, and where.

        Args:
            texts: n distinct texts.
            rows: (n,) their numbers, for messages.
        """
        digests = text_digests(texts)
        shards: list[Shard] = []
        holder, place = np.full(len(texts), -1), np.full(len(texts), -1)
        if self.cache is not None:
            shards, holder, place = self.cache.find(self.space, digests)
        missing = np.flatnonzero(holder < 0)
        # No bar for a handful of texts.
        quiet = not self.progress or len(missing) < _BAR
        total = max(1, len(missing))
        with ProgressBar("embedding", total, unit="texts", show=not quiet) as bar:
            bar.update(0, f"with {self.spec}")
            for block in _blocks(texts, missing):
                shard = self._read([texts[i] for i in block], rows[block], bar.advance)
                if self.cache is not None:
                    shard = self.cache.write(self.space, self.label(), shard)
                holder[block], place[block] = len(shards), shard.find(digests[block])
                shards.append(shard)
        return shards, holder, place

    def _read(
        self, texts: list[str], rows: NDArray[np.int64], advance: Callable[[int], object]
    ) -> Shard:
        """Let the model read texts, and scale its vectors to unit length."""
        vectors, offsets, cut = self.model.encode(texts, advance)
        empty = np.flatnonzero(np.diff(offsets) <= 0)
        if len(empty):
            text = empty[0]
            raise ValueError(f"text {rows[text]} yields no vector in {self.spec}: {texts[text]!r}")
        bad = ~has_direction(vectors)
        if bad.any():
            text = int(np.searchsorted(offsets, bad.argmax(), side="right")) - 1
            raise ValueError(
                f"text {rows[text]} has a vector that is zero or not finite in {self.spec}: "
                f"{texts[text]!r}"
            )
        dtype = np.float16 if self.model.settings.get("half") else np.float32
        scaled = unit(vectors.astype(np.float32, copy=False)).astype(dtype, copy=False)
        return Shard(text_digests(texts), offsets, scaled, cut)


class FrozenTokenEmbedder(Frozen[Lookup]):
    """A `Frozen` embedder around one vector for each token: kinds `vectors` and `model2vec`.

    Each vector is scaled to unit length; but where its length is the weight of its token
    (model2vec), all vectors are divided by their mean length instead. Vectors are looked up, so
    they need no cache, and they can serve a writer's vocabulary.
    """

    def __init__(self, model: Lookup, *, center: NDArray[np.float32] | None = None) -> None:
        super().__init__(model, center=center)
        self._scaled = np.zeros((0, 0), np.float32)  # (V, D)
        self._table: NDArray[np.float32] | None = None  # (V, D), centered

    def twin(self) -> Self:
        """An embedder around the same model with a centre of its own, which is not fitted yet."""
        return type(self)(self.model)

    @property
    def table(self) -> NDArray[np.float32]:
        """(V, D) the vector of each token, read-only; V may grow; no row changes but by `fit`."""
        if self._table is None or len(self._table) < len(self.model.vectors):
            center = np.float32(0) if self.center is None else self.center
            self._table = shareable(self._scaled_vectors() - center)
        return self._table

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, rows of `table`.

        Raises:
            ValueError: a text has no known token.
        """
        return self.model.tokenize(texts)

    def detokenize(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each sequence of token ids."""
        return self.model.detokenize(ids)

    def label(self) -> dict[str, Any]:
        """What finds the model again, and the tokens by id, if ids depend on the texts so far."""
        return super().label() | {"words": self.model.words}

    def _scaled_vectors(self) -> NDArray[np.float32]:
        vectors = self.model.vectors
        if len(self._scaled) < len(vectors):
            if self.model.weighted:
                lengths = np.linalg.norm(vectors, axis=1)
                self._scaled = vectors / lengths[lengths > 0].mean()
            else:
                self._scaled = unit(vectors)
        return self._scaled

    def _uncentered(self, texts: Sequence[str]) -> EmbeddedTexts:
        if not texts:
            raise ValueError("there is no text to embed")
        ids = self.model.tokenize(texts)
        return EmbeddedTexts.from_ids(self._scaled_vectors(), ids)

    def _centered(self, store: EmbeddedTexts) -> EmbeddedTexts:
        return EmbeddedTexts(self.table, store.ids, store.offsets)

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn the centre from the training texts.

        Raises:
            ValueError: a text has no known token, or there is no text.
        """
        self._table = None
        return super().fit(texts)

    def fit_and_embed(self, texts: Sequence[str], train: range) -> EmbeddedTexts:
        """Embed texts, after `fit` on those of the rows `train`."""
        self._table = None
        return super().fit_and_embed(texts, train)


def _blocks(texts: Sequence[str], places: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Divide the places of texts into shards, the longest texts first."""
    lengths = np.array([len(texts[i]) for i in places], np.int64)
    order = places[np.argsort(-lengths, kind="stable")]
    first = characters = 0
    for last, i in enumerate(order, 1):
        characters += len(texts[i])
        if last - first == _SHARD_TEXTS or characters >= _SHARD_CHARACTERS or last == len(order):
            yield order[first:last]
            first, characters = last, 0


def _gathered(
    shards: Sequence[Shard], holder: NDArray[np.int64], place: NDArray[np.int64]
) -> EmbeddedTexts:
    """Copy the vectors of n texts from shards into one store.

    Args:
        shards: the shards.
        holder: (n,) which of them holds a text.
        place: (n,) its place there.
    """
    lengths = np.zeros(len(holder), np.int64)
    for number, shard in enumerate(shards):
        here = holder == number
        lengths[here] = np.diff(shard.offsets)[place[here]]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    like = shards[0].vectors
    padded = np.zeros((int(offsets[-1]) + 1, like.shape[1]), like.dtype)
    for number, shard in enumerate(shards):
        here = np.flatnonzero(holder == number)
        sizes = lengths[here]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        begins = shard.offsets[place[here]]
        padded[np.repeat(offsets[here], sizes) + within] = shard.vectors[
            np.repeat(begins, sizes) + within
        ]
    padded.flags.writeable = False
    return EmbeddedTexts(padded[:-1], None, offsets)

"""What all environments share: which text comes when, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from array_api_compat import array_namespace
from gymnasium import spaces
from numpy.typing import NDArray

from llmar_env.arrays import Array, hash_counters
from llmar_env.envs.core import check_choice, require_keys
from llmar_env.spaces import TextIndex
from llmar_env.text.corpus import Corpus, CorpusLike
from llmar_env.text.embedded import gather_padded
from llmar_env.text.embedders import Embedder

__all__ = ["DEFAULT_DATA", "Observation", "TextStream", "make_over_texts", "score_line"]

Observation = Literal["embeddings", "index"]

DEFAULT_DATA = "phrasebook:de-en"
"""The built-in corpus, German to English."""

# The fields of a state that say where its stream stands.
_COUNTERS = ("key", "text", "elapsed")

MDPT = TypeVar("MDPT")


class TextStream:
    """The texts of one split, drawn by counters, and the input side of what an agent sees.

    Args:
        corpus: the texts, embedded.
        split: the part of the corpus that texts are drawn from.
        observation: "embeddings", (L, D) float32 with zero rows after the text's end, or "index",
            the row of the text in the corpus, (1,) int64.
        info_texts: whether `describe` gives the strings of the texts beside their rows.

    Raises:
        ValueError: an option has a value that is not among those above.
    """

    def __init__(
        self, corpus: Corpus, split: str, observation: Observation, info_texts: bool
    ) -> None:
        check_choice("observation", observation, get_args(Observation))
        if info_texts and not corpus.sources:
            raise ValueError("info_texts=True, but this corpus holds vectors and no strings")
        self.corpus = corpus
        self.rows = corpus.rows(split)
        self.observation = observation
        self.info_texts = info_texts
        self.space = self._space()

    def _space(self) -> spaces.Box:
        texts = self.corpus.source
        if self.observation == "index":
            return TextIndex(texts)
        # The bound belongs to the store, not to the split, so that all splits share one space.
        bound = float(np.abs(texts.table).max())
        return spaces.Box(-bound, bound, (texts.max_length, texts.dim), np.float32)

    def draw(self, key: Array, text: Array) -> Array:
        """(N,) int64, the rows in the corpus of the texts that stand at `text` in streams `key`."""
        return self.rows.start + hash_counters(key, text) % len(self.rows)

    def observe(self, row: Array) -> Array:
        """(N, L, D) embeddings or (N, 1) rows of the texts shown, in fresh memory."""
        if self.observation == "index":
            return row[:, None] + 0
        texts = self.corpus.source
        vectors, _ = gather_padded(
            texts.padded_table, texts.ids, texts.offsets, row, texts.max_length
        )
        return array_namespace(vectors).astype(vectors, np.float32, copy=False)

    def describe(self, row: Array) -> dict[str, Array]:
        """The rows of the texts shown, and on request their strings."""
        info = {"row": row + 0}  # fresh memory: a caller may write to it
        if self.info_texts:
            rows = row.tolist()
            info["source"] = np.array([self.corpus.sources[row] for row in rows], object)
            info["target"] = np.array([self.corpus.targets[row] for row in rows], object)
        return info

    def lines(self, row: int) -> list[str]:
        """A text and its target, as lines to show."""
        if not self.corpus.sources:
            return [f"row: {row}"]
        source, target = self.corpus.sources[row], self.corpus.targets[row]
        return [f"row: {row}", f"source: {source}", f"target: {target}"]

    def dump(self, state: object) -> dict[str, Any]:
        """The counters of a state as plain JSON-able data, and which texts they belong to."""
        counters = {name: getattr(state, name).tolist() for name in _COUNTERS}
        return counters | {"texts": self.corpus.source.fingerprint}

    def restore(self, data: Mapping[str, Any], size: int) -> list[NDArray[np.int64]]:
        """The counters key, text and elapsed, (N,) each, that `dump` wrote for N = `size`.

        Raises:
            ValueError: a field is missing or of another size, or the texts are others.
        """
        require_keys(data, (*_COUNTERS, "texts"))
        if data["texts"] != self.corpus.source.fingerprint:
            raise ValueError(
                f"the state is one on the texts {data['texts']}, and these are "
                f"{self.corpus.source.fingerprint}"
            )
        counters = [np.asarray(data[name], np.int64) for name in _COUNTERS]
        for name, counter in zip(_COUNTERS, counters, strict=True):
            if counter.shape != (size,):
                raise ValueError(f"{name} in the state has shape {counter.shape}, not ({size},)")
        return counters


def score_line(label: str, score: float) -> str:
    """A score beside a bar of its size."""
    bar = "#" * round(20 * max(score, 0.0))
    return f"{label} {score:+.3f} [{bar:<20}]"


def make_over_texts(
    kind: Callable[..., MDPT],
    data: CorpusLike = DEFAULT_DATA,
    *,
    source_embedder: Embedder | None = None,
    target_embedder: Embedder | None = None,
    max_length: int | None = None,
    **settings: Any,
) -> MDPT:
    """Make an MDP over the texts that a user has.

    Args:
        kind: the MDP's class; takes a corpus and the settings.
        data: what `Corpus.load` takes.
        source_embedder: fitted, for the input texts; by default word vectors, fitted on "train".
        target_embedder: the same for the targets.
        max_length: L, to which input texts are cut; by default none is cut.
        **settings: of `kind`.
    """
    corpus = Corpus.load(
        data,
        source_embedder=source_embedder,
        target_embedder=target_embedder,
        max_length=max_length,
    )
    return kind(corpus, **settings)

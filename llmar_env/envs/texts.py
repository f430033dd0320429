"""Shared by all environments: the order of the texts, and how they are observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar, get_args

import numpy as np
from array_api_compat import array_namespace
from gymnasium import spaces
from numpy.typing import NDArray

from llmar_env.arrays import Array, hash_counters
from llmar_env.envs.core import check_choice, require_keys
from llmar_env.spaces import TextIndex
from llmar_env.text.corpus import Corpus, CorpusLike
from llmar_env.text.embedded import EmbeddedTexts, gather_padded
from llmar_env.text.embedders import Embedder

__all__ = [
    "DEFAULT_DATA",
    "Observation",
    "Shown",
    "TextStream",
    "check_elapsed",
    "make_over_texts",
    "score_line",
]

Observation = Literal["embeddings", "index"]

DEFAULT_DATA = "phrasebook:de-en"
"""The built-in corpus, German to English."""

# The fields of a state that give its position in the stream.
_COUNTERS = ("key", "text", "elapsed")

MDPT = TypeVar("MDPT")


class Shown(Protocol):
    """The texts that an environment shows: a `Corpus`, or a collection of queries."""

    @property
    def source(self) -> EmbeddedTexts:
        """The n texts shown."""

    @property
    def sources(self) -> Sequence[str]:
        """Strings, one for each text, or none."""

    @property
    def targets(self) -> Sequence[str]:
        """What should be said of each text, or none."""

    def rows(self, split: str) -> range:
        """The rows of a split; raises ValueError if there is no such split."""


class TextStream:
    """The texts of one split, drawn by counters, and how an agent observes them.

    Args:
        corpus: the texts, embedded.
        split: the part of the corpus that texts are drawn from.
        observation: "embeddings", (L, D) float32 with zero rows after the text's end, or "index",
            the row of the text in the corpus, (1,) int64.
        info_texts: whether `describe` includes the texts as strings, besides their rows.

    Raises:
        ValueError: an option has a value other than those above.
    """

    def __init__(
        self, corpus: Shown, split: str, observation: Observation, info_texts: bool
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

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Give the space, whose pickle leaves the texts out, those of the corpus."""
        self.__dict__.update(state)
        if isinstance(self.space, TextIndex):
            self.space.attach(self.corpus.source)

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of the texts, as "texts"."""
        return {"texts": self.corpus.source.fingerprint}

    def draw(self, key: Array, text: Array) -> Array:
        """(N,) int64, the corpus rows of the texts at positions `text` of the streams `key`."""
        return self.rows.start + hash_counters(key, text) % len(self.rows)

    def observe(self, row: Array) -> Array:
        """(N, L, D) embeddings or (N, 1) rows of the texts shown, newly allocated."""
        if self.observation == "index":
            return row[:, None] + 0
        texts = self.corpus.source
        vectors, _ = gather_padded(
            texts.padded_table, texts.ids, texts.offsets, row, texts.max_length
        )
        return array_namespace(vectors).astype(vectors, np.float32, copy=False)

    def describe(self, row: Array) -> dict[str, Array]:
        """The rows of the texts shown, and with `info_texts` their strings."""
        info = {"row": row + 0}  # a copy, since a caller may modify it
        if self.info_texts:
            rows = row.tolist()
            info["source"] = np.array([self.corpus.sources[row] for row in rows], object)
            if self.corpus.targets:
                info["target"] = np.array([self.corpus.targets[row] for row in rows], object)
        return info

    def lines(self, row: int) -> list[str]:
        """A text and its target, as lines for rendering."""
        lines = [f"row: {row}"]
        if self.corpus.sources:
            lines.append(f"source: {self.corpus.sources[row]}")
        if self.corpus.targets:
            lines.append(f"target: {self.corpus.targets[row]}")
        return lines

    def dump(self, state: object) -> dict[str, Any]:
        """The counters of a state and the fingerprint of its texts, as JSON-serializable data."""
        counters = {name: getattr(state, name).tolist() for name in _COUNTERS}
        return counters | self.fingerprints

    def restore(self, data: Mapping[str, Any], size: int) -> list[NDArray[np.int64]]:
        """The counters key, text and elapsed, (N,) each, that `dump` returned for N = `size`.

        Raises:
            ValueError: a field is missing or has the wrong size, or the texts differ.
        """
        require_keys(data, (*_COUNTERS, "texts"))
        if data["texts"] != self.corpus.source.fingerprint:
            raise ValueError(
                f"the state belongs to the texts {data['texts']}, but this environment "
                f"has {self.corpus.source.fingerprint}"
            )
        counters = [np.asarray(data[name], np.int64) for name in _COUNTERS]
        for name, counter in zip(_COUNTERS, counters, strict=True):
            if counter.shape != (size,):
                raise ValueError(f"{name} in the state has shape {counter.shape}, not ({size},)")
        return counters


def check_elapsed(elapsed: NDArray[np.int64], fits: NDArray[np.bool_], expected: str) -> None:
    """Reject states, (N,), that have taken a number of steps that no episode can have taken."""
    if not fits.all():
        i = int(fits.argmin())
        raise ValueError(
            f"elapsed in the state is {elapsed[i]} for sub-environment {i}, expected {expected}"
        )


def score_line(label: str, score: float) -> str:
    """A score, followed by a bar of proportional length."""
    bar = "#" * round(20 * max(score, 0.0))
    return f"{label} {score:+.3f} [{bar:<20}]"


def make_over_texts(
    kind: Callable[..., MDPT],
    data: CorpusLike = DEFAULT_DATA,
    *,
    source_embedder: Embedder | str | None = None,
    target_embedder: Embedder | str | None = None,
    max_length: int | None = None,
    **settings: Any,
) -> MDPT:
    """Make an MDP over a user's texts.

    Args:
        kind: the class of the MDP; takes a corpus and the settings.
        data: anything that `Corpus.load` accepts.
        source_embedder: fitted, for the input texts, or a string for `embedder`; by default word
            vectors, fitted on "train".
        target_embedder: the same for the targets.
        max_length: L, the length to which input texts are truncated; by default none is.
        **settings: settings of `kind`.
    """
    corpus = Corpus.load(
        data,
        source_embedder=source_embedder,
        target_embedder=target_embedder,
        max_length=max_length,
    )
    return kind(corpus, **settings)

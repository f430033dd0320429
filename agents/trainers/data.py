"""Load and embed the texts that a configuration names."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from llmar_env.text.corpus import Corpus, CorpusLike
from llmar_env.text.embedders import Embedder, WordVectorsConfig
from llmar_env.text.phrasebook.names import PREFIX

from ..algorithms.presets import WRITING
from ..config import Config
from ..reading import read_files

__all__ = ["load_corpus"]

# A text is named that has at least so many vectors, and so many times as many as the median.
_LONG = 512
_OUTLIER = 20


def load_corpus(
    config: Config,
    data: CorpusLike | None = None,
    *,
    embedders: tuple[Embedder, Embedder] | None = None,
) -> Corpus:
    """Read and embed texts, with warnings about skipped rows and rows shared by splits.

    Args:
        config: how to read and embed the texts, and which files to read if data is None.
        data: as in `Corpus.load`.
        embedders: of input texts and of targets; by default they are made as configured.

    Raises:
        ValueError: a file or the phrasebook cannot be used as requested.
        FileNotFoundError: a file does not exist.
    """
    dim, max_length = config.data.dim, config.data.max_length
    if isinstance(data, Corpus):
        if dim not in (None, data.target.dim):
            raise ValueError(
                f"dim={dim}, but the corpus has vectors of dimension {data.target.dim}"
            )
        return data.truncate(max_length)
    if data is None:
        data = read_files(config.data)
    if embedders is not None:
        source, target = embedders
        corpus = Corpus.load(
            data, source_embedder=source, target_embedder=target, max_length=max_length
        )
        _warn_of_outlier(corpus)
        return corpus
    # The phrasebook comes with pretrained vectors, unless another dimension is requested.
    shipped = isinstance(data, str) and data.startswith(PREFIX) and dim is None
    vectors = None if shipped else _word_vectors(config)
    corpus = Corpus.load(data, word_vectors=vectors, max_length=max_length)
    _warn_of_outlier(corpus)
    return corpus


def _warn_of_outlier(corpus: Corpus) -> None:
    """Name an input text that makes the batches with it take many times as long as others."""
    lengths = corpus.source.lengths
    longest, median = int(lengths.max()), int(np.median(lengths))
    if longest < max(_LONG, _OUTLIER * median):
        return
    row = int(lengths.argmax())
    for split, rows in corpus.splits.items():
        if row in rows:
            warnings.warn(
                f"input text {row - rows.start + 1} of {split} has {longest:,} vectors, and the "
                f"median is {median}: a batch that contains it takes as many steps, one after the "
                "other, so that few updates fit into a time limit. --max-length cuts input texts",
                stacklevel=4,
            )


def _word_vectors(config: Config) -> WordVectorsConfig:
    """The settings for training word vectors."""
    default = WRITING.word_vectors if config.writes else WordVectorsConfig()
    return replace(default, dim=config.data.dim or default.dim, seed=config.data.vectors_seed)

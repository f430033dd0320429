"""Load and embed the texts that a configuration names."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from llmar_env.retrieval import Collection, read_documents
from llmar_env.retrieval.collection import CollectionLike
from llmar_env.text.corpus import Corpus, CorpusLike
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import BILINGUAL, Embedder, WordVectorsConfig
from llmar_env.text.phrasebook.names import PREFIX
from llmar_env.text.readers import check_file
from llmar_env.text.vector_data import read_vectors

from ..algorithms.presets import WRITING
from ..config import Config
from ..inference.search import Documents
from ..networks.device import resolve_device
from ..reading import read_column, read_files, read_judged

__all__ = ["embedder_options", "load_collection", "load_corpus", "load_documents"]

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
    if data is None and (config.data.source_vectors or config.data.target_vectors):
        return _pair_vectors(config).truncate(max_length)
    if data is None:
        data = read_files(config)
    if embedders is not None:
        source, target = embedders
        corpus = Corpus.load(
            data, source_embedder=source, target_embedder=target, max_length=max_length
        )
        _warn_of_outlier(corpus)
        return corpus
    named = config.data
    source_name = named.source_embedder or named.embedder
    if config.writes and source_name is None:
        source_name = BILINGUAL  # the words of inputs then lie where those lie that translate them
    # The phrasebook comes with pretrained vectors, unless another dimension is requested.
    shipped = isinstance(data, str) and data.startswith(PREFIX) and dim is None
    corpus = Corpus.load(
        data,
        source_embedder=source_name,
        target_embedder=named.target_embedder or named.embedder,
        word_vectors=None if shipped else _word_vectors(config),
        max_length=max_length,
        **embedder_options(config),
    )
    _warn_of_outlier(corpus)
    return corpus


def _pair_vectors(config: Config) -> Corpus:
    """Pair the vectors that the options name with each other, or with texts.

    Raises:
        ValueError: a file cannot be read, or has not as many items as there are rows.
    """
    data = config.data
    column = data.target_column if data.target_vectors is None else data.source_column
    both = data.source_vectors is not None and data.target_vectors is not None
    texts = {} if both else read_column(config, column)
    splits, first = {}, 0
    for split, part in texts.items():
        splits[split] = range(first, first + len(part))
        first += len(part)
    strings = [text for part in texts.values() for text in part]
    source, target = (
        strings if path is None else _read_vectors(path, None if both else len(strings))
        for path in (data.source_vectors, data.target_vectors)
    )
    named = data.source_embedder if data.target_vectors else data.target_embedder
    corpus = Corpus.of_vectors(
        source,
        target,
        splits if len(splits) > 1 else None,
        embedder=named or data.embedder,
        word_vectors=_word_vectors(config),
        **embedder_options(config),
    )
    if "valid" not in corpus.splits:
        raise ValueError("--test needs --valid beside vectors; or leave both out")
    return corpus


def _read_vectors(path: Path, rows: int | None) -> EmbeddedTexts:
    """Read vectors, of as many items as there are rows."""
    found = read_vectors(path)
    if rows not in (None, len(found)):
        raise ValueError(f"{path} has the vectors of {len(found)} items for {rows} rows of texts")
    return found


def load_collection(
    config: Config,
    data: CollectionLike | None = None,
    *,
    embedder: Embedder | None = None,
) -> Collection:
    """Read and embed queries and documents; searches run on the device of the configuration.

    Args:
        config: how to embed, and which files to read if data is None.
        data: as in `Collection.load`.
        embedder: of both; by default it is made as configured.

    Raises:
        ValueError: a file or the phrasebook cannot be used as requested.
        FileNotFoundError: a file does not exist.
    """
    if isinstance(data, Collection):
        if config.data.dim not in (None, data.index.dim):
            raise ValueError(
                f"dim={config.data.dim}, but the collection has vectors of dimension "
                f"{data.index.dim}"
            )
        return Collection.load(data, max_length=config.data.max_length)
    data = read_judged(config) if data is None else data
    word_vectors = _word_vectors(config)
    if isinstance(data, str) and data.startswith(PREFIX):
        embedder = None  # it comes with its own
        if word_vectors != WordVectorsConfig():
            raise ValueError(
                "the built-in collection has its own vectors: leave dim and vectors_seed out"
            )
    return Collection.load(
        data,
        embedder=embedder or config.data.embedder,
        word_vectors=word_vectors,
        max_length=config.data.max_length,
        **embedder_options(config),
    )


def load_documents(config: Config, embedder: Embedder) -> Documents:
    """Read and embed the documents that the configuration names, without the queries.

    Args:
        config: where they are.
        embedder: of the documents; those of the phrasebook have vectors of their own.

    Raises:
        ValueError: a file or the phrasebook cannot be used as requested.
        FileNotFoundError: a file does not exist.
    """
    device = str(resolve_device(config.run.device))
    if config.texts.startswith(PREFIX):
        return Documents.of(Collection.load(config.texts, device=device))
    file = config.data.documents or Path(config.texts) / "corpus.jsonl"
    check_file(file)
    return Documents.embed(read_documents(file), embedder, device)


def embedder_options(config: Config) -> dict[str, Any]:
    """Options of embedders that are given by name."""
    device = str(resolve_device(config.run.device))
    return {"cache": config.data.cache, "device": device, "progress": config.run.progress}


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

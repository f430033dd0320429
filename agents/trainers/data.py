"""From the configuration to an embedded corpus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from llmar_env.text.corpus import Corpus, CorpusLike, read_split
from llmar_env.text.embedders import WordVectorsConfig
from llmar_env.text.pairs import TextPairs

from ..algorithms.presets import WRITING
from ..config import Config, DataConfig

__all__ = ["load_corpus"]

_PHRASEBOOK = "phrasebook:"
# The part of --data that validates where --valid names no file.
_VALID_PART = 0.05


def load_corpus(config: Config, data: CorpusLike | None = None) -> Corpus:
    """Read and embed texts; skipped and shared rows are warned about.

    Args:
        config: names the files, unless data are given, and says how to read and embed.
        data: what `Corpus.load` takes.

    Raises:
        ValueError: a file cannot be used, or the phrasebook is asked for what it does not have.
        FileNotFoundError: there is no such file.
    """
    dim, max_length = config.data.dim, config.data.max_length
    if isinstance(data, Corpus):
        if dim not in (None, data.target.dim):
            raise ValueError(
                f"dim={dim}, but the corpus brings vectors of dimension {data.target.dim}"
            )
        return data.truncate(max_length)
    if data is None:
        data = _named(config.data)
    # The phrasebook comes with vectors of its own, unless others are asked for.
    shipped = isinstance(data, str) and data.startswith(_PHRASEBOOK) and dim is None
    vectors = None if shipped else _word_vectors(config)
    return Corpus.load(data, word_vectors=vectors, max_length=max_length)


def _word_vectors(config: Config) -> WordVectorsConfig:
    """What word vectors are trained with."""
    default = WRITING.word_vectors if config.writes else WordVectorsConfig()
    return replace(default, dim=config.data.dim or default.dim, seed=config.data.vectors_seed)


def _named(config: DataConfig) -> CorpusLike:
    """The texts that the options name."""
    if not config.data.startswith(_PHRASEBOOK):
        return _read_splits(config)
    if config.valid or config.test:
        raise ValueError("the phrasebook has splits of its own: leave out --valid and --test")
    return config.data


def _read_splits(config: DataConfig) -> dict[str, TextPairs]:
    given = {"train": Path(config.data), "valid": config.valid, "test": config.test}
    options = {
        "source_column": config.source_column,
        "target_column": config.target_column,
        "on_bad_row": config.on_bad_row,
    }
    pairs = {
        split: read_split(path, split, **options)
        for split, path in given.items()
        if path is not None
    }
    if len(pairs) == 1:
        return pairs["train"].split()
    if "valid" not in pairs:
        pairs |= pairs["train"].split({"train": 1 - _VALID_PART, "valid": _VALID_PART})
    return pairs

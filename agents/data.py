"""From the configuration to an embedded corpus."""

from __future__ import annotations

from pathlib import Path

from agents.config import Config
from llmar_env.text.corpus import Corpus, CorpusLike, read_split
from llmar_env.text.embedders import WordVectorsConfig
from llmar_env.text.pairs import TextPairs

__all__ = ["load_corpus"]

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
    vectors = None if config.dim is None else WordVectorsConfig(dim=config.dim, seed=config.seed)
    if data is not None:
        return Corpus.load(data, word_vectors=vectors, max_length=config.max_length)
    if config.data.startswith("phrasebook:"):
        if config.valid or config.test:
            raise ValueError("the phrasebook has splits of its own: leave out --valid and --test")
        return Corpus.load(config.data, word_vectors=vectors, max_length=config.max_length)
    pairs = _read_splits(config)
    vectors = vectors or WordVectorsConfig(seed=config.seed)
    return Corpus.load(pairs, word_vectors=vectors, max_length=config.max_length)


def _read_splits(config: Config) -> dict[str, TextPairs]:
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

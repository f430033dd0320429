"""What ships with each language: word vectors, and the token ids of all its sentences.

With the ids at hand, an environment is made without rendering a sentence. `make_vectors` writes
the files; SHA256SUMS, beside them, has the checksum of each.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import WordVectors
from llmar_env.text.phrasebook.languages import LANGUAGES, require_language

__all__ = [
    "SUMS",
    "TOKENS",
    "VECTORS",
    "digest",
    "save_tokens",
    "shipped_embedder",
    "shipped_texts",
]

VECTORS, TOKENS, SUMS = ".safetensors", ".tokens.npz", "SHA256SUMS"
"""How the names of the files end, after the code of a language; and the name of the checksums."""

_FOLDER = Path(str(files("llmar_env.text") / "data"))
# What sentences are made from, besides the module of their language.
_GRAMMAR = ("concepts.py", "grammar.py", "meaning.py")
_COMMAND = "python -m llmar_env.text.phrasebook.make_vectors"


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@lru_cache(maxsize=len(LANGUAGES))
def shipped_embedder(language: str) -> WordVectors:
    """The word vectors that ship with the package for a language of the phrasebook.

    Raises:
        ValueError: the phrasebook does not have the language, or the file is not the one that
            shipped.
    """
    require_language(language)
    return WordVectors.load(_checked(language, VECTORS))


@lru_cache(maxsize=len(LANGUAGES))
def shipped_texts(language: str) -> EmbeddedTexts:
    """All sentences of a language, in the order of `Sentences`, embedded by `shipped_embedder`.

    Raises:
        ValueError: the phrasebook does not have the language, a file is not the one that shipped,
            or the vectors or the grammar have changed since the ids were made.
    """
    embedder, path = shipped_embedder(language), _checked(language, TOKENS)
    with np.load(path, allow_pickle=False) as file:
        ids, lengths, made_from = file["ids"], file["lengths"], str(file["made_from"])
    if made_from != _origin(language, path.with_name(language + VECTORS)):
        raise ValueError(
            f"{path} was made from other vectors or another grammar; make it again: "
            + _remake(path, language, TOKENS)
        )
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return EmbeddedTexts(embedder.table, ids.astype(np.int32), offsets)


def save_tokens(folder: str | os.PathLike[str], language: str, texts: EmbeddedTexts) -> None:
    """Write the ids that `shipped_texts` reads, into the folder that has the language's vectors.

    Args:
        folder: where the file goes.
        language: the code of the language.
        texts: all its sentences, embedded by these vectors.

    Raises:
        ValueError: the store has no ids.
    """
    if texts.ids is None:
        raise ValueError("this store holds vectors and no ids")
    vectors = Path(folder) / (language + VECTORS)
    np.savez_compressed(
        vectors.with_name(language + TOKENS),
        ids=texts.ids.astype(np.min_scalar_type(texts.ids.max())),
        lengths=texts.lengths.astype(np.min_scalar_type(texts.max_length)),
        made_from=np.array(_origin(language, vectors)),
    )


def _checked(language: str, ending: str) -> Path:
    """The path of a shipped file whose checksum is right."""
    path = _FOLDER / (language + ending)
    lines = path.with_name(SUMS).read_text("utf-8").splitlines()
    sums = {name: expected for expected, name in map(str.split, lines)}
    if not path.is_file() or digest(path) != sums.get(path.name):
        raise ValueError(
            f"{path} is not the file that shipped with the package; reinstall llmar or, where the "
            f"phrasebook was changed, make it again: {_remake(path, language, ending)}"
        )
    return path


def _remake(path: Path, language: str, ending: str) -> str:
    command = f"{_COMMAND} --folder {path.parent} --languages {language}"
    return command if ending == VECTORS else f"{command} --keep-vectors"


def _origin(language: str, vectors: Path) -> str:
    """What ids are made from, as hex digits: the vectors, whose file has the tokens, and grammar.

    The grammar counts as its source code, since rendering sentences to compare would take as long
    as making the ids.
    """
    package = Path(__file__).parent
    sources = [package / name for name in _GRAMMAR]
    sources.append(package / "languages" / f"{language}.py")
    total = hashlib.sha256(vectors.read_bytes())
    for source in sources:
        total.update(source.read_text("utf-8").encode())  # as text: line ends differ by system
    return total.hexdigest()

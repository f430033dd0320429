"""What ships with the phrasebook: word vectors and the token ids of all sentences, and their deeds.

With them at hand, an environment is made without drawing a meaning or rendering a sentence.
`make_vectors` writes the files; SHA256SUMS, beside them, has the checksum of each.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import WordVectors
from llmar_env.text.phrasebook.languages import LANGUAGES, require_language
from llmar_env.text.phrasebook.meaning import Meaning

__all__ = [
    "DEEDS",
    "SUMS",
    "TOKENS",
    "VECTORS",
    "digest",
    "save_deeds",
    "save_tokens",
    "shipped_deeds",
    "shipped_embedder",
    "shipped_texts",
]

VECTORS, TOKENS = ".safetensors", ".tokens.npz"
"""How the names of a language's files end, after its code."""

DEEDS, SUMS = "deeds.npz", "SHA256SUMS"
"""The names of the files of deeds, and of the checksums."""

_FOLDER = Path(str(files("llmar_env.text") / "data"))
# What sentences are made from, besides the module of their language.
_DRAWN = ("concepts.py", "draw.py", "meaning.py", "sense.py")
_GRAMMAR = (*_DRAWN, "grammar.py", "tables.py")
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
    return WordVectors.load(_checked(language + VECTORS))


@lru_cache(maxsize=len(LANGUAGES))
def shipped_texts(language: str) -> EmbeddedTexts:
    """All sentences of a language, in the order of `Sentences`, embedded by `shipped_embedder`.

    Raises:
        ValueError: the phrasebook does not have the language, a file is not the one that shipped,
            or the vectors or the grammar have changed since the ids were made.
    """
    embedder, path = shipped_embedder(language), _checked(language + TOKENS)
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


@lru_cache(maxsize=1)
def shipped_deeds() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What is done in each sentence, and who does it, in the order of `Sentences`.

    Returns:
        (n,) numbers, equal where the verb and its object, or what somebody or something is, are
        the same; and (n,) numbers, equal where the subjects are.

    Raises:
        ValueError: as in `shipped_texts`.
    """
    path = _checked(DEEDS)
    with np.load(path, allow_pickle=False) as file:
        deeds, subjects, made_from = file["deeds"], file["subjects"], str(file["made_from"])
    if made_from != _source(_DRAWN).hexdigest():
        raise ValueError(
            f"{path} was made for other meanings; make it again: {_remake(path, 'de', TOKENS)}"
        )
    return deeds.astype(np.int64), subjects.astype(np.int64)


def save_deeds(folder: str | os.PathLike[str], meanings: Sequence[Meaning]) -> None:
    """Write what `shipped_deeds` reads.

    Args:
        folder: where the file goes.
        meanings: those of all sentences.
    """
    deeds: dict[object, int] = {}
    subjects: dict[str, int] = {}
    rows = []
    for meaning in meanings:
        main = meaning.main
        predicate = (main.place, main.oadj, main.compare) if main.verb == "be" else ()
        deed = (meaning.phrase, main.verb, main.object, *predicate)
        numbers = deeds.setdefault(deed, len(deeds)), subjects.setdefault(main.noun, len(subjects))
        rows.append(numbers)
    done, by = np.array(rows, np.uint16).T
    made_from = np.array(_source(_DRAWN).hexdigest())
    np.savez_compressed(Path(folder) / DEEDS, deeds=done, subjects=by, made_from=made_from)


def _checked(name: str) -> Path:
    """The path of a shipped file whose checksum is right."""
    path = _FOLDER / name
    lines = path.with_name(SUMS).read_text("utf-8").splitlines()
    sums = {name: expected for expected, name in map(str.split, lines)}
    if not path.is_file() or digest(path) != sums.get(path.name):
        language, dot, ending = name.partition(".")
        language, ending = ("de", TOKENS) if name == DEEDS else (language, dot + ending)
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
    total = _source((*_GRAMMAR, f"languages/{language}.py"))
    total.update(vectors.read_bytes())
    return total.hexdigest()


def _source(names: Sequence[str]) -> hashlib._Hash:
    """The hash of modules' source code."""
    total = hashlib.sha256()
    for name in names:
        source = Path(__file__).parent / name
        total.update(source.read_text("utf-8").encode())  # as text: line ends differ by system
    return total

"""Embedders by name, and from the files that their `save` writes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from llmar_env.text.embedders.base import Embedder
from llmar_env.text.embedders.cache import EmbeddingCache, open_cache
from llmar_env.text.embedders.frozen import Frozen, FrozenEmbedder, FrozenTokenEmbedder
from llmar_env.text.embedders.given import GIVEN, GivenVectors
from llmar_env.text.embedders.hugging_face import HuggingFaceEncoder
from llmar_env.text.embedders.labels import read_label
from llmar_env.text.embedders.model_files import (
    content_hash,
    model_folder,
    refuse_code_and_pickles,
    weight_files,
)
from llmar_env.text.embedders.sentence_transformer import SentenceTransformerEncoder
from llmar_env.text.embedders.static_model import StaticModelLookup
from llmar_env.text.embedders.vector_file import VectorFile
from llmar_env.text.embedders.word_vectors import WordVectors, WordVectorsConfig
from llmar_env.text.tensor_files import ModelFileError

__all__ = ["BILINGUAL", "FORMS", "KINDS", "check_spec", "embedder", "load_embedder"]

BILINGUAL = "bilingual"
"""Names word vectors of input texts that are fitted on pairs, with the targets' vectors."""

FORMS = (
    "word2vec, bilingual, st:PATH_OR_NAME, hf:PATH_OR_NAME, vectors:FILE or "
    "model2vec:PATH_OR_NAME; options follow a #, as in st:NAME#tokens,half or hf:NAME#layer=-2"
)


_Model = SentenceTransformerEncoder | HuggingFaceEncoder | VectorFile | StaticModelLookup


class _Kind(NamedTuple):
    """A kind of frozen model."""

    make: Callable[..., _Model]
    flags: tuple[str, ...] = ()
    """Options without a value."""
    numbers: tuple[str, ...] = ()
    """Options whose value is an integer."""


KINDS: Mapping[str, _Kind] = {
    "st": _Kind(SentenceTransformerEncoder, flags=("tokens", "half")),
    "hf": _Kind(HuggingFaceEncoder, flags=("half",), numbers=("layer",)),
    "vectors": _Kind(VectorFile),
    "model2vec": _Kind(StaticModelLookup),
}
"""The kinds of frozen models, by the word before the colon."""

# Models in use, so that the embedders of one process share them.
_encoders: WeakValueDictionary[tuple[str, str, str], Any] = WeakValueDictionary()


def embedder(
    spec: str,
    *,
    cache: str | os.PathLike[str] | EmbeddingCache | None = "auto",
    device: str = "auto",
    progress: bool = False,
    word_vectors: WordVectorsConfig | None = None,
) -> Embedder:
    """Make an embedder from a string.

    | string | vectors of a text |
    |---|---|
    | `word2vec` | `WordVectors`, which `fit` trains on the texts; one for each subword |
    | `st:PATH_OR_NAME` | sentence-transformers: one; with `#tokens` one for each token |
    | `hf:PATH_OR_NAME` | transformers: one for each word; `#layer=-2` takes another layer |
    | `vectors:FILE` | word2vec (text, binary), GloVe or fastText: one for each word |
    | `model2vec:PATH_OR_NAME` | model2vec: one for each token |

    `#half` stores the vectors of `st` and `hf` as float16. Names are those of the Hugging Face
    hub. What is done with vectors is described at `FrozenEmbedder` and `FrozenTokenEmbedder`.

    Args:
        spec: the string.
        cache: as in `open_cache`.
        device: the device of a model: "auto", "cpu", "cuda" and so on.
        progress: whether a bar on standard error shows how texts are embedded.
        word_vectors: settings of `word2vec`.

    Raises:
        ValueError: there is no such kind or option, or the model's weights are pickled.
        FileNotFoundError: the model is not found.
        ImportError: the model needs a package that is not installed.
    """
    if spec == "word2vec":
        return WordVectors(word_vectors or WordVectorsConfig())
    if spec == BILINGUAL:
        raise ValueError("bilingual vectors are fitted on pairs of texts: use it with a Corpus")
    opened = open_cache(cache)
    return _wrapped(_model(spec, opened, device), cache=opened, progress=progress)


def load_embedder(
    path: str | os.PathLike[str],
    *,
    spec: str | None = None,
    cache: str | os.PathLike[str] | EmbeddingCache | None = "auto",
    device: str = "auto",
    progress: bool = False,
) -> Embedder:
    """Read what `save` of an embedder wrote.

    Args:
        path: the file.
        spec: where the model is now, if it has moved; otherwise it is where it was.
        cache: as in `open_cache`.
        device: the device of a model.
        progress: whether a bar on standard error shows how texts are embedded.

    Raises:
        ModelFileError: a ValueError: the file is damaged, or holds something else.
        ValueError: `spec` is of another kind than the file.
        FileNotFoundError: the model is not found, or another one is in its place by now.
        ImportError: the model needs a package that is not installed.
    """
    saved = read_label(path)
    if saved is None:
        if spec not in (None, "word2vec"):
            raise ValueError(f"{path} holds word vectors of its own, and no {spec}")
        return WordVectors.load(path)
    if saved.spec == GIVEN:
        if saved.center is None:
            raise ModelFileError(f"{path} holds no embedder: it lacks the centre")
        return GivenVectors(saved.center)
    opened = open_cache(cache)
    needed = f"{path} needs the model {saved.spec}, revision {saved.revision[:12]}"
    try:
        model = _model(spec or saved.spec, opened, device, saved.words)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{needed}: {error}") from error
    if (model.revision, dict(model.settings)) != (saved.revision, saved.settings):
        raise FileNotFoundError(
            f"{needed}, with settings {saved.settings}; found {model.spec}, revision "
            f"{model.revision[:12]}, with settings {dict(model.settings)}: its vectors would be "
            "others"
        )
    options = {"cache": opened, "progress": progress, "dim": saved.dim}
    return _wrapped(model, center=saved.center, **options)


def check_spec(spec: str) -> None:
    """Check the form of a string that names an embedder, not whether the model is there.

    Raises:
        ValueError: there is no such kind or option.
    """
    if spec not in ("word2vec", BILINGUAL):
        _parsed(spec)


def _wrapped(model: _Model, **options: Any) -> Frozen[Any]:
    """The embedder around a model."""
    if isinstance(model, VectorFile | StaticModelLookup):
        return FrozenTokenEmbedder(model, center=options.get("center"))
    return FrozenEmbedder(model, **options)


def _model(
    spec: str, cache: EmbeddingCache | None, device: str, words: list[str] | None = None
) -> _Model:
    """Find the model that a string names.

    Args:
        spec: the string.
        cache: remembers the hashes of files.
        device: the device of a model that reads texts.
        words: the words that have the first ids, where the model does not fix them.
    """
    kind, name, options = _parsed(spec)
    memo = None if cache is None else cache.memo
    if kind == "vectors":
        path = Path(name).expanduser().absolute()
        if not path.is_file():
            raise FileNotFoundError(f"{spec}: there is no file {path}")
        return VectorFile(f"vectors:{path}", path, content_hash([path], path, memo), words or ())
    folder = model_folder(name, spec)
    refuse_code_and_pickles(folder, spec)
    place = str(folder) if Path(name).expanduser().is_dir() else name
    full = f"{kind}:{place}" + spec[len(f"{kind}:{name}") :]
    revision = content_hash(weight_files(folder), folder, memo)
    if kind == "model2vec":
        return StaticModelLookup(full, folder, revision)
    key = (full, revision, device)
    found: _Model | None = _encoders.get(key)
    if found is None:
        found = KINDS[kind].make(full, folder, revision, device=device, **options)
        _encoders[key] = found
    return found


def _parsed(spec: str) -> tuple[str, str, dict[str, Any]]:
    """The kind, the name and the options of a string."""
    kind, colon, rest = spec.partition(":")
    if kind not in KINDS or not colon or not rest:
        raise ValueError(f"an embedder is one of {FORMS}; found {spec!r}")
    name, sign, given = rest.rpartition("#")
    if not sign or Path(rest).exists():
        return kind, rest, {}
    options: dict[str, Any] = {}
    for one in given.split(","):
        option, equals, value = one.strip().partition("=")
        if option in KINDS[kind].flags and not equals:
            options[option] = True
        elif option in KINDS[kind].numbers and re.fullmatch(r"-?\d+", value):
            options[option] = int(value)
        else:
            known = [*KINDS[kind].flags, *(f"{name}=N" for name in KINDS[kind].numbers)]
            accepted = ", ".join(known) or "none"
            raise ValueError(f"{spec}: {kind} has no option {one!r}; it has {accepted}")
    return kind, name, options

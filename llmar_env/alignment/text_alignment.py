"""An alignment model of texts: it scores, ranks and rewards answers that have no reference."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmar_env.alignment.model import AlignmentModel
from llmar_env.alignment.reward_spec import MODEL_PREFIX
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import Embedder, load_embedder
from llmar_env.text.tensor_files import ModelFileError

__all__ = ["ModelReward", "TextAlignment", "alignment_folder"]

_MODEL, _SOURCE, _TARGET = (
    f"{name}.safetensors" for name in ("alignment", "alignment-source", "alignment-target")
)


def alignment_folder(path: str | os.PathLike[str]) -> Path:
    """The folder of an alignment model: the path itself, or `model` in it.

    Raises:
        FileNotFoundError: there is none.
    """
    for folder in (Path(path), Path(path) / "model"):
        if (folder / _MODEL).is_file():
            return folder
    raise FileNotFoundError(
        f"no alignment model in {os.fspath(path) or '.'}: there is no {_MODEL}; "
        "llmar fit-alignment makes one"
    )


@dataclass(frozen=True, eq=False)
class TextAlignment:
    """Scores answers to texts by an alignment model over the mean vectors of both.

    Attributes:
        model: over the mean vectors of the texts that are read.
        source_embedder: embeds the texts that are read; its vectors have the dimension C.
        target_embedder: embeds answers; its vectors have the dimension D.

    Raises:
        ValueError: the dimensions do not fit together.
    """

    model: AlignmentModel
    source_embedder: Embedder
    target_embedder: Embedder

    def __post_init__(self) -> None:
        """Check the dimensions."""
        dims = self.source_embedder.dim, self.target_embedder.dim
        if dims != (self.model.context_dim, self.model.dim):
            raise ValueError(
                f"the alignment model maps vectors of dimension {self.model.context_dim} to "
                f"{self.model.dim}, but the embedders give vectors of {dims[0]} and {dims[1]}"
            )

    def predict(self, sources: Sequence[str]) -> NDArray[np.float32]:
        """(K, n, D) predicted directions of the answers to n texts.

        Raises:
            ValueError: a text has nothing to embed.
        """
        predicted: NDArray[np.float32] = self.model.predict(
            self.source_embedder.embed(sources).means
        )
        return predicted

    def embed_answers(self, answers: Sequence[str]) -> NDArray[np.float32]:
        """(n, D) mean vectors of n answers; zero for a blank one."""
        distinct = [text for text in dict.fromkeys(answers) if text.strip()]
        means = np.zeros((len(distinct) + 1, self.model.dim), np.float32)
        if distinct:
            means[:-1] = self.target_embedder.embed(distinct).means
        place = {text: i for i, text in enumerate(distinct)}
        return means[[place.get(text, -1) for text in answers]]

    def score(self, sources: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        """(n,) scores in [-1, 1] of n answers to n texts; 0 for a blank answer.

        Raises:
            ValueError: the numbers differ, or a text has nothing to embed.
        """
        if len(sources) != len(answers):
            raise ValueError(f"{len(sources)} texts, but {len(answers)} answers")
        if not sources:
            return np.zeros(0)
        place = {text: i for i, text in enumerate(dict.fromkeys(sources))}
        predicted = self.predict([*place])[:, [place[text] for text in sources]]
        found = self.model.score_predicted(predicted, self.embed_answers(answers))
        return np.asarray(found, np.float64)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model and its embedders into a folder, as safetensors."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.source_embedder.save(folder / _SOURCE)
        if self.target_embedder is self.source_embedder:
            (folder / _TARGET).unlink(missing_ok=True)
        else:
            self.target_embedder.save(folder / _TARGET)
        self.model.save(folder / _MODEL)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], **options: Any) -> TextAlignment:
        """Read what `save` wrote.

        Args:
            folder: the folder, or one with the model in `model`.
            **options: of `load_embedder`: cache, device and progress.

        Raises:
            ModelFileError: a ValueError: a file is damaged or missing, or they do not fit together.
            FileNotFoundError: there is no model, or the model of an embedder is not where it was.
        """
        found = alignment_folder(folder)
        model = AlignmentModel.load(found / _MODEL)
        if not (found / _SOURCE).is_file():
            raise ModelFileError(f"{found / _SOURCE} is missing")
        source = load_embedder(found / _SOURCE, **options)
        target = source
        if (found / _TARGET).is_file():
            target = load_embedder(found / _TARGET, **options)
        try:
            return cls(model, source, target)
        except ValueError as error:
            raise ModelFileError(f"{found}: {error}") from None


class ModelReward:
    """The score of an alignment model as a reward, which needs no reference.

    Texts are scored as strings, in the model's own vectors, whatever those of the environment are.
    The model is read when it is first used.

    Args:
        folder: of a `TextAlignment`.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.fspath(folder)
        self._alignment: TextAlignment | None = None
        # Of the texts that were read last, with their predictions, (K, n, D). A writer that learns
        # vectors has one corpus after another of the same texts.
        self._predicted: tuple[Sequence[str], NDArray[np.float32]] | None = None

    def __str__(self) -> str:
        return f"{MODEL_PREFIX}{self.folder}"

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be computed again, so that workers get little."""
        return vars(self) | {"_predicted": None}

    @property
    def alignment(self) -> TextAlignment:
        """The model.

        Raises:
            ModelFileError: as in `TextAlignment.load`.
            FileNotFoundError: as in `TextAlignment.load`.
        """
        if self._alignment is None:
            self._alignment = TextAlignment.load(self.folder)
        return self._alignment

    def of_texts(
        self, corpus: Corpus, rows: NDArray[np.int64], answers: Sequence[str]
    ) -> NDArray[np.float64]:
        """(n,) scores of written answers to the texts of rows (n,); 0 for a blank one."""
        means = self.alignment.embed_answers(answers)
        found = AlignmentModel.score_predicted(self._predictions(corpus)[:, rows], means)
        return np.asarray(found, np.float64)

    def of_vectors(
        self, corpus: Corpus, rows: NDArray[np.int64], answers: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """(n,) scores of answers as mean vectors (n, D) to the texts of rows (n,).

        The vectors are those of the model's space, which `require_space` checks once.
        """
        found = AlignmentModel.score_predicted(self._predictions(corpus)[:, rows], answers)
        return np.asarray(found, np.float64)

    def require_space(self, corpus: Corpus) -> None:
        """Check that the targets of a corpus are vectors of the model's space.

        Raises:
            ValueError: they are not.
        """
        own, other = self.alignment.target_embedder, corpus.target_embedder
        if other is not own and _space(other) != _space(own):
            raise ValueError(
                f"the reward {self} was fitted in other vectors than those of the targets, "
                f"{corpus.target}: fit it with the same --embedder, --dim and texts"
            )

    def _predictions(self, corpus: Corpus) -> NDArray[np.float32]:
        """(K, n, D) predicted directions for all texts of a corpus.

        Raises:
            ValueError: the corpus has no strings.
        """
        if self._predicted is None or self._predicted[0] is not corpus.sources:
            if not corpus.sources:
                raise ValueError(f"the reward {self} needs strings, and this corpus has none")
            self._predicted = corpus.sources, self.alignment.predict(list(corpus.sources))
        return self._predicted[1]


def _space(embedder: Embedder | None) -> object:
    """What decides the vectors of an embedder; a new object if that is not known."""
    space = getattr(embedder, "space", None)
    center = getattr(embedder, "center", None)
    if space is None:
        return object()
    return space, None if center is None else center.tobytes()

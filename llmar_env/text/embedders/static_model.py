"""`model2vec:PATH_OR_NAME`: static models of model2vec; needs the extra "model2vec"."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmar_env.arrays import has_direction
from llmar_env.text.embedders.model_files import missing_extra

__all__ = ["StaticModelLookup"]


class StaticModelLookup:
    """One vector for each token of a model2vec model.

    Their lengths are the weights of the tokens, so that the mean over a text has the direction
    that `StaticModel.encode` gives it. No text is cut. Tokens that are unknown, or have a zero
    vector, are left out.

    Args:
        spec: the string that names the embedder.
        folder: the folder of the model.
        revision: the hash of its files.
    """

    weighted = True

    def __init__(self, spec: str, folder: Path, revision: str) -> None:
        self.spec = spec
        self.revision = revision
        self.settings: Mapping[str, Any] = {"kind": "model2vec"}
        self.words: list[str] = []  # the model's tokenizer fixes the ids
        self._folder = folder

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the model, which is loaded again."""
        return {n: v for n, v in vars(self).items() if n not in ("_model", "vectors", "_known")}

    @cached_property
    def _model(self) -> Any:
        """The model.

        Raises:
            ImportError: model2vec is not installed.
        """
        try:
            from model2vec import StaticModel
        except ImportError as error:
            raise missing_extra(self.spec, "model2vec", "model2vec") from error
        model = StaticModel.from_pretrained(self._folder)
        model.tokenizer.no_truncation()
        return model

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors."""
        return int(self.vectors.shape[1])

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """(V, D) the vector of each token, its weight included."""
        model = self._model
        vectors: NDArray[np.float32] = model.embedding.astype(np.float32)
        if model.token_mapping is not None:
            vectors = vectors[model.token_mapping]
        return vectors if model.weights is None else vectors * model.weights[:, None]

    @cached_property
    def _known(self) -> NDArray[np.bool_]:
        known: NDArray[np.bool_] = has_direction(self.vectors)
        if self._model.unk_token_id is not None:
            known[self._model.unk_token_id] = False
        return known

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text; unknown tokens are left out, and a warning counts them.

        Raises:
            ValueError: a text has no known token.
        """
        encodings = self._model.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        found, unknown = [], 0
        for row, encoding in enumerate(encodings):
            ids = [token for token in encoding.ids if self._known[token]]
            if not ids:
                raise ValueError(f"text {row} has no token that {self.spec} knows: {texts[row]!r}")
            unknown += len(encoding.ids) - len(ids)
            found.append(ids)
        if unknown:
            total = unknown + sum(map(len, found))
            warnings.warn(
                f"{unknown:,} of {total:,} tokens are unknown to {self.spec} and are left out",
                stacklevel=5,
            )
        return found

    def detokenize(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each sequence of token ids."""
        texts: list[str] = self._model.tokenizer.decode_batch([list(one) for one in ids])
        return [text.strip() for text in texts]

"""The learned alignment model: how well an answer aligns with a text, without a reference."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from llmar_env.alignment.scores import cosine_to_unit
from llmar_env.arrays import Array, as_numpy, unit
from llmar_env.text.tensor_files import ModelFileError, read_header, read_tensor, write_tensors

__all__ = ["AlignmentModel"]


@dataclass(frozen=True, eq=False)
class AlignmentModel:
    """Encoder, ReLU, decoder: s(x, a) = cos(W2 relu(W1 x + b1) + b2, a).

    x describes the text that is read, such as the mean of its vectors, and a is the mean of the
    answer's vectors. What the decoder gives is the predicted direction of the right answer.

    K > 1 models are an ensemble, whose score is the lowest of theirs: an answer scores high only if
    all of them agree (worst-case optimization, Coste et al. 2024), so that a policy gains little
    from the mistakes of one.

    Over the array API, without torch: a network whose parameters these are trains through it.

    Attributes:
        w1: (K, H, C) weights of the encoder.
        b1: (K, H) biases of the encoder.
        w2: (K, D, H) weights of the decoder.
        b2: (K, D) biases of the decoder.

    Raises:
        ValueError: the shapes do not fit together.
    """

    w1: Array  # (K, H, C)
    b1: Array  # (K, H)
    w2: Array  # (K, D, H)
    b2: Array  # (K, D)

    def __post_init__(self) -> None:
        """Check the shapes."""
        shapes = {one.name: tuple(getattr(self, one.name).shape) for one in fields(self)}
        if len(shapes["w1"]) == 3 == len(shapes["w2"]):
            k, h, _ = shapes["w1"]
            d = shapes["w2"][1]
            if shapes["b1"] == (k, h) and shapes["w2"] == (k, d, h) and shapes["b2"] == (k, d):
                return
        raise ValueError(
            f"an alignment model has w1 (K, H, C), b1 (K, H), w2 (K, D, H) and b2 (K, D), found "
            f"{', '.join(f'{name} {shape}' for name, shape in shapes.items())}"
        )

    @classmethod
    def ensemble(cls, models: Sequence[AlignmentModel]) -> AlignmentModel:
        """One model of all members of others.

        Raises:
            ValueError: there is none, or their shapes differ.
        """
        if not models:
            raise ValueError("an ensemble needs at least one model")
        xp = array_namespace(models[0].w1)
        return cls(*(xp.concat([getattr(m, one.name) for m in models]) for one in fields(cls)))

    def __repr__(self) -> str:
        return (
            f"AlignmentModel(members={self.members}, context_dim={self.context_dim}, "
            f"hidden_dim={self.w1.shape[1]}, dim={self.dim})"
        )

    @property
    def members(self) -> int:
        """K, the number of models."""
        return int(self.w1.shape[0])

    @property
    def context_dim(self) -> int:
        """C, the dimension of what describes a text."""
        return int(self.w1.shape[2])

    @property
    def dim(self) -> int:
        """D, the dimension of answers."""
        return int(self.w2.shape[1])

    def decode(self, x: Array) -> Array:
        """(K, n, D) predictions for texts (n, C), of any length."""
        xp = array_namespace(x)
        hidden = x @ xp.matrix_transpose(self.w1) + self.b1[:, None]
        hidden = hidden * xp.astype(hidden > 0, hidden.dtype)
        return hidden @ xp.matrix_transpose(self.w2) + self.b2[:, None]

    def predict(self, x: Array) -> Array:
        """(K, n, D) unit vectors, the predicted directions of the right answers to texts (n, C)."""
        return unit(self.decode(x))

    def score(self, x: Array, answers: Array) -> Array:
        """(n,) scores in [-1, 1] of answers (n, D) to texts (n, C); 0 for a zero vector."""
        return self.score_predicted(self.predict(x), answers)

    @staticmethod
    def score_predicted(predicted: Array, answers: Array) -> Array:
        """(n,) scores of answers (n, D), given what `predict` returned, (K, n, D)."""
        xp = array_namespace(predicted, answers)
        return xp.min(cosine_to_unit(answers[None], predicted), axis=0)

    def score_all(self, x: Array, answers: Array) -> Array:
        """(n, m) scores of each of m answers (m, D) to each of n texts (n, C)."""
        xp = array_namespace(x, answers)
        return xp.min(self.predict(x) @ xp.matrix_transpose(unit(answers)), axis=0)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file."""
        write_tensors({one.name: self._array(one.name) for one in fields(self)}, path)

    def _array(self, name: str) -> NDArray[np.float32]:
        return np.ascontiguousarray(as_numpy(getattr(self, name)), np.float32)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AlignmentModel:
        """Read what `save` wrote.

        Raises:
            ModelFileError: the file is damaged, or holds something else.
            FileNotFoundError: there is no such file.
        """
        found, names = read_header(path), [one.name for one in fields(cls)]
        if sorted(found) != sorted(names) or {kind for kind, _ in found.values()} != {"F32"}:
            raise ModelFileError(
                f"{path}: no alignment model: it has {', '.join(found)}, not "
                f"{', '.join(names)} in float32"
            )
        arrays = {name: read_tensor(path, name)[0] for name in names}
        if not all(np.isfinite(one).all() for one in arrays.values()):
            raise ModelFileError(f"{path}: the weights are not finite")
        try:
            return cls(**arrays)
        except ValueError as error:
            raise ModelFileError(f"{path}: {error}") from None

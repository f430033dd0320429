"""The observation space of a text seen by its row number."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium import spaces

from llmar_env.text.embedded import EmbeddedTexts

__all__ = ["TextIndex"]


class TextIndex(spaces.Box):
    """`Box(0, n - 1, (1,), int64)`: the row of a text in a store of n embedded texts.

    The space carries the store, so that a policy made for the space can look the vectors up on
    its own device, and its fingerprint, so that two spaces are equal only if their stores are.
    A pickled space leaves the store behind and keeps the fingerprint.

    Attributes:
        texts: the store, or None in a space that came out of a pickle.
        dim: D, the dimension of the vectors.
        fingerprint: of the store.
    """

    texts: EmbeddedTexts | None

    def __init__(self, texts: EmbeddedTexts, seed: int | None = None) -> None:
        super().__init__(0, len(texts) - 1, (1,), np.int64, seed)
        self.texts = texts
        self.dim = texts.dim
        self.max_length = texts.max_length
        self.fingerprint = texts.fingerprint

    @property
    def n(self) -> int:
        """The number of texts in the store."""
        return int(self.high[0]) + 1

    def __eq__(self, other: object) -> bool:
        """Whether the other is a `TextIndex` on the same store."""
        return isinstance(other, TextIndex) and self.fingerprint == other.fingerprint

    __hash__ = None  # type: ignore[assignment]  # as in Box, whose arrays cannot be hashed

    def __repr__(self) -> str:
        return f"TextIndex(n={self.n}, dim={self.dim}, fingerprint={self.fingerprint})"

    def __getstate__(self) -> dict[str, Any]:
        """Leave the store out of pickles: it is data, not part of a model."""
        return {**self.__dict__, "texts": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> TextIndex:
        """Copy the space, its generator included, and share the store."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(deepcopy(self.__dict__, memo))
        return copy


@spaces.utils.flatdim.register(TextIndex)
def _flatdim(space: TextIndex) -> int:  # noqa: ARG001 - Gymnasium's signature
    # Whoever flattens a space to feed a plain network asks for this number first: SB3's
    # MlpPolicy does, and it is the one moment at which such a network can be warned about.
    warnings.warn(
        "the index observation is a row number, and a network that flattens it sees one "
        "meaningless scalar: use agents.GRUPolicy, or make the environment with "
        'observation="embeddings"',
        stacklevel=3,
    )
    return 1

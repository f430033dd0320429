"""Vectors that come from elsewhere, such as of images or sounds, in place of an embedder's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmar_env.arrays import unit
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders.labels import write_label

__all__ = ["GIVEN", "GivenVectors"]

GIVEN = "given"
"""What stands in a file in place of the string that names an embedder."""


class GivenVectors:
    """Stands where an embedder does, and takes vectors in place of texts.

    Each vector is scaled to unit length. Then `fit` learns the centre, the mean over the training
    items of their mean vectors, which is subtracted from every vector, so that an answer that
    ignores its item scores about 0.

    Args:
        center: (D,) the centre; None before `fit`.
    """

    def __init__(self, center: NDArray[np.float32] | None = None) -> None:
        self.center = center

    def __repr__(self) -> str:
        return f"GivenVectors(dim={None if self.center is None else self.dim})"

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors.

        Raises:
            RuntimeError: `fit` was not called.
        """
        return len(self._required_center())

    def _required_center(self) -> NDArray[np.float32]:
        if self.center is None:
            raise RuntimeError("GivenVectors has no centre yet: call fit first")
        return self.center

    def fit(self, items: Sequence[Any]) -> GivenVectors:
        """Learn the centre from the training items, given as in `embed`."""
        self.center = _scaled(_store(items)).means.mean(axis=0)
        return self

    def fit_and_embed(self, store: EmbeddedTexts, train: range) -> EmbeddedTexts:
        """Scale and center a store, after `fit` on its rows `train`."""
        scaled = _scaled(store)
        self.center = scaled.means[train.start : train.stop].mean(axis=0)
        return self._centered(scaled)

    def embed(self, items: Sequence[Any]) -> EmbeddedTexts:
        """Scale and center vectors.

        Args:
            items: n arrays, (L, D) or (D,) each.

        Raises:
            ValueError: there is no item, an item has another shape or no vector, or a vector is
                zero or not finite; the message has its number.
            RuntimeError: `fit` was not called.
        """
        store = _store(items)
        if store.dim != self.dim:
            raise ValueError(f"expected vectors of dimension {self.dim}, found {store.dim}")
        return self._centered(_scaled(store))

    def _centered(self, store: EmbeddedTexts) -> EmbeddedTexts:
        return EmbeddedTexts(store.table - self._required_center(), None, store.offsets)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one safetensors file: the centre."""
        write_label(path, {"spec": GIVEN, "dim": self.dim}, self._required_center())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GivenVectors:
        """Read what `save` wrote.

        Raises:
            ValueError: the file holds something else.
        """
        from llmar_env.text.embedders.registry import load_embedder

        found = load_embedder(path)
        if not isinstance(found, cls):
            raise ValueError(f"{path} holds {found!r}, expected {cls.__name__}")
        return found


def _store(items: Sequence[ArrayLike]) -> EmbeddedTexts:
    """A store of n arrays, (L, D) or (D,) each."""
    if not len(items):
        raise ValueError("there is nothing to embed")
    arrays: list[NDArray[np.float32]] = []
    for number, item in enumerate(items):
        if isinstance(item, str):
            raise ValueError(
                f"this side of the model takes vectors, (L, D) or (D,) arrays, not texts; item "
                f"{number} is {item!r}"
            )
        array = np.atleast_2d(np.asarray(item, np.float32))
        if array.ndim != 2 or not array.size:
            raise ValueError(f"item {number} has shape {array.shape}, expected (L, D) or (D,)")
        if arrays and array.shape[1] != arrays[0].shape[1]:
            raise ValueError(
                f"item {number} has vectors of dimension {array.shape[1]}, the first of "
                f"{arrays[0].shape[1]}"
            )
        arrays.append(array)
    return EmbeddedTexts.from_vectors(arrays)


def _scaled(store: EmbeddedTexts) -> EmbeddedTexts:
    """The same vectors at unit length."""
    return EmbeddedTexts(unit(store.table.astype(np.float32)), None, store.offsets)

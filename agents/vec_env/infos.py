"""Split Gymnasium's batched infos and observations into those of single sub-environments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Obs = Any
"""An array (N, ...) of observations of N sub-environments, or a dict of such arrays."""


class LazyInfos(Sequence[dict[str, Any]]):
    """N dicts of infos, created when one is first accessed, since most callbacks never do."""

    def __init__(self, make: Callable[[], list[dict[str, Any]]], size: int) -> None:
        self._make = make
        self._size = size

    @cached_property
    def _infos(self) -> list[dict[str, Any]]:
        return self._make()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: Any) -> Any:
        return self._infos[index]


def select_rows(mask: NDArray[np.bool_], chosen: Obs, other: Obs) -> Obs:
    """Rows of `chosen` where the mask is True and of `other` elsewhere, as a copy."""
    if isinstance(other, dict):
        return {key: select_rows(mask, chosen[key], other[key]) for key in other}
    result = other.copy()
    result[mask] = chosen[mask]
    return result


def spread_infos(
    arrays: Mapping[str, Any], where: NDArray[np.bool_], infos: Sequence[dict[str, Any]]
) -> None:
    """Write Gymnasium's arrays of infos, with their masks, into one dict per sub-environment.

    Args:
        arrays: arrays (N, ...), each with a mask `_key`, or dicts of such arrays. An array without
            a mask applies to all sub-environments; so does a value that is not an array.
        where: (N,) bool, the sub-environments to write for.
        infos: N dicts, written in place.
    """
    for key, values in arrays.items():
        if key[:1] == "_" and key[1:] in arrays:
            continue
        present = where & arrays[f"_{key}"] if f"_{key}" in arrays else where
        chosen = np.flatnonzero(present).tolist()
        if isinstance(values, dict):
            nested: list[dict[str, Any]] = [{} for _ in infos]
            spread_infos(values, present, nested)
            column: Any = nested
        elif isinstance(values, np.ndarray) and values.shape[:1] == where.shape:
            column = values.tolist() if values.ndim == 1 else values
        else:
            column = [values] * len(infos)
        for i in chosen:
            infos[i][key] = column[i]

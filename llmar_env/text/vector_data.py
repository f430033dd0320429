"""Files of vectors that come from elsewhere: npz, npy and parquet."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmar_env.text.embedded import EmbeddedTexts

__all__ = ["VECTOR_FORMATS", "read_vectors"]

VECTOR_FORMATS = (".npz", ".npy", ".parquet")
"""The endings of files that `read_vectors` reads."""


def read_vectors(path: str | os.PathLike[str]) -> EmbeddedTexts:
    """Read the vectors of n items.

    | file | content |
    |---|---|
    | npz | `vectors` (total, D) and `offsets` (n + 1,): item i has the rows offsets[i] to offsets[i + 1] |
    | npy | (n, D), one vector an item |
    | parquet | one column of lists: of D numbers, or of any number of lists of D numbers |

    Raises:
        ValueError: the file ends otherwise, is damaged, or holds something else; the message names
            the file, and the first bad item.
        OSError: there is no such file.
        ImportError: the file is parquet, and pyarrow is not installed.
    """  # noqa: E501 - a row of a table cannot be broken
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if file.suffix == ".parquet":
        vectors, offsets = _from_parquet(file)
    elif file.suffix in VECTOR_FORMATS:
        vectors, offsets = _from_numpy(file)
    else:
        raise ValueError(f"{path}: vectors are read from {', '.join(VECTOR_FORMATS)} files")
    _check(file, vectors, offsets)
    return EmbeddedTexts(np.asarray(vectors, np.float32), None, offsets.astype(np.int64))


def _from_numpy(file: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        found = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} cannot be read: {error}") from None
    if isinstance(found, np.ndarray):
        return found, np.arange(len(found) + 1) if found.ndim else np.zeros(1, np.int64)
    with found:
        missing = {"vectors", "offsets"} - set(found.files)
        if missing:
            names = ", ".join(found.files) or "nothing"
            raise ValueError(f"{file} needs the arrays vectors and offsets, found {names}")
        try:
            return found["vectors"], found["offsets"]
        except (ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{file} cannot be read: {error}") from None


def _from_parquet(file: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise ImportError('parquet files need pyarrow: pip install "llmar[parquet]"') from None
    try:
        table = parquet.read_table(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from None
    lists = [name for name in table.column_names if _is_list(pa, table[name].type)]
    if len(lists) != 1:
        found = ", ".join(table.column_names)
        raise ValueError(f"{file} needs one column of lists, found {len(lists)} among {found}")
    items = table[lists[0]].to_pylist()
    nested = any(item and isinstance(item[0], list) for item in items if item is not None)
    rows = [_rows_of(item, nested) for item in items]
    offsets = np.cumsum([0, *map(len, rows)])
    flat = [vector for item in rows for vector in item]
    widths = {len(vector) for vector in flat}
    if len(widths) > 1:
        raise ValueError(f"{file}: vectors have dimensions {', '.join(map(str, sorted(widths)))}")
    return np.array(flat, np.float32).reshape(len(flat), -1), offsets


def _is_list(pa: Any, kind: Any) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _rows_of(item: Any, nested: bool) -> list[list[float]]:
    """The vectors of an item of a parquet column."""
    if not item:
        return []
    return item if nested else [item]


def _check(file: Path, vectors: NDArray[Any], offsets: NDArray[Any]) -> None:
    """Check the shapes, the types and that every item has vectors."""
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.number) or not vectors.size:
        raise ValueError(
            f"{file}: vectors must be numbers of shape (total, D), found {vectors.dtype} of shape "
            f"{vectors.shape}"
        )
    fits = offsets.ndim == 1 and np.issubdtype(offsets.dtype, np.integer) and len(offsets) > 1
    if not fits or offsets[0] != 0 or offsets[-1] != len(vectors):
        raise ValueError(
            f"{file}: offsets must be n + 1 integers from 0 to {len(vectors)}, the number of "
            f"vectors, found {offsets.dtype} of shape {offsets.shape}"
        )
    lengths = np.diff(offsets)
    if (lengths <= 0).any():
        raise ValueError(f"{file}: item {int((lengths <= 0).argmax())} has no vector")
    finite = np.isfinite(vectors).all(axis=1) & (vectors != 0).any(axis=1)
    if not finite.all():
        item = int(np.searchsorted(offsets, finite.argmin(), side="right")) - 1
        raise ValueError(f"{file}: item {item} has a vector that is zero or not finite")

"""Safetensors files: written as other files are, and read with errors that name the file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

__all__ = ["ModelFileError", "read_header", "read_metadata", "read_tensor", "write_tensors"]


class ModelFileError(ValueError):
    """A file of a saved model is missing, damaged, or from another model.

    The message names the file, and the field or tensor.
    """


def write_tensors(
    tensors: Mapping[str, NDArray[Any]],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays to a file, with the permissions of any new file.

    The file that safetensors' own `save_file` writes can be read by its owner alone.
    """
    from safetensors.numpy import save

    head = None if metadata is None else dict(metadata)
    Path(path).write_bytes(save(dict(tensors), metadata=head))


def read_header(path: str | os.PathLike[str]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type, such as "F32", and shape of each tensor of a file.

    Raises:
        ModelFileError: it is no safetensors file, or does not hold what its header describes.
        FileNotFoundError: there is no such file.
    """
    with _opened(path) as file:
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        return {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in parts.items()}


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The metadata of a file.

    Raises:
        ModelFileError: as in `read_header`.
        FileNotFoundError: there is no such file.
    """
    with _opened(path) as file:
        return file.metadata() or {}


def read_tensor(path: str | os.PathLike[str], name: str) -> tuple[NDArray[Any], dict[str, str]]:
    """An array of a file, and the file's metadata.

    Raises:
        ModelFileError: as in `read_header`; or there is no such tensor.
        FileNotFoundError: there is no such file.
    """
    with _opened(path) as file:
        return file.get_tensor(name), file.metadata() or {}


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(Path(path), framework="numpy") as file:
            yield file
    except (SafetensorError, TypeError, IsADirectoryError) as error:  # TypeError: of no NumPy type
        raise ModelFileError(f"{path}: {error}") from error

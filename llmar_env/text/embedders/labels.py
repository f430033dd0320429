"""Files of embedders around models of others: what finds the model again, and the centre."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from llmar_env.text.tensor_files import ModelFileError, read_metadata, read_tensor, write_tensors

__all__ = ["Label", "read_label", "write_label"]

_HEAD, _CENTER = "embedder", "center"


@dataclass(frozen=True)
class Label:
    """What a file says of an embedder.

    Attributes:
        spec: the string that names it.
        dim: D.
        center: (D,) float32; None where no centre is subtracted.
        revision: the hash of the model's files.
        settings: what decides the vectors besides the files.
        words: the words by id, where ids depend on the texts; else empty.
    """

    spec: str
    dim: int
    center: NDArray[np.float32] | None
    revision: str
    settings: Mapping[str, Any]
    words: list[str]


def write_label(
    path: str | os.PathLike[str], label: Mapping[str, Any], center: NDArray[np.float32] | None
) -> None:
    """Write one safetensors file: the centre; its header has the label, JSON-serializable."""
    table = np.zeros(0, np.float32) if center is None else center
    write_tensors({_CENTER: table}, path, {_HEAD: json.dumps(label)})


def read_label(path: str | os.PathLike[str]) -> Label | None:
    """Read what `write_label` wrote; None of a file of another embedder.

    Raises:
        ModelFileError: the file is damaged; the message names it and the field.
        FileNotFoundError: there is no such file.
    """

    def fail(what: str) -> NoReturn:
        raise ModelFileError(f"{path} holds no embedder: {what}")

    if _HEAD not in (head := read_metadata(path)):
        return None
    center, _ = read_tensor(path, _CENTER)
    try:
        fields = json.loads(head[_HEAD])
    except (ValueError, RecursionError) as error:
        fail(f"its label is no JSON: {error}")
    if not isinstance(fields, dict):
        fail("its label is no JSON object")
    defaults: dict[str, Any] = {"revision": "", "settings": {}, "words": []}
    kinds = {"spec": str, "dim": int, "revision": str, "settings": dict, "words": list}
    fields = defaults | fields
    for name, kind in kinds.items():
        if not isinstance(fields.get(name), kind) or isinstance(fields[name], bool):
            fail(f"{name} must be of type {kind.__name__}, found {fields.get(name)!r}")
    if not all(isinstance(word, str) for word in fields["words"]):
        fail("words must be texts")
    if center.dtype != np.float32 or center.shape not in ((0,), (fields["dim"],)):
        fail(f"the centre must be float32 ({fields['dim']},), found {center.dtype} {center.shape}")
    if not np.isfinite(center).all():
        fail("the centre is not finite")
    given: dict[str, Any] = {name: fields[name] for name in kinds}
    return Label(center=center if center.size else None, **given)

"""The files of a saved model, and their checks before anything is built from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from llmar_env.text.tensor_files import ModelFileError, read_header, read_tensor, write_tensors

__all__ = ["FORMAT", "MANIFEST", "SOURCE", "TARGET", "VOCABULARY", "WEIGHTS", "SavedModel"]

FORMAT = 8
MANIFEST, WEIGHTS = "model.json", "policy.safetensors"
SOURCE, TARGET = "source.safetensors", "target.safetensors"
VOCABULARY = "vocabulary.safetensors"
_FILES = (WEIGHTS, SOURCE, TARGET, VOCABULARY)
# Of weights and of counters, as safetensors names them.
_TYPES = {torch.float32: "F32", torch.int64: "I64"}
# What our code, SB3's and torch's raise when they are given other values than were saved.
_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_Network = TypeVar("_Network", bound=nn.Module)
_Value = TypeVar("_Value")


class SavedModel:
    """A saved model, whose files are read one after the other and checked against each other.

    `model.json` describes the model, and has the SHA-256 of every other file. What it describes is
    built only after it was compared with the weights, so that no value in it can demand more memory
    than the files take.

    Args:
        folder: the folder of the files.
        fields: the content of `model.json`.

    Raises:
        ModelFileError: also from every method: a file is damaged, missing or from another model.
            The message names the file, and the field or tensor.
    """

    def __init__(self, folder: Path, fields: Mapping[str, Any]) -> None:
        self.folder = folder
        self.fields = fields
        self.sums: dict[str, str] = self.field("files", dict)
        for name in _FILES:
            listed, found = name in self.sums, (folder / name).is_file()
            if listed != found:
                self.fail(name, "missing" if listed else f"{MANIFEST} does not list it")
        if WEIGHTS not in self.sums or set(self.sums) - {*_FILES}:
            self.fail(MANIFEST, f"files: unknown or incomplete, found {', '.join(self.sums)}")
        self.weights = self.load(WEIGHTS, read_header)

    @staticmethod
    def write(folder: Path, policy: nn.Module, fields: Mapping[str, Any]) -> None:
        """Write the weights and `model.json`, after the other files of the model."""
        weights = {name: w.detach().cpu().numpy() for name, w in policy.state_dict().items()}
        write_tensors(weights, folder / WEIGHTS)
        sums = {name: _sum(folder / name) for name in _FILES if (folder / name).is_file()}
        manifest = {"format": FORMAT, **fields, "files": sums}
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        # Bytes of a file's name that are not UTF-8 are JSON's \udc.. escapes.
        (folder / MANIFEST).write_text(text + "\n", "utf-8", "backslashreplace")

    @staticmethod
    def clear(folder: Path) -> None:
        """Remove the files of another model that was saved in the folder before."""
        for name in (MANIFEST, *_FILES):
            (folder / name).unlink(missing_ok=True)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read `model.json`.

        Raises:
            FileNotFoundError: there is none.
        """
        if not (folder / MANIFEST).is_file():
            raise FileNotFoundError(f"{folder} contains no model: there is no {MANIFEST} in it")
        damaged = f"{folder} contains a damaged model: {MANIFEST}"
        try:
            text = (folder / MANIFEST).read_text("utf-8")
            fields = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"{damaged} is no JSON: {error}") from error
        if not isinstance(fields, dict):
            raise ModelFileError(f"{damaged} must be an object, found {type(fields).__name__}")
        if fields.get("format") != FORMAT:
            raise ModelFileError(
                f"{folder} contains a model of format {_short(fields.get('format'))}; this version "
                f"reads format {FORMAT}: train it again"
            )
        return cls(folder, fields)

    def fail(self, file: str, what: str) -> NoReturn:
        """Raise the error that names a file and what is wrong in it."""
        raise ModelFileError(f"{self.folder} contains a damaged model: {file}: {what}")

    @contextmanager
    def faults_of(self, file: str, field: str = "") -> Iterator[None]:
        """Attribute errors of the code within to a file, and to a field of it."""
        try:
            yield
        except _FAULTS as error:
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            where = f"{field}: " if field else ""
            message = f"{where}{kind}{' '.join(str(error).split())}"
            raise ModelFileError(
                f"{self.folder} contains a damaged model: {file}: {message}"
            ) from error

    def field(self, name: str, kind: type[_Value]) -> _Value:
        """A field of `model.json`, of a type."""
        if name not in self.fields:
            self.fail(MANIFEST, f"{name} is missing")
        value = self.fields[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fail(MANIFEST, f"{name} must be of type {kind.__name__}, found {_short(value)}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A field of `model.json` that is a list of texts."""
        texts = self.field(name, list)
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                self.fail(MANIFEST, f"{name}[{place}] must be a text, found {_short(text)}")
        with self.faults_of(MANIFEST, name):
            "".join(texts).encode()  # a lone surrogate is no text
        return tuple(texts)

    def size(self, name: str) -> int:
        """A field of `model.json` that is a dimension of the weights."""
        size = self.field(name, int)
        self.require_size(name, size)
        return size

    def require_size(self, name: str, size: int) -> None:
        """Refuse a size that no tensor of the weights has room for."""
        largest = max((max(shape, default=1) for _, shape in self.weights.values()), default=1)
        if not 1 <= size <= largest:
            self.fail(
                MANIFEST, f"{name} must lie in 1 to {largest}, as the weights do, found {size}"
            )

    def has(self, name: str) -> bool:
        """Whether the model has a file."""
        return name in self.sums

    def load(self, name: str, read: Callable[[Path], _Value]) -> _Value:
        """What a function reads from a file of the model."""
        with self.faults_of(name):
            return read(self.folder / name)

    def build(self, make: Callable[[], _Network]) -> _Network:
        """Make a network that `model.json` describes, and load its weights.

        Args:
            make: makes the network. It is called twice: first without memory for weights, to
                compare their shapes with those in the file.
        """
        with self.faults_of(MANIFEST, "the network"), torch.device("meta"), _WithoutMemory():
            described = make().state_dict()
        self._compare(described)
        network, path = make(), self.folder / WEIGHTS
        weights = {name: torch.from_numpy(read_tensor(path, name)[0]) for name in described}
        network.load_state_dict(weights)
        return network

    def _compare(self, described: Mapping[str, Tensor]) -> None:
        """Compare the weights in the file with those of a network."""
        shapes = {name: tuple(weight.shape) for name, weight in described.items()}
        found = {name: shape for name, (_, shape) in self.weights.items()}
        for name in [*shapes, *found]:
            if shapes.get(name) != found.get(name):
                self.fail(
                    WEIGHTS,
                    f"the weights are from another network: {name} has shape {found.get(name)}, "
                    f"expected {shapes.get(name)}",
                )
        for name, (kind, _) in self.weights.items():
            if kind != _TYPES[described[name].dtype]:
                self.fail(WEIGHTS, f"{name} has type {kind}, expected {described[name].dtype}")

    def check_sums(self) -> None:
        """Compare the content of all files with what was saved."""
        for name, sum_ in self.sums.items():
            if _sum(self.folder / name) != sum_:
                self.fail(
                    name, f"its SHA-256 is not the one in {MANIFEST}: it was damaged or changed"
                )


class _WithoutMemory(TorchFunctionMode):
    """Lets networks of meta tensors be moved to a device, as SB3 does; they stay where they are."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is Tensor.to and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _short(value: Any) -> str:
    """A value of a file, as short as a message needs it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

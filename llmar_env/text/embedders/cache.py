"""Vectors of texts on disk, so that no model embeds a text twice."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CachedModel", "EmbeddingCache", "Shard", "open_cache", "replace_file", "text_digests"]

_LABEL = "model.json"
_TEMPORARY = ".part"
_FOLDER = re.compile(r"[0-9a-f]{24}")
# So many shards of fewer texts than this are merged into one.
_SMALL, _MANY = 1024, 64
_TENSORS = ("digests", "offsets", "vectors", "cut")


def text_digests(texts: Sequence[str]) -> NDArray[np.uint64]:
    """(n, 2) a 128-bit hash of each text."""
    raw = b"".join(
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        for text in texts
    )
    return np.frombuffer(raw, np.uint64).reshape(len(texts), 2)


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that others see the old one or the whole new one, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        dir=path.parent, prefix=f"{path.name}.", suffix=_TEMPORARY, delete=False
    ) as file:
        try:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink()
            raise
    os.replace(file.name, path)


@dataclass(frozen=True, eq=False)
class Shard:
    """The vectors of m distinct texts.

    Attributes:
        digests: (m, 2) uint64, the hash of each text.
        offsets: (m + 1,) int64; text i has the vectors offsets[i] to offsets[i + 1].
        vectors: (total, D) floating; memory-mapped if the shard is on disk.
        cut: (m,) bool, whether the model read only the beginning of a text.
        written_checksum: what `checksum` was when the shard was written; "" if it was not.
    """

    digests: NDArray[np.uint64]  # (m, 2)
    offsets: NDArray[np.int64]  # (m + 1,)
    vectors: NDArray[np.floating]  # (total, D)
    cut: NDArray[np.bool_]  # (m,)
    written_checksum: str = ""

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        order = np.argsort(self.digests[:, 0], kind="stable")
        return self.digests[order], order

    def find(self, digests: NDArray[np.uint64]) -> NDArray[np.int64]:
        """(k,) the place in this shard of each of (k, 2) hashes, or -1."""
        ours, order = self._sorted
        places = np.searchsorted(ours[:, 0], digests[:, 0]).clip(max=len(ours) - 1)
        found = (ours[places] == digests).all(axis=1)
        return np.where(found, order[places], -1)

    @property
    def checksum(self) -> str:
        """Hex digits that change with any byte of the shard."""
        crc = 0
        for name in _TENSORS:
            crc = zlib.crc32(np.ascontiguousarray(getattr(self, name)).data.cast("B"), crc)
        return f"{crc:08x}"


@dataclass(frozen=True)
class CachedModel:
    """What a cache holds of one model.

    Attributes:
        name: the string of the embedder.
        texts: the number of texts.
        bytes: the size on disk.
    """

    name: str
    texts: int
    bytes: int


class EmbeddingCache:
    """A folder of embedded texts: for each model a folder, with files of a few thousand texts each.

    A model is known by the content of its files and by its settings, a text by its content. A
    file appears when it is complete, so that processes can share the folder, and one that is
    killed loses at most the texts of one file. A damaged file is removed, with a warning, and its
    texts are embedded again.

    Args:
        folder: the folder; made when it is first written to.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).expanduser().absolute()
        self._checked: set[str] = set()  # names of files, which are hashes of what is in them

    def __repr__(self) -> str:
        return f"EmbeddingCache({str(self.folder)!r})"

    @property
    def memo(self) -> Path:
        """The file that remembers the hashes of model files."""
        return self.folder / "revisions.json"

    def find(
        self, key: str, digests: NDArray[np.uint64]
    ) -> tuple[list[Shard], NDArray[np.int64], NDArray[np.int64]]:
        """Look texts up.

        Args:
            key: the model's key.
            digests: (n, 2) the hashes of the texts.

        Returns:
            The shards that hold some of the texts, memory-mapped; (n,) which of them holds a text,
            or -1; and (n,) its place there. Damaged shards are removed, with a warning.
        """
        shards: list[Shard] = []
        holder, place = np.full(len(digests), -1), np.full(len(digests), -1)
        for path in sorted((self.folder / key).glob("*.safetensors")):
            missing = np.flatnonzero(holder < 0)
            if not len(missing):
                break
            if (shard := _read(path)) is None:
                continue
            found = shard.find(digests[missing])
            hits = missing[found >= 0]
            if len(hits) and self._is_whole(path, shard):
                holder[hits], place[hits] = len(shards), found[found >= 0]
                shards.append(shard)
        return shards, holder, place

    def _is_whole(self, path: Path, shard: Shard) -> bool:
        """Whether the content of a shard is what was written; one that is not is removed."""
        if path.name not in self._checked:
            if shard.checksum != shard.written_checksum:
                _remove(path, "its checksum is wrong")
                return False
            self._checked.add(path.name)
        return True

    def write(self, key: str, label: Mapping[str, Any], shard: Shard) -> Shard:
        """Write a shard of a model.

        Args:
            key: the model's key.
            label: what the model is, JSON-serializable; "spec" names it.
            shard: what to write.

        Returns:
            The same shard, memory-mapped.

        Raises:
            OSError: the folder cannot be written.
        """
        folder = self.folder / key
        if not (folder / _LABEL).exists():
            text = json.dumps(dict(label), indent=1)
            replace_file(folder / _LABEL, lambda file: file.write(text.encode()))
        path = _write(folder, shard)
        self._merge(folder)
        # Another process may have merged it away already.
        return _read(path) or shard

    def _merge(self, folder: Path) -> None:
        """Make one file of many small ones."""
        small = []
        for path in sorted(folder.glob("*.safetensors")):
            if 0 < _count_of(path) < _SMALL:
                small.append(path)
        if len(small) < _MANY:
            return
        read = [shard for path in small if (shard := _read(path)) is not None]
        merged = _write(folder, _joined(read))
        for path in small:
            if path != merged:
                path.unlink(missing_ok=True)

    def models(self) -> list[CachedModel]:
        """What the cache holds of each model, the largest first."""
        found = []
        for folder in self._folders():
            label = json.loads((folder / _LABEL).read_text("utf-8"))
            files = [path for path in folder.iterdir() if path.suffix == ".safetensors"]
            texts = sum(map(_count_of, files))
            size = sum(path.stat().st_size for path in folder.iterdir())
            found.append(CachedModel(label["spec"], texts, size))
        return sorted(found, key=lambda one: (-one.bytes, one.name))

    def clear(self) -> int:
        """Delete everything that the cache has written, and return the number of bytes freed."""
        freed = 0
        memos = self.folder.glob(f"{self.memo.name}*")
        own = [path for folder in self._folders() for path in folder.iterdir() if _is_ours(path)]
        for path in [*own, *memos]:
            freed += path.stat().st_size
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in own}:
            if not any(folder.iterdir()):
                folder.rmdir()
        self._checked.clear()
        return freed

    def _folders(self) -> list[Path]:
        """The folders of models; what others keep beside them is left alone."""
        if not self.folder.is_dir():
            return []
        names = sorted(path for path in self.folder.iterdir() if _FOLDER.fullmatch(path.name))
        return [path for path in names if (path / _LABEL).exists()]


def open_cache(where: str | os.PathLike[str] | EmbeddingCache | None) -> EmbeddingCache | None:
    """The cache that an option names.

    Args:
        where: a folder; None or "none" for no cache; or "auto", which is the environment variable
            LLMAR_CACHE if it is set, and otherwise the user's cache folder: `llmar` in
            XDG_CACHE_HOME, ~/Library/Caches or LOCALAPPDATA, depending on the platform.
    """
    if where is None or isinstance(where, EmbeddingCache):
        return where
    if os.fspath(where) == "auto":
        where = os.environ.get("LLMAR_CACHE") or _user_cache() / "llmar"
    return None if os.fspath(where) == "none" else EmbeddingCache(where)


def _is_ours(path: Path) -> bool:
    return path.suffix in (".safetensors", _TEMPORARY) or path.name == _LABEL


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _write(folder: Path, shard: Shard) -> Path:
    """Write a shard under the name that its content gives it."""
    from safetensors.numpy import save

    tensors = {name: np.ascontiguousarray(getattr(shard, name)) for name in _TENSORS}
    data = save(tensors, metadata={"checksum": shard.checksum, "texts": str(len(shard.cut))})
    name = hashlib.sha256(tensors["digests"].data).hexdigest()[:24]
    path = folder / f"{name}.safetensors"
    replace_file(path, lambda file: file.write(data))
    return path


def _joined(shards: Sequence[Shard]) -> Shard:
    lengths = np.concatenate([np.diff(shard.offsets) for shard in shards])
    return Shard(
        np.concatenate([shard.digests for shard in shards]),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([shard.vectors for shard in shards]),
        np.concatenate([shard.cut for shard in shards]),
    )


def _read(path: Path) -> Shard | None:
    """Map a shard; None if another process removed it, or it is damaged and was removed here."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            checksum = (file.metadata() or {})["checksum"]
            digests, offsets, cut = (file.get_tensor(n) for n in ("digests", "offsets", "cut"))
        return Shard(digests, offsets, _map(path, "vectors"), cut, checksum)
    except FileNotFoundError:  # merged with others by another process
        return None
    except (SafetensorError, KeyError, ValueError) as error:
        _remove(path, str(error))
        return None


def _remove(path: Path, reason: str) -> None:
    warnings.warn(
        f"{path} is damaged ({reason}) and was removed; its texts are embedded again", stacklevel=4
    )
    path.unlink(missing_ok=True)


def _map(path: Path, name: str) -> NDArray[np.floating]:
    """Map a tensor of a safetensors file, which is valid."""
    head, begin = _head(path)
    start, _ = head[name]["data_offsets"]
    dtype = {"F16": np.float16, "F32": np.float32}[head[name]["dtype"]]
    mapped: NDArray[np.floating] = np.memmap(
        path, dtype, "r", offset=begin + start, shape=tuple(head[name]["shape"])
    )
    return mapped


def _head(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file, and where the data begins."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(size)), 8 + size


def _count_of(path: Path) -> int:
    """The number of texts of a shard; 0 if it is gone or damaged."""
    try:
        head, _ = _head(path)
        return int(head["__metadata__"]["texts"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError):
        return 0

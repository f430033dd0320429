"""The files of a model: where they are, and which content they have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from llmar_env.text.embedders.cache import replace_file

__all__ = [
    "content_hash",
    "missing_extra",
    "model_folder",
    "quiet_loading",
    "refuse_code_and_pickles",
    "weight_files",
]

# Weights, tokenizers and configurations: data alone, neither code nor pickles.
_PATTERNS = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")
_OTHER_FORMATS = ("onnx", "openvino", "original")
# The hashes that this process knows: by path, the file's stamp and its hash.
_hashes: dict[str, list[str]] = {}


def missing_extra(spec: str, package: str, extra: str) -> ImportError:
    """The error of a kind of embedder whose package is not installed."""
    return ImportError(f'{spec} needs {package}: pip install "llmar[{extra}]"')


def model_folder(name: str, spec: str) -> Path:
    """The folder of a model: a local one, or one of the Hugging Face hub, downloaded if need be.

    Raises:
        FileNotFoundError: there is no such model, or the hub cannot be reached.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path.absolute()
    if path.is_file():
        raise FileNotFoundError(f"{spec}: {path} is a file; expected the folder of a model")
    if path.is_absolute() or name.count("/") > 1 or name.startswith("."):
        raise FileNotFoundError(f"{spec}: there is no folder {path}")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[*_PATTERNS]))
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise FileNotFoundError(
            f"{spec}: there is no folder {name}, and the Hugging Face hub gives no such model: "
            f"{reason[0]}"
        ) from error


def weight_files(folder: Path) -> list[Path]:
    """The files of a model that decide its vectors, sorted."""
    found = []
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part in _OTHER_FORMATS for part in parts)
        if not hidden and any(fnmatch(path.name, one) for one in _PATTERNS) and path.is_file():
            found.append(path)
    return sorted(found)


def refuse_code_and_pickles(folder: Path, spec: str) -> None:
    """Check that all weights of a model are safetensors, and that it needs no code of its own.

    Raises:
        ValueError: it is not so; the message says how weights are converted.
    """
    folders = {
        path.parent for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.rglob(pattern)
    }
    folders = {one for one in folders if not any(one.glob("*.safetensors"))}
    folders -= {one for one in folders if one.name in _OTHER_FORMATS}
    if folders or not any(folder.rglob("*.safetensors")):
        raise ValueError(
            f"{spec}: the model has no weights in safetensors format; pickled ones can run code "
            "and are not loaded. Where you trust them, convert them with\n"
            '  python -c "from transformers import AutoModel, AutoTokenizer; '
            f"AutoModel.from_pretrained('{folder}').save_pretrained('converted'); "
            f"AutoTokenizer.from_pretrained('{folder}').save_pretrained('converted')\"\n"
            "and name the folder 'converted'"
        )
    modules = folder / "modules.json"
    types = [one["type"] for one in _read_json(modules)] if modules.exists() else []
    own = [name for name in types if not name.startswith("sentence_transformers.")]
    if own:
        raise ValueError(f"{spec}: the model runs code of its own, {own[0]}, which is not loaded")


def content_hash(files: Sequence[Path], root: Path, memo: Path | None = None) -> str:
    """Hash the names and the content of files.

    Args:
        files: the files, sorted.
        root: the folder that their names are relative to.
        memo: a JSON file that remembers the hash of each file, for as long as its path, size,
            inode and time of modification stay the same; None remembers within this process only.

    Returns:
        64 hex digits, SHA-256.
    """
    known = _read_memo(memo) | _hashes
    digest, fresh = hashlib.sha256(), {}
    for path in files:
        stat, place = path.stat(), str(path.absolute())
        stamp = f"{stat.st_size}-{stat.st_ino}-{stat.st_mtime_ns}"
        if place not in known or known[place][0] != stamp:
            with path.open("rb") as file:
                fresh[place] = [stamp, hashlib.file_digest(file, "sha256").hexdigest()]
            known[place] = fresh[place]
        digest.update(f"{path.relative_to(root).as_posix()}\0{known[place][1]}\n".encode())
    if fresh:
        _hashes.update(fresh)
        if memo is not None:
            text = json.dumps(_read_memo(memo) | fresh, indent=0)
            replace_file(memo, lambda file: file.write(text.encode()))
    return digest.hexdigest()


def _read_memo(memo: Path | None) -> dict[str, list[str]]:
    """The remembered hashes; none if the file is absent or damaged, since it can be made again."""
    try:
        known = json.loads(memo.read_text("utf-8")) if memo is not None else {}
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep transformers from drawing a progress bar of its own while a model is loaded."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()

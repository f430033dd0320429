"""Files of runs, one JSON object per line, to which benchmarks append; .gz for compressed ones."""

from __future__ import annotations

import gzip
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from llmar_env.text.embedders import Embedder, Frozen

__all__ = ["append_run", "describe_machine", "embedder_name", "read_runs"]

_PACKAGES = ("torch", "gymnasium", "stable-baselines3", "sb3-contrib", "numpy")
_REPOSITORY = Path(__file__).parents[1]


def read_runs(path: Path) -> list[dict[str, Any]]:
    """The runs of a file; none if there is no file."""
    if not path.exists():
        return []
    with _opened(path, "rt") as file:
        return [json.loads(line) for line in file]


def append_run(path: Path, run: Mapping[str, Any]) -> None:
    """Append a run, with the machine that it ran on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path, "at") as file:
        file.write(json.dumps({**run, "machine": describe_machine()}) + "\n")


def embedder_name(embedder: Embedder | None) -> str:
    """What names an embedder wherever its files are: the kind, the folder's name and a hash."""
    if not isinstance(embedder, Frozen):
        return "word2vec"
    kind, _, where = embedder.spec.partition(":")
    return f"{kind}:{Path(where).name} {embedder.space}"


def _opened(path: Path, mode: str) -> IO[Any]:
    if path.suffix == ".gz":
        return TextIOWrapper(gzip.GzipFile(path, f"{mode[0]}b"), encoding="utf-8")
    return path.open(mode, encoding="utf-8")


def describe_machine() -> dict[str, Any]:
    """The machine, the versions and the commit."""
    info = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", info.read_text("utf-8") if info.exists() else "")
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "versions": versions,
        "commit": _commit(),
    }


def _commit() -> str:
    """The current commit, marked if the code has changed since."""
    git = partial(subprocess.run, cwd=_REPOSITORY, capture_output=True, text=True, check=False)
    head = git(["git", "rev-parse", "--short", "HEAD"]).stdout.strip()
    changed = git(["git", "status", "--porcelain", "agents", "llmar_env"]).stdout
    return f"{head or 'none'}{' with changes' if changed else ''}"

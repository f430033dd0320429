"""Files of runs, one JSON object per line, to which benchmarks append."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["append_run", "read_runs"]


def read_runs(path: Path) -> list[dict[str, Any]]:
    """The runs of a file; none if there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def append_run(path: Path, run: Mapping[str, Any]) -> None:
    """Append a run, with the machine that it ran on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**run, "machine": machine}) + "\n")

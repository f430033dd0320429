"""Measure how long the command line takes to respond: help, a mistake, and imports.

Each command runs in its own process, commands alternate, and medians are reported. `pass` and
`import torch` are references: the minimum that Python takes, and most of what a command line
would take that loads everything first.

    python benchmarks/startup.py

Run it on an otherwise idle machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import tyro
from rich.console import Console
from rich.table import Table

_REPOSITORY = Path(__file__).resolve().parents[1]
_COMMANDS = {
    "python -c 'pass'": ("-c", "pass"),
    "python -c 'import torch'": ("-c", "import torch"),
    "python -c 'import agents'": ("-c", "import agents"),
    "python train.py --help": ("train.py", "--help"),
    "python -m agents --help": ("-m", "agents", "--help"),
    "python -m agents train --help": ("-m", "agents", "train", "--help"),
    "python -m agents train --bad-flag": ("-m", "agents", "train", "--bad-flag"),
}


@dataclass(frozen=True)
class Options:
    """Measure how long the command line takes to respond."""

    json: Path | None = None
    """Write the figures to this file, one flat object."""
    repeats: int = 9
    """Number of runs of each command; the median is reported."""


def seconds(arguments: tuple[str, ...]) -> float:
    """Wall-clock time of one process of Python, from start to exit.

    Raises:
        RuntimeError: the process printed a traceback.
    """
    start = time.perf_counter()
    outcome = subprocess.run(
        [sys.executable, *arguments], cwd=_REPOSITORY, capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - start
    if "Traceback" in outcome.stderr:
        raise RuntimeError(outcome.stderr)
    return taken


def main(options: Options) -> None:
    """Measure, print a table and write the figures."""
    for arguments in _COMMANDS.values():
        seconds(arguments)  # compiles bytecode and fills the file cache
    runs = [
        {name: seconds(arguments) for name, arguments in _COMMANDS.items()}
        for _ in range(options.repeats)
    ]
    medians = {name: median(run[name] for run in runs) for name in _COMMANDS}
    table = Table("command", "seconds", title=f"Start-up, median of {options.repeats}")
    for name, value in medians.items():
        table.add_row(name, f"{value:.2f}")
    Console().print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(medians, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))

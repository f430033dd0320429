"""Measure how long the command line takes to respond, and environments to be made.

Each command (help, a mistake, imports) runs in its own process, commands alternate, and medians are
reported. `pass` and `import torch` are references: the minimum that Python takes, and most of what
a command line would take that loads everything first.

Each environment is made, over the built-in corpus, in a process that has imported Gymnasium and
llmar_env and has made none before: one started for it, and spawned workers of an AsyncVectorEnv.
The best run is reported.

    python benchmarks/startup.py

Run it on an otherwise idle machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium
import tyro
from gymnasium.vector import AsyncVectorEnv
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
_CALLS = (
    'gym.make("LLMAR/Align-v0")',
    'gym.make("LLMAR/Generate-v0")',
    'gym.make("LLMAR/Refine-v0")',
    'gym.make("LLMAR/Retrieve-v0")',
    'gym.make("LLMAR/Align-v0", data="phrasebook:fr-zh")',
    'gym.make_vec("LLMAR/Align-v0", num_envs=1024)',
)
_WORKERS = ("LLMAR/Align-v0", "LLMAR/Generate-v0", "LLMAR/Refine-v0")
_TIMED = "import time, gymnasium as gym, llmar_env; t = time.perf_counter(); {}; "
_TIMED += "print(time.perf_counter() - t)"


@dataclass(frozen=True)
class Options:
    """Measure how long the command line takes to respond, and environments to be made."""

    json: Path | None = None
    """Write the figures to this file, one flat object."""
    repeats: int = 9
    """Number of runs of each command (the median is reported) and environment (the best is)."""


def seconds(arguments: tuple[str, ...]) -> float:
    """Wall-clock time of one process of Python, from start to exit.

    Raises:
        RuntimeError: the process printed a traceback.
    """
    start = time.perf_counter()
    output(arguments)
    return time.perf_counter() - start


def output(arguments: tuple[str, ...]) -> str:
    """What a process of Python prints.

    Raises:
        RuntimeError: the process printed a traceback.
    """
    outcome = subprocess.run(
        [sys.executable, *arguments], cwd=_REPOSITORY, capture_output=True, text=True, check=False
    )
    if "Traceback" in outcome.stderr:
        raise RuntimeError(outcome.stderr)
    return outcome.stdout


class Timed(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that knows how many seconds `gymnasium.make` took."""

    def __init__(self, env_id: str) -> None:
        import llmar_env  # noqa: F401 - registers the environments

        start = time.perf_counter()
        super().__init__(gymnasium.make(env_id))
        self.make_seconds = time.perf_counter() - start


def worker_seconds(env_id: str) -> float:
    """Wall-clock time of `gymnasium.make` in the slower of two spawned workers."""
    envs = AsyncVectorEnv([partial(Timed, env_id)] * 2, context="spawn")
    taken = max(envs.get_attr("make_seconds"))
    envs.close()
    return float(taken)


def make_seconds() -> dict[str, float]:
    """Wall-clock time of each call that makes environments, after imports, in its own process."""
    taken = {call: float(output(("-c", _TIMED.format(call)))) for call in _CALLS}
    return taken | {f"{name}, in a worker": worker_seconds(name) for name in _WORKERS}


def main(options: Options) -> None:
    """Measure, print two tables and write the figures."""
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
    made = [make_seconds() for _ in range(options.repeats)]
    bests = {name: min(run[name] for run in made) for name in made[0]}
    table = Table("after imports", "seconds", title=f"Environments, best of {options.repeats}")
    for name, value in bests.items():
        table.add_row(name, f"{value:.3f}")
    Console().print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(medians | bests, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))

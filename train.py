"""Train an agent to align text, and report: `python train.py --help`."""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import tyro
from rich.console import Console

from agents.aligner import LLMAR
from agents.config import Config
from agents.report import examples, print_report, write_report


def main(config: Config) -> None:
    """Train, print the report and write the folder of the run."""
    console = Console()
    warnings.showwarning = lambda message, *_: console.print(f"[yellow]note:[/] {message}")
    llmar = LLMAR(config)
    folder = new_folder(config)
    console.print(f"training {config.algo} on {config.data} ({llmar.device}), into {folder}")
    trained = llmar.train(folder=folder)
    rows = examples(llmar, "test" if "test" in trained.scores else "valid")
    print_report(trained, rows, console)
    write_report(llmar, trained, rows, folder)
    console.print(f"results, curve and model are in {folder}")


def new_folder(config: Config) -> Path:
    """Make the folder of the run.

    Raises:
        ValueError: it exists already, or cannot be written.
    """
    stem = Path(config.data.replace("phrasebook:", "phrasebook-")).stem
    name = config.name or f"{stem}-{config.algo}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = config.runs / name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise ValueError(f"{folder} exists already: choose another --name") from None
    except OSError as error:
        raise ValueError(f"{folder} cannot be made: {error.strerror}") from None
    return folder


if __name__ == "__main__":
    try:
        main(tyro.cli(Config))
    except (ValueError, OSError, ImportError, ArithmeticError) as error:
        # What a user can mend is one line; everything else keeps its traceback.
        sys.exit(f"error: {error}")

"""Let a trained model write, refine and be evaluated: `python -m agents --help`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import tyro

from .commands.evaluate import Evaluate
from .commands.terminal import plain_words
from .commands.write import Generate, Refine

__all__ = ["cli"]


def cli(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says; what a user can mend ends in one line."""
    with plain_words():
        command = tyro.cli(
            Generate | Refine | Evaluate,
            prog="python -m agents",
            description="Let a trained model write, refine and be evaluated.",
            args=arguments,
        )
        try:
            command.run()
        except BrokenPipeError:
            # Whoever read the output has read enough; Python would complain when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    cli()

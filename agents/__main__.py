"""The command line: `llmar --help`, or `python -m agents --help`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import tyro

from .commands import train
from .commands.evaluate import Evaluate
from .commands.terminal import report_errors
from .commands.write import Generate, Refine
from .config import Config

__all__ = ["cli"]

_Train = Annotated[Config, tyro.conf.subcommand("train", description=train.DESCRIPTION)]


def cli(arguments: Sequence[str] | None = None, prog: str = "llmar") -> None:
    """Run the command that the arguments name.

    Args:
        arguments: the arguments; by default those of the process.
        prog: name of the program in its help.

    Raises:
        SystemExit: the arguments are invalid, or the command failed; the code is the message.
            Also after `--help`.
    """
    with report_errors():
        command = tyro.cli(
            _Train | Generate | Refine | Evaluate,
            prog=prog,
            description="Reinforcement-learned text alignment.",
            args=arguments,
        )
        if isinstance(command, Config):
            train.main(command)
        else:
            command.run()


if __name__ == "__main__":
    cli(prog="python -m agents")

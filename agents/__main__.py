"""The command line: `llmar --help`, or `python -m agents --help`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from .commands import train
from .commands.cache import Cache
from .commands.evaluate import Evaluate
from .commands.fit_alignment import FitAlignment
from .commands.rerank import Rerank
from .commands.search import Search
from .commands.terminal import parse, report_errors
from .commands.write import Generate, Refine
from .config import Config

__all__ = ["cli"]

_COMMANDS = (
    "train",
    "generate",
    "refine",
    "evaluate",
    "search",
    "fit-alignment",
    "rerank",
    "cache",
)
_DESCRIPTION = "Reinforcement-learned text alignment. With --version alone: print the version."
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
    given = sys.argv[1:] if arguments is None else list(arguments)
    with report_errors():
        if given[:1] == ["--version"]:
            print_version()
            return
        check_name(given)
        commands = _Train | Generate | Refine | Evaluate | Search | FitAlignment | Rerank | Cache
        command = parse(commands, prog, _DESCRIPTION, given)
        if isinstance(command, Config):
            train.main(command)
        else:
            command.run()


def print_version() -> None:
    """Print the version of the package."""
    from llmar_env import __version__

    print(f"llmar {__version__}")


def check_name(arguments: Sequence[str]) -> None:
    """Check that the first argument is the name of a command, if it is no flag.

    Raises:
        ValueError: there is no such command.
    """
    if not arguments or arguments[0].startswith("-") or arguments[0] in _COMMANDS:
        return
    near = difflib.get_close_matches(arguments[0], _COMMANDS, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise ValueError(f"no command {arguments[0]!r}{hint} The commands are {', '.join(_COMMANDS)}")


if __name__ == "__main__":
    cli(prog="python -m agents")

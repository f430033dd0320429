"""How all commands read their arguments, and show errors and warnings."""

from __future__ import annotations

import io
import json
import os
import sys
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import tyro

from ..config import Config, check_together, in_environment_of_task
from ..options import FlagError, naming_flags

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["parse", "print_json", "print_text", "report_console", "report_errors"]


def parse(command: Any, prog: str, description: str, arguments: Sequence[str] | None) -> Any:
    """Read the arguments of a command, without loading what takes long.

    Args:
        command: the class of its options, or a union of such.
        prog: name of the program in its help.
        description: what it does.
        arguments: the arguments; by default those of the process.

    Raises:
        FlagError: an option is out of range, or does not go with another one.
        SystemExit: the arguments cannot be read; or after `--help`.
    """
    with naming_flags():
        found = tyro.cli(command, prog=prog, description=description, args=arguments)
        if isinstance(found, Config):
            given = sys.argv[1:] if arguments is None else arguments
            if not any(one.partition("=")[0] == "--env" for one in given):
                found = in_environment_of_task(found)
            check_together(found)
    return found


@contextmanager
def report_errors() -> Iterator[None]:
    """Print warnings and errors that the user can correct as single lines on standard error.

    Raises:
        SystemExit: in place of such an error, or when interrupted; the code is the message.
    """
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
        try:
            yield
        except BrokenPipeError:
            # The reader of the pipe has closed it; Python would raise again when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except _correctable() as error:
            sys.exit(f"error: {_one_line(error)}")
        except KeyboardInterrupt:
            sys.exit("interrupted")


def _correctable() -> tuple[type[Exception], ...]:
    """The errors that a user can correct."""
    own = (FlagError, ValueError, OSError, ImportError, ArithmeticError)
    # Not imported: where nothing has loaded Gymnasium, it has raised nothing.
    loaded = sys.modules.get("gymnasium.error")
    return own if loaded is None else (*own, loaded.Error)


def _one_line(error: Exception) -> str:
    return " ".join(line.strip() for line in str(error).splitlines() if line.strip())


def report_console() -> Console:
    """A console for reports on standard output.

    Characters that its encoding lacks are written as escapes, since a report only shows texts.
    """
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return Console()


def print_text(text: str) -> None:
    """Print an answer as a line of standard output, as it is.

    Raises:
        ValueError: the encoding of standard output lacks one of its characters.
    """
    try:
        print(text)
    except UnicodeEncodeError as error:
        lacking = error.object[error.start]
        raise ValueError(
            f"standard output is in {sys.stdout.encoding}, which has no U+{ord(lacking):04X} "
            f"({unicodedata.name(lacking, 'no name')}): set PYTHONIOENCODING=utf-8, or write JSON "
            "by --jsonl"
        ) from None


def print_json(data: Mapping[str, Any]) -> None:
    """Print an object as a line of JSON, with escapes where the encoding of the output asks."""
    text = json.dumps(data, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(data)
    print(text)

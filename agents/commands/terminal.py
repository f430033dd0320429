"""How all commands read their arguments, and show errors and warnings."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tyro

from ..config import Config, check_together
from ..options import FlagError, naming_flags

__all__ = ["parse", "report_errors"]


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
        except (FlagError, ValueError, OSError, ImportError, ArithmeticError) as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("interrupted")
        except Exception as error:
            # Imported here, so that parsing the arguments does not load Gymnasium.
            from gymnasium.error import Error

            if not isinstance(error, Error):
                raise
            sys.exit(f"error: {error}")

"""How all commands show errors and warnings."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["report_errors"]


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
        except (ValueError, OSError, ImportError, ArithmeticError) as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("interrupted")
        except Exception as error:
            # Imported here, so that parsing the arguments does not load Gymnasium.
            from gymnasium.error import Error

            if not isinstance(error, Error):
                raise
            sys.exit(f"error: {error}")

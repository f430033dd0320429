"""What the commands have in common: how errors and warnings are shown."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["report_errors"]


@contextmanager
def report_errors() -> Iterator[None]:
    """Print errors that the user can correct, and warnings, in one line each on standard error.

    Raises:
        SystemExit: instead of such an error, or after an interruption; the code is the message.
    """
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
        try:
            yield
        except BrokenPipeError:
            # Whoever read the output has read enough; Python would complain when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (ValueError, OSError, ImportError, ArithmeticError) as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("interrupted")
        except Exception as error:
            # Imported here, so that reading the arguments does not wait for Gymnasium.
            from gymnasium.error import Error

            if not isinstance(error, Error):
                raise
            sys.exit(f"error: {error}")

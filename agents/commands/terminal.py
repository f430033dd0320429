"""What the commands have in common: how they tell a user what went wrong."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import gymnasium

__all__ = ["plain_words"]


@contextmanager
def plain_words() -> Iterator[None]:
    """Turn what a user can mend into one line on standard error, and warnings into notes.

    Raises:
        SystemExit: in the place of an error that a user can mend, or of an interruption.
    """
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
        try:
            yield
        except (ValueError, OSError, ImportError, ArithmeticError, gymnasium.error.Error) as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("interrupted")

"""Progress of long work on standard error: a bar on a terminal, lines everywhere else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

__all__ = ["ProgressBar"]

# Seconds between two frames on a terminal, and between two lines anywhere else.
_FRAME, _LINE = 0.1, 10.0
# A bar of fewer characters gives way to the text beside it.
_SHORTEST = 5
# Width of a terminal that does not say its own.
_COLUMNS = 80


class ProgressBar:
    """Shows how much is done, the time, and a note.

    On a terminal it is one line that is drawn again and again, never wider than the terminal; the
    bar shrinks first, then the time that remains is left out, then the bar, and then the note.
    Where standard error is a file or a pipe, it is a line every ten seconds. All characters of the
    bar are ASCII. Leaving a `with` block ends the line.

    Args:
        name: what is done.
        total: the value of `done` at the end, above 0.
        unit: what `done` counts, such as "texts", whose number per second is then shown.
        show: whether to show anything.
        stream: where to; by default standard error.
        clock: seconds of a clock that never goes back.

    Attributes:
        done: how much is done, in [0, total].
        note: what stands at the end of the line.
    """

    def __init__(
        self,
        name: str,
        total: float = 1.0,
        *,
        unit: str = "",
        show: bool = True,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.total = total
        self.unit = unit
        self.done = 0.0
        self.note = ""
        self._clock = clock
        # There is no standard error under pythonw.
        self._stream: TextIO | None = (stream or sys.stderr) if show else None
        self._draws = self._stream is not None and self._stream.isatty()
        self._started = self._shown = clock()
        self._width = 0  # of the line that stands on the terminal
        if self._draws:
            self._draw()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, done: float, note: str | None = None) -> None:
        """Set how much is done, up to the total, and perhaps the note; show it if it is time to."""
        self.done = min(done, self.total)
        self.note = self.note if note is None else note
        if self._clock() - self._shown < (_FRAME if self._draws else _LINE):
            return
        if self._draws:
            self._draw()
        elif self._stream is not None:
            self._shown = self._clock()
            print(self._line(None), file=self._stream, flush=True)

    def advance(self, amount: float) -> None:
        """Add to what is done."""
        self.update(self.done + amount)

    def close(self) -> None:
        """Draw the last state on a terminal, and end the line; nothing follows."""
        if self._draws and self._stream is not None:
            self._draw()
            print(file=self._stream, flush=True)
        self._stream, self._draws = None, False

    def _draw(self) -> None:
        assert self._stream is not None
        self._shown = self._clock()
        # Some terminals wrap a line that fills the last column.
        line = self._line(_columns(self._stream) - 1)
        # Blanks cover what is left of a longer line.
        print(f"\r{line:{self._width}}"[: _columns(self._stream)], end="", file=self._stream)
        self._stream.flush()
        self._width = len(line)

    def _line(self, width: int | None) -> str:
        """The text, with a bar that makes it fill the width if there is one."""
        share, elapsed = self.done / self.total, self._clock() - self._started
        head, spent, note = f"{self.name} {share:4.0%}", _clock_time(elapsed), f" {self.note}"
        if self.unit and self.done and elapsed:
            note = f" {self.done / elapsed:,.0f} {self.unit}/s{note}"
        left = f"{spent}<{_clock_time(elapsed / share - elapsed)}" if share else spent
        if width is None:
            return f"{head} {left}{note}".rstrip()
        for tail in (f" {left}{note}".rstrip(), f" {spent}{note}".rstrip()):
            room = width - len(head) - len(tail) - len(" []")
            if room >= _SHORTEST:
                return f"{head} [{'#' * round(share * room):.<{room}}]{tail}"
        for line in (f"{head} {left}{note}", f"{head} {spent}{note}", f"{head} {spent}"):
            if len(line.rstrip()) <= width:
                break
        return line.rstrip()[:width]


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    except (OSError, ValueError):  # not a file of the system
        return _COLUMNS


def _clock_time(seconds: float) -> str:
    """Minutes and seconds, after hours if there are any."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"

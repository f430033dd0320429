"""How much of the time for training is left, and a learning rate that follows it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

__all__ = ["Clock", "LinearDecay"]


class Clock:
    """Measures the seconds of a training, and how much of its time is left.

    Args:
        limit: seconds that there are; infinite if None.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.limit = math.inf if limit is None else limit
        self.seconds = 0.0
        self.started: float | None = None

    def start(self) -> None:
        """Begin to count."""
        self.started = time.perf_counter()

    def stop(self) -> None:
        """Stop counting, and keep the `seconds` so far."""
        self.seconds, self.started = self.elapsed, None

    @property
    def elapsed(self) -> float:
        """Seconds from `start` to now or to `stop`; 0 before."""
        return self.seconds if self.started is None else time.perf_counter() - self.started

    @property
    def fraction_remaining(self) -> float:
        """Share of the time that is left, from 1 at the start to 0 at the limit."""
        return max(0.0, 1.0 - self.elapsed / self.limit)


@dataclass(frozen=True)
class LinearDecay:
    """Learning rate that falls linearly to 0 at the end, be it the end of steps or of time."""

    initial: float
    clock: Clock

    def __call__(self, progress_remaining: float) -> float:
        """The rate, for SB3's share of steps that remain."""
        return self.initial * min(progress_remaining, self.clock.fraction_remaining)

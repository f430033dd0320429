"""A clock with a time limit, and a learning-rate schedule that follows it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

__all__ = ["Clock", "LinearDecay"]


class Clock:
    """Measures the wall-clock time of a training run, and its share of the time limit.

    Args:
        limit: time limit in seconds; infinite if None.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.limit = math.inf if limit is None else limit
        self.seconds = 0.0
        self.started: float | None = None

    def start(self) -> None:
        """Start counting."""
        self.started = time.perf_counter()

    def stop(self) -> None:
        """Stop counting, and store the elapsed time as `seconds`."""
        self.seconds, self.started = self.elapsed, None

    @property
    def elapsed(self) -> float:
        """Seconds from `start` to `stop` or, while running, to now; 0 before `start`."""
        return self.seconds if self.started is None else time.perf_counter() - self.started

    @property
    def fraction_remaining(self) -> float:
        """Share of the time limit that remains, from 1 at the start to 0 at the limit."""
        return max(0.0, 1.0 - self.elapsed / self.limit)


@dataclass(frozen=True)
class LinearDecay:
    """A learning rate that decays linearly to 0 at the limit of steps or of time."""

    initial: float
    clock: Clock

    def __call__(self, progress_remaining: float) -> float:
        """The learning rate, given SB3's share of remaining steps.

        That is negative in the last update, whose rollout goes beyond the limit.
        """
        return self.initial * max(0.0, min(progress_remaining, self.clock.fraction_remaining))

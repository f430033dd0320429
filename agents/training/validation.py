"""Validation, which scores a policy at intervals and keeps the best weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from llmar_env.metrics import RankingScores, Scores, TextScores

__all__ = ["VALIDATIONS", "Record", "Validation", "later"]

VALIDATIONS = 30
"""Number of validations in a run, the points of its curve; each takes about 20 ms."""


@dataclass(frozen=True)
class Record:
    """The result of one validation, with the progress of the training."""

    seconds: float
    steps: int
    texts: int
    scores: Scores | TextScores | RankingScores


def later(record: Record, seconds: float) -> Record:
    """The record on a clock that started earlier, with a warm start."""
    return replace(record, seconds=record.seconds + seconds)


@dataclass
class Validation:
    """Scores a policy at intervals, and keeps the best weights.

    Attributes:
        score: function that scores a policy on validation texts.
        metric: name of the score that selects the best weights.
        times: number of validations in a run, the points of its curve.
        records: one record for each validation.
    """

    score: Callable[[Any], Any]
    metric: str = "alignment"
    times: int = VALIDATIONS
    records: list[Record] = field(default_factory=list)
    _best: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def is_due(self, progress: float) -> bool:
        """Whether the next validation is due, given the progress of the training in [0, 1]."""
        return progress >= len(self.records) / self.times

    def run(self, policy: nn.Module, seconds: float, steps: int, texts: int) -> Record:
        """Score the policy; keep its weights if they are the best so far."""
        record = Record(seconds, steps, texts, self.score(policy))
        if not self.records or self.value(record) >= self.value(self.best):
            self._best = {name: w.detach().clone() for name, w in policy.state_dict().items()}
        self.records.append(record)
        return record

    @property
    def best(self) -> Record:
        """The record with the highest value; the latest one in case of a tie."""
        return max(self.records, key=lambda record: (self.value(record), record.seconds))

    @property
    def stale(self) -> int:
        """Number of validations since the best one."""
        return len(self.records) - 1 - self.records.index(self.best)

    def value(self, record: Record) -> float:
        """The score of a record by which the best weights are selected."""
        return float(getattr(record.scores, self.metric))

    def restore_best(self, policy: nn.Module) -> None:
        """Restore the best weights of the policy, if it was ever scored."""
        if self.records:
            policy.load_state_dict(self._best)

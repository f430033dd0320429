"""What every way of training shares: a clock, a falling learning rate, validation, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback, ProgressBarCallback
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from llmar_env.metrics import Scores, TextScores

from .algorithms.reinforce import REINFORCE
from .algorithms.update import NonFiniteLossError
from .policies.direction import DirectionPolicy

__all__ = [
    "VALIDATIONS",
    "Clock",
    "LinearDecay",
    "Progress",
    "Record",
    "Training",
    "Validation",
]


VALIDATIONS = 30
"""Validations in a run, the points of its curve; each costs some 20 ms of training."""


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
    def remaining(self) -> float:
        """Share of the time that is left, from 1 at the start to 0 at the limit."""
        return max(0.0, 1.0 - self.elapsed / self.limit)


@dataclass(frozen=True)
class LinearDecay:
    """Learning rate that falls linearly to 0 at the end, be it the end of steps or of time."""

    initial: float
    clock: Clock

    def __call__(self, progress_remaining: float) -> float:
        """The rate, for SB3's share of steps that remain."""
        return self.initial * min(progress_remaining, self.clock.remaining)


@dataclass(frozen=True)
class Record:
    """One validation."""

    seconds: float
    steps: int
    texts: int
    scores: Scores | TextScores


@dataclass
class Validation:
    """Scores a policy now and then, and keeps the best weights.

    Attributes:
        score: of a policy on validation texts.
        metric: the score that chooses the best weights.
        times: validations in a run, the points of its curve.
        records: one for each validation.
    """

    score: Callable[[Any], Any]
    metric: str = "alignment"
    times: int = VALIDATIONS
    records: list[Record] = field(default_factory=list)
    _best: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def is_due(self, progress: float) -> bool:
        """Whether the next validation should come now, for the share of the training done."""
        return progress >= len(self.records) / self.times

    def run(self, policy: BasePolicy, seconds: float, steps: int, texts: int) -> Record:
        """Score the policy; keep its weights if they are the best so far."""
        record = Record(seconds, steps, texts, self.score(policy))
        if not self.records or self.value(record) >= self.value(self.best):
            self._best = {name: w.detach().clone() for name, w in policy.state_dict().items()}
        self.records.append(record)
        return record

    @property
    def best(self) -> Record:
        """The record of the highest value, the latest of equals."""
        return max(self.records, key=lambda record: (self.value(record), record.seconds))

    @property
    def stale(self) -> int:
        """Validations since the best one."""
        return len(self.records) - 1 - self.records.index(self.best)

    def value(self, record: Record) -> float:
        """The score of a record that chooses the best weights."""
        return float(getattr(record.scores, self.metric))

    def restore_best(self, policy: BasePolicy) -> None:
        """Give the policy the best weights back, if it was ever scored."""
        if self.records:
            policy.load_state_dict(self._best)


class Training(BaseCallback):
    """SB3 callback: validates when it is due, logs it, and ends the training when time is up.

    Args:
        clock: started with the training.
        validation: what to validate on.
        group_size: steps for each text that is read.
    """

    def __init__(self, clock: Clock, validation: Validation, group_size: int) -> None:
        super().__init__()
        self.clock = clock
        self.validation = validation
        self.group_size = group_size

    def _on_training_start(self) -> None:
        self.clock.start()

    def _on_rollout_start(self) -> None:
        # Between two updates, while no graph is open.
        steps = self.model.num_timesteps / self.model._total_timesteps
        if self.validation.is_due(max(steps, self.clock.elapsed / self.clock.limit)):
            self.validate()
        if not isinstance(self.model, REINFORCE) and self.model._n_updates:
            self._check_update()

    def _check_update(self) -> None:
        """Look after the last update of an algorithm of SB3's, as REINFORCE does by itself.

        Raises:
            NonFiniteLossError: it left the weights, or its gradient, NaN or infinite.
        """
        policy = self.model.policy
        grads = [weight.grad for weight in policy.parameters() if weight.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads)
        if not all(bool(value.isfinite().all()) for value in (norm, *policy.parameters())):
            raise NonFiniteLossError(
                f"the weights or their gradient are not finite after {self.model.num_timesteps} "
                "steps. A lower learning rate, or a reward without extreme values, may help"
            )
        # After clipping, of the last minibatch: what SB3 leaves behind.
        self.model.logger.record("train/grad_norm", norm.item())

    def _on_step(self) -> bool:
        if not isinstance(self.model, REINFORCE):
            self._log_step()
        return self.clock.elapsed < self.clock.limit

    def _log_step(self) -> None:
        """Log what REINFORCE logs by itself, from what SB3's rollout has at hand."""
        policy, record = self.model.policy, self.model.logger.record_mean
        if "rewards" in self.locals:  # ARS calls at each step, with no more than its own
            rewards = np.reshape(self.locals["rewards"], (-1, self.group_size))
            record("rollout/group_spread", float(rewards.std(axis=1).mean()))
        if "clipped_actions" in self.locals:  # on-policy; others squash their actions
            inside = self.locals["clipped_actions"]
            record("rollout/clipped_fraction", float((inside != self.locals["actions"]).mean()))
        if isinstance(policy, DirectionPolicy):
            record("train/action_spread", policy.action_dist.spread.item())

    def _on_training_end(self) -> None:
        self.validate()
        self.model.logger.dump(self.model.num_timesteps)

    def validate(self) -> None:
        """Score the policy as it is."""
        steps = self.model.num_timesteps
        texts = steps // self.group_size
        policy = self.model.policy
        assert isinstance(policy, BasePolicy)
        record = self.validation.run(policy, self.clock.elapsed, steps, texts)
        for name, value in vars(record.scores).items():
            if isinstance(value, float):
                self.model.logger.record(f"valid/{name}", value)


class Progress(ProgressBarCallback):
    """SB3's progress bar, with the validation alignment and the speed beside it."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training

    def _on_rollout_start(self) -> None:
        records = self.training.validation.records
        seconds = self.training.clock.elapsed
        if not records or not seconds:
            return
        speed = self.model.num_timesteps / seconds
        texts = speed / self.training.group_size
        self.pbar.set_description(
            f"alignment {records[-1].scores.alignment:.3f}, "
            f"{speed:,.0f} steps/s, {texts:,.0f} texts/s",
            refresh=False,
        )

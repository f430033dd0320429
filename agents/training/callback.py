"""SB3 callbacks that validate, log, enforce the time limit and show progress."""

from __future__ import annotations

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy

from llmar_env.progress import ProgressBar

from ..algorithms.reinforce import REINFORCE
from ..algorithms.update import NonFiniteLossError
from ..policies.sampling import LogsScalars
from .clock import Clock
from .validation import Validation

__all__ = ["Progress", "Training"]


class Training(BaseCallback):
    """SB3 callback that validates regularly, logs, and ends the training at the time limit.

    Args:
        clock: the clock, started with the training.
        validation: scores the policy.
        group_size: number of steps per text.
    """

    def __init__(self, clock: Clock, validation: Validation, group_size: int) -> None:
        super().__init__()
        self.clock = clock
        self.validation = validation
        self.group_size = group_size

    @property
    def done(self) -> float:
        """The share of the steps or of the time limit, whichever is larger; at least 0."""
        steps = self.model.num_timesteps / self.model._total_timesteps
        return max(steps, self.clock.elapsed / self.clock.limit)

    def _on_training_start(self) -> None:
        self.clock.start()

    def _on_rollout_start(self) -> None:
        # Validate between two updates, when no autograd graph is in use.
        if self.validation.is_due(self.done):
            self.validate()
        if not isinstance(self.model, REINFORCE) and self.model._n_updates:
            self._check_update()

    def _check_update(self) -> None:
        """Check the last update of an SB3 algorithm; REINFORCE does this itself.

        Raises:
            NonFiniteLossError: the weights or their gradient are NaN or infinite.
        """
        policy = self.model.policy
        grads = [weight.grad for weight in policy.parameters() if weight.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads)
        if not all(bool(value.isfinite().all()) for value in (norm, *policy.parameters())):
            raise NonFiniteLossError(
                f"the weights or their gradient are not finite after {self.model.num_timesteps} "
                "steps. A lower learning rate, or a reward without extreme values, may help"
            )
        # The norm after clipping, in the last minibatch: SB3 keeps no other gradient.
        self.model.logger.record("train/grad_norm", norm.item())

    def _on_step(self) -> bool:
        if not isinstance(self.model, REINFORCE):
            self._log_step()
        return self.clock.elapsed < self.clock.limit

    def _log_step(self) -> None:
        """Log the values that REINFORCE logs itself, from the local variables of SB3's rollout."""
        policy, record = self.model.policy, self.model.logger.record_mean
        if "rewards" in self.locals:  # not under ARS
            rewards = np.reshape(self.locals["rewards"], (-1, self.group_size))
            record("rollout/group_reward_std", float(rewards.std(axis=1).mean()))
        if "clipped_actions" in self.locals:  # on-policy; others squash their actions
            inside = self.locals["clipped_actions"]
            record("rollout/clipped_fraction", float((inside != self.locals["actions"]).mean()))
        if isinstance(policy, LogsScalars):
            for name, value in policy.scalars().items():
                record(name, value)

    def _on_training_end(self) -> None:
        self.validate()
        self.model.logger.dump(self.model.num_timesteps)

    def validate(self) -> None:
        """Score the current policy, and log the scores."""
        steps = self.model.num_timesteps
        texts = steps // self.group_size
        policy = self.model.policy
        assert isinstance(policy, BasePolicy)
        record = self.validation.run(policy, self.clock.elapsed, steps, texts)
        for name, value in vars(record.scores).items():
            if isinstance(value, float):
                self.model.logger.record(f"valid/{name}", value)


class Progress(BaseCallback):
    """SB3 callback that shows progress, the metric of the last validation, and the speed.

    Args:
        training: the callback with the validation and the clock.
        bar: shows the share of the steps or of the time limit, whichever is larger.
    """

    def __init__(self, training: Training, bar: ProgressBar) -> None:
        super().__init__()
        self.training = training
        self.bar = bar

    def _on_rollout_start(self) -> None:
        validation, seconds = self.training.validation, self.training.clock.elapsed
        if validation.records and seconds:
            value = validation.value(validation.records[-1])
            speed = self.model.num_timesteps / seconds
            self.bar.update(
                self.training.done, f"{validation.metric} {value:.3g}, {speed:,.0f} steps/s"
            )

    def _on_step(self) -> bool:
        self.bar.update(self.training.done)
        return True

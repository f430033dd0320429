"""The base class of LLMAR's trainers: options, environments and reinforcement learning."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from llmar_env.metrics import Difference
from llmar_env.progress import ProgressBar
from llmar_env.retrieval import Collection
from llmar_env.text.corpus import Corpus

from ..algorithms.buffers import GroupedReplayBuffer
from ..algorithms.presets import Algorithm
from ..algorithms.settings import policy_class, tuned
from ..config import Config
from ..inference.calibration import Calibration, Judged, Reliability
from ..inference.ranking import Evaluation, differences
from ..training.callback import Progress, Training
from ..training.clock import Clock, LinearDecay
from ..training.validation import Record, Validation
from ..vec_env import GymVecEnv, make_vec_env
from .saved import MANIFEST, SavedModel

__all__ = ["Trained", "Trainer"]

_LOG_INTERVAL = 20  # steps of the vector environment


@dataclass(frozen=True)
class Trained:
    """The results of a training run."""

    scores: dict[str, dict[str, Any]]
    """Scores by split, then by the source of the answers: `Scores` of trained, supervised,
    untrained, identity and constant; for a writer, `TextScores` of trained, warm_start, copy and
    constant; for a query adapter, `RankingScores` of trained, warm_start, supervised, linear, bm25
    and identity. Where a training goes on from earlier weights, start has the scores of those."""
    curves: dict[str, list[Record]]
    """Validations of each trained policy; seconds count from the start of the warm start, if there
    is one."""
    timings: dict[str, float]
    """Seconds of each phase, and throughput."""
    precision: str = "float32"
    """Precision of matrix products: float32, or bfloat16 for a writer."""
    metric: str = "alignment"
    """The score on "valid" by which the weights were selected."""
    reward: str = "cosine"
    """The reward that was trained on."""
    evaluations: Mapping[str, Mapping[str, Evaluation]] = field(default_factory=dict)
    """For a query adapter, what `scores` are the means of: the measures of each query."""
    reliability: Mapping[str, Reliability] = field(default_factory=dict)
    """Confidence beside correctness by split; it was calibrated on "valid"."""
    notes: tuple[str, ...] = ()
    """What a reader of the scores should know, in one sentence each."""

    @cached_property
    def differences(self) -> dict[str, dict[str, dict[str, Difference]]]:
        """Trained minus the others, by split, source of their answers and score.

        Each has a 95% interval. Empty but for a query adapter.
        """
        found = {}
        for split, evaluations in self.evaluations.items():
            others = {name: one for name, one in evaluations.items() if name != "trained"}
            found[split] = differences(evaluations["trained"], others)
        return found


class Trainer:
    """Trains a policy on the environment of a configuration.

    Args:
        config: the options.
        device: the policy's device.
        algorithm: the reinforcement-learning algorithm, with its default settings.
        hidden_dim: default width of the network; None if that depends on the texts.

    Attributes:
        config: the options, with the width of the network filled in as soon as it is known.
        device: the policy's device.
        algorithm: the reinforcement-learning algorithm, with the settings from the options.
        learned_corpus: the corpus that was trained on, if its vectors were learned with the policy.
        calibration: turns scores of answers into confidence; None before training, and where there
            is nothing to be sure of.
    """

    learned_corpus: Corpus | None = None

    def __init__(
        self, config: Config, device: torch.device, algorithm: Algorithm, hidden_dim: int | None
    ) -> None:
        options = config.algorithm
        options = replace(options, hidden_dim=options.hidden_dim or hidden_dim)
        self.config = replace(config, algorithm=options)
        self.device = device
        self.algorithm = tuned(algorithm, options)
        self.calibration: Calibration | None = None

    def _make_env(self, corpus: Corpus | Collection, **options: Any) -> GymVecEnv:
        """Make environments on the training texts, as many as the algorithm needs."""
        algorithm = self.algorithm
        size = algorithm.num_texts * algorithm.group_size
        own = {"data": corpus, "split": "train", "group_size": algorithm.group_size}
        return make_vec_env(self.config.task.env, size, env_kwargs=own | options)

    def _make_model(
        self,
        env: GymVecEnv,
        policy_kwargs: dict[str, Any],
        clock: Clock,
        folder: Path | None,
        **settings: Any,
    ) -> BaseAlgorithm:
        """Make the algorithm, with a new policy.

        Args:
            env: the training environments.
            policy_kwargs: arguments of the policy.
            clock: a clock; the learning rate reaches 0 at its limit.
            folder: folder for TensorBoard logs; no logs if None.
            **settings: arguments of the algorithm that replace its settings.
        """
        make: Callable[..., BaseAlgorithm] = self.algorithm.cls
        return make(
            policy_class(self.algorithm),
            env,
            learning_rate=LinearDecay(self.algorithm.learning_rate, clock),
            seed=self.config.run.seed,
            device=self.device,
            tensorboard_log=None if folder is None else str(folder),
            policy_kwargs=policy_kwargs,
            **self._settings(env.action_space) | settings,
        )

    def _calibrate(self, judged: Mapping[str, Judged | None]) -> dict[str, Reliability]:
        """Fit the confidence on answers to "valid"; compare it with correctness, by split."""
        valid = judged["valid"]
        self.calibration = None if valid is None else Calibration.fit(*valid)
        found = {split: self._reliability(one) for split, one in judged.items()}
        return {split: one for split, one in found.items() if one is not None}

    def _reliability(self, judged: Judged | None) -> Reliability | None:
        """Compare confidence with correctness; None where there is no confidence."""
        if judged is None or self.calibration is None or not len(judged.scores):
            return None
        return Reliability.of(self.calibration(judged.scores), judged.right)

    def _confidence(self, scores: NDArray[np.float64]) -> list[float | None]:
        """The confidence of n answers with these scores, if there is one."""
        if self.calibration is None:
            return [None] * len(scores)
        return [*map(float, self.calibration(scores))]

    def _save_calibration(self) -> dict[str, Any]:
        """The data of a saved model that `_restore_calibration` needs."""
        return {"calibration": [] if self.calibration is None else [*astuple(self.calibration)]}

    def _restore_calibration(self, saved: SavedModel) -> None:
        if found := saved.field("calibration", list):
            with saved.faults_of(MANIFEST, "calibration"):
                self.calibration = Calibration(*map(float, found))

    def _timings(self, model: BaseAlgorithm, training: Clock, whole: Clock) -> dict[str, float]:
        """Seconds and throughput of a reinforcement learning whose steps are whole answers."""
        rate = model.num_timesteps / training.seconds
        return {
            "training_seconds": training.seconds,
            "total_seconds": whole.elapsed,
            "steps": model.num_timesteps,
            "steps_per_second": rate,
            "texts_per_second": rate / self.algorithm.group_size,
        }

    def _settings(self, action_space: spaces.Space[Any]) -> dict[str, Any]:
        """The algorithm's settings in the format that its class accepts."""
        settings = dict(self.algorithm.settings)
        if settings.get("replay_buffer_class") is GroupedReplayBuffer:
            if settings.get("n_steps", 1) != 1:
                raise ValueError(
                    "n-step returns need SB3's replay buffer: add replay_buffer_class=none to the "
                    "settings, or leave n_steps out"
                )
            own = {"group_size": self.algorithm.group_size}
            settings["replay_buffer_kwargs"] = own | (settings.get("replay_buffer_kwargs") or {})
        if isinstance(settings.get("train_freq"), list):  # a tuple, saved as JSON
            settings["train_freq"] = tuple(settings["train_freq"])
        if (deviation := settings.get("action_noise")) is not None:
            zero = np.zeros(action_space.shape or ())
            settings["action_noise"] = NormalActionNoise(zero, zero + deviation)
        return settings

    def _reinforce(
        self,
        model: BaseAlgorithm,
        clock: Clock,
        validation: Validation,
        callback: BaseCallback | None,
    ) -> None:
        """Learn until the limit of steps or time, and keep the best weights.

        Args:
            model: the algorithm.
            clock: the clock of the learning-rate schedule; started and stopped here.
            validation: scores the policy and selects the best weights.
            callback: an additional SB3 callback.
        """
        training = Training(clock, validation, self.algorithm.group_size)
        bar = ProgressBar("training", show=self.config.run.progress)
        callbacks: list[BaseCallback] = [training, Progress(training, bar)]
        if callback is not None:
            callbacks.append(callback)
        # The unit is episodes for off-policy algorithms, which are one step long in
        # LLMAR/Align-v0, and rollouts for others.
        interval = _LOG_INTERVAL
        if isinstance(model, OffPolicyAlgorithm):
            interval *= model.n_envs
        elif isinstance(model, OnPolicyAlgorithm):
            interval = max(1, interval // model.n_steps)
        try:
            model.learn(int(self.algorithm.total_steps), callbacks, log_interval=interval)
        finally:
            # Also after an error, so that the best weights are kept.
            clock.stop()
            bar.close()
            validation.restore_best(model.policy)
        begins = getattr(model, "learning_starts", 0)
        if model.num_timesteps <= begins:
            warnings.warn(
                f"{type(model).__name__} has learned nothing: it acts at random for its first "
                f"{begins:,} steps (learning_starts), and took {model.num_timesteps:,} in all; "
                "train for longer, or set learning_starts lower",
                stacklevel=3,
            )

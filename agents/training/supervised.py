"""Supervised training of the agent's network, as a baseline or before reinforcement learning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.utils import update_learning_rate

from llmar_env.progress import ProgressBar
from llmar_env.spaces import TextIndex
from llmar_env.text.embedded import EmbeddedTexts

from ..algorithms.update import descend
from ..policies.gru import GRUPolicy
from .clock import Clock, LinearDecay
from .losses import SupervisedLoss
from .validation import Validation

__all__ = ["make_baseline_policy", "train_supervised"]


def make_baseline_policy(
    texts: EmbeddedTexts,
    action_space: spaces.Box,
    policy_kwargs: Mapping[str, Any],
    *,
    seed: int,
    device: torch.device,
) -> GRUPolicy:
    """Make an untrained policy for supervised training.

    It always observes row numbers, even if the agent observes embeddings; its answers depend only
    on the text.

    Args:
        texts: the texts that it reads.
        action_space: the agent's action space.
        policy_kwargs: arguments of `GRUPolicy`, for example the agent's.
        seed: seed of the weights.
        device: the policy's device.
    """
    features = dict(policy_kwargs.get("features_extractor_kwargs") or {})
    features.pop("twice_differentiable", None)  # slower, and only TRPO needs it
    torch.manual_seed(seed)
    policy = GRUPolicy(
        TextIndex(texts),
        action_space,
        lambda _: 0.0,  # unused: `train_supervised` sets the learning rate
        **{**policy_kwargs, "features_extractor_kwargs": features},
    )
    return policy.to(device)


def train_supervised(
    policy: GRUPolicy,
    rows: range | NDArray[np.int64],
    loss: SupervisedLoss,
    validation: Validation,
    *,
    seconds: float,
    learning_rate: float,
    num_texts: int,
    max_grad_norm: float = 1.0,
    seed: int = 0,
    name: str = "supervised baseline",
    progress: bool = False,
) -> int:
    """Train on the gradient of a loss.

    Everything but the gradient is as in reinforcement learning: the network, Adam, batches of
    random texts, and a learning rate that decays linearly to 0.

    Args:
        policy: a policy that observes rows; trained in place, and left with its best weights.
        rows: (n,) the rows of the training texts.
        loss: the loss of a batch of rows.
        validation: scores the policy and selects the best weights.
        seconds: duration in wall-clock seconds, including validation.
        learning_rate: initial learning rate.
        num_texts: B, number of texts in a batch.
        max_grad_norm: maximum norm of the gradient, for clipping.
        seed: seeds the choice of texts.
        name: what progress and errors call it.
        progress: whether to show a progress bar.

    Returns:
        The number of texts trained on.

    Raises:
        NonFiniteLossError: the gradient became NaN or infinite.
    """
    among = np.asarray(rows, np.int64)
    generator = np.random.default_rng(seed)
    clock = Clock(seconds)
    schedule = LinearDecay(learning_rate, clock)
    policy.set_training_mode(True)
    texts = 0
    clock.start()
    try:
        with ProgressBar(name, seconds, show=progress) as bar:
            while clock.fraction_remaining > 0:
                bar.update(clock.elapsed)
                if validation.is_due(clock.elapsed / seconds):
                    validation.run(policy, clock.elapsed, texts, texts)
                update_learning_rate(policy.optimizer, schedule(1.0))
                batch = among[generator.integers(0, len(among), num_texts)]
                when = f"after {texts} texts of the {name}"
                descend(policy, loss(policy, batch), max_grad_norm, when)
                texts += num_texts
        validation.run(policy, clock.elapsed, texts, texts)
    finally:
        # Also after an error, so that the best weights are kept.
        validation.restore_best(policy)
    return texts

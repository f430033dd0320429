"""The supervised baseline: the same network, trained on the gradient of the cosine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.utils import update_learning_rate
from tqdm import tqdm

from llmar_env.spaces import TextIndex
from llmar_env.text.corpus import Corpus

from ..algorithms.update import descend
from ..networks.device import as_shared_tensor
from ..policies.gru import GRUPolicy
from .clock import Clock, LinearDecay
from .validation import Validation

__all__ = ["make_baseline_policy", "train_supervised"]

_BAR = "{desc}: {percentage:3.0f}% {bar} {n:.1f}/{total:.1f} s"


def make_baseline_policy(
    corpus: Corpus,
    action_space: spaces.Box,
    policy_kwargs: Mapping[str, Any],
    *,
    seed: int,
    device: torch.device,
) -> GRUPolicy:
    """Make the untrained policy of the baseline.

    It always observes row numbers, even if the agent observes embeddings; its answers depend only
    on the text.

    Args:
        corpus: the corpus of the texts.
        action_space: the agent's action space.
        policy_kwargs: arguments of `GRUPolicy`, for example the agent's.
        seed: seed of the weights.
        device: the policy's device.
    """
    features = dict(policy_kwargs.get("features_extractor_kwargs") or {})
    features.pop("twice_differentiable", None)  # slower, and only TRPO needs it
    torch.manual_seed(seed)
    policy = GRUPolicy(
        TextIndex(corpus.source),
        action_space,
        lambda _: 0.0,  # unused: `train_supervised` sets the learning rate
        **{**policy_kwargs, "features_extractor_kwargs": features},
    )
    return policy.to(device)


def train_supervised(
    policy: GRUPolicy,
    corpus: Corpus,
    validation: Validation,
    *,
    seconds: float,
    learning_rate: float,
    num_texts: int,
    max_grad_norm: float = 1.0,
    seed: int = 0,
    progress: bool = False,
) -> int:
    """Maximize the mean cosine between deterministic answers and their targets.

    Everything but the gradient is as in reinforcement learning: the network, Adam, batches of
    random texts, and a learning rate that decays linearly to 0.

    Args:
        policy: a policy that observes rows of the corpus; trained in place, and left with its best
            weights.
        corpus: the corpus, whose "train" split is used.
        validation: scores the policy and selects the best weights.
        seconds: duration in wall-clock seconds, including validation.
        learning_rate: initial learning rate.
        num_texts: B, number of texts in a batch.
        max_grad_norm: maximum norm of the gradient, for clipping.
        seed: seeds the choice of texts.
        progress: whether to show a progress bar.

    Returns:
        The number of texts trained on.

    Raises:
        NonFiniteLossError: the gradient became NaN or infinite.
    """
    rows = corpus.rows("train")
    generator = np.random.default_rng(seed)
    targets = as_shared_tensor(corpus.target.unit_means, policy.device)
    clock = Clock(seconds)
    schedule = LinearDecay(learning_rate, clock)
    policy.set_training_mode(True)
    texts = 0
    clock.start()
    bar = tqdm(total=seconds, desc="supervised baseline", bar_format=_BAR, disable=not progress)
    while clock.fraction_remaining > 0:
        bar.update(min(clock.elapsed, seconds) - bar.n)
        if validation.is_due(clock.elapsed / seconds):
            validation.run(policy, clock.elapsed, texts, texts)
        update_learning_rate(policy.optimizer, schedule(1.0))
        batch = generator.integers(rows.start, rows.stop, (num_texts, 1))
        index = torch.as_tensor(batch, device=policy.device)
        answer = policy.get_distribution(index).center.mean(dim=1)
        loss = -torch.cosine_similarity(answer, targets[index[:, 0]]).mean()
        descend(policy, loss, max_grad_norm, f"after {texts} texts of the supervised baseline")
        texts += num_texts
    bar.close()
    validation.run(policy, clock.elapsed, texts, texts)
    validation.restore_best(policy)
    return texts

"""The supervised baseline: the same network, trained on the gradient of the cosine itself."""

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
    """The policy of the baseline, untrained.

    It observes rows, whatever the agent does: an answer depends on the text alone.

    Args:
        corpus: whose texts it answers.
        action_space: of the agent.
        policy_kwargs: arguments of `GRUPolicy`, such as the agent's.
        seed: of its weights.
        device: where to put it.
    """
    features = dict(policy_kwargs.get("features_extractor_kwargs") or {})
    features.pop("twice_differentiable", None)  # slower, and TRPO's alone
    torch.manual_seed(seed)
    policy = GRUPolicy(
        TextIndex(corpus.source),
        action_space,
        lambda _: 0.0,  # `train_supervised` brings a rate of its own
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
    """Ascend the mean cosine of answers, without noise, with their targets.

    Everything but the gradient is as in the reinforced run: the network, Adam, batches of random
    texts, a learning rate that falls linearly to 0.

    Args:
        policy: observes rows of the corpus; trained in place, and left with its best weights.
        corpus: its "train" split is learned from.
        validation: scores the policy and chooses the best weights.
        seconds: of wall-clock time, validation included.
        learning_rate: of the policy's optimizer at the start.
        num_texts: B, texts in a batch.
        max_grad_norm: the gradient is scaled down to this norm.
        seed: of the choice of texts.
        progress: whether to show a progress bar.

    Returns:
        The number of texts that were read.

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

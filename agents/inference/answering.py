"""The deterministic answers of a policy that answers with vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor
from torch.nn import functional as F

from llmar_env.text.embedded import EmbeddedTexts

__all__ = ["answer"]

# Number of texts answered at a time.
_BLOCK = 512


@torch.no_grad()
def answer(
    policy: BasePolicy, texts: EmbeddedTexts, rows: Sequence[int] | None = None
) -> NDArray[Any]:
    """Answer texts of any store, without noise.

    Args:
        policy: any SB3 policy that reads texts with `GRUFeatures`, such as `GRUPolicy` or SAC's
            "MlpPolicy" with that features extractor; both kinds of observation are supported.
        texts: the store.
        rows: the rows of the texts to answer, in order; all of them if None.

    Returns:
        (n, T, D) float32 unit vectors.
    """
    index = np.arange(len(texts)) if rows is None else np.asarray(rows)
    shape = policy.action_space.shape
    assert shape is not None
    answers = np.empty((len(index), math.prod(shape[:-1]), shape[-1]), np.float32)
    was_training = policy.training
    policy.set_training_mode(False)
    try:
        for places, vectors, _ in texts.blocks(index, _BLOCK):
            actions = _act(policy, torch.as_tensor(vectors, device=policy.device))
            answers[places] = actions.view(len(places), *answers.shape[1:]).cpu().numpy()
    finally:
        policy.set_training_mode(was_training)
    return F.normalize(torch.as_tensor(answers), dim=-1).numpy()


def _act(policy: BasePolicy, vectors: Tensor) -> Tensor:
    """The deterministic actions for texts, (B, L, D), at the start of an episode.

    `predict` would reject texts whose length differs from that of the observation space.
    """
    act: Callable[..., Any] = policy._predict
    state_shape: tuple[int, int, int] | None = getattr(policy, "lstm_hidden_state_shape", None)
    if state_shape is None:
        actions: Tensor = act(vectors, deterministic=True)
        return actions
    # sb3-contrib's recurrent policies also take an LSTM state and episode starts.
    zero = vectors.new_zeros(state_shape[0], len(vectors), state_shape[2])
    starts = vectors.new_ones(len(vectors))
    actions, _ = act(vectors, (zero, zero), starts, deterministic=True)
    return actions

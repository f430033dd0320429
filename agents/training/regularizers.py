"""Regularizers of REINFORCE: cross-entropy of targets, and KL divergence from a reference."""

from __future__ import annotations

import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

from ..algorithms.episodes import EpisodeBatch
from ..policies.writer import DecodingState, WriterPolicy
from .cross_entropy import BatchStream, TargetTexts

__all__ = ["CrossEntropy", "KLToReference"]


class CrossEntropy:
    """Regularizer of REINFORCE: teacher-forced cross-entropy of the targets of a separate batch.

    It also trains the alignment model, regardless of the weight, since the encoder that the model
    reads from keeps changing.

    Args:
        texts: the texts to learn from.
        weight: weight of the cross-entropy, the mean over words.
        batch_size: number of texts per update.
        smoothing: label smoothing, in [0, 1).
        seed: seeds the order of the texts.
    """

    def __init__(
        self,
        texts: TargetTexts,
        weight: float,
        batch_size: int,
        smoothing: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.texts = texts
        self.weight = weight
        self.smoothing = smoothing
        self.batches = BatchStream(texts, batch_size, seed)

    def __call__(self, policy: ActorCriticPolicy, batch: EpisodeBatch) -> Tensor:  # noqa: ARG002 - a Regularizer's signature
        """() weighted loss."""
        assert isinstance(policy, WriterPolicy)
        policy.set_training_mode(True)
        losses, misaligned = self.texts.loss(policy, next(self.batches), self.smoothing)
        return self.weight * losses.mean() + misaligned.mean()


class KLToReference:
    """Regularizer of REINFORCE: KL divergence of a writer from a reference policy.

    The estimate is half the mean square of log p - log p_ref over the words written. Its expected
    gradient is that of KL(p | p_ref) at each word (Schulman 2020, "k2").

    Args:
        reference: a policy whose weights do not change.
        weight: weight of the divergence.
    """

    def __init__(self, reference: WriterPolicy, weight: float) -> None:
        self.reference = reference
        self.weight = weight
        reference.set_training_mode(False)

    def __call__(self, policy: ActorCriticPolicy, batch: EpisodeBatch) -> Tensor:  # noqa: ARG002 - the batch has its log-probabilities
        """() weighted divergence, in nats per word.

        Raises:
            TypeError: the episodes were not sampled by a `WriterPolicy`.
        """
        log_prob, mask = batch.log_prob, batch.mask
        assert log_prob is not None
        states = [state for state in batch.states if isinstance(state, DecodingState)]
        if len(states) < len(batch.states):
            raise TypeError("KLToReference needs a policy that writes, a WriterPolicy")
        with torch.no_grad():
            reference = torch.cat([state.log_prob(self.reference) for state in states])
        return self.weight * 0.5 * (log_prob - reference)[mask].square().mean()

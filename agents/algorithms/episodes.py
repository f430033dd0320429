"""Batches of whole episodes, as REINFORCE collects them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

from ..policies.sampling import SamplingState

__all__ = ["EpisodeBatch", "Regularizer"]


class EpisodeBatch:
    """Whole episodes of all sub-environments, with the autograd graph that sampled them.

    It replaces SB3's rollout buffer, and its constructor accepts the same arguments. Samples are
    used once, so their log-probabilities can keep the graph of the forward pass.
    """

    def __init__(self, *_: Any, gamma: float = 1.0, **__: Any) -> None:
        self.gamma = gamma
        self.reset()

    def reset(self) -> None:
        """Empty the batch."""
        self.states: list[SamplingState] = []  # one per round
        self.rewards: list[Tensor] = []  # (N,) each
        self.masks: list[Tensor] = []  # (N,) bool each: the episode had not ended before the step
        self.returns: list[Tensor] = []  # (N,) each, for closed rounds
        self.starts: list[int] = []  # the first step of each round
        self.discarded = 0  # steps of ended episodes, while others were still running
        self.clipped = 0.0  # sum over steps of the fraction of clipped coordinates
        self.log_prob: Tensor | None = None  # (S, N) for all steps, with gradient, once evaluated
        self.entropy: Tensor | None = None  # (S, N), if the states provide it

    def __len__(self) -> int:
        """Number of steps."""
        return len(self.rewards)

    @property
    def rounds(self) -> int:
        """Number of closed rounds; a round is one episode of every sub-environment."""
        return len(self.starts)

    @property
    def mask(self) -> Tensor:
        """(S, N) bool, True for steps that belong to an episode."""
        return torch.stack(self.masks)

    @property
    def compares_ended(self) -> bool:
        """Whether an ended episode is still compared with those that are running."""
        return any(state.compares_ended for state in self.states)

    def evaluate(self) -> None:
        """Compute the log-probabilities of all steps, and their entropies if available."""
        log_probs, entropies = zip(*(state.evaluate() for state in self.states), strict=True)
        self.log_prob = torch.cat(log_probs)
        self.entropy = None if None in entropies else torch.cat(entropies)

    def mean_entropy(self) -> Tensor:
        """() mean entropy over the steps of all episodes, with gradient."""
        assert self.entropy is not None
        mask = self.mask
        return (self.entropy * mask).sum() / mask.sum()

    def close_round(self) -> None:
        """Convert the rewards since the last call into discounted rewards-to-go."""
        first = len(self.returns)
        self.starts.append(first)
        to_go = torch.zeros_like(self.rewards[first])
        backwards: list[Tensor] = []
        for reward, mask in zip(
            reversed(self.rewards[first:]), reversed(self.masks[first:]), strict=True
        ):
            to_go = reward * mask + self.gamma * to_go
            backwards.append(to_go)
        forwards = backwards[::-1]
        if self.states[-1].compares_ended:
            # An ended episode keeps its last return, so that the longest episode of a group can
            # still be compared with the others.
            for step in range(1, len(forwards)):
                mask = self.masks[first + step]
                forwards[step] = torch.where(mask, forwards[step], forwards[step - 1])
        self.returns += forwards


Regularizer = Callable[[ActorCriticPolicy, EpisodeBatch], Tensor]
"""A term of the loss: maps a policy and its latest episodes to a scalar ()."""

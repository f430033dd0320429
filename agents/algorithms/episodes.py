"""Whole episodes, as REINFORCE collects them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

from ..policies.sampling import SamplingState

__all__ = ["EpisodeBatch", "Regularizer"]


class EpisodeBatch:
    """Whole episodes of all sub-environments, with the graph that sampled them.

    It takes the place of SB3's rollout buffer, with the same form of constructor. Samples are used
    once, so their log-probabilities can keep the graph that sampled them.
    """

    def __init__(self, *_: Any, gamma: float = 1.0, **__: Any) -> None:
        self.gamma = gamma
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.states: list[SamplingState] = []  # one a round
        self.rewards: list[Tensor] = []  # (N,) each
        self.masks: list[Tensor] = []  # (N,) bool each: the episode had not ended before
        self.returns: list[Tensor] = []  # (N,) each, of closed rounds
        self.starts: list[int] = []  # the first step of each round
        self.discarded = 0  # steps after the end of an episode, until the longest one ended
        self.clipped = 0.0  # sum over steps of the fraction of clipped coordinates
        self.log_prob: Tensor | None = None  # (S, N) of all steps, with gradient, once evaluated
        self.entropy: Tensor | None = None  # (S, N), where the states give it

    def __len__(self) -> int:
        """Count the steps."""
        return len(self.rewards)

    @property
    def rounds(self) -> int:
        """How many rounds are closed; each is one episode of every sub-environment."""
        return len(self.starts)

    @property
    def mask(self) -> Tensor:
        """(S, N) bool, the steps that belong to an episode."""
        return torch.stack(self.masks)

    @property
    def compares_ended(self) -> bool:
        """Whether an episode that has ended is compared with those that go on."""
        return any(state.compares_ended for state in self.states)

    def evaluate(self) -> None:
        """Compute the log-probabilities of all steps, and the entropies where there are some."""
        log_probs, entropies = zip(*(state.evaluate() for state in self.states), strict=True)
        self.log_prob = torch.cat(log_probs)
        self.entropy = None if None in entropies else torch.cat(entropies)

    def mean_entropy(self) -> Tensor:
        """() mean over the states of all episodes, with gradient."""
        assert self.entropy is not None
        mask = self.mask
        return (self.entropy * mask).sum() / mask.sum()

    def close_round(self) -> None:
        """Turn the rewards since the last call into discounted rewards-to-go."""
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
            # An episode that has ended keeps its last return, so that the last one of a group to
            # end still has others to be compared with.
            for step in range(1, len(forwards)):
                mask = self.masks[first + step]
                forwards[step] = torch.where(mask, forwards[step], forwards[step - 1])
        self.returns += forwards


Regularizer = Callable[[ActorCriticPolicy, EpisodeBatch], Tensor]
"""What is added to the loss: a function of a policy and its latest episodes, to a scalar ()."""

"""Whole episodes, as REINFORCE collects them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

from ..policies.writer import Draft

__all__ = ["EpisodeBatch", "Regularizer"]


class EpisodeBatch:
    """Whole episodes of all sub-environments, with the graph that sampled them.

    Takes the place of SB3's rollout buffer, and its constructor's form. Samples are used once, so
    the log-densities keep their graph and nothing is encoded a second time.
    """

    def __init__(self, *_: Any, gamma: float = 1.0, **__: Any) -> None:
        self.gamma = gamma
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.log_probs: list[Tensor] = []  # (N,) each, with gradient
        self.entropies: list[Tensor] = []  # () each, with gradient
        self.drafts: list[Draft] = []  # one a round, where a policy carries its state
        self.rewards: list[Tensor] = []  # (N,) each
        self.masks: list[Tensor] = []  # (N,) bool each: the episode had not ended before
        self.returns: list[Tensor] = []  # (N,) each, of closed rounds
        self.starts: list[int] = []  # the first step of each round
        self.rounds = 0  # one episode of every sub-environment each
        self.discarded = 0  # steps after the end of an episode, until the longest one ended
        self.clipped = 0.0  # sum over steps of the fraction of clipped coordinates

    def __len__(self) -> int:
        """Count the steps."""
        return len(self.rewards)

    def log_prob(self) -> Tensor:
        """(S, N) log-densities of all steps, with gradient."""
        return torch.stack(self.log_probs)

    def evaluate_drafts(self, entropy: bool) -> None:
        """Put in place the log-densities of what was written, and its entropies if asked for."""
        for draft in self.drafts:
            log_prob, mean_entropy = draft.evaluate(entropy=entropy)
            self.log_probs.extend(log_prob)
            if mean_entropy is not None:
                self.entropies.append(mean_entropy)

    def close_round(self) -> None:
        """Turn the rewards since the last call into discounted rewards-to-go."""
        self.rounds += 1
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
        if self.drafts:
            # Where a text has ended it keeps its last return, for others of its group to be
            # compared with: the last one that is written has company to its end.
            for step in range(1, len(forwards)):
                mask = self.masks[first + step]
                forwards[step] = torch.where(mask, forwards[step], forwards[step - 1])
        self.returns += forwards


Regularizer = Callable[[ActorCriticPolicy, EpisodeBatch], Tensor]
"""What is added to the loss: a policy and the episodes it has just lived, to a scalar."""

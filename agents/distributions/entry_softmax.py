"""One of many entries, by a softmax over scaled cosines with a direction."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from .cosine_softmax import cosine_log_softmax, cosine_probabilities
from .directional import DirectionDistribution

__all__ = ["EntrySoftmax"]

_MAX_SCALE = 80.0


class EntrySoftmax(DirectionDistribution):
    """One of V entries, by a softmax over scaled cosines: P(e) ~ exp(s cos(u, e)).

    An action is the entry's own direction at the radius. An environment that reads actions as
    their nearest entries makes the same of any other action near it; so the probability of an
    action is that of its nearest entry, and the policy gradient is free of the variance that
    noise in D dimensions would add. The scale s is the state's own, times a common 1 / spread:
    a unit vector can point at one entry, but cannot by itself tell how sure it is. It ends at 80:
    beyond, exp(s (cos - 1)) could vanish for all entries.

    Args:
        dim: D.
        entries: (V, D) unit vectors.
        radius: length of actions.

    Attributes:
        scale: (B,) s.
    """

    scale: Tensor  # (B,)

    def __init__(self, dim: int, entries: Tensor, radius: float = 0.5) -> None:
        super().__init__(1, dim, radius)
        self.entries = entries

    def proba_distribution_net(
        self, latent_dim: int, log_spread_init: float
    ) -> tuple[nn.Linear, nn.Parameter]:
        """The linear layer for direction and scale, and the logarithm of the common spread."""
        layer = nn.Linear(latent_dim, self.dim + 1)
        nn.init.zeros_(layer.weight[-1:])
        nn.init.zeros_(layer.bias[-1:])
        return layer, nn.Parameter(torch.tensor(log_spread_init))

    def proba_distribution(
        self, directions: Tensor, log_spread: Tensor, group_size: int = 1
    ) -> Self:
        """Set the parameters.

        Args:
            directions: (B, D + 1), a direction of any length and the logarithm of the scale.
            log_spread: () logarithm of the common spread.
            group_size: K, actions for each of the B states.
        """
        self.entries = self.entries.to(directions.device)
        self.scale = (directions[:, self.dim].float() - log_spread).exp().clamp_max(_MAX_SCALE)
        return super().proba_distribution(directions[:, : self.dim].float(), log_spread, group_size)

    @property
    def spread(self) -> Tensor:
        """() the common temperature."""
        return self.log_spread.exp()

    def sample(self) -> Tensor:
        """(B * K, D) actions."""
        return self.radius * self.entries[self.sample_entries()]

    def sample_entries(self) -> Tensor:
        """(B * K,) entries."""
        with torch.no_grad():
            weights = cosine_probabilities(self.centre[:, 0], self.scale[:, None], self.entries)
            cumulative = weights.float().cumsum(-1)
            shape = (len(weights), self.group_size)
            point = torch.rand(shape, device=weights.device) * cumulative[:, -1:]
            return torch.searchsorted(cumulative, point).clamp_max(len(self.entries) - 1).flatten()

    def nearest(self, actions: Tensor) -> Tensor:
        """(n,) the entry nearest to each of (n, D) actions, by cosine."""
        return (actions @ self.entries.t()).argmax(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """(B * K,) log-probabilities of the entries nearest to actions."""
        return self.log_prob_of_entries(self.nearest(actions))

    def log_prob_of_entries(self, chosen: Tensor, smoothing: float = 0.0) -> Tensor:
        """(B * K,) log-probabilities of entries, (B * K,); see `cosine_log_softmax`."""
        centre = self.centre[:, 0].repeat_interleave(self.group_size, dim=0)
        scale = self.scale.repeat_interleave(self.group_size, dim=0)
        return cosine_log_softmax(centre, scale, self.entries, chosen, smoothing)

    def log_probs(self) -> Tensor:
        """(B, V) log-probabilities of all entries."""
        return ((self.centre[:, 0] @ self.entries.t()) * self.scale[:, None]).log_softmax(-1)

    def entropy(self) -> Tensor:
        """(B * K,) entropy over the entries, in nats."""
        log_p = self.log_probs()
        return -(log_p.exp() * log_p).sum(-1).repeat_interleave(self.group_size, dim=0)

"""A distribution over tokens: a softmax over scaled cosines with a direction."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from .cosine_softmax import cosine_log_softmax, cosine_probabilities
from .directional import DirectionDistribution

__all__ = ["TokenSoftmax"]

_MAX_SCALE = 80.0


class TokenSoftmax(DirectionDistribution):
    """Softmax over V tokens by scaled cosines: P(e) ~ exp(s cos(u, e)).

    An action is the direction of a token, scaled to the radius. The environment decodes an action
    to its nearest token, so the probability of an action is that of its nearest token, and the
    policy gradient is free of the variance that noise in D dimensions would add. The scale s is a
    factor that depends on the state, divided by a common noise_scale: a unit vector can point at
    one token, but cannot express confidence. It is limited to 80; with a larger scale,
    exp(s (cos - 1)) could underflow for all tokens.

    Args:
        dim: D.
        tokens: (V, D) unit vectors.
        radius: length of actions.

    Attributes:
        scale: (B,) s.
    """

    scale: Tensor  # (B,)

    def __init__(self, dim: int, tokens: Tensor, radius: float = 0.5) -> None:
        super().__init__(1, dim, radius)
        self.tokens = tokens
        self._is_bounded = True  # no scale exceeds _MAX_SCALE

    def proba_distribution_net(
        self, latent_dim: int, log_noise_scale_init: float
    ) -> tuple[nn.Linear, nn.Parameter]:
        """The linear layer for direction and scale, and the logarithm of the common noise scale."""
        layer = nn.Linear(latent_dim, self.dim + 1)
        nn.init.zeros_(layer.weight[-1:])
        nn.init.zeros_(layer.bias[-1:])
        return layer, nn.Parameter(torch.tensor(log_noise_scale_init))

    def proba_distribution(
        self, directions: Tensor, log_noise_scale: Tensor, group_size: int = 1
    ) -> Self:
        """Set the parameters.

        Args:
            directions: (B, D + 1), a direction of any length and the logarithm of the state's
                factor of the scale.
            log_noise_scale: () logarithm of the common noise scale.
            group_size: K, actions for each of the B states.
        """
        self.tokens = self.tokens.to(directions.device)
        self.scale = (directions[:, self.dim].float() - log_noise_scale).exp().clamp_max(_MAX_SCALE)
        return super().proba_distribution(
            directions[:, : self.dim].float(), log_noise_scale, group_size
        )

    @property
    def noise_scale(self) -> Tensor:
        """() the common temperature."""
        return self.log_noise_scale.exp()

    @property
    def cosine_slope(self) -> Tensor:
        """(B,) the scales."""
        return self.scale

    def attach(self, tokens: Tensor) -> None:
        """Set the tokens, the (V, D) unit vectors of a vocabulary."""
        self.tokens = tokens

    def tempered(self, temperature: float) -> Self:
        """The same distribution with its scales divided by the temperature."""
        other = super().tempered(temperature)
        other.scale = self.scale / temperature
        other._is_bounded = False
        return other

    def choose(self, generator: torch.Generator | None = None) -> Tensor:
        """(B * K,) sampled tokens."""
        with torch.no_grad():
            if self._is_bounded:
                weights = cosine_probabilities(self.center[:, 0], self.scale[:, None], self.tokens)
            else:
                weights = self.log_probs().exp()
            cumulative = weights.float().cumsum(-1)
            shape = (len(weights), self.group_size)
            point = torch.rand(shape, device=weights.device, generator=generator)
            tokens = torch.searchsorted(cumulative, point * cumulative[:, -1:])
            return tokens.clamp_max(len(self.tokens) - 1).flatten()

    def actions_of(self, choices: Tensor) -> Tensor:
        """(n, D) directions of n tokens, scaled to the radius."""
        return self.radius * self.tokens[choices]

    def nearest(self, actions: Tensor) -> Tensor:
        """(n,) the token nearest to each of (n, D) actions, by cosine."""
        return (actions @ self.tokens.t()).argmax(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """(B * K,) log-probabilities of the tokens nearest to actions."""
        return self.log_prob_of(self.nearest(actions))

    def log_prob_of(self, choices: Tensor, smoothing: float = 0.0) -> Tensor:
        """(B * K,) log-probabilities of B * K tokens; see `cosine_log_softmax`."""
        if not self._is_bounded:
            log_p = self.log_probs().repeat_interleave(self.group_size, dim=0)
            chosen = log_p.gather(1, choices[:, None])[:, 0]
            return (1 - smoothing) * chosen + smoothing * log_p.mean(-1)
        center = self.center[:, 0].repeat_interleave(self.group_size, dim=0)
        scale = self.scale.repeat_interleave(self.group_size, dim=0)
        return cosine_log_softmax(center, scale, self.tokens, choices, smoothing)

    def log_probs(self) -> Tensor:
        """(B, V) log-probabilities of all tokens."""
        return ((self.center[:, 0] @ self.tokens.t()) * self.scale[:, None]).log_softmax(-1)

    def entropy(self) -> Tensor:
        """(B * K,) entropy over the tokens, in nats."""
        log_p = self.log_probs()
        return -(log_p.exp() * log_p).sum(-1).repeat_interleave(self.group_size, dim=0)

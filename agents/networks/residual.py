"""A direction that is a text's own mean vector, plus what a network adds."""

from __future__ import annotations

import torch
from stable_baselines3.common.torch_layers import MlpExtractor
from torch import Tensor, nn

__all__ = ["ResidualExtractor", "ResidualHead"]


class ResidualExtractor(nn.Module):
    """Applies SB3's layers to all but the last D features, which it passes on to the actor.

    Args:
        layers: SB3's extractor, for the features before the last D.
        dim: D.
    """

    def __init__(self, layers: MlpExtractor, dim: int) -> None:
        super().__init__()
        self.layers = layers
        self.dim = dim
        self.latent_dim_pi = (
            layers.latent_dim_pi
        )  # without the D features, which `ResidualHead` adds
        self.latent_dim_vf = layers.latent_dim_vf

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Latent features of actor (B, H + D) and critic (B, H')."""
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: Tensor) -> Tensor:
        """(B, H + D)."""
        own, passed = features[:, : -self.dim], features[:, -self.dim :]
        return torch.cat([self.layers.forward_actor(own), passed], dim=1)

    def forward_critic(self, features: Tensor) -> Tensor:
        """(B, H')."""
        return self.layers.forward_critic(features[:, : -self.dim])


class ResidualHead(nn.Module):
    """Adds a linear layer's output, which is zero at first, to the last D features.

    Args:
        linear: the layer, H to T * D; its weights are set to zero.
        dim: D.
    """

    def __init__(self, linear: nn.Linear, dim: int) -> None:
        super().__init__()
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
        self.linear = linear
        self.dim = dim

    def forward(self, features: Tensor) -> Tensor:
        """(B, T * D) directions for (B, H + D) features."""
        added: Tensor = self.linear(features[:, : -self.dim])
        return added + features[:, -self.dim :].repeat(1, added.shape[1] // self.dim)

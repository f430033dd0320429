"""Policies for SB3's off-policy algorithms, with GRUs and an actor that gives directions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy
from torch import Tensor, nn
from torch.nn import functional as F

from .features import GRUFeatures

__all__ = ["Direction", "DirectionActor", "GRUSACPolicy", "GRUTD3Policy"]


class Direction(nn.Module):
    """Scales each of T vectors to the same fixed length: (B, T * D) to (B, T * D).

    Args:
        num_vectors: T.
        rms: root mean square of the coordinates; the length is rms * sqrt(D).
    """

    def __init__(self, num_vectors: int, rms: float) -> None:
        super().__init__()
        self.num_vectors = num_vectors
        self.rms = rms

    def forward(self, x: Tensor) -> Tensor:
        """Scale the vectors."""
        vectors = x.view(len(x), self.num_vectors, -1)
        length = self.rms * math.sqrt(vectors.shape[2])
        return (length * F.normalize(vectors, dim=-1)).flatten(1)


class DirectionActor:
    """Mixin that makes the actor of an SB3 off-policy policy answer with directions.

    A cosine reward does not depend on the length of an answer, so a stock actor's length is free.
    An untrained critic drives the actor into the saturation of its tanh, where it gives the same
    answer to every text and stops learning; or the actor starts near 0, where the cosine is
    erratic. Here, actor and critic each read the text with a GRU, and a linear layer gives the
    direction of the mean answer, at a fixed length. Put this class before SB3's among the bases.

    Args:
        observation_space: embeddings, Box (L, D), or `TextIndex`.
        action_space: Box (D,) or (T, D).
        lr_schedule: learning rate as a function of the remaining progress.
        hidden_dim: H, size of the GRU's state.
        rms: root mean square of the coordinates of the mean answer, before any squashing.
        net_arch: layers of actor (pi) and critics (qf), as in SB3.
        **kwargs: passed to SB3's policy.
    """

    action_space: spaces.Space[Any]

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        *,
        hidden_dim: int = 128,
        rms: float = 0.25,
        net_arch: Mapping[str, list[int]] | None = None,
        **kwargs: Any,
    ) -> None:
        self.hidden_dim = hidden_dim
        self.rms = rms
        kwargs.setdefault("features_extractor_class", GRUFeatures)
        if issubclass(kwargs["features_extractor_class"], GRUFeatures):
            features = {"features_dim": hidden_dim, "layer_norm": True}
            given = kwargs.get("features_extractor_kwargs") or {}
            kwargs["features_extractor_kwargs"] = features | given
        super().__init__(  # type: ignore[call-arg]  # SB3's policy, the next base
            observation_space,
            action_space,
            lr_schedule,
            net_arch=dict(net_arch or {"pi": [], "qf": [256, 256]}),
            **kwargs,
        )

    def _get_constructor_parameters(self) -> dict[str, Any]:
        data: dict[str, Any] = super()._get_constructor_parameters()  # type: ignore[misc]
        return data | {"hidden_dim": self.hidden_dim, "rms": self.rms}

    def make_actor(self, features_extractor: Any = None) -> Any:
        """Make SB3's actor, with its mean scaled to directions of fixed length."""
        actor = super().make_actor(features_extractor)  # type: ignore[misc]
        shape = self.action_space.shape or ()
        layers = [*actor.mu] if isinstance(actor.mu, nn.Sequential) else [actor.mu]
        if isinstance(layers[-1], nn.Tanh):  # TD3's actor, whose last layer squashes the answer
            layers.pop()
        actor.mu = nn.Sequential(*layers, Direction(shape[0] if len(shape) == 2 else 1, self.rms))
        return actor


class GRUSACPolicy(DirectionActor, SACPolicy):
    """`DirectionActor` for SAC."""


class GRUTD3Policy(DirectionActor, TD3Policy):
    """`DirectionActor` for TD3 and DDPG."""

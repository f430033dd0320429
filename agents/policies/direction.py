"""The base class of SB3 actor-critic policies whose answers are directions."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from ..distributions import DISTRIBUTIONS, DirectionDistribution
from .observed import refuse_normalized
from .sampling import IndependentSampling, SamplingState

__all__ = ["DirectionPolicy"]


class DirectionPolicy(ActorCriticPolicy):
    """Extracts features, maps them linearly to a direction, and samples around it.

    Args:
        observation_space: any space that the features extractor reads.
        action_space: Box (D,) or (T, D).
        lr_schedule: learning rate as a function of the remaining progress.
        distribution: name of the distribution.
        noise_scale: its initial noise scale.
        learn_noise_scale: whether the noise scale is learned with the weights.
        radius: length of the mean vectors, or their unit of length if that is free.
        net_arch: layers between features and heads, as in SB3; none by default.
        ortho_init: as in SB3, but off by default: it would make the first directions too short.
        **kwargs: passed to `ActorCriticPolicy`.

    Raises:
        ValueError: the distribution is unknown, or a space is not one of those above.
    """

    action_dist: DirectionDistribution
    # Not named `log_std`: SB3's algorithms would log its exponential as a standard deviation.
    log_noise_scale: Tensor  # () a buffer, or a parameter if the noise scale is learned
    distributions: ClassVar[tuple[str, ...]] = tuple(DISTRIBUTIONS)

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        *,
        distribution: str,
        noise_scale: float,
        learn_noise_scale: bool,
        radius: float = 0.5,
        net_arch: list[int] | dict[str, list[int]] | None = None,
        ortho_init: bool = False,
        **kwargs: Any,
    ) -> None:
        if distribution not in self.distributions:
            raise ValueError(
                f"distribution must be one of {', '.join(self.distributions)}, "
                f"found {distribution!r}"
            )
        if not isinstance(action_space, spaces.Box) or len(action_space.shape) not in (1, 2):
            raise ValueError(f"the action space must be Box (D,) or (T, D), found {action_space}")
        if kwargs.get("use_sde"):
            raise ValueError(
                f"{type(self).__name__} explores around a direction and does not support use_sde"
            )
        self.distribution = distribution
        self.noise_scale = noise_scale
        self.learn_noise_scale = learn_noise_scale
        self.radius = radius
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch=[] if net_arch is None else net_arch,
            ortho_init=ortho_init,
            **kwargs,
        )

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = ("distribution", "noise_scale", "learn_noise_scale", "radius")
        data = super()._get_constructor_parameters()
        for name in ("use_sde", "log_std_init", "squash_output", "full_std", "use_expln"):
            data.pop(name)
        return data | {name: getattr(self, name) for name in own}

    def _make_distribution(self, num_vectors: int, dim: int) -> DirectionDistribution:
        return DISTRIBUTIONS[self.distribution](num_vectors, dim, self.radius)

    def _build(self, lr_schedule: Schedule) -> None:
        """Make the heads and the optimizer, with a direction instead of SB3's Gaussian."""
        self._build_mlp_extractor()
        *vectors, dim = self.action_space.shape or ()
        self.action_dist = self._make_distribution(vectors[0] if vectors else 1, dim)
        self.action_net, log_noise_scale = self.action_dist.proba_distribution_net(
            self.mlp_extractor.latent_dim_pi, math.log(self.noise_scale)
        )
        if self.learn_noise_scale:
            self.log_noise_scale = log_noise_scale
        else:
            self.register_buffer("log_noise_scale", log_noise_scale.detach())
        self.value_net = nn.Linear(self.mlp_extractor.latent_dim_vf, 1)
        if self.ortho_init:
            for module in (self.features_extractor, self.mlp_extractor, self.value_net):
                module.apply(self.init_weights)
        self.optimizer = self.optimizer_class(
            self.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]  # as in SB3: Optimizer's signature has no lr
            **self.optimizer_kwargs,
        )

    def extract_features(
        self, obs: PyTorchObs, features_extractor: BaseFeaturesExtractor | None = None
    ) -> Any:
        """Features of the policy and of the value function; one tensor if they are shared.

        Unlike SB3's method, it does not cast row numbers to float32.
        """
        if features_extractor is not None:
            return features_extractor(obs)
        if self.share_features_extractor:
            return self.features_extractor(obs)
        return self.pi_features_extractor(obs), self.vf_features_extractor(obs)

    def bind(self, env: VecEnv) -> None:
        """Check the environments, and take the data from them that a policy needs.

        Raises:
            ValueError: they normalize observations.
        """
        refuse_normalized(env)

    def begin(
        self,
        observations: Any,  # noqa: ARG002 - part of the protocol
        group_size: int = 1,
        *,
        entropy: bool = False,
    ) -> SamplingState:
        """Start a round of episodes; the text that K neighbors observe is read once."""
        return IndependentSampling(self, group_size, entropy=entropy)

    @torch.no_grad()
    def set_noise_scale(self, value: float) -> None:
        """Set the noise scale of all states."""
        self.log_noise_scale.fill_(math.log(value))

    def scalars(self) -> dict[str, float]:
        """The noise scale, for the logger."""
        return {"train/noise_scale": self.action_dist.noise_scale.item()}

    def get_distribution(self, obs: PyTorchObs, group_size: int = 1) -> DirectionDistribution:
        """The distribution of actions for (B, ...) observations, `group_size` for each."""
        features = self.extract_features(obs, self.pi_features_extractor)
        latent = self.mlp_extractor.forward_actor(features)
        return self._get_action_dist_from_latent(latent, group_size)

    def predict_values(self, obs: PyTorchObs) -> Tensor:
        """(B, 1) estimated values of observations."""
        features = self.extract_features(obs, self.vf_features_extractor)
        values: Tensor = self.value_net(self.mlp_extractor.forward_critic(features))
        return values

    def _get_action_dist_from_latent(
        self, latent_pi: Tensor, group_size: int = 1
    ) -> DirectionDistribution:
        return self.action_dist.proba_distribution(
            self.action_net(latent_pi).float(), self.log_noise_scale, group_size
        )

    def evaluate_actions(
        self, obs: PyTorchObs, actions: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Values (B, 1), log-densities (B,) and entropies (B,) of actions (B, D) or (B, T, D)."""
        return super().evaluate_actions(obs, actions.flatten(1))

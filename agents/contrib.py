"""GRU policies for sb3-contrib's algorithms; needs the extra "contrib"."""

from __future__ import annotations

from typing import Any, Self

import sb3_contrib
from gymnasium import spaces
from sb3_contrib.ars.policies import ARSPolicy
from sb3_contrib.crossq.policies import CrossQPolicy
from sb3_contrib.tqc.policies import TQCPolicy
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch.nn.utils import parameters_to_vector

from .policies.features import GRUFeatures
from .policies.off_policy import DirectionActor

__all__ = ["ARS", "GRUCrossQPolicy", "GRUSearchPolicy", "GRUTQCPolicy"]


class GRUTQCPolicy(DirectionActor, TQCPolicy):
    """`DirectionActor` for TQC."""


class GRUCrossQPolicy(DirectionActor, CrossQPolicy):
    """`DirectionActor` for CrossQ."""


class GRUSearchPolicy(ARSPolicy):
    """ARS policy that reads the text with a GRU and answers with linear layers.

    ARS searches all weights. Use it with `zero_policy=False`: if all weights are 0, a GRU gives
    the same answer to every text.

    Args:
        observation_space: embeddings, Box (L, D), or `TextIndex`.
        action_space: Box (D,) or (T, D).
        hidden_dim: H, size of the GRU's state.
        net_arch: layers between the GRU and the answer; none by default.
        **kwargs: passed to `ARSPolicy`.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *,
        hidden_dim: int = 128,
        net_arch: list[int] | None = None,
        **kwargs: Any,
    ) -> None:
        self.hidden_dim = hidden_dim
        super().__init__(observation_space, action_space, net_arch or [], **kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return super()._get_constructor_parameters() | {"hidden_dim": self.hidden_dim}

    def make_features_extractor(self) -> BaseFeaturesExtractor:
        """Make the GRU."""
        return GRUFeatures(self.observation_space, self.hidden_dim, layer_norm=True)


class _StopLearning(Exception):  # noqa: N818 - not an error
    """A callback requested the end of learning."""


class ARS(sb3_contrib.ARS):
    """sb3-contrib's ARS with a correct step count and callbacks that can stop it.

    Upstream adds N steps for each step of one of N environments, and ignores callbacks that return
    False. With `async_eval`, both remain as upstream.
    """

    def learn(self, *args: Any, **kwargs: Any) -> Self:
        """Learn, as upstream, from the policy's present weights.

        A callback that stops it leaves the weights of the last update.
        """
        weights = parameters_to_vector(self.policy.parameters())
        self.weights = weights.detach()  # type: ignore[assignment]  # upstream infers None
        try:
            return super().learn(*args, **kwargs)
        except _StopLearning as stop:
            [callback] = stop.args
            callback.on_training_end()
            return self

    def _trigger_callback(
        self,
        _locals: dict[str, Any],
        _globals: dict[str, Any],
        callback: BaseCallback,
        n_envs: int,  # noqa: ARG002 - upstream's signature
    ) -> None:
        self.num_timesteps += 1
        if not callback.on_step():
            raise _StopLearning(callback)

"""The GRU policy: an SB3 actor-critic policy that reads a text and answers with directions."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.common.vec_env import VecEnv

from llmar_env.spaces import TextIndex
from llmar_env.text.embedded import EmbeddedTexts

from ..distributions import DistributionName
from .direction import DirectionPolicy
from .features import GRUFeatures, attach_texts

__all__ = ["GRUPolicy"]


class GRUPolicy(DirectionPolicy):
    """A GRU reads the text, and a linear layer gives the mean directions of the answer.

    For PPO, A2C, REINFORCE and other algorithms that use SB3's `ActorCriticPolicy`, with texts
    observed as row numbers or embeddings. The value function shares the GRU.

    Args:
        observation_space: embeddings, Box (L, D), or `TextIndex`.
        action_space: Box (D,) or (T, D).
        lr_schedule: learning rate as a function of the remaining progress.
        hidden_dim: H, size of the GRU's state.
        distribution: "gaussian", "free_gaussian" or "power_spherical".
        noise_scale: initial noise of each coordinate, relative to the radius.
        learn_noise_scale: whether the noise scale is learned with the weights.
        **kwargs: passed to `DirectionPolicy`.

    Raises:
        ValueError: the distribution is unknown, or a space is not one of those above.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        *,
        hidden_dim: int = 128,
        distribution: DistributionName = "gaussian",
        noise_scale: float = 0.2,
        learn_noise_scale: bool = False,
        **kwargs: Any,
    ) -> None:
        self.hidden_dim = hidden_dim
        kwargs.setdefault("features_extractor_class", GRUFeatures)
        if issubclass(kwargs["features_extractor_class"], GRUFeatures):
            given = kwargs.get("features_extractor_kwargs") or {}
            kwargs["features_extractor_kwargs"] = {"features_dim": hidden_dim} | given
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            distribution=distribution,
            noise_scale=noise_scale,
            learn_noise_scale=learn_noise_scale,
            **kwargs,
        )

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return super()._get_constructor_parameters() | {"hidden_dim": self.hidden_dim}

    def bind(self, env: VecEnv) -> None:
        """Take the texts whose rows the environments show, as after loading.

        Raises:
            ValueError: the policy was made for another store.
        """
        space = env.observation_space
        if isinstance(space, TextIndex) and space.texts is not None:
            self.attach(space.texts)

    def attach(self, texts: EmbeddedTexts) -> None:
        """Give the policy the store whose rows it observes, as after loading.

        Raises:
            ValueError: the policy observes embeddings, or another store.
        """
        attach_texts(self, texts)

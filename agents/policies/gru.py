"""The GRU policy: an SB3 actor-critic policy that reads a text and answers with directions."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from stable_baselines3.common.torch_layers import MlpExtractor
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from llmar_env.spaces import TextIndex
from llmar_env.text.embedded import EmbeddedTexts

from ..distributions import DistributionName
from ..networks.residual import ResidualExtractor, ResidualHead
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
        residual: whether the mean direction is the text's own mean vector plus what the network
            adds, which is zero at first: training starts at the untouched embedder. Texts and
            answers must have vectors of one dimension.
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
        residual: bool = False,
        **kwargs: Any,
    ) -> None:
        self.hidden_dim = hidden_dim
        self.residual = residual
        kwargs.setdefault("features_extractor_class", GRUFeatures)
        if issubclass(kwargs["features_extractor_class"], GRUFeatures):
            given = kwargs.get("features_extractor_kwargs") or {}
            kwargs["features_extractor_kwargs"] = (
                {"features_dim": hidden_dim} | given | ({"append_mean": True} if residual else {})
            )
        elif residual:
            raise ValueError("residual=True needs GRUFeatures as the features extractor")
        if residual:
            _check_dims(observation_space, action_space)
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
        own = {"hidden_dim": self.hidden_dim, "residual": self.residual}
        return super()._get_constructor_parameters() | own

    def _build_mlp_extractor(self) -> None:
        """Make SB3's layers, which leave a residual's mean vector as it is."""
        if not self.residual:
            super()._build_mlp_extractor()
            return
        assert self.action_space.shape
        dim = self.action_space.shape[-1]
        own = self.features_dim - dim
        layers = MlpExtractor(own, self.net_arch, self.activation_fn, self.device)
        self.mlp_extractor = ResidualExtractor(layers, dim)  # type: ignore[assignment]  # as SB3's

    def _build(self, lr_schedule: Schedule) -> None:
        """Make the heads and the optimizer."""
        super()._build(lr_schedule)
        if self.residual:
            assert isinstance(self.action_net, nn.Linear)
            assert self.action_space.shape
            self.action_net = ResidualHead(self.action_net, self.action_space.shape[-1])

    def bind(self, env: VecEnv) -> None:
        """Take the texts whose rows the environments show, as after loading.

        Raises:
            ValueError: the policy was made for another store, or observations are normalized.
        """
        super().bind(env)
        space = env.observation_space
        if isinstance(space, TextIndex) and space.texts is not None:
            self.attach(space.texts)

    def attach(self, texts: EmbeddedTexts) -> None:
        """Give the policy the store whose rows it observes, as after loading.

        Raises:
            ValueError: the policy observes embeddings, or another store.
        """
        attach_texts(self, texts)


def _check_dims(observed: spaces.Space[Any], actions: spaces.Space[Any]) -> None:
    """Check that a residual can add what is read to what is answered."""
    read = observed.dim if isinstance(observed, TextIndex) else (observed.shape or (0,))[-1]
    answered = (actions.shape or (0,))[-1]
    if read != answered:
        raise ValueError(
            f"residual=True adds to the text's own mean vector, of dimension {read}, but answers "
            f"have dimension {answered}: embed texts and answers with one embedder"
        )

"""An SB3 features extractor that reads texts with a GRU."""

from __future__ import annotations

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn
from torch.nn import functional as F

from llmar_env.spaces import TextIndex
from llmar_env.text.embedded import EmbeddedTexts

from ..networks.encoder import GRUEncoder, TextLookup
from .observed import as_indices, check_bounds

__all__ = ["GRUFeatures", "attach_texts"]

# Up to this integer, float32, to which SB3 casts preprocessed observations, is exact.
_EXACT_IN_FLOAT32 = 2**24


class GRUFeatures(BaseFeaturesExtractor):
    """SB3 features extractor: a GRU over the observed text, given as row number or embeddings.

    Rows of a store are looked up on the policy's device, and each distinct text of a batch is
    encoded once.

    Args:
        observation_space: `TextIndex`, or a Box (L, D) of embeddings with zero rows after a
            text's end.
        features_dim: H, size of the GRU's state.
        layer_norm: whether states are normalized to mean 0 and variance 1. Stock actors and
            critics then start with answers of a useful length. The small states of a new GRU would
            give answers near 0, whose cosine is erratic.
        twice_differentiable: see `GRUEncoder`.
        append_mean: whether the text's mean vector, at unit length, follows the state: H + D
            features.

    Raises:
        ValueError: the space is neither of these.
    """

    def __init__(
        self,
        observation_space: spaces.Space[object],
        features_dim: int = 128,
        *,
        layer_norm: bool = False,
        twice_differentiable: bool = False,
        append_mean: bool = False,
    ) -> None:
        super().__init__(observation_space, features_dim)
        self.lookup: TextLookup | None = None
        if isinstance(observation_space, TextIndex):
            self.lookup = TextLookup()
            self.exact_as_float = observation_space.n <= _EXACT_IN_FLOAT32
            if observation_space.texts is not None:
                self.lookup.attach(observation_space.texts)
            dim = observation_space.dim
        elif isinstance(observation_space, spaces.Box) and len(observation_space.shape) == 2:
            dim = observation_space.shape[1]
        else:
            raise ValueError(
                "GRUFeatures reads embeddings, Box (L, D), or rows of a text store, TextIndex; "
                f"found {observation_space}"
            )
        self.encoder = GRUEncoder(dim, features_dim, twice_differentiable=twice_differentiable)
        self.norm = nn.LayerNorm(features_dim, elementwise_affine=False) if layer_norm else None
        self.append_mean = append_mean
        self._checked = False  # whether observed vectors have been compared with their space
        self._features_dim += dim * append_mean

    def attach(self, texts: EmbeddedTexts) -> None:
        """Set the store for looking up rows, which must be that of the observation space.

        Raises:
            ValueError: it is a different store.
        """
        assert self.lookup is not None
        space = self._observation_space
        assert isinstance(space, TextIndex)
        if texts.fingerprint != space.fingerprint:
            raise ValueError(
                f"this policy was made for the text store {space.fingerprint}, found "
                f"{texts.fingerprint}: the rows of another store are different texts"
            )
        self.lookup.attach(texts, next(self.parameters()).device)

    def forward(self, observations: Tensor) -> Tensor:
        """Encode (B, L, D) embeddings of any texts, or (B, 1) rows of the store, as (B, H).

        With `append_mean`, the result is (B, H + D).
        """
        if self.lookup is None or observations.dim() == 3:
            if self.training and not self._checked:
                check_bounds(observations, self._observation_space)
                self._checked = True
            lengths = (observations != 0).any(-1).sum(-1).clamp_min(1)
            features = self._normalized(self.encoder(observations, lengths))
            return self._with(features, observations.sum(1)) if self.append_mean else features
        if observations.is_floating_point() and not self.exact_as_float:
            raise ValueError(
                f"rows above {_EXACT_IN_FLOAT32} were rounded when they were cast to float32; use "
                "GRUPolicy, which keeps them as integers"
            )
        if self.lookup.fingerprint is None:
            self._attach_known()
        rows, inverse = torch.unique(as_indices(observations[:, 0]), return_inverse=True)
        texts = self.lookup(rows)
        features = self._normalized(self.encoder.encode(texts))
        return (self._with(features, texts.means()) if self.append_mean else features)[inverse]

    @staticmethod
    def _with(features: Tensor, vectors: Tensor) -> Tensor:
        """(B, H + D) the features, and vectors (B, D) scaled to unit length."""
        return torch.cat([features, F.normalize(vectors, dim=-1)], dim=1)

    def _attach_known(self) -> None:
        """Take the store of an environment that was set after this policy was loaded."""
        space = self._observation_space
        if isinstance(space, TextIndex) and (texts := space.texts) is not None:
            self.attach(texts)

    def _normalized(self, features: Tensor) -> Tensor:
        return features if self.norm is None else self.norm(features)


def attach_texts(policy: nn.Module, texts: EmbeddedTexts) -> None:
    """Set the store whose rows a policy observes.

    A model takes it from its environment: only one that was loaded without needs this.

    Raises:
        ValueError: the policy observes embeddings, or rows of another store.
    """
    extractors = [
        module
        for module in policy.modules()
        if isinstance(module, GRUFeatures) and module.lookup is not None
    ]
    if not extractors:
        raise ValueError("this policy observes embeddings and needs no text store")
    for extractor in extractors:
        extractor.attach(texts)

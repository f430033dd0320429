"""Encoders: from observed texts to one feature vector each."""

from __future__ import annotations

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from agents.device import as_shared_tensor
from agents.gru import last_hidden_state
from llmar_env.spaces import TextIndex
from llmar_env.text.embedded import EmbeddedTexts, gather_padded

__all__ = ["GRUEncoder", "GRUFeatures", "TextLookup", "attach_texts"]

# The largest integer up to which float32, SB3's type of preprocessed observations, is exact.
_EXACT_IN_FLOAT32 = 2**24


class GRUEncoder(nn.Module):
    """A GRU reads a text; its state after the last vector stands for the text.

    Args:
        dim: D, of the vectors.
        hidden_dim: H, of the state.
        twice_differentiable: whether its gradient has a gradient, as TRPO needs; slower.
    """

    def __init__(self, dim: int, hidden_dim: int, *, twice_differentiable: bool = False) -> None:
        super().__init__()
        self.gru = nn.GRU(dim, hidden_dim, batch_first=True)
        self.twice_differentiable = twice_differentiable

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Encode padded texts.

        Args:
            vectors: (B, L, D); what stands after a text's end has no effect.
            lengths: (B,) in [1, L].

        Returns:
            (B, H).
        """
        if self.twice_differentiable:
            packed = pack_padded_sequence(vectors, lengths.cpu(), True, enforce_sorted=False)
            with torch.backends.cudnn.flags(enabled=False):  # which has no second derivative
                _, state = self.gru(packed)
            return state[0]  # type: ignore[no-any-return]  # torch's RNNs return Any
        if vectors.is_cuda:
            # Padded, since packing would fetch the lengths to the CPU; cuDNN reads padding fast.
            states, _ = self.gru(vectors)
            last: Tensor = states[torch.arange(len(states), device=states.device), lengths - 1]
            return last
        return last_hidden_state(self.gru, vectors, lengths)


class TextLookup(nn.Module):
    """A store of embedded texts on the policy's device; no part of its weights.

    Attributes:
        fingerprint: of the store, None before `attach`.
    """

    padded_table: Tensor  # (V + 1, D)
    ids: Tensor | None  # (total,)
    offsets: Tensor  # (n + 1,)

    def __init__(self) -> None:
        super().__init__()
        self.fingerprint: str | None = None
        self.max_length = 0
        for name in ("padded_table", "ids", "offsets"):
            self.register_buffer(name, None, persistent=False)

    def attach(self, texts: EmbeddedTexts, device: torch.device | str = "cpu") -> None:
        """Take a store, in place of the one before; on the CPU its arrays are read in place."""
        self.padded_table = as_shared_tensor(texts.padded_table, device).float()
        self.ids = None if texts.ids is None else as_shared_tensor(texts.ids, device)
        self.offsets = as_shared_tensor(texts.offsets, device)
        self.max_length = texts.max_length
        self.fingerprint = texts.fingerprint

    def forward(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Look up texts, (B,) integers: vectors (B, L, D) and lengths (B,).

        Raises:
            RuntimeError: no store is attached.
        """
        if self.fingerprint is None:
            raise RuntimeError(
                "this policy observes rows of a text store and has no store, as after loading: "
                "call agents.attach_texts(policy, texts) with the `mdp.corpus.source` of its "
                "environment (a writer's policy.attach also with `mdp.vocabulary`)"
            )
        longest = self.max_length
        if not index.is_cuda:  # where to ask costs nothing
            longest = int((self.offsets[index + 1] - self.offsets[index]).max())
        return gather_padded(self.padded_table, self.ids, self.offsets, index, longest)


class GRUFeatures(BaseFeaturesExtractor):
    """SB3 features extractor: a GRU over the observed text, for either observation.

    Rows of a store are looked up on the policy's device, and each distinct text of a batch is
    encoded once.

    Args:
        observation_space: `TextIndex`, or a Box (L, D) of embeddings with zero rows after a
            text's end.
        features_dim: H, the GRU's state.
        layer_norm: whether states are scaled to mean 0 and variance 1. Stock actors and critics
            then begin with answers of a length that noise and critics can make something of,
            where the small states of a new GRU give answers near 0, whose cosine is erratic.
        twice_differentiable: see `GRUEncoder`.

    Raises:
        ValueError: the space is neither.
    """

    def __init__(
        self,
        observation_space: spaces.Space[object],
        features_dim: int = 128,
        *,
        layer_norm: bool = False,
        twice_differentiable: bool = False,
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
                "a GRU reads embeddings, Box (L, D), or rows of a text store, TextIndex; "
                f"found {observation_space}"
            )
        self.encoder = GRUEncoder(dim, features_dim, twice_differentiable=twice_differentiable)
        self.norm = nn.LayerNorm(features_dim, elementwise_affine=False) if layer_norm else None

    def attach(self, texts: EmbeddedTexts) -> None:
        """Look rows up in a store that is the one of the observation space.

        Raises:
            ValueError: it is another.
        """
        assert self.lookup is not None
        space = self._observation_space
        assert isinstance(space, TextIndex)
        if texts.fingerprint != space.fingerprint:
            raise ValueError(
                f"this policy was made for the text store {space.fingerprint}, found "
                f"{texts.fingerprint}: rows of another store are other texts"
            )
        self.lookup.attach(texts, next(self.parameters()).device)

    def forward(self, observations: Tensor) -> Tensor:
        """Encode (B, L, D) embeddings, of any texts, or (B, 1) rows of the store, to (B, H)."""
        if self.lookup is None or observations.dim() == 3:
            lengths = (observations != 0).any(-1).sum(-1).clamp_min(1)
            return self._encode(observations, lengths)
        if observations.is_floating_point() and not self.exact_as_float:
            raise ValueError(
                f"rows above {_EXACT_IN_FLOAT32} were rounded on their way here; use GRUPolicy, "
                "which passes them as integers"
            )
        rows, inverse = torch.unique(observations[:, 0].long(), return_inverse=True)
        return self._encode(*self.lookup(rows))[inverse]

    def _encode(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        features: Tensor = self.encoder(vectors, lengths)
        return features if self.norm is None else self.norm(features)


def attach_texts(policy: nn.Module, texts: EmbeddedTexts) -> None:
    """Give every `GRUFeatures` of a policy the store whose rows it observes, as after loading.

    Raises:
        ValueError: the policy observes embeddings, or another store.
    """
    extractors = [
        module
        for module in policy.modules()
        if isinstance(module, GRUFeatures) and module.lookup is not None
    ]
    if not extractors:
        raise ValueError("this policy observes embeddings and looks nothing up")
    for extractor in extractors:
        extractor.attach(texts)

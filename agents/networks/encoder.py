"""Encoders: from embedded texts to one feature vector each."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from llmar_env.text.embedded import EmbeddedTexts, gather_padded

from .device import as_shared_tensor
from .gru import last_hidden_state

__all__ = ["GRUEncoder", "TextLookup"]


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

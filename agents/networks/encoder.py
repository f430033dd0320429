"""An encoder of embedded texts as feature vectors, and a lookup of texts by row number."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from llmar_env.text.embedded import EmbeddedTexts, gather_padded

from .device import as_shared_tensor
from .gru import last_hidden_state

__all__ = ["GRUEncoder", "TextLookup"]


class GRUEncoder(nn.Module):
    """A GRU over a text, whose state after the last vector represents the text.

    Args:
        dim: D, dimension of the vectors.
        hidden_dim: H, size of the state.
        twice_differentiable: whether to support second derivatives, as TRPO needs; slower.
    """

    def __init__(self, dim: int, hidden_dim: int, *, twice_differentiable: bool = False) -> None:
        super().__init__()
        self.gru = nn.GRU(dim, hidden_dim, batch_first=True)
        self.twice_differentiable = twice_differentiable

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Encode padded texts.

        Args:
            vectors: (B, L, D); vectors after a text's end have no effect.
            lengths: (B,) in [1, L].

        Returns:
            (B, H).
        """
        if self.twice_differentiable:
            packed = pack_padded_sequence(vectors, lengths.cpu(), True, enforce_sorted=False)
            with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no second derivative
                _, state = self.gru(packed)
            return state[0]  # type: ignore[no-any-return]  # torch's RNNs return Any
        if vectors.is_cuda:
            # Not packed: packing would copy the lengths to the CPU, and cuDNN is fast on padding.
            states, _ = self.gru(vectors)
            last: Tensor = states[torch.arange(len(states), device=states.device), lengths - 1]
            return last
        return last_hidden_state(self.gru, vectors, lengths)


class TextLookup(nn.Module):
    """A store of embedded texts on the policy's device, not saved with the weights.

    Attributes:
        fingerprint: fingerprint of the store, None before `attach`.
    """

    padded_table: Tensor  # (V + 1, D)
    ids: Tensor | None  # (total,)
    offsets: Tensor  # (n + 1,)

    def __init__(self) -> None:
        super().__init__()
        self.fingerprint: str | None = None
        for name in ("padded_table", "ids", "offsets"):
            self.register_buffer(name, None, persistent=False)

    def attach(self, texts: EmbeddedTexts, device: torch.device | str = "cpu") -> None:
        """Set or replace the store; on the CPU, its arrays are used without a copy."""
        self.padded_table = as_shared_tensor(texts.padded_table, device).float()
        self.ids = None if texts.ids is None else as_shared_tensor(texts.ids, device)
        self.offsets = as_shared_tensor(texts.offsets, device)
        self.fingerprint = texts.fingerprint

    def forward(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Look up texts by their row numbers, (B,): vectors (B, L, D) and lengths (B,).

        Raises:
            RuntimeError: no store is attached.
        """
        if self.fingerprint is None:
            raise RuntimeError(
                "this policy observes rows of a text store but has no store; after loading, call "
                "agents.attach_texts(policy, texts) with `mdp.corpus.source` of the environment "
                "(for a writer, policy.attach, also with `mdp.vocabulary`)"
            )
        # CUDA waits here, but one long text does not make every batch as long as itself.
        longest = int((self.offsets[index + 1] - self.offsets[index]).max())
        return gather_padded(self.padded_table, self.ids, self.offsets, index, longest)

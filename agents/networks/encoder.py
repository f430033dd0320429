"""An encoder of embedded texts as feature vectors, and a lookup of texts by row number."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llmar_env.text.embedded import EmbeddedTexts

from .device import as_shared_tensor
from .gru import last_hidden_state
from .packing import PackedTexts, Packing, pack

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
        if vectors.is_cuda and not self.twice_differentiable:
            # Not packed: packing would copy the lengths to the CPU, and cuDNN is fast on padding.
            states, _ = self.gru(vectors)
            last: Tensor = states[torch.arange(len(states), device=states.device), lengths - 1]
            return last
        return self.encode(pack(vectors, lengths))

    def encode(self, texts: PackedTexts) -> Tensor:
        """Encode B packed texts as (B, H)."""
        if not (self.twice_differentiable or texts.vectors.is_cuda):
            return last_hidden_state(self.gru, texts)
        # cuDNN has no second derivative.
        with torch.backends.cudnn.flags(enabled=not self.twice_differentiable):
            _, state = self.gru(texts.as_sequence())
        return state[0]  # type: ignore[no-any-return]  # torch's RNNs return Any


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

    def forward(self, index: Tensor) -> PackedTexts:
        """Look up texts by their row numbers, (B,), without padding.

        Raises:
            RuntimeError: no store is attached.
        """
        if self.fingerprint is None:
            raise RuntimeError(
                "this policy observes rows of a text store and has no store: load the model with "
                "an environment that has its texts (env=env), or call agents.attach_texts(policy, "
                "corpus.source) (for a writer, policy.attach, also with the vocabulary)"
            )
        starts = self.offsets[index]
        packing = Packing.of(self.offsets[index + 1] - starts)
        positions = starts[packing.texts] + packing.steps
        rows = positions if self.ids is None else self.ids[positions]
        return PackedTexts(self.padded_table.index_select(0, rows), packing)

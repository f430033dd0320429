"""The alignment model as a network: its parameters, which are learned."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from llmar_env.alignment.model import AlignmentModel

__all__ = ["AlignmentNetwork"]


class AlignmentNetwork(nn.Module):
    """The parameters of an `AlignmentModel`, initialized as linear layers are.

    Args:
        context_dim: C, dimension of what describes a text.
        width: H, width of the hidden layer, a ReLU.
        dim: D, dimension of the answers' vectors.
    """

    def __init__(self, context_dim: int, width: int, dim: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(context_dim, width)
        self.decoder = nn.Linear(width, dim)

    @property
    def model(self) -> AlignmentModel:
        """The model with the current parameters, through which their gradients flow."""
        encoder, decoder = self.encoder, self.decoder
        return AlignmentModel(
            encoder.weight[None], encoder.bias[None], decoder.weight[None], decoder.bias[None]
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) unit vectors, the predicted directions of the answers to texts (B, C)."""
        decoded: Tensor = self.model.decode(x)[0]
        return F.normalize(decoded.float(), dim=-1)

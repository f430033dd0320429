"""The writer's network: a bidirectional GRU as encoder; attention and two GRUs as decoder."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .gru import gru_states

__all__ = ["AlignmentModel", "Memory", "Seq2SeqConfig", "Writer"]


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Sizes and dropout of a `Writer`."""

    encoder_dim: int = 256
    """Width of each direction of the encoder."""
    decoder_dim: int = 384
    """Width of the decoder's GRUs."""
    dropout: float = 0.2
    """Dropout rate; in training, the same features are dropped at every place of a text."""

    def __post_init__(self) -> None:
        """Refuse widths below 1, and a dropout outside [0, 1)."""
        if self.encoder_dim < 1 or self.decoder_dim < 1:
            raise ValueError(
                f"widths must be at least 1, found {self.encoder_dim} and {self.decoder_dim}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), found {self.dropout}")


@dataclass(frozen=True)
class Memory:
    """Encoded texts, for the decoder to attend to.

    Attributes:
        values: (B, L, H) attention values.
        keys: (B, L, H) attention keys.
        mask: (B, L) bool, True at the places of a text, False at padding.
        mean: (B, C) mean of the encoder's states and the text's vectors.
    """

    values: Tensor  # (B, L, H)
    keys: Tensor  # (B, L, H)
    mask: Tensor  # (B, L)
    mean: Tensor  # (B, C)

    def take(self, index: Tensor) -> Memory:
        """The memory of the texts with these indices, (n,)."""
        return Memory(*(getattr(self, one.name).index_select(0, index) for one in fields(self)))

    def repeat(self, times: int) -> Memory:
        """The memory with each text repeated several times in a row."""
        if times == 1:
            return self
        parts = (getattr(self, one.name) for one in fields(self))
        shown = (part.unsqueeze(1).expand(-1, times, *part.shape[1:]) for part in parts)
        return Memory(*(part.flatten(0, 1) for part in shown))


class GRULayer(nn.Module):
    """G independent GRUs of one layer, evaluated together.

    Args:
        dim: D, dimension of the inputs.
        width: H, size of the states.
        groups: G.
    """

    def __init__(self, dim: int, width: int, groups: int = 1) -> None:
        super().__init__()
        # Initialized as torch.nn.GRU, except that the biases start at 0.
        bound = 1 / math.sqrt(width)
        self.w_ih = nn.Parameter(torch.empty(groups, 3 * width, dim).uniform_(-bound, bound))
        self.w_hh = nn.Parameter(torch.empty(groups, 3 * width, width).uniform_(-bound, bound))
        self.b_ih = nn.Parameter(torch.zeros(groups, 3 * width))
        self.b_hh = nn.Parameter(torch.zeros(groups, 3 * width))

    def forward(self, x: Tensor, start: Tensor) -> Tensor:
        """States (G, T, B, H) for inputs (G, T, B, D), starting from states (G, B, H)."""
        device, sizes = x.device.type, [x.shape[2]] * x.shape[1]
        if torch.is_autocast_enabled(device):
            x = x.to(torch.get_autocast_dtype(device))
        weights = (self.w_ih, self.w_hh, self.b_ih, self.b_hh)
        states, _ = gru_states(x.flatten(1, 2), sizes, start, *weights)
        return states.view(*x.shape[:3], -1)


class AlignmentModel(nn.Module):
    """Predicts the direction of the mean vector of a text's target, with two linear layers.

    The cosine between the prediction and the mean vector of a written text estimates the text's
    alignment with the unknown target.

    Args:
        context_dim: C, dimension of a `Memory`'s means.
        width: H, width of the hidden layer, a ReLU.
        dim: D, dimension of the target's vectors.
    """

    def __init__(self, context_dim: int, width: int, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(context_dim, width), nn.ReLU(), nn.Linear(width, dim))

    def forward(self, memory: Memory) -> Tensor:
        """(B, D) unit vectors, the predicted directions of the targets' mean vectors."""
        return F.normalize(self.layers(memory.mean).float(), dim=-1)


class Writer(nn.Module):
    """Reads a text's vectors, and turns the words written so far into features of the next one.

    The encoder is a bidirectional GRU; attention sees its states and the text's vectors. The
    decoder is a GRU over the words written, dot-product attention (Luong et al. 2015) queried by
    its states, a second GRU over these states and the attention output, and attention again,
    queried by the second GRU's states. No step depends on the attention of the step before, so a
    known text is evaluated in one pass. A policy maps the features linearly to a direction. They
    include the attention output, so that a linear map can lead from a word's vector to its
    translation.

    Args:
        source_dim: Ds, dimension of the vectors read.
        target_dim: D, dimension of the vectors written.
        config: widths and dropout.

    Attributes:
        features_dim: 2H, size of the features.
        context_dim: C = 2E + Ds, size of the encoder's outputs.
        alignment: predicts the direction of the target's mean vector.
    """

    def __init__(self, source_dim: int, target_dim: int, config: Seq2SeqConfig) -> None:
        super().__init__()
        width, self.dropout = config.decoder_dim, config.dropout
        self.features_dim = 2 * width
        self.context_dim = context = 2 * config.encoder_dim + source_dim
        self.encoder = GRULayer(source_dim, config.encoder_dim, groups=2)
        self.key = nn.Linear(context, width, bias=False)
        self.value = nn.Linear(context, width, bias=False)
        self.bridge = nn.Linear(context, 2 * width)
        self.bos = nn.Parameter(torch.randn(target_dim) / math.sqrt(target_dim))
        self.first = GRULayer(target_dim, width)
        self.second = GRULayer(2 * width, width)
        self.combine = nn.Linear(2 * width + target_dim, width)
        self.alignment = AlignmentModel(context, width, target_dim)

    def read(self, vectors: Tensor, lengths: Tensor) -> Memory:
        """Read padded texts, (B, L, Ds), of lengths (B,) in [1, L]."""
        places = torch.arange(vectors.shape[1], device=vectors.device)
        mask = places < lengths[:, None]
        # The backward direction reads each text from its end; padding stays last.
        back = torch.where(mask, lengths[:, None] - 1 - places, places)[..., None]
        x = self._drop(vectors, dim=1)
        both = torch.stack([x, x.gather(1, back.expand_as(x))])  # (2, B, L, Ds)
        start = x.new_zeros(2, len(x), self.encoder.w_hh.shape[2])
        states = self.encoder(both.transpose(1, 2), start).transpose(1, 2)  # (2, B, L, E)
        backward = states[1].gather(1, back.expand_as(states[1]))
        memory = torch.cat([states[0], backward, x.to(states.dtype)], dim=-1)
        memory = self._drop(memory, dim=1) * mask[..., None]
        mean = memory.sum(1, dtype=torch.float32) / lengths[:, None]
        return Memory(self.value(memory), self.key(memory), mask, mean)

    def begin_states(self, memory: Memory) -> Tensor:
        """(2, B, H) the decoder's states before the first word."""
        states = torch.tanh(self.bridge(memory.mean)).float()
        return states.view(len(states), 2, -1).transpose(0, 1)

    def write(self, memory: Memory, previous: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the next words at T consecutive places.

        Args:
            memory: the memory of B texts.
            previous: (B, T, D) vectors of the word before each place; `bos` before the first word.
            states: (2, B, H) the decoder's states before the first place.

        Returns:
            Features (B, T, 2H), and the decoder's states (2, B, H) after the last place.
        """
        x = self._drop(previous, dim=1).transpose(0, 1)  # (T, B, D)
        first = self.first(x[None], states[:1])[0]  # (T, B, H)
        joined = torch.cat([self._drop(first, dim=0), self._attend(memory, first)], dim=-1)
        second = self.second(joined[None], states[1:])[0]
        found = self._drop(self._attend(memory, second), dim=0)
        seen = torch.cat([self._drop(second, dim=0), found, x.to(found.dtype)], dim=-1)
        combined = self._drop(torch.tanh(self.combine(seen)), dim=0)
        features = torch.cat([combined, found], dim=-1).transpose(0, 1)
        return features, torch.stack([first[-1], second[-1]]).float()

    def _attend(self, memory: Memory, queries: Tensor) -> Tensor:
        """(T, B, H) attention outputs for (T, B, H) queries."""
        scores = torch.bmm(queries.transpose(0, 1), memory.keys.transpose(1, 2)).float()
        weights = scores.masked_fill(~memory.mask[:, None], -torch.inf).softmax(-1)
        found = torch.bmm(weights.to(memory.values.dtype), memory.values)
        return found.transpose(0, 1)

    def _drop(self, x: Tensor, dim: int) -> Tensor:
        """Drop the same features at every place of dimension `dim` (Gal and Ghahramani 2016)."""
        if not self.training or self.dropout == 0:
            return x
        shape = [1 if i == dim else size for i, size in enumerate(x.shape)]
        kept = 1 - self.dropout
        return x * torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(kept).div_(kept)

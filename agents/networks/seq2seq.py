"""The writer's network: a bidirectional GRU as encoder; attention and two GRUs as decoder."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .alignment import AlignmentNetwork
from .gru import gru_states
from .packing import PackedTexts, Packing

__all__ = [
    "Memory",
    "MemoryBlock",
    "Seq2SeqConfig",
    "Writer",
    "features_dim",
]

# How long the lexical path's vectors are beside the rest of a direction (Nguyen and Chiang 2018).
_LEXICAL_SCALE = 4.0


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Sizes and dropout of a `Writer`."""

    encoder_dim: int = 128
    """Width of each direction of the encoder."""
    decoder_dim: int = 256
    """Width of the decoder's GRUs."""
    dropout: float = 0.35
    """Dropout rate; in training, the same features are dropped at every place of a text."""
    lexical: bool = False
    """Whether the vectors that attention reads lead directly to the word that is written (Nguyen
    and Chiang 2018); inputs and outputs need vectors of one space."""

    def __post_init__(self) -> None:
        """Refuse widths below 1, and a dropout outside [0, 1)."""
        if self.encoder_dim < 1 or self.decoder_dim < 1:
            raise ValueError(
                f"widths must be at least 1, found {self.encoder_dim} and {self.decoder_dim}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), found {self.dropout}")


@dataclass(frozen=True)
class MemoryBlock:
    """Encoded texts of similar length, padded to the longest.

    Attributes:
        texts: (b,) their places in the batch, in ascending order.
        values: (b, L, H) attention values.
        keys: (b, L, H) attention keys.
        mask: (b, L) bool, True at the places of a text, False at padding.
        vectors: (b, L, Ds) the texts' own vectors, where words are written from them.
    """

    texts: Tensor  # (b,)
    values: Tensor  # (b, L, H)
    keys: Tensor  # (b, L, H)
    mask: Tensor  # (b, L)
    vectors: Tensor | None = None  # (b, L, Ds)

    def attend(self, queries: Tensor, *, lexical: bool = False) -> Tensor:
        """(T, b, H) attention outputs for (T, b, H) queries.

        With `lexical`, (T, b, H + Ds): followed by those of the texts' own vectors.
        """
        scores = torch.bmm(queries.transpose(0, 1), self.keys.transpose(1, 2)).float()
        weights = scores.masked_fill(~self.mask[:, None], -torch.inf).softmax(-1)
        weights = weights.to(self.values.dtype)
        found = torch.bmm(weights, self.values)
        if lexical and self.vectors is not None:
            found = torch.cat([found, torch.bmm(weights, self.vectors)], dim=-1)
        return found.transpose(0, 1)

    def take(self, texts: Tensor, index: Tensor) -> MemoryBlock:
        """The texts (n,) of the block, which become the texts (n,) of another batch."""
        values, keys, mask = (
            part.index_select(0, index) for part in (self.values, self.keys, self.mask)
        )
        vectors = None if self.vectors is None else self.vectors.index_select(0, index)
        return MemoryBlock(texts, values, keys, mask, vectors)


@dataclass(frozen=True)
class Memory:
    """Encoded texts, for the decoder to attend to.

    Attributes:
        blocks: the texts in blocks of similar length; one block, unless a text is much longer than
            others. Each text is in one block.
        mean: (B, C) mean of the encoder's states and the text's vectors.
    """

    blocks: tuple[MemoryBlock, ...]
    mean: Tensor  # (B, C)

    def attend(self, queries: Tensor, *, lexical: bool = False) -> Tensor:
        """(T, B, H) attention outputs for (T, B, H) queries; see `MemoryBlock.attend`."""
        if len(self.blocks) == 1:  # all texts, in order
            return self.blocks[0].attend(queries, lexical=lexical)
        found = [
            block.attend(queries.index_select(1, block.texts), lexical=lexical)
            for block in self.blocks
        ]
        place = torch.cat([block.texts for block in self.blocks]).argsort()
        return torch.cat(found, dim=1).index_select(1, place)

    def take(self, index: Tensor) -> Memory:
        """The memory of the texts with these indices, (n,)."""
        mean = self.mean.index_select(0, index)
        if len(self.blocks) == 1:  # all texts, in order: no need to wait for the device
            texts = torch.arange(len(index), device=index.device)
            return Memory((self.blocks[0].take(texts, index),), mean)
        blocks = []
        for block in self.blocks:
            place = index.new_full((len(self.mean),), -1)  # of each text in the block
            place[block.texts] = torch.arange(len(block.texts), device=index.device)
            texts = (place[index] >= 0).nonzero().squeeze(1)
            if len(texts) or not len(index):
                blocks.append(block.take(texts, place[index[texts]]))
        return Memory(tuple(blocks), mean)

    def repeat(self, times: int) -> Memory:
        """The memory with each text repeated several times in a row."""
        if times == 1:
            return self
        index = torch.arange(len(self.mean), device=self.mean.device)
        return self.take(index.repeat_interleave(times))


def features_dim(target_dim: int, config: Seq2SeqConfig) -> int:
    """Size of a writer's features, for words of dimension D."""
    return 2 * config.decoder_dim + (target_dim if config.lexical else 0)


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
        return self.packed(x.flatten(1, 2), [x.shape[2]] * x.shape[1], start).view(*x.shape[:3], -1)

    def packed(self, x: Tensor, sizes: list[int], start: Tensor) -> Tensor:
        """States (G, total, H) for inputs (G, total, D) that are packed as in `gru_states`."""
        device = x.device.type
        if torch.is_autocast_enabled(device):
            x = x.to(torch.get_autocast_dtype(device))
        weights = (self.w_ih, self.w_hh, self.b_ih, self.b_hh)
        states, _ = gru_states(x, sizes, start, *weights)
        return states


class Writer(nn.Module):
    """Reads a text's vectors, and turns the words written so far into features of the next one.

    The encoder is a bidirectional GRU; attention sees its states and the text's vectors. The
    decoder is a GRU over the words written, dot-product attention (Luong et al. 2015) queried by
    its states, a second GRU over these states and the attention output, and attention again,
    queried by the second GRU's states. No step depends on the attention of the step before, so a
    known text is evaluated in one pass. A policy maps the features linearly to a direction. They
    include the attention output, so that a linear map can lead from a word's vector to its
    translation. With `config.lexical` they also include g (x + tanh(W x)), where x is what the last
    attention reads of the text's own vectors (Nguyen and Chiang 2018); g = 4, and W starts at 0.

    Args:
        source_dim: Ds, dimension of the vectors read.
        target_dim: D, dimension of the vectors written.
        config: widths and dropout.

    Attributes:
        features_dim: 2H, or 2H + D if lexical, size of the features.
        context_dim: C = 2E + Ds, size of the encoder's outputs.
        alignment: predicts the direction of the target's mean vector from a `Memory`'s means.
    """

    def __init__(self, source_dim: int, target_dim: int, config: Seq2SeqConfig) -> None:
        super().__init__()
        if config.lexical and source_dim != target_dim:
            raise ValueError(
                f"lexical needs vectors of one space, found dimensions {source_dim}, {target_dim}"
            )
        width, self.dropout, self.lexical = config.decoder_dim, config.dropout, config.lexical
        self.features_dim = features_dim(target_dim, config)
        self.context_dim = context = 2 * config.encoder_dim + source_dim
        self.encoder = GRULayer(source_dim, config.encoder_dim, groups=2)
        self.key = nn.Linear(context, width, bias=False)
        self.value = nn.Linear(context, width, bias=False)
        self.bridge = nn.Linear(context, 2 * width)
        self.bos = nn.Parameter(torch.randn(target_dim) / math.sqrt(target_dim))
        self.first = GRULayer(target_dim, width)
        self.second = GRULayer(2 * width, width)
        self.combine = nn.Linear(2 * width + target_dim, width)
        self.alignment = AlignmentNetwork(context, width, target_dim)
        if self.lexical:
            self.translate = nn.Linear(target_dim, target_dim, bias=False)
            nn.init.zeros_(self.translate.weight)

    def read(self, texts: PackedTexts) -> Memory:
        """Read B packed texts of Ds-vectors."""
        packing = texts.packing
        x = self._drop_packed(texts.vectors, packing)
        whole = texts.vectors if self.lexical else None
        # The backward direction reads each text from its end.
        back = packing.reversed()
        start = x.new_zeros(2, len(packing.order), self.encoder.w_hh.shape[2])
        both = torch.stack([x, x.index_select(0, back)])  # (2, total, Ds)
        states = self.encoder.packed(both, packing.sizes.tolist(), start)  # (2, total, E)
        backward = states[1].index_select(0, back)
        encoded = torch.cat([states[0], backward, x.to(states.dtype)], dim=-1)  # (total, C)
        encoded = self._drop_packed(encoded, packing)
        found = [self._remember(encoded, whole, packing, ranks) for ranks in packing.blocks()]
        blocks, means = zip(*found, strict=True)
        place = torch.cat([block.texts for block in blocks]).argsort()
        return Memory(blocks, torch.cat(means).index_select(0, place))

    def _remember(
        self, encoded: Tensor, whole: Tensor | None, packing: Packing, ranks: Tensor
    ) -> tuple[MemoryBlock, Tensor]:
        """A block of texts with these ranks (b,), from (total, C); and their means (b, C).

        With the texts' own vectors if `whole`, (total, Ds), is given.
        """
        lengths = packing.lengths[ranks][:, None]  # (b, 1)
        steps = torch.arange(int(lengths.max()), device=ranks.device)
        mask = steps < lengths
        # Padding reads the first vector, which is always there.
        places = packing.places(ranks[:, None], steps.where(mask, 0))

        def pad(x: Tensor) -> Tensor:
            return x.index_select(0, places.flatten()).view(*mask.shape, -1) * mask[..., None]

        padded = pad(encoded)
        mean = padded.sum(1, dtype=torch.float32) / lengths
        values, keys = self.value(padded), self.key(padded)
        vectors = None if whole is None else pad(whole).to(values.dtype)
        return MemoryBlock(packing.order[ranks], values, keys, mask, vectors), mean

    def predicted(self, memory: Memory) -> Tensor:
        """(B, D) unit vectors, the predicted directions of the targets' mean vectors."""
        predicted: Tensor = self.alignment(memory.mean)
        return predicted

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
            (B, T, `features_dim`), and the decoder's states (2, B, H) after the last place.
        """
        x = self._drop(previous, dim=1).transpose(0, 1)  # (T, B, D)
        first = self.first(x[None], states[:1])[0]  # (T, B, H)
        joined = torch.cat([self._drop(first, dim=0), memory.attend(first)], dim=-1)
        second = self.second(joined[None], states[1:])[0]
        attended = memory.attend(second, lexical=self.lexical)
        width = second.shape[-1]
        found = self._drop(attended[..., :width], dim=0)
        seen = torch.cat([self._drop(second, dim=0), found, x.to(found.dtype)], dim=-1)
        combined = self._drop(torch.tanh(self.combine(seen)), dim=0)
        parts = [combined, found]
        if self.lexical:
            read = attended[..., width:]
            parts.append(_LEXICAL_SCALE * (read + torch.tanh(self.translate(read))))
        features = torch.cat(parts, dim=-1).transpose(0, 1)
        return features, torch.stack([first[-1], second[-1]]).float()

    def _drop(self, x: Tensor, dim: int) -> Tensor:
        """Drop the same features at every place of dimension `dim` (Gal and Ghahramani 2016)."""
        if not self._drops:
            return x
        shape = [1 if i == dim else size for i, size in enumerate(x.shape)]
        return x * self._mask(x, shape)

    def _drop_packed(self, x: Tensor, packing: Packing) -> Tensor:
        """Drop the same features of (total, m) at every place of a text."""
        if not self._drops:
            return x
        return x * self._mask(x, [len(packing.order), x.shape[1]]).index_select(0, packing.texts)

    @property
    def _drops(self) -> bool:
        return self.training and self.dropout > 0

    def _mask(self, x: Tensor, shape: list[int]) -> Tensor:
        """A dropout mask, 0 or 1 / (1 - rate), of the dtype of x."""
        kept = 1 - self.dropout
        return torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(kept).div_(kept)

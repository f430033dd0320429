"""Texts of different lengths in one array without padding, laid out step by step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from llmar_env.text.embedded import split_by_padding

__all__ = ["PackedTexts", "Packing", "pack"]


@dataclass(frozen=True)
class Packing:
    """The layout of B texts: the first vector of each, then the second of each that has one, ...

    The vectors of a step are in the order of the texts, longest text first. That is the layout of
    torch's `PackedSequence`.

    Attributes:
        order: (B,) the texts, longest first.
        lengths: (B,) their lengths, in that order.
        sizes: (L,) int64 on the CPU, the number of texts at each step, non-increasing from B; L is
            the longest length, and total the sum of all.
        ranks: (total,) the text of each vector, as a place in `order`.
        steps: (total,) the step of each vector.
    """

    order: Tensor  # (B,)
    lengths: Tensor  # (B,)
    sizes: Tensor  # (L,)
    ranks: Tensor  # (total,)
    steps: Tensor  # (total,)

    @classmethod
    def of(cls, lengths: Tensor) -> Packing:
        """The layout of texts with these lengths, (B,), all at least 1; waits for a CUDA device."""
        ordered, order = lengths.sort(descending=True, stable=True)
        longer = len(lengths) - torch.bincount(ordered.cpu()).cumsum(0)  # than 0, 1, ..., L
        sizes, device = longer[:-1], lengths.device
        on_device, total = sizes.to(device), int(sizes.sum())
        to_vectors = partial(torch.repeat_interleave, repeats=on_device, output_size=total)
        steps = to_vectors(torch.arange(len(sizes), device=device))
        ranks = torch.arange(total, device=device) - to_vectors(on_device.cumsum(0) - on_device)
        return cls(order, ordered, sizes, ranks, steps)

    @property
    def texts(self) -> Tensor:
        """(total,) the text of each vector."""
        return self.order[self.ranks]

    def places(self, ranks: Tensor, steps: Tensor) -> Tensor:
        """(...) places in the layout of the vectors of some texts at some steps, (...)."""
        return self._starts[steps] + ranks

    def reversed(self) -> Tensor:
        """(total,) for each vector, the place of the one as far from its text's other end."""
        return self.places(self.ranks, self.lengths[self.ranks] - 1 - self.steps)

    def blocks(self) -> list[Tensor]:
        """Ranks (b,) of texts of similar length, in ascending order of the texts.

        Padded to the longest of its block, the texts take a small multiple of their own lengths.
        """
        spans = split_by_padding(self.lengths.cpu().numpy())
        whole = [torch.arange(span.start, span.stop, device=self.order.device) for span in spans]
        return [ranks[self.order[ranks].argsort()] for ranks in whole]

    @cached_property
    def _starts(self) -> Tensor:
        """(L,) the place of the first vector of each step."""
        return (self.sizes.cumsum(0) - self.sizes).to(self.order.device)


@dataclass(frozen=True)
class PackedTexts:
    """Texts without padding.

    Attributes:
        vectors: (total, D).
        packing: their layout.
    """

    vectors: Tensor  # (total, D)
    packing: Packing

    def means(self) -> Tensor:
        """(B, D) the mean vector of each text."""
        packing = self.packing
        sums = self.vectors.new_zeros(len(packing.order), self.vectors.shape[1])
        sums.index_add_(0, packing.ranks, self.vectors)
        means = sums / packing.lengths[:, None]
        return means[packing.order.argsort()]

    def as_sequence(self) -> PackedSequence:
        """The same as torch's class, whose RNNs return results in the order of the texts."""
        order = self.packing.order
        return PackedSequence(self.vectors, self.packing.sizes, order, order.argsort())


def pack(vectors: Tensor, lengths: Tensor) -> PackedTexts:
    """Pack padded texts.

    Args:
        vectors: (B, L, D); vectors after a text's end are left out.
        lengths: (B,) integers in [1, L].
    """
    packing = Packing.of(lengths)
    return PackedTexts(vectors[packing.texts, packing.steps], packing)

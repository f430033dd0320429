"""A peer of the writer: the same network over `torch.nn.GRU`, with a learned softmax over words.

Written as one would with torch alone: `nn.Embedding`, `nn.GRU` over padded or packed texts,
`nn.Linear` to the words, `F.cross_entropy`. Sizes, dropout, start of the vectors, and the lexical
path are those of `agents.networks.seq2seq.Writer`; there is no alignment model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from agents.networks.seq2seq import Seq2SeqConfig
from agents.training.clock import Clock
from agents.training.cross_entropy import BatchStream, TargetTexts, rise_and_decay
from agents.training.validation import Validation
from llmar_env.arrays import unit
from llmar_env.progress import ProgressBar

__all__ = ["SoftmaxWriter", "step_softmax", "texts_per_second", "train_softmax"]

_WRITTEN = 128  # texts at a time


@dataclass(frozen=True)
class Encoded:
    """Encoded texts: attention values and keys (B, L, H), the mask (B, L), vectors (B, L, D)."""

    values: Tensor  # (B, L, H)
    keys: Tensor  # (B, L, H)
    mask: Tensor  # (B, L)
    vectors: Tensor  # (B, L, D)
    states: Tensor  # (2, B, H), the decoder's states before the first word

    def attend(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, H) attention outputs for (B, T, H) queries, and (B, T, D) of the vectors."""
        scores = torch.bmm(queries, self.keys.mT).masked_fill(~self.mask[:, None], -torch.inf)
        weights = scores.softmax(-1)
        return torch.bmm(weights, self.values), torch.bmm(weights, self.vectors)


class SoftmaxWriter(nn.Module):
    """A translator with attention and a softmax over words, all of it learned.

    Args:
        texts: the texts to learn from, in one space of vectors on both sides.
        config: widths and dropout.
    """

    def __init__(self, texts: TargetTexts, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.texts, self.rate = texts, config.dropout
        source = torch.from_numpy(unit(texts.corpus.source.table))
        target = torch.from_numpy(texts.vocabulary.directions)  # (V, D)
        size, dim = target.shape
        width, context = config.decoder_dim, 2 * config.encoder_dim + dim
        self.padding, self.bos = len(source), size
        self.source = nn.Embedding(len(source) + 1, dim, padding_idx=len(source))
        self.target = nn.Embedding(size + 1, dim)
        self.encoder = nn.GRU(dim, config.encoder_dim, batch_first=True, bidirectional=True)
        self.key = nn.Linear(context, width, bias=False)
        self.value = nn.Linear(context, width, bias=False)
        self.bridge = nn.Linear(context, 2 * width)
        self.first = nn.GRU(dim, width, batch_first=True)
        self.second = nn.GRU(2 * width, width, batch_first=True)
        self.combine = nn.Linear(2 * width + dim, width)
        self.direction = nn.Linear(2 * width, dim)
        self.translate = nn.Linear(dim, dim, bias=False)
        self.words = nn.Linear(dim, size)
        with torch.no_grad():
            self.source.weight[:-1] = source
            self.target.weight[:-1] = target
            self.translate.weight.zero_()
        self.words.weight = nn.Parameter(target.clone())

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """(B, L) tokens of texts, padded, and their lengths (B,)."""
        source = self.texts.corpus.source
        assert source.ids is not None
        lengths = source.lengths[rows]
        steps = np.arange(lengths.max())
        inside = steps < lengths[:, None]
        ids = np.where(inside, source.ids[source.offsets[rows][:, None] + steps * inside], -1)
        ids[~inside] = self.padding
        return torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(lengths)

    def encode(self, ids: Tensor, lengths: Tensor) -> Encoded:
        """Read padded texts."""
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        vectors = self.source(ids)
        x = self._drop(vectors)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.encoder(packed)[0], batch_first=True)
        encoded = self._drop(torch.cat([states, x], -1) * mask[..., None])
        start = torch.tanh(self.bridge(encoded.sum(1) / lengths[:, None]))
        return Encoded(
            self.value(encoded),
            self.key(encoded),
            mask,
            vectors,
            start.view(len(ids), 2, -1).transpose(0, 1).contiguous(),
        )

    def forward(self, read: Encoded, previous: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, V) logits after previous words (B, T), and the states (2, B, H) after the last."""
        x = self._drop(self.target(previous))
        first, after_first = self.first(x, states[:1].contiguous())
        joined = torch.cat([self._drop(first), read.attend(first)[0]], -1)
        second, after_second = self.second(joined, states[1:].contiguous())
        found, lexical = read.attend(second)
        found = self._drop(found)
        combined = torch.tanh(self.combine(torch.cat([self._drop(second), found, x], -1)))
        direction = self.direction(torch.cat([self._drop(combined), found], -1))
        direction = direction + 4 * (lexical + torch.tanh(self.translate(lexical)))
        return self.words(direction), torch.cat([after_first, after_second])

    def loss(self, rows: NDArray[np.int64], smoothing: float) -> tuple[Tensor, int]:
        """Mean cross-entropy of the words of the targets, EOS included, and their number."""
        eos = self.texts.vocabulary.eos
        tokens = torch.from_numpy(self.texts.tokens[rows])
        lengths = (tokens != eos).sum(1)
        tokens = tokens[:, : int(lengths.max()) + 1]
        previous = F.pad(tokens[:, :-1], (1, 0), value=self.bos)
        read = self.encode(*self.batch(rows))
        logits, _ = self(read, previous, read.states)
        places = torch.arange(tokens.shape[1]) <= lengths[:, None]
        loss = F.cross_entropy(logits[places], tokens[places], label_smoothing=smoothing)
        return loss, int(places.sum())

    @torch.no_grad()
    def write(self, split: str, max_new_tokens: int) -> list[str]:
        """Greedy translations of the texts of a split."""
        self.eval()
        rows = np.asarray(self.texts.corpus.rows(split))
        written: list[str] = []
        for first in range(0, len(rows), _WRITTEN):
            read = self.encode(*self.batch(rows[first : first + _WRITTEN]))
            tokens = torch.stack(list(self._greedy(read, max_new_tokens)), dim=1)
            written += self.texts.vocabulary.decode(tokens.numpy())
        return written

    def _greedy(self, read: Encoded, max_new_tokens: int) -> Iterator[Tensor]:
        eos, states = self.texts.vocabulary.eos, read.states
        tokens = torch.full((states.shape[1],), self.bos)
        ended = torch.zeros(len(tokens), dtype=torch.bool)
        for _ in range(max_new_tokens):
            logits, states = self(read, tokens[:, None], states)
            tokens = logits[:, -1].argmax(-1).masked_fill(ended, eos)
            yield tokens
            ended |= tokens == eos
            if ended.all():
                return

    def _drop(self, x: Tensor) -> Tensor:
        """Drop the same features at every place of a text, (B, T, m)."""
        return x * F.dropout(x.new_ones(len(x), 1, x.shape[-1]), self.rate, self.training)


def train_softmax(
    writer: SoftmaxWriter,
    validation: Validation,
    clock: Clock,
    batch_size: int,
    learning_rate: float,
    smoothing: float,
    seed: int,
) -> None:
    """Train until the time limit, with the schedule of `train_cross_entropy`; keep the best."""
    optimizer = torch.optim.Adam(writer.parameters(), learning_rate, eps=1e-8)
    batches = BatchStream(writer.texts, batch_size, seed)
    words = seen = 0
    clock.start()
    with ProgressBar("softmax") as bar:
        while (done := 1 - clock.fraction_remaining) < 1:
            bar.update(done)
            if validation.is_due(done):
                record = validation.run(writer, clock.elapsed, words, seen)
                bar.update(done, f"bleu {validation.value(record):.2f}")
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * rise_and_decay(done)
            rows = next(batches)
            words += step_softmax(writer, optimizer, rows, smoothing)
            seen += len(rows)
        validation.run(writer, clock.elapsed, words, seen)
    clock.stop()
    validation.restore_best(writer)


def step_softmax(
    writer: SoftmaxWriter,
    optimizer: torch.optim.Optimizer,
    rows: NDArray[np.int64],
    smoothing: float,
) -> int:
    """Take a step on the texts of some rows; returns the number of words."""
    writer.train()
    loss, words = writer.loss(rows, smoothing)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch's has no annotations
    torch.nn.utils.clip_grad_norm_(writer.parameters(), 1.0)
    optimizer.step()
    return words


def texts_per_second(
    step: Callable[[NDArray[np.int64]], object], batches: BatchStream, seconds: float
) -> float:
    """Rate of a training step, in texts."""
    texts, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        rows = next(batches)
        step(rows)
        texts += len(rows)
    return texts / elapsed

"""Cross-entropy of target texts, the loss of a writer's warm start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.utils import update_learning_rate
from torch import Tensor
from torch.nn import functional as F

from llmar_env.progress import ProgressBar
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import like_length
from llmar_env.text.tokens import up_to_eos
from llmar_env.text.vocabulary import Vocabulary

from ..algorithms.update import descend
from ..policies.writer import WriterPolicy
from .clock import Clock
from .learned_vectors import LearnedVectors
from .validation import Validation
from .weight_average import WeightAverage

__all__ = [
    "BatchStream",
    "TargetTexts",
    "rise_and_decay",
    "target_cross_entropy",
    "train_cross_entropy",
]

# Number of batches whose texts are sorted by length together. A larger pool means less padding, but
# less random batches.
_POOL = 100
_RISE = 0.02
# How many texts are scored at a time.
_SCORED = 256


@dataclass(frozen=True, eq=False)
class TargetTexts:
    """Texts of a corpus with their targets as tokens, in batches of similar length.

    Attributes:
        corpus: the texts.
        vocabulary: the tokens of the targets.
        split: the split from which batches are drawn.
    """

    corpus: Corpus
    vocabulary: Vocabulary
    split: str = "train"

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """(n, M) tokens of the targets of all rows, each followed by EOS."""
        return self.vocabulary.tokens_of(self.corpus.target)

    def batches(self, size: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Batches (B,) of all rows of the split, each row once, in random order."""
        rows = self.corpus.rows(self.split)
        order = rows.start + generator.permutation(len(rows))
        lengths = self.corpus.source.lengths + self.vocabulary.lengths(self.tokens)
        for first in range(0, len(order), size * _POOL):
            pool = order[first : first + size * _POOL]
            blocks = like_length(lengths[pool], size)
            yield from (pool[blocks[i]] for i in generator.permutation(len(blocks)))

    def loss(
        self, policy: WriterPolicy, rows: NDArray[np.int64], smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """Teacher-forced cross-entropy of the targets of (B,) rows, and loss of the predictions.

        Returns:
            (words,) negative log-probabilities of all words and EOS tokens, and (B,) one minus the
            cosine between the predicted mean vector and that of the target's words.

        Raises:
            ValueError: the policy observes embeddings, or gives words no probabilities.
        """
        if policy.reader.lookup is None or policy.distribution != "tokens":
            raise ValueError(
                "cross-entropy needs a policy that observes rows and chooses among tokens: "
                'observation="index" and distribution="tokens"'
            )
        device = policy.device
        tokens = torch.as_tensor(self.tokens[rows], device=device)
        tokens = tokens[:, : int((tokens != self.vocabulary.eos).sum(1).max()) + 1]
        places = up_to_eos(tokens, self.vocabulary.eos)
        reader, network = policy.reader, policy.reader.network
        text = torch.as_tensor(rows[:, None], device=device)
        with policy.precision():
            memory = reader.read(text)
            words = F.embedding(tokens[:, :-1], reader.padded_table)
            distribution = policy.distributions_at(memory, words, places)
            losses = -distribution.log_prob_of(tokens[places], smoothing)
            predicted = network.predicted(memory)
            sums = (words.detach() * places[:, 1:, None]).sum(1)  # EOS is not text
        return losses, 1 - F.cosine_similarity(predicted, sums.float(), dim=-1)


@torch.no_grad()
def target_cross_entropy(policy: WriterPolicy, texts: TargetTexts) -> float:
    """Cross-entropy of a split's targets, in nats per token, EOS included.

    Tokens that the vocabulary lacks are left out.

    Args:
        policy: the writer, which observes the corpus' rows; left in evaluation mode.
        texts: the corpus, and its split.
    """
    policy.set_training_mode(False)
    rows = texts.corpus.rows(texts.split)
    total = words = 0.0
    for block in like_length(texts.corpus.source.lengths[rows.start : rows.stop], _SCORED):
        losses, _ = texts.loss(policy, rows.start + block, 0.0)
        total += losses.sum(dtype=torch.float64).item()
        words += len(losses)
    return total / words


def train_cross_entropy(
    policy: WriterPolicy,
    texts: TargetTexts,
    validation: Validation,
    *,
    clock: Clock,
    epochs: float,
    learning_rate: float,
    batch_size: int,
    smoothing: float,
    max_grad_norm: float = 1.0,
    patience: int | None = None,
    seed: int = 0,
    progress: bool = False,
    vectors: LearnedVectors | None = None,
) -> int:
    """Train a writer on the cross-entropy of the targets.

    The optimizer is Adam. The learning rate warms up over the first 2% of the training, and decays
    linearly to 0. What is validated, and kept, is the average of the weights over the last thousand
    steps or so. The training ends at the time limit or after the epochs, whichever comes first,
    or early by `patience`.

    Args:
        policy: the policy, trained in place and left with its best weights.
        texts: the texts to learn from.
        validation: scores the policy and selects the best weights.
        clock: the clock with the time limit; started here.
        epochs: number of passes over the texts.
        learning_rate: peak learning rate.
        batch_size: B, number of texts in a batch.
        smoothing: label smoothing (Szegedy et al. 2016), in [0, 1).
        max_grad_norm: maximum norm of the gradient, for clipping.
        patience: number of validations in a row without improvement after which the training ends;
            no limit if None.
        seed: seeds the order of the texts.
        progress: whether to show a progress bar.
        vectors: those of the texts and words, learned too, which have joined the policy.

    Returns:
        The number of words trained on, including EOS tokens.

    Raises:
        NonFiniteLossError: the gradient became NaN or infinite; the weights are the best so far.
    """
    batches, average = BatchStream(texts, batch_size, seed), WeightAverage(policy)
    total = epochs * len(texts.corpus.rows(texts.split))
    words = seen = 0
    clock.start()
    bar = ProgressBar("cross-entropy", show=progress)
    try:
        while (done := max(1 - clock.fraction_remaining, seen / total)) < 1:
            bar.update(done)
            if validation.is_due(done):
                with average.applied():
                    record = validation.run(policy, clock.elapsed, words, seen)
                bar.update(done, f"{validation.metric} {validation.value(record):.2f}")
                if patience is not None and validation.stale >= patience:
                    break
            update_learning_rate(policy.optimizer, learning_rate * rise_and_decay(done))
            policy.set_training_mode(True)
            if vectors is not None:
                vectors.use(policy)
            losses, misaligned = texts.loss(policy, next(batches), smoothing)
            loss = losses.mean() + misaligned.mean()
            descend(policy, loss, max_grad_norm, f"after {seen} texts")
            average.update()
            words, seen = words + len(losses), seen + len(misaligned)
        with average.applied():
            validation.run(policy, clock.elapsed, words, seen)
    finally:
        clock.stop()
        bar.close()
        validation.restore_best(policy)
    return words


def rise_and_decay(done: float) -> float:
    """The learning rate relative to its peak, in [0, 1]: a short warm-up and a linear decay."""
    return min(1.0, (done + 1e-3) / _RISE) * (1 - done)


class BatchStream:
    """An endless stream of batches, epoch after epoch, whose state is plain data.

    Args:
        texts: the texts to draw from.
        size: B, number of texts in a batch.
        seed: seeds the order of the texts.
    """

    def __init__(self, texts: TargetTexts, size: int, seed: int) -> None:
        self.texts = texts
        self.size = size
        self.generator = np.random.default_rng(seed)
        self.pending: list[NDArray[np.int64]] = []

    def __next__(self) -> NDArray[np.int64]:
        """(B,) rows."""
        if not self.pending:
            self.pending = list(self.texts.batches(self.size, self.generator))[::-1]
        return self.pending.pop()

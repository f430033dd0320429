"""Fit an alignment model to pairs of texts, contrastively."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from llmar_env.alignment.model import AlignmentModel
from llmar_env.alignment.text_alignment import TextAlignment
from llmar_env.arrays import unit
from llmar_env.metrics import kinds, ranks
from llmar_env.progress import ProgressBar
from llmar_env.text.corpus import Corpus

from ..algorithms.update import NonFiniteLossError, step_down
from ..config import AlignmentConfig
from ..inference.tasks import linear_answers
from ..networks.alignment import AlignmentNetwork
from ..networks.device import as_shared_tensor

__all__ = ["AlignmentScores", "fit_alignment", "score_alignment", "score_linear"]


@dataclass(frozen=True)
class AlignmentScores:
    """How well a model tells the right answer from those to other texts; means over n texts."""

    p_at_1: float
    """Share of texts whose right answer scores highest among all n."""
    mrr: float
    """Mean reciprocal rank of the right answer, in (0, 1]."""
    right: float
    """Mean score of right answers, in [-1, 1]."""
    wrong: float
    """Mean score of the right answer to another text, the one before in the split."""


def fit_alignment(
    corpus: Corpus,
    config: AlignmentConfig | None = None,
    *,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> TextAlignment:
    """Fit an alignment model to the mean vectors of the training pairs by InfoNCE.

    Each text of a batch is to prefer its own answer to those of the others, and each answer its own
    text (van den Oord et al. 2018; both ways, as in CLIP, Radford et al. 2021). Pairs with equal
    texts or answers are not told from each other. Of the epochs, the weights with the highest mean
    reciprocal rank on "valid" are kept.

    Args:
        corpus: pairs, with the splits "train" and "valid".
        config: the options; the defaults if None.
        device: where it is fitted.
        progress: whether a bar on standard error shows how far it is.

    Raises:
        ValueError: the corpus lacks a split or an embedder.
        NonFiniteLossError: the loss or the answers became NaN or infinite.
    """
    config = config or AlignmentConfig()
    source, target = corpus.source_embedder, corpus.target_embedder
    if source is None or target is None:
        raise ValueError("an alignment model of texts needs a corpus with embedders")
    bar = ProgressBar("alignment model", show=progress)
    fit = _Fit(corpus, config, torch.device(device))

    def show(member: int) -> Callable[[float, float], None]:
        def update(done: float, mrr: float) -> None:
            bar.update((member + done) / config.members, f"MRR on valid {mrr:.3f}")

        return update

    try:
        found = [fit.run(config.seed + member, show(member)) for member in range(config.members)]
    finally:
        bar.close()
    return TextAlignment(AlignmentModel.ensemble(found), source, target)


class _Fit:
    """Fits single models to the training pairs of a corpus."""

    def __init__(self, corpus: Corpus, config: AlignmentConfig, device: torch.device) -> None:
        self.corpus, self.config, self.device = corpus, config, device
        rows = corpus.rows("train")
        among = corpus.rows("valid")
        self.valid = corpus.source.means[among.start : among.stop]
        span = slice(rows.start, rows.stop)
        self.sources = as_shared_tensor(corpus.source.means[span], device)
        self.targets = as_shared_tensor(corpus.target.unit_means[span], device)
        self.kinds = [
            torch.as_tensor(kinds(one[span]), device=device)
            for one in (corpus.source.means, corpus.target.unit_means)
        ]

    def run(self, seed: int, show: Callable[[float, float], None]) -> AlignmentModel:
        """Fit one model; `show` is told the share that is done, and the MRR."""
        config = self.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            dims = self.corpus.source.dim, self.corpus.target.dim
            network = AlignmentNetwork(dims[0], config.hidden_dim, dims[1]).to(self.device)
        generator = torch.Generator(self.device).manual_seed(seed)
        n = len(self.sources)
        updates = -(-n // config.batch_size) * config.epochs
        optimizer = torch.optim.AdamW(network.parameters(), config.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / updates)
        best, best_mrr, stale = _model(network), -1.0, 0
        for epoch in range(config.epochs):
            order = torch.randperm(n, generator=generator, device=self.device)
            for first in range(0, n, config.batch_size):
                batch = order[first : first + config.batch_size]
                loss = self._loss(network, batch, generator)
                step_down(network, optimizer, loss, math.inf, f"in epoch {epoch + 1}")
                schedule.step()
            found = _model(network)
            if not np.isfinite(found.predict(self.valid)).all():
                raise NonFiniteLossError(
                    "the answers of the alignment model are NaN or infinite after epoch "
                    f"{epoch + 1}; lower the learning rate"
                )
            mrr = score_alignment(found, self.corpus, "valid").mrr
            stale += 1
            if mrr > best_mrr:
                best, best_mrr, stale = found, mrr, 0
            show((epoch + 1) / config.epochs, mrr)
            if stale >= config.patience:
                break
        return best

    def _loss(self, network: AlignmentNetwork, batch: Tensor, generator: torch.Generator) -> Tensor:
        """() InfoNCE of a batch, of rows (B,) from 0."""
        x = self.sources[batch]
        kept = 1 - self.config.dropout
        x = x * torch.empty_like(x).bernoulli_(kept, generator=generator) / kept
        logits = network(x) @ self.targets[batch].T / self.config.temperature
        own = torch.arange(len(batch), device=self.device)
        same = torch.zeros_like(logits, dtype=torch.bool)
        for one in self.kinds:
            same |= one[batch][:, None] == one[batch]
        same[own, own] = False
        logits = logits.masked_fill(same, -torch.inf)
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def _model(network: AlignmentNetwork) -> AlignmentModel:
    """A copy of a network's model, as arrays."""
    with torch.no_grad():
        model = network.model
        parts = (model.w1, model.b1, model.w2, model.b2)
        return AlignmentModel(*(one.cpu().numpy().copy() for one in parts))


def score_alignment(model: AlignmentModel, corpus: Corpus, split: str) -> AlignmentScores:
    """Rank the answers of a split by a model's scores for each of its texts."""
    rows = corpus.rows(split)
    span = slice(rows.start, rows.stop)
    return _rank(model.predict(corpus.source.means[span]), corpus.target.unit_means[span])


def _rank(predicted: NDArray[np.float32], answers: NDArray[np.float32]) -> AlignmentScores:
    """Rank the right one of n answers (n, D) by the lowest score of predictions (K, n, D)."""
    rank = ranks(predicted, answers)
    right, wrong = (
        AlignmentModel.score_predicted(predicted, one)
        for one in (answers, np.roll(answers, 1, axis=0))
    )
    return AlignmentScores(
        p_at_1=float((rank == 1).mean()),
        mrr=float((1 / rank).mean()),
        right=float(right.mean()),
        wrong=float(wrong.mean()),
    )


def score_linear(corpus: Corpus, split: str) -> AlignmentScores:
    """The scores of ridge regression from texts to answers; see `linear_answers`."""
    rows = corpus.rows(split)
    answers = unit(linear_answers(corpus, split))
    return _rank(answers[None], corpus.target.unit_means[rows.start : rows.stop])

"""Losses of supervised training, for policies that answer with vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from llmar_env.retrieval import ClickCounts, Judgments

from ..policies.gru import GRUPolicy

__all__ = ["ContrastiveLoss", "CosineLoss", "Positives", "SupervisedLoss"]


class SupervisedLoss(Protocol):
    """What supervised training minimizes."""

    def __call__(self, policy: GRUPolicy, rows: NDArray[np.int64]) -> Tensor:
        """() the loss of the policy's answers to the texts of (B,) rows."""


class CosineLoss:
    """The negative mean cosine between the answers and their targets.

    Args:
        targets: (n, D) the target of each row, at unit length, on the policy's device.
    """

    def __init__(self, targets: Tensor) -> None:
        self.targets = targets

    def __call__(self, policy: GRUPolicy, rows: NDArray[np.int64]) -> Tensor:
        """() the loss of (B,) rows."""
        index = torch.as_tensor(rows, device=policy.device)
        return -torch.cosine_similarity(_answers(policy, index), self.targets[index]).mean()


@dataclass(frozen=True, eq=False)
class Positives:
    """The documents that queries are to be pulled towards, each with its weight.

    Attributes:
        queries: (p,) int64, ascending.
        documents: (p,) int64, ascending within a query.
        weights: (p,) float64, above 0.
        num_documents: m, the documents of the collection.
    """

    queries: NDArray[np.int64]  # (p,)
    documents: NDArray[np.int64]  # (p,)
    weights: NDArray[np.float64]  # (p,)
    num_documents: int

    @classmethod
    def of_judgments(cls, judgments: Judgments, rows: range) -> Positives:
        """The relevant documents of some queries, with their grades as weights."""
        span = slice(judgments.offsets[rows.start], judgments.offsets[rows.stop])
        kept = judgments.grades[span] > 0
        return cls(
            judgments.queries[span][kept],
            judgments.documents[span][kept],
            judgments.grades[span][kept].astype(np.float64),
            judgments.num_documents,
        )

    @classmethod
    def of_clicks(cls, counts: ClickCounts, num_documents: int) -> Positives:
        """The documents whose rate of clicks is at least half that of the query's best one.

        The rest are left out as clicks by mistake. The weights are the rates, clicks for each time
        that a document was examined; one time without a click is added, so that a single click on
        what was hardly ever examined does not count most.

        Raises:
            ValueError: nothing was clicked.
        """
        rates = counts.clicks / (counts.examined + 1)
        if not rates.any():
            raise ValueError("nothing was clicked: there is nothing to learn from")
        most = np.zeros(int(counts.queries.max()) + 1)
        np.maximum.at(most, counts.queries, rates)
        kept = (rates > 0) & (rates >= 0.5 * most[counts.queries])
        chosen = counts.queries[kept], counts.documents[kept], rates[kept]
        return cls(*chosen, num_documents)

    def renumbered(self) -> tuple[Positives, NDArray[np.int64]]:
        """The same pairs with their documents numbered from 0, and (u,) the documents' numbers."""
        used, place = np.unique(self.documents, return_inverse=True)
        return replace(self, documents=place.reshape(-1), num_documents=len(used)), used

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """(q,) the queries that have a positive document."""
        return np.unique(self.queries)

    @cached_property
    def _cumulative(self) -> NDArray[np.float64]:
        """(p + 1,) sums of the weights before each pair."""
        return np.concatenate([[0.0], np.cumsum(self.weights)])

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        """(p,) one number for each pair, ascending."""
        return self.queries * self.num_documents + self.documents

    def draw(self, rows: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
        """(B,) a positive document of each of (B,) queries, drawn by weight."""
        first, last = (np.searchsorted(self.queries, rows, side) for side in ("left", "right"))
        low, high = self._cumulative[first], self._cumulative[last]
        place = np.searchsorted(self._cumulative, low + generator.random(len(rows)) * (high - low))
        # A place after the boundary that was reached, and by rounding never beyond the query's own.
        return self.documents[np.clip(place - 1, first, last - 1)]

    def include(self, rows: NDArray[np.int64], documents: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(B, C) whether each of (C,) documents is a positive one of each of (B,) queries."""
        keys = rows[:, None] * self.num_documents + documents
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.asarray(self._keys[place] == keys)


class ContrastiveLoss:
    """InfoNCE with in-batch negatives (van den Oord et al. 2018).

    Each query of a batch draws one of its positive documents, and is to prefer it to those that
    the other queries have drawn. Those among them that are positive for the query itself are left
    out.

    Args:
        documents: (m, D) the documents' vectors at unit length, on the policy's device.
        positives: of the queries.
        temperature: the cosines are divided by it.
        seed: seeds the choice of documents.
    """

    def __init__(
        self, documents: Tensor, positives: Positives, *, temperature: float, seed: int
    ) -> None:
        self.documents = documents
        self.positives = positives
        self.temperature = temperature
        self.generator = np.random.default_rng(seed)

    def __call__(self, policy: GRUPolicy, rows: NDArray[np.int64]) -> Tensor:
        """() the loss of (B,) rows."""
        drawn = self.positives.draw(rows, self.generator)
        others = self.positives.include(rows, drawn)
        np.fill_diagonal(others, False)
        answers = _answers(policy, torch.as_tensor(rows, device=policy.device))
        documents = self.documents[torch.as_tensor(drawn, device=policy.device)]
        logits = F.normalize(answers, dim=-1) @ documents.T / self.temperature
        logits = logits.masked_fill(torch.as_tensor(others, device=policy.device), -torch.inf)
        return F.cross_entropy(logits, torch.arange(len(rows), device=policy.device))


def _answers(policy: GRUPolicy, index: Tensor) -> Tensor:
    """(B, D) the means of the deterministic answers to (B,) rows."""
    return policy.get_distribution(index[:, None]).center.mean(dim=1)

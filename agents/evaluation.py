"""Scores of a policy, and of the answers that anyone could give without one."""

from __future__ import annotations

import numpy as np
import torch

from agents.policies import GRUPolicy
from llmar_env.metrics import Scores, score_answers
from llmar_env.text.corpus import Corpus

__all__ = ["baselines", "evaluate"]


def evaluate(policy: GRUPolicy, corpus: Corpus, split: str) -> Scores:
    """Score the policy's answers, without noise, to the texts of a split."""
    rows = corpus.rows(split)
    answers = torch.as_tensor(policy.answer(corpus.source, rows).mean(axis=1))
    # In torch: NumPy's BLAS threads go on spinning for 0.1 s after each product, and take the
    # cores from torch's, which then runs at a fifth of its speed.
    return score_answers(answers, torch.as_tensor(corpus.target.means[rows.start : rows.stop]))


def baselines(corpus: Corpus, split: str) -> dict[str, Scores]:
    """Score the answers to a split that need no learning.

    "constant" is the mean direction of the training targets, whatever the text; "identity" is the
    text's own mean vector, where both sides are vectors of one space.
    """
    rows = corpus.rows(split)
    targets = corpus.target.means[rows.start : rows.stop]
    train = corpus.rows("train")
    mean = corpus.target.unit_means[train.start : train.stop].mean(axis=0)
    scores = {"constant": score_answers(np.broadcast_to(mean, targets.shape), targets)}
    if corpus.shared_space:
        scores["identity"] = score_answers(corpus.source.means[rows.start : rows.stop], targets)
    return scores

"""Scores of a policy, and of the answers that anyone could give without one."""

from __future__ import annotations

import numpy as np

from agents.policies import GRUPolicy
from llmar_env.metrics import Scores, score_answers
from llmar_env.text.corpus import Corpus

__all__ = ["baselines", "evaluate"]


def evaluate(policy: GRUPolicy, corpus: Corpus, split: str) -> Scores:
    """Score the policy's answers, without noise, to the texts of a split."""
    rows = corpus.rows(split)
    answers = policy.answer(corpus.source, rows).mean(axis=1)
    return score_answers(answers, corpus.target.means[rows.start : rows.stop])


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

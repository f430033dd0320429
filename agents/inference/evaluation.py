"""Scores of a policy, and of reference answers that need no policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from llmar_env.metrics import Scores, TextScores, score_answers, score_texts, text_alignment
from llmar_env.retrieval import Collection
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import Embedder

from ..networks.device import as_shared_tensor
from ..policies.writer import WriterPolicy
from .answering import answer
from .decoding import decode

__all__ = [
    "evaluate",
    "evaluate_writer",
    "reference_answers",
    "reference_texts",
    "score_split",
    "scored_splits",
    "write",
]


def evaluate(policy: BasePolicy, corpus: Corpus, split: str) -> Scores:
    """Score a policy's deterministic answers to the texts of a split; see `answer`."""
    answers = answer(policy, corpus.source, corpus.rows(split))
    return score_split(torch.as_tensor(answers.mean(axis=1)), corpus, split)


def score_split(answers: Tensor, corpus: Corpus, split: str) -> Scores:
    """Score answers (n, D), on the CPU, to the texts of a split, in their order."""
    rows = corpus.rows(split)
    # With torch, not NumPy: NumPy's BLAS threads keep spinning for 0.1 s after each product, which
    # slows torch down to a fifth of its speed.
    return score_answers(answers, as_shared_tensor(corpus.target.means[rows.start : rows.stop]))


def reference_answers(corpus: Corpus, split: str) -> dict[str, Scores]:
    """Score reference answers to a split that need no learning.

    "constant" answers every text with the mean direction of the training targets. "identity"
    answers with the text's mean vector, if sources and targets share a vector space.
    """
    rows = corpus.rows(split)
    targets = corpus.target.means[rows.start : rows.stop]
    train = corpus.rows("train")
    mean = corpus.target.unit_means[train.start : train.stop].mean(axis=0)
    scores = {"constant": score_answers(np.broadcast_to(mean, targets.shape), targets)}
    if corpus.shared_space:
        scores["identity"] = score_answers(corpus.source.means[rows.start : rows.stop], targets)
    return scores


def write(policy: WriterPolicy, corpus: Corpus, rows: range, max_new_tokens: int) -> list[str]:
    """The policy's greedy answers to rows of a corpus."""
    assert policy.vocabulary is not None
    tokens = decode(policy, corpus.source, rows, max_new_tokens=max_new_tokens)
    return policy.vocabulary.decode(tokens)


def evaluate_writer(
    policy: WriterPolicy,
    corpus: Corpus,
    split: str,
    max_new_tokens: int,
    unlearned: Embedder | None = None,
) -> TextScores:
    """Score the policy's greedy answers to the texts of a split.

    Args:
        policy: the writer.
        corpus: the texts.
        split: the split.
        max_new_tokens: the most words of an answer.
        unlearned: the targets' embedder before the writer learned their vectors, which then gives
            `alignment_unlearned`.
    """
    rows = corpus.rows(split)
    written = write(policy, corpus, rows, max_new_tokens)
    scores = _score_written(written, corpus, split)
    if unlearned is None:
        return scores
    alignment = text_alignment(written, corpus.targets[rows.start : rows.stop], unlearned)
    return replace(scores, alignment_unlearned=alignment)


def reference_texts(corpus: Corpus, split: str) -> dict[str, TextScores]:
    """Score reference answers, as texts, to a split that need no learning.

    "constant" answers every text with the most frequent training target. "copy" answers with the
    text itself, if the corpus has strings of its sources.
    """
    rows, train = corpus.rows(split), corpus.rows("train")
    targets = Counter(corpus.targets[train.start : train.stop])
    [(constant, _)] = targets.most_common(1)
    scores = {"constant": _score_written([constant] * len(rows), corpus, split)}
    if corpus.sources:
        copies = corpus.sources[rows.start : rows.stop]
        scores["copy"] = _score_written(copies, corpus, split)
    return scores


def _score_written(written: Sequence[str], corpus: Corpus, split: str) -> TextScores:
    rows = corpus.rows(split)
    assert corpus.target_embedder is not None  # the vocabulary was made with it
    return score_texts(written, corpus.targets[rows.start : rows.stop], corpus.target_embedder)


def scored_splits(corpus: Corpus | Collection) -> list[str]:
    """The splits that a report scores."""
    return [split for split in ("valid", "test") if split in corpus.splits]

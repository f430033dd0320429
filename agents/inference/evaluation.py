"""Scores of a policy, and of reference answers that need no policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from llmar_env.alignment.rewards import Reward, Written, score_written
from llmar_env.metrics import Scores, TextScores, score_answers, score_texts, text_alignment
from llmar_env.retrieval import Collection
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import Embedder
from llmar_env.text.vocabulary import Vocabulary

from ..networks.device import as_shared_tensor
from ..policies.writer import WriterPolicy
from .answering import answer
from .decoding import decode

VectorReward = Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float64]]
"""Scores answers, given by their mean vectors (n, D) and the rows of their texts (n,): (n,)."""

__all__ = [
    "VectorReward",
    "evaluate",
    "evaluate_writer",
    "reference_answers",
    "reference_texts",
    "score_split",
    "scored_splits",
    "write",
]


def evaluate(
    policy: BasePolicy, corpus: Corpus, split: str, proxy: VectorReward | None = None
) -> Scores:
    """Score a policy's deterministic answers to the texts of a split; see `answer`.

    Args:
        policy: the policy.
        corpus: the texts.
        split: the split.
        proxy: a reward without references, whose mean is then `Scores.reward`.
    """
    rows = corpus.rows(split)
    means = answer(policy, corpus.source, rows).mean(axis=1)
    scores = score_split(torch.as_tensor(means), corpus, split)
    if proxy is None:
        return scores
    return replace(scores, reward=float(proxy(means, np.asarray(rows)).mean()))


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


def mean_reward(
    reward: Reward, corpus: Corpus, vocabulary: Vocabulary, split: str, tokens: NDArray[np.int64]
) -> float:
    """The mean reward of tokens (n, M) that were written for a split; 0 for an empty text."""
    rows = np.asarray(corpus.rows(split))
    written = np.flatnonzero(tokens[:, 0] != vocabulary.eos)
    if not len(written):
        return 0.0
    batch = Written(corpus, vocabulary, rows[written], tokens[written])
    return float(score_written(reward, batch).sum() / len(rows))


def evaluate_writer(
    policy: WriterPolicy,
    corpus: Corpus,
    split: str,
    max_new_tokens: int,
    unlearned: Embedder | None = None,
    proxy: Reward | None = None,
) -> TextScores:
    """Score the policy's greedy answers to the texts of a split.

    Args:
        policy: the writer.
        corpus: the texts.
        split: the split.
        max_new_tokens: the most words of an answer.
        unlearned: the targets' embedder before the writer learned their vectors, which then gives
            `alignment_unlearned`.
        proxy: a reward without references, whose mean is then `TextScores.reward`.
    """
    assert policy.vocabulary is not None
    rows = corpus.rows(split)
    tokens = decode(policy, corpus.source, rows, max_new_tokens=max_new_tokens)
    written = policy.vocabulary.decode(tokens)
    scores = _score_written(written, corpus, split)
    if proxy is not None:
        reward = mean_reward(proxy, corpus, policy.vocabulary, split, tokens)
        scores = replace(scores, reward=reward)
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

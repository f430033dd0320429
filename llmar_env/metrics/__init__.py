"""Metrics of answers: as vectors among all targets, and as texts against references."""

from llmar_env.metrics.retrieval import Scores, nearest, ranks, score_answers
from llmar_env.metrics.text import TextScores, score_texts, split_words

__all__ = [
    "Scores",
    "TextScores",
    "nearest",
    "ranks",
    "score_answers",
    "score_texts",
    "split_words",
]

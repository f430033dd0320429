"""Metrics of answers: as vectors among all targets, as rankings, and as texts."""

from llmar_env.metrics.intervals import Difference, paired_bootstrap
from llmar_env.metrics.ranking import RankingScores, measure_rankings
from llmar_env.metrics.retrieval import Scores, nearest, ranks, score_answers
from llmar_env.metrics.text import TextScores, score_texts, split_words

__all__ = [
    "Difference",
    "RankingScores",
    "Scores",
    "TextScores",
    "measure_rankings",
    "nearest",
    "paired_bootstrap",
    "ranks",
    "score_answers",
    "score_texts",
    "split_words",
]

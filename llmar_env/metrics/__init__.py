"""Metrics of answers: as vectors among all targets, as rankings, and as texts."""

from llmar_env.metrics.candidates import candidate_measures, candidate_ranks
from llmar_env.metrics.intervals import Difference, paired_bootstrap, paired_bootstraps
from llmar_env.metrics.ranking import RANKING_MEASURES, RankingScores, measure_rankings
from llmar_env.metrics.resampling import (
    Interval,
    PerText,
    interquartile_mean,
    score_difference,
    score_differences,
    score_intervals,
    vector_measures,
)
from llmar_env.metrics.retrieval import Scores, kinds, nearest, ranks, score_answers
from llmar_env.metrics.text import (
    TextScores,
    bleu_difference,
    rouge_measures,
    score_texts,
    split_words,
    text_alignment,
    text_measures,
)

__all__ = [
    "RANKING_MEASURES",
    "Difference",
    "Interval",
    "PerText",
    "RankingScores",
    "Scores",
    "TextScores",
    "bleu_difference",
    "candidate_measures",
    "candidate_ranks",
    "interquartile_mean",
    "kinds",
    "measure_rankings",
    "nearest",
    "paired_bootstrap",
    "paired_bootstraps",
    "ranks",
    "rouge_measures",
    "score_answers",
    "score_difference",
    "score_differences",
    "score_intervals",
    "score_texts",
    "split_words",
    "text_alignment",
    "text_measures",
    "vector_measures",
]

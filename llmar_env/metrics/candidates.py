"""Recall of the right answer among few candidates, as dialogue is measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llmar_env.arrays import unit
from llmar_env.metrics.resampling import PerText

__all__ = ["candidate_measures", "candidate_ranks"]

_CANDIDATES = 100


def candidate_ranks(
    answers: NDArray[np.floating],
    targets: NDArray[np.floating],
    strings: Sequence[str],
    candidates: int = _CANDIDATES,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Rank of each answer's own target among candidates, by cosine; 1 is best.

    The others are drawn without replacement from the distinct targets that differ from it as
    strings; all of those where there are fewer. Ties count against the answer. The draws depend on
    the seed and the number of texts alone, so that systems meet the same candidates.

    Args:
        answers: (n, D).
        targets: (n, D) mean vectors of the targets.
        strings: the n targets.
        candidates: their number, the right one among them; at least 2.
        seed: seeds the draws.

    Returns:
        (n,) in [1, candidates].
    """
    distinct = {text: place for place, text in enumerate(dict.fromkeys(strings))}
    own = np.array([distinct[text] for text in strings])
    first = np.unique(own, return_index=True)[1]
    vectors, answers = unit(targets[first]), unit(answers)
    others = min(candidates - 1, len(distinct) - 1)
    rng, ranks = np.random.default_rng(seed), np.empty(len(own), np.int64)
    for place, right in enumerate(own):
        drawn = rng.choice(len(distinct) - 1, others, replace=False)
        drawn += drawn >= right
        cosines = vectors[drawn] @ answers[place]
        ranks[place] = 1 + (cosines >= vectors[right] @ answers[place]).sum()
    return ranks


def candidate_measures(
    answers: NDArray[np.floating], targets: NDArray[np.floating], strings: Sequence[str]
) -> dict[str, PerText]:
    """Recall at 1, 5 and 10 among 100 candidates, and the mean reciprocal rank among them.

    Args:
        answers: (n, D).
        targets: (n, D) mean vectors of the targets.
        strings: the n targets.
    """
    rank = candidate_ranks(answers, targets, strings)
    values = {f"recall_at_{k}_of_100": rank <= k for k in (1, 5, 10)}
    return {name: PerText.mean(one) for name, one in {**values, "mrr_of_100": 1.0 / rank}.items()}

"""Rewards by rank: is the right target the one nearest to an answer, among many?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmar_env.alignment.reward_spec import MODEL_PREFIX, RewardFunction, parse_reward
from llmar_env.alignment.scores import cosine_to_unit
from llmar_env.alignment.text_alignment import ModelReward
from llmar_env.arrays import Array, as_numpy, as_torch, hash_counters, unit
from llmar_env.text.corpus import Corpus

__all__ = ["RANK_MEASURES", "AlignReward", "TargetRanks", "check_align_reward", "make_align_reward"]

AlignReward = (
    str
    | Mapping[str, float]
    | Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float64]]
)
"""Scores N answers, given by their mean vectors (N, D) and the rows of their texts (N,): (N,)
finite numbers, the higher the better; or a specification of such a function."""

RANK_MEASURES: Mapping[str, Callable[[NDArray[np.int64]], NDArray[np.float64]]] = {
    "p_at_1": lambda rank: (rank == 1).astype(np.float64),
    "mrr": lambda rank: 1 / rank,
    "ndcg_at_10": lambda rank: np.where(rank <= 10, 1 / np.log2(rank + 1), 0.0),
    "recall_at_10": lambda rank: (rank <= 10).astype(np.float64),
}
"""The measures of the right target's rank (N,), by name; it is the only relevant one."""


class TargetRanks:
    """The rank of each answer's own target among a pool of the targets of a split, by cosine.

    The distinct targets are put in a random order once and divided into pools; a row's pool is
    drawn by the hash of its number, and its own target is added where it is not among them. Ties
    count against the answer, and targets equal to the right one count as right, as in
    `llmar_env.metrics.ranks`.

    A rank does not depend on the other answers of the batch: a matrix product, whose rounding does,
    only decides where its error cannot matter, and other pairs are compared one by one.

    Args:
        corpus: the texts and targets.
        split: the part of the corpus that texts are drawn from.
        pool: number of targets in a pool; all of the split, if it has no more.
        device: where torch computes the products; by default NumPy does.
    """

    def __init__(self, corpus: Corpus, split: str, pool: int, device: str | None = None) -> None:
        self.corpus = corpus
        self.rows = corpus.rows(split)
        self.pool = pool
        self.device = device
        self._margin = np.float32(4 * corpus.target.dim * 2.0**-24)

    @cached_property
    def _distinct(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(m, D) the distinct targets, and (n,) which of them each row of the split has."""
        means = self.corpus.target.unit_means[self.rows.start : self.rows.stop]
        distinct, kind = np.unique(means, axis=0, return_inverse=True)
        return distinct, kind.reshape(-1)  # (n, 1) in some versions of NumPy 2

    @cached_property
    def _pools(self) -> tuple[NDArray[np.int64], list[Array]]:
        """(b, pool) targets of each pool, and b arrays (pool, D) of their vectors."""
        distinct, _ = self._distinct
        order = np.random.default_rng(0).permutation(len(distinct))
        size = min(self.pool, len(distinct))
        pools = np.resize(order, (-(-len(order) // size), size))
        vectors: list[Array] = [distinct[pool] for pool in pools]
        if self.device is not None:
            vectors = [as_torch(one, self.device) for one in vectors]
        return pools, vectors

    def __call__(self, answers: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) ranks, from 1, of answers (N, D) to the texts of rows (N,)."""
        distinct, kinds = self._distinct
        pools, vectors = self._pools
        answers, kind = unit(answers.astype(np.float32, copy=False)), kinds[rows - self.rows.start]
        right = _products(answers, distinct[kind])
        drawn = hash_counters(rows, rows * 0) % len(pools)
        order = np.argsort(drawn, kind="stable")
        ends = np.flatnonzero(np.diff(drawn[order], append=-1)) + 1
        ranks = np.ones(len(rows), np.int64)
        for first, last in zip(np.append(0, ends[:-1]), ends, strict=True):
            places = order[first:last]
            number = drawn[places[0]]
            better, near = self._compare(answers[places], right[places], vectors[number])
            ranks[places] += better
            who, which = near
            others = pools[number][which] != kind[places[who]]
            who, which = places[who[others]], pools[number][which[others]]
            as_good = _products(answers[who], distinct[which]) >= right[who]
            np.add.at(ranks, who, as_good)
        return ranks

    def _compare(
        self, answers: NDArray[np.float32], right: NDArray[np.float32], pool: Array
    ) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Compare answers (n, D) with the targets of their pool.

        Returns:
            (n,) the number of targets that are surely nearer than the right one; and the pairs, as
            places of answers and of targets, (c,) each, which rounding may decide.
        """
        low, high = right - self._margin, right + self._margin
        if self.device is None:
            cosines = answers @ pool.T
            above = cosines > high[:, None]
            who, which = ((cosines >= low[:, None]) & ~above).nonzero()
            return np.asarray(above.sum(axis=1)), (who, which)
        cosines = as_torch(answers, self.device) @ pool.T
        least, most = (as_torch(one, self.device)[:, None] for one in (low, high))
        above = cosines > most
        who, which = as_numpy(((cosines >= least) & ~above).nonzero()).T
        return as_numpy(above.sum(1)), (who, which)


def _products(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) scalar products of rows, each summed on its own."""
    return np.asarray((x * y).sum(axis=1))


def make_align_reward(
    spec: AlignReward, ranks: TargetRanks
) -> Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float64]]:
    """Make a reward of answers as vectors.

    Args:
        spec: "cosine", a name of `RANK_MEASURES`, or another form that `parse_reward` accepts.
        ranks: of the targets.

    Raises:
        ValueError: as in `parse_reward`.
    """

    def find(name: str) -> RewardFunction:
        _check_name(name)
        if name.startswith(MODEL_PREFIX):
            model = ModelReward(name.removeprefix(MODEL_PREFIX))
            model.require_space(ranks.corpus)
            return _VectorModelReward(model, ranks.corpus)

        def score(answers: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
            if name == "cosine":
                wanted = ranks.corpus.target.unit_means[rows]
                return np.asarray(cosine_to_unit(answers, wanted), np.float64)
            return RANK_MEASURES[name](ranks(answers, rows))

        score.__name__ = name
        return score

    return parse_reward(spec, find)


def check_align_reward(spec: str) -> None:
    """Check the name of a reward of answers as vectors.

    Raises:
        ValueError: as in `make_align_reward`.
    """

    def find(name: str) -> Any:
        _check_name(name)
        return _check_name

    parse_reward(spec, find)


def _check_name(name: str) -> None:
    if name != "cosine" and name not in RANK_MEASURES and not name.startswith(MODEL_PREFIX):
        known = ", ".join(("cosine", *RANK_MEASURES))
        raise ValueError(f"no reward {name!r}; there are {known}, and model:FOLDER")


@dataclass(frozen=True)
class _VectorModelReward:
    """The score of an alignment model for answers as vectors, which needs no reference."""

    model: ModelReward
    corpus: Corpus

    def __call__(
        self, answers: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(n,) scores in [-1, 1]."""
        return self.model.of_vectors(self.corpus, rows, answers)

    def __str__(self) -> str:
        return str(self.model)

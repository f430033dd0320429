"""The scores of a task, of an agent and of baselines."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llmar_env.arrays import unit
from llmar_env.metrics import PerText
from llmar_env.tasks import Task
from llmar_env.text.corpus import Corpus

__all__ = ["linear_answers", "task_measures"]

_ROUNDING = 1e-12  # share of variance in vectors that differ by rounding only
_PENALTIES = tuple(10.0**power for power in range(-5, 3))


class _Answers(Protocol):
    """What answers texts, and measures answers."""

    @property
    def trainer(self) -> Any:
        """Answers embedded texts, by `generate`."""

    def measures(self, answers: Any, targets: Any) -> dict[str, PerText]:
        """The scores of answers by text."""


def task_measures(
    agent: _Answers, task: Task, corpus: Corpus, split: str
) -> dict[str, dict[str, PerText]]:
    """The scores of an agent and of baselines on a split, by who answered.

    Args:
        agent: the agent.
        task: the task.
        corpus: pairs with strings.
        split: the split.
    """
    rows = corpus.rows(split)
    span = slice(rows.start, rows.stop)
    targets = list(corpus.targets[span])
    answers = agent.trainer.generate(corpus.source.take(list(rows)))
    written = isinstance(answers, list)
    others = _texts(task, corpus, split) if written else _vectors(task, corpus, split)
    return {
        name: agent.measures(one, targets) for name, one in {"trained": answers, **others}.items()
    }


def _by_rule(task: Task, corpus: Corpus, split: str) -> dict[str, list[str]]:
    """What the rules of a task answer."""
    rows = corpus.rows(split)
    sources = list(corpus.sources[rows.start : rows.stop])
    return {name: [rule(text) for text in sources] for name, rule in task.baselines.items()}


def _texts(task: Task, corpus: Corpus, split: str) -> dict[str, list[str]]:
    """Texts that need no learning: the most frequent target, and those of rules."""
    train, rows = corpus.rows("train"), corpus.rows(split)
    [(constant, _)] = Counter(corpus.targets[train.start : train.stop]).most_common(1)
    return {**_by_rule(task, corpus, split), "constant": [constant] * len(rows)}


def _vectors(task: Task, corpus: Corpus, split: str) -> dict[str, NDArray[np.float32]]:
    """(n, 1, D) vectors of baselines: linear, identity, those of rules, and constant."""
    train, rows = corpus.rows("train"), corpus.rows(split)
    span = slice(rows.start, rows.stop)
    found = {"linear": linear_answers(corpus, split)}
    if corpus.shared_space and corpus.target_embedder is not None:
        found["identity"] = corpus.source.means[span]
        for name, texts in _by_rule(task, corpus, split).items():
            found[name] = corpus.target_embedder.embed(texts).means
    mean = corpus.target.unit_means[train.start : train.stop].mean(axis=0)
    found["constant"] = np.broadcast_to(mean, (len(rows), len(mean)))
    return {name: one[:, None] for name, one in found.items()}


def linear_answers(corpus: Corpus, split: str) -> NDArray[np.float32]:
    """(n, D) answers of ridge regression, with the penalty whose answers are nearest on "valid"."""
    rows = corpus.rows("train")
    x = corpus.source.means[rows.start : rows.stop].astype(np.float64)
    y = corpus.target.unit_means[rows.start : rows.stop].astype(np.float64)
    centers = x.mean(axis=0), y.mean(axis=0)
    x, y = x - centers[0], y - centers[1]
    covariance, cross = x.T @ x, x.T @ y
    # The scale of the penalty. Texts that are all alike have no variance but that of rounding; the
    # answer is the mean then, whatever the scale.
    variance, moment = np.trace(covariance), np.trace(covariance) + len(x) * (centers[0] ** 2).sum()
    scale = variance if variance > _ROUNDING * moment else max(moment, 1.0)
    identity = np.eye(len(covariance)) * scale / len(covariance)

    def answer(penalty: float, which: str) -> NDArray[np.float64]:
        among = corpus.rows(which)
        sources = corpus.source.means[among.start : among.stop] - centers[0]
        linear = np.linalg.solve(covariance + penalty * identity, cross)
        answers: NDArray[np.float64] = sources @ linear + centers[1]
        return answers

    among = corpus.rows("valid")
    wanted = corpus.target.unit_means[among.start : among.stop]

    def alignment(penalty: float) -> float:
        return float((unit(answer(penalty, "valid")) * wanted).sum(axis=1).mean())

    return answer(max(_PENALTIES, key=alignment), split).astype(np.float32)

"""The trainer for LLMAR/Retrieve-v0, whose policies answer with vectors to search with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from llmar_env.alignment.reward_spec import reward_name
from llmar_env.metrics import RankingScores
from llmar_env.retrieval import ClickCounts, Collection, read_clicks
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import Embedder

from ..algorithms.presets import CONTRASTIVE, RETRIEVAL, adapter_algorithm
from ..config import Config
from ..inference.answering import answer
from ..inference.evaluation import scored_splits
from ..inference.ranking import (
    Evaluation,
    bm25,
    evaluate_policy,
    evaluate_vectors,
    fit_linear,
)
from ..networks.device import as_shared_tensor
from ..policies.gru import GRUPolicy
from ..training.clock import Clock
from ..training.losses import ContrastiveLoss, Positives
from ..training.supervised import make_baseline_policy, train_supervised
from ..training.validation import Record, Validation, later
from .base import Trained, Trainer
from .saved import SavedModel
from .vectors import action_space, dims_of, policy_kwargs, restore_policy

__all__ = ["RetrieveTrainer"]

_MEASURES = tuple(one.name for one in fields(RankingScores))


class RetrieveTrainer(Trainer):
    """Trains a query adapter on LLMAR/Retrieve-v0: what a query is searched with.

    The policy starts as the embedder is (`GRUPolicy(residual=True)`). The weights that are best on
    "valid" are kept, by the measure that is rewarded, or else by nDCG@10; so that no model is worse
    there than the untouched embedder.

    Args:
        config: the options.
        device: the policy's device.

    Attributes:
        policy: the best policy so far; None before `train` and `restore`.

    Raises:
        ValueError: the algorithm is unknown or has another kind of policy, or would ignore an
            option.
    """

    def __init__(self, config: Config, device: Any) -> None:
        algorithm = adapter_algorithm(config.algorithm.algo)
        super().__init__(config, device, algorithm, RETRIEVAL.hidden_dim)
        self.policy: BasePolicy | None = None
        reward = config.task.reward
        self.metric = reward if reward in _MEASURES else "ndcg_at_10"

    def train(
        self,
        corpus: Collection,
        *,
        clock: Clock,
        folder: Path | None = None,
        callback: BaseCallback | None = None,
    ) -> Trained:
        """Train on a collection, and score on its splits "valid" and "test".

        It goes on from the weights of `policy`, if there is one.

        Args:
            corpus: a collection with the splits "train" and "valid", and optionally "test".
            clock: a running clock that measures the total time.
            folder: folder for TensorBoard logs; no logs if None.
            callback: an additional SB3 callback.

        Raises:
            ValueError: the click log does not fit the collection.
            NonFiniteLossError: the loss became NaN or infinite; `policy` is the best so far.
        """
        run = _Run(self, corpus)
        log = self._click_log(corpus)
        training_clock = Clock(self.config.algorithm.time_limit)
        model, start = self._make_agent(corpus, training_clock, folder), self.policy
        policy = model.policy
        assert isinstance(policy, GRUPolicy)
        untouched = _weights(policy)
        run.score("identity", policy)
        run.add_baselines()
        if start is not None:
            policy.load_state_dict(start.state_dict())
            run.score("start", policy)
        self.policy = policy
        timings = {"setup_seconds": clock.elapsed}
        before = 0.0
        if self.config.retrieval.warm_start == "supervised":
            before = self.config.algorithm.warm_seconds or RETRIEVAL.warm_seconds
            warm, run.curves["warm_start"] = self._learn_supervised(
                corpus, _weights(policy), before, log, "warm start"
            )
            policy.load_state_dict(warm.state_dict())
            run.score("warm_start", policy)
            timings["warm_seconds"] = before
        validation = self._validation(corpus)
        self._reinforce(model, training_clock, validation, callback)
        seconds, steps = training_clock.seconds, model.num_timesteps
        run.curves["trained"] = [later(record, before) for record in validation.records]
        run.keep_best(policy, untouched, validation.value(validation.best))
        run.score("trained", policy)
        if self.config.run.supervised:
            run.score_supervised(untouched, before + seconds, steps, log)
        rate = steps / seconds
        timings |= {
            "training_seconds": seconds,
            "total_seconds": clock.elapsed,
            "steps": steps,
            "steps_per_second": rate,
            "texts_per_second": rate / self.algorithm.group_size,
        }
        return run.trained(timings)

    def _make_agent(
        self, collection: Collection, clock: Clock, folder: Path | None
    ) -> BaseAlgorithm:
        """Make the algorithm, with a new policy and environments on the training queries."""
        task = self.config.task
        env = self._make_env(
            collection,
            observation=task.observation,
            top_k=task.top_k,
            feedback=task.feedback,
            reward=task.reward,
        )
        return self._make_model(env, self._policy_kwargs(), clock, folder)

    def _click_log(self, collection: Collection) -> ClickCounts | None:
        """The logged clicks that the options name.

        Raises:
            ValueError: the log has a mistake, or the collection has no ids.
        """
        path = self.config.retrieval.click_log
        if path is None:
            return None
        if not (collection.query_ids and collection.document_ids):
            raise ValueError(f"{path} names queries and documents by ids; the collection has none")
        rows = collection.rows("train")
        queries = {collection.query_ids[row]: row for row in rows}
        documents = {name: number for number, name in enumerate(collection.document_ids)}
        return ClickCounts.of_log(read_clicks(path, queries, documents), queries, documents)

    def _learn_supervised(
        self,
        collection: Collection,
        weights: dict[str, Tensor],
        seconds: float,
        log: ClickCounts | None,
        name: str,
    ) -> tuple[GRUPolicy, list[Record]]:
        """Train the agent's network on clicks, or else on judgments, from the same weights.

        Returns:
            The policy, and the records of its validations.
        """
        config = self.config
        policy = make_baseline_policy(
            collection.source,
            action_space(collection.index.dim, 1),
            self._policy_kwargs(),
            seed=config.run.seed,
            device=self.device,
        )
        policy.load_state_dict(weights)
        num_documents = len(collection.index)
        if log is None:
            rows = collection.rows("train")
            positives = Positives.of_judgments(collection.judgments, rows)
        else:
            positives = Positives.of_clicks(log, num_documents)
        vectors = collection.index.vectors(np.arange(num_documents))
        validation = self._validation(collection)
        train_supervised(
            policy,
            positives.rows,
            ContrastiveLoss(
                as_shared_tensor(vectors, self.device),
                positives,
                temperature=CONTRASTIVE.temperature,
                seed=config.run.seed,
            ),
            validation,
            seconds=seconds,
            learning_rate=CONTRASTIVE.learning_rate,
            num_texts=config.algorithm.num_texts or CONTRASTIVE.num_texts,
            seed=config.run.seed,
            name=name,
            progress=config.run.progress,
        )
        return policy, validation.records

    def _validation(self, collection: Collection) -> Validation:
        def score(policy: BasePolicy) -> RankingScores:
            return evaluate_policy(policy, collection, "valid").scores

        return Validation(score, self.metric)

    def _policy_kwargs(self) -> dict[str, Any]:
        """Arguments of the policy, including the width of the GRU."""
        assert self.config.algorithm.hidden_dim is not None
        return policy_kwargs(self.algorithm, self.config.algorithm.hidden_dim)

    def generate(self, texts: EmbeddedTexts) -> NDArray[np.float32]:
        """(n, 1, D) unit vectors to search with, the deterministic answers to n queries."""
        assert self.policy is not None
        return answer(self.policy, texts)

    def measure(self, collection: Collection, split: str) -> Evaluation:
        """Score the answers to the queries of a split."""
        assert self.policy is not None
        return evaluate_policy(self.policy, collection, split)

    def score(
        self,
        answers: Sequence[NDArray[np.float32]],  # noqa: ARG002 - same signature in all trainers
        targets: Sequence[str],  # noqa: ARG002
        embedder: Embedder,  # noqa: ARG002
    ) -> NoReturn:
        """Refuse: a query has no target text.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "this model answers with vectors to search with, which have no target texts: call "
            "measure, which scores what they find in a collection"
        )

    def examples(self, corpus: Collection, split: str, rows: range) -> list[dict[str, Any]]:  # noqa: ARG002 - same signature in all trainers
        """For rows of a split, what is found first as the embedder is, and with the adapter."""
        assert self.policy is not None
        index = np.asarray(rows)
        adapted, _ = corpus.index.search(answer(self.policy, corpus.source, rows)[:, 0], 1)
        before, _ = corpus.index.search(corpus.source.means[index], 1)
        both = np.concatenate([before, adapted], axis=1)
        relevant = corpus.judgments.grades_of(index, both) > 0
        return [
            {
                "source": corpus.sources[row],
                "before": corpus.documents[first],
                "found": corpus.documents[then],
                "relevant_before": good_before,
                "relevant": good,
            }
            for row, (first, then), (good_before, good) in zip(
                rows, both.tolist(), relevant.tolist(), strict=True
            )
        ]

    def save(self, folder: Path) -> dict[str, Any]:  # noqa: ARG002 - same signature in all trainers
        """The data that `restore` needs besides the weights, JSON-serializable."""
        source_dim, target_dim = self.dims
        return {"source_dim": source_dim, "target_dim": target_dim}

    @property
    def dims(self) -> tuple[int, int]:
        """Dimensions of the vectors that the policy reads, and of those in its answers."""
        assert self.policy is not None
        return dims_of(self.policy)

    def restore(self, saved: SavedModel, embedder: Embedder | None) -> BasePolicy:  # noqa: ARG002 - same signature in all trainers
        """Load the policy that `save` described.

        Raises:
            ModelFileError: the files are damaged, or do not belong together.
        """
        self.policy = restore_policy(saved, self.algorithm, self._policy_kwargs(), 1)
        return self.policy


class _Run:
    """What one training brings together: scores, curves, and notes for the report."""

    def __init__(self, trainer: RetrieveTrainer, collection: Collection) -> None:
        self.trainer = trainer
        self.collection = collection
        self.found: dict[str, dict[str, Evaluation]] = {
            split: {} for split in scored_splits(collection)
        }
        self.curves: dict[str, list[Record]] = {}
        self.notes: list[str] = []

    def score(self, name: str, policy: BasePolicy) -> None:
        """Add the scores of a policy under a name."""
        for split, found in self.found.items():
            found[name] = evaluate_policy(policy, self.collection, split)

    def add_baselines(self) -> None:
        """Add the scores of answers that need no training."""
        collection = self.collection
        adapter = fit_linear(collection)
        for split, found in self.found.items():
            rows = collection.rows(split)
            queries = collection.source.means[rows.start : rows.stop]
            found["linear"] = evaluate_vectors(queries @ adapter, collection, split)
        try:
            for split, found in self.found.items():
                found["bm25"] = bm25(collection, split)
        except (ImportError, ValueError) as error:
            self.notes.append(f"the baseline bm25 is left out: {error}")

    def keep_best(self, policy: BasePolicy, untouched: dict[str, Tensor], value: float) -> None:
        """Go back to the untouched embedder, unless the policy's value on "valid" is above its."""
        metric = self.trainer.metric
        before = getattr(self.found["valid"]["identity"].scores, metric)
        if value > before:
            return
        policy.load_state_dict(untouched)
        self.notes.append(
            f"nothing was better on valid than the untouched embedder, whose {metric} is "
            f"{before:.3f}: it was kept"
        )

    def score_supervised(
        self, weights: dict[str, Tensor], seconds: float, steps: int, log: ClickCounts | None
    ) -> None:
        """Train the supervised baseline, for the same time and on as much feedback, and score it.

        Under clicks, it gets as many impressions of what the untouched embedder finds.
        """
        trainer, collection = self.trainer, self.collection
        if trainer.config.task.feedback == "clicks":
            impressions = steps + (0 if log is None else log.impressions)
            rows = np.asarray(collection.rows("train"))
            seed = trainer.config.run.seed
            log = ClickCounts.simulate(collection, rows, impressions, seed=seed)
        else:
            log = None
        try:
            policy, self.curves["supervised"] = trainer._learn_supervised(
                collection, weights, seconds, log, "supervised baseline"
            )
        except KeyboardInterrupt:
            warnings.warn("the supervised baseline was interrupted and is left out", stacklevel=3)
            return
        self.score("supervised", policy)

    def trained(self, timings: dict[str, float]) -> Trained:
        """The results."""
        task = self.trainer.config.task
        reward = "clicks" if task.feedback == "clicks" else task.reward or "ndcg_at_10"
        return Trained(
            {
                split: {name: one.scores for name, one in found.items()}
                for split, found in self.found.items()
            },
            self.curves,
            timings,
            metric=self.trainer.metric,
            reward=reward_name(reward) if callable(reward) else reward,
            evaluations=self.found,
            notes=tuple(self.notes),
        )


def _weights(policy: BasePolicy) -> dict[str, Tensor]:
    """A copy of a policy's weights."""
    return {name: weight.detach().clone() for name, weight in policy.state_dict().items()}

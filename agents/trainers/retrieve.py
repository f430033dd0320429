"""The trainer for LLMAR/Retrieve-v0, whose policies answer with vectors to search with."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from llmar_env.envs.retrieve import ranking_reward
from llmar_env.metrics import RANKING_MEASURES, RankingScores
from llmar_env.retrieval import ClickCounts, Collection, read_clicks
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import Embedder

from ..algorithms.presets import CONTRASTIVE, RETRIEVAL, adapter_algorithm
from ..config import Config
from ..inference.answering import answer
from ..inference.confidence import margins
from ..inference.evaluation import scored_splits
from ..inference.ranking import BM25, Evaluation, Evaluator, fit_linear
from ..inference.search import Documents, Hit
from ..networks.device import as_shared_tensor
from ..policies.gru import GRUPolicy
from ..training.clock import Clock
from ..training.losses import ContrastiveLoss, Positives
from ..training.supervised import make_baseline_policy, train_supervised
from ..training.validation import Record, Validation, later
from .base import Trained, Trainer
from .data import load_documents
from .saved import SavedModel
from .vectors import action_space, dims_of, policy_kwargs, restore_policy

__all__ = ["RetrieveTrainer"]


class RetrieveTrainer(Trainer):
    """Trains a query adapter on LLMAR/Retrieve-v0: what a query is searched with.

    The policy starts as the embedder is (`GRUPolicy(residual=True)`). The weights that are best on
    "valid" are kept, by the reward that is trained on, or with clicks by nDCG@10; so that no model
    is worse there than the untouched embedder.

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
        super().__init__(config, device, algorithm, hidden_dim=None)
        self.policy: BasePolicy | None = None
        reward = config.task.reward or "ndcg_at_10"
        self.metric = reward if reward in RANKING_MEASURES else "reward"
        self._digest = ""  # of the training collection's documents

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
        self._adopt(corpus)
        timings = {"setup_seconds": clock.elapsed}
        warm_seconds = 0.0
        if self.config.retrieval.warm_start == "supervised":
            warm_seconds = run.warm_up(policy, log)
            timings["warm_seconds"] = warm_seconds
            run.score("warm_start", policy)
        validation = self._validation(corpus)
        try:
            self._reinforce(model, training_clock, validation, callback)
        finally:
            run.keep_best(policy, untouched, validation)
        run.curves["trained"] = [later(record, warm_seconds) for record in validation.records]
        run.score("trained", policy)
        if self.config.run.supervised:
            seconds = warm_seconds + training_clock.seconds
            run.score_supervised(untouched, seconds, model.num_timesteps, log)
        return run.trained(timings | self._timings(model, training_clock, clock))

    def _adopt(self, collection: Collection) -> None:
        """Keep what a saved model says of the collection: its width, and its documents' digest."""
        width = self._width(collection.source.dim)
        self.config = replace(
            self.config, algorithm=replace(self.config.algorithm, hidden_dim=width)
        )
        self._digest = Documents.of(collection).digest if collection.documents else ""

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
        return self._make_model(env, self._policy_kwargs(collection.source.dim), clock, folder)

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
        log = read_clicks(path, set(collection.query_ids), documents)
        if outside := sum(one.query not in queries for one in log):
            warnings.warn(
                f"{path}: {outside:,} of {len(log):,} lines are of queries outside of train, and "
                "are left out",
                stacklevel=4,
            )
        try:
            return ClickCounts.of_log(log, queries, documents)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def _make_learner(self, collection: Collection, weights: dict[str, Tensor]) -> GRUPolicy:
        """The agent's network for supervised training, with these weights."""
        policy = make_baseline_policy(
            collection.source,
            action_space(collection.index.dim, 1),
            self._policy_kwargs(collection.source.dim),
            seed=self.config.run.seed,
            device=self.device,
        )
        policy.load_state_dict(weights)
        return policy

    def _learn_supervised(
        self,
        policy: GRUPolicy,
        collection: Collection,
        seconds: float,
        log: ClickCounts | None,
        name: str,
    ) -> list[Record]:
        """Train on clicks, or else on judgments; returns the records of validations.

        Raises:
            ValueError: nothing was clicked.
        """
        config, num_documents = self.config, len(collection.index)
        if log is None:
            rows = collection.rows("train")
            positives = Positives.of_judgments(collection.judgments, rows)
        else:
            positives = Positives.of_clicks(log, num_documents)
        positives, used = positives.renumbered()
        validation = self._validation(collection)
        train_supervised(
            policy,
            positives.rows,
            ContrastiveLoss(
                as_shared_tensor(collection.index.vectors(used), self.device),
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
        return validation.records

    def _validation(self, collection: Collection) -> Validation:
        evaluator = self.evaluator(collection)

        def score(policy: BasePolicy) -> RankingScores:
            return evaluator.policy(policy, "valid").scores

        return Validation(score, self.metric)

    def evaluator(self, collection: Collection) -> Evaluator:
        """Scores by the usual measures, and by the reward where it is another one."""
        task = self.config.task
        if task.reward is None or self.metric != "reward":
            return Evaluator(collection)
        reward = ranking_reward(task.reward, collection.judgments, task.top_k)
        return Evaluator(collection, reward, task.top_k)

    def _policy_kwargs(self, dim: int) -> dict[str, Any]:
        """Arguments of the policy, including the width of the GRU, for vectors of `dim`."""
        options = self.config.algorithm
        kwargs = policy_kwargs(self.algorithm, self._width(dim))
        if options.noise_scale is None:
            kwargs["noise_scale"] = RETRIEVAL.noise_length / math.sqrt(dim)
        return kwargs

    def _width(self, dim: int) -> int:
        """Width of the GRU for vectors of `dim`."""
        return self.config.algorithm.hidden_dim or max(RETRIEVAL.hidden_dim, dim)

    def generate(self, texts: EmbeddedTexts) -> NDArray[np.float32]:
        """(n, 1, D) unit vectors to search with, the deterministic answers to n queries."""
        assert self.policy is not None
        return answer(self.policy, texts)

    def measure(self, collection: Collection, split: str) -> Evaluation:
        """Score the answers to the queries of a split."""
        assert self.policy is not None
        found = self.evaluator(collection).policy(self.policy, split)
        return replace(found, reliability=self._reliability(found.judged))

    def with_confidence(self, hits: list[Hit]) -> list[Hit]:
        """Say how sure the first of at least two hits is."""
        cosines = np.array([[one.score for one in hits[:2]]])
        if cosines.shape[1] < 2:
            return hits
        [confidence] = self._confidence(margins(cosines))
        return [replace(hits[0], confidence=confidence), *hits[1:]]

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

        def text(document: int) -> str:
            return corpus.documents[document] if document >= 0 else "nothing"

        return [
            {
                "source": corpus.sources[row],
                "before": text(first),
                "found": text(then),
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
        fields = {"source_dim": source_dim, "target_dim": target_dim, "documents": self._digest}
        return fields | self._save_calibration()

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
        self._digest = saved.field("documents", str)
        self._restore_calibration(saved)
        kwargs = self._policy_kwargs(saved.size("target_dim"))
        self.policy = restore_policy(saved, self.algorithm, kwargs, 1)
        return self.policy

    def load_documents(self, embedder: Embedder) -> Documents:
        """Read and embed the documents of the training collection.

        Raises:
            ValueError: the files that the configuration names cannot be used, or have other
                documents.
            FileNotFoundError: they are not where they were.
        """
        found = load_documents(self.config, embedder)
        if found.digest != self._digest:
            raise ValueError(
                f"the documents of {self.config.texts} are not those that this model was trained "
                "on: name the ones to search, --documents FILE, or in Python documents="
                "llmar.embed_documents({id: text})"
            )
        return found


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
        evaluator = self.trainer.evaluator(self.collection)
        for split, found in self.found.items():
            found[name] = evaluator.policy(policy, split)

    def add_baselines(self) -> None:
        """Add the scores of answers that need no training."""
        collection = self.collection
        adapter, evaluator = fit_linear(collection), self.trainer.evaluator(collection)
        for split, found in self.found.items():
            rows = collection.rows(split)
            queries = collection.source.means[rows.start : rows.stop]
            found["linear"] = evaluator.vectors(queries @ adapter, split)
        try:
            ranker = BM25(collection)
            for split, found in self.found.items():
                found["bm25"] = ranker.evaluate(split)
        except (ImportError, ValueError) as error:
            self.notes.append(f"the baseline bm25 is left out: {error}")

    def warm_up(self, policy: GRUPolicy, log: ClickCounts | None) -> float:
        """Train on a log of clicks, or else on judgments; returns the seconds that it took."""
        trainer, clock = self.trainer, Clock()
        if log is None and trainer.config.task.feedback == "clicks":
            self.notes.append(
                "the warm start has learned from judgments; the supervised baseline learns from "
                "clicks alone"
            )
        seconds = trainer.config.algorithm.warm_seconds or RETRIEVAL.warm_seconds
        learner = trainer._make_learner(self.collection, _weights(policy))
        clock.start()
        try:
            self.curves["warm_start"] = trainer._learn_supervised(
                learner, self.collection, seconds, log, "warm start"
            )
        finally:
            # Also after an error: the best weights so far.
            policy.load_state_dict(learner.state_dict())
        return clock.elapsed

    def keep_best(
        self, policy: BasePolicy, untouched: dict[str, Tensor], validation: Validation
    ) -> None:
        """Go back to the untouched embedder, unless the policy scores higher on "valid"."""
        metric = self.trainer.metric
        before = getattr(self.found["valid"]["identity"].scores, metric)
        if not validation.records or validation.value(validation.best) > before:
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
            log = ClickCounts.simulate(
                collection, rows, impressions, seed=seed, top_k=trainer.config.task.top_k
            )
        else:
            log = None
        learner = trainer._make_learner(collection, weights)
        try:
            self.curves["supervised"] = trainer._learn_supervised(
                learner, collection, seconds, log, "supervised baseline"
            )
        except KeyboardInterrupt:
            warnings.warn("the supervised baseline was interrupted and is left out", stacklevel=3)
        except ValueError as error:
            self.notes.append(f"the supervised baseline is left out: {error}")
        else:
            self.score("supervised", learner)

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
            reward=reward,
            evaluations=self.found,
            reliability=self.trainer._calibrate(
                {split: found["trained"].judged for split, found in self.found.items()}
            ),
            notes=tuple(self.notes),
        )


def _weights(policy: BasePolicy) -> dict[str, Tensor]:
    """A copy of a policy's weights."""
    return {name: weight.detach().clone() for name, weight in policy.state_dict().items()}

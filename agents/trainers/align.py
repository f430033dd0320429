"""The trainer for LLMAR/Align-v0, whose policies answer with vectors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from llmar_env.alignment.pools import TargetRanks, make_align_reward
from llmar_env.alignment.reward_spec import needs_no_reference
from llmar_env.alignment.scores import cosine
from llmar_env.metrics import Scores, nearest, score_answers
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import Embedder

from ..algorithms.presets import SUPERVISED
from ..algorithms.settings import find_algorithm
from ..config import Config
from ..inference.answering import answer
from ..inference.calibration import Judged, Reliability
from ..inference.confidence import Answer, judge_nearest, margins
from ..inference.evaluation import VectorReward, evaluate, reference_answers, scored_splits
from ..networks.device import as_shared_tensor
from ..training.clock import Clock
from ..training.losses import CosineLoss
from ..training.supervised import make_baseline_policy, train_supervised
from ..training.validation import Record, Validation
from .base import Trained, Trainer
from .saved import SavedModel
from .vectors import (
    action_space,
    answers_with_direction,
    dims_of,
    policy_kwargs,
    restore_policy,
)

__all__ = ["AlignTrainer"]

_HIDDEN_DIM = 128
# The score on "valid" by which weights are selected, by the reward; for others, the alignment.
_METRICS = {"p_at_1": "p_at_1", "mrr": "mrr", "ndcg_at_10": "mrr", "recall_at_10": "p_at_10"}


class AlignTrainer(Trainer):
    """Trains a policy with any algorithm on LLMAR/Align-v0, and answers texts with vectors.

    Args:
        config: the options.
        device: the policy's device.

    Attributes:
        policy: the best policy so far; None before `train` and `restore`.

    Raises:
        ValueError: the algorithm is unknown, or would ignore an option.
    """

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device, find_algorithm(config.algorithm.algo), _HIDDEN_DIM)
        self.policy: BasePolicy | None = None
        self.metric = _METRICS.get(config.task.reward or "cosine", "alignment")

    def train(
        self,
        corpus: Corpus,
        *,
        clock: Clock,
        folder: Path | None = None,
        callback: BaseCallback | None = None,
    ) -> Trained:
        """Train on a corpus, and score on its splits "valid" and "test".

        It goes on from the weights of `policy`, if there is one.

        Args:
            corpus: a corpus with the splits "train" and "valid", and optionally "test".
            clock: a running clock that measures the total time.
            folder: folder for TensorBoard logs; no logs if None.
            callback: an additional SB3 callback.

        Raises:
            NonFiniteLossError: the loss became NaN or infinite; `policy` is the best so far.
        """
        training_clock = Clock(self.config.algorithm.time_limit)
        model, start = self._make_agent(corpus, training_clock, folder), self.policy
        if start is not None:
            model.policy.load_state_dict(start.state_dict())
        self.policy = policy = model.policy
        initial = {name: weight.clone() for name, weight in policy.state_dict().items()}
        scores = {split: reference_answers(corpus, split) for split in scored_splits(corpus)}
        proxy = self._proxy(corpus)
        for split, found in scores.items():
            name = "untrained" if start is None else "start"
            found[name] = evaluate(policy, corpus, split, proxy)
        setup_seconds = clock.elapsed
        validation = self._validation(corpus, proxy)
        self._reinforce(model, training_clock, validation, callback)
        seconds = training_clock.seconds
        policies, curves = {"trained": policy}, {"trained": validation.records}
        if self.config.run.supervised:
            try:
                baseline_policy, records = self._learn_supervised(corpus, initial, seconds, proxy)
                policies["supervised"], curves["supervised"] = baseline_policy, records
            except KeyboardInterrupt:
                warnings.warn(
                    "the supervised baseline was interrupted and is left out", stacklevel=2
                )
        for split, found in scores.items():
            found |= {name: evaluate(one, corpus, split, proxy) for name, one in policies.items()}
        timings = {"setup_seconds": setup_seconds} | self._timings(model, training_clock, clock)
        reward = self.config.task.reward or "cosine"
        reliability = self._calibrate({split: self._judged(corpus, split) for split in scores})
        return Trained(
            scores, curves, timings, metric=self.metric, reward=reward, reliability=reliability
        )

    def _make_agent(self, corpus: Corpus, clock: Clock, folder: Path | None) -> BaseAlgorithm:
        """Make the algorithm, with a new policy and environments on the training texts."""
        task = self.config.task
        env = self._make_env(
            corpus,
            observation=task.observation,
            num_vectors=task.num_vectors,
            reward=task.reward or "cosine",
            pool=task.pool,
            device=str(self.device),
        )
        return self._make_model(env, self._policy_kwargs(), clock, folder)

    def _learn_supervised(
        self,
        corpus: Corpus,
        initial: dict[str, Tensor],
        seconds: float,
        proxy: VectorReward | None,
    ) -> tuple[BasePolicy, list[Record]]:
        """Train the agent's network from the same initial weights, or else a new `GRUPolicy`.

        Returns:
            The policy, and the records of its validations.
        """
        config = self.config
        kwargs = {"hidden_dim": config.algorithm.hidden_dim}
        policy = make_baseline_policy(
            corpus.source,
            action_space(corpus.target.dim, config.task.num_vectors),
            self._policy_kwargs() if self._is_direction else kwargs,
            seed=config.run.seed,
            device=self.device,
        )
        if self._is_direction:
            policy.load_state_dict(initial)
        validation = self._validation(corpus, proxy)
        train_supervised(
            policy,
            corpus.rows("train"),
            CosineLoss(as_shared_tensor(corpus.target.unit_means, self.device)),
            validation,
            seconds=seconds,
            learning_rate=SUPERVISED.learning_rate,
            num_texts=config.algorithm.num_texts or SUPERVISED.num_texts,
            seed=config.run.seed,
            progress=config.run.progress,
        )
        return policy, validation.records

    def _validation(self, corpus: Corpus, proxy: VectorReward | None) -> Validation:
        score = partial(evaluate, corpus=corpus, split="valid", proxy=proxy)
        return Validation(score, self.metric)

    def _proxy(self, corpus: Corpus) -> VectorReward | None:
        """The reward, if it needs no references, for texts of any split."""
        reward = self.config.task.reward
        if not needs_no_reference(reward):
            return None
        assert reward is not None
        return make_align_reward(reward, TargetRanks(corpus, "valid", self.config.task.pool))

    @property
    def _is_direction(self) -> bool:
        """Whether the policy explores around a direction."""
        return answers_with_direction(self.algorithm)

    def _policy_kwargs(self) -> dict[str, Any]:
        """Arguments of the policy, including the width of the GRU."""
        assert self.config.algorithm.hidden_dim is not None
        return policy_kwargs(self.algorithm, self.config.algorithm.hidden_dim)

    def generate(self, texts: EmbeddedTexts) -> NDArray[np.float32]:
        """(n, T, D) unit vectors, the deterministic answers to n texts."""
        assert self.policy is not None
        return answer(self.policy, texts)

    def score(
        self, answers: Sequence[NDArray[np.float32]], targets: Sequence[str], embedder: Embedder
    ) -> Scores:
        """Score answers, (T, D) each, against their targets."""
        return score_answers(np.stack(answers).mean(axis=1), embedder.embed(targets).means)

    def _judged(self, corpus: Corpus, split: str) -> Judged | None:
        """Margins of the answers to a split, and whether the nearest of its targets is right."""
        assert self.policy is not None
        rows = corpus.rows(split)
        answers = answer(self.policy, corpus.source, rows).mean(axis=1)
        return judge_nearest(answers, corpus.target.means[rows.start : rows.stop], str(self.device))

    def reliability(
        self, answers: Sequence[NDArray[np.float32]], targets: Sequence[str], embedder: Embedder
    ) -> Reliability | None:
        """Compare confidence in the nearest of n targets with whether it is the right one."""
        means = np.stack(answers).mean(axis=1)
        return self._reliability(
            judge_nearest(means, embedder.embed(targets).means, str(self.device))
        )

    def found(
        self, targets: Sequence[str], rows: NDArray[np.int64], cosines: NDArray[np.floating]
    ) -> list[Answer]:
        """The first of the targets found for each of n texts, and how sure that is.

        Args:
            targets: m strings.
            rows: (n, k) which of them were found, best first.
            cosines: (n, k) their cosines; there is no confidence if k is 1.
        """
        texts = [targets[row] for row in rows[:, 0].tolist()]
        if cosines.shape[1] < 2:
            return [Answer(text, None) for text in texts]
        return list(map(Answer, texts, self._confidence(margins(cosines))))

    def examples(self, corpus: Corpus, split: str, rows: range) -> list[dict[str, Any]]:
        """For rows of a split, the target nearest to the answer, and the right target's score."""
        assert self.policy is not None
        answers = answer(self.policy, corpus.source, rows).mean(axis=1)
        among = corpus.rows(split)
        found, _ = nearest(answers, corpus.target.means[among.start : among.stop], 1)
        alignments = cosine(answers, corpus.target.means[rows])
        return [
            {
                "source": corpus.sources[row],
                "nearest": corpus.targets[among[place]],
                "alignment": round(float(alignment), 4),
                "target": corpus.targets[row],
            }
            for row, place, alignment in zip(rows, found[:, 0].tolist(), alignments, strict=True)
        ]

    def save(self, folder: Path) -> dict[str, Any]:  # noqa: ARG002 - same signature in all trainers
        """The data that `restore` needs besides the weights, JSON-serializable."""
        source_dim, target_dim = self.dims
        dims = {"source_dim": source_dim, "target_dim": target_dim}
        return dims | self._save_calibration()

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
        self._restore_calibration(saved)
        self.policy = restore_policy(
            saved, self.algorithm, self._policy_kwargs(), self.config.task.num_vectors
        )
        return self.policy

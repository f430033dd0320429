"""How LLMAR learns to write texts, and writes them: LLMAR/Generate-v0."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import set_random_seed

from llmar_env.alignment.rewards import make_reward
from llmar_env.metrics import TextScores, score_texts
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import Embedder, WordVectors
from llmar_env.text.vocabulary import Vocabulary

from ..algorithms.episodes import Regularizer
from ..algorithms.presets import WRITING
from ..algorithms.reinforce import REINFORCE
from ..config import Config, Scope, refuse_unused
from ..inference.decoding import Method, decode
from ..inference.evaluation import evaluate_writer, reference_texts, scored_splits, write
from ..inference.refinement import check_refinement, refine
from ..networks.seq2seq import WriterConfig
from ..policies.writer import WriterPolicy
from ..training.clock import Clock
from ..training.cross_entropy import TargetTexts, train_cross_entropy
from ..training.regularizers import CrossEntropy, KLToReference
from ..training.validation import Record, Validation
from ..vec_env import GymVecEnv
from .base import Trained, Trainer

__all__ = ["GenerateTrainer", "RefinedText", "writer_config"]

_VOCABULARY = "vocabulary.safetensors"


@dataclass(frozen=True)
class RefinedText:
    """A text, and how it came to be aligned."""

    text: str
    scores: tuple[float, ...]
    """Its estimated alignment as a draft and after each round, in [-1, 1]; never falls."""
    reached: bool
    """Whether the last of them has reached the threshold."""


def writer_config(config: Config) -> WriterConfig:
    """The network that a configuration asks for."""
    width = config.algorithm.hidden_dim or WRITING.hidden_dim
    return WriterConfig(max(1, 2 * width // 3), width, config.writer.dropout)


class GenerateTrainer(Trainer):
    """Trains `WriterPolicy` on LLMAR/Generate-v0, and writes texts.

    Cross-entropy warms it up, and REINFORCE goes on from there, with cross-entropy mixed in; the
    best weights by validation BLEU (`TextScores.bleu_tok`) are kept from either.

    Args:
        config: the options.
        device: of the policy.

    Attributes:
        policy: the best so far; None before `train` and `restore`.

    Raises:
        ValueError: the configuration names another algorithm, a reward that there is not, or an
            option that a writer would ignore.
    """

    def __init__(self, config: Config, device: torch.device) -> None:
        algo = config.algorithm.algo
        if algo != "reinforce":
            raise ValueError(f"a writer is trained by reinforce, found algo {algo!r}")
        refuse_unused(config, {Scope.WRITER, Scope.REINFORCE})
        make_reward(config.task.reward)  # what is wrong with it is said before the texts are read
        super().__init__(config, device, WRITING.reinforcement, WRITING.hidden_dim)
        if "ent_coef" in dict(config.algorithm.settings):
            raise ValueError("--set does not take ent_coef for a writer: give --entropy")
        if self.algorithm.policy_kwargs:
            raise ValueError(
                "a writer's policy has options of its own, such as --hidden-dim and --dropout; "
                f"leave out policy.{next(iter(self.algorithm.policy_kwargs))}"
            )
        self.policy: WriterPolicy | None = None

    def train(
        self,
        corpus: Corpus,
        *,
        clock: Clock,
        folder: Path | None = None,
        callback: BaseCallback | None = None,
    ) -> Trained:
        """Train on a corpus, and score on its "valid" and "test".

        Args:
            corpus: with the splits "train" and "valid", and perhaps "test"; its targets are
                strings, embedded by `WordVectors`.
            clock: started; measures the whole.
            folder: where TensorBoard's scalars go; nowhere if None.
            callback: a further SB3 callback, of the reinforcement.

        Raises:
            ValueError: the targets are not words.
            NonFiniteLossError: the loss became NaN or infinite; `policy` is the best so far.
        """
        if not corpus.targets:
            raise ValueError("a writer learns from targets that are strings; this corpus has none")
        vocabulary = Vocabulary.of(corpus)
        texts = TargetTexts(corpus, vocabulary)
        self._warn_of_long_targets(texts)
        env = self._make_writing_env(corpus, vocabulary)
        self.policy = self._make_policy(env)
        scores = {split: dict(reference_texts(corpus, split)) for split in scored_splits(corpus)}
        setup_seconds = clock.elapsed
        warm_clock, warm_start = Clock(self.config.writer.warm_seconds), self._validation(corpus)
        words = self._warm_up(self.policy, texts, warm_start, warm_clock)
        self._score_splits("warm_start", scores, corpus)
        training_clock = Clock(self.config.algorithm.time_limit)
        model = self._make_agent(self.policy, texts, env, training_clock, folder)
        self.policy = _writer_policy(model)
        validation = self._validation(corpus)
        self._reinforce(model, training_clock, validation, callback)
        self._score_splits("trained", scores, corpus)
        warm_seconds, seconds = warm_clock.seconds, training_clock.seconds
        timings = {
            "setup_seconds": setup_seconds,
            "warm_seconds": warm_seconds,
            "warm_words_per_second": words / warm_seconds,
            "training_seconds": seconds,
            "total_seconds": clock.elapsed,
            "steps": model.num_timesteps,
            "steps_per_second": model.num_timesteps / seconds,
            "texts_per_second": model._n_updates * self.algorithm.num_texts / seconds,
        }
        curves = {
            "warm_start": warm_start.records,
            "trained": [_later(record, warm_seconds) for record in validation.records],
        }
        return Trained(scores, curves, timings)

    def _make_writing_env(self, corpus: Corpus, vocabulary: Vocabulary) -> GymVecEnv:
        """Environments that reward whole texts."""
        return self._make_env(
            corpus,
            vocabulary=vocabulary,
            max_new_tokens=self.config.task.max_new_tokens,
            reward=self.config.task.reward,
            credit="sparse",
            observation="index",
        )

    def _make_policy(self, env: GymVecEnv) -> WriterPolicy:
        """An untrained writer."""
        set_random_seed(self.config.run.seed, using_cuda=self.device.type == "cuda")
        return WriterPolicy(
            env.observation_space, env.action_space, _no_rate, writer=writer_config(self.config)
        ).to(self.device)

    def _make_agent(
        self,
        warm: WriterPolicy,
        texts: TargetTexts,
        env: GymVecEnv,
        clock: Clock,
        folder: Path | None,
    ) -> REINFORCE:
        """REINFORCE, with a policy of its own that begins as the warm start ended.

        The policy that is handed over stays as it is, the reference of the KL divergence.
        """
        config = self.config
        warm.scale_temperature(WRITING.temperature_scale)
        # Whatever its weight, cross-entropy keeps the alignment model up to date.
        regularizers: list[Regularizer] = [
            CrossEntropy(
                texts,
                config.writer.ce_weight,
                self.algorithm.num_texts,
                config.writer.smoothing,
                config.run.seed,
            )
        ]
        if config.writer.kl_weight:
            regularizers.append(KLToReference(warm, config.writer.kl_weight))
        model = self._make_model(
            env,
            {"writer": warm.writer},
            clock,
            folder,
            regularizers=regularizers,
            ent_coef=partial(mul, config.writer.entropy),  # a schedule
        )
        assert isinstance(model, REINFORCE)
        model.policy.load_state_dict(warm.state_dict())
        # With Adam's moments too, so that the first steps are no larger than the last before them.
        model.policy.optimizer.load_state_dict(warm.optimizer.state_dict())
        return model

    def _warm_up(
        self, policy: WriterPolicy, texts: TargetTexts, validation: Validation, clock: Clock
    ) -> int:
        """Descend the cross-entropy; the number of words that were learned."""
        return train_cross_entropy(
            policy,
            texts,
            validation,
            clock=clock,
            epochs=self.config.writer.warm_epochs,
            learning_rate=WRITING.warm_learning_rate,
            batch_size=WRITING.warm_texts,
            smoothing=self.config.writer.smoothing,
            patience=self.config.writer.patience,
            seed=self.config.run.seed,
            progress=self.config.run.progress,
        )

    def _validation(self, corpus: Corpus) -> Validation:
        def score(policy: WriterPolicy) -> TextScores:
            with warnings.catch_warnings():
                # A new writer does not know where to end, and would be warned about each time.
                warnings.simplefilter("ignore")
                return self._evaluate(policy, corpus, "valid")

        return Validation(score, metric="bleu_tok", times=WRITING.validations)

    def _evaluate(self, policy: WriterPolicy, corpus: Corpus, split: str) -> TextScores:
        return evaluate_writer(policy, corpus, split, self.config.task.max_new_tokens)

    def _score_splits(
        self, name: str, scores: dict[str, dict[str, TextScores]], corpus: Corpus
    ) -> None:
        """Add the scores of the policy as it is, under a name."""
        policy, _ = self._trained()
        for split, found in scores.items():
            found[name] = self._evaluate(policy, corpus, split)

    def _warn_of_long_targets(self, texts: TargetTexts) -> None:
        rows = texts.corpus.rows("train")
        lengths = texts.vocabulary.lengths(texts.tokens[rows.start : rows.stop])
        limit = self.config.task.max_new_tokens
        long = int((lengths > limit).sum())
        if long:
            warnings.warn(
                f"{long} of {len(rows)} training targets have more than max_new_tokens={limit} "
                f"words, which is where written texts are cut (the longest has {lengths.max()})",
                stacklevel=4,
            )

    def generate(
        self, texts: EmbeddedTexts, method: Method = "greedy", **options: Any
    ) -> list[str]:
        """Write a text about each of n, by `decode`."""
        policy, vocabulary = self._trained()
        tokens = decode(
            policy, texts, method=method, max_new_tokens=self.config.task.max_new_tokens, **options
        )
        return vocabulary.decode(tokens)

    def refine(
        self,
        texts: EmbeddedTexts,
        threshold: float,
        max_rounds: int,
        method: Method = "greedy",
        draft: Sequence[str] | None = None,
        **options: Any,
    ) -> list[RefinedText]:
        """Correct a draft about each of n texts by `refine`: those given, or `decode`'s."""
        policy, vocabulary = self._trained()
        check_refinement(threshold, max_rounds)
        length = self.config.task.max_new_tokens
        if draft is None:
            tokens = decode(policy, texts, method=method, max_new_tokens=length)
        else:
            tokens = self._tokens(vocabulary, draft)
        refined = refine(
            policy, texts, threshold=threshold, max_rounds=max_rounds, draft=tokens, **options
        )
        rows = zip(
            vocabulary.decode(refined.tokens),
            refined.scores.T.tolist(),
            refined.reached[-1].tolist(),
            strict=True,
        )
        return [RefinedText(text, tuple(scores), reached) for text, scores, reached in rows]

    def _tokens(self, vocabulary: Vocabulary, draft: Sequence[str]) -> NDArray[np.int64]:
        """(n, M) tokens of drafts; what is cut or has no token is said."""
        length = self.config.task.max_new_tokens
        tokens = np.full((len(draft), length), vocabulary.eos)
        cut = dropped = 0
        # An empty draft has no words, which an embedder would refuse as a text.
        filled = [place for place, text in enumerate(draft) if text.strip()]
        ids = vocabulary.embedder.tokenize([draft[place] for place in filled])
        for place, words, one in zip(filled, vocabulary.from_ids(ids), ids, strict=True):
            tokens[place, : len(words)] = words[:length]
            cut += len(words) > length
            dropped += len(one) - len(words)
        if cut or dropped:
            warnings.warn(
                f"of {len(draft)} drafts {cut} were cut after max_new_tokens={length} words, and "
                f"{dropped} tokens that the vocabulary does not have were left out",
                stacklevel=4,
            )
        return tokens

    def _trained(self) -> tuple[WriterPolicy, Vocabulary]:
        assert self.policy is not None
        assert self.policy.vocabulary is not None
        return self.policy, self.policy.vocabulary

    def score(
        self, answers: Sequence[str], targets: Sequence[str], embedder: Embedder
    ) -> TextScores:
        """Score written texts against their targets."""
        return score_texts(answers, targets, embedder)

    def examples(self, corpus: Corpus, split: str, rows: range) -> list[dict[str, Any]]:  # noqa: ARG002 - a trainer's form
        """What is written about rows of a split, and what should be."""
        policy, _ = self._trained()
        written = write(policy, corpus, rows, self.config.task.max_new_tokens)
        return [
            {"source": corpus.sources[row], "written": text, "target": corpus.targets[row]}
            for row, text in zip(rows, written, strict=True)
        ]

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the vocabulary; what else `restore` needs besides the weights, as plain data."""
        policy, vocabulary = self._trained()
        save_file({"ids": vocabulary.ids}, folder / _VOCABULARY)
        return {
            "source_dim": policy.reader.network.encoder.w_ih.shape[2],
            "vocabulary": vocabulary.fingerprint,
            "writer": asdict(policy.writer),
        }

    def restore(
        self, folder: Path, manifest: dict[str, Any], embedder: Embedder | None
    ) -> WriterPolicy:
        """Make the policy that `save` described; its weights are still to be loaded.

        Raises:
            ValueError: the vocabulary is another than the policy was trained with.
        """
        vocabulary = _read_vocabulary(folder, embedder, manifest["vocabulary"])
        space = spaces.Dict(
            text=spaces.Box(-1.0, 1.0, (1, manifest["source_dim"])),
            written=spaces.Box(-1.0, 1.0, (self.config.task.max_new_tokens, vocabulary.dim)),
        )
        action_space = spaces.Box(-1.0, 1.0, (vocabulary.dim,))
        self.policy = WriterPolicy(
            space, action_space, _no_rate, vocabulary=vocabulary, writer=manifest["writer"]
        )
        return self.policy


def _later(record: Record, seconds: float) -> Record:
    return replace(record, seconds=record.seconds + seconds)


def _no_rate(_: float) -> float:
    return 0.0


def _writer_policy(model: REINFORCE) -> WriterPolicy:
    policy = model.policy
    assert isinstance(policy, WriterPolicy)
    return policy


def _read_vocabulary(folder: Path, embedder: Embedder | None, fingerprint: str) -> Vocabulary:
    """The vocabulary that was saved, made of the embedder's vectors.

    Raises:
        ValueError: it has not the fingerprint, or the embedder has no words.
    """
    ids = load_file(folder / _VOCABULARY)["ids"]
    if not isinstance(embedder, WordVectors):
        raise ValueError(
            f"a writer needs targets embedded by WordVectors, found {type(embedder).__name__}"
        )
    known = ids[ids < len(embedder.table)]
    vocabulary = Vocabulary(embedder.table[known], known, embedder)
    if len(known) < len(ids) or vocabulary.fingerprint != fingerprint:
        raise ValueError(
            f"the model in {folder} writes with the vocabulary {fingerprint}, and its embedder of "
            f"targets gives {vocabulary.fingerprint}: tokens would stand for other words. The "
            "files are of different models"
        )
    return vocabulary

"""The trainer for LLMAR/Generate-v0, whose policies write texts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import set_random_seed

from llmar_env.alignment.reward_spec import needs_no_reference
from llmar_env.alignment.rewards import Reward, make_reward
from llmar_env.metrics import TextScores, score_texts
from llmar_env.text.characters import as_read
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import Embedder, TokenEmbedder
from llmar_env.text.tensor_files import read_tensor, write_tensors
from llmar_env.text.vocabulary import Vocabulary

from ..algorithms.episodes import Regularizer
from ..algorithms.presets import WRITING
from ..algorithms.reinforce import REINFORCE
from ..config import Config
from ..inference.calibration import Judged, Reliability
from ..inference.confidence import Answer, mean_log_probs
from ..inference.decoding import Method, decode
from ..inference.evaluation import evaluate_writer, reference_texts, scored_splits, write
from ..inference.refinement import check_refinement, refine
from ..networks.device import resolve_precision
from ..networks.seq2seq import Seq2SeqConfig
from ..policies.writer import WriterPolicy
from ..training.clock import Clock
from ..training.cross_entropy import TargetTexts, target_cross_entropy, train_cross_entropy
from ..training.learned_vectors import LearnedVectors
from ..training.regularizers import CrossEntropy, KLToReference
from ..training.validation import Record, Validation, later
from ..vec_env import GymVecEnv
from .base import Trained, Trainer
from .saved import MANIFEST, VOCABULARY, SavedModel

__all__ = ["GenerateTrainer", "RefinedText", "writer_config"]

_SplitScores = dict[str, dict[str, TextScores]]  # by split, and by what wrote the texts


@dataclass(frozen=True)
class RefinedText:
    """A refined text, with its scores."""

    text: str
    scores: tuple[float, ...]
    """Estimated alignment of the draft and after each round, in [-1, 1]; never decreases."""
    reached: bool
    """Whether the last score reached the threshold."""
    confidence: float | None = None
    """As in `Answer`."""
    unknown: tuple[str, ...] = ()
    """As in `Answer`."""


def writer_config(config: Config) -> Seq2SeqConfig:
    """The network sizes of a configuration."""
    width = config.algorithm.hidden_dim or WRITING.hidden_dim
    return Seq2SeqConfig(max(1, width // 2), width, config.writer.dropout)


class GenerateTrainer(Trainer):
    """Trains a `WriterPolicy` on LLMAR/Generate-v0, and writes texts with it.

    A warm start trains on cross-entropy; then REINFORCE continues, with cross-entropy mixed in.
    Each phase keeps the weights with the best validation BLEU (`TextScores.bleu_tok`).

    Args:
        config: the options.
        device: the policy's device.

    Attributes:
        policy: the best policy so far; None before `train` and `restore`.
        reinforced: whether its warm start is over.
        precision: of matrix products, "float32" or "bfloat16".
        calibration: turns mean log-probabilities of answers into confidence; None before `train`
            and `restore`, and for a policy that gives words no probabilities.

    Raises:
        ValueError: the algorithm is not reinforce, the reward is unknown, an option would be
            ignored by a writer, or the device does not have the precision.
    """

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device, WRITING.reinforcement, WRITING.hidden_dim)
        if "ent_coef" in dict(config.algorithm.settings):
            raise ValueError("--set does not take ent_coef for a writer: give --entropy")
        if self.algorithm.policy_kwargs:
            raise ValueError(
                "a writer's policy is configured by options such as --hidden-dim and --dropout; "
                f"leave out policy.{next(iter(self.algorithm.policy_kwargs))}"
            )
        self.policy: WriterPolicy | None = None
        self.reinforced = False
        self._unlearned: Embedder | None = None  # of the targets, before vectors were learned
        self.precision = resolve_precision(config.run.precision, device)

    def train(
        self,
        corpus: Corpus,
        *,
        clock: Clock,
        folder: Path | None = None,
        callback: BaseCallback | None = None,
    ) -> Trained:
        """Train on a corpus, and score on its splits "valid" and "test".

        It goes on from the weights of `policy`, if there is one, and with its vocabulary; without a
        warm start if that is over.

        Args:
            corpus: a corpus with the splits "train" and "valid", and optionally "test". Its targets
                are strings, embedded by a `TokenEmbedder`.
            clock: a running clock that measures the total time.
            folder: folder for TensorBoard logs; no logs if None.
            callback: an additional SB3 callback for the reinforcement learning.

        Raises:
            ValueError: the corpus has no targets as strings, or they are not embedded words.
            NonFiniteLossError: the loss became NaN or infinite; `policy` is the best so far.
        """
        if not corpus.targets:
            raise ValueError("a writer needs targets as strings; this corpus has none")
        start = self.policy
        vocabulary = Vocabulary.of(corpus) if start is None else self._trained()[1]
        texts = TargetTexts(corpus, vocabulary)
        self._warn_of_targets(texts)
        policy = self._make_policy(texts, start)
        self.policy = policy
        scores: _SplitScores = {split: {} for split in scored_splits(corpus)}
        if start is not None:
            self._score_splits("start", scores, corpus)
        timings, curves = {"setup_seconds": clock.elapsed}, {}
        if not self.reinforced:
            curves["warm_start"], warm_timings = self._warm_up(policy, texts)
            timings |= warm_timings
            corpus = self.learned_corpus or corpus
            policy, vocabulary = self._trained()
            texts = TargetTexts(corpus, vocabulary)
            self._score_splits("warm_start", scores, corpus)
            policy.scale_temperature(WRITING.temperature_scale)
            self.reinforced = True
        for split, found in scores.items():
            found |= reference_texts(corpus, split)
        env = self._make_writing_env(corpus, vocabulary)
        training_clock = Clock(self.config.algorithm.time_limit)
        model = self._make_agent(policy, texts, env, training_clock, folder)
        self.policy = _writer_policy(model)
        validation = self._validation(corpus)
        self._reinforce(model, training_clock, validation, callback)
        self._score_splits("trained", scores, corpus)
        warm_seconds = timings.get("warm_seconds", 0.0)
        curves["trained"] = [later(record, warm_seconds) for record in validation.records]
        timings |= self._timings(model, training_clock, clock)
        # A step is a word here, so that steps do not count texts.
        texts_read = model._n_updates * self.algorithm.num_texts
        timings["texts_per_second"] = texts_read / training_clock.seconds
        return Trained(
            scores,
            curves,
            timings,
            self.precision,
            metric="bleu_tok",
            reward=self._reward,
            reliability=self._calibrate(
                {split: self._judged(corpus, split) for split in scored_splits(corpus)}
            ),
        )

    def _judged(self, corpus: Corpus, split: str) -> Judged | None:
        """The log-probabilities of the answers to a split, and whether they are the targets."""
        policy, vocabulary = self._trained()
        if policy.distribution != "tokens":
            return None
        rows = corpus.rows(split)
        texts = corpus.source.take(list(rows))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*without an EOS")
            tokens = decode(policy, texts, max_new_tokens=self.config.task.max_new_tokens)
        right = _are_right(vocabulary.decode(tokens), corpus.targets[rows.start : rows.stop])
        return Judged(mean_log_probs(policy, texts, tokens), right)

    def reliability(
        self, answers: Sequence[Answer], targets: Sequence[str], embedder: Embedder
    ) -> Reliability | None:
        """Compare the confidence of n answers with whether they are their n targets."""
        del embedder  # words are compared
        stated = [one.confidence for one in answers]
        right = _are_right([one.text for one in answers], targets)
        if None in stated:
            return None
        return Reliability.of(np.array(stated, np.float64), right)

    def _make_writing_env(self, corpus: Corpus, vocabulary: Vocabulary) -> GymVecEnv:
        """Make environments that reward whole texts."""
        return self._make_env(
            corpus,
            vocabulary=vocabulary,
            max_new_tokens=self.config.task.max_new_tokens,
            reward=self._reward,
            credit="sparse",
            observation="index",
        )

    @cached_property
    def _proxy(self) -> Reward | None:
        """The reward, if it needs no references; it keeps what it has read."""
        return make_reward(self._reward) if needs_no_reference(self._reward) else None

    @property
    def _reward(self) -> str:
        return self.config.task.reward or "bleu"

    def _make_policy(self, texts: TargetTexts, start: WriterPolicy | None) -> WriterPolicy:
        """Make a writer of texts, untrained or with the weights of another."""
        set_random_seed(self.config.run.seed, using_cuda=self.device.type == "cuda")
        env = self._make_writing_env(texts.corpus, texts.vocabulary)
        lexical = texts.corpus.shared_space
        sizes = replace(writer_config(self.config), lexical=lexical)
        policy = WriterPolicy(
            env.observation_space,
            env.action_space,
            _no_rate,
            writer=sizes if start is None else start.writer,
            low_precision=self._low_precision,
        ).to(self.device)
        if start is not None:
            policy.load_state_dict(start.state_dict())
            policy.optimizer.load_state_dict(start.optimizer.state_dict())
        return policy

    @property
    def _low_precision(self) -> bool:
        return self.precision == "bfloat16"

    def _make_agent(
        self,
        warm: WriterPolicy,
        texts: TargetTexts,
        env: GymVecEnv,
        clock: Clock,
        folder: Path | None,
    ) -> REINFORCE:
        """Make REINFORCE, with a new policy that starts with the weights of the warm start.

        REINFORCE does not change `warm`, which is the reference of the KL divergence.
        """
        config = self.config
        # Needed even with weight 0, since it also trains the alignment model.
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
            {"writer": warm.writer, "low_precision": self._low_precision},
            clock,
            folder,
            regularizers=regularizers,
            # A schedule, which costs the entropy of every word.
            ent_coef=partial(mul, config.writer.entropy) if config.writer.entropy else 0.0,
        )
        assert isinstance(model, REINFORCE)
        model.policy.load_state_dict(warm.state_dict())
        # With Adam's moments too, so that the first steps are no larger than the last before them.
        model.policy.optimizer.load_state_dict(warm.optimizer.state_dict())
        return model

    def _warm_up(
        self, policy: WriterPolicy, texts: TargetTexts
    ) -> tuple[list[Record], dict[str, float]]:
        """Train on cross-entropy; returns the records of validations, and timings.

        Where vectors are learned too, `policy` and `learned_corpus` are then those with the vectors
        of the best weights.
        """
        clock = Clock(self.config.algorithm.warm_seconds)
        vectors = None
        if self.config.writer.learn_vectors and LearnedVectors.possible(texts.corpus):
            self._unlearned = texts.corpus.target_embedder
            vectors = LearnedVectors(texts.corpus, texts.vocabulary)
            vectors.join(policy)
        validation = self._validation(texts.corpus, vectors)
        try:
            words = train_cross_entropy(
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
                vectors=vectors,
            )
        finally:  # also after an error, so that the best weights are kept with their vectors
            if vectors is not None:
                vectors.leave(policy)
                self.learned_corpus, vocabulary = vectors.corpus()
                learned = TargetTexts(self.learned_corpus, vocabulary)
                self.policy = self._make_policy(learned, policy)
        timings = {"warm_seconds": clock.seconds, "warm_words_per_second": words / clock.seconds}
        return validation.records, timings

    def _validation(self, corpus: Corpus, vectors: LearnedVectors | None = None) -> Validation:
        def score(policy: WriterPolicy) -> TextScores:
            written = corpus
            if vectors is not None:
                with torch.no_grad():
                    vectors.use(policy)
                written, _ = vectors.corpus()
            with warnings.catch_warnings():
                # A new writer has not learned to write EOS, which would warn at each validation.
                warnings.simplefilter("ignore")
                return self._evaluate(policy, written, "valid")

        return Validation(score, metric="bleu_tok", times=WRITING.validations)

    def _evaluate(self, policy: WriterPolicy, corpus: Corpus, split: str) -> TextScores:
        assert policy.vocabulary is not None
        texts = TargetTexts(corpus, policy.vocabulary, split)
        scores = evaluate_writer(
            policy,
            corpus,
            split,
            self.config.task.max_new_tokens,
            self._unlearned,
            proxy=self._proxy,
        )
        return replace(scores, cross_entropy=target_cross_entropy(policy, texts))

    def _score_splits(self, name: str, scores: _SplitScores, corpus: Corpus) -> None:
        """Add the scores of the current policy under a name."""
        policy, _ = self._trained()
        for split, found in scores.items():
            found[name] = self._evaluate(policy, corpus, split)

    def _warn_of_targets(self, texts: TargetTexts) -> None:
        """Warn of training targets that are too long, or have tokens that cannot be written."""
        rows = texts.corpus.rows("train")
        lengths = texts.vocabulary.lengths(texts.tokens[rows.start : rows.stop])
        limit = self.config.task.max_new_tokens
        long = int((lengths > limit).sum())
        if long:
            warnings.warn(
                f"{long} of {len(rows)} training targets have more than max_new_tokens={limit} "
                f"words, the maximum length of written texts (the longest has {lengths.max()})",
                stacklevel=4,
            )
        target = texts.corpus.target
        unknown = int((target.lengths[rows.start : rows.stop] != lengths).sum())
        if unknown:
            warnings.warn(
                f"{unknown} of {len(rows)} training targets have tokens that the vocabulary of "
                "this model lacks; they are left out",
                stacklevel=4,
            )

    def generate(
        self, texts: EmbeddedTexts, method: Method = "greedy", **options: Any
    ) -> list[str]:
        """Write answers to n texts, with `decode`."""
        return [answer.text for answer in self.answer(texts, method, **options)]

    def answer(
        self, texts: EmbeddedTexts, method: Method = "greedy", **options: Any
    ) -> list[Answer]:
        """Write answers to n texts, with `decode`, and say how sure they are."""
        policy, vocabulary = self._trained()
        tokens = decode(
            policy, texts, method=method, max_new_tokens=self.config.task.max_new_tokens, **options
        )
        written = vocabulary.decode(tokens)
        return list(map(Answer, written, self._sureness(texts, tokens)))

    def _sureness(self, texts: EmbeddedTexts, tokens: NDArray[np.int64]) -> list[float | None]:
        """The confidence of n answers, if there is one."""
        if self.calibration is None:
            return [None] * len(texts)
        policy, _ = self._trained()
        return self._confidence(mean_log_probs(policy, texts, tokens))

    def refine(
        self,
        texts: EmbeddedTexts,
        threshold: float,
        max_rounds: int,
        method: Method = "greedy",
        draft: Sequence[str] | None = None,
        candidates: int = 8,
        margin: float = 0.5,
        beam_size: int = 4,
        length_power: float = 0.7,
    ) -> list[RefinedText]:
        """Correct drafts of answers to n texts, given or from `decode`, with `refine`."""
        policy, vocabulary = self._trained()
        check_refinement(threshold, max_rounds)
        length = self.config.task.max_new_tokens
        if draft is None:
            tokens = decode(
                policy,
                texts,
                method=method,
                beam_size=beam_size,
                length_power=length_power,
                max_new_tokens=length,
            )
        else:
            if len(draft) != len(texts):
                raise ValueError(f"{len(texts)} texts, but {len(draft)} drafts")
            tokens = self._tokens(vocabulary, draft)
        refined = refine(
            policy,
            texts,
            threshold=threshold,
            max_rounds=max_rounds,
            draft=tokens,
            candidates=candidates,
            margin=margin,
        )
        rows = zip(
            vocabulary.decode(refined.tokens),
            map(tuple, refined.scores.T.tolist()),
            refined.reached[-1].tolist(),
            self._sureness(texts, refined.tokens),
            strict=True,
        )
        return [RefinedText(*row) for row in rows]

    def _tokens(self, vocabulary: Vocabulary, draft: Sequence[str]) -> NDArray[np.int64]:
        """(n, M) tokens of drafts, with a warning about cut drafts and unknown tokens."""
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
                f"of {len(draft)} drafts, {cut} were cut to max_new_tokens={length} words, and "
                f"{dropped} tokens that are not in the vocabulary were left out",
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

    def examples(self, corpus: Corpus, split: str, rows: range) -> list[dict[str, Any]]:  # noqa: ARG002 - same signature in all trainers
        """The written answers to rows of a split, with their targets."""
        policy, _ = self._trained()
        written = write(policy, corpus, rows, self.config.task.max_new_tokens)
        return [
            {"source": corpus.sources[row], "written": text, "target": corpus.targets[row]}
            for row, text in zip(rows, written, strict=True)
        ]

    def save(self, folder: Path) -> dict[str, Any]:
        """Save the vocabulary; return the other data that `restore` needs besides the weights."""
        policy, vocabulary = self._trained()
        write_tensors({"ids": vocabulary.ids}, folder / VOCABULARY)
        return {
            "source_dim": self.dims[0],
            "vocabulary": vocabulary.fingerprint,
            "writer": asdict(policy.writer),
            "reinforced": self.reinforced,
            **self._save_calibration(),
        }

    @property
    def dims(self) -> tuple[int, int]:
        """Dimensions of the vectors that the policy reads, and of those of its words."""
        policy, vocabulary = self._trained()
        return policy.reader.network.encoder.w_ih.shape[2], vocabulary.dim

    def restore(self, saved: SavedModel, embedder: Embedder | None) -> WriterPolicy:
        """Load the policy that `save` described.

        Raises:
            ModelFileError: the files are damaged, or do not belong together.
        """
        vocabulary = _read_vocabulary(saved, embedder)
        space = spaces.Dict(
            text=spaces.Box(-1.0, 1.0, (1, saved.size("source_dim"))),
            # Of any length: that of `max_new_tokens` words may need more memory than the model.
            written=spaces.Box(-1.0, 1.0, (1, vocabulary.dim)),
        )
        actions, sizes = spaces.Box(-1.0, 1.0, (vocabulary.dim,)), saved.field("writer", dict)
        with saved.faults_of(MANIFEST, "writer"):
            config = Seq2SeqConfig(**sizes)
        self.reinforced = saved.field("reinforced", bool)
        self._restore_calibration(saved)
        self.policy = saved.build(
            lambda: WriterPolicy(
                space,
                actions,
                _no_rate,
                vocabulary=vocabulary,
                writer=config,
                low_precision=self._low_precision,
            )
        )
        return self.policy


def _are_right(written: Sequence[str], targets: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each text is its target, word for word."""
    return np.array([one == as_read(target) for one, target in zip(written, targets, strict=True)])


def _no_rate(_: float) -> float:
    return 0.0


def _writer_policy(model: REINFORCE) -> WriterPolicy:
    policy = model.policy
    assert isinstance(policy, WriterPolicy)
    return policy


def _read_vocabulary(saved: SavedModel, embedder: Embedder | None) -> Vocabulary:
    """Load a vocabulary, with the embedder's vectors.

    Raises:
        ModelFileError: it is damaged, its fingerprint is different, or the embedder has no
            tokens.
    """
    if not isinstance(embedder, TokenEmbedder):
        saved.fail(
            MANIFEST,
            "a writer needs targets with one vector for each token, found those of "
            f"{type(embedder).__name__}",
        )
    fingerprint = saved.field("vocabulary", str)
    ids, _ = saved.load(VOCABULARY, lambda path: read_tensor(path, "ids"))
    if ids.dtype != np.int64 or ids.ndim != 1:
        saved.fail(VOCABULARY, f"ids must be int64 (V - 1,), found {ids.dtype} {ids.shape}")
    known = ids[(ids >= 0) & (ids < len(embedder.table))]
    with saved.faults_of(VOCABULARY, "ids"):
        vocabulary = Vocabulary(embedder.table[known], known, embedder)
    if len(known) < len(ids) or vocabulary.fingerprint != fingerprint:
        saved.fail(
            VOCABULARY,
            f"the model writes with the vocabulary {fingerprint}, but its target embedder gives "
            f"{vocabulary.fingerprint}, whose tokens stand for other words. The files are from "
            "different models",
        )
    return vocabulary

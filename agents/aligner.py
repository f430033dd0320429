"""LLMAR from end to end: train an agent, let it answer, save it and load it again."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from agents.algorithms import SUPERVISED, Algorithm, find_algorithm
from agents.config import Config
from agents.data import load_corpus
from agents.device import resolve_device
from agents.encoders import GRUFeatures
from agents.evaluation import baselines, evaluate
from agents.policies import GRUPolicy
from agents.supervised import train_supervised
from agents.training import Clock, LinearDecay, Progress, Record, Training, Validation
from agents.vec_env import make_vec_env
from llmar_env.alignment.scores import alignment_score
from llmar_env.metrics import Scores, nearest
from llmar_env.spaces import TextIndex
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import Embedder, WordVectors

__all__ = ["LLMAR", "Trained"]

_LOG_INTERVAL = 20
_FORMAT = 1
_SOURCE, _TARGET = "source.safetensors", "target.safetensors"
_Part = TypeVar("_Part")


@dataclass(frozen=True)
class Trained:
    """What a training run came to."""

    scores: dict[str, dict[str, Scores]]
    """By split, then by who answered: trained, supervised, untrained, identity, constant."""
    curves: dict[str, list[Record]]
    """Validations, by who was trained."""
    timings: dict[str, float]
    """Seconds by part, and rates."""


class LLMAR:
    """Reinforcement-learned text alignment: the method from end to end.

    Args:
        config: the settings.

    Attributes:
        config: the settings.
        algorithm: what `config.algo` names, with the settings that replace its own.
        corpus: what was trained on, None before `train` and after `load`.
        policy: the trained policy, None before `train`.
        source_embedder: of the texts that are answered.
        target_embedder: of the texts that answers should align with.
        targets: the distinct targets of the training texts, which `nearest` chooses from.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = Config() if config is None else config
        self.algorithm = _tuned(self.config)
        self.device = resolve_device(self.config.device)
        self.corpus: Corpus | None = None
        self.policy: GRUPolicy | None = None
        self.source_embedder: Embedder | None = None
        self.target_embedder: Embedder | None = None
        self.targets: tuple[str, ...] = ()
        self._target_means: NDArray[np.float32] | None = None  # (m, D), of `targets`

    def train(
        self,
        data: Any = None,
        *,
        folder: Path | None = None,
        callback: BaseCallback | None = None,
    ) -> Trained:
        """Train, and score against the baselines.

        Args:
            data: what `Corpus.load` takes; by default what the configuration names. The splits
                are "train", "valid" and, for the report alone, "test".
            folder: where TensorBoard's scalars go; nowhere if None.
            callback: a further SB3 callback.

        Returns:
            Scores, curves and timings. The policy that was best on "valid" stays in `policy`.

        Raises:
            ValueError: the data cannot be used; the message says why.
            NonFiniteLossError: the loss became NaN or infinite; `policy` is the best so far.
        """
        clock = Clock()
        clock.start()
        self.corpus = corpus = load_corpus(self.config, data)
        model = self._make_model(folder)
        policy = _gru_policy(model)
        self._adopt(corpus, policy)
        splits = [split for split in ("valid", "test") if split in corpus.splits]
        scores = {split: baselines(corpus, split) for split in splits}
        untrained = {name: weight.clone() for name, weight in policy.state_dict().items()}
        for split in splits:
            scores[split]["untrained"] = evaluate(policy, corpus, split)
        setup_seconds = clock.elapsed
        training = self._learn(model, callback)
        policies = {"trained": policy}
        curves = {"trained": training.validation.records}
        if self.config.supervised:
            rival = self._make_rival(corpus)
            rival.load_state_dict(untrained)
            try:
                records = self._learn_supervised(rival, training.clock.seconds).records
                policies["supervised"], curves["supervised"] = rival, records
            except KeyboardInterrupt:
                warnings.warn("the supervised rival was interrupted, and is left out", stacklevel=2)
        for name, one in policies.items():
            for split in splits:
                scores[split][name] = evaluate(one, corpus, split)
        rate = model.num_timesteps / training.clock.seconds
        timings = {
            "setup_seconds": setup_seconds,
            "training_seconds": training.clock.seconds,
            "total_seconds": clock.elapsed,
            "steps": model.num_timesteps,
            "steps_per_second": rate,
            "texts_per_second": rate / self.algorithm.group_size,
        }
        return Trained(scores, curves, timings)

    def _make_model(self, folder: Path | None) -> OnPolicyAlgorithm:
        config, algorithm = self.config, self.algorithm
        env = make_vec_env(
            config.env,
            algorithm.num_texts * algorithm.group_size,
            env_kwargs={
                "data": self.corpus,
                "split": "train",
                "observation": config.observation,
                "num_vectors": config.num_vectors,
                "group_size": algorithm.group_size,
            },
        )
        return algorithm.cls(
            GRUPolicy,
            env,
            learning_rate=LinearDecay(algorithm.learning_rate, Clock(config.time_limit)),
            seed=config.seed,
            device=self.device,
            tensorboard_log=None if folder is None else str(folder),
            policy_kwargs=self._policy_kwargs(),
            **algorithm.settings,
        )

    def _make_rival(self, corpus: Corpus) -> GRUPolicy:
        """The agent's network; it observes rows whatever the agent does, which is the same."""
        return GRUPolicy(
            TextIndex(corpus.source),
            _action_space(corpus.target.dim, self.config.num_vectors),
            lambda _: SUPERVISED.learning_rate,
            **self._policy_kwargs(),
        ).to(self.device)

    def _policy_kwargs(self) -> dict[str, Any]:
        return {
            "hidden_dim": self.config.hidden_dim,
            "distribution": self.config.distribution,
            "spread": self.config.spread,
        }

    def _learn(self, model: OnPolicyAlgorithm, callback: BaseCallback | None) -> Training:
        schedule = model.learning_rate
        assert isinstance(schedule, LinearDecay)
        clock = schedule.clock
        training = Training(clock, self._validation(), self.algorithm.group_size)
        callbacks: list[BaseCallback] = [training]
        if self.config.progress:
            callbacks.append(Progress(training))
        if callback is not None:
            callbacks.append(callback)
        try:
            model.learn(int(self.config.total_steps), callbacks, log_interval=_LOG_INTERVAL)
        finally:
            # Also after an error: what was best stays.
            clock.stop()
            training.validation.restore_best(_gru_policy(model))
        return training

    def _learn_supervised(self, rival: GRUPolicy, seconds: float) -> Validation:
        validation = self._validation()
        train_supervised(
            rival,
            self._required(self.corpus),
            validation,
            seconds=seconds,
            learning_rate=SUPERVISED.learning_rate,
            num_texts=self.config.num_texts or SUPERVISED.num_texts,
            seed=self.config.seed,
            progress=self.config.progress,
        )
        return validation

    def _validation(self) -> Validation:
        return Validation(self._required(self.corpus), "valid")

    def _adopt(self, corpus: Corpus, policy: GRUPolicy) -> None:
        """Keep what answering needs."""
        rows = corpus.rows("train")
        self.policy = policy
        self.source_embedder, self.target_embedder = corpus.source_embedder, corpus.target_embedder
        self.targets = tuple(dict.fromkeys(corpus.targets[rows.start : rows.stop]))
        self._target_means = None

    def generate(self, text: str | Sequence[str]) -> NDArray[np.float32]:
        """Answer texts, without noise.

        Args:
            text: one text or n of them.

        Returns:
            (T, D) unit vectors for one text, (n, T, D) for several.

        Raises:
            RuntimeError: there is no trained policy, or no embedder of its input.
            ValueError: a text is empty, or there is none.
        """
        policy, embedder = self._required(self.policy), self._required(self.source_embedder)
        texts = embedder.embed([text] if isinstance(text, str) else text)
        texts, cut = texts.truncate(self.config.max_length or texts.max_length)
        if cut:
            warnings.warn(
                f"{cut} of {len(texts)} texts are longer than max_length="
                f"{self.config.max_length} vectors and were cut",
                stacklevel=2,
            )
        answers = policy.answer(texts)
        return answers[0] if isinstance(text, str) else answers

    def score(self, text: str, vectors: NDArray[np.floating]) -> float:
        """Alignment of vectors, (T, D), with a target text: the cosine of their means, [-1, 1].

        Raises:
            RuntimeError: there is no embedder of the targets.
            ValueError: the vectors have another shape or dimension, or the text is empty.
        """
        target = self._required(self.target_embedder).embed([text]).means[0]
        return float(alignment_score(target[None], np.asarray(vectors, np.float32)))

    def nearest(self, text: str, k: int = 1) -> list[str]:
        """The k training targets that align best with the answer to a text, best first.

        Raises:
            RuntimeError: there is no trained policy, or there are no targets as strings.
            ValueError: the text is empty, or k is not in 1 to the number of targets.
        """
        if self._target_means is None:
            targets = self._required(self.targets)
            self._target_means = self._required(self.target_embedder).embed(targets).means
        answer = self.generate(text).mean(axis=0, keepdims=True)
        rows, _ = nearest(answer, self._target_means, k)
        return [self.targets[row] for row in rows[0]]

    @staticmethod
    def _required(part: _Part | None) -> _Part:
        if not part:
            raise RuntimeError(
                "this needs a model that was trained on texts: call train() or LLMAR.load(folder)"
            )
        return part

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the trained model to a folder: safetensors and JSON, no pickle.

        Raises:
            RuntimeError: nothing is trained.
        """
        policy, folder = self._required(self.policy), Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        # Copies: on CUDA the weights of a GRU are views of one buffer, which safetensors refuses.
        weights = {name: w.detach().cpu().clone() for name, w in policy.named_parameters()}
        save_file(weights, str(folder / "policy.safetensors"))
        shared = self.source_embedder is self.target_embedder
        if self.source_embedder is not None:
            self.source_embedder.save(folder / _SOURCE)
        if self.target_embedder is not None and not shared:
            self.target_embedder.save(folder / _TARGET)
        features = policy.pi_features_extractor
        assert isinstance(features, GRUFeatures)
        manifest = {
            "format": _FORMAT,
            "config": self.config.as_json(),
            "source_dim": features.encoder.gru.input_size,
            "target_dim": policy.action_dist.dim,
            "shared_embedder": shared,
            "targets": self.targets,
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (folder / "model.json").write_text(text + "\n", "utf-8")

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        device: str = "auto",
        source_embedder: type[Embedder] = WordVectors,
        target_embedder: type[Embedder] = WordVectors,
    ) -> Self:
        """Read what `save` wrote.

        Args:
            folder: of the model.
            device: where to put it, as in `Config`.
            source_embedder: the class whose `load` reads the source embedder back.
            target_embedder: likewise.

        Raises:
            FileNotFoundError: the folder holds no model.
            ValueError: the model has a format that this version does not read, or the device is
                not there.
        """
        folder = Path(folder)
        manifest = json.loads((folder / "model.json").read_text("utf-8"))
        if manifest.get("format") != _FORMAT:
            raise ValueError(
                f"{folder} holds a model of format {manifest.get('format')!r}; this version reads "
                f"format {_FORMAT}"
            )
        llmar = cls(Config.from_json(manifest["config"] | {"device": device}))
        llmar.targets = tuple(manifest["targets"])
        if (folder / _SOURCE).exists():
            llmar.source_embedder = source_embedder.load(folder / _SOURCE)
        if manifest["shared_embedder"]:
            llmar.target_embedder = llmar.source_embedder
        elif (folder / _TARGET).exists():
            llmar.target_embedder = target_embedder.load(folder / _TARGET)
        llmar.policy = GRUPolicy(
            spaces.Box(-1.0, 1.0, (1, manifest["source_dim"])),
            _action_space(manifest["target_dim"], llmar.config.num_vectors),
            lambda _: 0.0,
            **llmar._policy_kwargs(),
        )
        weights = load_file(str(folder / "policy.safetensors"))
        for name, parameter in llmar.policy.named_parameters():
            parameter.data.copy_(weights[name])
        llmar.policy.to(llmar.device)
        return llmar


def _action_space(dim: int, num_vectors: int) -> spaces.Box:
    return spaces.Box(-1.0, 1.0, (dim,) if num_vectors == 1 else (num_vectors, dim))


def _gru_policy(model: OnPolicyAlgorithm) -> GRUPolicy:
    policy = model.policy
    assert isinstance(policy, GRUPolicy)
    return policy


def _tuned(config: Config) -> Algorithm:
    """The configured algorithm, with the settings that the configuration replaces."""
    algorithm = find_algorithm(config.algo)
    given = {
        name: value
        for name in ("num_texts", "group_size", "learning_rate")
        if (value := getattr(config, name)) is not None
    }
    settings = dict(algorithm.settings)
    if "baseline" in settings:
        settings["baseline"] = config.baseline
    return replace(algorithm, settings=settings, **given)

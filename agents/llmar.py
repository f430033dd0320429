"""LLMAR from end to end: train an agent, answer texts with it, save it and load it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy

from llmar_env.alignment.scores import alignment_score
from llmar_env.metrics import Scores, TextScores, nearest
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import Embedder, WordVectors
from llmar_env.text.tensor_files import ModelFileError

from .algorithms.presets import Algorithm
from .config import Config, check_together
from .networks.device import resolve_device, resolve_precision
from .trainers.align import AlignTrainer
from .trainers.base import Trained
from .trainers.data import load_corpus
from .trainers.generate import GenerateTrainer, RefinedText
from .trainers.saved import MANIFEST, SOURCE, TARGET, SavedModel
from .training.clock import Clock

__all__ = ["LLMAR", "ModelFileError", "RefinedText", "Trained"]

# Attributes that belong to the corpus that the policy was trained on.
_OF_CORPUS = ("corpus", "source_embedder", "target_embedder", "targets", "_target_means")
_Part = TypeVar("_Part")

_TRAINERS: Mapping[str, type[AlignTrainer] | type[GenerateTrainer]] = {
    "LLMAR/Align-v0": AlignTrainer,
    "LLMAR/Generate-v0": GenerateTrainer,
}


class LLMAR:
    """Reinforcement-learned text alignment: the method from end to end.

    A trainer makes the policy and answers with it: with vectors (`AlignTrainer`) or with texts
    (`GenerateTrainer`), depending on `config.task.env`.

    Args:
        config: the options; the defaults if None.

    Attributes:
        trainer: trains the policy, and answers with it.
        corpus: the training corpus; None before `train` and after `load`.
        source_embedder: embeds input texts.
        target_embedder: embeds target texts.
        targets: the distinct targets of the training texts, from which `nearest` chooses; empty
            for a model that writes texts.

    Raises:
        ValueError: the environment, the algorithm or the device is not available, or an option
            does not apply.
    """

    def __init__(self, config: Config | None = None) -> None:
        config = Config() if config is None else config
        check_together(config)
        self.device = resolve_device(config.run.device)
        self.trainer = _TRAINERS[config.task.env](config, self.device)
        self.corpus: Corpus | None = None
        self.source_embedder: Embedder | None = None
        self.target_embedder: Embedder | None = None
        self.targets: tuple[str, ...] = ()
        self._target_means: NDArray[np.float32] | None = None  # (m, D), of `targets`

    @property
    def config(self) -> Config:
        """The options."""
        return self.trainer.config

    @property
    def algorithm(self) -> Algorithm:
        """The reinforcement-learning algorithm, with the settings from the options."""
        return self.trainer.algorithm

    @property
    def policy(self) -> BasePolicy | None:
        """The best policy so far; None before `train` and `load`."""
        return self.trainer.policy

    def train(
        self,
        data: Any = None,
        *,
        folder: Path | None = None,
        callback: BaseCallback | None = None,
    ) -> Trained:
        """Train, and score against the baselines.

        A model that is trained already, or loaded, goes on from its weights; new texts are embedded
        by its embedders. The limits of steps and time, the schedule of the learning rate and Adam's
        moments begin anew, and a writer whose warm start is over has no other. Make a new `LLMAR`
        to begin from scratch.

        Args:
            data: as in `Corpus.load`; by default the data named by the configuration. The splits
                are "train", "valid" and, for the report only, "test".
            folder: folder for TensorBoard logs; no logs if None.
            callback: an additional SB3 callback.

        Returns:
            Scores, curves and timings. `policy` is then the best policy on "valid".

        Raises:
            ValueError: the data cannot be used; the message says why. Or the model is trained
                already, on vectors other than those of the data.
            NonFiniteLossError: the loss became NaN or infinite; `policy` is the best so far.
        """
        clock = Clock()
        clock.start()
        quiet = isinstance(data, Corpus) or not self.config.run.progress
        with Console(stderr=True, quiet=quiet).status("reading and embedding the texts"):
            corpus = load_corpus(self.config, data, embedders=self._embedders(data))
        self._require_same_vectors(corpus)
        kept = {name: getattr(self, name) for name in _OF_CORPUS}
        policy = self.policy
        self._adopt(corpus)
        try:
            return self.trainer.train(corpus, clock=clock, folder=folder, callback=callback)
        except BaseException:
            if self.policy is policy:  # the old one, if any, which answers with what it learned on
                vars(self).update(kept)
            raise

    def _embedders(self, data: Any) -> tuple[Embedder, Embedder] | None:
        """The embedders of a model that is trained already, if the data are not embedded."""
        if self.policy is None or isinstance(data, Corpus):
            return None
        if self.source_embedder is None or self.target_embedder is None:
            raise ValueError(
                "this model is trained on vectors and has no embedders; to go on, give it a Corpus "
                "of such vectors, and to begin from scratch make a new LLMAR"
            )
        return self.source_embedder, self.target_embedder

    def _require_same_vectors(self, corpus: Corpus) -> None:
        """Refuse to go on with vectors that mean something else than before."""
        if self.policy is None:
            return
        dims = corpus.source.dim, corpus.target.dim
        embedders = (
            (self.source_embedder, corpus.source_embedder),
            (self.target_embedder, corpus.target_embedder),
        )
        if dims != self.trainer.dims or any(_differ(own, other) for own, other in embedders):
            raise ValueError(
                "this model is trained already, on vectors other than those of this corpus: give "
                "it texts, which it embeds, or make a new LLMAR to begin from scratch"
            )

    def _adopt(self, corpus: Corpus) -> None:
        """Store the corpus, and the embedders and targets that are needed to answer texts."""
        self.corpus = corpus
        self.source_embedder, self.target_embedder = corpus.source_embedder, corpus.target_embedder
        if isinstance(self.trainer, AlignTrainer):
            rows = corpus.rows("train")
            self.targets = tuple(dict.fromkeys(corpus.targets[rows.start : rows.stop]))
        self._target_means = None

    def generate(self, text: str | Sequence[str], **options: Any) -> Any:
        """Answer texts, without exploration noise.

        Args:
            text: one text, or a sequence of n. Each is cut to `config.data.max_length` vectors; a
                warning gives the number of texts that were cut.
            **options: for a model that writes texts, options of `decode`: `method` ("greedy",
                "csls", "best_of" or "beam") and its parameters.

        Returns:
            For a model that answers with vectors, unit vectors (T, D) for one text, (n, T, D) for a
            sequence. For one that writes texts, a str for one text, a list of n for a sequence.

        Raises:
            RuntimeError: there is no trained policy, or no embedder of its input.
            ValueError: a text or the sequence is empty, or an option is not one of those above.
        """
        if options and not isinstance(self.trainer, GenerateTrainer):
            raise ValueError(
                f"this model answers with vectors, and has no option {', '.join(options)}: options "
                "are for models that write texts"
            )
        answers = self.trainer.generate(self._embed(text), **options)
        return answers[0] if isinstance(text, str) else answers

    def refine(
        self,
        text: str | Sequence[str],
        threshold: float = 0.9,
        max_rounds: int = 8,
        **options: Any,
    ) -> Any:
        """Write answers, and correct them until the policy estimates that they align.

        Args:
            text: one text, or a sequence of n, as in `generate`.
            threshold: the estimated alignment to reach, in (0, 1].
            max_rounds: maximum number of rounds, at least 0.
            **options: `draft`, one string or n of them; or else `method`, by which drafts are
                decoded; and `candidates` and `margin` of `agents.refine`.

        Returns:
            A `RefinedText` for one text, a list of n for a sequence.

        Raises:
            RuntimeError: there is no trained policy, or no embedder of its input.
            ValueError: the model answers with vectors; a text or the sequence is empty; the drafts
                are not as many as the texts; or an option has an invalid value.
            TypeError: there is no such option.
        """
        if isinstance(options.get("draft"), str):
            options["draft"] = [options["draft"]]
        refined = self.writer.refine(self._embed(text), threshold, max_rounds, **options)
        return refined[0] if isinstance(text, str) else refined

    def _embed(self, text: str | Sequence[str]) -> EmbeddedTexts:
        self._required(self.policy)
        embedder = self._required(self.source_embedder)
        texts = embedder.embed([text] if isinstance(text, str) else text)
        texts, cut = texts.truncate(self.config.data.max_length or texts.max_length)
        if cut:
            warnings.warn(
                f"{cut} of {len(texts)} texts are longer than max_length="
                f"{self.config.data.max_length} vectors and were cut",
                stacklevel=3,
            )
        return texts

    @property
    def writer(self) -> GenerateTrainer:
        """The trainer of a model that writes texts.

        Raises:
            ValueError: this model answers with vectors.
        """
        if not isinstance(self.trainer, GenerateTrainer):
            raise ValueError(
                "this model answers with vectors and cannot write texts; train one that can on "
                "LLMAR/Generate-v0"
            )
        return self.trainer

    def score(self, text: str, vectors: NDArray[np.floating]) -> float:
        """Alignment of vectors (T, D) with a target text: the cosine of the means, in [-1, 1].

        Raises:
            RuntimeError: there is no embedder of the targets.
            ValueError: the vectors have another shape or dimension, or the text is empty.
        """
        target = self._required(self.target_embedder).embed([text]).means[0]
        return float(alignment_score(target[None], np.asarray(vectors, np.float32)))

    def evaluate(self, answers: Sequence[Any], targets: Sequence[str]) -> Scores | TextScores:
        """Score n answers, as returned by `generate`, against n targets.

        Raises:
            RuntimeError: there is no embedder of the targets.
            ValueError: the numbers of answers and targets differ or are 0, or a target is empty.
        """
        return self.trainer.score(answers, targets, self._required(self.target_embedder))

    def nearest(self, text: str, k: int = 1) -> list[str]:
        """The k training targets that align best with the answer to a text, best first.

        Raises:
            RuntimeError: there is no trained policy, or there are no targets as strings.
            ValueError: the text is empty, k is not between 1 and the number of targets, or the
                model writes texts.
        """
        if isinstance(self.trainer, GenerateTrainer):
            raise ValueError("this model writes texts: call generate instead of nearest")
        if self._target_means is None:
            targets = self._required(self.targets)
            self._target_means = self._required(self.target_embedder).embed(targets).means
        answer = self.generate(text).mean(axis=0, keepdims=True)
        rows, _ = nearest(answer, self._target_means, k)
        return [self.targets[row] for row in rows[0]]

    def examples(self, split: str, size: int = 10) -> list[dict[str, Any]]:
        """Texts that are evenly spread over a split, with the agent's answers.

        Args:
            split: a split of the training corpus.
            size: maximum number of texts.

        Returns:
            For each text, its source and right target; and either the written text, or the target
            of the split nearest to the answer, with the alignment of the answer with the right
            target. Empty if the corpus has no strings.
        """
        if self.corpus is None or self.policy is None or not self.corpus.sources:
            return []
        rows = self.corpus.rows(split)
        return self.trainer.examples(self.corpus, split, rows[:: max(1, len(rows) // size)][:size])

    @staticmethod
    def _required(part: _Part | None) -> _Part:
        if not part:
            raise RuntimeError(
                "this needs a model trained on texts: call train() or LLMAR.load(folder) first"
            )
        return part

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Save the trained model to a folder, as safetensors and JSON, without pickle.

        Raises:
            RuntimeError: there is no trained model.
        """
        policy, folder = self._required(self.policy), Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        SavedModel.clear(folder)
        shared = self.source_embedder is self.target_embedder
        if self.source_embedder is not None:
            self.source_embedder.save(folder / SOURCE)
        if self.target_embedder is not None and not shared:
            self.target_embedder.save(folder / TARGET)
        fields = {
            "config": self.config.as_json(),
            "shared_embedder": shared,
            "targets": self.targets,
            **self.trainer.save(folder),
        }
        SavedModel.write(folder, policy, fields)

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        device: str = "auto",
        source_embedder: type[Embedder] = WordVectors,
        target_embedder: type[Embedder] = WordVectors,
    ) -> Self:
        """Load a model that `save` wrote.

        Args:
            folder: folder of the model, or of a run that contains it in `model/`.
            device: the policy's device, as in `Config`.
            source_embedder: class whose `load` reads the source embedder.
            target_embedder: class whose `load` reads the target embedder.

        Raises:
            FileNotFoundError: the folder contains no model.
            ModelFileError: a ValueError: this version does not support the model's format, or its
                files are damaged, missing or from different models. The message names the file.
            ValueError: the device is not available, or does not have the model's precision.
        """
        folder = Path(folder)
        if (folder / "model" / MANIFEST).exists():
            folder = folder / "model"
        found = resolve_device(device)
        saved = SavedModel.read(folder)
        options = saved.field("config", dict)
        if options.get("precision") == "bfloat16":
            resolve_precision("bfloat16", found)  # not a fault of the file
        with saved.faults_of(MANIFEST, "config"):
            llmar = cls(Config.from_json(options | {"device": str(found)}))
        llmar.targets = saved.texts("targets")
        if saved.has(SOURCE):
            llmar.source_embedder = saved.load(SOURCE, source_embedder.load)
        if saved.field("shared_embedder", bool):
            llmar.target_embedder = llmar.source_embedder
        elif saved.has(TARGET):
            llmar.target_embedder = saved.load(TARGET, target_embedder.load)
        policy = llmar.trainer.restore(saved, llmar.target_embedder)
        saved.check_sums()
        policy.to(llmar.device)
        return llmar


def _differ(own: Embedder | None, other: Embedder | None) -> bool:
    """Whether two embedders are known to give different vectors."""
    if not (isinstance(own, WordVectors) and isinstance(other, WordVectors)) or own is other:
        return False
    return not np.array_equal(own.table, other.table)

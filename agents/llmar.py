"""LLMAR from end to end: train an agent, answer texts with it, save it and load it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy

from llmar_env.alignment.scores import alignment_score
from llmar_env.arrays import unit
from llmar_env.metrics import (
    PerText,
    RankingScores,
    Scores,
    TextScores,
    nearest,
    text_measures,
    vector_measures,
)
from llmar_env.retrieval import Collection
from llmar_env.tasks import Task, find_task
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import Embedder, Frozen, WordVectors, load_embedder
from llmar_env.text.tensor_files import ModelFileError

from .algorithms.presets import Algorithm
from .config import Config, check_together
from .inference.calibration import Reliability
from .inference.confidence import Answer, KnownWords, UnknownWordsWarning, describe_unknown
from .inference.ranking import Evaluation
from .inference.search import Documents, Hit
from .inference.tasks import task_measures
from .networks.device import resolve_device, resolve_precision
from .trainers.align import AlignTrainer
from .trainers.base import Trained
from .trainers.data import embedder_options, load_collection, load_corpus
from .trainers.generate import GenerateTrainer, RefinedText
from .trainers.retrieve import RetrieveTrainer
from .trainers.saved import MANIFEST, SOURCE, TARGET, SavedModel
from .training.clock import Clock
from .training.learned_vectors import in_learned_vectors

__all__ = [
    "LLMAR",
    "Answer",
    "Documents",
    "Hit",
    "ModelFileError",
    "RefinedText",
    "Trained",
    "UnknownWordsWarning",
]

# Attributes that belong to the corpus that the policy was trained on.
_OF_CORPUS = (
    *("corpus", "source_embedder", "target_embedder", "targets"),
    *("_target_means", "_documents", "_known_words"),
)
_Part = TypeVar("_Part")
_Trainer = AlignTrainer | GenerateTrainer | RetrieveTrainer

_TRAINERS: Mapping[str, type[_Trainer]] = {
    "LLMAR/Align-v0": AlignTrainer,
    "LLMAR/Generate-v0": GenerateTrainer,
    "LLMAR/Retrieve-v0": RetrieveTrainer,
}


class LLMAR:
    """Reinforcement-learned text alignment: the method from end to end.

    A trainer makes the policy and answers with it: with vectors (`AlignTrainer`), with texts
    (`GenerateTrainer`) or with vectors to search with (`RetrieveTrainer`), depending on
    `config.task.env`.

    Args:
        config: the options; the defaults if None.

    Attributes:
        trainer: trains the policy, and answers with it.
        corpus: the training corpus, or a query adapter's collection; None before `train` and after
            `load`.
        source_embedder: embeds input texts.
        target_embedder: embeds target texts.
        targets: the distinct targets of the training texts, from which `nearest` chooses; empty
            for a model that writes texts, and for a query adapter.

    Raises:
        ValueError: the environment, the algorithm or the device is not available, or an option
            does not apply.
    """

    def __init__(self, config: Config | None = None) -> None:
        config = Config() if config is None else config
        check_together(config)
        self.device = resolve_device(config.run.device)
        self.trainer: _Trainer = _TRAINERS[config.task.env](config, self.device)
        self.corpus: Corpus | Collection | None = None
        self.source_embedder: Embedder | None = None
        self.target_embedder: Embedder | None = None
        self.targets: tuple[str, ...] = ()
        self._target_means: NDArray[np.float32] | None = None  # (m, D), of `targets`
        self._documents: Documents | None = None
        self._known_words: KnownWords | None = None

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
            data: as in `Corpus.load`, or for a query adapter in `Collection.load`; by default the
                data named by the configuration. The splits are "train", "valid" and, for the report
                only, "test".
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
        corpus = self._load(data)
        if self.config.writes and self.policy is not None:
            assert isinstance(corpus, Corpus)
            corpus = in_learned_vectors(corpus, self.source_embedder, self.target_embedder)
        self._require_same_vectors(corpus)
        kept = {name: getattr(self, name) for name in _OF_CORPUS}
        policy = self.policy
        self._adopt(corpus)
        train: Callable[..., Trained] = self.trainer.train
        try:
            return train(corpus, clock=clock, folder=folder, callback=callback)
        except BaseException:
            if self.policy is policy:  # the old one, if any, which answers with what it learned on
                vars(self).update(kept)
            raise
        finally:
            learned = self.trainer.learned_corpus
            if self.policy is not policy and learned is not None:
                self._adopt(learned)

    def _load(self, data: Any) -> Corpus | Collection:
        """Read and embed the texts, by the embedders of a model that is trained already."""
        quiet = isinstance(data, Corpus | Collection) or not self.config.run.progress
        # Models that read texts show a bar of their own, beside which no spinner can stand.
        names = self.config.data
        quiet |= any((names.embedder, names.source_embedder, names.target_embedder))
        embedders = self._embedders(data)
        with Console(stderr=True, quiet=quiet).status("reading and embedding the texts"):
            if self.config.retrieves:
                embedder = None if embedders is None else embedders[0]
                return load_collection(self.config, data, embedder=embedder)
            return load_corpus(self.config, data, embedders=embedders)

    def _embedders(self, data: Any) -> tuple[Embedder, Embedder] | None:
        """The embedders of a model that is trained already, if the data are not embedded."""
        if self.policy is None or isinstance(data, Corpus | Collection):
            return None
        if self.source_embedder is None or self.target_embedder is None:
            raise ValueError(
                "this model is trained on vectors and has no embedders; to go on, give it a Corpus "
                "of such vectors, and to begin from scratch make a new LLMAR"
            )
        return self.source_embedder, self.target_embedder

    def _require_same_vectors(self, corpus: Corpus | Collection) -> None:
        """Refuse to go on with vectors that mean something else than before."""
        if self.policy is None:
            return
        searched = corpus.target if isinstance(corpus, Corpus) else corpus.index
        dims = corpus.source.dim, searched.dim
        others = _embedders_of(corpus)
        embedders = zip((self.source_embedder, self.target_embedder), others, strict=True)
        if dims != self.trainer.dims or any(_differ(own, other) for own, other in embedders):
            raise ValueError(
                "this model is trained already, on vectors other than those of this corpus: give "
                "it texts, which it embeds, or make a new LLMAR to begin from scratch"
            )

    def _adopt(self, corpus: Corpus | Collection) -> None:
        """Store the corpus, and the embedders and targets that are needed to answer texts."""
        self.corpus = corpus
        self.source_embedder, self.target_embedder = _embedders_of(corpus)
        if isinstance(self.trainer, AlignTrainer):
            rows = corpus.rows("train")
            self.targets = tuple(dict.fromkeys(corpus.targets[rows.start : rows.stop]))
        self._target_means = self._documents = self._known_words = None

    @property
    def known_words(self) -> KnownWords | None:
        """The words of the training texts; None if the model was not trained on texts."""
        if self._known_words is None and self.corpus is not None and self.corpus.sources:
            rows = self.corpus.rows("train")
            self._known_words = KnownWords.of(self.corpus.sources[rows.start : rows.stop])
        return self._known_words

    def unknown(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """For each of n texts, its words that training never saw, in lower case."""
        known = self.known_words
        return [known.unknown(text) if known else () for text in texts]

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
            An `UnknownWordsWarning` names words that training never saw; `answer` tells the
            confidence too.

        Raises:
            RuntimeError: there is no trained policy, or no embedder of its input.
            ValueError: a text or the sequence is empty, or an option is not one of those above.
        """
        if not isinstance(self.trainer, GenerateTrainer):
            self._refuse(options)
        generate: Callable[..., Any] = self.trainer.generate
        answers = generate(self._embed(text), **options)
        self._warn_of_unknown(text)
        return answers[0] if isinstance(text, str) else answers

    def answer(self, text: str | Sequence[str], **options: Any) -> Any:
        """Answer texts with texts, and say how far to trust each.

        Args:
            text: one text, or a sequence of n, as in `generate`.
            **options: as in `generate`.

        Returns:
            An `Answer` for one text, a list of n for a sequence: the text that was written, or of a
            model that answers with vectors the training target that is nearest; its confidence; and
            the words of the text answered that training never saw. Among training targets, the
            confidence is that the nearest is right if the right one is among them.

        Raises:
            RuntimeError: there is no trained policy, no embedder of its input, or there are no
                targets as strings.
            ValueError: the model is a query adapter, or as in `generate`.
        """
        texts = [text] if isinstance(text, str) else text
        if isinstance(self.trainer, GenerateTrainer):
            answers = self.trainer.answer(self._embed(texts), **options)
        elif isinstance(self.trainer, AlignTrainer):
            self._refuse(options)
            rows, cosines = self._nearest(texts, min(2, len(self.targets)))
            answers = self.trainer.found(self.targets, rows, cosines)
        else:
            raise ValueError("this model is a query adapter: call search instead of answer")
        found = [
            replace(one, unknown=two) for one, two in zip(answers, self.unknown(texts), strict=True)
        ]
        return found[0] if isinstance(text, str) else found

    @staticmethod
    def _refuse(options: Mapping[str, Any]) -> None:
        if options:
            raise ValueError(
                f"this model answers with vectors, and has no option {', '.join(options)}: options "
                "are for models that write texts"
            )

    def _warn_of_unknown(self, text: str | Sequence[str]) -> None:
        found = self.unknown([text] if isinstance(text, str) else text)
        if message := describe_unknown(found):
            warnings.warn(message, UnknownWordsWarning, stacklevel=3)

    def encode(self, text: str | Sequence[str]) -> NDArray[np.float32]:
        """The answers to texts as one vector each, for any database of vectors.

        Args:
            text: one text, or a sequence of n, as in `generate`.

        Returns:
            The unit vector of the mean answer, (D,) for one text, (n, D) for a sequence.

        Raises:
            RuntimeError: there is no trained policy, or no embedder of its input.
            ValueError: the model writes texts, or a text or the sequence is empty.
        """
        if isinstance(self.trainer, GenerateTrainer):
            raise ValueError("this model writes texts and has no vectors to give: call generate")
        answers = np.asarray(self.generate([text] if isinstance(text, str) else text))
        means: NDArray[np.float32] = unit(answers.mean(axis=1))
        return means[0] if isinstance(text, str) else means

    def search(
        self, text: str | Sequence[str], k: int = 10, *, documents: Documents | None = None
    ) -> Any:
        """Find documents with the answers to queries.

        Args:
            text: one query, or a sequence of n.
            k: number of documents to find, in [1, m].
            documents: where to search; by default the documents of the training collection, which a
                loaded model reads from the files that its configuration names.

        Returns:
            A list of k `Hit`, best first, for one query; a list of n such lists for a sequence.
            The first of each has a confidence, where there are two documents or more.
            An `UnknownWordsWarning` names words that training never saw.

        Raises:
            RuntimeError: there is no trained policy, or no embedder of its input.
            ValueError: the model is no query adapter, k is out of range, a query or the sequence is
                empty, or the collection has no strings.
            FileNotFoundError: the collection is not where it was.
        """
        trainer = self._require_adapter("search")
        vectors = self.encode([text] if isinstance(text, str) else text)
        documents = documents or self.documents
        # The confidence in the first needs the second.
        found = documents.search(vectors, 2 if k == 1 < len(documents.ids) else k)
        hits = [trainer.with_confidence(one)[:k] for one in found]
        return hits[0] if isinstance(text, str) else hits

    @property
    def documents(self) -> Documents:
        """The documents that a query adapter searches by default.

        Raises:
            RuntimeError: there is no trained model.
            ValueError: the model is no query adapter, its collection has no strings, or other
                documents are where those of its collection were.
            FileNotFoundError: the collection is not where it was.
        """
        trainer = self._require_adapter("documents")
        if self._documents is None:
            if isinstance(self.corpus, Collection):
                self._documents = Documents.of(self.corpus)
            else:
                embedder = self._required(self.source_embedder)
                self._documents = trainer.load_documents(embedder)
        return self._documents

    def embed_documents(self, documents: Mapping[str, str]) -> Documents:
        """Embed other documents for `search`, given as text by id.

        Raises:
            RuntimeError: there is no trained policy, or no embedder of its input.
            ValueError: the model is no query adapter, or a text is empty.
        """
        self._require_adapter("embed_documents")
        embedder = self._required(self.source_embedder)
        return Documents.embed(documents, embedder, str(self.device))

    def measure(self, data: Any = None, split: str = "test") -> RankingScores:
        """Score a query adapter on the queries of a split.

        Args:
            data: as in `Collection.load`; by default the training collection.
            split: one of its splits.

        Raises:
            RuntimeError: there is no trained policy.
            ValueError: the model is no query adapter, the data cannot be used, or there is no such
                split.
        """
        return self.measure_queries(data, split).scores

    def measure_queries(self, data: Any = None, split: str = "test") -> Evaluation:
        """As `measure`, for each query.

        Returns:
            Its `values` are (n,) by the name of the measure; its `reliability` compares the
            confidence in what is found first with whether it is relevant.
        """
        trainer = self._require_adapter("measure")
        self._required(self.policy)
        if data is None and isinstance(self.corpus, Collection):
            data = self.corpus
        collection = self._load(data)
        assert isinstance(collection, Collection)
        self._require_same_vectors(collection)
        return trainer.measure(collection, split)

    def _require_adapter(self, name: str) -> RetrieveTrainer:
        if not isinstance(self.trainer, RetrieveTrainer):
            raise ValueError(
                f"{name} is for query adapters: train one on LLMAR/Retrieve-v0, not on "
                f"{self.config.task.env}"
            )
        return self.trainer

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
            **options: `draft`, one string or n of them; or else `method` and its parameters, by
                which drafts are decoded, as in `generate`; and `candidates` and `margin` of
                `agents.refine`.

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
        unknown = self.unknown([text] if isinstance(text, str) else text)
        refined = [replace(one, unknown=two) for one, two in zip(refined, unknown, strict=True)]
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
        score: Callable[..., Scores | TextScores] = self.trainer.score
        return score(answers, targets, self._required(self.target_embedder))

    def measures(self, answers: Sequence[Any], targets: Sequence[str]) -> dict[str, PerText]:
        """The scores of `evaluate` by text, for intervals and comparisons.

        `llmar_env.metrics.score_intervals` and `score_differences` take them.

        Args:
            answers: n answers, as returned by `generate`.
            targets: the n right answers.

        Raises:
            RuntimeError: there is no embedder of the targets.
            ValueError: as in `evaluate`.
        """
        embedder, task = self._required(self.target_embedder), self.task
        if isinstance(self.trainer, GenerateTrainer):
            found = text_measures(answers, targets, embedder)
            return found if task is None else {**found, **task.of_texts(answers, targets)}
        if isinstance(self.trainer, RetrieveTrainer):
            raise ValueError("this model is a query adapter: call measure_queries")
        if len(answers) != len(targets):
            raise ValueError(f"{len(answers)} answers do not fit {len(targets)} targets")
        means, wanted = np.stack(answers).mean(axis=1), embedder.embed(targets).means
        measured = vector_measures(means, wanted)
        return measured if task is None else {**measured, **task.of_vectors(means, wanted, targets)}

    @property
    def task(self) -> Task | None:
        """The task that the options name, if they do."""
        name = self.config.task.task
        return None if name is None else find_task(name)

    def task_measures(self, split: str = "test") -> dict[str, dict[str, PerText]]:
        """The scores of the task on a split of the training corpus, by who answered, and by text.

        Besides the trained agent there are baselines: "constant"; of vectors also "identity", the
        mean of the text where both sides share a space, and "linear", ridge regression; and those
        of the task, such as "lead_1".

        Args:
            split: a split of the training corpus.

        Raises:
            RuntimeError: there is no trained policy, or the model is not that of a corpus.
            ValueError: the options name no task; or it is retrieval, whose report has all this.
        """
        if self.task is None:
            raise ValueError("the options name no task: give --task, or TaskConfig(task=...)")
        corpus = self.corpus
        if isinstance(corpus, Collection):
            raise ValueError("the scores of retrieval are those of measure_queries")
        if corpus is None or not corpus.targets:
            raise RuntimeError("this needs a model that was just trained on texts: call train()")
        return task_measures(self, self.task, corpus, split)

    def reliability(self, answers: Sequence[Any], targets: Sequence[str]) -> Reliability | None:
        """Compare the confidence of n answers with whether they are right.

        Args:
            answers: of a model that writes texts, n `Answer`; of one that answers with vectors,
                (T, D) each, of which the nearest of the targets counts.
            targets: the n right answers.

        Returns:
            A table of confidence and correctness; None of a model without confidence.

        Raises:
            RuntimeError: there is no embedder of the targets.
            ValueError: the numbers of answers and targets differ or are 0; or the model is a query
                adapter, which `measure_queries` is for.
        """
        if isinstance(self.trainer, RetrieveTrainer):
            raise ValueError("this model is a query adapter: call measure_queries")
        if len(answers) != len(targets):
            raise ValueError(f"{len(answers)} answers do not fit {len(targets)} targets")
        compare: Callable[..., Reliability | None] = self.trainer.reliability
        return compare(answers, targets, self._required(self.target_embedder))

    def nearest(self, text: str, k: int = 1) -> list[str]:
        """The k training targets that align best with the answer to a text, best first.

        Raises:
            RuntimeError: there is no trained policy, or there are no targets as strings.
            ValueError: the text is empty, k is not between 1 and the number of targets, or the
                model writes texts.

        `answer` tells how sure the first is.
        """
        if isinstance(self.trainer, GenerateTrainer):
            raise ValueError("this model writes texts: call generate instead of nearest")
        if isinstance(self.trainer, RetrieveTrainer):
            raise ValueError("this model is a query adapter: call search instead of nearest")
        rows, _ = self._nearest([text], k)
        self._warn_of_unknown(text)
        return [self.targets[row] for row in rows[0]]

    def _nearest(
        self, texts: Sequence[str], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
        """(n, k) rows of the training targets nearest to the answers to n texts, and cosines."""
        assert isinstance(self.trainer, AlignTrainer)
        if self._target_means is None:
            targets = self._required(self.targets)
            self._target_means = self._required(self.target_embedder).embed(targets).means
        answers = self.trainer.generate(self._embed(texts)).mean(axis=1)
        return nearest(answers, self._target_means, k)

    def examples(self, split: str, size: int = 10) -> list[dict[str, Any]]:
        """Texts that are evenly spread over a split, with the agent's answers.

        Args:
            split: a split of the training corpus.
            size: maximum number of texts.

        Returns:
            For each text, its source and right target; and either the written text, or the target
            of the split nearest to the answer, with the alignment of the answer with the right
            target. Of a query adapter, the query and the document that is found first, as the
            embedder is and with the adapter, and whether they are relevant. Empty if the corpus has
            no strings.
        """
        if self.corpus is None or self.policy is None or not self.corpus.sources:
            return []
        rows = self.corpus.rows(split)
        examples: Callable[..., list[dict[str, Any]]] = self.trainer.examples
        return examples(self.corpus, split, rows[:: max(1, len(rows) // size)][:size])

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
            "known_words": self.known_words.sorted() if self.known_words else [],
            **self.trainer.save(folder),
        }
        SavedModel.write(folder, policy, fields)

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        device: str = "auto",
        source_embedder: type[Embedder] | str | None = None,
        target_embedder: type[Embedder] | str | None = None,
    ) -> Self:
        """Load a model that `save` wrote.

        Args:
            folder: folder of the model, or of a run that contains it in `model/`.
            device: the policy's device, as in `Config`.
            source_embedder: where the model of the source embedder is now, as a string for
                `llmar_env.text.embedders.embedder`, if it has moved; or, for an embedder of your
                own, its class, whose `load` reads it.
            target_embedder: the same for the target embedder.

        Raises:
            FileNotFoundError: the folder contains no model, or the model of an embedder is not
                where it was.
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
        if known := saved.texts("known_words"):
            llmar._known_words = KnownWords(known)
        if saved.has(SOURCE):
            llmar.source_embedder = llmar._read_embedder(saved, SOURCE, source_embedder)
        if saved.field("shared_embedder", bool):
            llmar.target_embedder = llmar.source_embedder
        elif saved.has(TARGET):
            llmar.target_embedder = llmar._read_embedder(saved, TARGET, target_embedder)
        policy = llmar.trainer.restore(saved, llmar.target_embedder)
        saved.check_sums()
        policy.to(llmar.device)
        return llmar

    def _read_embedder(
        self, saved: SavedModel, name: str, given: type[Embedder] | str | None
    ) -> Embedder:
        """Read an embedder of a saved model, as `load` says."""
        if isinstance(given, type):
            return saved.load(name, given.load)
        options = embedder_options(self.config)
        try:
            return saved.load(name, partial(load_embedder, spec=given, **options))
        except FileNotFoundError as error:
            side = Path(name).stem
            raise FileNotFoundError(
                f"{error}; if the model has moved, name its place: --{side}-embedder, or in Python "
                f"LLMAR.load(..., {side}_embedder=)"
            ) from error


def _embedders_of(corpus: Corpus | Collection) -> tuple[Embedder | None, Embedder | None]:
    """The embedders of texts and of targets; those of queries and documents are one."""
    if isinstance(corpus, Collection):
        return corpus.embedder, corpus.embedder
    return corpus.source_embedder, corpus.target_embedder


def _differ(own: Embedder | None, other: Embedder | None) -> bool:
    """Whether two embedders are known to give different vectors."""
    if isinstance(own, Frozen) and isinstance(other, Frozen):
        return own.space != other.space or not np.array_equal(_center(own), _center(other))
    if not (isinstance(own, WordVectors) and isinstance(other, WordVectors)) or own is other:
        return False
    return not np.array_equal(own.table, other.table)


def _center(embedder: Frozen[Any]) -> NDArray[np.float32]:
    return np.zeros(1, np.float32) if embedder.center is None else embedder.center

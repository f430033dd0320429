"""LLMAR from end to end: train an agent, let it answer, save it and load it again."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from torch import nn

from llmar_env.alignment.scores import alignment_score
from llmar_env.metrics import Scores, TextScores, nearest
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import Embedder, WordVectors

from .algorithms.presets import Algorithm
from .config import Config
from .networks.device import resolve_device
from .trainers.align import AlignTrainer
from .trainers.base import Trained
from .trainers.data import load_corpus
from .trainers.generate import GenerateTrainer, RefinedText
from .training.clock import Clock

__all__ = ["LLMAR", "RefinedText", "Trained"]

_FORMAT = 4
_MANIFEST, _WEIGHTS = "model.json", "policy.safetensors"
_SOURCE, _TARGET = "source.safetensors", "target.safetensors"
_Part = TypeVar("_Part")

_TRAINERS: Mapping[str, type[AlignTrainer] | type[GenerateTrainer]] = {
    "LLMAR/Align-v0": AlignTrainer,
    "LLMAR/Generate-v0": GenerateTrainer,
}


class LLMAR:
    """Reinforcement-learned text alignment: the method from end to end.

    A trainer makes the policy and answers with it: with vectors (`AlignTrainer`), or with texts
    (`GenerateTrainer`), as `config.task.env` says.

    Args:
        config: the options.

    Attributes:
        trainer: trains the policy, and answers.
        corpus: what was trained on, None before `train` and after `load`.
        source_embedder: of the texts that are answered.
        target_embedder: of the texts that answers should align with.
        targets: the distinct targets of the training texts, which `nearest` chooses from; none
            where texts are written.

    Raises:
        ValueError: there is no such environment to train on, no such algorithm or device.
    """

    def __init__(self, config: Config | None = None) -> None:
        config = Config() if config is None else config
        if config.task.env not in _TRAINERS:
            raise ValueError(
                f"no training on {config.task.env}; there is one on {', '.join(_TRAINERS)}"
            )
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
        """What reinforces, with the settings that replace its own."""
        return self.trainer.algorithm

    @property
    def policy(self) -> BasePolicy | None:
        """The trained policy, the best so far; None before `train`."""
        return self.trainer.policy

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
        quiet = not self.config.run.progress
        with Console(stderr=True, quiet=quiet).status("reading and embedding the texts"):
            corpus = load_corpus(self.config, data)
        self._adopt(corpus)
        return self.trainer.train(corpus, clock=clock, folder=folder, callback=callback)

    def _adopt(self, corpus: Corpus) -> None:
        """Keep what answering needs."""
        self.corpus = corpus
        self.source_embedder, self.target_embedder = corpus.source_embedder, corpus.target_embedder
        if isinstance(self.trainer, AlignTrainer):
            rows = corpus.rows("train")
            self.targets = tuple(dict.fromkeys(corpus.targets[rows.start : rows.stop]))
        self._target_means = None

    def generate(self, text: str | Sequence[str], **options: Any) -> Any:
        """Answer texts, without noise.

        Args:
            text: one text or n of them, each cut to `config.data.max_length` vectors; a warning
                counts those that were.
            **options: of a model that writes, those of `decode`: `method` ("greedy", "csls",
                "best_of" or "beam") and what belongs to it.

        Returns:
            Of a model that answers with vectors, (T, D) unit vectors for one text, (n, T, D) for
            several. Of one that writes, a str for one text, a list of n for several.

        Raises:
            RuntimeError: there is no trained policy, or no embedder of its input.
            ValueError: a text is empty, or there is none; or an option is none of those above.
        """
        answers = self.trainer.generate(self._embed(text), **options)
        return answers[0] if isinstance(text, str) else answers

    def refine(
        self,
        text: str | Sequence[str],
        threshold: float = 0.9,
        max_rounds: int = 8,
        **options: Any,
    ) -> Any:
        """Write texts, and correct them until they align, by the policy's own estimate.

        Args:
            text: one text or n of them, as in `generate`.
            threshold: the estimated alignment that is good enough, in (0, 1].
            max_rounds: after so many it ends at the latest.
            **options: of `agents.refine`; and `method`, by which drafts are decoded.

        Returns:
            A `RefinedText` for one text, a list of n for several.

        Raises:
            RuntimeError: there is no trained policy, or no embedder of its input.
            ValueError: the model answers with vectors; a text is empty, or there is none; or an
                option has a value that is not among those above.
        """
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
        """The trainer, of a model that writes.

        Raises:
            ValueError: this model answers with vectors.
        """
        if not isinstance(self.trainer, GenerateTrainer):
            raise ValueError(
                "this model answers with vectors and writes no text; one that writes is trained "
                "on LLMAR/Generate-v0"
            )
        return self.trainer

    def score(self, text: str, vectors: NDArray[np.floating]) -> float:
        """Alignment of vectors, (T, D), with a target text: the cosine of their means, [-1, 1].

        Raises:
            RuntimeError: there is no embedder of the targets.
            ValueError: the vectors have another shape or dimension, or the text is empty.
        """
        target = self._required(self.target_embedder).embed([text]).means[0]
        return float(alignment_score(target[None], np.asarray(vectors, np.float32)))

    def evaluate(self, answers: Sequence[Any], targets: Sequence[str]) -> Scores | TextScores:
        """Score n answers, as `generate` gives them, against n targets.

        Raises:
            RuntimeError: there is no embedder of the targets.
            ValueError: the two differ in number, there are none, or a target is empty.
        """
        return self.trainer.score(answers, targets, self._required(self.target_embedder))

    def nearest(self, text: str, k: int = 1) -> list[str]:
        """The k training targets that align best with the answer to a text, best first.

        Raises:
            RuntimeError: there is no trained policy, or there are no targets as strings.
            ValueError: the text is empty, k is not in 1 to the number of targets, or the model
                writes texts.
        """
        if isinstance(self.trainer, GenerateTrainer):
            raise ValueError("this model writes texts: generate gives them, and needs no nearest")
        if self._target_means is None:
            targets = self._required(self.targets)
            self._target_means = self._required(self.target_embedder).embed(targets).means
        answer = self.generate(text).mean(axis=0, keepdims=True)
        rows, _ = nearest(answer, self._target_means, k)
        return [self.targets[row] for row in rows[0]]

    def examples(self, split: str, size: int = 10) -> list[dict[str, Any]]:
        """Texts of a split, evenly spread over it, and what the agent makes of them.

        Args:
            split: of the corpus that was trained on.
            size: the most texts.

        Returns:
            For each its source and the right target; and the text that was written, or the target
            of the split that is nearest to the answer, with the answer's alignment with the right
            one. Nothing where the corpus holds no strings.
        """
        if self.corpus is None or self.policy is None or not self.corpus.sources:
            return []
        rows = self.corpus.rows(split)
        return self.trainer.examples(self.corpus, split, rows[:: max(1, len(rows) // size)][:size])

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
        weights = {name: w.detach().cpu().clone() for name, w in policy.state_dict().items()}
        save_file(weights, str(folder / _WEIGHTS))
        shared = self.source_embedder is self.target_embedder
        if self.source_embedder is not None:
            self.source_embedder.save(folder / _SOURCE)
        if self.target_embedder is not None and not shared:
            self.target_embedder.save(folder / _TARGET)
        manifest = {
            "format": _FORMAT,
            "config": self.config.as_json(),
            "shared_embedder": shared,
            "targets": self.targets,
            **self.trainer.save(folder),
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (folder / _MANIFEST).write_text(text + "\n", "utf-8")

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
            folder: of the model, or of a run that holds it in `model/`.
            device: where to put it, as in `Config`.
            source_embedder: the class whose `load` reads the source embedder back.
            target_embedder: the class whose `load` reads the target embedder back.

        Raises:
            FileNotFoundError: the folder holds no model.
            ValueError: the model has a format that this version does not read, its files are
                damaged or of different models, or the device is not there.
        """
        folder = Path(folder)
        if (folder / "model" / _MANIFEST).exists():
            folder = folder / "model"
        if not (folder / _MANIFEST).exists():
            raise FileNotFoundError(f"{folder} holds no model: there is no {_MANIFEST} in it")
        try:
            manifest = json.loads((folder / _MANIFEST).read_text("utf-8"))
            if manifest.get("format") != _FORMAT:
                raise ValueError(
                    f"{folder} holds a model of format {manifest.get('format')!r}; this version "
                    f"reads format {_FORMAT}: train it again"
                )
            llmar = cls(Config.from_json(manifest["config"] | {"device": device}))
            llmar.targets = tuple(manifest["targets"])
            if (folder / _SOURCE).exists():
                llmar.source_embedder = source_embedder.load(folder / _SOURCE)
            if manifest["shared_embedder"]:
                llmar.target_embedder = llmar.source_embedder
            elif (folder / _TARGET).exists():
                llmar.target_embedder = target_embedder.load(folder / _TARGET)
            policy = llmar.trainer.restore(folder, manifest, llmar.target_embedder)
            _load_weights(policy, load_file(str(folder / _WEIGHTS)))
        except (json.JSONDecodeError, KeyError, SafetensorError) as error:
            raise ValueError(f"{folder} holds a model that is damaged: {error}") from error
        policy.to(llmar.device)
        return llmar


def _load_weights(policy: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Give a policy weights, of the names and shapes that it has.

    Raises:
        ValueError: they are those of another.
    """
    own = policy.state_dict()
    shapes, found = (
        {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        for tensors in (own, weights)
    )
    if shapes != found:
        name = next(name for name in [*shapes, *found] if shapes.get(name) != found.get(name))
        raise ValueError(
            f"the weights are of another network: {name} is {found.get(name)}, and should be "
            f"{shapes.get(name)}"
        )
    policy.load_state_dict(weights)

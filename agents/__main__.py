"""Let a trained model write, refine and be evaluated: `python -m agents --help`."""

from __future__ import annotations

import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import tyro
from rich.console import Console

from llmar_env.metrics import TextScores
from llmar_env.text.corpus import read_split

from .inference.decoding import Method
from .llmar import LLMAR
from .report import numbers, print_signatures, score_table
from .terminal import plain_words

__all__ = ["Evaluate", "Generate", "Refine", "cli"]

_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class _Command:
    """What all commands ask for."""

    model: Path
    """Folder of a run, or of the model in it."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1; one that is asked for and absent is an error."""
    method: Method = "greedy"
    """How texts are decoded: csls needs many texts in a batch, beam and best_of take longest."""
    batch_size: int = 512
    """Texts that are read, and then answered, at a time."""
    jsonl: bool = False
    """Print JSON, one object a line."""

    def load(self) -> LLMAR:
        """The model, on its device."""
        return LLMAR.load(self.model, device=self.device)


@dataclass(frozen=True, kw_only=True)
class _Writing(_Command, ABC):
    """What the commands ask for that write."""

    text: str | None = None
    """The text to write about."""
    file: Path | None = None
    """A file of such texts, one a line. Without it, and without --text, standard input is read."""

    def run(self) -> None:
        """Read texts, and print what is written about them, batch by batch."""
        for _ in self.write():
            pass

    def write(self) -> Iterator[dict[str, Any]]:
        """Print the answer to each text, and give it on."""
        llmar = self.load()
        _ = llmar.writer  # a model that writes nothing is refused before texts are read
        for batch in _batches(self.sources(), self.batch_size):
            texts = [source for source in batch if source]
            answers = iter(self.answer(llmar, texts) if texts else [])
            for source in batch:
                # A blank line stays blank, so that lines keep their numbers.
                answer = next(answers) if source else {"text": ""}
                if self.jsonl:
                    print(json.dumps({"source": source} | answer, ensure_ascii=False))
                else:
                    print(" ".join(answer["text"].splitlines()))
                yield answer
            sys.stdout.flush()

    @abstractmethod
    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """What is written about texts, as JSON-able data, with the string as "text"."""

    def sources(self) -> Iterator[str]:
        """The texts, read as they are asked for.

        Raises:
            ValueError: there are two sources of them, or --text says nothing.
        """
        if self.text is not None and self.file is not None:
            raise ValueError("give --text or --file, not both")
        if self.text is not None:
            if not self.text.strip():
                raise ValueError("--text is blank")
            yield self.text.strip()
        elif self.file is not None:
            with self.file.open("rb") as stream:
                yield from _lines(stream, str(self.file))
        else:
            yield from _lines(sys.stdin.buffer, "standard input")


@dataclass(frozen=True, kw_only=True)
class Generate(_Writing):
    """Write a text about each text: lines, or JSON of source and text."""

    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """The texts."""
        return [{"text": text} for text in llmar.generate(texts, method=self.method)]


@dataclass(frozen=True, kw_only=True)
class Refine(_Writing):
    """Write texts, and correct them until they align: lines, or JSON with the scores by round.

    The scores are the model's own estimate, since no target is known.
    """

    threshold: float = 0.9
    """Estimated alignment that is good enough, in (0, 1]."""
    max_rounds: int = 8
    """Rounds, in each of which one word of a text is corrected, at the most."""

    def run(self) -> None:
        """Print the texts, and on standard error how many have reached the threshold."""
        reached = [answer["reached"] for answer in self.write() if "reached" in answer]
        count = f"{sum(reached)} of {len(reached)} texts"
        print(f"{count} have reached {self.threshold}", file=sys.stderr)

    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """The texts, with their scores by round and whether they have reached the threshold."""
        refined = llmar.refine(texts, self.threshold, self.max_rounds, method=self.method)
        return [asdict(text) for text in refined]


@dataclass(frozen=True, kw_only=True)
class Evaluate(_Command):
    """Answer the texts of a file, and score the answers against their targets."""

    data: str
    """A TSV, CSV, JSONL or parquet file, or the built-in corpus, of which "test" is taken."""
    source_column: str = "source"
    """Column of the input texts."""
    target_column: str = "target"
    """Column of the texts that should be answered."""

    def run(self) -> None:
        """Print a table, or an object, of the scores."""
        llmar = self.load()
        options = {"method": self.method} if llmar.config.writes else {}
        pairs = read_split(
            self.data, "test", source_column=self.source_column, target_column=self.target_column
        )
        answers = [
            answer
            for batch in _batches(pairs.source, self.batch_size)
            for answer in llmar.generate(batch, **options)
        ]
        scores = llmar.evaluate(answers, pairs.target)
        signatures = dict(scores.signatures) if isinstance(scores, TextScores) else {}
        if self.jsonl:
            found = {"texts": len(pairs)} | numbers(scores) | {"signatures": signatures}
            print(json.dumps(found))
            return
        console = Console()
        console.print(score_table(f"{len(pairs):,} texts of {self.data}", {"trained": scores}))
        print_signatures(signatures, console)


def _batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    if size < 1:
        raise ValueError(f"--batch-size must be at least 1, found {size}")
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _lines(stream: BinaryIO, name: str) -> Iterator[str]:
    """Lines of UTF-8, without the blanks around them.

    Raises:
        ValueError: a line is something else; the message says which.
    """
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise ValueError(f"{name}, line {number} is not UTF-8: {error.reason}") from None


def cli(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says; what a user can mend ends in one line."""
    with plain_words():
        command = tyro.cli(
            Generate | Refine | Evaluate,
            prog="python -m agents",
            description="Let a trained model write, refine and be evaluated.",
            args=arguments,
        )
        try:
            command.run()
        except BrokenPipeError:
            # Whoever read the output has read enough; Python would complain when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    cli()

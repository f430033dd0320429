"""Commands that write: generate and refine."""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .base import Command, batches, lines_of

if TYPE_CHECKING:
    from ..llmar import LLMAR

__all__ = ["Generate", "Refine"]


@dataclass(frozen=True, kw_only=True)
class Writing(Command, ABC):
    """Options of the commands that write, and how they read and print."""

    text: str | None = None
    """The text to write about."""
    file: Path | None = None
    """A file of such texts, one a line. Without it, and without --text, standard input is read."""

    def run(self) -> None:
        """Read texts, and print what is written about them, batch by batch."""
        for _ in self.write():
            pass

    def write(self) -> Iterator[dict[str, Any]]:
        """Print the answer to each text, and yield it."""
        llmar = self.load()
        _ = llmar.writer  # a model that writes nothing is refused before texts are read
        for batch in batches(self.sources(), self.batch_size):
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
            ValueError: both --text and --file are given, or --text is blank.
        """
        if self.text is not None and self.file is not None:
            raise ValueError("give --text or --file, not both")
        if self.text is not None:
            if not self.text.strip():
                raise ValueError("--text is blank")
            yield self.text.strip()
        elif self.file is not None:
            with self.file.open("rb") as stream:
                yield from lines_of(stream, str(self.file))
        else:
            yield from lines_of(sys.stdin.buffer, "standard input")


@dataclass(frozen=True, kw_only=True)
class Generate(Writing):
    """Write a text about each input text."""

    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """The texts."""
        return [{"text": text} for text in llmar.generate(texts, method=self.method)]


@dataclass(frozen=True, kw_only=True)
class Refine(Writing):
    """Write texts, and correct them until they align."""

    threshold: float = 0.9
    """Alignment that is good enough, in (0, 1]; an estimate of the model, which knows no target."""
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

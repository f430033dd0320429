"""The commands that write texts: generate and refine."""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..options import option, refuse
from .base import Command, batches, lines_of

if TYPE_CHECKING:
    from ..llmar import LLMAR

__all__ = ["Generate", "Refine"]


@dataclass(frozen=True, kw_only=True)
class WritingCommand(Command, ABC):
    """Options, input and output of the commands that write texts."""

    text: str | None = None
    """The input text."""
    file: Path | None = None
    """A file of input texts, one per line. Without --file and --text, standard input is read."""

    def __post_init__(self) -> None:
        """Check all options."""
        super().__post_init__()
        if self.text is not None and self.file is not None:
            refuse("text", "and --file cannot both be given: give --text or --file, not both")
        if self.text is not None and not self.text.strip():
            refuse("text", "is blank")
        if self.file is not None and not self.file.exists():
            refuse("file", f"names no file: {self.file}")

    def run(self) -> None:
        """Read texts and print the answers, batch by batch."""
        for _ in self.write():
            pass

    def write(self) -> Iterator[dict[str, Any]]:
        """Print the answer to each text, and yield it."""
        llmar = self.load()
        _ = llmar.writer  # raises for a model that answers with vectors, before texts are read
        for batch in batches(self.sources(), self.batch_size):
            texts = [source for source in batch if source]
            answers = iter(self.answer(llmar, texts) if texts else [])
            for source in batch:
                # A blank line stays blank, so that output lines match input lines.
                answer = next(answers) if source else {"text": ""}
                if self.jsonl:
                    print(json.dumps({"source": source} | answer, ensure_ascii=False))
                else:
                    print(" ".join(answer["text"].splitlines()))
                yield answer
            sys.stdout.flush()

    @abstractmethod
    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """The answers to texts, as JSON-serializable data, with the string under "text"."""

    def sources(self) -> Iterator[str]:
        """The input texts, read on demand."""
        if self.text is not None:
            yield self.text.strip()
        elif self.file is not None:
            with self.file.open("rb") as stream:
                yield from lines_of(stream, str(self.file))
        else:
            yield from lines_of(sys.stdin.buffer, "standard input")


@dataclass(frozen=True, kw_only=True)
class Generate(WritingCommand):
    """Write answers to texts."""

    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """The written texts."""
        return [{"text": text} for text in llmar.generate(texts, method=self.method)]


@dataclass(frozen=True, kw_only=True)
class Refine(WritingCommand):
    """Write answers to texts, and correct them until they align."""

    threshold: float = option(0.9, above=0, at_most=1)
    """Alignment to reach, in (0, 1], as the model estimates it; the targets are unknown."""
    max_rounds: int = option(8, at_least=0)
    """Maximum number of rounds. Each round corrects at most one word of a text."""

    def run(self) -> None:
        """Print the texts; report on standard error how many have reached the threshold."""
        reached = [answer["reached"] for answer in self.write() if "reached" in answer]
        count = f"{sum(reached)} of {len(reached)} texts"
        print(f"{count} have reached {self.threshold}", file=sys.stderr)

    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """The texts, with their scores by round and whether they reached the threshold."""
        refined = llmar.refine(texts, self.threshold, self.max_rounds, method=self.method)
        return [asdict(text) for text in refined]

"""The commands that write texts: generate and refine."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..options import option
from .base import DecodingCommand, TextInput, batches
from .terminal import print_json, print_text

if TYPE_CHECKING:
    from ..llmar import LLMAR

__all__ = ["Generate", "Refine"]


@dataclass(frozen=True, kw_only=True)
class WritingCommand(TextInput, DecodingCommand, ABC):
    """Options and output of the commands that write texts."""

    def run(self) -> None:
        """Read texts and print the answers, batch by batch."""
        for _ in self.write():
            pass

    def write(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Print the answer to each text, and yield the text and the answer."""
        self.check()
        llmar = self.load()
        _ = llmar.writer  # raises for a model that answers with vectors, before texts are read
        for batch in batches(self.sources(), self.batch_size):
            texts = [source for source in batch if source]
            answers = iter(self.answer(llmar, texts) if texts else [])
            for source in batch:
                # A blank line stays blank, so that output lines match input lines.
                answer = next(answers) if source else self.blank()
                if self.jsonl:
                    print_json({"source": source} | answer)
                else:
                    print_text(" ".join(answer["text"].splitlines()))
                    if answer["unknown"]:
                        print(f"unknown: {', '.join(answer['unknown'])}", file=sys.stderr)
                yield source, answer
            print(end="", flush=True)

    @abstractmethod
    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """The answers to texts, as JSON-serializable data, with the string under "text"."""

    @abstractmethod
    def blank(self) -> dict[str, Any]:
        """What a blank line gets, with the same fields as an answer."""


@dataclass(frozen=True, kw_only=True)
class Generate(WritingCommand):
    """Write answers to texts."""

    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """The written texts, with their confidence and the words that training never saw."""
        return [asdict(answer) for answer in llmar.answer(texts, **self.decoding)]

    def blank(self) -> dict[str, Any]:
        """No text."""
        from ..inference.confidence import Answer

        return asdict(Answer("", None))


@dataclass(frozen=True, kw_only=True)
class Refine(WritingCommand):
    """Write answers to texts, and correct them until they align."""

    threshold: float = option(0.9, above=0, at_most=1)
    """Alignment to reach, in (0, 1], as the model estimates it; the targets are unknown."""
    max_rounds: int = option(8, at_least=0)
    """Maximum number of rounds. Each round corrects at most one word of a text."""

    def run(self) -> None:
        """Print the texts; report on standard error how many have reached the threshold."""
        reached = [answer["reached"] for source, answer in self.write() if source]
        count = f"{sum(reached)} of {len(reached)} texts"
        print(f"{count} have reached {self.threshold}", file=sys.stderr)

    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """The texts, with their scores by round and whether they reached the threshold."""
        refined = llmar.refine(texts, self.threshold, self.max_rounds, **self.decoding)
        return [asdict(text) for text in refined]

    def blank(self) -> dict[str, Any]:
        """No text, no scores, not reached."""
        from ..trainers.generate import RefinedText

        return asdict(RefinedText("", (), reached=False))

"""The commands that write texts: generate and refine."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import ReadingConfig
from ..options import option, refuse
from ..reading import STDIN, argument_text, read_lines, read_pairs, standard_input
from .base import Command, batches
from .terminal import print_json, print_text

if TYPE_CHECKING:
    from ..llmar import LLMAR

__all__ = ["Generate", "Refine"]


@dataclass(frozen=True, kw_only=True)
class WritingCommand(ReadingConfig, Command, ABC):
    """Options, input and output of the commands that write texts."""

    text: str | None = None
    """The input text."""
    file: Path | None = None
    """A file of input texts: a TSV, CSV, JSONL or parquet file with a source column; any other file
    has one text a line. Without --file and --text, standard input is read."""

    def __post_init__(self) -> None:
        """Check all options."""
        super().__post_init__()
        if self.text is not None and self.file is not None:
            refuse("text", "and --file cannot both be given: give --text or --file, not both")
        if self.text is not None and not self.text.strip():
            refuse("text", "is blank")

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
                yield source, answer
            print(end="", flush=True)

    @abstractmethod
    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """The answers to texts, as JSON-serializable data, with the string under "text"."""

    @abstractmethod
    def blank(self) -> dict[str, Any]:
        """What a blank line gets, with the same fields as an answer."""

    def check(self) -> None:
        """Check that the input is there, before the model is loaded.

        Raises:
            ValueError: --text is not UTF-8.
            OSError: there is no such file, or it is a folder.
        """
        from llmar_env.text.readers import check_file

        if self.text is not None:
            argument_text(self.text, "--text")
        if self.file is not None and str(self.file) != STDIN:
            check_file(self.file)

    def sources(self) -> Iterator[str]:
        """The input texts; lines are read on demand.

        Raises:
            ValueError: a text cannot be read as the options say.
        """
        from llmar_env.text.readers import has_format

        name = STDIN if self.file is None else str(self.file)
        if self.text is not None:
            yield argument_text(self.text, "--text").strip()
        elif self.format is not None or has_format(name):
            yield from read_pairs(name, "", self).source
        elif name == STDIN:
            yield from read_lines(standard_input(), "standard input", self.on_bad_row)
        else:
            with open(name, "rb") as stream:
                yield from read_lines(stream, name, self.on_bad_row)


@dataclass(frozen=True, kw_only=True)
class Generate(WritingCommand):
    """Write answers to texts."""

    def answer(self, llmar: LLMAR, texts: list[str]) -> list[dict[str, Any]]:
        """The written texts."""
        return [{"text": text} for text in llmar.generate(texts, method=self.method)]

    def blank(self) -> dict[str, Any]:
        """No text."""
        return {"text": ""}


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
        refined = llmar.refine(texts, self.threshold, self.max_rounds, method=self.method)
        return [asdict(text) for text in refined]

    def blank(self) -> dict[str, Any]:
        """No text, no scores, not reached."""
        return {"text": "", "scores": [], "reached": False}

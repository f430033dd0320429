"""The commands that write texts: generate and refine."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..options import option, refuse
from ..reading import read_lines
from .base import DecodingCommand, TextInput, batches
from .terminal import print_json, print_text

if TYPE_CHECKING:
    from ..llmar import LLMAR

__all__ = ["Generate", "Refine"]

_Item = tuple[str, str | None]  # a text, and the draft of its answer


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
        for batch in batches(self.items(), self.batch_size):
            filled = [item for item in batch if item[0]]
            answers = iter(self.answer(llmar, filled) if filled else [])
            for source, _ in batch:
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

    def items(self) -> Iterator[_Item]:
        """The texts, each with the draft of its answer, if there is one."""
        return ((source, None) for source in self.sources())

    @abstractmethod
    def answer(self, llmar: LLMAR, items: list[_Item]) -> list[dict[str, Any]]:
        """The answers to texts, as JSON-serializable data, with the string under "text"."""

    @abstractmethod
    def blank(self) -> dict[str, Any]:
        """What a blank line gets, with the same fields as an answer."""


@dataclass(frozen=True, kw_only=True)
class Generate(WritingCommand):
    """Write answers to texts."""

    def answer(self, llmar: LLMAR, items: list[_Item]) -> list[dict[str, Any]]:
        """The written texts, with their confidence and the words that training never saw."""
        texts = [text for text, _ in items]
        return [asdict(answer) for answer in llmar.answer(texts, **self.decoding)]

    def blank(self) -> dict[str, Any]:
        """No text."""
        from ..inference.confidence import Answer

        return asdict(Answer("", None))


@dataclass(frozen=True, kw_only=True)
class Refine(WritingCommand):
    """Write answers, and correct them until they align."""

    threshold: float = option(0.9, above=0, at_most=1)
    """Alignment to reach, in (0, 1], as the model estimates it; the targets are unknown."""
    max_rounds: int = option(8, at_least=0)
    """Maximum number of rounds. Each round corrects at most one word of a text."""
    drafts: Path | None = None
    """A file with a draft for each input text, one a line, maybe blank, in place of the model's own
    drafts."""

    def __post_init__(self) -> None:
        """Check all options."""
        super().__post_init__()
        if self.drafts is not None and self.method != "greedy":
            refuse("method", "decodes drafts, and --drafts has them: leave one of the two out")

    def check(self) -> None:
        """Check that the files are there, before the model is loaded."""
        from llmar_env.text.readers import check_file

        super().check()
        if self.drafts is not None:
            check_file(self.drafts)

    def items(self) -> Iterator[_Item]:
        """The texts, each with the draft of its answer, if there is one.

        Raises:
            ValueError: there are more or fewer drafts than texts.
        """
        if self.drafts is None:
            yield from super().items()
            return
        with self.drafts.open("rb") as stream:
            drafts = read_lines(stream, str(self.drafts), self.on_bad_row)
            for count, (source, draft) in enumerate(zip_longest(self.sources(), drafts)):
                if source is None or draft is None:
                    fewer = (
                        "more drafts than texts" if source is None else "fewer drafts than texts"
                    )
                    raise ValueError(
                        f"{self.drafts} has {fewer}: there must be one line for each text, found "
                        f"the {'texts' if source is None else 'drafts'} to end after {count}"
                    )
                yield source, draft

    def run(self) -> None:
        """Print the texts; report on standard error how many have reached the threshold."""
        reached = [answer["reached"] for source, answer in self.write() if source]
        count = f"{sum(reached)} of {len(reached)} texts"
        print(f"{count} have reached {self.threshold}", file=sys.stderr)

    def answer(self, llmar: LLMAR, items: list[_Item]) -> list[dict[str, Any]]:
        """The texts, with their scores by round and whether they reached the threshold."""
        texts, drafts = [text for text, _ in items], [draft for _, draft in items]
        options = self.decoding if self.drafts is None else {"draft": drafts}
        refined = llmar.refine(texts, self.threshold, self.max_rounds, **options)
        return [asdict(text) for text in refined]

    def blank(self) -> dict[str, Any]:
        """No text, no scores, not reached."""
        from ..trainers.generate import RefinedText

        return asdict(RefinedText("", (), reached=False))

"""The command that ranks drafts from elsewhere, and corrects the best."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import PairsConfig
from ..options import option, refuse
from ..reading import read_lines, read_pairs
from .base import Command, TextInput, batches
from .terminal import print_json, print_text

if TYPE_CHECKING:
    from ..inference.drafting import Drafter, Ranked

__all__ = ["Rerank"]

_Drafts = tuple[str, Sequence[str]]  # a text, and the drafts of its answer


@dataclass(frozen=True, kw_only=True)
class Rerank(TextInput, Command):
    """Rank drafts of any origin, and correct them."""

    drafts: Path | None = None
    """A file of texts and drafts: JSONL with source, and drafts, a list; or a TSV, CSV, JSONL or
    parquet file with a source column and a draft column, one draft a row."""
    draft_column: str = "draft"
    """Column of the drafts."""
    drafter: str | None = None
    """hf:PATH_OR_NAME, a causal or sequence-to-sequence model of transformers, which drafts answers
    to --text, --file or standard input, in place of --drafts."""
    num_drafts: int = option(8, at_least=1)
    """Number of drafts that --drafter samples for a text."""
    prompt: str = "{text}"
    """What --drafter reads, with the text in place of {text}."""
    max_rounds: int = option(0, at_least=0)
    """Rounds of correction, each at most one word of a draft, before drafts are ranked. For a model
    that writes."""
    threshold: float = option(0.9, above=0, at_most=1)
    """Alignment, as it is estimated, from which on a draft is not corrected."""
    seed: int = option(0, at_least=0)
    """Seed of the samples of --drafter."""

    def __post_init__(self) -> None:
        """Check all options."""
        super().__post_init__()
        if (self.drafts is None) == (self.drafter is None):
            refuse("drafts", "or --drafter must be given, and not both")
        if self.drafts is not None and (self.text is not None or self.file is not None):
            refuse("drafts", "has the texts too: leave out --text and --file")
        if "{text}" not in self.prompt:
            refuse("prompt", f"needs {{text}}, where the text is put, found {self.prompt!r}")

    def run(self) -> None:
        """Print the best draft of each text; with --jsonl all of them with their scores.

        Raises:
            ValueError: the drafts or the model cannot be used as the options say.
            OSError: there is no such file.
        """
        from llmar_env.text.readers import check_file

        self.check()
        if self.drafts is not None:
            check_file(self.drafts)
        rank = self._ranker()
        for batch in batches(self._drafts(), self.batch_size):
            for (source, _), ranked in zip(batch, rank(batch), strict=True):
                if self.jsonl:
                    rows = zip(ranked.texts, ranked.scores, strict=True)
                    # JSON has no NaN; drafts without a finite score rank last.
                    drafts = [
                        {"text": text, "score": score if math.isfinite(score) else None}
                        for text, score in rows
                    ]
                    print_json({"source": source, "drafts": drafts})
                else:
                    print_text(" ".join(ranked.texts[0].split()) if ranked.texts else "")
            print(end="", flush=True)

    def _ranker(self) -> Any:
        """What ranks a batch of texts with drafts: an alignment model, or a model that writes."""
        from ..inference.drafting import rank_drafts

        score = self._scorer()

        def rank(batch: Sequence[_Drafts]) -> list[Ranked]:
            sources = [source for source, drafts in batch for _ in drafts]
            texts = [draft for _, drafts in batch for draft in drafts]
            corrected, scores = score(sources, texts) if texts else ([], [])
            ranked, first = [], 0
            for _, drafts in batch:
                span = slice(first, first + len(drafts))
                ranked.append(rank_drafts(corrected[span], scores[span]))
                first += len(drafts)
            return ranked

        return rank

    def _scorer(self) -> Any:
        """What corrects and scores drafts of answers to texts."""
        from llmar_env.alignment.text_alignment import TextAlignment, alignment_folder

        try:
            alignment_folder(self.model)
        except FileNotFoundError:
            writer = self.load()
            _ = writer.writer  # raises for a model that answers with vectors

            def refine(sources: list[str], drafts: list[str]) -> tuple[list[str], list[float]]:
                found = writer.refine(sources, self.threshold, self.max_rounds, draft=drafts)
                return [one.text for one in found], [one.scores[-1] for one in found]

            return refine
        if self.max_rounds:
            raise ValueError(
                f"--max-rounds is for a model that writes, and {self.model} only scores: leave it "
                "out"
            )
        for name in ("source_embedder", "target_embedder"):
            if getattr(self, name) is not None:
                flag = name.replace("_", "-")
                raise ValueError(
                    f"--{flag} is for a model that writes, and {self.model} only scores"
                )
        alignment = TextAlignment.load(self.model, device=self.device)

        def score(sources: list[str], drafts: list[str]) -> tuple[list[str], list[float]]:
            return drafts, alignment.score(sources, drafts).tolist()

        return score

    def _drafts(self) -> Iterator[_Drafts]:
        """The texts, each with the drafts of its answer."""
        if self.drafts is not None:
            yield from self._read(self.drafts)
            return
        drafter = self._drafter()
        for batch in batches((text for text in self.sources() if text), 32):
            yield from zip(batch, drafter.draft(batch, self.num_drafts), strict=True)

    def _drafter(self) -> Drafter:
        from ..inference.drafting import Drafter
        from ..networks.device import resolve_device

        assert self.drafter is not None
        device = resolve_device(self.device)
        return Drafter(self.drafter, prompt=self.prompt, device=device, seed=self.seed)

    def _read(self, path: Path) -> Iterator[_Drafts]:
        """The drafts of a file, those of one text together.

        Raises:
            ValueError: a row cannot be used; the message names it.
        """
        if lists := _read_lists(path, self.source_column):
            yield from lists
            return
        columns = PairsConfig(
            source_column=self.source_column,
            target_column=self.draft_column,
            on_bad_row=self.on_bad_row,
            format=self.format,
        )
        pairs = read_pairs(str(path), "", columns)
        found: dict[str, list[str]] = {}
        for source, draft in zip(pairs.source, pairs.target, strict=True):
            found.setdefault(source, []).append(draft)
        yield from found.items()


def _read_lists(path: Path, source_column: str) -> list[_Drafts]:
    """The lines of a JSONL file with lists of drafts; none of any other file.

    Raises:
        ValueError: a line has something else; the message names it.
    """
    if path.suffix != ".jsonl":
        return []
    found: list[_Drafts] = []
    with path.open("rb") as file:
        for number, line in enumerate(read_lines(file, str(path)), 1):
            if not line:
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number} is no JSON: {error}") from None
            if not found and not (isinstance(record, dict) and "drafts" in record):
                return []
            if not _has_drafts(record, source_column):
                raise ValueError(
                    f'{path}, line {number} must be {{"{source_column}": "...", "drafts": ["...", '
                    f"...]}}, found {line[:80]}"
                )
            found.append((record[source_column], record["drafts"]))
    return found


def _has_drafts(record: Any, source_column: str) -> bool:
    """Whether a line has a text that is not blank, and a list of strings."""
    if not isinstance(record, dict):
        return False
    source, drafts = record.get(source_column), record.get("drafts")
    filled = isinstance(source, str) and bool(source.strip())
    return filled and isinstance(drafts, list) and all(isinstance(one, str) for one in drafts)

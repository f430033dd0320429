"""The command that scores a model on a file."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .base import Command, batches, check_data

__all__ = ["Evaluate"]


@dataclass(frozen=True, kw_only=True)
class Evaluate(Command):
    """Score the answers to a file of texts against their targets."""

    data: str
    """A TSV, CSV, JSONL or parquet file, or the built-in corpus, whose "test" split is used."""
    source_column: str = "source"
    """Column of the input texts."""
    target_column: str = "target"
    """Column of the target texts."""

    def run(self) -> None:
        """Print the scores, as a table or as JSON.

        Raises:
            ValueError: the texts are not there, or the model answers with vectors and a decoding
                method is given.
        """
        check_data(self.data)
        from rich.console import Console

        from llmar_env.metrics import TextScores
        from llmar_env.text.corpus import read_split

        from .report import numbers, print_signatures, score_table

        llmar = self.load()
        if not llmar.config.writes and self.method != "greedy":
            raise ValueError(
                "--method is for models that write texts; this one answers with vectors: leave it "
                f"out, found {self.method!r}"
            )
        options = {"method": self.method} if llmar.config.writes else {}
        pairs = read_split(
            self.data, "test", source_column=self.source_column, target_column=self.target_column
        )
        answers = [
            answer
            for batch in batches(pairs.source, self.batch_size)
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

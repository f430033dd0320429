"""The command that scores a model on a file."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config import PairsConfig
from ..reading import check_data, read_pairs
from .base import Command, batches
from .terminal import report_console

if TYPE_CHECKING:
    from llmar_env.text.pairs import TextPairs

__all__ = ["Evaluate"]


@dataclass(frozen=True, kw_only=True)
class Evaluate(PairsConfig, Command):
    """Score the answers to a file of texts against their targets."""

    data: str
    """A TSV, CSV, JSONL or parquet file, - for standard input, or the built-in corpus, whose "test"
    split is used."""

    def run(self) -> None:
        """Print the scores, as a table or as JSON.

        Raises:
            ValueError: the texts or the model cannot be used as the options say; or the model
                answers with vectors, and a decoding method is given.
            OSError: there is no such file.
        """
        check_data(self.data, self)
        from llmar_env.metrics import TextScores

        from .report import numbers, print_signatures, score_table

        llmar = self.load()
        if not llmar.config.writes and self.method != "greedy":
            raise ValueError(
                "--method is for models that write texts; this one answers with vectors: leave it "
                f"out, found {self.method!r}"
            )
        options = {"method": self.method} if llmar.config.writes else {}
        pairs = read_pairs(self.data, "test", self)
        _warn_of_unfit(pairs, self.data, llmar.config.data.data)
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
        console = report_console()
        console.print(score_table(f"{len(pairs):,} texts of {pairs.name}", {"trained": scores}))
        print_signatures(signatures, console)


def _warn_of_unfit(pairs: TextPairs, data: str, trained_on: str) -> None:
    """Warn of texts whose scores mean little: those of other languages, or with one target."""
    from llmar_env.text.phrasebook import Phrasebook
    from llmar_env.text.phrasebook.names import PREFIX

    both = [name for name in (data, trained_on) if name.startswith(PREFIX)]
    if len({Phrasebook.from_name(name).name for name in both}) > 1:
        warnings.warn(
            f"the model was trained on {trained_on}: the languages of {data} are others",
            stacklevel=2,
        )
    for what in pairs.constant_sides():
        warnings.warn(
            f"the {len(pairs)} {what} of {pairs.name} do not differ: a constant answer scores best",
            stacklevel=2,
        )

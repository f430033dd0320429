"""The command that scores a model on a file, or on a collection."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..config import PairsConfig
from ..reading import check_data, read_pairs
from .base import DecodingCommand, batches
from .terminal import report_console

if TYPE_CHECKING:
    from llmar_env.text.pairs import TextPairs

    from ..inference.calibration import Reliability
    from .report import AnyScores

__all__ = ["Evaluate"]


@dataclass(frozen=True, kw_only=True)
class Evaluate(PairsConfig, DecodingCommand):
    """Score answers, or a query adapter's searches."""

    data: str
    """A TSV, CSV, JSONL or parquet file, - for standard input, or the built-in corpus, whose "test"
    split is used; for a query adapter, a folder of the BEIR layout, or phrasebook:en."""

    def run(self) -> None:
        """Print the scores, as a table or as JSON.

        Raises:
            ValueError: the texts or the model cannot be used as the options say; or the model
                answers with vectors, and a decoding method is given.
            OSError: there is no such file.
        """
        is_folder = Path(self.data).is_dir()
        if not is_folder:
            check_data(self.data, self)
        llmar = self.load()
        from ..inference.confidence import UnknownWordsWarning, describe_unknown

        if is_folder and not llmar.config.retrieves:
            raise ValueError(f"{self.data} is a folder: this model is scored on a file of texts")
        if not llmar.config.writes and self.method != "greedy":
            raise ValueError(
                "--method is for models that write texts; this one answers with vectors: leave it "
                f"out, found {self.method!r}"
            )
        if llmar.config.retrieves:
            found = llmar.measure_queries(self.data)
            self._show(found.scores, found.reliability, f"Test queries of {self.data}")
            return
        options = self.decoding if llmar.config.writes else {}
        pairs = read_pairs(self.data, "test", self)
        _warn_of_unfit(pairs, self.data, llmar.config.texts)
        # Words that training never saw are counted over all texts, not told batch by batch.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownWordsWarning)
            answers = [
                answer
                for batch in batches(pairs.source, self.batch_size)
                for answer in (
                    llmar.answer(batch, **options) if llmar.config.writes else llmar.generate(batch)
                )
            ]
        given = [one.text for one in answers] if llmar.config.writes else answers
        scores = llmar.evaluate(given, pairs.target)
        reliability = llmar.reliability(answers, pairs.target)
        unknown = llmar.unknown(pairs.source)
        if message := describe_unknown(unknown):
            warnings.warn(message, UnknownWordsWarning, stacklevel=2)
        title = f"{len(pairs):,} texts of {pairs.name}"
        count = sum(map(bool, unknown))
        self._show(scores, reliability, title, {"texts": len(pairs), "with_unknown_words": count})

    def _show(
        self,
        scores: AnyScores,
        reliability: Reliability | None,
        title: str,
        also: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Print scores as tables, or as JSON with what else is known."""
        from llmar_env.metrics import TextScores

        from .report import numbers, print_signatures, reliability_table, score_table

        signatures = dict(scores.signatures) if isinstance(scores, TextScores) else {}
        if self.jsonl:
            confidence = {} if reliability is None else {"reliability": reliability.as_json()}
            print(json.dumps({**also, **numbers(scores), **confidence, "signatures": signatures}))
            return
        console = report_console()
        console.print(score_table(title, {"trained": scores}))
        if reliability is not None:
            console.print(reliability_table("Confidence", reliability))
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

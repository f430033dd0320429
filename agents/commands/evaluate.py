"""The command that scores a model or a file of answers, and compares two of them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import PairsConfig
from ..options import refuse
from ..reading import check_data, read_lines, read_pairs
from .base import DecodingCommand, batches
from .terminal import report_console

if TYPE_CHECKING:
    from llmar_env.metrics import PerText
    from llmar_env.text.pairs import TextPairs

    from ..inference.calibration import Reliability
    from ..llmar import LLMAR
    from .report import AnyScores

__all__ = ["Evaluate"]


@dataclass(frozen=True)
class _Evaluated:
    """What answered, and how well."""

    name: str
    scores: AnyScores
    measures: Mapping[str, PerText]
    reliability: Reliability | None = None
    also: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Evaluate(PairsConfig, DecodingCommand):
    """Score answers, or a query adapter's searches."""

    data: str
    """A TSV, CSV, JSONL or parquet file, - for standard input, or the built-in corpus, whose "test"
    split is used; for a query adapter, a folder of the BEIR layout, or phrasebook:en."""
    answers: Path | None = None
    """A file of answers to score in place of the model's own, one a line, maybe blank; the model
    gives the vectors in which their alignment is measured."""
    against: Path | None = None
    """What to compare with: the folder of another model, or a file of answers."""

    def __post_init__(self) -> None:
        """Check all options."""
        super().__post_init__()
        if self.answers is not None and self.method != "greedy":
            refuse("method", "decodes answers, and --answers has them: leave one of the two out")

    def run(self) -> None:
        """Print the scores with their intervals, as tables or as JSON.

        Raises:
            ValueError: the texts or the model cannot be used as the options say; or the model
                answers with vectors, and a decoding method or a file of answers is given.
            OSError: there is no such file.
        """
        self._check()
        llmar = self.load()
        if Path(self.data).is_dir() and not llmar.config.retrieves:
            raise ValueError(f"{self.data} is a folder: this model is scored on a file of texts")
        if not llmar.config.writes and self.method != "greedy":
            raise ValueError(
                "--method is for models that write texts; this one answers with vectors: leave it "
                f"out, found {self.method!r}"
            )
        if llmar.config.retrieves:
            self._refuse_files("is a query adapter, which answers with searches")
            title = f"Test queries of {self.data}"
            found = [_search(one, self.data, name) for name, one in self._models(llmar)]
        else:
            pairs = read_pairs(self.data, "test", self)
            _warn_of_unfit(pairs, self.data, llmar.config.texts)
            title = f"{len(pairs):,} texts of {pairs.name}"
            found = self._answer(llmar, pairs)
        self._show(title, found)

    def _check(self) -> None:
        """Check that the files are there, before the model is loaded."""
        from llmar_env.text.readers import check_file

        if not Path(self.data).is_dir():
            check_data(self.data, self)
        if self.answers is not None and self.answers.is_dir():
            raise ValueError(f"--answers must be a file, found the folder {self.answers}")
        for path in (self.answers, self.against):
            if path is not None and not path.is_dir():
                check_file(path)

    def _refuse_files(self, why: str) -> None:
        """Refuse files of answers, for a model that does not write."""
        against = self.against if self.against is not None and self.against.is_file() else None
        if path := self.answers or against:
            raise ValueError(f"{path} cannot be scored: {self.model} {why}")

    def _models(self, llmar: LLMAR) -> list[tuple[str, LLMAR]]:
        """The model, and the one to compare it with."""
        if self.against is None:
            return [("trained", llmar)]
        return [("trained", llmar), (str(self.against), self.load(self.against))]

    def _answer(self, llmar: LLMAR, pairs: TextPairs) -> list[_Evaluated]:
        """Score the answers to texts, and those to compare with."""
        if not llmar.config.writes:
            self._refuse_files("answers with vectors")
            return [self._score(one, pairs, name) for name, one in self._models(llmar)]
        found = [self._of_path(llmar, pairs, "trained", self.answers)]
        if self.against is not None:
            found.append(self._of_path(llmar, pairs, str(self.against), self.against))
        return found

    def _of_path(self, llmar: LLMAR, pairs: TextPairs, name: str, path: Path | None) -> _Evaluated:
        """Score the answers of a file, or those of a model: that of a folder, or the given one."""
        if path is None:
            return self._score(llmar, pairs, name)
        if path.is_file():
            with path.open("rb") as stream:
                lines = list(read_lines(stream, str(path), self.on_bad_row))
            if len(lines) != len(pairs):
                raise ValueError(f"{path} has {len(lines)} answers for {len(pairs)} texts")
            return _score_texts(llmar, lines, pairs, str(path))
        return self._score(self.load(path), pairs, name, vectors=llmar)

    def _score(
        self, llmar: LLMAR, pairs: TextPairs, name: str, vectors: LLMAR | None = None
    ) -> _Evaluated:
        """Score a model's answers; texts in the vectors of another model, if given."""
        from ..inference.confidence import UnknownWordsWarning, describe_unknown

        def answer(batch: list[str]) -> Any:
            writes = llmar.config.writes
            return llmar.answer(batch, **self.decoding) if writes else llmar.generate(batch)

        # Words that training never saw are counted over all texts, not told batch by batch.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownWordsWarning)
            answers = [
                one for batch in batches(pairs.source, self.batch_size) for one in answer(batch)
            ]
        unknown = llmar.unknown(pairs.source)
        if message := describe_unknown(unknown):
            warnings.warn(message, UnknownWordsWarning, stacklevel=2)
        also = {"with_unknown_words": sum(map(bool, unknown))}
        reliability = llmar.reliability(answers, pairs.target)
        if llmar.config.writes:
            found = _score_texts(vectors or llmar, [one.text for one in answers], pairs, name)
            return _Evaluated(name, found.scores, found.measures, reliability, also)
        scores = llmar.evaluate(answers, pairs.target)
        return _Evaluated(name, scores, llmar.measures(answers, pairs.target), reliability, also)

    def _show(self, title: str, found: Sequence[_Evaluated]) -> None:
        """Print scores as tables, or as JSON."""
        from llmar_env.metrics import TextScores, score_differences, score_intervals

        from .report import numbers, print_intervals, print_signatures, reliability_table

        first, *others = found
        intervals = [score_intervals(one.measures) for one in found]
        differences = [score_differences(first.measures, one.measures) for one in others]
        scores = first.scores
        signatures = dict(scores.signatures) if isinstance(scores, TextScores) else {}
        if self.jsonl:
            fields: dict[str, Any] = {"texts": len(next(iter(first.measures.values())).values)}
            fields |= {**first.also, **numbers(scores), "intervals": _plain(intervals[0])}
            if first.reliability is not None:
                fields["reliability"] = first.reliability.as_json()
            for one, its, difference in zip(others, intervals[1:], differences, strict=True):
                fields["against"] = {"name": one.name, **numbers(one.scores)}
                fields["against"] |= {"intervals": _plain(its), "difference": _plain(difference)}
            print(json.dumps({**fields, "signatures": signatures}))
            return
        console = report_console()
        print_intervals(title, {one.name: one.scores for one in found}, intervals, console)
        for one, difference in zip(others, differences, strict=True):
            print_intervals(f"Difference from {one.name}", {}, [difference], console)
        if first.reliability is not None:
            console.print(reliability_table("Confidence", first.reliability))
        print_signatures(signatures, console)


def _plain(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: asdict(one) for name, one in found.items()}


def _search(llmar: LLMAR, data: str, name: str) -> _Evaluated:
    """Score the searches of a query adapter."""
    from llmar_env.metrics import PerText

    found = llmar.measure_queries(data)
    measures = {measure: PerText.mean(values) for measure, values in found.values.items()}
    return _Evaluated(name, found.scores, measures, found.reliability)


def _score_texts(llmar: LLMAR, written: Sequence[str], pairs: TextPairs, name: str) -> _Evaluated:
    """Score written texts, in the vectors of a model."""
    scores = llmar.evaluate(written, pairs.target)
    return _Evaluated(name, scores, llmar.measures(written, pairs.target))


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

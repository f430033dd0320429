"""The report of a run: tables in the terminal, and a folder of results."""

from __future__ import annotations

import json
import platform
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmar_env.metrics import (
    Difference,
    Interval,
    RankingScores,
    Scores,
    TextScores,
    score_intervals,
)

from ..inference.calibration import Reliability
from ..llmar import LLMAR
from ..trainers.base import Trained
from ..training.validation import Record

__all__ = [
    "AnyScores",
    "interval_table",
    "numbers",
    "observations",
    "part_of_report",
    "plot_curves",
    "print_intervals",
    "print_report",
    "print_signatures",
    "reliability_table",
    "report_task",
    "score_table",
    "write_report",
]

AnyScores = Scores | TextScores | RankingScores

_ORDER = (
    "trained",
    "warm_start",
    "supervised",
    "start",
    "untrained",
    "linear",
    "bm25",
    "identity",
    "copy",
    "constant",
)
_COLORS = {"trained": "#1f6feb", "supervised": "#d29922", "warm_start": "#8250df"}
_PACKAGES = (
    "llmar",
    "gymnasium",
    "stable-baselines3",
    "torch",
    "numpy",
    "gensim",
    "tokenizers",
    "sacrebleu",
)
_COLUMNS = {
    Scores: {
        "alignment": "alignment",
        "p_at_1": "P@1",
        "p_at_10": "P@10",
        "mrr": "MRR",
        "reward": "reward",
    },
    TextScores: {
        "bleu_tok": "BLEU tok",
        "bleu_13a": "BLEU 13a",
        "chrf": "chrF",
        "rouge_l": "ROUGE-L",
        "alignment": "alignment",
        "p_at_1": "P@1",
        "cross_entropy": "nats",
        "reward": "reward",
    },
    RankingScores: {
        "ndcg_at_10": "nDCG@10",
        "recall_at_10": "recall@10",
        "mrr_at_10": "MRR@10",
        "p_at_1": "P@1",
        "reward": "reward",
    },
}
# Of all scores, those of tasks too.
_LABELS = {
    **{name: label for columns in _COLUMNS.values() for name, label in columns.items()},
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
    "recall_at_1_of_100": "R@1 of 100",
    "recall_at_5_of_100": "R@5 of 100",
    "recall_at_10_of_100": "R@10 of 100",
    "mrr_of_100": "MRR of 100",
}
_PANELS = {
    Scores: {"alignment": "alignment (cosine)", "p_at_1": "P@1 among the targets"},
    TextScores: {"bleu_tok": "BLEU, lower-cased tokens", "alignment": "alignment (cosine)"},
    RankingScores: {"ndcg_at_10": "nDCG@10", "p_at_1": "P@1"},
}
# The answers without learning that a trained agent must be better than, and what plots call them.
_REFERENCE = {
    Scores: ("constant", "constant answer"),
    TextScores: ("constant", "constant answer"),
    RankingScores: ("identity", "the embedder as it is"),
}
# A curve has stopped rising if so many validations, and half of all, were no better than the best.
_PLATEAU = 4
# What libraries raise, and the file system: a report is read with packages of many versions.
_FAILURES = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
_EXAMPLE_COLUMNS = {
    "source": "input",
    "nearest": "nearest target found",
    "written": "text written",
    "before": "found before",
    "found": "found",
    "alignment": "score",
    "target": "right target",
}


def print_report(trained: Trained, rows: list[dict[str, Any]], console: Console) -> None:
    """Print scores, examples and throughput."""
    for split, scores in trained.scores.items():
        console.print(score_table(f"Scores on {split}", scores))
        # On valid itself it was calibrated.
        if split != "valid" and split in trained.reliability:
            title = f"Confidence on {split}"
            console.print(reliability_table(title, trained.reliability[split]))
        if differences := trained.differences.get(split):
            console.print(_difference_table(split, differences))
    print_signatures(_signatures(trained.scores), console)
    if rows:
        console.print(_example_table(rows))
    for line in observations(trained):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    timings = trained.timings
    if "warm_seconds" in timings:
        rate = timings.get("warm_words_per_second")
        words = "" if rate is None else f", {rate:,.0f} words/s"
        console.print(f"warm start: {timings['warm_seconds']:.1f} s{words}")
    console.print(
        f"trained on the reward {trained.reward}; weights selected by {trained.metric} on valid",
        markup=False,
        highlight=False,
    )
    console.print(
        f"{timings['steps']:,.0f} steps in {timings['training_seconds']:.1f} s: "
        f"{timings['steps_per_second']:,.0f} steps/s, {timings['texts_per_second']:,.0f} texts/s; "
        f"{timings['total_seconds']:.1f} s in all"
    )


def observations(trained: Trained) -> list[str]:
    """What a reader of the scores should know, in one sentence each; often none.

    The notes of the training; whether the trained agent scores no better than a constant answer;
    and which training had stopped improving on "valid" long before it ended.
    """
    valid, metric = trained.scores["valid"], trained.metric
    lines = list(trained.notes)
    if "constant" in valid:
        own, constant = (float(getattr(valid[name], metric)) for name in ("trained", "constant"))
        if own <= constant:
            lines.append(
                f"the trained agent's {metric} on valid, {own:.3g}, is not above that of a "
                f"constant answer, {constant:.3g}: train for longer, or on more texts"
            )
    for name, records in trained.curves.items():
        if name == "supervised":  # a baseline, with the time of the agent
            continue
        values = [float(getattr(record.scores, metric)) for record in records]
        best = values.index(max(values))
        later = len(values) - 1 - best
        if later >= max(_PLATEAU, len(values) / 2):
            lines.append(
                f"{name.replace('_', ' ')}: the best {metric} on valid, {values[best]:.3g}, was "
                f"reached after {records[best].seconds:.1f} s, and none of the {later} later "
                f"validations, up to {records[-1].seconds:.1f} s, is better"
            )
    return lines + _over_optimization(trained)


def _rewards(records: Sequence[Record]) -> list[float]:
    """The proxies of validations under a reward without references; empty under others."""
    if not records or isinstance(records[0].scores, RankingScores):
        return []
    found = [
        record.scores.reward for record in records if not isinstance(record.scores, RankingScores)
    ]
    return [one for one in found if one is not None]


def _over_optimization(trained: Trained) -> list[str]:
    """Where a reward without references and the alignment with references part, if they do."""
    records = trained.curves.get("trained", [])
    proxy = _rewards(records)
    if len(proxy) < 2:
        return []
    truth = [
        record.scores.alignment
        for record in records
        if not isinstance(record.scores, RankingScores)
    ]
    best = truth.index(max(truth))
    if best == len(truth) - 1 or proxy[-1] <= proxy[best]:
        return []
    return [
        f"over-optimization: from {records[best].seconds:.1f} s on the reward on valid rose from "
        f"{proxy[best]:.3f} to {proxy[-1]:.3f}, and the alignment with the references fell from "
        f"{truth[best]:.3f} to {truth[-1]:.3f}"
    ]


def score_table(title: str, scores: Mapping[str, AnyScores]) -> Table:
    """A table of scores by who answered."""
    # Some scores are known of some writers alone, or under some rewards.
    columns = {
        name: label
        for name, label in _COLUMNS[_kind(scores)].items()
        if any(getattr(one, name) is not None for one in scores.values())
    }
    table = Table("answers of", *columns.values(), title=title)
    for name in _known(scores):
        values = [_shown(scores[name], column) for column in columns]
        style = "bold" if name == "trained" else None
        table.add_row(name.replace("_", " "), *values, style=style)
    return table


def print_intervals(
    title: str,
    scores: Mapping[str, AnyScores],
    intervals: Sequence[Mapping[str, Interval] | Mapping[str, Difference]],
    console: Console,
) -> None:
    """Print a table of scores with 95% intervals, a line for each score.

    Args:
        title: of the table.
        scores: by who answered; what has no interval is shown without; empty for differences.
        intervals: by the name of the score, for each of those who answered.
        console: where it is printed.
    """
    names = list(scores) or ["difference"]
    table = Table("", *names, title=f"{title}, with 95% intervals")
    known = {name for one in scores.values() for name in numbers(one)} | set(intervals[0])
    for name, label in _LABELS.items():
        if name in known:
            cells = (
                _with_interval(name, scores.get(who), one.get(name))
                for who, one in zip(names, intervals, strict=True)
            )
            table.add_row(label, *map(Text, cells))
    console.print(table)


def report_task(llmar: LLMAR, splits: Sequence[str], folder: Path, console: Console) -> None:
    """Print the scores of the task with their intervals, and write them into task.json."""
    task = llmar.task
    assert task is not None
    found = {
        split: {who: score_intervals(one) for who, one in llmar.task_measures(split).items()}
        for split in splits
    }
    for split, by in found.items():
        console.print(interval_table(f"{task.name} on {split}, with 95% intervals", by))
    plain = {
        split: {who: {name: asdict(one) for name, one in its.items()} for who, its in by.items()}
        for split, by in found.items()
    }
    _write_json(folder / "task.json", {"task": task.name, "measure": task.measure, **plain})


def interval_table(title: str, by: Mapping[str, Mapping[str, Interval]]) -> Table:
    """A table of scores by who answered, a line for each score; with 95% intervals of the first."""
    first, *others = _known(by)
    table = Table("", *(who.replace("_", " ") for who in (first, *others)), title=title)
    for name, label in _LABELS.items():
        if any(name in scores for scores in by.values()):
            cells = [_with_interval(name, None, by[first].get(name))]
            cells += [_value(name, by[who].get(name)) for who in others]
            table.add_row(label, *map(Text, cells))
    return table


def _value(name: str, one: Interval | None) -> str:
    """A score without its interval."""
    return "-" if one is None else f"{one.value:.{_digits(name)}f}"


def _digits(name: str) -> int:
    return 2 if name.startswith(("bleu", "chrf")) else 3


def _with_interval(name: str, scores: AnyScores | None, one: Interval | Difference | None) -> str:
    """A score and its interval, or the score alone."""
    if one is None:
        return "-" if scores is None else _shown(scores, name)
    digits = _digits(name)
    if isinstance(one, Difference):
        return f"{one.mean:+.{digits}f} [{one.low:+.{digits}f}, {one.high:+.{digits}f}]"
    return f"{one.value:.{digits}f} [{one.low:.{digits}f}, {one.high:.{digits}f}]"


def _difference_table(split: str, differences: Mapping[str, Mapping[str, Difference]]) -> Table:
    """A table of what the trained agent is ahead of others by, with intervals, in two scores."""
    columns = _PANELS[RankingScores]
    title = f"Trained minus others on {split}, with 95% intervals"
    table = Table("answers of", *columns.values(), title=title)
    for name in _known(differences):
        found = (differences[name][column] for column in columns)
        cells = (f"{one.mean:+.3f} [{one.low:+.3f}, {one.high:+.3f}]" for one in found)
        table.add_row(name.replace("_", " "), *map(Text, cells))
    return table


def reliability_table(title: str, reliability: Reliability) -> Table:
    """A table of confidence beside the share of answers that are right."""
    title = f"{title}: expected calibration error {reliability.error:.3f}"
    table = Table("confidence", "answers", "mean", "right", title=title)
    for one in reliability.bins:
        numbers = f"{one.answers:,}", f"{one.confidence:.2f}", f"{one.right:.2f}"
        table.add_row(f"{one.low:.1f} to {one.high:.1f}", *numbers)
    return table


def print_signatures(signatures: Mapping[str, str], console: Console) -> None:
    """Print sacrebleu's signature of each metric, so that scores can be compared with others."""
    for name, signature in signatures.items():
        label = _COLUMNS[TextScores][name]
        console.print(f"{label}: {signature}", markup=False, highlight=False, soft_wrap=True)


def _shown(scores: AnyScores, name: str) -> str:
    value = getattr(scores, name)
    if value is None:
        return "-"
    return f"{value:.{_digits(name)}f}"


def _kind(scores: Mapping[str, AnyScores]) -> type[AnyScores]:
    first = next(iter(scores.values()))
    return next(kind for kind in _COLUMNS if isinstance(first, kind))


def _known(scores: Mapping[str, Any]) -> list[str]:
    """The names in the order of the report; what it does not know comes last."""
    return sorted(scores, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


def _signatures(scores: Mapping[str, Mapping[str, AnyScores]]) -> dict[str, str]:
    """Sacrebleu's signatures by metric; empty if no texts were written."""
    found: dict[str, str] = {}
    for split in scores.values():
        for one in split.values():
            if isinstance(one, TextScores):
                found |= one.signatures
    return found


def _example_table(rows: list[dict[str, Any]]) -> Table:
    names = [name for name in rows[0] if name in _EXAMPLE_COLUMNS]
    table = Table(*(_EXAMPLE_COLUMNS[name] for name in names), title="Examples")
    for row in rows:
        cells = []
        for name in names:
            value = row[name]
            # `Text`, because rich would parse brackets in a plain string as markup.
            text = f"{value:.3f}" if name == "alignment" else value
            cells.append(Text(text, "green" if _is_right(row, name) else ""))
        table.add_row(*cells)
    return table


def _is_right(row: Mapping[str, Any], name: str) -> bool:
    """Whether a cell of an example is a right answer."""
    if name in ("nearest", "written"):
        return bool(row[name] == row["target"])
    return bool(row.get({"before": "relevant_before", "found": "relevant"}.get(name, "")))


def plot_curves(curves: Mapping[str, list[Record]], reference: AnyScores, path: Path) -> None:
    """Plot two validation scores against seconds of training, as PNG.

    If there was a warm start, a vertical line marks the start of reinforcement learning.

    Args:
        curves: validations by name.
        reference: scores of answers without learning, a horizontal line.
        path: the file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    kind = _kind({"": reference})
    panels, (_, label_of_reference) = _PANELS[kind], _REFERENCE[kind]
    if any(_rewards(records) for records in curves.values()):
        panels = {**panels, "reward": "reward, without references"}
    figure.set_size_inches(4.5 * len(panels), 3.6)
    for axes, (metric, label) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for name, records in curves.items():
            seconds = [record.seconds for record in records]
            values = [getattr(record.scores, metric) for record in records]
            shown = name.replace("_", " ")
            axes.plot(seconds, values, ".-", color=_COLORS.get(name), label=shown)
        if getattr(reference, metric) is not None:
            axes.axhline(getattr(reference, metric), color="grey", ls=":", label=label_of_reference)
        if "warm_start" in curves:
            begins = curves["trained"][0].seconds
            axes.axvline(begins, color="grey", ls="--", label="reinforcement begins")
        axes.set(xlabel="seconds of training", title=label)
        axes.set_ylim((-2.0, 102.0) if metric == "bleu_tok" else (-0.05, 1.02))
        axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=130)


@contextmanager
def part_of_report(name: str) -> Iterator[None]:
    """Warn, in one line, if a part of the report fails; the rest of the finished run is kept."""
    try:
        yield
    except _FAILURES as error:
        first, *_ = str(error).splitlines() or [""]
        warnings.warn(f"the run lacks {name}: {type(error).__name__}: {first}", stacklevel=3)


def write_report(
    config: Mapping[str, Any], trained: Trained, rows: list[dict[str, Any]], folder: Path
) -> None:
    """Write results.json, examples.json and curve.png.

    A file that cannot be written is a warning, and the others are written.

    Args:
        config: the settings, as JSON-serializable data.
        trained: scores, curves and timings.
        rows: examples.
        folder: folder of the run.
    """
    with part_of_report("results.json"):
        _write_json(folder / "results.json", _results(config, trained))
    with part_of_report("examples.json"):
        _write_json(folder / "examples.json", rows)
    with part_of_report("curve.png"):
        valid = trained.scores["valid"]
        reference, _ = _REFERENCE[_kind(valid)]
        plot_curves(trained.curves, valid[reference], folder / "curve.png")


def _results(config: Mapping[str, Any], trained: Trained) -> dict[str, Any]:
    return {
        **{split: _plain(scores) for split, scores in trained.scores.items()},
        "signatures": _signatures(trained.scores),
        "reliability": {split: one.as_json() for split, one in trained.reliability.items()},
        "observations": observations(trained),
        "reward": trained.reward,
        "metric": trained.metric,
        "differences": {
            split: {
                name: {column: asdict(one) for column, one in measures.items()}
                for name, measures in found.items()
            }
            for split, found in trained.differences.items()
        },
        "config": config,
        "precision": trained.precision,
        "versions": {name: _version(name) for name in _PACKAGES}
        | {"python": platform.python_version()},
        "timings": trained.timings,
        "curves": {
            name: [asdict(record) | {"scores": numbers(record.scores)} for record in records]
            for name, records in trained.curves.items()
        },
    }


def _write_json(path: Path, data: Any) -> None:
    # Bytes of a file's name that are not UTF-8 are JSON's \udc.. escapes.
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, "utf-8", "backslashreplace")


def _version(package: str) -> str | None:
    """The version of an installed package; None of one that runs without being installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _plain(scores: Mapping[str, AnyScores]) -> dict[str, dict[str, float]]:
    return {name: numbers(scores[name]) for name in _known(scores)}


def numbers(scores: AnyScores) -> dict[str, float]:
    """All scores by name, whether or not the table has a column for them, without signatures."""
    found = {one.name: getattr(scores, one.name) for one in fields(scores)}
    found.pop("signatures", None)
    return {name: value for name, value in found.items() if value is not None}

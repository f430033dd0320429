"""What a run leaves behind: tables in the terminal, and a folder of results."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.aligner import LLMAR, Trained
from agents.training import Record
from llmar_env.metrics import Scores, nearest

__all__ = ["examples", "plot_curves", "print_report", "write_report"]

_ORDER = ("trained", "supervised", "untrained", "identity", "constant")
_COLORS = {"trained": "#1f6feb", "supervised": "#d29922"}
_PACKAGES = ("llmar", "gymnasium", "stable-baselines3", "torch", "numpy", "gensim", "tokenizers")


def examples(llmar: LLMAR, split: str, size: int = 10) -> list[dict[str, Any]]:
    """Texts of a split, evenly spread over it, with the target that the answer is nearest to.

    Returns:
        For each its source, the nearest target of the split, the alignment with the right target,
        and the right target; nothing where the corpus holds no strings.
    """
    corpus, policy = llmar.corpus, llmar.policy
    if corpus is None or policy is None or not corpus.sources:
        return []
    rows = corpus.rows(split)
    chosen = rows[:: max(1, len(rows) // size)][:size]
    answers = policy.answer(corpus.source, chosen).mean(axis=1)
    found, _ = nearest(answers, corpus.target.means[rows.start : rows.stop], 1)
    return [
        {
            "source": corpus.sources[row],
            "nearest": corpus.targets[rows[place]],
            "alignment": round(llmar.score(corpus.targets[row], answer[None]), 4),
            "target": corpus.targets[row],
        }
        for row, place, answer in zip(chosen, found[:, 0].tolist(), answers, strict=True)
    ]


def print_report(trained: Trained, rows: list[dict[str, Any]], console: Console) -> None:
    """Print scores, examples and rates."""
    for split, scores in trained.scores.items():
        console.print(_score_table(split, scores))
    if rows:
        table = Table("input", "nearest target found", "score", "right target", title="Examples")
        for row in rows:
            # As `Text`, since strings with brackets would be read as markup.
            source, target = Text(row["source"]), Text(row["target"])
            found = Text(row["nearest"], "green" if row["nearest"] == row["target"] else "red")
            table.add_row(source, found, f"{row['alignment']:.3f}", target)
        console.print(table)
    timings = trained.timings
    console.print(
        f"{timings['steps']:,.0f} steps in {timings['training_seconds']:.1f} s: "
        f"{timings['steps_per_second']:,.0f} steps/s, {timings['texts_per_second']:,.0f} texts/s; "
        f"{timings['total_seconds']:.1f} s in all"
    )


def _score_table(split: str, scores: Mapping[str, Scores]) -> Table:
    table = Table("answers of", "alignment", "P@1", "P@10", "MRR", title=f"Scores on {split}")
    for name in _ORDER:
        if name in scores:
            values = [f"{value:.3f}" for value in asdict(scores[name]).values()]
            table.add_row(name, *values, style="bold" if name == "trained" else None)
    return table


def plot_curves(curves: Mapping[str, list[Record]], constant: Scores, path: Path) -> None:
    """Draw validation alignment and P@1 against the seconds of training, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    labels = {"alignment": "alignment (cosine)", "p_at_1": "P@1 among the targets"}
    for axes, (metric, label) in zip(figure.subplots(1, 2), labels.items(), strict=True):
        for name, records in curves.items():
            seconds = [record.seconds for record in records]
            values = [getattr(record.scores, metric) for record in records]
            axes.plot(seconds, values, ".-", color=_COLORS.get(name), label=name)
        axes.axhline(getattr(constant, metric), color="grey", ls=":", label="constant answer")
        axes.set(xlabel="seconds of training", title=label, ylim=(-0.05, 1.02))
        axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=130)


def write_report(llmar: LLMAR, trained: Trained, rows: list[dict[str, Any]], folder: Path) -> None:
    """Write results.json, examples.json, curve.png and the model, in `model/`."""
    results = {
        **{split: _plain(scores) for split, scores in trained.scores.items()},
        "config": llmar.config.as_json(),
        "versions": {name: version(name) for name in _PACKAGES}
        | {"python": platform.python_version()},
        "timings": trained.timings,
        "curves": {
            name: [asdict(record) for record in records] for name, records in trained.curves.items()
        },
    }
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    text = json.dumps(rows, indent=2, ensure_ascii=False)
    (folder / "examples.json").write_text(text + "\n", "utf-8")
    plot_curves(trained.curves, trained.scores["valid"]["constant"], folder / "curve.png")
    llmar.save(folder / "model")


def _plain(scores: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
    return {name: asdict(scores[name]) for name in _ORDER if name in scores}

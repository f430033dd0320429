"""Several seeds of one training, each in a process of its own, and one table of their scores."""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Config

if TYPE_CHECKING:
    from rich.console import Console

    from llmar_env.metrics import Interval

__all__ = ["gather", "run_seeds"]

_SPLITS = ("valid", "test")
_Numbers = Mapping[str, Mapping[str, Mapping[str, Any]]]  # by split, who answered, and score


def run_seeds(config: Config, folder: Path, console: Console) -> None:
    """Train with as many seeds as the options say, one after the other, and print their scores.

    Each has a folder of its own, `seed-N`, and its report in `seed-N.log`. Those that are finished
    are reported, even if one fails.

    Args:
        config: the options.
        folder: the folder of the run.
        console: where the table is printed.

    Raises:
        ValueError: a training failed.
    """
    failed, finished, first = [], [], config.run.seed
    for seed in range(first, first + config.run.seeds):
        name = f"seed-{seed}"
        run = replace(config.run, seed=seed, seeds=1, runs=folder, name=name)
        console.print(f"seed {seed}, into {folder / name}", markup=False, soft_wrap=True)
        # A new interpreter, so that no seed depends on what another has left behind.
        process = multiprocessing.get_context("spawn").Process(
            target=_train, args=(replace(config, run=run), folder / f"{name}.log")
        )
        process.start()
        process.join()
        if process.exitcode or not (folder / name / "results.json").exists():
            failed.append(seed)
        else:
            finished.append(name)
    if finished:
        found = gather([folder / name / "results.json" for name in finished])
        text = json.dumps({"runs": finished, **_plain(found)}, indent=2) + "\n"
        (folder / "results.json").write_text(text, "utf-8")
        _print(found, len(finished), console)
    if failed:
        logs = ", ".join(str(folder / f"seed-{seed}.log") for seed in failed)
        raise ValueError(f"{len(failed)} of {config.run.seeds} seeds failed; see {logs}")


def _train(config: Config, log: Path) -> None:
    """Train in this process, and write the report to a file."""
    from .terminal import report_errors
    from .train import main

    with log.open("w", encoding="utf-8") as sys.stdout:
        try:
            with report_errors():
                main(config)
        except SystemExit as error:
            if error.code not in (None, 0):
                print(error.code)
                raise SystemExit(1) from None


def gather(paths: Sequence[Path]) -> dict[str, dict[str, dict[str, Interval]]]:
    """Interquartile means of the scores in several results.json, with 95% bootstrap intervals.

    Returns:
        By split, by who answered, and by score, where all of them have it.
    """
    from llmar_env.metrics import interquartile_mean

    runs: list[_Numbers] = [json.loads(path.read_text("utf-8")) for path in paths]
    found: dict[str, dict[str, dict[str, Interval]]] = {}
    for split in _SPLITS:
        if not all(split in run for run in runs):
            continue
        for who, scores in runs[0][split].items():
            for name in scores:
                values = [run[split].get(who, {}).get(name) for run in runs]
                known = [value for value in values if value is not None]
                if len(known) == len(runs):
                    one = interquartile_mean(known)
                    found.setdefault(split, {}).setdefault(who, {})[name] = one
    return found


def _plain(found: Mapping[str, Mapping[str, Mapping[str, Interval]]]) -> dict[str, Any]:
    return {
        split: {
            who: {name: asdict(one) for name, one in scores.items()} for who, scores in by.items()
        }
        for split, by in found.items()
    }


def _print(
    found: Mapping[str, Mapping[str, Mapping[str, Interval]]], count: int, console: Console
) -> None:
    from .report import interval_table

    for split, by in found.items():
        title = f"Scores on {split}: interquartile means of {count} seeds, with 95% intervals"
        console.print(interval_table(title, by))

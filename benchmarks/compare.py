"""Is one revision slower than another? Rates of two checkouts, measured alternately on one machine.

    python benchmarks/compare.py HEAD~ . --data DIR --json runs/compare.json

OLD and NEW are each a folder, used in place, or a revision of the current repository, checked out
into a temporary worktree. Each side runs its own benchmarks on its own packages in separate
processes: old, new, new, old and so on, so that changes in the machine's speed affect both sides.
The median ratio of each quantity counts; the exit status is 1 if one is below `--least`, and 2 if
nothing could be measured.

The parts `training`, `environments` and `writing` are those of `rates.py`; a side without that file
runs the one next to this file. The part `translation` measures the words per second of
`translation.py --part throughput`, which takes several minutes per pair, and is off by default.
Run it on an otherwise idle machine.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Literal

import tyro
from checkouts import BenchmarkError, Side, open_side
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

Part = Literal["training", "environments", "writing", "translation"]
_RATES = Path(__file__).with_name("rates.py")
_TEXTS = 8000  # of the training texts, so that fitting their vectors takes seconds
_PACKAGES = ("torch", "numpy", "gymnasium", "stable-baselines3")


@dataclass(frozen=True)
class Options:
    """Compare the rates of two checkouts."""

    old: tyro.conf.Positional[str]
    """A folder or a git revision."""
    new: tyro.conf.Positional[str]
    """The folder or git revision to compare with the old one."""
    data: Path | None = None
    """Folder with train.tsv, val.tsv and test.tsv; without it, each side's built-in corpus."""
    parts: tuple[Part, ...] = ("training", "environments", "writing")
    """What to measure; translation takes the longest, and needs --data."""
    pairs: int = 7
    """Number of runs of each side; the median of their ratios counts."""
    least: float = 0.97
    """A median ratio of new to old below this is a failure."""
    json: Path | None = None
    """Write the figures to this file."""


# ---------------------------------------------------------------------------- measuring


def order(pairs: int) -> list[tuple[str, str]]:
    """The order of the sides in each pair: old, new, new, old and so on."""
    return list(itertools.islice(itertools.cycle([("old", "new"), ("new", "old")]), pairs))


def measure_rates(side: Side, parts: Sequence[str], data: Path | None) -> dict[str, float]:
    """The figures of rates.py, the side's own if it has one."""
    own, file = side.tree / "benchmarks" / "rates.py", side.scratch / "rates.json"
    texts: list[str | Path] = [] if data is None else ["--data", data]
    script = own if own.exists() else _RATES
    side.run([script, *texts, "--part", *parts, "--json", file])
    figures: dict[str, float] = json.loads(file.read_text("utf-8"))
    return figures


def measure_translation(side: Side, data: Path) -> dict[str, float]:
    """Words per second of translation.py; the first call makes a minimal warm start."""
    file, folder = side.scratch / "translation.json", side.scratch / "translation"
    script = side.tree / "benchmarks" / "translation.py"
    run: list[str | Path] = [script, "--data", data, "--folder", folder, "--json", file]
    if not file.exists():
        side.run([*run, "--part", "warm", "--warm-minutes", "0.001"])
    side.run([*run, "--part", "throughput"])
    figures = json.loads(file.read_text("utf-8"))
    key = "throughput_words_per_second"
    return {f"translation_{key}": figures[key]} if key in figures else {}


def measure(
    sides: Mapping[str, Side], options: Options, texts: Path | None, progress: Progress
) -> dict[str, list[dict[str, float]]]:
    """The figures of every run, in the order of the pairs, by side."""
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    rates = [part for part in options.parts if part != "translation"]
    bar = progress.add_task("", total=2 * options.pairs)
    for pair, names in enumerate(order(options.pairs), 1):
        for name in names:
            progress.update(bar, description=f"pair {pair}, {name}")
            found = measure_rates(sides[name], rates, texts) if rates else {}
            if "translation" in options.parts and options.data is not None:
                found |= measure_translation(sides[name], options.data)
            figures[name].append(found)
            progress.advance(bar)
    return figures


# ---------------------------------------------------------------------------- report


@dataclass(frozen=True)
class Comparison:
    """One quantity on both sides, over all pairs."""

    old: float  # median
    new: float  # median
    ratio: float  # median of new to old, pair by pair
    lowest: float
    highest: float


def compare(
    old: Sequence[Mapping[str, float]], new: Sequence[Mapping[str, float]]
) -> dict[str, Comparison | str]:
    """Each quantity's comparison, or the name of the only side that has it."""
    found: dict[str, Comparison | str] = {}
    for name in dict.fromkeys(itertools.chain(*old, *new)):
        pairs = zip(old, new, strict=True)
        rates = [(a[name], b[name]) for a, b in pairs if name in a and name in b]
        if not rates:
            found[name] = "old" if any(name in run for run in old) else "new"
            continue
        before, after = (median(side) for side in zip(*rates, strict=True))
        ratios = [b / a for a, b in rates]
        found[name] = Comparison(before, after, median(ratios), min(ratios), max(ratios))
    return found


def slower(found: Mapping[str, Comparison | str], least: float) -> list[str]:
    """The quantities whose median ratio is below `least`."""
    return [
        name for name, one in found.items() if isinstance(one, Comparison) and one.ratio < least
    ]


def show(found: Mapping[str, Comparison | str], least: float) -> None:
    """Print what both sides have as a table, then what fell short, and what only one side has."""
    console = Console()
    table = Table("quantity", title="medians, and median ratios of new to old with their range")
    for heading in ("old", "new", "ratio", "range"):
        table.add_column(heading, justify="right")
    for name, one in found.items():
        if isinstance(one, Comparison):
            ratios = (f"{one.ratio:.3f}", f"{one.lowest:.3f}-{one.highest:.3f}")
            table.add_row(_short(name), f"{one.old:,.0f}", f"{one.new:,.0f}", *ratios)
    console.print(table)
    for name in slower(found, least):
        console.print(f"below {least:g}: {_short(name)}", soft_wrap=True)
    for name, one in found.items():
        if isinstance(one, str):
            console.print(f"only {one} has {_short(name)}", soft_wrap=True)


def _short(name: str) -> str:
    return name.replace("_per_second", "/s")


def describe_machine(threads: Mapping[str, int]) -> dict[str, Any]:
    """The processor, threads and versions."""
    info = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", info.read_text("utf-8")) if info.exists() else []
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": dict(threads),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in _PACKAGES},
    }


def check(options: Options) -> None:
    """Reject options with which nothing can be measured.

    Raises:
        BenchmarkError: a number is out of range, or the data are missing.
    """
    if options.pairs < 1:
        raise BenchmarkError(f"--pairs must be at least 1, found {options.pairs}")
    if not options.parts:
        raise BenchmarkError("--parts must name at least one part")
    if options.data is None and "translation" in options.parts:
        raise BenchmarkError("--parts translation needs --data")
    if options.data is not None and not (options.data / "train.tsv").exists():
        raise BenchmarkError(f"--data: there is no train.tsv in {options.data}")


def head(data: Path, scratch: Path) -> Path:
    """Write the first training texts to a file, and return its path."""
    texts = scratch / "texts.tsv"
    with (data / "train.tsv").open(encoding="utf-8") as lines:
        texts.write_text("".join(itertools.islice(lines, _TEXTS + 1)), "utf-8")
    return texts


def main(options: Options) -> int:
    """Measure, print, and write the figures; returns the exit status.

    Raises:
        BenchmarkError: nothing could be measured.
    """
    check(options)
    if options.data is not None:
        options = replace(options, data=options.data.resolve())
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="compare-")))
        sides = {
            name: stack.enter_context(open_side(name, given, scratch))
            for name, given in {"old": options.old, "new": options.new}.items()
        }
        threads = {name: side.check_packages() for name, side in sides.items()}
        texts = None if options.data is None else head(options.data, scratch)
        progress = stack.enter_context(Progress(console=Console(stderr=True)))
        figures = measure(sides, options, texts, progress)
    found = compare(figures["old"], figures["new"])
    show(found, options.least)
    if not any(isinstance(one, Comparison) for one in found.values()):
        raise BenchmarkError("the two sides have no quantity in common")
    if options.json is not None:
        report = {
            "commits": {name: side.commit for name, side in sides.items()},
            **describe_machine(threads),
            "data": options.data.name if options.data else None,
            "pairs": options.pairs,
            "least": options.least,
            "quantities": {
                name: {"only": one} if isinstance(one, str) else asdict(one)
                for name, one in found.items()
            },
            "runs": figures,
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return 1 if slower(found, options.least) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(tyro.cli(Options)))
    except BenchmarkError as error:
        print(f"compare.py: {error}", file=sys.stderr)
        sys.exit(2)

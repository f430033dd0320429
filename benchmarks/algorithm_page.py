"""Write the page on the algorithms: plots, checks and tables, from the runs alone."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, groupby
from pathlib import Path
from statistics import median

import numpy as np
from algorithm_results import (
    Axis,
    Estimate,
    Floats,
    Run,
    curves,
    estimate,
    improvement,
    interquartile_mean,
    overcome,
    reached,
    succeeded,
)
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from agents.training.validation import VALIDATIONS

__all__ = ["Check", "Commands", "check_constant", "check_lead", "check_plain", "write_page"]

_TEMPLATE = Path(__file__).with_suffix(".md")
_OURS, _PPO, _PLAIN = "reinforce", "ppo", "ppo-plain"
_TITLES = {"echo": "Echo", "de-en": "German to English"}
_ON_POLICY = ("ppo", "ppo-plain", "a2c", "trpo", "recurrent_ppo")
_FAMILIES = ("REINFORCE, by baseline", "on-policy", "off-policy, and random search")
# Okabe and Ito's palette for color-blind readers; REINFORCE is black in every panel.
_COLORS = ("#E69F00", "#0072B2", "#009E73", "#D55E00", "#56B4E9", "#CC79A7")
_DASHES = ("-", "--", "-.", ":", "-", "--")
_LIMIT = 120.0
_LEVEL = 0.5

Runs = Mapping[str, Sequence[Run]]
"""Runs of one task, by algorithm."""


@dataclass(frozen=True)
class Commands:
    """The shell commands that repeat runs."""

    shared: Mapping[str, str]
    """The arguments that the rows of a task share, by the name of a shell variable."""
    rows: Mapping[tuple[str, str], str]
    """The command of each row, by task and algorithm."""


@dataclass(frozen=True)
class Check:
    """A claim, whether it holds, and the measurements behind it."""

    claim: str
    passed: bool
    facts: Sequence[str]


def write_page(page: Path, runs: Sequence[Run], commands: Commands) -> None:
    """Write the page and its plots, in a folder of the page's name next to it.

    Args:
        page: a Markdown file, overwritten if it exists.
        runs: runs with one data set and one time, failed ones included; at least one.
        commands: the commands for each task and algorithm of the runs.
    """
    good, failed = succeeded(runs)
    by_task = {task: found for task in _TITLES if (found := _by_algorithm(good, task))}
    job = runs[0].job
    plots = page.with_suffix("")
    plots.mkdir(parents=True, exist_ok=True)
    sections = []
    for task, found in by_task.items():
        plot(found, job.seconds, plots / f"{task}.png")
        title = _TITLES[task]
        sections.append(f"## {title}\n\n![{title}: alignment]({plots.name}/{task}.png)")
        sections.append(_table(found, commands))
    text = _TEMPLATE.read_text("utf-8").format(
        data=job.data,
        seconds=f"{job.seconds:g}",
        validations=VALIDATIONS,
        machine=_distinct(map(_machine, runs)),
        commits=_distinct(str(run.where["commit"]) for run in runs),
        dates=_distinct(str(run.where["date"]) for run in runs),
        shared="\n".join(f'{name}="{line}"' for name, line in commands.shared.items()),
        tasks="\n\n".join(sections),
        checks=_checks(by_task, failed, job.seconds),
        longest=_longest(by_task),
        failures="\n".join(f"- {run}" for run in failed) or "None.",
    )
    page.write_text(text, "utf-8")


def _by_algorithm(runs: Sequence[Run], task: str) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.job.task == task:
            found[run.job.algorithm].append(run)
    return dict(found)


# ---------------------------------------------------------------------------- checks


def check_constant(echo: Runs, seconds: float) -> Check:
    """Whether every run permanently beats the constant answer within 120 s.

    A failed run does not.
    """
    limit = min(_LIMIT, seconds)
    times = {
        name: [math.inf if run.error else overcome(run, "seconds") for run in runs]
        for name, runs in echo.items()
    }
    facts = [
        f"{name}: {late} of {len(found)} runs are not above it after {limit:g} s"
        for name, found in times.items()
        if (late := sum(one > limit for one in found))
    ]
    passed = not facts
    if passed:
        slowest = max(times, key=lambda name: max(times[name]))
        facts = [f"the slowest run, of {slowest}, does after {max(times[slowest]):.1f} s"]
    claim = f"Every algorithm beats the constant answer on echo within {_LIMIT:g} s"
    return Check(claim, passed, facts)


def check_lead(by_task: Mapping[str, Runs], seconds: float, others: str) -> Check:
    """Whether REINFORCE is ahead at the end; the facts say when it was not.

    Args:
        by_task: the runs of REINFORCE and of the others.
        seconds: the time of a run.
        others: what the claim calls the others.
    """
    grid = _seconds(seconds)
    passed, facts = True, []
    for task, runs in by_task.items():
        means = {
            name: interquartile_mean(curves(found, "seconds", grid)) for name, found in runs.items()
        }
        ours = means.pop(_OURS)
        theirs = np.array(list(means.values()))
        best = [list(means)[one] for one in theirs.argmax(axis=0)]
        leads = theirs.max(axis=0) - ours
        passed &= bool(leads[-1] < 0)
        facts.append(
            f"{_TITLES[task]}, at {seconds:g} s: {ours[-1]:.4f}; the best of the others, "
            f"{best[-1]}: {means[best[-1]][-1]:.4f}"
        )
        # At 0 s nothing is learned yet.
        behind = [lead >= 0 for lead in leads]
        for is_behind, points in groupby(range(1, len(grid)), key=behind.__getitem__):
            span = list(points)
            leaders = ", ".join(dict.fromkeys(best[point] for point in span))
            lead = f"{leaders} ahead by up to {leads[span].max():.4f}" if is_behind else "ahead"
            facts.append(f"{_TITLES[task]}, from {grid[span[0]]:g} to {grid[span[-1]]:g} s: {lead}")
    claim = f"REINFORCE with leave-one-out is ahead of {others} at equal time"
    return Check(claim, passed, facts)


def check_plain(by_task: Mapping[str, Runs]) -> Check:
    """Whether PPO is at least as good as stock PPO at every doubling of steps and at the end.

    The range starts when all runs of both have been updated and ends with the shortest run.
    """
    passed, facts = True, []
    for task, runs in by_task.items():
        both = [run.curve["steps"] for name in (_PPO, _PLAIN) for run in runs[name]]
        first, last = max(steps[1] for steps in both), min(steps[-1] for steps in both)
        doublings = 2 ** np.arange(10, math.floor(math.log2(last)) + 1)
        for steps in np.union1d(doublings[doublings >= first], [last]):
            ours, plain = (
                estimate(curves(runs[name], "steps", np.array([steps], float)))
                for name in (_PPO, _PLAIN)
            )
            passed &= bool(ours.value[0] >= plain.value[0])
            facts.append(f"{_TITLES[task]}, at {steps:,.0f} steps: {ours} against {plain}")
    return Check("PPO is at least as good as stock PPO at equal steps", passed, facts)


def _beside_ours(runs: Runs, baselines: bool) -> Runs:
    """REINFORCE, and either its other baselines or the other algorithms."""
    return {
        name: found
        for name, found in runs.items()
        if name == _OURS or name.startswith(f"{_OURS}-") == baselines
    }


def _checks(by_task: Mapping[str, Runs], failed: Sequence[Run], seconds: float) -> str:
    """The checks for which there are runs, as Markdown."""
    found = []
    good = [run for runs in by_task.values() for one in runs.values() for run in one]
    if echo := _by_algorithm([*good, *failed], "echo"):
        found.append(check_constant(echo, seconds))
    for others, are_baselines in (("every other algorithm", False), ("its other baselines", True)):
        led = {
            task: among
            for task, runs in by_task.items()
            if _OURS in runs and len(among := _beside_ours(runs, are_baselines)) > 1
        }
        if led:
            found.append(check_lead(led, seconds, others))
    if both := {task: runs for task, runs in by_task.items() if {_PPO, _PLAIN} <= runs.keys()}:
        found.append(check_plain(both))
    lines = []
    for check in found:
        lines.append(f"- **{'PASS' if check.passed else 'FAIL'}**: {check.claim}.")
        lines += [f"  - {fact}" for fact in check.facts]
    return "\n".join(lines)


# ---------------------------------------------------------------------------- plots


def plot(runs: Runs, seconds: float, path: Path) -> None:
    """Draw alignment over seconds and over steps, a column for each family of algorithms."""
    figure = Figure(figsize=(10.5, 7), layout="constrained")
    FigureCanvasAgg(figure)
    most = max(run.curve["steps"][-1] for found in runs.values() for run in found)
    rows: tuple[tuple[Axis, Floats], ...] = (
        ("seconds", _seconds(seconds)),
        ("steps", np.geomspace(1024, max(most, 2048), 120)),
    )
    panels = figure.subplots(2, len(_FAMILIES), sharex="row", sharey=True)
    for (axis, grid), of_row in zip(rows, panels, strict=True):
        estimates = {name: estimate(curves(found, axis, grid)) for name, found in runs.items()}
        for family, axes in zip(_FAMILIES, of_row, strict=True):
            shown = {name: one for name, one in estimates.items() if _family(name) == family}
            _draw(axes, grid, shown, estimates.get(_OURS))
            axes.axhline(_constant(runs), color="grey", ls=":", lw=1, label="constant answer")
            axes.set(xlabel=axis, xscale="log" if axis == "steps" else "linear", ylim=(-0.1, 1.02))
    for family, axes in zip(_FAMILIES, panels[0], strict=True):
        axes.legend(
            title=family, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False
        )
    for axes in panels[:, 0]:
        axes.set_ylabel("alignment (cosine)")
    figure.savefig(path, dpi=120)


def _draw(axes: Axes, grid: Floats, shown: Mapping[str, Estimate], ours: Estimate | None) -> None:
    """Lines with their intervals as bands; ours in black, on top."""
    styles = zip(shown.items(), cycle(_COLORS), cycle(_DASHES))
    for (name, one), color, dashes in styles:
        axes.plot(grid, one.value, color=color, ls=dashes, label=name)
        axes.fill_between(grid, one.low, one.high, color=color, alpha=0.2, lw=0)
    if ours is not None:
        axes.plot(grid, ours.value, color="black", label=_OURS)
        axes.fill_between(grid, ours.low, ours.high, color="black", alpha=0.2, lw=0)
    axes.grid(alpha=0.3)


def _family(name: str) -> str | None:
    """The panel of an algorithm; None for REINFORCE, which is in every panel."""
    if name == _OURS:
        return None
    if name.startswith(_OURS):
        return _FAMILIES[0]
    return _FAMILIES[1] if name in _ON_POLICY else _FAMILIES[2]


def _constant(runs: Runs) -> float:
    """Alignment of the constant answer, the same for all runs of a task."""
    return next(iter(runs.values()))[0].valid["constant"]["alignment"]


def _seconds(limit: float) -> Floats:
    """(61,) every second of a minute, or as many points of another time."""
    return np.linspace(0.0, limit, 61)


# ---------------------------------------------------------------------------- text


def _table(runs: Runs, commands: Commands) -> str:
    """The table of algorithms, best first."""
    columns = (
        *("algorithm", "seeds", "alignment [95 % CI]", "P@1 [95 % CI]", "steps/s"),
        *(f"s / steps to {_LEVEL}", "s / steps to beat constant"),
        *("P(REINFORCE better) [95 % CI]", "command"),
    )
    lines = [_line(columns), _line(["---"] * len(columns))]
    found = {name: estimate(_scores(one, "alignment")[:, None]) for name, one in runs.items()}
    for name in sorted(runs, key=lambda name: -found[name].value[0]):
        one = runs[name]
        better = ""
        if name != _OURS and _OURS in runs:
            ours, theirs = (_scores(each, "alignment") for each in (runs[_OURS], one))
            better = str(improvement(ours, theirs))
        lines.append(
            _line(
                [
                    f"**{name}**" if name == _OURS else name,
                    f"{len(one)}",
                    f"{found[name]}",
                    f"{estimate(_scores(one, 'p_at_1')[:, None])}",
                    f"{median(run.steps_per_second for run in one):,.0f}",
                    _typical(one, partial(reached, level=_LEVEL)),
                    _typical(one, overcome),
                    better,
                    f"`{commands.rows[one[0].job.task, name]}`",
                ]
            )
        )
    constant = next(iter(runs.values()))[0].test["constant"]
    own = ["constant answer", "", f"{constant['alignment']:.3f}", f"{constant['p_at_1']:.3f}"]
    return "\n".join([*lines, _line([*own, *[""] * (len(columns) - len(own))])])


def _scores(runs: Sequence[Run], metric: str) -> Floats:
    """(runs,) on the test texts."""
    return np.array([run.test["trained"][metric] for run in runs])


def _typical(runs: Sequence[Run], figure: Callable[[Run, Axis], float]) -> str:
    """Median seconds and steps over runs; a dash where they are infinite."""
    seconds = median(figure(run, "seconds") for run in runs)
    steps = median(figure(run, "steps") for run in runs)
    return "–" if math.isinf(seconds) else f"{seconds:.1f} / {steps:,.0f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _longest(by_task: Mapping[str, Runs]) -> str:
    """The three algorithms with the longest runs, and the seconds of these runs."""
    took: dict[str, float] = defaultdict(float)
    for runs in by_task.values():
        for name, found in runs.items():
            took[name] = max(took[name], *(run.curve["seconds"][-1] for run in found))
    longest = sorted(took, key=lambda name: -took[name])[:3]
    return ", ".join(f"{name}'s with {took[name]:.1f} s" for name in longest)


def _distinct(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))


def _machine(run: Run) -> str:
    where = run.where
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    return (
        f"{where['cpu']}, {where['cores']} cores, {where['workers']} in use with one run "
        f"each; {versions}"
    )

"""Results of the algorithms: the file of runs, and statistics over seeds.

Statistics are those of Agarwal et al. 2021, "Deep reinforcement learning at the edge of the
statistical precipice", by their library, rliable: interquartile means (the mean of the middle half
of the runs), with 95 % stratified bootstrap intervals.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

try:
    from rliable.library import get_interval_estimates
except ImportError as error:
    raise ImportError(
        'statistics need rliable, which comes with an extra: pip install "llmar[benchmark]"'
    ) from error

__all__ = [
    "Axis",
    "Estimate",
    "Floats",
    "Job",
    "Run",
    "append_run",
    "curves",
    "estimate",
    "improvement",
    "interquartile_mean",
    "overcome",
    "reached",
    "read_runs",
    "succeeded",
]

Axis = Literal["seconds", "steps"]
Floats = NDArray[np.float64]

_RESAMPLES = 2000


@dataclass(frozen=True)
class Job:
    """What to run; two runs of one job differ only in the machine."""

    algorithm: str
    """A row of the benchmark."""
    task: str
    data: str
    """The name of the folder with the texts."""
    seed: int
    seconds: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of the algorithm, JSON-serializable."""

    @property
    def key(self) -> str:
        """A string that only equal jobs share."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True)
class Run:
    """A finished job: one line of the results file."""

    job: Job
    where: Mapping[str, Any]
    """The machine, versions, commit and date."""
    curve: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Validations in order, as columns: seconds, steps, alignment and p_at_1."""
    valid: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Scores on the validation texts, by what answered, such as "trained" or "constant"."""
    test: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Scores on the test texts, with the weights that were best on the validation texts."""
    error: str | None = None
    """Why it failed, or None."""

    def __str__(self) -> str:
        name = f"{self.job.algorithm} on {self.job.task}, seed {self.job.seed}"
        found = self.error if self.error else f"{self.test['trained']['alignment']:.3f}"
        return f"{name}: {found}"

    @property
    def steps_per_second(self) -> float:
        """Steps per second over the whole run, updates and validations included."""
        return self.curve["steps"][-1] / self.curve["seconds"][-1]


def read_runs(file: Path) -> list[Run]:
    """The runs in a file, in order; none if the file does not exist.

    Raises:
        ValueError: a line is not a run; the message says which.
    """
    runs = []
    for number, line in enumerate(file.read_text("utf-8").splitlines() if file.exists() else [], 1):
        try:
            fields = json.loads(line)
            runs.append(Run(**fields | {"job": Job(**fields["job"])}))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file}, line {number} is not a run: {error}") from error
    return runs


def append_run(file: Path, run: Run) -> None:
    """Append a run to a file, which is created if it does not exist."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(run)) + "\n")


def succeeded(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """The last run of each job: of those that succeeded, and of those that always failed."""
    last: dict[str, Run] = {}
    for run in runs:
        if run.error is None or run.job.key not in last or last[run.job.key].error is not None:
            last[run.job.key] = run
    good = [run for run in last.values() if run.error is None]
    return good, [run for run in last.values() if run.error is not None]


# ---------------------------------------------------------------------------- statistics


@dataclass(frozen=True)
class Estimate:
    """A statistic over seeds, with the bounds of its 95 % interval."""

    value: Floats  # (points,)
    low: Floats  # (points,)
    high: Floats  # (points,)

    def __str__(self) -> str:
        """The last point."""
        return f"{self.value[-1]:.3f} [{self.low[-1]:.3f}, {self.high[-1]:.3f}]"


def interquartile_mean(scores: Floats) -> Floats:
    """Mean over the middle half of runs, (runs, ..., points), at each point, (points,).

    Like `rliable.metrics.aggregate_iqm`, but for all points at once, as it runs on every resample.
    """
    ordered = np.sort(scores.reshape(-1, scores.shape[-1]), axis=0)
    cut = len(ordered) // 4
    mean: Floats = ordered[cut : len(ordered) - cut].mean(axis=0)
    return mean


def estimate(scores: Floats) -> Estimate:
    """Interquartile mean over runs, (runs, points), at each point, with its interval."""
    return _estimate(scores[:, None], interquartile_mean)


def improvement(ours: Floats, theirs: Floats) -> Estimate:
    """Probability that a run of ours, (runs,), has a higher score than one of theirs, (runs,)."""
    return _estimate([ours[:, None], theirs[:, None]], _share_above)


def _share_above(ours: Floats, theirs: Floats) -> Floats:
    """(1,) share of pairs, of (runs, 1) each, in which ours is higher; ties count as half."""
    difference = ours - theirs.T
    return np.array([(difference > 0).mean() + (difference == 0).mean() / 2])


def _estimate(scores: Floats | list[Floats], statistic: Callable[..., Floats]) -> Estimate:
    # rliable draws from NumPy's global generator, whatever random_state it is given.
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        values, bounds = get_interval_estimates({"": scores}, statistic, reps=_RESAMPLES)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return Estimate(values[""], *bounds[""])


def curves(runs: Sequence[Run], axis: Axis, grid: Floats, metric: str = "alignment") -> Floats:
    """Validation scores of runs over seconds or steps, linear between validations.

    Returns:
        (runs, points); NaN after the end of the shortest run and, over steps, before the first
        scored batch of any run.
    """
    first = min(run.curve[axis][1] for run in runs) if axis == "steps" else 0.0
    last = min(run.curve[axis][-1] for run in runs)
    values = np.array([np.interp(grid, run.curve[axis], run.curve[metric]) for run in runs])
    values[:, (grid < first) | (grid > last)] = np.nan
    return values


def reached(run: Run, axis: Axis, level: float) -> float:
    """Seconds or steps of the first validation with an alignment of `level`; inf if none."""
    points = zip(run.curve[axis], run.curve["alignment"], strict=True)
    return next((at for at, score in points if score >= level), math.inf)


def overcome(run: Run, axis: Axis) -> float:
    """Seconds or steps after which a run stays above the constant answer; inf if it never does."""
    level = run.valid["constant"]["alignment"]
    since = math.inf
    for at, score in zip(run.curve[axis], run.curve["alignment"], strict=True):
        since = min(since, at) if score > level else math.inf
    return since

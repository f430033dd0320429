"""Compare all algorithms: alignment over time and over steps, with confidence intervals.

Each algorithm of `agents.ALGORITHMS`, REINFORCE with each of its baselines, and stock PPO as a
user of Stable-Baselines3 would write it learn the echo task and German to English, with several
seeds each, for the same time on one core. Runs are appended to a file, one JSON object per line,
and runs that the file has are skipped, so that the benchmark can be interrupted and extended.

    python benchmarks/algorithms.py --data DIR
    python benchmarks/algorithms.py --data DIR --report-only

DIR holds train.tsv, val.tsv and test.tsv. Run it on an otherwise idle machine. It pins its
workers to cores, which requires Linux.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any, Literal, get_args

import torch
import tyro
from algorithm_page import Commands, write_page
from algorithm_results import Job, Run, append_run, read_runs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from run_files import describe_machine
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env as sb3_make_vec_env
from stable_baselines3.common.policies import BasePolicy

from agents import ALGORITHMS, LLMAR, GRUFeatures
from agents.algorithms.settings import find_algorithm, tuned
from agents.commands.terminal import report_errors
from agents.config import AlgorithmConfig, Config, DataConfig, RunConfig
from agents.inference.evaluation import evaluate, reference_answers
from agents.trainers.base import Trained
from agents.trainers.data import load_corpus
from agents.training.callback import Training
from agents.training.clock import Clock
from agents.training.validation import Record, Validation
from llmar_env.text.corpus import Corpus

Task = Literal["echo", "de-en"]
_TASKS: Mapping[str, Mapping[str, Any]] = {"echo": {"source_column": "target"}, "de-en": {}}
_PLAIN = "ppo-plain"
_PLAIN_ENVS = 8
_MORE_BASELINES = ("mean", "group", "none")

ROWS: Mapping[str, Mapping[str, Any]] = (
    {name: {"algo": name} for name in ALGORITHMS}
    | {f"reinforce-{one}": {"algo": "reinforce", "baseline": one} for one in _MORE_BASELINES}
    | {_PLAIN: {}}
)
"""The options of `train.py` that define each row; stock PPO has none."""


@dataclass(frozen=True)
class Options:
    """Train all algorithms for the same time, and write a page with the results."""

    data: Path = Path("../shared/data/multi30k-de-en")
    """Folder with train.tsv, val.tsv and test.tsv, columns source (German) and target (English)."""
    algos: tuple[str, ...] = tuple(ROWS)
    """Rows to run: algorithms of train.py, reinforce-BASELINE, or ppo-plain."""
    tasks: tuple[Task, ...] = get_args(Task)
    """echo, where English captions are their own targets, or de-en, German to English."""
    seeds: int = 5
    """Number of runs of each row, with seeds 0, 1 and so on."""
    seconds: float = 60.0
    """Time of each run, validations included."""
    results: Path = Path("benchmarks/results/algorithms.jsonl")
    """File of runs, to which new runs are appended."""
    workers: int = 2
    """Number of parallel runs, each in its own process on its own core."""
    page: Path = Path("docs/benchmarks.md")
    """Where to write the page; plots go into a folder of the same name next to it."""
    report_only: bool = False
    """Run nothing; only write the page from the runs in the file."""

    def __post_init__(self) -> None:
        """Reject options that no run could use."""
        if unknown := [name for name in self.algos if name not in ROWS]:
            raise ValueError(f"no algorithm {unknown[0]!r}; there are {', '.join(ROWS)}")
        for name in ("seeds", "seconds", "workers"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, found {getattr(self, name)}")


# ---------------------------------------------------------------------------- jobs


def run_config(
    data: Path, task: str, seconds: float, row: Mapping[str, Any] | None = None, seed: int = 0
) -> Config:
    """The options of a run; without a row, the options that all runs of a task share."""
    return Config(
        data=DataConfig(
            data=str(data / "train.tsv"),
            valid=data / "val.tsv",
            test=data / "test.tsv",
            **_TASKS[task],
        ),
        algorithm=AlgorithmConfig(total_steps=1e12, time_limit=seconds, **row or {}),
        run=RunConfig(device="cpu", seed=seed, supervised=False, progress=False),
    )


def settings_of(algorithm: str) -> dict[str, Any]:
    """The settings of a row, JSON-serializable; runs with other settings are other jobs."""
    if algorithm == _PLAIN:
        return {"n_envs": _PLAIN_ENVS}
    config = AlgorithmConfig(**ROWS[algorithm])
    settings = asdict(tuned(find_algorithm(config.algo), config))
    # Runs end by time, and the other two are alternatives that were not chosen.
    for name in ("total_steps", "distributions", "otherwise"):
        del settings[name]
    # Wherever a class stands, it is the same one.
    for name in ("path", "policy"):
        settings[name] = settings[name].rpartition(":")[2]
    plain: dict[str, Any] = json.loads(json.dumps(settings, default=lambda cls: cls.__name__))
    return plain


def plan(options: Options) -> list[Job]:
    """All jobs, with seeds outermost, so that an interrupted benchmark is balanced."""
    settings = {name: settings_of(name) for name in options.algos}
    return [
        Job(name, task, options.data.name, seed, options.seconds, settings[name])
        for seed in range(options.seeds)
        for task in options.tasks
        for name in options.algos
    ]


def pending(jobs: Sequence[Job], runs: Sequence[Run]) -> list[Job]:
    """The jobs without a successful run; failed ones are tried again."""
    done = {run.job.key for run in runs if run.error is None}
    return [job for job in jobs if job.key not in done]


def current(runs: Sequence[Run], options: Options) -> list[Run]:
    """The runs, of any seed, with this data set and time and the rows' current settings."""
    settings = {name: settings_of(name) for name in ROWS}
    return [
        run
        for run in runs
        if (run.job.data, run.job.seconds) == (options.data.name, options.seconds)
        and run.job.settings == settings.get(run.job.algorithm)
    ]


def arguments(config: Config, default: Config) -> list[str]:
    """The arguments of `train.py` that turn the default configuration into another."""
    found = []
    usual = default.as_json()
    for name, value in config.as_json().items():
        if value == usual[name]:
            continue
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            found += [f"--{flag}", f"{value:g}" if isinstance(value, float) else str(value)]
    return found


def commands(options: Options) -> Commands:
    """The command of each row; a variable has the arguments that a task's rows share."""
    shared, rows = {}, {}
    for task in _TASKS:
        config, variable = run_config(Path("$DATA"), task, options.seconds), _variable(task)
        shared[variable] = " ".join(arguments(config, Config()))
        for name, own in ROWS.items():
            more = " ".join(f"--{option} {value}" for option, value in own.items())
            rows[task, name] = f"python train.py ${variable} {more}"
        rows[task, _PLAIN] = (
            f"python benchmarks/algorithms.py --data $DATA --algos {_PLAIN} --tasks {task} "
            f"--seeds 1 --workers 1 --seconds {options.seconds:g} --results runs/{_PLAIN}.jsonl "
            f"--page runs/{_PLAIN}.md"
        )
    return Commands(shared, rows)


def _variable(task: str) -> str:
    return task.upper().replace("-", "_")


# ---------------------------------------------------------------------------- one run


class Doublings(BaseCallback):
    """Scores a policy whenever its number of steps has doubled.

    `Training` validates at equal time intervals, in which a fast algorithm makes many steps;
    a comparison at equal steps needs early scores too.

    Attributes:
        records: one per scoring, from 1,024 steps on.
    """

    def __init__(self, corpus: Corpus) -> None:
        super().__init__()
        self.corpus = corpus
        self.records: list[Record] = []
        self.due = 1024
        self.clock = Clock()

    def _on_training_start(self) -> None:
        self.clock.start()

    def _on_rollout_start(self) -> None:
        steps = self.model.num_timesteps
        if steps < self.due:
            return
        while self.due <= steps:
            self.due *= 2
        policy = self.model.policy
        assert isinstance(policy, BasePolicy)
        scores = evaluate(policy, self.corpus, "valid")
        self.records.append(Record(self.clock.elapsed, steps, steps, scores))

    def _on_step(self) -> bool:
        return True


def train_plain(corpus: Corpus, seconds: float, seed: int, callback: BaseCallback) -> Trained:
    """Train stock PPO with SB3's default settings, as its documentation suggests."""
    env = sb3_make_vec_env("LLMAR/Align-v0", _PLAIN_ENVS, seed, env_kwargs={"data": corpus})
    kwargs = {"features_extractor_class": GRUFeatures}
    model = PPO("MlpPolicy", env, policy_kwargs=kwargs, seed=seed, device="cpu")
    scores = {split: reference_answers(corpus, split) for split in ("valid", "test")}
    validation = Validation(partial(evaluate, corpus=corpus, split="valid"))
    model.learn(10**12, [Training(Clock(seconds), validation, group_size=1), callback])
    validation.restore_best(model.policy)
    for split, found in scores.items():
        found["trained"] = evaluate(model.policy, corpus, split)
    return Trained(scores, {"trained": validation.records}, {})


def run_job(job: Job, corpus: Corpus, data: Path, where: Mapping[str, Any]) -> Run:
    """Train as a job specifies; an exception becomes the run's error."""
    doublings = Doublings(corpus)
    where = {**where, "date": time.strftime("%Y-%m-%d")}
    try:
        if job.algorithm == _PLAIN:
            trained = train_plain(corpus, job.seconds, job.seed, doublings)
        else:
            config = run_config(data, job.task, job.seconds, ROWS[job.algorithm], job.seed)
            trained = LLMAR(config).train(corpus, callback=doublings)
    except Exception as error:
        return Run(job, where, error=f"{type(error).__name__}: {error}")
    scores = {
        split: {name: asdict(one) for name, one in found.items()}
        for split, found in trained.scores.items()
    }
    curve = curve_of([*trained.curves["trained"], *doublings.records])
    return Run(job, where, curve, scores["valid"], scores["test"])


def curve_of(records: Sequence[Record]) -> dict[str, list[float]]:
    """Validations as columns, in the order of their steps; rounded to keep files small."""
    ordered = sorted(records, key=lambda record: (record.steps, record.seconds))
    return {
        "seconds": [round(record.seconds, 3) for record in ordered],
        "steps": [record.steps for record in ordered],
        **{
            name: [round(getattr(record.scores, name), 4) for record in ordered]
            for name in ("alignment", "p_at_1")
        },
    }


# ---------------------------------------------------------------------------- all runs

_corpora: dict[str, Corpus] = {}  # of this worker, by task


def begin_worker(cores: Queue[int], corpora: Mapping[str, Corpus]) -> None:
    """Set up a worker with a core, one thread and the texts."""
    os.sched_setaffinity(0, {cores.get()})
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    _corpora.update(corpora)


def work(job: Job, data: Path, where: Mapping[str, Any]) -> Run:
    """Run a job in a worker."""
    return run_job(job, _corpora[job.task], data, where)


def run_all(jobs: Sequence[Job], options: Options) -> Iterator[Run]:
    """Run jobs in order, several in parallel; yields runs as they finish.

    Raises:
        ValueError: there are fewer cores than workers.
    """
    free = sorted(os.sched_getaffinity(0))
    if options.workers > len(free):
        raise ValueError(
            f"{options.workers} workers need a core each, but only {len(free)} are free"
        )
    corpora = {
        task: load_corpus(run_config(options.data, task, options.seconds))
        for task in dict.fromkeys(job.task for job in jobs)
    }
    os.environ["OMP_NUM_THREADS"] = "1"  # workers read it on import
    context = multiprocessing.get_context("spawn")
    cores = context.Queue()
    for core in free[: options.workers]:
        cores.put(core)
    where = describe_machine() | {"workers": options.workers}
    pool = ProcessPoolExecutor(options.workers, context, begin_worker, (cores, corpora))
    try:
        for future in as_completed([pool.submit(work, job, options.data, where) for job in jobs]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def main(options: Options) -> None:
    """Run the missing jobs, and write the page from all runs."""
    console = Console()
    runs = read_runs(options.results)
    jobs = [] if options.report_only else pending(plan(options), runs)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    if jobs:
        with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
            bar = progress.add_task("reading and embedding the texts", total=len(jobs))
            for run in run_all(jobs, options):
                append_run(options.results, run)
                runs.append(run)
                progress.update(bar, advance=1, description=str(run))
    shown = current(runs, options)
    if len(shown) < len(runs):
        others = len(runs) - len(shown)
        console.print(f"{others} runs with other data, seconds or settings are not on the page")
    if not shown:
        raise ValueError(f"{options.results} holds no run of {options.data.name} to report on")
    write_page(options.page, shown, commands(options))
    console.print(f"wrote {options.page}", markup=False)


if __name__ == "__main__":
    with report_errors():
        main(tyro.cli(Options))

"""Embedding speed, the cache on disk, and what a ranking reward brings on real vectors.

Each part appends its figures to a file, one JSON object per line; runs that the file has are
skipped.

    python benchmarks/embeddings.py --data DIR --embedder st:PATH --parts speed cache
    python benchmarks/embeddings.py --data DIR --embedder st:PATH --parts words sentences
    python benchmarks/embeddings.py --report-only

DIR holds train.tsv, val.tsv and test.tsv, such as Multi30k's. `speed` compares texts per second
with `SentenceTransformer.encode`; `cache` embeds the training sources twice. `words` trains on word
vectors: on the cosine, and on MRR after half the time on the cosine, each for the same time in all;
the supervised baseline has it too. `sentences` does the same with targets embedded by the model.
`--rewards mrr` adds MRR from the start. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any, Literal

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from run_files import append_run, embedder_name, read_runs

from agents import LLMAR, AlgorithmConfig, Config, DataConfig, RunConfig, TaskConfig
from agents.trainers.align import AlignTrainer
from agents.trainers.base import Trained
from agents.trainers.data import load_corpus
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import embedder
from llmar_env.text.pairs import TextPairs

Part = Literal["speed", "cache", "words", "sentences"]
Reward = Literal["cosine", "mrr", "cosine, then mrr"]
_SPEED_TEXTS, _REPEATS = 4096, 3


@dataclass(frozen=True)
class Options:
    """Measure embedders, and training on their vectors."""

    data: Path = Path("../shared/data/multi30k-de-en")
    """Folder with train.tsv, val.tsv and test.tsv."""
    embedder: str | None = None
    """A model of sentence-transformers, st:PATH; the part `words` does without."""
    parts: tuple[Part, ...] = ("speed", "cache", "words", "sentences")
    """What to measure."""
    seconds: float = 600.0
    """Duration of each training."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of each training."""
    rewards: tuple[Reward, ...] = ("cosine", "cosine, then mrr")
    """What `words` and `sentences` train on."""
    runs: Path = Path("benchmarks/results/embeddings.jsonl.gz")
    """File of the figures."""
    report_only: bool = False
    """Only report the figures of the file."""


@dataclass(frozen=True)
class Job:
    """One training, known by these fields."""

    part: Part
    reward: Reward
    seconds: float
    seed: int
    data: str = ""
    """Name of the folder, and the number of pairs."""
    targets: str = ""
    """What has embedded the targets."""


def speed(options: Options, model: str) -> dict[str, float]:
    """Texts per second of the embedder and of `SentenceTransformer.encode`, in turns."""
    from sentence_transformers import SentenceTransformer

    texts = list(TextPairs.read(options.data / "train.tsv").target[:_SPEED_TEXTS])
    peer = SentenceTransformer(model.removeprefix("st:"), device="cpu")
    ours = embedder(model, cache=None, device="cpu")
    own, other = [], []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        store = ours.embed(texts)
        own.append(len(texts) / (time.perf_counter() - started))
        started = time.perf_counter()
        vectors = peer.encode(texts, show_progress_bar=False, normalize_embeddings=True)
        other.append(len(texts) / (time.perf_counter() - started))
    ratios = [a / b for a, b in zip(own, other, strict=True)]
    return {
        "texts_per_second": median(own),
        "peer_texts_per_second": median(other),
        "ratio": median(ratios),
        "largest_difference": float(np.abs(store.means - vectors).max()),
    }


def cache(options: Options, model: str) -> dict[str, float]:
    """Seconds to embed the training sources, and to find them again."""
    texts = list(TextPairs.read(options.data / "train.tsv").source)
    with tempfile.TemporaryDirectory() as folder:
        tables, seconds = [], []
        for _ in range(2):
            made = embedder(model, cache=folder, device="cpu", progress=True)
            started = time.perf_counter()
            tables.append(made.embed(texts).table)
            seconds.append(time.perf_counter() - started)
        same = np.array_equal(tables[0], tables[1])
    return {
        "texts": len(texts),
        "first_seconds": seconds[0],
        "second_seconds": seconds[1],
        "identical": float(same),
    }


def train(job: Job, options: Options, corpus: Corpus) -> dict[str, Any]:
    """Train on a reward, or on one after the other for half the time each."""
    stages = job.reward.split(", then ")
    llmar: LLMAR | None = None
    for reward in stages:
        # The baseline depends on neither the reward nor the stages: once a seed is enough.
        supervised = job.reward == "cosine"
        config = _config(job.part, options, reward, job.seconds / len(stages), job.seed, supervised)
        following = LLMAR(config)
        if llmar is not None:
            assert isinstance(following.trainer, AlignTrainer)
            following.trainer.policy = llmar.policy
        llmar = following
        trained = llmar.train(corpus)
    return {"scores": _scores(trained), "timings": trained.timings}


def _scores(trained: Trained) -> dict[str, dict[str, dict[str, float]]]:
    return {
        split: {name: asdict(one) for name, one in found.items()}
        for split, found in trained.scores.items()
    }


def _config(
    part: Part,
    options: Options,
    reward: str,
    seconds: float,
    seed: int,
    supervised: bool = False,
) -> Config:
    data = DataConfig(
        data=str(options.data / "train.tsv"),
        valid=options.data / "val.tsv",
        test=options.data / "test.tsv",
        target_embedder=options.embedder if part == "sentences" else None,
    )
    return Config(
        data=data,
        task=TaskConfig(reward=reward),
        algorithm=AlgorithmConfig(total_steps=1e12, time_limit=seconds),
        run=RunConfig(seed=seed, supervised=supervised),
    )


def load_corpora(options: Options) -> dict[Part, Corpus]:
    """The corpus of each part that trains."""
    parts = [
        one for one in options.parts if one == "words" or (one == "sentences" and options.embedder)
    ]
    return {part: load_corpus(_config(part, options, "cosine", 1.0, 0)) for part in parts}


def missing_jobs(
    options: Options, corpora: Mapping[Part, Corpus], runs: Sequence[Mapping[str, Any]]
) -> Iterator[Job]:
    """The trainings on these corpora that the file does not have."""
    done = [run["job"] for run in runs if "job" in run]
    for seed in options.seeds:
        for part, corpus in corpora.items():
            data = f"{options.data.resolve().name}: {len(corpus.source):,} pairs"
            targets = embedder_name(corpus.target_embedder)
            for reward in options.rewards:
                job = Job(part, reward, options.seconds, seed, data, targets)
                if asdict(job) not in done:
                    yield job


def report(runs: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print the figures of each part."""
    for run in runs:
        for part in ("speed", "cache"):
            if part in run:
                figures = ", ".join(f"{name} {value:.4g}" for name, value in run[part].items())
                console.print(f"{part}: {figures}", highlight=False)
    table = Table("part", "reward", "seconds", "seeds", "answers of", "alignment", "P@1", "MRR")
    groups: dict[tuple[str, str, float], list[Mapping[str, Any]]] = {}
    for run in runs:
        if "job" in run:
            job = Job(**run["job"])
            groups.setdefault((job.part, job.reward, job.seconds), []).append(run["scores"]["test"])
    for (part, reward, seconds), found in groups.items():
        for name in [one for one in ("trained", "supervised") if one in found[0]]:
            means = (
                mean(scores[name][metric] for scores in found)
                for metric in ("alignment", "p_at_1", "mrr")
            )
            cells = (f"{value:.4f}" for value in means)
            table.add_row(part, reward, f"{seconds:g}", str(len(found)), name, *cells)
    if groups:
        console.print(table)


def main(options: Options) -> None:
    """Measure what is missing, and report the figures of the file."""
    console = Console(width=120)
    runs = read_runs(options.runs)
    if not options.report_only:
        for part, measure in (("speed", speed), ("cache", cache)):
            if part in options.parts and not any(part in run for run in runs):
                if options.embedder is None:
                    console.print(f"{part} is left out: it needs --embedder st:PATH")
                    continue
                append_run(options.runs, {part: measure(options, options.embedder)})
        corpora = load_corpora(options)
        for job in missing_jobs(options, corpora, runs):
            console.print(f"{job}")
            append_run(options.runs, {"job": asdict(job), **train(job, options, corpora[job.part])})
    report(read_runs(options.runs), console)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

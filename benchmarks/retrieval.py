"""Query adapters trained on measures and on clicks, beside supervised ones.

Each part trains with several seeds and appends its runs to a file, one JSON object per line; runs
that the file has are skipped, so that parts can be run one after the other, and interrupted.

    python benchmarks/retrieval.py --data DIR --embedder st:PATH --parts ndcg clicks
    python benchmarks/retrieval.py --report-only

DIR is a folder of the BEIR layout, such as banking77. Within a run, the supervised network gets the
same seconds after REINFORCE. Every model is saved, and scored once more in a fresh process. The
part `search` compares the exact index with FAISS's, and needs the extra `faiss`. Run it on an
otherwise idle machine.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from run_files import append_run, embedder_name, read_runs

from agents import LLMAR, AlgorithmConfig, Config, DataConfig, RunConfig, TaskConfig
from agents.config import RetrievalConfig
from agents.inference.ranking import Evaluation
from agents.trainers.base import Trained
from agents.trainers.data import load_collection
from llmar_env.metrics import paired_bootstrap
from llmar_env.retrieval import Collection, ExactIndex
from llmar_env.retrieval.clicks import click_probabilities

Part = Literal["ndcg", "ndcg_long", "p_at_1", "p_at_1_long", "clicks", "log", "search"]
Vectors = Literal["static", "model"]
_MEASURES = ("ndcg_at_10", "p_at_1")
_WARM_SECONDS, _LOGGED = 20.0, 10
_CURVES = (
    ("trained", "REINFORCE on fresh clicks, after the log", "#1f6feb"),
    ("warm_start", "InfoNCE on a log of ten impressions a query", "#8250df"),
    ("supervised", "InfoNCE on a log of as many impressions", "#d29922"),
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training, known by these fields."""

    part: Part
    vectors: Vectors
    seconds: float
    data: str = ""
    """Name of the collection, and the numbers of its documents and queries."""
    embedder: str = ""
    """Name of the frozen model, and a hash of its files; or word2vec."""
    reward: str | None = None
    feedback: Literal["judgments", "clicks"] = "judgments"
    log: bool = False
    """Whether a log of ten impressions a query comes first."""
    supervised: bool = True
    seed: int = 0


_JOBS: Mapping[str, tuple[Job, ...]] = {
    "ndcg": (Job(part="ndcg", vectors="model", seconds=120.0, reward="ndcg_at_10"),),
    "ndcg_long": (Job(part="ndcg_long", vectors="model", seconds=600.0, reward="ndcg_at_10"),),
    "p_at_1": (Job(part="p_at_1", vectors="static", seconds=120.0, reward="p_at_1"),),
    "p_at_1_long": (Job(part="p_at_1_long", vectors="model", seconds=600.0, reward="p_at_1"),),
    "clicks": (
        Job(part="clicks", vectors="model", seconds=120.0, feedback="clicks", supervised=False),
        Job(part="clicks", vectors="static", seconds=120.0, feedback="clicks", supervised=False),
    ),
    "log": (Job(part="log", vectors="model", seconds=70.0, feedback="clicks", log=True),),
}


@dataclass(frozen=True)
class Options:
    """Compare query adapters."""

    data: Path = Path("../shared/data/banking77")
    """Folder of the BEIR layout."""
    embedder: str | None = None
    """The frozen model of the rows "model", such as st:PATH; without it, these are left out."""
    parts: tuple[Part, ...] = ("ndcg", "p_at_1", "clicks", "log", "search")
    """What to measure."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of each training."""
    runs: Path = Path("benchmarks/results/retrieval.jsonl.gz")
    """File of the runs."""
    documents: int = 1_000_000
    """Number of documents in the part `search`."""
    report_only: bool = False
    """Only report the runs of the file."""
    plot: Path | None = None
    """Draw the learning curves of the part `log`, as PNG."""


def train(job: Job, options: Options, collection: Collection) -> dict[str, Any]:
    """Train, save, and score again in a fresh process.

    Returns:
        The run: scores, the measures of each test query, and what the fresh process found.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = write_log(collection, Path(folder) / "clicks.tsv", job.seed) if job.log else None
        llmar = LLMAR(_training(job, options, log))
        trained = llmar.train(collection)
        llmar.save(Path(folder) / "model")
        fresh = multiprocessing.get_context("spawn")
        with fresh.Pool(1) as pool:
            rescored = pool.apply(_rescore, (Path(folder) / "model", options.data))
    return {
        "metric": trained.metric,
        "scores": {
            split: {name: asdict(one) for name, one in found.items()}
            for split, found in trained.scores.items()
        },
        "values": _values(trained.evaluations["test"]),
        "rescored_valid": rescored,
        "timings": trained.timings,
        "notes": list(trained.notes),
        "curve": _curve(trained),
    }


def _config(vectors: Vectors, options: Options) -> Config:
    embedder = options.embedder if vectors == "model" else None
    return Config(
        data=DataConfig(data=str(options.data), embedder=embedder),
        task=TaskConfig(env="LLMAR/Retrieve-v0"),
        run=RunConfig(device="cpu"),
    )


def _training(job: Job, options: Options, log: Path | None) -> Config:
    return replace(
        _config(job.vectors, options),
        task=TaskConfig(env="LLMAR/Retrieve-v0", reward=job.reward, feedback=job.feedback),
        algorithm=AlgorithmConfig(
            total_steps=1e12,
            time_limit=job.seconds,
            warm_seconds=_WARM_SECONDS if job.log else None,
        ),
        retrieval=RetrievalConfig(warm_start="supervised" if job.log else "none", click_log=log),
        run=RunConfig(seed=job.seed, supervised=job.supervised, device="cpu"),
    )


def write_log(collection: Collection, path: Path, seed: int) -> Path:
    """Write what ten simulated users a query clicked among the untouched embedder's ten best."""
    generator = np.random.default_rng(seed)
    rows = np.asarray(collection.rows("train"))
    found, _ = collection.index.search(collection.source.means[rows], 10)
    chance = click_probabilities(collection.judgments.grades_of(rows, found) > 0)
    with path.open("w") as file:
        file.write("query-id\tcorpus-id\trank\tclicked\n")
        for _ in range(_LOGGED):
            clicked = generator.random(chance.shape) < chance
            for place, row in enumerate(rows.tolist()):
                query = collection.query_ids[row]
                for rank in range(10):
                    document = collection.document_ids[found[place, rank]]
                    file.write(f"{query}\t{document}\t{rank + 1}\t{int(clicked[place, rank])}\n")
    return path


def _rescore(model: Path, data: Path) -> dict[str, float]:
    """Scores of a saved model on "valid"."""
    return asdict(LLMAR.load(model, device="cpu").measure(data, "valid"))


def _values(found: Mapping[str, Evaluation]) -> dict[str, dict[str, list[float]]]:
    return {
        name: {measure: one.values[measure].round(5).tolist() for measure in _MEASURES}
        for name, one in found.items()
    }


def _curve(trained: Trained) -> dict[str, list[tuple[float, ...]]]:
    """For each training, seconds and the two scores on "valid"."""
    return {
        name: [
            (round(one.seconds, 2), *(getattr(one.scores, measure) for measure in _MEASURES))
            for one in records
        ]
        for name, records in trained.curves.items()
    }


def search_speed(documents: int) -> dict[str, float]:
    """Seconds to search 384-d documents with 1,024 queries, ours and FAISS's, and memory."""
    import faiss

    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((documents, 384), np.float32)
    for first in range(0, documents, 1 << 16):
        block = vectors[first : first + (1 << 16)]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    queries = generator.standard_normal((1024, 384), np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    ours = ExactIndex(vectors, "cpu")
    before = _peak()
    found, _ = ours.search(queries, 10)
    memory = _peak()
    theirs: Any = faiss.IndexFlatIP(384)
    theirs.add(vectors)
    _, others = theirs.search(queries, 10)
    same = float((np.sort(found, 1) == np.sort(others, 1)).mean())
    # In turns, since the speed of a machine changes from one minute to the next.
    sides = (lambda: ours.search(queries, 10), lambda: theirs.search(queries, 10))
    seconds = np.array([[_seconds(side) for side in sides] for _ in range(5)])
    own, peer = np.median(seconds, axis=0)
    return {
        "documents": documents,
        "seconds": float(own),
        "faiss_seconds": float(peer),
        "ratio": float(np.median(seconds[:, 0] / seconds[:, 1])),
        "same_documents": same,
        "peak_before_over_index": before / vectors.nbytes,
        "peak_over_index": memory / vectors.nbytes,
    }


def _peak() -> int:
    """The process's largest resident memory so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def load_collections(options: Options) -> dict[Vectors, Collection]:
    """The collection by each kind of vectors that the parts need."""
    jobs = [job for part in options.parts for job in _JOBS.get(part, ())]
    kinds = {job.vectors for job in jobs if job.vectors == "static" or options.embedder}
    return {kind: load_collection(_config(kind, options)) for kind in sorted(kinds)}


def missing_jobs(
    options: Options, collections: Mapping[Vectors, Collection], runs: Sequence[Mapping[str, Any]]
) -> Iterator[Job]:
    """The trainings on these collections that the file does not have."""
    done = [run["job"] for run in runs if "job" in run]
    for seed in options.seeds:
        for part in options.parts:
            for job in _JOBS.get(part, ()):
                if job.vectors not in collections:
                    continue
                found = collections[job.vectors]
                sizes = f"{len(found.index):,} documents, {len(found.source):,} queries"
                one = replace(
                    job,
                    seed=seed,
                    data=f"{options.data.resolve().name}: {sizes}",
                    embedder=embedder_name(found.embedder),
                )
                if asdict(one) not in done:
                    yield one


def summary(runs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """For each part and kind of vectors, the mean scores on test and the differences."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for run in runs:
        if "job" in run:
            groups.setdefault((run["job"]["part"], run["job"]["vectors"]), []).append(run)
    for (part, vectors), found in groups.items():
        for name in found[0]["values"]:
            cells = []
            for measure in _MEASURES:
                values = _mean_values(found, name, measure)
                cells.append(f"{values.mean():.4f}")
            for measure in _MEASURES:
                if name == "trained":
                    cells.append("")
                    continue
                one = paired_bootstrap(
                    _mean_values(found, "trained", measure), _mean_values(found, name, measure)
                )
                cells.append(f"{one.mean:+.4f} [{one.low:+.4f}, {one.high:+.4f}]")
            yield part, vectors, str(len(found)), name, *cells


def _mean_values(runs: Sequence[Mapping[str, Any]], name: str, measure: str) -> NDArray[np.float64]:
    """(n,) means over the seeds of a measure of each query."""
    values = np.array([run["values"][name][measure] for run in runs])
    return np.asarray(values.mean(axis=0))


def violations(runs: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Number of models that are worse on "valid" than the untouched embedder, and of models."""
    worse = total = 0
    for run in runs:
        if "job" not in run:
            continue
        metric = run["metric"]
        before = run["scores"]["valid"]["identity"][metric]
        total += 1
        worse += run["rescored_valid"][metric] < before
    return worse, total


def plot_log(runs: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw nDCG@10 on "valid" over seconds: a log alone, and fresh clicks after it.

    Each curve is the mean over the seeds, whose validations are at like shares of the time.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = [run for run in runs if run.get("job", {}).get("part") == "log"]
    if not found:
        raise ValueError("the file has no run of the part log")
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, label, color in _CURVES:
        curves = [np.array(run["curve"][name]) for run in found]
        length = min(map(len, curves))
        seconds, values, _ = np.mean([curve[:length] for curve in curves], axis=0).T
        axes.plot(seconds, values, ".-", color=color, label=label)
    before = np.mean([run["scores"]["valid"]["identity"]["ndcg_at_10"] for run in found])
    axes.axhline(before, color="grey", ls=":", label="the embedder as it is")
    axes.set(xlabel="seconds of training, two CPU cores", ylabel="nDCG@10, validation queries")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=130)


def report(runs: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print the table of the trainings, the violations and the searches."""
    table = Table(
        *("part", "vectors", "seeds", "answers of", "nDCG@10", "P@1"),
        *("trained minus, nDCG@10", "trained minus, P@1"),
        title="On test, means over seeds, with paired 95% intervals over queries",
    )
    for row in summary(runs):
        table.add_row(*row)
    console.print(table)
    worse, total = violations(runs)
    console.print(f"worse than the untouched embedder on valid, rescored: {worse} of {total}")
    for run in runs:
        if "search" in run:
            console.print({name: round(value, 3) for name, value in run["search"].items()})


def main(options: Options) -> None:
    """Run what is missing, and report all runs of the file."""
    console = Console(width=160)
    runs = read_runs(options.runs)
    if not options.report_only:
        collections = load_collections(options)
        for job in missing_jobs(options, collections, runs):
            console.print(f"{job}")
            found = train(job, options, collections[job.vectors])
            append_run(options.runs, {"job": asdict(job), **found})
        searches = [run["search"]["documents"] for run in runs if "search" in run]
        if "search" in options.parts and options.documents not in searches:
            append_run(options.runs, {"search": search_speed(options.documents)})
    report(read_runs(options.runs), console)
    if options.plot is not None:
        plot_log(read_runs(options.runs), options.plot)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

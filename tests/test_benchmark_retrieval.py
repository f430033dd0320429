"""benchmarks/retrieval.py and embeddings.py: what they run, write and report."""

import io
import json
from dataclasses import asdict, replace

import embeddings
import numpy as np
import pytest
import retrieval
from rich.console import Console
from run_files import append_run, read_runs

from agents import AlgorithmConfig
from llmar_env.retrieval import Collection, read_clicks
from llmar_env.text.embedders import WordVectorsConfig


def run_of(seed, trained, identity, rescored):
    """A run of two test queries, whose first measure is given."""
    job = asdict(replace(retrieval._JOBS["log"][0], seed=seed))
    values = {"trained": trained, "identity": identity}
    return {
        "job": job,
        "metric": "ndcg_at_10",
        "values": {name: {"ndcg_at_10": one, "p_at_1": [1.0, 0.0]} for name, one in values.items()},
        "scores": {"valid": {"identity": {"ndcg_at_10": 0.5}}},
        "rescored_valid": {"ndcg_at_10": rescored},
        "curve": {
            name: [[0.0, 0.1 + seed, 0.2], [1.0, 0.3 + seed, 0.4]] for name, *_ in retrieval._CURVES
        },
    }


RUNS = [run_of(0, [0.5, 0.7], [0.1, 0.2], 0.6), run_of(1, [0.7, 0.9], [0.3, 0.2], 0.4)]


def test_means_over_seeds_and_paired_differences():
    rows = {row[3]: row for row in retrieval.summary(RUNS)}
    assert rows["trained"][:3] == ("log", "model", "2")
    assert rows["trained"][4] == "0.7000"
    assert rows["identity"][4] == "0.2000"
    # Queries differ by 0.4 and 0.6: every resampled mean lies there.
    assert rows["identity"][6] == "+0.5000 [+0.4000, +0.6000]"


def test_models_below_the_untouched_embedder_are_counted():
    assert retrieval.violations(RUNS) == (1, 2)
    stream = io.StringIO()
    retrieval.report([*RUNS, {"search": {"ratio": 1.25}}], Console(file=stream, width=200))
    assert "worse than the untouched embedder on valid, rescored: 1 of 2" in stream.getvalue()
    assert "1.25" in stream.getvalue()


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.jsonl.gz"])
def test_runs_are_appended(tmp_path, name):
    path = tmp_path / "new" / name
    assert read_runs(path) == []
    for run in RUNS:
        append_run(path, run)
    found = read_runs(path)
    assert [one["job"] for one in found] == [one["job"] for one in RUNS]
    assert found[0]["machine"]["cores"] >= 1
    assert found[0]["machine"]["commit"]


def test_only_what_is_missing_is_run(beir_folder):
    options = retrieval.Options(data=beir_folder, parts=("clicks", "log"), seeds=(0, 1, 2))
    collections = retrieval.load_collections(options)
    assert set(collections) == {"static"}  # without a model
    jobs = list(retrieval.missing_jobs(options, collections, []))
    assert [(job.part, job.vectors, job.seed) for job in jobs] == [
        ("clicks", "static", seed) for seed in (0, 1, 2)
    ]
    assert {job.reward for job in retrieval._JOBS["p_at_1"]} == {"p_at_1"}
    assert jobs[0].data == f"{beir_folder.name}: 20 documents, 140 queries"
    assert jobs[0].embedder == "word2vec"
    done = [{"job": asdict(jobs[0])}, {"job": asdict(replace(jobs[1], data="others"))}]
    assert list(retrieval.missing_jobs(options, collections, done)) == jobs[1:]


def test_the_plot(tmp_path):
    retrieval.plot_log(RUNS, tmp_path / "log.png")
    assert (tmp_path / "log.png").stat().st_size > 5000
    with pytest.raises(ValueError, match="no run of the part log"):
        retrieval.plot_log([], tmp_path / "log.png")


def test_a_log_is_what_simulated_users_click(beir_folder, tmp_path):
    config = WordVectorsConfig(dim=8, vocab_size=300, epochs=1)
    collection = Collection.load(beir_folder, word_vectors=config)
    path = retrieval.write_log(collection, tmp_path / "log.tsv", seed=0)
    queries, documents = set(collection.query_ids), set(collection.document_ids)
    log = read_clicks(path, queries, documents)
    assert len(log) == 10 * 10 * len(collection.rows("train"))
    relevant = {
        (collection.query_ids[query], collection.document_ids[document])
        for query, document in zip(
            collection.judgments.queries, collection.judgments.documents, strict=True
        )
    }
    first = [one for one in log if one.rank == 1]
    clicked = {
        good: [one.clicked for one in first if ((one.query, one.document) in relevant) == good]
        for good in (True, False)
    }
    assert np.mean(clicked[True]) == pytest.approx(0.9, abs=0.1)
    assert np.mean(clicked[False]) == pytest.approx(0.1, abs=0.1)


def test_a_run_from_end_to_end(beir_folder, monkeypatch):
    def short(*args, **kwargs):
        return AlgorithmConfig(*args, **{**kwargs, "hidden_dim": 16, "num_texts": 16})

    monkeypatch.setattr(retrieval, "AlgorithmConfig", short)
    monkeypatch.setattr(retrieval, "_WARM_SECONDS", 0.3)
    options = retrieval.Options(data=beir_folder)
    job = retrieval.Job(part="log", vectors="static", seconds=0.5, feedback="clicks", log=True)
    collection = retrieval.load_collection(retrieval._config("static", options))
    run = json.loads(json.dumps({"job": asdict(job), **retrieval.train(job, options, collection)}))
    names = {"identity", "linear", "bm25", "warm_start", "trained", "supervised"}
    assert set(run["values"]) == names
    valid = run["scores"]["valid"]["trained"]
    assert run["rescored_valid"]["ndcg_at_10"] == pytest.approx(valid["ndcg_at_10"])
    assert retrieval.violations([run]) == (0, 1)


def test_the_trainings_of_embeddings(sentences):
    options = embeddings.Options(
        data=sentences, parts=("words", "sentences", "speed"), seeds=(0, 1), seconds=5.0
    )
    corpora = embeddings.load_corpora(options)
    jobs = list(embeddings.missing_jobs(options, corpora, []))
    assert [job.part for job in jobs] == ["words"] * 4  # without a model
    assert jobs[0].targets == "word2vec"
    done = [{"job": asdict(job)} for job in jobs[1:]]
    assert list(embeddings.missing_jobs(options, corpora, done)) == jobs[:1]


def test_rewards_one_after_the_other(sentences, tmp_path):
    options = embeddings.Options(data=sentences, seconds=1.0)
    job = embeddings.Job("words", "cosine, then mrr", 1.0, 0)
    corpus = embeddings.load_corpora(replace(options, parts=("words",)))["words"]
    scores = embeddings.train(job, options, corpus)["scores"]
    assert "start" in scores["test"]
    stream = io.StringIO()
    runs = [{"job": asdict(job), "scores": scores}, {"cache": {"second_seconds": 1.5}}]
    embeddings.report(runs, Console(file=stream, width=160))
    assert "cosine, then mrr" in stream.getvalue()
    assert "second_seconds 1.5" in stream.getvalue()

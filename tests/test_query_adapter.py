"""Query adapters: trained on LLMAR/Retrieve-v0, saved, searched with, and reported."""

import importlib
import json
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import flat_config

from agents import LLMAR, Documents
from agents.__main__ import cli
from agents.algorithms.update import descend
from agents.inference.ranking import BM25, Evaluator, fit_linear
from agents.trainers.data import load_collection
from llmar_env.arrays import unit
from llmar_env.envs.retrieve import RetrieveMDP
from llmar_env.metrics import RankingScores
from llmar_env.retrieval import ClickCounts, Collection, ExactIndex, Judgments, read_beir
from llmar_env.retrieval.files import Clicks
from llmar_env.text.embedded import EmbeddedTexts

SMALL = {
    "env": "LLMAR/Retrieve-v0",
    "hidden_dim": 16,
    "num_texts": 32,
    "group_size": 8,
    "progress": False,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def collection():
    """Queries that are documents' vectors in other coordinates, so that a linear map finds all."""
    rng = np.random.default_rng(0)
    vectors = unit(rng.standard_normal((60, 6)).astype(np.float32))
    turned = np.linalg.qr(np.eye(6) + 0.8 * rng.standard_normal((6, 6)))[0].astype(np.float32)
    document = np.repeat(np.arange(60), 4)
    noise = 0.05 * rng.standard_normal((240, 6))
    queries = (vectors[document] @ turned.T + noise).astype(np.float32)
    order = rng.permutation(240)
    return Collection(
        EmbeddedTexts.from_vectors(queries[order][:, None]),
        {"train": range(160), "valid": range(160, 200), "test": range(200, 240)},
        ExactIndex(vectors),
        Judgments.of([(i, int(d), 1) for i, d in enumerate(document[order])], 240, 60),
        [f"query {i}" for i in range(240)],
        [f"document {i}" for i in range(60)],
        [f"q{i}" for i in range(240)],
        [f"d{i}" for i in range(60)],
    )


@pytest.fixture
def click_log(collection, tmp_path):
    """One impression a training query: the relevant document is first and alone is clicked."""
    rng = np.random.default_rng(0)
    lines = []
    for row in collection.rows("train"):
        [document] = collection.judgments.documents[[collection.judgments.offsets[row]]]
        for rank, shown in enumerate([document, *rng.integers(0, 60, 2)], 1):
            lines.append(f"q{row}\td{shown}\t{rank}\t{int(rank == 1)}")
    path = tmp_path / "clicks.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def llmar(beir_folder):
    config = flat_config(**SMALL, data=str(beir_folder), dim=8, total_steps=4000, supervised=False)
    llmar = LLMAR(config)
    llmar.train()
    return llmar


def train(collection, **options):
    llmar = LLMAR(flat_config(**{**SMALL, "supervised": False, **options}))
    return llmar, llmar.train(collection)


class TestTraining:
    def test_rises_above_the_untouched_embedder(self, collection):
        _, trained = train(collection, total_steps=30_000)
        for split in ("valid", "test"):
            scores = trained.scores[split]
            assert set(scores) == {"identity", "linear", "bm25", "trained"}
            assert scores["trained"].ndcg_at_10 > scores["identity"].ndcg_at_10 + 0.1
            difference = trained.differences[split]["identity"]["ndcg_at_10"]
            mean = scores["trained"].ndcg_at_10 - scores["identity"].ndcg_at_10
            assert difference.mean == pytest.approx(mean)
            assert difference.low > 0
        assert (trained.metric, trained.reward) == ("ndcg_at_10", "ndcg_at_10")
        values = [record.scores.ndcg_at_10 for record in trained.curves["trained"]]
        assert max(values) == trained.scores["valid"]["trained"].ndcg_at_10
        assert values[0] == trained.scores["valid"]["identity"].ndcg_at_10

    def test_the_untouched_embedder_is_the_queries_own_vectors(self, collection):
        _, trained = train(collection, total_steps=1, learning_rate=1e-30)
        rows = collection.rows("test")
        means = collection.source.means[rows.start : rows.stop]
        expected = Evaluator(collection).vectors(means, "test").scores
        assert trained.scores["test"]["identity"] == expected
        assert trained.scores["test"]["trained"] == expected

    def test_never_worse_than_the_untouched_embedder(self, collection):
        # The queries are documents' own vectors, so that every change is for the worse.
        document = collection.judgments.documents
        perfect = replace(
            collection,
            source=EmbeddedTexts.from_vectors(collection.index.vectors(document)[:, None]),
        )
        llmar, trained = train(
            perfect, total_steps=2000, reward="p_at_1", learning_rate=50.0, group_size=2
        )
        valid = trained.scores["valid"]
        assert trained.metric == "p_at_1"
        assert min(one.scores.p_at_1 for one in trained.curves["trained"]) < 1
        assert valid["trained"] == valid["identity"]
        assert "it was kept" in trained.notes[-1]
        assert not llmar.policy.action_net.linear.weight.any()

    def test_a_tie_keeps_the_untouched_embedder(self, collection):
        llmar, trained = train(collection, total_steps=300, learning_rate=1e-9)
        weights = llmar.policy.action_net.linear.weight
        assert not weights.any()
        assert "it was kept" in trained.notes[-1]

    def test_clicks(self, collection):
        _, trained = train(collection, total_steps=60_000, feedback="clicks", supervised=True)
        scores = trained.scores["test"]
        assert trained.reward == "clicks"
        assert scores["trained"].ndcg_at_10 > scores["identity"].ndcg_at_10 + 0.05
        assert "supervised" in scores

    def test_the_baseline_gets_as_many_impressions_of_as_many_documents(
        self, collection, click_log, monkeypatch
    ):
        asked = []

        def simulate(collection, rows, impressions, **options):
            asked.append((impressions, options["top_k"], rows.tolist()))
            return ClickCounts.of_log([Clicks("q", "d", 1, True)], {"q": 3}, {"d": 2})

        monkeypatch.setattr(ClickCounts, "simulate", simulate)
        options = {"warm_start": "supervised", "warm_seconds": 0.3, "click_log": click_log}
        _, trained = train(
            collection, total_steps=512, feedback="clicks", top_k=5, supervised=True, **options
        )
        # One impression a training query is logged, and each step is another.
        assert asked == [(trained.timings["steps"] + 160, 5, list(range(160)))]

    def test_where_nothing_is_clicked_the_baseline_is_left_out(self, collection, monkeypatch):
        monkeypatch.setattr("llmar_env.retrieval.clicks.CLICKS_RELEVANT", 0.0)
        monkeypatch.setattr("llmar_env.retrieval.clicks.CLICKS_NOT_RELEVANT", 0.0)
        _, trained = train(collection, total_steps=256, feedback="clicks", supervised=True)
        assert "supervised" not in trained.scores["test"]
        assert "supervised baseline is left out: nothing was clicked" in trained.notes[-1]

    def test_a_warm_start_on_judgments_before_clicks_is_noted(self, collection):
        options = {"warm_start": "supervised", "warm_seconds": 0.2, "total_steps": 256}
        _, trained = train(collection, feedback="clicks", **options)
        assert "learned from judgments" in trained.notes[0]

    def test_supervised_beside_it(self, collection):
        _, trained = train(collection, total_steps=20_000, supervised=True)
        scores = trained.scores["test"]
        assert scores["supervised"].ndcg_at_10 > scores["identity"].ndcg_at_10 + 0.1
        assert set(trained.curves) == {"trained", "supervised"}

    @pytest.mark.parametrize("reward", ["mrr_at_5", "recall_at_20", "0.5*p_at_1 + 0.5*mrr_at_5"])
    def test_weights_are_selected_by_any_reward(self, collection, reward, tmp_path):
        llmar, trained = train(collection, total_steps=4000, reward=reward, top_k=20)
        assert trained.metric == "reward"
        values = [one.scores.reward for one in trained.curves["trained"]]
        assert trained.scores["valid"]["trained"].reward == max(values)
        assert values[0] == trained.scores["valid"]["identity"].reward
        # As the environment rewards the same answers.
        mdp = RetrieveMDP(collection, "test", reward=reward, top_k=20)
        rows = np.asarray(collection.rows("test"))
        found, cosines = collection.index.search(collection.source.means[rows], 20)
        expected = mdp.reward(found, cosines, rows).mean()
        assert trained.scores["test"]["identity"].reward == pytest.approx(expected)
        assert trained.scores["test"]["bm25"].reward is None
        llmar.save(tmp_path)
        again = LLMAR.load(tmp_path).measure(collection, "valid")
        assert again == trained.scores["valid"]["trained"]

    def test_an_interruption_keeps_the_best_weights(self, collection, monkeypatch):
        def stop(policy, loss, max_grad_norm, when):
            if when.startswith("after 3"):  # 32 texts in a batch, so after ten batches or so
                raise KeyboardInterrupt
            return descend(policy, loss, max_grad_norm, when)

        monkeypatch.setattr("agents.training.supervised.descend", stop)
        llmar = LLMAR(flat_config(**{**SMALL, "warm_start": "supervised", "warm_seconds": 60.0}))
        with pytest.raises(KeyboardInterrupt):
            llmar.train(collection)
        before = Evaluator(collection).vectors(collection.source.means[160:200], "valid").scores
        assert llmar.measure(collection, "valid").ndcg_at_10 >= before.ndcg_at_10
        assert all(weight.isfinite().all() for weight in llmar.policy.parameters())

    def test_a_warm_start_and_its_log(self, collection, click_log):
        options = {"warm_start": "supervised", "warm_seconds": 1.0, "total_steps": 1000}
        for log in (None, click_log):
            _, trained = train(collection, click_log=log, **options)
            scores = trained.scores["valid"]
            assert scores["warm_start"].ndcg_at_10 > scores["identity"].ndcg_at_10 + 0.1
            assert scores["trained"].ndcg_at_10 >= scores["warm_start"].ndcg_at_10
            assert trained.curves["trained"][0].seconds >= 1.0
            assert 1.0 <= trained.timings["warm_seconds"] < 10

    def test_a_log_of_other_queries(self, collection, click_log, tmp_path):
        options = {"warm_start": "supervised", "warm_seconds": 0.2, "total_steps": 256}
        more = tmp_path / "more.tsv"
        more.write_text(click_log.read_text() + "q200\td1\t1\t1\nq3\td1\t1\t0\n")
        with pytest.warns(UserWarning, match="1 of 482 lines are of queries outside of train"):
            train(collection, click_log=more, **options)
        more.write_text("q1\td1\t1\t0\n")
        with pytest.raises(ValueError, match=r"more\.tsv: nothing was clicked"):
            train(collection, click_log=more, **options)
        more.write_text("q1\td1\t1\t1\nq999\td1\t1\t0\n")
        with pytest.raises(ValueError, match="line 2: there is no query 'q999'"):
            train(collection, click_log=more, **options)

    @pytest.mark.parametrize("algo", ["ppo", "a2c"])
    def test_other_algorithms_start_there_too(self, collection, algo):
        _, trained = train(collection, algo=algo, total_steps=2000, num_texts=16)
        first = trained.curves["trained"][0].scores
        assert first == trained.scores["valid"]["identity"]

    def test_embeddings_observed_and_training_goes_on(self, collection):
        llmar, before = train(collection, total_steps=10_000, observation="embeddings")
        after = llmar.train(collection)
        assert after.scores["valid"]["start"] == before.scores["valid"]["trained"]
        kept = after.scores["valid"]["trained"].ndcg_at_10
        assert kept >= before.scores["valid"]["trained"].ndcg_at_10

    def test_the_same_seed_gives_the_same_run(self, collection):
        runs = [train(collection, total_steps=3000, seed=seed)[0] for seed in (1, 1, 2)]
        weights = [one.policy.action_net.linear.weight for one in runs]
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])


class TestBaselines:
    def test_linear_is_the_regression_of_scikit_learn(self, collection):
        ridge = pytest.importorskip("sklearn.linear_model").Ridge
        adapter = fit_linear(collection)
        rows = collection.rows("train")
        queries = collection.source.means[rows.start : rows.stop].astype(np.float64)
        wanted = collection.index.vectors(collection.judgments.documents[rows.start : rows.stop])
        scale = (queries**2).sum() / 6
        peers = [
            np.eye(6)
            + ridge(alpha=scale * 10.0**p, fit_intercept=False)
            .fit(queries, wanted - queries)
            .coef_.T
            for p in range(-4, 4)
        ]
        evaluator = Evaluator(collection)
        valid, test = collection.source.means[160:200], collection.source.means[200:]
        scores = [evaluator.vectors(valid @ one, "valid").scores.ndcg_at_10 for one in peers]
        assert adapter == pytest.approx(peers[int(np.argmax(scores))], abs=1e-5)
        assert evaluator.vectors(test @ adapter, "test").scores.p_at_1 > 0.9

    def test_bm25_finds_words(self, beir_folder):
        collection = Collection.load(beir_folder, embedder=None)
        values = BM25(collection).evaluate("test").values
        # Only the thing is a word of both: its two documents are found first.
        assert values["mrr_at_10"] == pytest.approx(1.0)
        assert values["recall_at_10"] == pytest.approx(1.0)

    def test_bm25_needs_strings(self, collection):
        bare = Collection(
            collection.source, collection.splits, collection.index, collection.judgments
        )
        with pytest.raises(ValueError, match="as strings"):
            BM25(bare)
        _, trained = train(bare, total_steps=500)
        assert "bm25" not in trained.scores["test"]
        assert "bm25 is left out" in trained.notes[0]


class TestUse:
    def test_encode_and_search(self, llmar):
        queries = ["Did you see my boat?", "Did you like my house?"]
        vectors = llmar.encode(queries)
        assert vectors.shape == (2, 8)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
        assert llmar.encode(queries[0]) == pytest.approx(vectors[0], abs=1e-6)
        hits = llmar.search(queries, k=3)
        documents = llmar.corpus.index.vectors(np.arange(20))
        order = np.argsort(-(vectors @ documents.T), axis=1)[:, :3]
        assert [[hit.id for hit in found] for found in hits] == [
            [f"d{i}" for i in row] for row in order
        ]
        best = hits[1][0]
        assert best.text == llmar.corpus.documents[int(best.id[1:])]
        assert best.score == pytest.approx((vectors[1] @ documents[int(best.id[1:])]), abs=1e-5)
        assert hits[1][1].confidence is hits[1][2].confidence is None
        calibration, margin = llmar.trainer.calibration, hits[1][0].score - hits[1][1].score
        odds = calibration.slope * margin + calibration.offset
        assert best.confidence == pytest.approx(1 / (1 + np.exp(-odds)))
        assert llmar.search(queries[1], k=1) == [best]
        assert [hit.id for hit in llmar.search(queries[1], k=3)] == [hit.id for hit in hits[1]]

    def test_other_documents(self, llmar):
        texts = {"a": "We see the boat.", "b": "We buy the door.", "c": "We like the house."}
        documents = llmar.embed_documents(texts)
        assert isinstance(documents, Documents)
        cosines = llmar.encode("a door") @ unit(llmar.source_embedder.embed(texts.values()).means).T
        hits = llmar.search("a door", 2, documents=documents)
        assert [hit.id for hit in hits] == ["abc"[i] for i in np.argsort(-cosines)[:2]]
        assert [hit.text for hit in hits] == [texts[hit.id] for hit in hits]
        with pytest.raises(ValueError, match="1 to 3, the number of documents, found 4"):
            llmar.search("a door", 4, documents=documents)

    def test_saved_and_loaded(self, llmar, beir_folder, tmp_path):
        llmar.save(tmp_path)
        loaded = LLMAR.load(tmp_path)
        assert np.array_equal(loaded.encode(["my boat"]), llmar.encode(["my boat"]))
        assert loaded.search("my boat", 4) == llmar.search("my boat", 4)
        expected = llmar.measure(split="test")
        assert isinstance(expected, RankingScores)
        assert loaded.measure() == expected
        assert loaded.measure(beir_folder, "valid") == llmar.measure(split="valid")

    def test_a_loaded_model_searches_what_it_was_trained_on_or_nothing(
        self, beir_folder, tmp_path, llmar
    ):
        # Data of one's own, of which the configuration knows nothing.
        texts = read_beir(beir_folder)
        own = LLMAR(flat_config(**SMALL, dim=8, total_steps=256, supervised=False))
        own.train(texts)
        own.save(tmp_path / "own")
        loaded = LLMAR.load(tmp_path / "own")
        with pytest.raises(ValueError, match="phrasebook:en are not those that this model"):
            loaded.search("my boat", 2)
        documents = loaded.embed_documents(texts.documents)
        assert loaded.search("my boat", 2, documents=documents) == own.search("my boat", 2)
        loaded.save(tmp_path / "again")
        with pytest.raises(ValueError, match="not those that this model was trained on"):
            LLMAR.load(tmp_path / "again").search("my boat", 2)

        moved = tmp_path / "moved"
        shutil.copytree(beir_folder, moved)
        llmar.save(tmp_path / "model")
        manifest = tmp_path / "model" / "model.json"
        manifest.write_text(manifest.read_text().replace(str(beir_folder), str(moved)))
        assert LLMAR.load(tmp_path / "model").search("my boat", 2) == llmar.search("my boat", 2)
        lines = (moved / "corpus.jsonl").read_text().splitlines()
        (moved / "corpus.jsonl").write_text("\n".join(lines[1:]) + "\n")
        with pytest.raises(ValueError, match="not those that this model was trained on"):
            LLMAR.load(tmp_path / "model").search("my boat", 2)
        shutil.rmtree(moved)
        with pytest.raises(FileNotFoundError, match="moved"):
            LLMAR.load(tmp_path / "model").search("my boat", 2)

    def test_settings_of_word_vectors_are_refused_where_they_have_no_effect(self, collection):
        with pytest.raises(ValueError, match="dim=8, but the collection has vectors of dim"):
            train(collection, dim=8)
        for options in ({"dim": 8}, {"vectors_seed": 3}):
            with pytest.raises(ValueError, match="built-in collection has its own vectors"):
                train(None, **options)

    def test_what_it_is_not_for(self, llmar):
        with pytest.raises(ValueError, match="call search instead of nearest"):
            llmar.nearest("my boat")
        with pytest.raises(ValueError, match="call measure"):
            llmar.evaluate(llmar.generate(["my boat"]), ["a boat"])
        aligner = LLMAR()
        for call in (lambda: aligner.search("x"), lambda: aligner.measure()):
            with pytest.raises(ValueError, match="train one on LLMAR/Retrieve-v0"):
                call()

    def test_the_command_line(self, beir_folder, tmp_path, capsys):
        base = ["--device", "cpu", "--no-progress"]
        sizes = ["--hidden-dim", "16", "--dim", "8", "--num-texts", "32", "--total-steps", "2000"]
        run = ["--runs", str(tmp_path), "--name", "r", "--time-limit", "3"]
        cli(
            ["train", "--env", "LLMAR/Retrieve-v0", "--data", str(beir_folder), *base, *sizes, *run]
        )
        printed = capsys.readouterr().out
        assert "nDCG@10" in printed
        assert "trained on the reward ndcg_at_10" in printed
        results = json.loads((tmp_path / "r" / "results.json").read_text())
        names = {"trained", "supervised", "linear", "bm25", "identity"}
        assert set(results["test"]) == names
        assert set(results["test"]["trained"]) == {
            "ndcg_at_10",
            "recall_at_10",
            "mrr_at_10",
            "p_at_1",
        }
        low, high = (
            results["differences"]["test"]["identity"]["p_at_1"][name] for name in ("low", "high")
        )
        assert low <= high
        assert (tmp_path / "r" / "curve.png").stat().st_size > 1000

        model = ["--model", str(tmp_path / "r"), "--device", "cpu"]
        cli(["search", *model, "--text", "Did you see my boat?", "--k", "2"])
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "Did you see my boat?"
        assert [line.split("\t")[0] for line in lines[1:3]] == ["1", "2"]
        cli(["search", *model, "--text", "my boat", "--k", "2", "--jsonl"])
        found = json.loads(capsys.readouterr().out)
        assert found["query"] == "my boat"
        assert len(found["hits"]) == 2
        assert 0 <= found["hits"][0]["confidence"] <= 1
        assert found["unknown"] == []
        cli(["search", *model, "--text", "my xyzzy boat", "--jsonl"])
        assert json.loads(capsys.readouterr().out)["unknown"] == ["xyzzy"]
        cli(["evaluate", *model, "--data", str(beir_folder), "--jsonl"])
        scores = json.loads(capsys.readouterr().out)
        assert scores["ndcg_at_10"] == pytest.approx(results["test"]["trained"]["ndcg_at_10"])
        assert scores["reliability"]["right"] == pytest.approx(scores["p_at_1"])
        expected = results["reliability"]["test"]["calibration_error"]
        assert scores["reliability"]["calibration_error"] == pytest.approx(expected)
        with pytest.raises(SystemExit, match="--method is for models that write texts"):
            cli(["evaluate", *model, "--data", str(beir_folder), "--method", "beam"])
        documents = tmp_path / "other.jsonl"
        documents.write_text('{"_id": "x", "text": "We keep the island."}\n')
        cli(["search", *model, "--text", "my boat", "--k", "1", "--documents", str(documents)])
        assert "\tx\tWe keep the island." in capsys.readouterr().out

    def test_three_files(self, beir_folder):
        config = flat_config(
            **SMALL,
            data=str(beir_folder / "qrels" / "train.tsv"),
            test=beir_folder / "qrels" / "test.tsv",
            documents=beir_folder / "corpus.jsonl",
            queries=beir_folder / "queries.jsonl",
            dim=8,
        )
        collection = load_collection(config)
        assert set(collection.splits) == {"train", "valid", "test"}
        assert len(collection.rows("test")) == 30
        assert len(collection.index) == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"algo": "sac"}, "algo cannot be used: training starts at the queries' own vectors"),
        ({"reward": "bleu"}, "no ranking measure 'bleu'"),
        ({"reward": "ndcg_at_20"}, "needs 20 documents, but top_k=10"),
        ({"reward": "p_at_1", "feedback": "clicks"}, "reward cannot be used with --feedback"),
        ({"num_vectors": 2}, "num_vectors is a setting of LLMAR/Align-v0"),
        ({"source_embedder": "st:x"}, "source_embedder is a setting of pairs of texts"),
        ({"warm_seconds": 3.0}, "warm_seconds is a setting of a warm start"),
        ({"click_log": "x.tsv"}, "click_log is learned from in the warm start"),
        ({"documents": "x.jsonl"}, "documents needs --queries and --data"),
        ({"queries": "x.jsonl"}, "queries needs --documents and --data"),
        ({"valid": "x.tsv"}, "valid needs --documents and --queries"),
        ({"embedder": "st"}, "embedder cannot be used: an embedder is one of word2vec"),
        ({"embedder": "st:x", "dim": 8}, "dim is a setting of word2vec"),
        ({"env": "LLMAR/Align-v0", "feedback": "clicks"}, "feedback is a setting of LLMAR/Ret"),
        ({"env": "LLMAR/Align-v0", "warm_start": "supervised"}, "warm_start is a setting of"),
        ({"env": "LLMAR/Align-v0", "reward": "chrf"}, "reward cannot be used"),
        (
            {"env": "LLMAR/Generate-v0", "embedder": "st:x"},
            "embedder cannot be used for the targets of a writer",
        ),
        (
            {
                "env": "LLMAR/Align-v0",
                "embedder": "st:x",
                "source_embedder": "st:y",
                "target_embedder": "st:z",
            },
            "embedder has no effect beside",
        ),
    ],
)
def test_options_that_cannot_be_used(options, message):
    with pytest.raises(ValueError, match=message):
        LLMAR(flat_config(**{"env": "LLMAR/Retrieve-v0", **options}))


def test_the_built_in_collection_from_the_command_line(tmp_path, capsys):
    run = ["--runs", str(tmp_path), "--name", "r", "--no-progress", "--device", "cpu"]
    sizes = ["--hidden-dim", "16", "--total-steps", "4096", "--no-supervised"]
    cli(["train", "--env", "LLMAR/Retrieve-v0", *run, *sizes])
    capsys.readouterr()
    model = ["--model", str(tmp_path / "r"), "--device", "cpu"]
    cli(["evaluate", *model, "--data", "phrasebook:en", "--jsonl"])
    scores = json.loads(capsys.readouterr().out)
    results = json.loads((tmp_path / "r" / "results.json").read_text())
    assert scores["mrr_at_10"] == pytest.approx(results["test"]["trained"]["mrr_at_10"])
    cli(["search", *model, "--text", "We read a book.", "--k", "3"])
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_the_example_learns_and_saves(beir_folder, tmp_path, capsys):
    example = importlib.import_module("examples.query_adapter")
    before, after = example.main(str(beir_folder), seconds=5.0, folder=tmp_path / "model")
    assert after > before + 0.02
    printed = capsys.readouterr().out
    assert "with the adapter" in printed
    assert "(64,)" in printed
    assert LLMAR.load(tmp_path / "model").encode(["We see it."]).shape == (1, 64)


def test_defaults_depend_on_the_dimension_of_the_vectors(tmp_path):
    rng = np.random.default_rng(0)
    for dim, width in ((16, 128), (144, 144)):
        vectors = rng.standard_normal((20, dim)).astype(np.float32)
        collection = Collection(
            EmbeddedTexts.from_vectors(vectors[:, None]),
            {"train": range(10), "valid": range(10, 20)},
            ExactIndex(vectors),
            Judgments.of([(i, i, 1) for i in range(20)], 20, 20),
        )
        llmar, _ = train(collection, total_steps=256, hidden_dim=None)
        assert llmar.config.algorithm.hidden_dim == llmar.policy.hidden_dim == width
        # The expected length of the noise is that of the query's vector.
        assert llmar.policy.noise_scale * dim**0.5 == pytest.approx(1.0)
        llmar.save(tmp_path / str(dim))
        again = LLMAR.load(tmp_path / str(dim)).policy
        assert again.noise_scale == pytest.approx(llmar.policy.noise_scale)


def test_a_moved_model_is_named_on_the_command_line(tmp_path, capsys):
    table = tmp_path / "vectors.txt"
    write = lambda path: path.write_text("dog 1 0 0\ncat 0 1 0\nfox 0 0 1\n")  # noqa: E731
    write(table)
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    texts = [json.dumps({"_id": str(i), "text": text}) for i, text in enumerate(("dog", "cat fox"))]
    for name in ("corpus", "queries"):
        (folder / f"{name}.jsonl").write_text("\n".join(texts) + "\n")
    for split in ("train", "val"):
        (folder / "qrels" / f"{split}.tsv").write_text("0\t0\t1\n1\t1\t1\n")
    config = flat_config(
        **SMALL,
        data=str(folder),
        embedder=f"vectors:{table}",
        reward="p_at_1",
        top_k=1,
        total_steps=256,
        supervised=False,
    )
    llmar = LLMAR(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same queries validate
        llmar.train()
    llmar.save(tmp_path / "model")
    table.unlink()
    search = ["search", "--model", str(tmp_path / "model"), "--text", "dog", "--k", "1"]
    with pytest.raises(SystemExit, match=r"needs the model vectors:.*name its place: --source-emb"):
        cli(search)
    moved = tmp_path / "moved.txt"
    write(moved)
    cli([*search, "--source-embedder", f"vectors:{moved}"])
    assert "\t0\tdog" in capsys.readouterr().out

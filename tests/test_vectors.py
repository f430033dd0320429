"""Vectors that come from elsewhere: their files, their pairing with texts, and the examples."""

import importlib
import json

import numpy as np
import pytest
from conftest import flat_config

from agents import LLMAR
from agents.__main__ import cli
from agents.trainers.data import load_corpus
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import GivenVectors, WordVectorsConfig, load_embedder
from llmar_env.text.vector_data import read_vectors

TINY = WordVectorsConfig(dim=6, vocab_size=300, epochs=1)


@pytest.fixture(scope="module")
def items():
    """120 items of 1 to 4 vectors of dimension 5."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal((1 + i % 4, 5)).astype(np.float32) for i in range(120)]


def packed(items):
    return np.concatenate(items), np.cumsum([0, *map(len, items)])


def write(folder, kind, items):
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / f"vectors.{kind}"
    if kind == "npz":
        vectors, offsets = packed(items)
        np.savez(path, vectors=vectors, offsets=offsets)
    elif kind == "npy":
        np.save(path, np.stack([item[0] for item in items]))
    else:
        parquet.write_table(
            pa.table({"id": range(len(items)), "v": [item.tolist() for item in items]}), path
        )
    return path


class TestFiles:
    @pytest.mark.parametrize("kind", ["npz", "npy", "parquet"])
    def test_what_is_written_is_read(self, items, tmp_path, kind):
        if kind == "parquet":
            pytest.importorskip("pyarrow")
        store = read_vectors(write(tmp_path, kind, items))
        assert len(store) == 120
        for row, item in enumerate(items):
            vectors, [length] = store.gather([row])
            expected = item[:1] if kind == "npy" else item
            assert vectors[0, :length] == pytest.approx(expected)

    def test_a_parquet_column_of_single_vectors(self, tmp_path):
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        rows = [[1.0, 2.0], [3.0, 4.0]]
        parquet.write_table(pa.table({"v": rows}), tmp_path / "v.parquet")
        store = read_vectors(tmp_path / "v.parquet")
        assert store.table.tolist() == rows
        parquet.write_table(pa.table({"a": rows, "b": rows}), tmp_path / "two.parquet")
        with pytest.raises(ValueError, match="one column of lists, found 2 among a, b"):
            read_vectors(tmp_path / "two.parquet")

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"vectors": np.ones((3, 2))}, "needs the arrays vectors and offsets, found vectors"),
            ({"vectors": np.ones(3), "offsets": [0, 3]}, r"shape \(total, D\), found .* \(3,\)"),
            ({"vectors": np.ones((3, 2)), "offsets": [0, 2]}, "from 0 to 3, the number of vect"),
            ({"vectors": np.ones((3, 2)), "offsets": [0.0, 3.0]}, "integers from 0 to 3"),
            ({"vectors": np.ones((3, 2)), "offsets": [0, 2, 2, 3]}, "item 1 has no vector"),
            (
                {"vectors": [[1, 1], [1, np.nan]], "offsets": [0, 1, 2]},
                "item 1 has a vector that is zero or not finite",
            ),
            (
                {"vectors": [[1, 1], [0, 0], [1, 0]], "offsets": [0, 2, 3]},
                "item 0 has a vector that is zero or not finite",
            ),
        ],
    )
    def test_faults_are_named(self, tmp_path, arrays, message):
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(ValueError, match=f"bad.npz.*{message}"):
            read_vectors(tmp_path / "bad.npz")

    def test_other_files(self, tmp_path):
        np.save(tmp_path / "objects.npy", np.array([{}, []], object), allow_pickle=True)
        with pytest.raises(ValueError, match=r"cannot be read: .*allow_pickle=False"):
            read_vectors(tmp_path / "objects.npy")
        (tmp_path / "x.npz").write_bytes(b"PK\3\4 nonsense")
        with pytest.raises(ValueError, match=r"x\.npz cannot be read"):
            read_vectors(tmp_path / "x.npz")
        (tmp_path / "x.txt").write_text("1 2")
        with pytest.raises(ValueError, match=r"are read from \.npz, \.npy, \.parquet files"):
            read_vectors(tmp_path / "x.txt")
        with pytest.raises(FileNotFoundError, match="there is no file"):
            read_vectors(tmp_path / "none.npy")


class TestGivenVectors:
    def test_scaled_and_centered(self, items):
        given = GivenVectors().fit(items[:80])
        units = [item / np.linalg.norm(item, axis=1, keepdims=True) for item in items]
        center = np.mean([unit.mean(axis=0) for unit in units[:80]], axis=0)
        assert given.center == pytest.approx(center, abs=1e-6)
        store = given.embed(items)
        assert store.table == pytest.approx(np.concatenate(units) - center, abs=1e-6)
        assert store.means[:80].mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-6)

    def test_saved_and_loaded(self, items, tmp_path):
        given = GivenVectors().fit(items)
        given.save(tmp_path / "x.safetensors")
        for loaded in (
            GivenVectors.load(tmp_path / "x.safetensors"),
            load_embedder(tmp_path / "x.safetensors"),
        ):
            assert np.array_equal(loaded.embed(items).table, given.embed(items).table)

    def test_faults(self, items):
        given = GivenVectors()
        with pytest.raises(RuntimeError, match="call fit first"):
            given.embed(items)
        given.fit(items)
        for bad, message in (
            (["text"], "takes vectors, .* not texts; item 0 is 'text'"),
            ([items[0], np.zeros((1, 5))], "text 1 has a vector that is zero"),
            ([np.ones((2, 4))], "dimension 5, found 4"),
            ([items[0], np.ones((2, 4))], "item 1 has vectors of dimension 4, the first of 5"),
            ([np.ones((1, 2, 5))], r"item 0 has shape \(1, 2, 5\)"),
            ([], "nothing to embed"),
        ):
            with pytest.raises(ValueError, match=message):
                given.embed(bad)


class TestCorpus:
    def test_vectors_with_texts(self, items):
        targets = [f"thing number {i % 7}" for i in range(120)]
        corpus = Corpus.of_vectors(EmbeddedTexts.from_vectors(items), targets, word_vectors=TINY)
        assert sum(map(len, corpus.splits.values())) == 120
        assert corpus.sources == ()
        # Each row has its own: the vectors of a row are those of the item with its target.
        given = corpus.source_embedder.embed(items)
        places = [corpus.targets.index(one) for one in dict.fromkeys(targets)]
        for place in places:
            vectors, [length] = corpus.source.gather([place])
            mean = vectors[0, :length].mean(axis=0)
            match = np.abs(given.means - mean).max(axis=1).argmin()
            assert targets[match] == corpus.targets[place]
        train = corpus.rows("train")
        assert corpus.source.means[train.start : train.stop].mean(axis=0) == pytest.approx(
            np.zeros(5), abs=1e-6
        )

    def test_equal_items_fall_in_one_split(self, items):
        store = EmbeddedTexts.from_vectors([*items, *items])
        corpus = Corpus.of_vectors(store, store)
        split_of = {}
        for split, rows in corpus.splits.items():
            for row in rows:
                key = corpus.source.means[row].tobytes()
                assert split_of.setdefault(key, split) == split

    def test_faults(self, items):
        store = EmbeddedTexts.from_vectors(items)
        with pytest.raises(ValueError, match="120 inputs, but 1 targets"):
            Corpus.of_vectors(store, ["one"])
        with pytest.raises(ValueError, match="both sides are strings"):
            Corpus.of_vectors(["a"], ["b"])


class TestCommand:
    def test_images_of_a_file_and_their_names(self, items, tmp_path, capsys):
        names = [f"thing number {i % 7}" for i in range(120)]
        lines = "\n".join(["target", *names]) + "\n"
        (tmp_path / "names.tsv").write_text(lines)
        path = write(tmp_path, "npz", items)
        options = ["--source-vectors", str(path), "--data", str(tmp_path / "names.tsv")]
        sizes = ["--dim", "6", "--hidden-dim", "8", "--num-texts", "8", "--total-steps", "256"]
        run = ["--runs", str(tmp_path), "--name", "r", "--no-progress", "--device", "cpu"]
        cli(["train", *options, *sizes, *run])
        assert "Scores on test" in capsys.readouterr().out
        results = json.loads((tmp_path / "r" / "results.json").read_text())
        assert results["config"]["source_vectors"] == str(path)
        llmar = LLMAR.load(tmp_path / "r")
        assert llmar.generate(items[:3]).shape == (3, 1, 6)
        assert llmar.encode(items[:3]).shape == (3, 6)

    def test_rows_of_all_files_in_order(self, items, tmp_path):
        for split, size in (("train", 90), ("valid", 20), ("test", 10)):
            rows = [f"thing {split} {i}" for i in range(size)]
            (tmp_path / f"{split}.tsv").write_text("\n".join(["target", *rows]) + "\n")
        config = flat_config(
            data=str(tmp_path / "train.tsv"),
            valid=tmp_path / "valid.tsv",
            test=tmp_path / "test.tsv",
            source_vectors=write(tmp_path, "npz", items),
            dim=6,
        )
        corpus = load_corpus(config)
        assert [len(rows) for rows in corpus.splits.values()] == [90, 20, 10]
        expected = corpus.source_embedder.embed(items)
        assert np.array_equal(corpus.source.table, expected.table)

    def test_vectors_on_both_sides(self, items, tmp_path):
        path = write(tmp_path, "npz", items)
        corpus = load_corpus(flat_config(source_vectors=path, target_vectors=path))
        assert (corpus.sources, corpus.targets) == ((), ())
        assert len(corpus.source) == 120

    def test_a_file_of_another_size(self, items, tmp_path):
        (tmp_path / "x.tsv").write_text("target\na b\nc d\n")
        config = flat_config(
            data=str(tmp_path / "x.tsv"), source_vectors=write(tmp_path, "npy", items)
        )
        with pytest.raises(ValueError, match="vectors of 120 items for 2 rows of texts"):
            load_corpus(config)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"source_vectors": "a.npz"}, "source_vectors needs --data, a file with the column of"),
            (
                {"source_vectors": "a.npz", "target_vectors": "b.npz", "data": "x.tsv"},
                "data has no effect beside",
            ),
            (
                {"source_vectors": "a.npz", "data": "x.tsv", "source_embedder": "word2vec"},
                "source_embedder has no effect beside --source-vectors",
            ),
            (
                {"source_vectors": "a.npz", "data": "x.tsv", "on_bad_row": "skip"},
                "on_bad_row cannot be skip beside vectors",
            ),
            (
                {"target_vectors": "a.npz", "data": "x.tsv", "env": "LLMAR/Generate-v0"},
                "target_vectors is a setting of LLMAR/Align-v0",
            ),
            (
                {"source_vectors": "a.npz", "data": "x.tsv", "env": "LLMAR/Retrieve-v0"},
                "source_vectors is a setting of pairs of texts",
            ),
        ],
    )
    def test_options_that_do_not_go_together(self, options, message):
        with pytest.raises(ValueError, match=message):
            LLMAR(flat_config(**options))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seconds"), [("digits", 5.0), ("tones", 8.0)])
def test_examples_of_images_and_sounds(name, seconds):
    if name == "digits":
        pytest.importorskip("sklearn", reason="needs scikit-learn")
    before, after = importlib.import_module(f"examples.{name}").main(seconds=seconds)
    assert before < 0.25
    assert after > before + 0.5

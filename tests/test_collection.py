import json

import numpy as np
import pytest

from llmar_env.retrieval import Collection, read_beir, read_collection
from llmar_env.retrieval.files import read_clicks

DOCUMENTS = {"d1": "a red house", "d2": "a blue car", "d3": "a red car"}
RECORD = '{"_id": "d1", "text": "x"}'
QUERIES = {"q1": "house", "q2": "car", "q3": "blue", "q4": "red"}
QRELS = {
    "train": [("q1", "d1", 1), ("q2", "d2", 2), ("q2", "d3", 1)],
    "dev": [("q3", "d2", 1), ("q3", "d1", 0)],
    "test": [("q4", "d1", 1), ("q4", "d3", 1)],
}


@pytest.fixture
def beir(tmp_path):
    """A folder of the BEIR layout."""

    def lines(texts):
        return "".join(json.dumps({"_id": n, "text": t}) + "\n" for n, t in texts.items())

    (tmp_path / "corpus.jsonl").write_text(lines(DOCUMENTS), "utf-8")
    (tmp_path / "queries.jsonl").write_text(lines(QUERIES), "utf-8")
    (tmp_path / "qrels").mkdir()
    for split, rows in QRELS.items():
        table = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in rows)]
        (tmp_path / "qrels" / f"{split}.tsv").write_text("\n".join(table) + "\n", "utf-8")
    return tmp_path


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_reads_the_beir_layout(beir):
    texts = read_beir(beir)
    assert (texts.documents, texts.queries) == (DOCUMENTS, QUERIES)
    assert texts.judgments["valid"] == {"q3": {"d2": 1, "d1": 0}}
    collection = Collection.load(beir)
    assert {split: len(rows) for split, rows in collection.splits.items()} == {
        "train": 2,
        "valid": 1,
        "test": 1,
    }
    assert collection.sources == ["house", "car", "blue", "red"]
    assert collection.query_ids == ["q1", "q2", "q3", "q4"]
    assert collection.targets == ["a red house", "a blue car", "a blue car", "a red house"]
    found = collection.judgments.grades_of(np.arange(4), np.tile(np.arange(3), (4, 1)))
    assert found.tolist() == [[1, 0, 0], [0, 2, 1], [0, 1, 0], [1, 0, 1]]


def test_a_title_stands_before_the_text(beir):
    record = {"_id": "d1", "title": "Homes", "text": "a red house"}
    write(
        beir / "corpus.jsonl",
        "".join(
            json.dumps(one) + "\n"
            for one in [record, {"_id": "d2", "text": "x"}, {"_id": "d3", "text": "y"}]
        ),
    )
    assert read_beir(beir).documents["d1"] == "Homes a red house"


@pytest.mark.parametrize(
    "text",
    [
        "q1\td1\t1\nq2\td2\t1\n",
        "\ufeffquery-id\tcorpus-id\tscore\r\nq1\td1\t1\r\n\r\nq2\td2\t1\r\n",
        "q1 0 d1 1\nq2 0 d2 1\n",
        "q1\t0\td1\t1\nq2\t0\td2\t1\n",
    ],
)
def test_forms_of_judgments(beir, text):
    path = beir / "judged.tsv"
    write(path, text)
    read = read_collection(beir / "corpus.jsonl", beir / "queries.jsonl", {"train": path})
    assert read.judgments["train"] == {"q1": {"d1": 1}, "q2": {"d2": 1}}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("corpus.jsonl", f"{RECORD}\n{RECORD}", "line 2: the id 'd1' stands there twice"),
        ("corpus.jsonl", '{"_id": "d1"}', "line 1: expected an object with _id and text"),
        ("corpus.jsonl", "[1]", "line 1: expected an object"),
        ("corpus.jsonl", '{"_id": "d1", "text": " "}', "line 1: 'd1' has no text"),
        ("corpus.jsonl", "{", "line 1: not JSON"),
        ("corpus.jsonl", b"\xff\n", "line 1: not UTF-8"),
        ("queries.jsonl", "", "queries.jsonl is empty"),
        ("qrels/train.tsv", "q1\td1\t-1\n", "line 1: a grade is an integer of at least 0"),
        ("qrels/train.tsv", "q1\td1\t1\nq1\td2\tx\n", "line 2: a grade is .* found 'x'"),
        ("qrels/train.tsv", "q1\td1\t0\n", "train.tsv, line 1: query 'q1' has no"),
        ("qrels/train.tsv", "q9\td1\t1\n", "line 1: there is no query 'q9'"),
        ("qrels/train.tsv", "q1\td1\t1\nq1\td9\t1\n", "line 2: there is no document 'd9'"),
        ("qrels/train.tsv", "q1\td1\t1\nq1\td1\t1\n", "line 2: document 'd1' is judged twice"),
        ("qrels/train.tsv", "q1\td1\n", "line 1: expected query id, document id and grade"),
        ("qrels/train.tsv", "q1\n", "line 1: expected query id, document id and grade"),
        ("qrels/train.tsv", "query-id\tcorpus-id\tscore\n", "train.tsv has no judgments"),
        ("qrels/val.tsv", "q1\td1\t1\n", "dev.tsv and val.tsv: keep one"),
    ],
)  # fmt: skip
def test_names_file_and_line(beir, name, text, message):
    write(beir / name, text)
    with pytest.raises(ValueError, match=message):
        read_beir(beir)


def test_missing_files(beir):
    with pytest.raises(ValueError, match=r"is no collection: it needs corpus\.jsonl"):
        read_beir(beir / "nowhere")
    (beir / "qrels/train.tsv").rename(beir / "qrels/other.tsv")
    with pytest.raises(ValueError, match=r"has no train\.tsv"):
        read_beir(beir)


def test_queries_of_two_splits_are_counted(beir):
    write(beir / "qrels/test.tsv", "q1\td1\t1\nq4\td1\t1\n")
    with pytest.warns(UserWarning, match="1 of the 2 queries of test are in train too"):
        Collection.load(beir)


def test_without_validation_a_part_of_train_is_taken():
    n = 400
    documents = {f"d{i}": f"word{i % 7} word{i % 11}" for i in range(20)}
    queries = {f"q{i}": f"word{i % 7} and {i}" for i in range(n)}
    from llmar_env.retrieval.files import JudgedTexts

    texts = JudgedTexts(
        documents, queries, {"train": {f"q{i}": {f"d{i % 20}": 1} for i in range(n)}}
    )
    collection = Collection.embed(texts)
    valid = len(collection.splits["valid"])
    assert 5 <= valid <= 40
    assert len(collection.splits["train"]) == n - valid
    assert not {*collection.query_ids[: n - valid]} & {*collection.query_ids[n - valid :]}


def test_the_built_in_collection():
    collection = Collection.load("phrasebook:en")
    assert list(collection.splits) == ["train", "valid", "test"]
    assert (collection.judgments.num_relevant > 0).all()
    # A document of grade 2 says who does what; recompute it for some queries from the strings.
    from llmar_env.text.phrasebook import parse

    def deed(text):
        meaning = parse(text, "en")
        main = meaning.main
        predicate = (main.place, main.oadj, main.compare) if main.verb == "be" else ()
        return (meaning.phrase, main.verb, main.object, *predicate), main.noun

    rng = np.random.default_rng(0)
    for row in rng.choice(len(collection.sources), 20, replace=False).tolist():
        done, by = deed(collection.sources[row])
        documents = rng.choice(2000, 20, replace=False)
        first, last = collection.judgments.offsets[row : row + 2]
        documents = np.unique([*documents, *collection.judgments.documents[first:last][:3]])
        grades = collection.judgments.grades_of(np.array([row]), documents[None])[0]
        for document, grade in zip(documents.tolist(), grades.tolist(), strict=True):
            other, other_by = deed(collection.documents[document])
            assert grade == (1 + (by == other_by) if done == other else 0)


def test_refuses_what_does_not_fit(beir):
    collection = Collection.load(beir)
    with pytest.raises(ValueError, match="no split 'dev'; this collection has train, valid, test"):
        collection.rows("dev")
    with pytest.raises(ValueError, match="a Collection has its own embedder"):
        Collection.load(collection, embedder=collection.embedder)
    with pytest.raises(ValueError, match="found int"):
        Collection.load(3)
    with pytest.warns(UserWarning, match="queries are longer than max_length=1"):
        assert Collection.load(beir, max_length=1).source.max_length == 1


class TestClicks:
    def test_reads_a_log(self, tmp_path):
        path = tmp_path / "log.tsv"
        write(path, "query-id\tcorpus-id\trank\tclicked\nq1\td1\t1\t0\nq1\td2\t2\t1\n")
        first, second = read_clicks(path, QUERIES, DOCUMENTS)
        assert (first.document, first.rank, first.clicked) == ("d1", 1, False)
        assert (second.document, second.rank, second.clicked) == ("d2", 2, True)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("q1\td1\t0\t1\n", "line 1: expected query id, document id, rank from 1"),
            ("q1\td1\t1\t2\n", "line 1: expected"),
            ("q1\td1\t1\n", "line 1: expected"),
            ("q9\td1\t1\t1\n", "no query 'q9'"),
            ("q1\td9\t1\t1\n", "no document 'd9'"),
            ("", "has no clicks"),
        ],
    )
    def test_names_the_line(self, tmp_path, text, message):
        path = tmp_path / "log.tsv"
        write(path, text)
        with pytest.raises(ValueError, match=message):
            read_clicks(path, QUERIES, DOCUMENTS)

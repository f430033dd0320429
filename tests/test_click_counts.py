import numpy as np
import pytest

from llmar_env.retrieval import ClickCounts, Collection, ExactIndex, Judgments, read_clicks
from llmar_env.retrieval.clicks import examines
from llmar_env.text.embedded import EmbeddedTexts


@pytest.fixture(scope="module")
def collection():
    """3 queries and 20 documents; relevant are those of the first query's two best, and more."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((20, 4)).astype(np.float32)
    queries = [vectors[[i]] + 0.01 for i in range(3)]
    judged = [(query, document, 1) for query in range(3) for document in range(query, 20, 3)]
    return Collection(
        EmbeddedTexts.from_vectors(queries),
        {"train": range(3)},
        ExactIndex(vectors),
        Judgments.of(judged, 3, 20),
    )


def test_a_log_by_hand(tmp_path):
    path = tmp_path / "clicks.tsv"
    path.write_text(
        "query-id\tcorpus-id\trank\tclicked\n"
        "a\tx\t1\t1\na\ty\t2\t0\na\tz\t3\t1\n"  # one impression
        "a\tz\t1\t1\na\tx\t2\t0\n"  # another
        "b\ty\t1\t0\n"
    )
    log = read_clicks(path, {"a", "b"}, {"x", "y", "z"})
    counts = ClickCounts.of_log(log, {"a": 5, "b": 6}, {"x": 0, "y": 1, "z": 2})
    assert counts.impressions == 3
    assert counts.queries.tolist() == [5, 5]
    assert counts.documents.tolist() == [0, 2]
    # z: once at rank 3, which one user in two examines, and once at rank 1.
    assert counts.weights == pytest.approx([1.0, 2.0 + 1.0])


def test_a_log_without_a_click():
    with pytest.raises(ValueError, match="nothing was clicked"):
        ClickCounts.of_log([], {}, {})


def test_weights_do_not_depend_on_the_rank(collection):
    n = 30_000
    counts = ClickCounts.simulate(collection, np.arange(3), 3 * n, seed=1)
    found, _ = collection.index.search(collection.source.means, 10)
    relevant = collection.judgments.grades_of(np.arange(3), found) > 0
    weights = np.zeros((3, 20))
    weights[counts.queries, counts.documents] = counts.weights / n
    shown = np.take_along_axis(weights, found, axis=1)
    deviation = 5 * np.sqrt(0.25 / n) / examines(10).min()
    assert shown == pytest.approx(np.where(relevant, 0.9, 0.1), abs=deviation)
    assert weights.sum() == pytest.approx(shown.sum())  # nothing that was not shown


def test_impressions_are_spread_and_seeded(collection):
    one = ClickCounts.simulate(collection, np.arange(3), 1, seed=0)
    assert set(one.queries.tolist()) <= {0}
    assert one.impressions == 1
    again = [ClickCounts.simulate(collection, np.arange(3), 50, seed=s) for s in (3, 3, 4)]
    assert again[0].weights.tolist() == again[1].weights.tolist()
    assert again[0].weights.tolist() != again[2].weights.tolist()

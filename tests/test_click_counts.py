import numpy as np
import pytest

from llmar_env.retrieval import ClickCounts, Collection, ExactIndex, Judgments, read_clicks
from llmar_env.retrieval.clicks import examines
from llmar_env.retrieval.files import Clicks
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
    counts = ClickCounts.of_log(log, {"b": 6, "a": 5}, {"x": 0, "y": 1, "z": 2})
    assert counts.impressions == 3
    assert counts.queries.tolist() == [5, 5, 5, 6]
    assert counts.documents.tolist() == [0, 1, 2, 1]
    assert counts.clicks.tolist() == [1, 0, 2, 0]
    # One user in log2(r + 1) examines rank r: 0.631 of them rank 2, and half of them rank 3.
    assert counts.examined == pytest.approx([1.6309, 0.6309, 1.5, 1.0], abs=1e-4)
    of_a = ClickCounts.of_log(log, {"a": 0}, {"x": 0, "y": 1, "z": 2})
    assert (of_a.impressions, len(of_a.queries)) == (2, 3)


def test_logs_that_cannot_be_learned_from():
    with pytest.raises(ValueError, match="nothing was clicked"):
        ClickCounts.of_log([], {}, {})
    # Only what was clicked: how often it was shown is unknown.
    clicked = [Clicks("a", "x", 2, True), Clicks("b", "x", 1, True), Clicks("b", "x", 2, True)]
    with pytest.raises(ValueError, match="rank 2 of query 'a' 1 times, and rank 1 only 0 times"):
        ClickCounts.of_log(clicked, {"b": 0, "a": 1}, {"x": 0})


@pytest.mark.parametrize("top_k", [4, 10])
def test_rates_do_not_depend_on_the_rank(collection, top_k):
    n = 30_000
    counts = ClickCounts.simulate(collection, np.arange(3), 3 * n, seed=1, top_k=top_k)
    found, _ = collection.index.search(collection.source.means, top_k)
    relevant = collection.judgments.grades_of(np.arange(3), found) > 0
    assert len(counts.queries) == 3 * top_k  # nothing that was not shown
    rates = np.full((3, 20), np.nan)
    rates[counts.queries, counts.documents] = counts.clicks / counts.examined
    shown = np.take_along_axis(rates, found, axis=1)
    deviation = 5 * np.sqrt(0.25 / n) / examines(top_k).min()
    assert shown == pytest.approx(np.where(relevant, 0.9, 0.1), abs=deviation)


def test_impressions_are_spread_and_seeded(collection):
    one = ClickCounts.simulate(collection, np.arange(3), 1, seed=0)
    assert set(one.queries.tolist()) <= {0}
    assert one.impressions == 1
    again = [ClickCounts.simulate(collection, np.arange(3), 50, seed=s) for s in (3, 3, 4)]
    assert again[0].clicks.tolist() == again[1].clicks.tolist()
    assert again[0].clicks.tolist() != again[2].clicks.tolist()

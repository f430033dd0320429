import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmar_env.metrics.ranking import find_measure, measure_rankings
from llmar_env.retrieval import Judgments

NAMES = {
    "ndcg": ir_measures.nDCG,
    "recall": ir_measures.R,
    "mrr": ir_measures.RR,
    "p": ir_measures.P,
}


@st.composite
def rankings(draw):
    """Judgments of a few queries over 12 documents, and a ranking of 8 of them for each."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    triples = []
    for query in range(draw(st.integers(1, 4))):
        documents = rng.permutation(12)[: rng.integers(1, 12)]
        grades = rng.integers(0, 4, len(documents))
        grades[0] = max(grades[0], 1)
        triples += [(query, int(d), int(g)) for d, g in zip(documents, grades, strict=True)]
    n = 1 + max(query for query, _, _ in triples)
    found = np.array([rng.permutation(12)[:8] for _ in range(n)])
    return triples, n, found


@settings(max_examples=40, deadline=None)
@given(ranking=rankings(), name=st.sampled_from(sorted(NAMES)), k=st.integers(1, 8))
def test_measures_are_those_of_trec_eval(ranking, name, k):
    triples, n, found = ranking
    judgments = Judgments.of(triples, n, 12)
    measure, cutoff = find_measure(f"{name}_at_{k}")
    assert cutoff == k
    ours = measure(judgments, np.arange(n), found[:, :k])

    peer = NAMES[name] @ k
    qrels = [ir_measures.Qrel(str(q), str(d), g) for q, d, g in triples]
    run = [
        ir_measures.ScoredDoc(str(q), str(d), float(-rank))
        for q, documents in enumerate(found)
        for rank, d in enumerate(documents)
    ]
    theirs = {one.query_id: one.value for one in ir_measures.iter_calc([peer], qrels, run)}
    assert ours == pytest.approx([theirs[str(query)] for query in range(n)])


def test_a_place_without_a_document_is_not_relevant():
    judgments = Judgments.of([(0, 0, 1)], 1, 3)
    for name, expected in (("p", 1 / 3), ("mrr", 1 / 2), ("recall", 1.0)):
        measure, _ = find_measure(f"{name}_at_3")
        found = measure(judgments, np.array([0]), np.array([[-1, 0, -1]]))
        assert found == pytest.approx([expected])


@pytest.mark.parametrize("name", ["ndcg", "ndcg_at_0", "map_at_10", "ndcg_at_x", "NDCG_at_10"])
def test_unknown_measures(name):
    with pytest.raises(ValueError, match=f"no ranking measure '{name}'; there are ndcg_at_K"):
        find_measure(name)


class TestJudgments:
    def test_looks_grades_up(self):
        judgments = Judgments.of([(1, 4, 2), (0, 3, 1), (1, 0, 0), (1, 2, 5)], 2, 6)
        rows, documents = np.array([1, 0, 1]), np.array([[4, 2], [4, 3], [0, -1]])
        assert judgments.grades_of(rows, documents).tolist() == [[2, 5], [0, 1], [0, 0]]
        assert judgments.best(np.array([1, 0]), 4).tolist() == [[5, 2, 0, 0], [1, 0, 0, 0]]
        assert judgments.num_relevant.tolist() == [1, 2]

    @pytest.mark.parametrize(
        ("triples", "message"),
        [
            ([(0, 0, 1), (0, 0, 2)], "judged twice"),
            ([(0, 6, 1)], "documents must lie in 0 to 5"),
            ([(0, -1, 1)], "documents must lie in 0 to 5"),
            ([(2, 0, 1)], "queries must lie in 0 to 1"),
            ([(0, 0, 1), (1, 1, -1)], "at least 0, found -1"),
            ([(0, 0, 1), (1, 1, 0)], "query 1 has no relevant document"),
            ([(0, 0, 1)], "query 1 has no relevant document"),
        ],
    )
    def test_refuses(self, triples, message):
        with pytest.raises(ValueError, match=message):
            Judgments.of(triples, 2, 6)


def test_the_measures_of_a_report_by_hand():
    judgments = Judgments.of([(0, 4, 1), (0, 5, 1), (1, 0, 2)], 2, 20)
    found = np.array([[9, 4, *range(10, 18)], [0, *range(1, 10)]])
    values = measure_rankings(judgments, np.array([0, 1]), found)
    ideal = 1 + 1 / np.log2(3)
    assert values["ndcg_at_10"] == pytest.approx([1 / np.log2(3) / ideal, 1])
    assert values["recall_at_10"] == pytest.approx([0.5, 1])
    assert values["mrr_at_10"] == pytest.approx([0.5, 1])
    assert values["p_at_1"] == pytest.approx([0, 1])

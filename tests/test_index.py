import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmar_env.retrieval import ExactIndex, FaissIndex, index


def draw(n, dim, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def by_definition(vectors, queries, k):
    """The k nearest by float64 cosines; among equal ones the first."""
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (vectors, queries)]
    cosines = units[1].astype(np.float64) @ units[0].astype(np.float64).T
    found = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return found, np.take_along_axis(cosines, found, axis=1)


@settings(max_examples=30, deadline=None)
@given(
    m=st.integers(1, 60),
    n=st.integers(1, 20),
    k=st.integers(1, 12),
    dim=st.integers(1, 20),
    seed=st.integers(0, 1000),
)
def test_finds_the_nearest(m, n, k, dim, seed):
    vectors, queries, k = draw(m, dim, seed), draw(n, dim, seed + 1), min(k, m)
    _, cosines = ExactIndex(vectors).search(queries, k)
    _, expected = by_definition(vectors, queries, k)
    assert cosines == pytest.approx(expected, abs=1e-6)


def test_many_blocks(monkeypatch):
    vectors, queries = draw(500, 16), draw(37, 16, 1)
    whole = ExactIndex(vectors).search(queries, 7)
    monkeypatch.setattr(index, "_QUERIES", 10)
    monkeypatch.setattr(index, "_DOCUMENTS", 23)
    parts = ExactIndex(vectors).search(queries, 7)
    assert (whole[0] == by_definition(vectors, queries, 7)[0]).all()
    for one, other in zip(whole, parts, strict=True):
        assert (one == other).all()


def test_a_query_finds_the_same_in_every_batch():
    vectors, queries = draw(300, 48), draw(65, 48, 1)
    vectors[100:110] = vectors[:10]  # ties
    vectors[200] = np.nextafter(vectors[3], 1)
    together = ExactIndex(vectors).search(queries, 10)
    for i in (0, 5, 64):
        alone = ExactIndex(vectors).search(queries[i : i + 1], 10)
        assert all((one[0] == all_[i]).all() for one, all_ in zip(alone, together, strict=True))


def test_equal_documents_are_ranked_by_number():
    vectors = np.repeat(draw(4, 8), 50, axis=0)
    found, _ = ExactIndex(vectors).search(vectors[[60]], 10)
    assert found.tolist() == [list(range(50, 60))]


def test_a_zero_query_finds_the_first_documents():
    found, cosines = ExactIndex(draw(100, 8)).search(np.zeros((3, 8), np.float32), 4)
    assert (found == np.arange(4)).all()
    assert (cosines == 0).all()


def test_lengths_do_not_matter_and_the_vectors_stay():
    vectors = draw(50, 8) * 10
    kept = vectors.copy()
    one, other = ExactIndex(vectors), ExactIndex(vectors / 7)
    assert (vectors == kept).all()
    queries = draw(5, 8, 1)
    assert (one.search(queries, 5)[0] == other.search(queries * 100, 5)[0]).all()
    assert np.linalg.norm(one.vectors(np.array([3, 4])), axis=1) == pytest.approx(1)


def test_torch_finds_what_numpy_finds():
    vectors, queries = draw(300, 32), draw(40, 32, 1)
    for one, other in zip(
        ExactIndex(vectors).search(queries, 10),
        ExactIndex(vectors, device="cpu").search(queries, 10),
        strict=True,
    ):
        assert (one == other).all()


def test_unit_vectors_are_not_copied():
    vectors = draw(50, 8)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.shares_memory(ExactIndex(vectors).vectors(slice(None)), vectors)


def test_refuses():
    vectors = draw(5, 3)
    with pytest.raises(ValueError, match="k must lie in 1 to 5"):
        ExactIndex(vectors).search(vectors, 6)
    with pytest.raises(ValueError, match=r"vectors \(m, D\), found shape \(3,\)"):
        ExactIndex(vectors[0])
    vectors[2] = 0
    for kind in (ExactIndex, FaissIndex):
        with pytest.raises(ValueError, match="document 2 is zero or not finite"):
            kind(vectors)


def test_faiss_agrees():
    pytest.importorskip("faiss")
    vectors, queries = draw(400, 32), draw(30, 32, 1)
    exact, flat = ExactIndex(vectors), FaissIndex(vectors, "Flat")
    assert len(flat) == 400
    assert (exact.search(queries, 10)[0] == flat.search(queries, 10)[0]).all()
    found, _ = FaissIndex(vectors, "IVF64,Flat").search(queries, 200)
    assert (found == -1).any()  # one cell has fewer than 200

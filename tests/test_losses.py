from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.training.losses import ContrastiveLoss, CosineLoss, Positives
from llmar_env.retrieval import ClickCounts, Judgments


class Answering:
    """Answers row i with (T, D) fixed vectors."""

    device = torch.device("cpu")

    def __init__(self, vectors):
        self.vectors = vectors  # (n, T, D)

    def get_distribution(self, index):
        return SimpleNamespace(center=self.vectors[index[:, 0]])


def test_cosine_by_hand():
    policy = Answering(torch.tensor([[[3.0, 0.0], [1.0, 0.0]], [[0.0, 2.0], [2.0, 0.0]]]))
    loss = CosineLoss(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    assert loss(policy, np.array([0])).item() == pytest.approx(-1)
    assert loss(policy, np.array([0, 1])).item() == pytest.approx(-(1 + np.sqrt(0.5)) / 2)


def triples():
    """Distinct pairs of 5 queries and 7 documents, each with a weight; queries may have none."""
    pair = st.tuples(st.integers(0, 4), st.integers(0, 6))
    return st.dictionaries(pair, st.floats(1e-3, 1e3), min_size=1)


def positives_of(weights):
    queries, documents = np.array(sorted(weights), np.int64).T
    return Positives(queries, documents, np.array([weights[one] for one in sorted(weights)]), 7)


@settings(max_examples=60, deadline=None)
@given(triples(), st.integers(0, 2**32))
def test_draws_are_positive(weights, seed):
    positives = positives_of(weights)
    assert positives.rows.tolist() == sorted({query for query, _ in weights})
    rows = np.repeat(positives.rows, 20)
    drawn = positives.draw(rows, np.random.default_rng(seed))
    assert set(zip(rows.tolist(), drawn.tolist(), strict=True)) <= set(weights)
    among = positives.include(np.arange(5), np.arange(7))
    assert {(int(q), int(d)) for q, d in np.argwhere(among)} == set(weights)


def test_draws_follow_the_weights():
    positives = positives_of({(0, 2): 1.0, (0, 3): 3.0, (1, 0): 5.0, (4, 1): 1.0, (4, 6): 1.0})
    rows = np.tile([0, 1, 4], 20_000)
    drawn = positives.draw(rows, np.random.default_rng(0)).reshape(-1, 3)
    assert (drawn[:, 0] == 3).mean() == pytest.approx(0.75, abs=0.015)
    assert (drawn[:, 1] == 0).all()
    assert (drawn[:, 2] == 6).mean() == pytest.approx(0.5, abs=0.015)


def test_positives_of_judgments():
    judged = Judgments.of([(0, 1, 0), (0, 2, 2), (1, 0, 1), (2, 3, 1), (2, 1, 0)], 3, 4)
    positives = Positives.of_judgments(judged, range(1, 3))
    assert positives.queries.tolist() == [1, 2]
    assert positives.documents.tolist() == [0, 3]
    assert Positives.of_judgments(judged, range(3)).weights.tolist() == [2, 1, 1]


def test_positives_of_clicks_leave_out_what_is_clicked_seldom():
    # Of query 1: clicked by 2 of 9 users; 8 of 9, the best; 2 of 3; and 1 of an expected 0.25.
    counts = ClickCounts(
        np.array([1, 1, 1, 1, 2, 3]),
        np.array([0, 4, 5, 6, 1, 2]),
        np.array([2.0, 8.0, 2.0, 1.0, 0.0, 1.0]),
        np.array([9.0, 9.0, 3.0, 0.25, 5.0, 3.0]),
        20,
    )
    positives = Positives.of_clicks(counts, 7)
    assert positives.queries.tolist() == [1, 1, 1, 3]
    assert positives.documents.tolist() == [4, 5, 6, 2]
    assert positives.weights.tolist() == [0.8, 0.5, 0.8, 0.25]
    nothing = replace(counts, clicks=np.zeros(6))
    with pytest.raises(ValueError, match="nothing was clicked"):
        Positives.of_clicks(nothing, 7)


def test_renumbered_pairs_are_the_same():
    positives = positives_of({(0, 2): 1.0, (0, 5): 3.0, (1, 0): 5.0, (4, 2): 1.0})
    again, used = positives.renumbered()
    assert used.tolist() == [0, 2, 5]
    assert used[again.documents].tolist() == positives.documents.tolist()
    assert again.num_documents == 3
    drawn = [one.draw(np.array([0, 1, 4]), np.random.default_rng(1)) for one in (positives, again)]
    assert used[drawn[1]].tolist() == drawn[0].tolist()
    rows = np.array([0, 4])
    assert again.include(rows, np.arange(3)).tolist() == positives.include(rows, used).tolist()


def test_contrastive_by_hand():
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((3, 1, 4)).astype(np.float32)
    documents = rng.standard_normal((6, 4)).astype(np.float32)
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    # Each draws the only document it has, but query 0, whose two are left out of its negatives.
    positives = positives_of({(0, 0): 1e12, (0, 1): 1e-6, (1, 1): 1.0, (2, 5): 1.0})
    loss = ContrastiveLoss(torch.as_tensor(documents), positives, temperature=0.2, seed=0)
    found = loss(Answering(torch.as_tensor(vectors)), np.arange(3)).item()

    units = vectors[:, 0] / np.linalg.norm(vectors[:, 0], axis=1, keepdims=True)
    scores = np.exp(units @ documents[[0, 1, 5]].T / 0.2)
    scores[0, 1] = 0
    assert found == pytest.approx(-np.log(np.diag(scores) / scores.sum(axis=1)).mean(), rel=1e-5)


def test_a_batch_of_one_query_many_times_has_no_negatives():
    positives = positives_of({(3, 2): 1.0})
    loss = ContrastiveLoss(torch.eye(7), positives, temperature=0.05, seed=0)
    policy = Answering(torch.randn(4, 1, 7, generator=torch.Generator().manual_seed(0)))
    assert loss(policy, np.full(8, 3)).item() == 0

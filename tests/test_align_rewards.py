"""Rewards of LLMAR/Align-v0 other than the cosine."""

import gymnasium as gym
import numpy as np
import pytest
from conftest import flat_config
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import LLMAR
from llmar_env.alignment.pools import RANK_MEASURES, TargetRanks
from llmar_env.checks import check_vector_env
from llmar_env.envs.align import AlignMDP
from llmar_env.metrics import ranks
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts

ENV_ID = "llmar_env:LLMAR/Align-v0"


def corpus_of(targets, sources=None):
    targets = np.asarray(targets, np.float32)
    sources = targets if sources is None else sources
    n = len(targets)
    return Corpus(
        EmbeddedTexts.from_vectors(sources[:, None]),
        EmbeddedTexts.from_vectors(targets[:, None]),
        {"train": range(n - n // 3), "valid": range(n - n // 3, n)},
    )


@pytest.fixture(scope="module")
def corpus():
    """60 texts whose targets, some of them equal, are the texts in other coordinates."""
    rng = np.random.default_rng(2)
    sources = rng.standard_normal((60, 5)).astype(np.float32)
    targets = sources @ np.linalg.qr(rng.standard_normal((5, 5)))[0].astype(np.float32)
    targets[7] = targets[3]
    return corpus_of(targets, sources)


@st.composite
def answers(draw):
    """Targets of a coarse grid, so that cosines tie, and answers near to them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, dim = draw(st.integers(3, 40)), draw(st.integers(2, 4))
    targets = rng.integers(-2, 3, (n, dim)).astype(np.float32)
    targets[~targets.any(axis=1)] = 1
    given = targets + draw(st.sampled_from([0.0, 0.1, 1.0])) * rng.standard_normal((n, dim))
    return targets, given.astype(np.float32)


@settings(max_examples=80, deadline=None)
@given(answers(), st.sampled_from([None, "cpu"]))
def test_ranks_among_all_are_those_of_the_report(drawn, device):
    targets, given_answers = drawn
    corpus = corpus_of(np.concatenate([targets, targets[:2]]))
    rows = np.arange(len(corpus.rows("train")))
    given_answers = given_answers[: len(rows)]
    rows = rows[: len(given_answers)]
    ranker = TargetRanks(corpus, "train", 10**6, device)
    found = ranker(given_answers, rows)
    distinct = np.unique(corpus.target.unit_means[: len(corpus.rows("train"))], axis=0)
    for row, answer in zip(rows, given_answers, strict=True):
        right = corpus.target.unit_means[row]
        others = distinct[(distinct != right).any(axis=1)]
        expected = ranks(
            np.repeat(answer[None], len(others) + 1, 0), np.concatenate([right[None], others])
        )[0]
        # Cosines that differ by less than rounding tie in one of the two and not in the other.
        unit = answer / np.linalg.norm(answer) if answer.any() else answer
        near = np.abs(others @ unit - right @ unit) < 1e-6
        assert abs(int(found[row]) - int(expected)) <= near.sum()


@pytest.mark.parametrize("device", [None, "cpu"])
def test_a_rank_does_not_depend_on_the_batch(corpus, device):
    ranker = TargetRanks(corpus, "train", 7, device)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 40, 300)
    given_answers = rng.standard_normal((300, 5)).astype(np.float32)
    together = ranker(given_answers, rows)
    alone = [ranker(given_answers[[i]], rows[[i]])[0] for i in range(300)]
    assert together.tolist() == alone
    assert together.max() <= 8
    assert (TargetRanks(corpus, "train", 7, None)(given_answers, rows) == together).all()


def test_pools_are_of_their_size_and_differ(corpus):
    pools, _ = TargetRanks(corpus, "train", 7)._pools
    assert pools.shape == (6, 7)  # of 39 distinct targets
    assert set(pools.ravel().tolist()) == set(range(39))
    assert all(len(set(pool)) == 7 for pool in pools.tolist())


def test_measures_by_hand():
    rank = np.array([1, 2, 10, 11])
    found = {name: measure(rank).tolist() for name, measure in RANK_MEASURES.items()}
    assert found["p_at_1"] == [1, 0, 0, 0]
    assert found["mrr"] == [1, 0.5, 0.1, 1 / 11]
    assert found["recall_at_10"] == [1, 1, 1, 0]
    assert found["ndcg_at_10"] == pytest.approx([1, 1 / np.log2(3), 1 / np.log2(11), 0])


def states(mdp, n):
    keys = np.arange(n)
    return mdp.reset(mdp.init(keys), np.ones(n, np.bool_))


class TestEnvironment:
    @pytest.mark.parametrize("reward", ["mrr", "p_at_1", "0.5*cosine + 0.5*ndcg_at_10"])
    @pytest.mark.parametrize("advance", ["always", "alignment"])
    def test_equals_single_environments(self, corpus, reward, advance):
        options = {"data": corpus, "reward": reward, "pool": 8, "advance": advance}
        check_vector_env(ENV_ID, steps=60, num_vectors=2, **options)

    def test_the_cosine_is_the_default_to_the_last_bit(self, corpus):
        action = np.random.default_rng(0).standard_normal((50, 5)).astype(np.float32)
        mdp = AlignMDP(corpus)
        state = states(mdp, 50)
        expected = mdp.step(state, action)
        for spec in ("cosine", "1*cosine", {"cosine": 1.0}):
            moved = AlignMDP(corpus, reward=spec).step(state, action)
            assert moved.reward.tobytes() == expected.reward.tobytes()
        assert set(expected.info) == {"score"}

    def test_right_answers_score_one(self, corpus):
        for name in RANK_MEASURES:
            mdp = AlignMDP(corpus, reward=name, pool=20)
            state = states(mdp, 80)
            moved = mdp.step(state, 3 * corpus.target.unit_means[state.row])
            assert moved.reward.tolist() == [1.0] * 80
            assert moved.info["alignment"] == pytest.approx(1)
            worst = mdp.step(state, np.zeros((80, 5), np.float32))
            assert worst.reward.max() < 1  # all targets tie

    def test_a_function(self, corpus):
        def first(answers, rows):
            return answers[:, 0] + rows

        mdp = AlignMDP(corpus, reward=first, num_vectors=2)
        state = states(mdp, 6)
        action = np.random.default_rng(0).standard_normal((6, 2, 5)).astype(np.float32)
        expected = action.mean(axis=1)[:, 0] + state.row
        assert mdp.step(state, action).reward == pytest.approx(expected)
        mixed = AlignMDP(corpus, reward={"cosine": 1.0}, num_vectors=2)
        assert mixed.step(state, action).reward.shape == (6,)

    @pytest.mark.parametrize(
        ("returned", "message"),
        [
            (None, "reward bad must return one number per answer, shape \\(4,\\), found nothing"),
            (np.zeros(3), "found shape \\(3,\\)"),
            (np.array([0, np.nan, 0, 0]), "reward bad must be finite, found nan for answer 1"),
            ("x", "reward bad must return numbers, found str"),
        ],
    )
    def test_what_a_function_returns_is_checked(self, corpus, returned, message):
        def bad(answers, rows):
            return returned

        mdp = AlignMDP(corpus, reward=bad)
        with pytest.raises(ValueError, match=message):
            mdp.step(states(mdp, 4), np.ones((4, 5), np.float32))

    @pytest.mark.parametrize("spec", ["bleu", "p_at_2", "cosine + ", "x:y"])
    def test_unknown_rewards(self, corpus, spec):
        with pytest.raises(ValueError, match="reward"):
            AlignMDP(corpus, reward=spec)

    def test_renders_the_reward(self, corpus):
        env = gym.make(ENV_ID, data=corpus, reward="mrr", pool=5, render_mode="ansi")
        _, info = env.reset(seed=0)
        env.step(corpus.target.unit_means[info["row"]])
        assert "last answer: mrr +1.000" in env.render()


def half(answers, rows):
    return np.full(len(rows), 0.5)


SMALL = {"hidden_dim": 16, "num_texts": 16, "progress": False, "device": "cpu"}


class TestTraining:
    @pytest.mark.parametrize(
        ("reward", "metric"),
        [("p_at_1", "p_at_1"), ("mrr", "mrr"), ("0.5*mrr+cosine", "alignment")],
    )
    def test_learns_from_ranks(self, corpus, reward, metric):
        config = flat_config(**SMALL, reward=reward, pool=20, total_steps=20_000, supervised=False)
        trained = LLMAR(config).train(corpus)
        assert (trained.metric, trained.reward) == (metric, reward)
        scores = trained.scores["valid"]
        assert scores["trained"].p_at_1 > scores["untrained"].p_at_1 + 0.2
        values = [getattr(record.scores, metric) for record in trained.curves["trained"]]
        assert getattr(scores["trained"], metric) == max(values)

    def test_a_function_by_its_path(self, corpus):
        path = f"{__name__}:half"
        config = flat_config(**SMALL, reward=path, total_steps=100, supervised=False)
        trained = LLMAR(config).train(corpus)
        assert trained.reward == path

    def test_names_are_checked_where_they_are_given(self):
        with pytest.raises(ValueError, match="reward cannot be used: no reward 'bleu'"):
            LLMAR(flat_config(reward="bleu"))

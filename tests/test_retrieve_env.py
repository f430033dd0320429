import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from llmar_env.checks import check_vector_env
from llmar_env.envs.retrieve import RetrieveMDP
from llmar_env.retrieval import Collection, ExactIndex, Judgments
from llmar_env.retrieval.clicks import clicks, examines
from llmar_env.text.embedded import EmbeddedTexts

ENV_ID = "llmar_env:LLMAR/Retrieve-v0"
OBSERVATIONS = ["embeddings", "index"]


@pytest.fixture(scope="module")
def collection():
    """24 queries and 30 documents of dimension 5; query i wants documents i (2) and i + 1 (1)."""
    rng = np.random.default_rng(4)
    texts = [rng.standard_normal((1 + i % 3, 5)).astype(np.float32) for i in range(24)]
    judged = [(i, i + step, 2 - step) for i in range(24) for step in (0, 1)]
    return Collection(
        EmbeddedTexts.from_vectors(texts),
        {"train": range(16), "valid": range(16, 20), "test": range(20, 24)},
        ExactIndex(rng.standard_normal((30, 5)).astype(np.float32)),
        Judgments.of(judged, 24, 30),
        [f"query {i}" for i in range(24)],
        [f"document {i}" for i in range(30)],
    )


def states(mdp, keys, members=None):
    members = keys * 0 if members is None else members
    return mdp.reset(mdp.init(keys, members), np.ones(len(keys), np.bool_))


@pytest.mark.parametrize("observation", OBSERVATIONS)
@pytest.mark.parametrize("feedback", ["judgments", "clicks"])
@pytest.mark.parametrize("group_size", [1, 2])
def test_equals_single_environments(collection, observation, feedback, group_size):
    options = {"data": collection, "observation": observation, "feedback": feedback}
    check_vector_env(ENV_ID, steps=60, group_size=group_size, info_texts=True, **options)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_passes_the_checkers(collection, observation):
    env = gym.make(ENV_ID, data=collection, observation=observation).unwrapped
    gymnasium_check_env(env, skip_render_check=True)
    sb3_check_env(env)


def test_rewards_by_hand(collection):
    mdp = RetrieveMDP(collection, top_k=3, reward="ndcg_at_3")
    state = states(mdp, np.arange(10))
    wanted = collection.index.vectors(state.row)
    moved = mdp.step(state, wanted)
    found = moved.info["found"]
    assert (found[:, 0] == state.row).all()
    discount = 1 / np.log2([2, 3, 4])
    for row, documents, reward in zip(state.row, found, moved.reward, strict=True):
        gains = [{row: 2, row + 1: 1}.get(document, 0) for document in documents]
        assert reward == pytest.approx(gains @ discount / (2 * discount[0] + discount[1]))
    assert moved.terminated.all()
    assert not moved.truncated.any()
    precise = RetrieveMDP(collection, reward="p_at_1").step(state, wanted)
    assert (precise.reward == 1).all()


def test_rewards_of_other_forms(collection):
    def cheapest(found, cosines, rows):
        assert found.shape == cosines.shape == (len(rows), 4)
        return cosines[:, 0]

    state = states(RetrieveMDP(collection), np.arange(6))
    action = np.ones((6, 5), np.float32)
    mdp = RetrieveMDP(collection, top_k=4, reward=cheapest)
    _, cosines = collection.index.search(action, 4)
    assert mdp.step(state, action).reward == pytest.approx(cosines[:, 0])
    parts = [
        RetrieveMDP(collection, reward=one).step(state, action).reward
        for one in ("p_at_1", "recall_at_10", {"p_at_1": 0.25, "recall_at_10": 0.75})
    ]
    assert parts[2] == pytest.approx(0.25 * parts[0] + 0.75 * parts[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 31}, "top_k=31, but there are 30 documents"),
        ({"top_k": 0}, "top_k must be an integer of at least 1"),
        ({"top_k": 5}, "the reward ndcg_at_10 needs 10 documents, but top_k=5"),
        ({"reward": "bleu"}, "no ranking measure 'bleu'"),
        ({"reward": "nowhere:f"}, "cannot import the reward 'nowhere:f'"),
        ({"feedback": "clicks", "reward": "p_at_1"}, "leave reward out"),
        ({"feedback": "stars"}, "feedback must be one of judgments, clicks"),
        ({"split": "dev"}, "no split 'dev'"),
    ],
)
def test_refuses(collection, options, message):
    with pytest.raises(ValueError, match=message):
        RetrieveMDP(collection, **options)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda n: None, "reward broken must return one number per answer, .* found nothing"),
        (lambda n: np.zeros((n, 2)), r"shape \(4,\), found shape \(4, 2\)"),
        (lambda n: np.full(n, np.nan), "must be finite, found nan for answer 0"),
    ],
)
def test_a_broken_reward_is_named(collection, returned, message):
    def broken(found, cosines, rows):
        return returned(len(rows))

    mdp = RetrieveMDP(collection, reward=broken)
    with pytest.raises(ValueError, match=message):
        mdp.step(states(mdp, np.arange(4)), np.ones((4, 5), np.float32))


def test_an_action_that_is_not_finite_is_named(collection):
    mdp = RetrieveMDP(collection)
    action = np.ones((4, 5), np.float32)
    action[2, 1] = np.nan
    with pytest.raises(ValueError, match="action of sub-environment 2 holds NaN"):
        mdp.step(states(mdp, np.arange(4)), action)


class TestClicks:
    def test_share_of_clicks_by_rank(self):
        n, k = 20_000, 10
        relevant = np.arange(n)[:, None] % 2 == np.zeros(k, int)
        clicked = clicks(relevant, np.arange(n), np.zeros(n, int), np.zeros(n, int))
        expected = examines(k)
        assert expected[[0, 2]] == pytest.approx([1, 0.5])
        deviation = 4 * np.sqrt(0.25 / (n / 2))
        assert clicked[::2].mean(axis=0) == pytest.approx(0.9 * expected, abs=deviation)
        assert clicked[1::2].mean(axis=0) == pytest.approx(0.1 * expected, abs=deviation)

    def test_members_of_a_group_click_independently(self, collection):
        envs = gym.make_vec(
            ENV_ID, 8000, data=collection, feedback="clicks", group_size=2, observation="index"
        )
        rows, _ = envs.reset(seed=0)
        assert (rows[::2] == rows[1::2]).all()
        wanted = collection.index.vectors(rows[:, 0])
        *_, infos = envs.step(wanted)
        clicked = infos["final_info"]["clicked"][:, 0].reshape(-1, 2)
        # 0.9 each: both with 0.81, where they are independent.
        assert clicked.mean() == pytest.approx(0.9, abs=0.02)
        assert clicked.all(axis=1).mean() == pytest.approx(0.81, abs=0.03)

    def test_nothing_but_clicks_is_told(self, collection):
        mdp = RetrieveMDP(collection, feedback="clicks")
        moved = mdp.step(states(mdp, np.arange(5)), np.ones((5, 5), np.float32))
        assert set(moved.info) == {"found", "clicked", "score"}
        assert moved.reward == pytest.approx(moved.info["clicked"].sum(axis=1) / 10)


def test_renders(collection):
    env = gym.make(ENV_ID, data=collection, render_mode="ansi", top_k=2, reward="p_at_1")
    _, info = env.reset(seed=3)
    assert env.render() == f"row: {info['row']}\nsource: query {info['row']}\n"
    env.step(collection.index.vectors(np.array([info["row"]]))[0])
    shown = env.render()
    assert f"  1. **  document {info['row']}\n" in shown
    assert "last answer: score +1.000" in shown


def test_the_member_of_a_group_needs_a_seed(collection):
    env = gym.make(ENV_ID, data=collection, feedback="clicks")
    with pytest.raises(ValueError, match="the option member needs a seed"):
        env.reset(options={"member": 1})
    for options in ({"member": -1}, {"member": "1"}, {"else": 1}):
        with pytest.raises(ValueError, match="reset takes only the option member"):
            env.reset(seed=0, options=options)


def test_works_without_arguments():
    env = gym.make(ENV_ID)
    env.reset(seed=0)
    *_, terminated, _, info = env.step(env.action_space.sample())
    assert terminated
    assert len(info["found"]) == 10

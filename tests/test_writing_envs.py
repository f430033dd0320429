"""What LLMAR/Generate-v0 and LLMAR/Refine-v0 share."""

import json
import warnings
from copy import deepcopy
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from gymnasium.vector import AutoresetMode
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from agents.vec_env import make_vec_env
from llmar_env.checks import check_vector_env
from llmar_env.spaces import TextIndex, TokenIndex
from llmar_env.text.vocabulary import Vocabulary

GENERATE, REFINE = "LLMAR/Generate-v0", "LLMAR/Refine-v0"
SAME, DISABLED = AutoresetMode.SAME_STEP, AutoresetMode.DISABLED
M, SEED = 5, 5

pytestmark = pytest.mark.parametrize("env_id", [GENERATE, REFINE])


@pytest.fixture
def settings(env_id, words):
    more = {"draft": "random", "episode_length": 9} if env_id == REFINE else {}
    return {"data": words, "max_new_tokens": M, **more}


@pytest.fixture
def single(env_id, settings):
    return lambda **options: gym.make(env_id, **{**settings, **options}).unwrapped


@pytest.fixture
def vector(env_id, settings):
    def make(num_envs=4, **options):
        options = {**settings, **options}
        return gym.make_vec(env_id, num_envs, "vector_entry_point", **options).unwrapped

    return make


@pytest.fixture(scope="module")
def vocabulary(words):
    return Vocabulary.of(words)


def play(env, steps: int, seed: int = 0) -> list:
    """Everything that random steps give; what has ended is reset."""
    rng = np.random.default_rng(seed)
    told = []
    for _ in range(steps):
        told.append(env.step(rng.standard_normal(env.action_space.shape).astype(np.float32)))
        ended = told[-1][2] | told[-1][3]
        if not hasattr(env, "num_envs"):
            told += [env.reset()] if ended else []
        elif env.autoreset_mode is DISABLED and ended.any():
            told.append(env.reset(options={"reset_mask": ended}))
    return told


class TestCheckers:
    @pytest.mark.parametrize("observation", ["embeddings", "index"])
    def test_gymnasium(self, single, observation):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gymnasium_check_env(single(observation=observation))

    @pytest.mark.parametrize("observation", ["embeddings", "index"])
    def test_sb3(self, single, observation):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # The one remark: a sequence of vectors is neither an image nor a vector.
            warnings.filterwarnings("ignore", message="Your observation .* has an unconventional")
            sb3_check_env(single(observation=observation))

    @pytest.mark.parametrize(
        "options",
        [
            {"group_size": 2},
            {"observation": "index", "reward": "bleu"},
            {"observation": "index", "group_size": 2, "reward": "0.5*rouge_l + 0.5*mean@0.1"},
            {"info_texts": True, "credit": "sparse", "split": "test"},
        ],
        ids=str,
    )
    def test_a_vector_environment_is_n_single_ones(self, env_id, settings, options):
        options = {**settings, **options, "max_new_tokens": 4}
        check_vector_env(env_id, num_envs=4, steps=40, **options)

    def test_gymnasium_can_vectorize_the_single_environment(self, env_id, settings, vector):
        ours = vector(3)
        theirs = gym.make_vec(env_id, 3, "sync", vector_kwargs={"autoreset_mode": SAME}, **settings)
        np.testing.assert_equal(ours.reset(seed=SEED)[0], theirs.reset(seed=SEED)[0])
        rng = np.random.default_rng(0)
        for _ in range(12):
            actions = rng.standard_normal(ours.action_space.shape).astype(np.float32)
            found, expected = ours.step(actions), theirs.step(actions)
            np.testing.assert_equal(found[:4], expected[:4])

    def test_sb3_learns_from_it(self, env_id, settings):
        # Dict observations and the last ones of episodes go through the adapter.
        env = make_vec_env(env_id, 4, seed=0, env_kwargs=settings)
        model = PPO("MultiInputPolicy", env, n_steps=8, batch_size=16, n_epochs=1, device="cpu")
        before = [weight.clone() for weight in model.policy.parameters()]
        model.learn(64)
        assert any((a != b).any() for a, b in zip(before, model.policy.parameters(), strict=True))


class TestMake:
    def test_data_are_shared_by_reference(self, words, vocabulary, single, vector):
        for make in (single, vector):
            mdp = make(vocabulary=vocabulary).mdp
            assert mdp.corpus is words
            assert mdp.vocabulary is vocabulary
            assert make().mdp.vocabulary.fingerprint == vocabulary.fingerprint

    def test_long_input_texts_are_cut_counted_and_said(self, words, single):
        long = int((words.source.lengths > 6).sum())
        assert 0 < long < 45
        with pytest.warns(UserWarning, match=rf"{long} of 45 input texts .* max_length=6 .* cut"):
            env = single(max_length=6)
        assert env.observation_space["text"].shape == (6, 16)


class TestObservation:
    def test_spaces(self, env_id, words, vocabulary, single, vector):
        env = single()
        assert isinstance(env.observation_space, spaces.Dict)
        text, written = env.observation_space["text"], env.observation_space["written"]
        assert (text.shape, text.dtype) == ((words.source.max_length, 16), np.float32)
        assert (written.shape, written.dtype) == ((M, 16), np.float32)
        assert written.high.max() == np.abs(vocabulary.table).max()
        shape = (16,) if env_id == GENERATE else (2, 16)
        assert env.action_space == spaces.Box(-1, 1, shape, np.float32)
        assert vector().single_observation_space == env.observation_space
        assert single(split="test").observation_space == env.observation_space

    def test_index_spaces(self, words, vocabulary, single):
        space = single(observation="index").observation_space
        assert space["text"] == TextIndex(words.source)
        assert space["written"] == TokenIndex(vocabulary, M)

    def test_both_show_the_same(self, words, vocabulary, vector):
        seen, index = (vector(observation=name) for name in ("embeddings", "index"))
        pairs = [(seen.reset(seed=SEED)[0], index.reset(seed=SEED)[0])]
        steps = zip(play(seen, 40), play(index, 40), strict=True)
        pairs += [(one[0], two[0]) for one, two in steps]
        ends = set()
        for vectors, numbers in pairs:
            expected, _ = words.source.gather(numbers["text"][:, 0])
            np.testing.assert_array_equal(vectors["text"], expected)
            lengths = vocabulary.lengths(numbers["written"])
            for i, length in enumerate(lengths):
                tokens = numbers["written"][i]
                assert (tokens[length:] == vocabulary.eos).all()
                expected = vocabulary.table[tokens[:length]]
                np.testing.assert_array_equal(vectors["written"][i, :length], expected)
                assert not vectors["written"][i, length:].any()
            ends |= set(lengths.tolist())
        assert len(ends) >= 4

    @pytest.mark.parametrize("observation", ["embeddings", "index"])
    def test_writing_into_what_was_given_changes_nothing(self, vector, observation):
        env, twin = (vector(observation=observation, autoreset_mode=DISABLED) for _ in range(2))
        env.reset(seed=SEED)
        twin.reset(seed=SEED)
        for step in range(20):
            given, expected = play(env, 1, step), play(twin, 1, step)
            np.testing.assert_equal(given, expected)
            for part in given:
                for value in (*part[0].values(), *part[1:-1], *part[-1].values()):
                    value[...] = step % 2

    def test_actions_are_left_alone(self, vector):
        env = vector()
        env.reset(seed=SEED)
        actions = np.random.default_rng(0).standard_normal(env.action_space.shape)
        actions = actions.astype(np.float32)
        kept = actions.copy()
        actions.flags.writeable = False
        env.step(actions)
        assert (actions == kept).all()


class TestGroups:
    def test_members_get_the_same_kth_text_each_in_its_own_time(self, env_id, vector):
        often = {"threshold": 0.4} if env_id == REFINE else {}
        env = vector(6, group_size=3, observation="index", **often)
        rows = [[row] for row in env.reset(seed=SEED)[1]["row"].tolist()]
        for _, _, terminated, truncated, infos in play(env, 80):
            for i in np.flatnonzero(terminated | truncated):
                rows[i].append(int(infos["row"][i]))
        counts = [len(texts) for texts in rows]
        assert len(set(counts)) > 1
        for group in (rows[:3], rows[3:]):
            longest = max(group, key=len)
            assert all(texts == longest[: len(texts)] for texts in group)
        assert rows[0][:3] != rows[3][:3]

    def test_sub_environment_i_is_a_single_one(self, single, vector):
        env = vector(4, group_size=2, autoreset_mode=DISABLED)
        rows = [env.reset(seed=SEED)[1]["row"]]
        rows += [env.reset()[1]["row"] for _ in range(6)]
        for i, found in enumerate(np.transpose(rows)):
            one = single()
            expected = [one.reset(seed=SEED + i // 2)[1]["row"]]
            assert found.tolist() == expected + [one.reset()[1]["row"] for _ in range(6)]

    def test_of_a_single_environment(self, single):
        with pytest.raises(ValueError, match=r"group_size=2 needs .* gym.make_vec"):
            single(group_size=2)


class TestRewards:
    @pytest.mark.parametrize("reward", ["mean", "token_f1", "chrf", "0.5*bleu + 0.5*mean@0.2"])
    def test_both_credits_add_up_to_what_the_text_has_gained(self, env_id, vector, reward):
        dense, sparse = (vector(8, reward=reward, credit=credit) for credit in ("dense", "sparse"))
        infos = dense.reset(seed=SEED)[1]
        sparse.reset(seed=SEED)
        first = infos["score"] if env_id == REFINE else np.zeros(8)
        gained, paid, episodes = np.zeros(8), np.zeros(8), 0
        for one, other in zip(play(dense, 60), play(sparse, 60), strict=True):
            gained += one[1]
            paid += other[1]
            done = one[2] | one[3]
            assert (paid[~done] == 0).all()
            if done.any():
                score = one[4]["final_info"]["score"]
                np.testing.assert_allclose(gained[done], (score - first)[done], atol=1e-12)
                assert (paid[done] == score[done]).all()
                assert (other[4]["final_info"]["score"][done] == score[done]).all()
                gained[done] = paid[done] = 0
                if env_id == REFINE:
                    first = np.where(done, one[4]["score"], first)
            episodes += done.sum()
        assert episodes > 8

    @pytest.mark.parametrize(
        ("returned", "message"),
        [
            (
                lambda written: np.full(len(written), np.nan),
                "reward mine must be finite, found nan",
            ),
            (lambda written: np.zeros((len(written), 1)), "reward mine must return one number per"),
            (lambda written: 0.5, "reward mine must return one number per answer"),
            (lambda written: None, "reward mine must "),
        ],
        ids=["NaN", "shape", "scalar", "None"],
    )
    def test_what_is_no_reward_is_refused(self, env_id, vector, vocabulary, returned, message):
        def mine(written):
            return returned(written)

        env = vector(reward=mine, **({"draft": "empty"} if env_id == REFINE else {}))
        env.reset(seed=SEED)
        before = env.get_state()
        actions = np.broadcast_to(vocabulary.directions[0], env.action_space.shape).copy()
        if actions.ndim == 3:
            actions[:, 0] = vocabulary.directions[vocabulary.eos]  # behind the last word
        with pytest.raises(ValueError, match=message):
            env.step(actions)
        assert env.get_state() == before


class TestBadInput:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_actions_that_are_not_finite(self, single, vector, value):
        env = vector()
        env.reset(seed=SEED)
        before = env.get_state()
        actions = np.full(env.action_space.shape, 0.5, np.float32)
        actions[2, ..., -1] = value
        actions[3, ..., 0] = np.nan
        with pytest.raises(ValueError, match="action of sub-environment 2 holds NaN or infinity"):
            env.step(actions)
        assert env.get_state() == before
        one = single()
        one.reset(seed=SEED)
        with pytest.raises(ValueError, match="action of sub-environment 0 holds NaN or infinity"):
            one.step(actions[2])

    def test_actions_of_another_form(self, single):
        env = single()
        env.reset(seed=SEED)
        with pytest.raises(ValueError, match="an action must have shape"):
            env.step(np.ones((3, 16), np.float32))
        with pytest.raises(TypeError, match="found dtype int64"):
            env.step(np.ones(env.action_space.shape, np.int64))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"observation": "text"}, "observation must be one of embeddings, index, found 'text'"),
            ({"credit": "late"}, "credit must be one of dense, sparse, found 'late'"),
            ({"split": "dev"}, "no split 'dev'; this corpus has train, valid, test"),
            ({"max_new_tokens": 0}, "max_new_tokens must be an integer of at least 1, found 0"),
            ({"max_new_tokens": 2.5}, "max_new_tokens must be an integer of at least 1, found 2.5"),
            ({"max_length": 0}, "max_length must be at least 1, found 0"),
            ({"reward": "praise"}, "no reward 'praise'; there are mean, "),
            ({"reward": 3}, "a reward must be a name, a mapping or a function, found 3"),
        ],
        ids=str,
    )
    def test_options(self, single, vector, options, message):
        for make in (single, vector):
            with pytest.raises(ValueError, match=message):
                make(**options)

    def test_unknown_options(self, single):
        with pytest.raises(TypeError, match="colour"):
            single(colour="red")

    def test_strings_of_a_corpus_without_them(self, words, single):
        bare = replace(words, sources=(), targets=())
        with pytest.raises(ValueError, match=r"info_texts=True.*no strings"):
            single(data=bare, info_texts=True)
        env = single(data=bare, render_mode="ansi")
        _, info = env.reset(seed=SEED)
        assert env.render().startswith(f"row: {info['row']}\ndraft:")

    def test_targets_that_are_no_words(self, corpus, single):
        with pytest.raises(ValueError, match="needs targets with one vector for each token"):
            single(data=corpus)

    def test_a_vocabulary_that_is_not_the_datas(self, words, corpus, vocabulary, single):
        table = vocabulary.table.copy()
        table[3, 0] += 0.25
        others = [
            Vocabulary(table, vocabulary.ids, vocabulary.embedder),
            Vocabulary(vocabulary.table, vocabulary.ids + 1000, vocabulary.embedder),
            Vocabulary(np.eye(4, dtype=np.float32), vocabulary.ids[:4], vocabulary.embedder),
        ]
        for other in others:
            with pytest.raises(ValueError, match="does not fit the data: its vectors are not"):
                single(vocabulary=other)
        single(vocabulary=Vocabulary.of(words, "test"))

    def test_step_before_and_after_an_episode(self, single, vocabulary):
        env = single()
        action = np.broadcast_to(vocabulary.directions[-1], env.action_space.shape).copy()
        with pytest.raises(ResetNeeded):
            env.step(action)
        env.reset(seed=SEED)
        while not any(env.step(action)[2:4]):
            pass
        with pytest.raises(ResetNeeded):
            env.step(action)


class TestState:
    @pytest.mark.parametrize("reward", ["mean", "rouge_l"])
    @pytest.mark.parametrize("steps", [0, 3, 8])
    def test_goes_on_alike_after_json(self, single, vector, steps, reward):
        for make in (single, vector):
            env, other = make(reward=reward), make(reward=reward)
            env.reset(seed=SEED)
            play(env, steps)
            other.reset(seed=SEED + 100)
            other.set_state(json.loads(json.dumps(env.get_state())))
            assert other.get_state() == env.get_state()
            np.testing.assert_equal(play(other, 15, 1), play(env, 15, 1))

    def test_holds_fingerprints_and_no_data(self, words, vocabulary, vector):
        env = vector()
        env.reset(seed=SEED)
        state = env.get_state()["mdp"]
        assert state["texts"] == words.source.fingerprint
        assert state["vocabulary"] == vocabulary.fingerprint
        assert set(state) == {*("key", "text", "elapsed", "tokens", "score", "texts", "vocabulary")}

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            (
                "texts",
                "0" * 16,
                "the state belongs to the texts 0000000000000000, but this environment",
            ),
            (
                "vocabulary",
                "0" * 16,
                "with the vocabulary 0000000000000000, but this environment has",
            ),
            ("elapsed", [0], "elapsed in the state has shape"),
            ("elapsed", [0, 0, -1, 0], "elapsed in the state is -1 for sub-environment 2"),
            ("elapsed", [0, 0, 0, 99], "elapsed in the state is 99 for sub-environment 3"),
            ("score", [0.0, np.nan, 0.0, 0.0], "score in the state holds NaN or infinity"),
            ("score", [0.0], r"score in the state has shape \(1,\), not \(4,\)"),
            (
                "tokens",
                [[0] * (M + 1)] * 4,
                r"tokens in the state must be integers \(4, 5\), found",
            ),
            ("tokens", [[0.5] * M] * 4, r"tokens in the state must be integers .* found float64"),
            ("tokens", [[99] * M] * 4, "tokens in the state must lie in 0 to 17, EOS, found"),
            (
                "tokens",
                [[-1] * M] * 4,
                "tokens in the state must lie in 0 to 17, .* found -1 to -1",
            ),
            ("tokens", None, "the state lacks tokens"),
            ("score", None, "the state lacks score"),
            ("vocabulary", None, "the state lacks vocabulary"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, vector, name, value, message):
        env = vector()
        env.reset(seed=SEED)
        before = env.get_state()
        broken = deepcopy(before)
        broken["mdp"][name] = value
        if value is None:
            del broken["mdp"][name]
        with pytest.raises(ValueError, match=message):
            env.set_state(broken)
        assert env.get_state() == before


class TestRender:
    def test_pictures(self, single):
        env = single(render_mode="rgb_array")
        with pytest.raises(ResetNeeded):
            env.render()
        env.reset(seed=SEED)
        frame = env.render()
        assert (frame.dtype, frame.shape) == (np.uint8, (320, 640, 3))
        assert frame.min() < 64 < 192 < frame.max()

    def test_vector(self, words, vector):
        env = vector(render_mode="ansi")
        _, infos = env.reset(seed=SEED)
        for row, text in zip(infos["row"], env.render(), strict=True):
            assert text.startswith(f"row: {row}\nsource: {words.sources[row]}\ntarget: ")

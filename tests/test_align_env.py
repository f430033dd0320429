import json
import subprocess
import sys
import warnings
from copy import deepcopy
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from llmar_env.envs.align import AlignEnv, AlignVectorEnv
from llmar_env.spaces import TextIndex
from llmar_env.text.embedded import EmbeddedTexts

ENV_ID = "LLMAR/Align-v0"
OBSERVATIONS = ["embeddings", "index"]
ADVANCES = ["always", "alignment"]
SAME, NEXT, DISABLED = AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED
N, K, SEED = 4, 2, 5


@pytest.fixture
def single(corpus):
    return lambda **options: AlignEnv(**{"data": corpus, **options})


@pytest.fixture
def vector(corpus):
    return lambda num_envs=N, **options: AlignVectorEnv(num_envs, **{"data": corpus, **options})


def text_vectors(texts: EmbeddedTexts, row: int) -> np.ndarray:
    """The vectors of one text, by hand."""
    return texts.table[texts.ids[texts.offsets[row] : texts.offsets[row + 1]]]


def target_mean(corpus, row: int) -> np.ndarray:
    return text_vectors(corpus.target, row).astype(np.float64).mean(axis=0)


def cosine(x, y) -> float:
    return float(x @ y / (np.sqrt(x @ x) * np.sqrt(y @ y)))


def perfect(corpus, rows) -> np.ndarray:
    """(N, D) answers that say what the targets say."""
    return np.array([target_mean(corpus, row) for row in rows], np.float32)


def at_cosine(corpus, rows, c: float) -> np.ndarray:
    """(N, D) answers at a given cosine with the targets."""
    goal = np.array([target_mean(corpus, row) for row in rows])
    goal /= np.linalg.norm(goal, axis=1, keepdims=True)
    side = np.roll(goal, 1, axis=1) * [1, 2, 3, 4]
    side -= (side * goal).sum(axis=1, keepdims=True) * goal
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return (c * goal + np.sqrt(1 - c**2) * side).astype(np.float32)


def random_actions(env, steps: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = env.action_space.shape
    return [rng.uniform(-1, 1, shape).astype(np.float32) for _ in range(steps)]


def play(env, actions) -> list:
    """Everything that the steps give; ended episodes of single environments are reset."""
    told = []
    for action in actions:
        told.append(env.step(action))
        if isinstance(env, AlignEnv) and (told[-1][2] or told[-1][3]):
            told.append(env.reset())
        elif not isinstance(env, AlignEnv) and env.autoreset_mode is DISABLED:
            ended = told[-1][2] | told[-1][3]
            if ended.any():
                told.append(env.reset(options={"reset_mask": ended}))
    return told


def assert_same(found, expected):
    np.testing.assert_equal(found, expected, strict=isinstance(expected, np.ndarray))


def stream(env, count: int) -> list[int]:
    """The rows of the next texts, with one reset for each."""
    return [env.reset()[1]["row"] for _ in range(count)]


class TestCheckers:
    @pytest.fixture(params=[(o, t, a) for o in OBSERVATIONS for t in (1, 3) for a in ADVANCES])
    def env(self, corpus, request):
        observation, num_vectors, advance = request.param
        return gym.make(
            ENV_ID, data=corpus, observation=observation, num_vectors=num_vectors, advance=advance
        )

    def test_gymnasium(self, env):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gymnasium_check_env(env.unwrapped)

    def test_sb3(self, env):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # The one remark: a sequence of vectors is neither an image nor a vector.
            warnings.filterwarnings("ignore", message=r"Your observation\s+has an unconventional")
            sb3_check_env(env)


class TestMake:
    def test_in_a_fresh_process_with_the_default_corpus(self):
        code = """if True:
            import gymnasium as gym
            env = gym.make("llmar_env:LLMAR/Align-v0")
            obs, info = env.reset(seed=3)
            assert obs in env.observation_space and env.step(env.action_space.sample())[2]
            envs = gym.make_vec("llmar_env:LLMAR/Align-v0", 5)
            batch, infos = envs.reset(seed=3)
            assert batch in envs.observation_space and (batch[0] == obs).all()
            assert envs.step(envs.action_space.sample())[2].all()
            print(type(env.unwrapped).__name__, type(envs.unwrapped).__name__, len(infos["row"]))
        """
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.split() == ["AlignEnv", "AlignVectorEnv", "5"], done.stderr

    def test_the_corpus_is_shared_by_reference(self, corpus):
        one = gym.make(ENV_ID, data=corpus).unwrapped
        other = gym.make_vec(ENV_ID, 2, data=corpus).unwrapped
        assert one.mdp.corpus is corpus
        assert other.mdp.corpus is corpus

    def test_options_arrive(self, corpus):
        settings = {"data": corpus, "num_vectors": 2, "observation": "index", "split": "test"}
        one = gym.make(ENV_ID, **settings)
        envs = gym.make_vec(ENV_ID, 3, autoreset_mode=DISABLED, **settings)
        assert one.action_space.shape == (2, 4)
        assert envs.action_space.shape == (3, 2, 4)
        assert one.observation_space == envs.single_observation_space == TextIndex(corpus.source)
        assert envs.metadata["autoreset_mode"] is DISABLED

    def test_gymnasium_can_vectorize_the_single_environment(self, corpus):
        ours = gym.make_vec(ENV_ID, 3, data=corpus)
        theirs = gym.make_vec(
            ENV_ID, 3, "sync", vector_kwargs={"autoreset_mode": SAME}, data=corpus
        )
        assert_same(ours.reset(seed=SEED)[0], theirs.reset(seed=SEED)[0])
        for action in random_actions(ours, 5):
            for found, expected in zip(ours.step(action)[:4], theirs.step(action), strict=False):
                assert_same(found, expected)

    def test_max_length_cuts_inputs_alone(self, corpus, single):
        with pytest.warns(UserWarning, match=r"21 of 36 input texts .* max_length=2"):
            env = single(max_length=2)
        assert env.observation_space.shape == (2, 6)
        obs, info = env.reset(seed=SEED)
        expected = text_vectors(corpus.source, info["row"])[:2]
        assert_same(obs[: len(expected)], expected)
        assert env.step(perfect(corpus, [info["row"]])[0])[1] == pytest.approx(1, abs=1e-6)


class TestSpaces:
    @pytest.mark.parametrize(("num_vectors", "shape"), [(1, (4,)), (3, (3, 4))])
    def test_actions(self, single, vector, num_vectors, shape):
        space = spaces.Box(-1, 1, shape, np.float32)
        assert single(num_vectors=num_vectors).action_space == space
        assert vector(num_vectors=num_vectors).single_action_space == space
        assert vector(num_vectors=num_vectors).action_space.shape == (N, *shape)

    def test_embeddings(self, corpus, single, vector):
        space = single().observation_space
        assert type(space) is spaces.Box
        assert (space.shape, space.dtype) == ((5, 6), np.float32)
        assert space.high.max() == np.abs(corpus.source.table).max()
        assert vector().observation_space.shape == (N, 5, 6)
        assert space == single(split="valid").observation_space

    def test_index(self, corpus, single, vector):
        space = single(observation="index").observation_space
        assert (space.shape, space.dtype) == ((1,), np.int64)
        assert (space.low[0], space.high[0]) == (0, 35)
        assert space.texts is corpus.source
        assert vector(observation="index").observation_space.shape == (N, 1)


class TestReward:
    @pytest.mark.parametrize("num_vectors", [1, 3])
    def test_is_the_cosine_of_the_means(self, corpus, vector, num_vectors):
        env = vector(50, num_vectors=num_vectors)
        rows = env.reset(seed=SEED)[1]["row"]
        for actions in random_actions(env, 4):
            _, rewards, _, _, infos = env.step(actions)
            means = actions.reshape(50, num_vectors, 4).astype(np.float64).mean(axis=1)
            expected = [cosine(m, target_mean(corpus, r)) for m, r in zip(means, rows, strict=True)]
            np.testing.assert_allclose(rewards, expected, atol=1e-6)
            assert rewards.dtype == np.float64
            assert_same(infos["final_info"]["score"], rewards)
            rows = infos["row"]

    def test_single(self, corpus, single):
        env = single(num_vectors=3)
        row = env.reset(seed=SEED)[1]["row"]
        (action,) = random_actions(env, 1)
        reward = env.step(action)[1]
        assert type(reward) is float
        assert reward == pytest.approx(cosine(action.mean(axis=0), target_mean(corpus, row)), 1e-5)

    @pytest.mark.parametrize("num_vectors", [1, 3])
    @pytest.mark.parametrize(("factor", "reward"), [(1, 1), (-1, -1), (0, 0), (-0.25, -1)])
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_known_answers(self, corpus, vector, num_vectors, factor, reward, dtype):
        env = vector(24, num_vectors=num_vectors)
        actions = factor * perfect(corpus, env.reset(seed=SEED)[1]["row"])
        if num_vectors > 1:
            # Vectors that are wrong one by one, and right in their mean.
            actions = actions[:, None] + np.array([-2, 0, 2], np.float32)[:, None]
        rewards = env.step(actions.astype(dtype))[1]
        np.testing.assert_allclose(rewards, reward, atol=2e-3 if dtype is np.float16 else 1e-6)
        assert np.abs(rewards).max() <= 1

    @pytest.mark.parametrize("scale", [1e-37, 1e-20, 1e20, 1e30, 3e38])
    @pytest.mark.parametrize("num_vectors", [1, 3])
    def test_length_of_an_answer_is_free(self, corpus, vector, scale, num_vectors):
        env = vector(24, num_vectors=num_vectors)
        goal = perfect(corpus, env.reset(seed=SEED)[1]["row"])
        actions = goal / np.abs(goal).max(axis=1, keepdims=True) * np.float32(scale)
        if num_vectors > 1:
            actions = np.repeat(actions[:, None], num_vectors, axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            rewards = env.step(actions)[1]
        np.testing.assert_allclose(rewards, 1, atol=1e-6)

    def test_a_score_does_not_depend_on_the_batch(self, vector, single):
        env = vector(3)
        env.reset(seed=SEED)
        (actions,) = random_actions(env, 1)
        actions *= np.array([[1e30], [1], [1e-30]], np.float32)
        rewards = env.step(actions)[1]
        for i in range(3):
            one = single()
            one.reset(seed=SEED + i)
            assert one.step(actions[i])[1] == rewards[i]


class TestAdvanceAlways:
    def test_every_step_ends_an_episode(self, single, vector):
        one, many = single(), vector()
        many.reset(seed=SEED)
        for action, actions in zip(random_actions(one, 20), random_actions(many, 20), strict=True):
            one.reset()
            assert one.step(action)[2:4] == (True, False)
            _, _, terminated, truncated, _ = many.step(actions)
            assert terminated.dtype == truncated.dtype == np.bool_
            assert terminated.all()
            assert not truncated.any()

    def test_the_text_stays_until_the_reset(self, single):
        env = single()
        obs, info = env.reset(seed=SEED)
        after, _, _, _, final = env.step(random_actions(env, 1)[0])
        assert_same(after, obs)
        assert final["row"] == info["row"]

    def test_episode_length_does_not_matter(self, single):
        one, other = single(episode_length=1), single(episode_length=9)
        one.reset(seed=SEED)
        other.reset(seed=SEED)
        actions = random_actions(one, 10)
        assert_same(play(one, actions), play(other, actions))


class TestAdvanceAlignment:
    """The rows of advance="always" are the stream: there, each step brings the next text."""

    def test_reward_is_the_alignment_with_the_text_that_was_answered(self, corpus, vector):
        env = vector(50, advance="alignment")
        rows = env.reset(seed=SEED)[1]["row"]
        for actions in random_actions(env, 6):
            _, rewards, _, _, infos = env.step(actions)
            expected = [
                cosine(a, target_mean(corpus, row)) for a, row in zip(actions, rows, strict=True)
            ]
            np.testing.assert_allclose(rewards, expected, atol=1e-6)
            assert_same(infos["score"], rewards)
            rows = infos["row"]

    def test_perfect_answers_follow_the_stream(self, corpus, vector):
        env, texts = vector(200, advance="alignment"), vector(200)
        rows = env.reset(seed=SEED)[1]["row"]
        texts.reset(seed=SEED)
        for actions in random_actions(texts, 15):
            rows = env.step(perfect(corpus, rows))[4]["row"]
            assert_same(rows, texts.step(actions)[4]["row"])

    @pytest.mark.parametrize("factor", [-1, 0])
    def test_opposite_and_empty_answers_never_move_on(self, corpus, vector, factor):
        env = vector(200, advance="alignment")
        first, infos = env.reset(seed=SEED)
        rows = infos["row"]
        for _ in range(15):
            obs, _, _, _, infos = env.step(factor * perfect(corpus, rows))
            assert_same(obs, first)
            assert_same(infos["row"], rows)

    @pytest.mark.parametrize("c", [0.1, 0.5, 0.9])
    def test_moves_on_as_often_as_the_score_says(self, corpus, vector, c):
        n, steps = 4000, 10
        env = vector(n, advance="alignment", observation="index")
        rows = env.reset(seed=SEED)[1]["row"]
        # A text that moves on shows the same row again once in 24 times.
        p = c * (1 - 1 / len(corpus.rows("train")))
        moved = np.empty((steps, n))
        for step in range(steps):
            after = env.step(at_cosine(corpus, rows, c))[4]["row"]
            moved[step], rows = after != rows, after
        error = np.sqrt(p * (1 - p) / n)
        assert np.abs(moved.mean(axis=1) - p).max() < 4 * error
        assert abs(moved.mean() - p) < 4 * error / np.sqrt(steps)
        # Chance is new in each step, and each sub-environment has its own.
        still = (1 - p) ** 2
        both = ((moved[:-1] == 0) & (moved[1:] == 0)).mean(axis=1)
        assert np.abs(both - still).max() < 4 * np.sqrt(still * (1 - still) / n)
        beside = ((moved[:, :-1] == 0) & (moved[:, 1:] == 0)).mean()
        assert abs(beside - still) < 4 * np.sqrt(2 * still * (1 - still) / (n * steps))

    @pytest.mark.parametrize(("options", "length"), [({}, 16), ({"episode_length": 3}, 3)])
    def test_truncated_after_the_episode_length(self, single, vector, options, length):
        one = single(advance="alignment", **options)
        many = vector(advance="alignment", **options)
        one.reset(seed=SEED)
        many.reset(seed=SEED)
        actions = random_actions(many, 2 * length + 1)
        for step, action in enumerate(actions, 1):
            ends = step % length == 0
            assert one.step(action[0])[2:4] == (False, ends)
            _, _, terminated, truncated, _ = many.step(action)
            assert not terminated.any()
            assert (truncated == ends).all()
            if ends:
                one.reset()

    def test_the_next_episode_goes_on_in_the_stream(self, corpus, single):
        env = single(advance="alignment", episode_length=2)
        texts = single()
        rows = [env.reset(seed=SEED)[1]["row"]]
        for _ in range(6):
            _, _, _, truncated, info = env.step(perfect(corpus, rows[-1:])[0])
            rows.append(info["row"])
            if truncated:
                rows.append(env.reset()[1]["row"])
        assert rows == [texts.reset(seed=SEED)[1]["row"], *stream(texts, 9)]

    def test_groups_are_refused(self, vector):
        with pytest.raises(ValueError, match=r'group.*advance="always".*different texts'):
            vector(group_size=K, advance="alignment")


class TestObservation:
    def test_embeddings_are_the_vectors_of_the_text(self, corpus, single):
        env = single()
        lengths = set()
        for seed in range(60):
            obs, info = env.reset(seed=seed)
            expected = text_vectors(corpus.source, info["row"])
            lengths.add(len(expected))
            assert obs in env.observation_space
            assert_same(obs[: len(expected)], expected)
            assert (obs[len(expected) :] == 0).all()
            assert (np.abs(obs[: len(expected)]).max(axis=1) > 0).all()
        assert lengths == {1, 2, 3, 4, 5}

    def test_batched_embeddings_are_the_stores(self, corpus, vector):
        env = vector(60)
        obs, infos = env.reset(seed=SEED)
        assert obs in env.observation_space
        assert_same(obs, corpus.source.gather(infos["row"])[0])

    def test_half_precision_vectors_are_seen_as_float32(self, corpus, single):
        rows = [text_vectors(corpus.source, i).astype(np.float16) for i in range(36)]
        env = single(data=replace(corpus, source=EmbeddedTexts.from_vectors(rows)))
        obs, info = env.reset(seed=SEED)
        expected = rows[info["row"]]
        assert obs.dtype == np.float32
        assert obs in env.observation_space
        assert_same(obs[: len(expected)], expected.astype(np.float32))

    def test_index_is_the_row(self, single, vector):
        one, many = single(observation="index"), vector(observation="index")
        obs, info = one.reset(seed=SEED)
        assert_same(obs, np.array([info["row"]], np.int64))
        obs, infos = many.reset(seed=SEED)
        assert_same(obs, infos["row"][:, None])
        assert obs in many.observation_space

    @pytest.mark.parametrize("advance", ADVANCES)
    def test_both_show_the_same_texts(self, corpus, vector, advance):
        seen, index = (vector(observation=name, advance=advance) for name in OBSERVATIONS)
        pairs = [(seen.reset(seed=SEED)[0], index.reset(seed=SEED)[0])]
        for actions in random_actions(seen, 40):
            pairs.append((seen.step(actions)[0], index.step(actions)[0]))
        for embeddings, rows in pairs:
            assert_same(embeddings, corpus.source.gather(rows[:, 0])[0])

    @pytest.mark.parametrize("observation", OBSERVATIONS)
    def test_writing_into_what_was_given_changes_nothing(self, single, vector, observation):
        for make in (single, vector):
            env, twin = make(observation=observation), make(observation=observation)
            for value in (env.reset(seed=SEED)[0], env.step(random_actions(env, 1)[0])[0]):
                value[...] = 0
            twin.reset(seed=SEED)
            twin.step(random_actions(env, 1)[0])
            if make is single:
                assert_same(env.reset(), twin.reset())
            assert_same(play(env, random_actions(env, 9, 1)), play(twin, random_actions(env, 9, 1)))

    def test_writing_into_infos_changes_nothing(self, vector):
        env, twin = vector(autoreset_mode=DISABLED), vector(autoreset_mode=DISABLED)
        twin.reset(seed=SEED)
        for value in env.reset(seed=SEED)[1].values():
            value[...] = 0
        actions = random_actions(env, 9)
        assert_same(play(env, actions), play(twin, actions))

    def test_writing_into_a_transition_changes_nothing(self, vector):
        env, twin = vector(advance="alignment"), vector(advance="alignment")
        env.reset(seed=SEED)
        twin.reset(seed=SEED)
        actions = random_actions(env, 40)
        for at, action in enumerate(actions[:20]):
            given = env.step(action.copy())
            expected = twin.step(action)
            assert_same(given, expected)
            for value in (*given[:4], *(v for v in given[4].values() if not isinstance(v, dict))):
                value[...] = at % 2
        assert_same(play(env, actions[20:]), play(twin, actions[20:]))

    def test_scaling_rewards_in_place_leaves_the_score(self, vector):
        env = vector(autoreset_mode=DISABLED)
        env.reset(seed=SEED)
        _, rewards, _, _, infos = env.step(random_actions(env, 1)[0])
        kept = rewards.copy()
        rewards *= 2
        assert_same(infos["score"], kept)

    def test_actions_are_left_alone(self, vector):
        env = vector(num_vectors=3)
        env.reset(seed=SEED)
        (actions,) = random_actions(env, 1)
        given = actions.copy()
        env.step(given)
        assert_same(given, actions)
        given.flags.writeable = False
        env.step(given)


class TestStreams:
    @pytest.mark.parametrize("split", ["train", "valid", "test"])
    def test_splits_draw_all_of_their_rows_alike_and_no_others(self, corpus, vector, split):
        n = 12000
        rows = vector(n, split=split, observation="index").reset(seed=SEED)[1]["row"]
        found, counts = np.unique(rows, return_counts=True)
        assert found.tolist() == list(corpus.rows(split))
        p = 1 / len(found)
        assert np.abs(counts - n * p).max() < 5 * np.sqrt(n * p * (1 - p))

    def test_a_stream_draws_from_its_split_alike(self, corpus, single):
        env = single(split="valid", observation="index")
        env.reset(seed=SEED)
        counts = np.bincount(stream(env, 3000))
        assert counts[:24].sum() == 0
        assert np.abs(counts[24:] - 500).max() < 5 * np.sqrt(3000 * 5 / 36)

    def test_same_seed_same_stream(self, single):
        one, other = single(), single()
        for seed in (SEED, 77):
            assert_same(one.reset(seed=seed), other.reset(seed=seed))
            assert stream(one, 20) == stream(other, 20)

    def test_reset_with_the_seed_begins_again_and_without_goes_on(self, single):
        env = single()
        first = [env.reset(seed=SEED)[1]["row"], *stream(env, 20)]
        assert [env.reset(seed=SEED)[1]["row"], *stream(env, 20)] == first
        assert stream(env, 21) != first

    def test_different_seeds_differ(self, single):
        env = single()
        streams = set()
        for seed in range(30):
            env.reset(seed=seed)
            streams.add(tuple(stream(env, 12)))
        assert len(streams) == 30

    def test_unseeded_environments_differ(self, single, vector):
        assert stream(single(), 30) != stream(single(), 30)
        rows = vector(40, observation="index").reset()[1]["row"]
        assert len(set(rows.tolist())) > 1

    @pytest.mark.parametrize("group_size", [1, 2, 3, 6])
    def test_sub_environment_i_is_a_single_one(self, single, vector, group_size):
        env = vector(6, group_size=group_size, observation="index")
        seen = [env.reset(seed=SEED)[0][:, 0]]
        seen += [env.step(actions)[0][:, 0] for actions in random_actions(env, 12)]
        for i, rows in enumerate(np.transpose(seen)):
            one = single(observation="index")
            expected = [one.reset(seed=SEED + i // group_size)[1]["row"], *stream(one, 12)]
            assert rows.tolist() == expected

    def test_a_group_sees_the_same_texts_whatever_it_answers(self, vector):
        env = vector(6, group_size=3)
        batches = [env.reset(seed=SEED)[0]]
        for actions in random_actions(env, 20):
            obs, rewards, _, _, _ = env.step(actions)
            batches.append(obs)
            assert len(set(rewards.tolist())) == 6
        for obs in batches:
            assert (obs[:3] == obs[0]).all()
            assert (obs[3:] == obs[3]).all()
        assert any((obs[0] != obs[3]).any() for obs in batches)

    def test_a_seed_for_each(self, vector):
        env, one_by_one = vector(), vector(1)
        obs, _ = env.reset(seed=[9, 2, 2, 40])
        for i, seed in enumerate([9, 2, 2, 40]):
            assert_same(obs[i], one_by_one.reset(seed=seed)[0][0])

    def test_none_among_seeds_leaves_a_stream_going(self, vector):
        env, twin = vector(2), vector(2)
        env.reset(seed=SEED)
        twin.reset(seed=SEED)
        obs, _ = env.reset(seed=[None, 40])
        assert_same(obs[0], twin.reset()[0][0])
        assert_same(obs[1], twin.reset(seed=40)[0][0])

    @pytest.mark.parametrize("seeds", [[1, 2, 3, 3], [1, 1, None, 3]])
    def test_the_seeds_of_a_group_agree(self, vector, seeds):
        env = vector(group_size=K)
        with pytest.raises(ValueError, match="group of 2 must share one seed"):
            env.reset(seed=seeds)
        obs, _ = env.reset(seed=[7, 7, 1, 1])
        assert_same(obs[0], obs[1])


class TestInfo:
    def test_single(self, single):
        env = single()
        _, info = env.reset(seed=SEED)
        assert list(info) == ["row"]
        assert type(info["row"]) is int
        _, reward, _, _, info = env.step(random_actions(env, 1)[0])
        assert sorted(info) == ["row", "score"]
        assert info["score"] == reward
        assert type(info["score"]) is float

    @pytest.mark.parametrize(
        ("make", "options"), [("single", {}), ("vector", {"autoreset_mode": DISABLED})]
    )
    def test_strings_on_request(self, corpus, request, make, options):
        env = request.getfixturevalue(make)(info_texts=True, **options)
        _, began = env.reset(seed=SEED)
        *_, stepped = env.step(random_actions(env, 1)[0])
        for info in (began, stepped):
            rows = np.atleast_1d(info["row"]).tolist()
            assert np.atleast_1d(info["source"]).tolist() == [corpus.sources[r] for r in rows]
            assert np.atleast_1d(info["target"]).tolist() == [corpus.targets[r] for r in rows]

    def test_strings_of_a_corpus_without_them(self, corpus, single):
        with pytest.raises(ValueError, match=r"info_texts=True.*no strings"):
            single(data=replace(corpus, sources=(), targets=()), info_texts=True)

    def test_masks(self, vector):
        env = vector(autoreset_mode=DISABLED)
        _, infos = env.reset(seed=SEED)
        assert sorted(infos) == ["_row", "row"]
        *_, infos = env.step(random_actions(env, 1)[0])
        assert sorted(infos) == ["_row", "_score", "row", "score"]
        assert infos["_row"].all()
        assert infos["_score"].all()
        mask = np.array([True, False, False, True])
        _, infos = env.reset(options={"reset_mask": mask})
        assert_same(infos["_row"], mask)

    def test_final_under_same_step(self, corpus, vector):
        env, twin = vector(), vector(autoreset_mode=DISABLED)
        env.reset(seed=SEED)
        twin.reset(seed=SEED)
        for actions in random_actions(env, 5):
            obs, rewards, terminated, _, infos = env.step(actions)
            final_obs, _, _, _, final = twin.step(actions)
            began, info = twin.reset()
            assert_same(obs, began)
            assert_same(infos["row"], info["row"])
            assert_same(infos["final_obs"], final_obs)
            assert_same(infos["final_info"]["row"], final["row"])
            assert_same(infos["final_info"]["score"], rewards)
            assert_same(infos["_final_obs"], terminated)
            assert_same(infos["_final_info"], terminated)
            assert "score" not in infos

    def test_final_where_only_some_have_ended(self, vector):
        options = {"advance": "alignment", "episode_length": 3}
        env = vector(autoreset_mode=SAME, **options)
        twin = vector(autoreset_mode=DISABLED, **options)
        env.reset(seed=SEED)
        twin.reset(seed=SEED)
        actions = random_actions(env, 6)
        env.step(actions[0])
        twin.step(actions[0])
        mask = np.array([True, False, False, False])
        for one in (env, twin):
            one.reset(options={"reset_mask": mask})
        assert "final_obs" not in env.step(actions[1])[4]
        twin.step(actions[1])
        obs, _, _, truncated, infos = env.step(actions[2])
        final_obs, _, _, ended, final = twin.step(actions[2])
        assert_same(truncated, ~mask)
        assert_same(ended, ~mask)
        assert_same(infos["_final_obs"], ~mask)
        assert_same(infos["_final_info"], ~mask)
        assert_same(infos["final_obs"][1:], final_obs[1:])
        assert_same(infos["final_info"]["score"][1:], final["score"][1:])
        assert_same(infos["_score"], mask)
        assert infos["score"][0] == final["score"][0]
        assert_same(obs, twin.reset(options={"reset_mask": ~mask})[0])


class TestResetMask:
    @pytest.mark.parametrize("advance", ADVANCES)
    def test_resets_what_is_masked(self, single, vector, advance):
        env = vector(advance=advance, autoreset_mode=DISABLED, episode_length=50)
        singles = [single(advance=advance, episode_length=50) for _ in range(N)]
        shown, _ = env.reset(seed=SEED)
        for i, one in enumerate(singles):
            one.reset(seed=SEED + i)
        mask = np.array([False, True, True, False])
        if advance == "alignment":
            (actions,) = random_actions(env, 1)
            shown = env.step(actions)[0]
            for one, action in zip(singles, actions, strict=True):
                one.step(action)
        obs, _ = env.reset(options={"reset_mask": mask})
        assert_same(obs[~mask], shown[~mask])
        assert_same(obs[mask], np.array([singles[i].reset()[0] for i in (1, 2)]))
        (actions,) = random_actions(env, 1, 1)
        obs, rewards, *_ = env.step(actions)
        expected = [one.step(action) for one, action in zip(singles, actions, strict=True)]
        assert_same(obs, np.array([one[0] for one in expected]))
        assert_same(rewards, np.array([one[1] for one in expected]))

    def test_with_a_seed(self, vector):
        env, twin = (vector(autoreset_mode=DISABLED) for _ in range(2))
        env.reset(seed=SEED)
        twin.reset(seed=SEED)
        mask = np.array([False, True, False, False])
        obs, _ = env.reset(seed=40, options={"reset_mask": mask})
        assert_same(obs[1], twin.reset(seed=40)[0][1])
        twin.reset(seed=SEED)
        assert_same(obs[~mask], twin.reset(seed=SEED)[0][~mask])

    def test_the_callers_mask_is_not_kept(self, vector):
        env = vector(autoreset_mode=DISABLED)
        env.reset(seed=SEED)
        mask = np.ones(N, np.bool_)
        _, infos = env.reset(options={"reset_mask": mask})
        mask[:] = False
        assert infos["_row"].all()
        env.step(random_actions(env, 1)[0])

    def test_ended_episodes_wait_for_their_reset(self, vector):
        env = vector(autoreset_mode=DISABLED)
        env.reset(seed=SEED)
        (actions,) = random_actions(env, 1)
        env.step(actions)
        with pytest.raises(ResetNeeded, match=r"4 episodes .* sub-environment 0: .*reset_mask"):
            env.step(actions)
        env.reset(options={"reset_mask": np.array([True, True, True, False])})
        with pytest.raises(ResetNeeded, match=r"1 episodes .* sub-environment 3"):
            env.step(actions)
        env.reset(options={"reset_mask": np.array([False, False, False, True])})
        assert env.step(actions)[2].all()


CASES = [
    ("single", {}),
    ("single", {"advance": "alignment", "episode_length": 5}),
    ("vector", {}),
    ("vector", {"group_size": K, "observation": "index"}),
    ("vector", {"advance": "alignment", "episode_length": 5}),
    ("vector", {"advance": "alignment", "episode_length": 5, "autoreset_mode": DISABLED}),
]


class TestState:
    @pytest.mark.parametrize(("make", "options"), CASES)
    @pytest.mark.parametrize("steps", [0, 3, 7])
    def test_goes_on_alike_after_json(self, request, make, options, steps):
        env, other = (request.getfixturevalue(make)(**options) for _ in range(2))
        env.reset(seed=SEED)
        play(env, random_actions(env, steps))
        state = json.loads(json.dumps(env.get_state()))
        other.reset(seed=SEED + 100)
        other.set_state(state)
        assert other.get_state() == env.get_state()
        if make == "single" and not options:
            assert_same(other.reset(), env.reset())
        actions = random_actions(env, 12, 1)
        assert_same(play(other, actions), play(env, actions))
        assert_same(other.reset(), env.reset())

    def test_before_the_first_reset(self, single, vector):
        for make in (single, vector):
            env, other = make(), make()
            other.reset(seed=SEED)
            other.set_state(json.loads(json.dumps(env.get_state())))
            with pytest.raises(ResetNeeded):
                other.step(random_actions(other, 1)[0])
            assert_same(other.reset(), env.reset())

    def test_what_has_ended_is_remembered(self, single, vector):
        one, many = single(), vector(autoreset_mode=DISABLED)
        for env, other in ((one, single()), (many, vector(autoreset_mode=DISABLED))):
            env.reset(seed=SEED)
            (action,) = random_actions(env, 1)
            env.step(action)
            other.set_state(env.get_state())
            with pytest.raises(ResetNeeded):
                other.step(action)
            assert_same(other.reset(), env.reset())

    def test_state_is_a_copy(self, vector):
        env = vector()
        env.reset(seed=SEED)
        state = env.get_state()
        kept = deepcopy(state)
        play(env, random_actions(env, 3))
        assert state == kept

    def test_another_number_of_sub_environments(self, vector):
        env, other = vector(4), vector(3)
        env.reset(seed=SEED)
        other.reset(seed=SEED)
        before = other.get_state()
        with pytest.raises(
            ValueError, match="state has 4 sub-environments, and this environment 3"
        ):
            other.set_state(env.get_state())
        assert other.get_state() == before

    @pytest.mark.parametrize("make", ["single", "vector"])
    def test_a_missing_field(self, request, make):
        env = request.getfixturevalue(make)()
        env.reset(seed=SEED)
        before = env.get_state()
        broken = deepcopy(before)
        del broken["mdp"]["text"]
        with pytest.raises(ValueError, match="the state lacks text"):
            env.set_state(broken)
        assert env.get_state() == before


class TestRender:
    def test_ansi(self, corpus, single):
        env = single(render_mode="ansi")
        _, info = env.reset(seed=SEED)
        text = env.render()
        assert f"row: {info['row']}\n" in text
        assert corpus.sources[info["row"]] in text
        assert corpus.targets[info["row"]] in text
        assert "last answer" not in text
        env.step(perfect(corpus, [info["row"]])[0])
        assert "last answer: alignment +1.000 [####################]\n" in env.render()
        env.reset()
        assert "last answer" not in env.render()
        row = env.reset()[1]["row"]
        env.step(-perfect(corpus, [row])[0])
        assert "alignment -1.000 [                    ]\n" in env.render()

    def test_ansi_without_strings(self, corpus, single):
        env = single(render_mode="ansi", data=replace(corpus, sources=(), targets=()))
        _, info = env.reset(seed=SEED)
        assert env.render() == f"row: {info['row']}\n"

    def test_rgb_array(self, single):
        env = single(render_mode="rgb_array")
        env.reset(seed=SEED)
        frame = env.render()
        assert (frame.dtype, frame.shape) == (np.uint8, (320, 640, 3))
        assert frame.min() < 64 < 192 < frame.max()
        assert (frame == env.render()).all()
        env.step(random_actions(env, 1)[0])
        assert (frame != env.render()).any()

    def test_math_and_other_scripts_are_drawn(self, corpus, single):
        sources = ["$x^2 und $ 你好 \\frac{"] * 36
        env = single(render_mode="rgb_array", data=replace(corpus, sources=sources))
        env.reset(seed=SEED)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*missing from font.*")
            assert env.render().shape == (320, 640, 3)

    def test_vector(self, corpus, vector):
        env = vector(render_mode="ansi")
        _, infos = env.reset(seed=SEED)
        texts = env.render()
        assert isinstance(texts, tuple)
        assert len(texts) == N
        for row, text in zip(infos["row"], texts, strict=True):
            assert corpus.sources[row] in text
        frames = vector(2, render_mode="rgb_array")
        frames.reset(seed=SEED)
        assert [frame.shape for frame in frames.render()] == [(320, 640, 3)] * 2

    def test_without_a_mode(self, single, vector):
        for make in (single, vector):
            env = make()
            env.reset(seed=SEED)
            assert env.render() is None

    def test_rendering_changes_nothing(self, vector):
        env, twin = vector(render_mode="ansi"), vector()
        env.reset(seed=SEED)
        twin.reset(seed=SEED)
        env.render()
        assert env.get_state() == twin.get_state()

    def test_unknown_mode(self, single, vector):
        for make in (single, vector):
            with pytest.raises(ValueError, match=r"one of ansi, rgb_array, found 'human'"):
                make(render_mode="human")

    def test_before_reset(self, single, vector):
        for make in (single, vector):
            with pytest.raises(ResetNeeded, match="before reset"):
                make(render_mode="ansi").render()


def with_value(shape, value, dtype=np.float32):
    action = np.full(shape, 0.5, dtype)
    action[..., -1, -1] = value
    return action


# What is wrong, the action for a shape, the error and a part of its message.
BAD_ACTIONS = {
    "NaN": (lambda shape: with_value(shape, np.nan), ValueError, "NaN or infinity"),
    "inf": (lambda shape: with_value(shape, np.inf), ValueError, "NaN or infinity"),
    "-inf": (lambda shape: with_value(shape, -np.inf), ValueError, "NaN or infinity"),
    "all NaN": (lambda shape: np.full(shape, np.nan), ValueError, "NaN or infinity"),
    "inf-inf": (
        lambda shape: np.where(np.arange(shape[-1]) % 2, np.inf, -np.inf) * np.ones(shape),
        ValueError,
        "NaN or infinity",
    ),
    "one more": (lambda s: np.ones((*s[:-1], s[-1] + 1), np.float32), ValueError, "shape"),
    "one less": (lambda s: np.ones((*s[:-1], s[-1] - 1), np.float32), ValueError, "shape"),
    "flat": (lambda shape: np.ones(int(np.prod(shape)), np.float32), ValueError, "shape"),
    "deeper": (lambda shape: np.ones((1, *shape), np.float32), ValueError, "shape"),
    "scalar": (lambda shape: np.float32(1), ValueError, "shape"),
    "integers": (lambda shape: np.ones(shape, np.int64), TypeError, "found dtype int64"),
    "booleans": (lambda shape: np.ones(shape, np.bool_), TypeError, "found dtype bool"),
    "complex": (lambda shape: np.ones(shape, np.complex64), TypeError, "found dtype complex64"),
    "strings": (lambda shape: np.full(shape, "a"), TypeError, "floating"),
    "None": (lambda shape: None, TypeError, "floating"),
}


class TestBadInput:
    def pair(self, request, make, options):
        env, twin = (request.getfixturevalue(make)(**options) for _ in range(2))
        for one in (env, twin):
            one.reset(seed=SEED)
            play(one, random_actions(one, 3))
            if make == "single":
                one.reset()
        return env, twin

    def assert_unharmed(self, env, twin):
        """An error has changed nothing, neither in what is kept nor in what comes."""
        assert env.get_state() == twin.get_state()
        actions = random_actions(env, 8, 2)
        assert_same(play(env, actions), play(twin, actions))
        assert_same(env.reset(), twin.reset())

    @pytest.mark.parametrize(
        "options", [{}, {"advance": "alignment", "episode_length": 9}], ids=str
    )
    @pytest.mark.parametrize("make", ["single", "vector"])
    @pytest.mark.parametrize("fault", BAD_ACTIONS)
    def test_actions(self, request, make, options, fault):
        action, error, message = BAD_ACTIONS[fault]
        env, twin = self.pair(request, make, {"num_vectors": 3, **options})
        with pytest.raises(error, match=message):
            env.step(action(env.action_space.shape))
        self.assert_unharmed(env, twin)

    def test_the_first_bad_action_is_named(self, vector):
        env = vector()
        env.reset(seed=SEED)
        actions = np.ones((N, 4), np.float32)
        actions[2, 1] = np.nan
        actions[3, 0] = np.inf
        with pytest.raises(ValueError, match="sub-environment 2 holds NaN or infinity"):
            env.step(actions)

    def test_render_still_shows_the_step_before(self, single):
        env = single(render_mode="ansi", advance="alignment")
        env.reset(seed=SEED)
        env.step(random_actions(env, 1)[0])
        before = env.render()
        with pytest.raises(ValueError, match="NaN"):
            env.step(np.full(4, np.nan, np.float32))
        assert env.render() == before

    @pytest.mark.parametrize("make", ["single", "vector"])
    def test_step_before_reset(self, request, make):
        env, twin = (request.getfixturevalue(make)() for _ in range(2))
        twin.set_state(env.get_state())
        with pytest.raises(ResetNeeded, match=r"call reset\(\) before step"):
            env.step(random_actions(env, 1)[0])
        assert_same(env.reset(), twin.reset())

    def test_step_after_the_end_of_an_episode(self, single):
        env, twin = single(), single()
        for one in (env, twin):
            one.reset(seed=SEED)
            one.step(random_actions(one, 1)[0])
        with pytest.raises(ResetNeeded, match="no episode is running"):
            env.step(random_actions(env, 1)[0])
        assert_same(env.reset(), twin.reset())

    @pytest.mark.parametrize("make", ["single", "vector"])
    def test_after_close(self, request, make):
        env = request.getfixturevalue(make)()
        env.reset(seed=SEED)
        state = env.get_state()
        env.close()
        env.close()
        for call in (
            lambda: env.step(random_actions(env, 1)[0]),
            lambda: env.reset(seed=SEED),
            lambda: env.set_state(state),
        ):
            with pytest.raises(ClosedEnvironmentError, match="closed"):
                call()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"observation": "text"}, "observation must be one of embeddings, index, found 'text'"),
            ({"advance": "never"}, "advance must be one of always, alignment, found 'never'"),
            ({"split": "dev"}, "no split 'dev'; this corpus has train, valid, test"),
            ({"num_vectors": 0}, "num_vectors must be an integer of at least 1, found 0"),
            ({"num_vectors": -2}, "num_vectors must be an integer of at least 1, found -2"),
            ({"episode_length": 0}, "episode_length must be an integer of at least 1, found 0"),
            ({"max_length": 0}, "max_length must be at least 1, found 0"),
            ({"data": "phrasebook:de-tlh"}, "tlh"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("make", ["single", "vector"])
    def test_options(self, request, make, options, message):
        with pytest.raises(ValueError, match=message):
            request.getfixturevalue(make)(**options)

    @pytest.mark.parametrize("make", ["single", "vector"])
    def test_unknown_options(self, request, make):
        with pytest.raises(TypeError, match="colour"):
            request.getfixturevalue(make)(colour="red")

    def test_groups_of_a_single_environment(self, corpus):
        with pytest.raises(ValueError, match=r"group_size=2 .* gym.make_vec"):
            gym.make(ENV_ID, data=corpus, group_size=2)

    @pytest.mark.parametrize(
        ("num_envs", "options", "message"),
        [
            (0, {}, "num_envs must be an integer of at least 1, found 0"),
            (-3, {}, "num_envs must be an integer of at least 1, found -3"),
            (4, {"group_size": 3}, "group_size=3 must divide num_envs=4"),
            (4, {"group_size": 8}, "group_size=8 must divide num_envs=4"),
            (4, {"group_size": 0}, "group_size must be an integer of at least 1, found 0"),
            (4, {"group_size": 2.0}, "group_size must be an integer of at least 1, found 2.0"),
            (4, {"autoreset_mode": NEXT}, "autoreset_mode must be one of SAME_STEP, DISABLED"),
            (4, {"autoreset_mode": "later"}, "one of SAME_STEP, DISABLED, found 'later'"),
            (4, {"autoreset_mode": None}, "one of SAME_STEP, DISABLED, found None"),
        ],
        ids=str,
    )
    def test_numbers_and_modes(self, vector, num_envs, options, message):
        with pytest.raises(ValueError, match=message):
            vector(num_envs, **options)

    @pytest.mark.parametrize("name", ["SAME_STEP", "same_step", "SameStep", SAME])
    def test_modes_by_name(self, vector, name):
        assert vector(autoreset_mode=name).metadata["autoreset_mode"] is SAME

    def test_reset_options_of_a_single_environment(self, request):
        env, twin = self.pair(request, "single", {})
        with pytest.raises(ValueError, match=r"takes only the option member, .* found .*colour"):
            env.reset(seed=3, options={"colour": "red"})
        self.assert_unharmed(env, twin)

    @pytest.mark.parametrize(
        ("reset", "error", "message"),
        [
            ({"options": {"colour": 1}}, ValueError, "only the option reset_mask, found colour"),
            (
                {"options": {"reset_mask": np.ones(N, np.bool_), "colour": 1}},
                ValueError,
                "found colour",
            ),
            ({"options": {"reset_mask": [True] * N}}, TypeError, "array of bool, found list"),
            ({"options": {"reset_mask": np.ones(N, np.int8)}}, TypeError, "array of bool"),
            ({"options": {"reset_mask": np.ones(3, np.bool_)}}, ValueError, r"shape \(3,\)"),
            ({"options": {"reset_mask": np.zeros(N, np.bool_)}}, ValueError, "one True"),
            ({"options": {"reset_mask": np.array(True)}}, ValueError, r"shape \(4,\)"),
            ({"seed": [1, 2]}, ValueError, "4 sub-environments need as many seeds, found 2"),
            ({"seed": -1}, gym.error.Error, "-1"),
            ({"seed": [1, 2, 3, -4]}, gym.error.Error, "-4"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("mode", [SAME, DISABLED])
    def test_reset_of_a_vector_environment(self, request, mode, reset, error, message):
        env, twin = self.pair(request, "vector", {"autoreset_mode": mode})
        with pytest.raises(error, match=message):
            env.reset(**reset)
        self.assert_unharmed(env, twin)

    @pytest.mark.parametrize(
        ("reset", "error"),
        [
            ({"options": {"reset_mask": np.arange(N) > 0}}, ResetNeeded),
            ({"seed": 3, "options": {"reset_mask": np.arange(N) > 0}}, ResetNeeded),
            ({"seed": [1, 2, 3, -4]}, gym.error.Error),
            ({"seed": [None, 2, 3, -4]}, gym.error.Error),
        ],
        ids=str,
    )
    def test_first_reset_of_a_vector_environment(self, vector, reset, error):
        env, twin = vector(), vector()
        twin.set_state(env.get_state())
        with pytest.raises(error):
            env.reset(**reset)
        assert env.get_state() == twin.get_state()
        assert_same(env.reset(), twin.reset())


def test_a_state_of_another_kind_is_refused(corpus):

    single = gym.make("llmar_env:LLMAR/Align-v0", data=corpus).unwrapped
    vector, larger = (gym.make_vec("LLMAR/Align-v0", n, data=corpus) for n in (2, 3))
    for env in (single, vector, larger):
        env.reset(seed=0)
    with pytest.raises(ValueError, match="lacks ended"):
        vector.set_state(single.get_state())
    with pytest.raises(ValueError, match="lacks running"):
        single.set_state(vector.get_state())
    with pytest.raises(ValueError, match="3 sub-environments"):
        vector.set_state(larger.get_state())
    uneven = vector.get_state()
    uneven["mdp"]["text"] = [0]
    with pytest.raises(ValueError, match="text in the state has shape"):
        vector.set_state(uneven)
    other = gym.make("LLMAR/Align-v0").unwrapped
    other.reset()
    with pytest.raises(ValueError, match="the state belongs to the texts"):
        single.set_state(other.get_state())

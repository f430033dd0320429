import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from sacrebleu import sentence_bleu

from llmar_env.alignment.scores import alignment_score
from llmar_env.envs.generate import GenerateEnv, GenerateMDP, GenerateVectorEnv
from llmar_env.text.vocabulary import Vocabulary

DISABLED = AutoresetMode.DISABLED
SEED = 5
X, Y, Z, END = range(4)
ROOT = math.sqrt(0.5)


@pytest.fixture
def write(axes):
    """An environment of the one text x y, and a function that gives it tokens."""
    corpus, vocabulary = axes
    corpus = replace(corpus, splits={"train": range(1)})

    def begin(**options):
        env = GenerateEnv(data=corpus, vocabulary=vocabulary, max_new_tokens=4, **options)
        env.reset(seed=SEED)
        return lambda *tokens: [env.step(0.7 * vocabulary.directions[e]) for e in tokens]

    return begin


def random_texts(env, steps: int, end: float, seed: int = 0) -> list:
    """What an environment tells of random texts; each word ends its text with a probability."""
    vocabulary = env.mdp.vocabulary
    rng = np.random.default_rng(seed)
    told = []
    for _ in range(steps):
        tokens = rng.integers(vocabulary.eos, size=env.num_envs)
        tokens[rng.random(env.num_envs) < end] = vocabulary.eos
        told.append(env.step(vocabulary.directions[tokens]))
    return told


class TestByHand:
    def test_each_word_is_rewarded_by_its_gain(self, write):
        told = write()(X, Y, Z, END)
        scores = [ROOT, 1, 2 / math.sqrt(6), 2 / math.sqrt(6)]
        np.testing.assert_allclose([one[4]["score"] for one in told], scores, atol=1e-6)
        rewards = [one[1] for one in told]
        np.testing.assert_allclose(rewards, np.diff([0, *scores]), atol=1e-6)
        assert sum(rewards) == pytest.approx(told[-1][4]["score"], abs=1e-15)
        assert [one[2:4] for one in told] == [(False, False)] * 3 + [(True, False)]
        assert [one[4]["token"] for one in told] == [X, Y, Z, END]

    def test_or_all_at_the_end(self, write):
        told = write(credit="sparse")(X, Y, Z, END)
        assert [one[1] for one in told[:3]] == [0, 0, 0]
        assert [one[4]["score"] for one in told[:3]] == [0, 0, 0]
        assert told[3][1] == told[3][4]["score"] == pytest.approx(2 / math.sqrt(6), abs=1e-6)

    def test_the_limit_terminates_a_text_that_is_full(self, write):
        for credit, rewards in [("dense", [ROOT, 0, 0, 0]), ("sparse", [0, 0, 0, ROOT])]:
            told = write(credit=credit)(Y, Y, Y, Y)
            np.testing.assert_allclose([one[1] for one in told], rewards, atol=1e-6)
            assert [one[2:4] for one in told] == [(False, False)] * 3 + [(True, False)]

    def test_eos_at_the_limit_terminates(self, write):
        assert write()(X, Y, X, END)[-1][2:4] == (True, False)

    @pytest.mark.parametrize("credit", ["dense", "sparse"])
    @pytest.mark.parametrize("reward", ["mean", "token_f1", "rouge_l", lambda written: 1 / 0])
    def test_nothing_written_scores_nothing(self, write, credit, reward):
        (told,) = write(credit=credit, reward=reward)(END)
        assert told[1:4] == (0.0, True, False)
        assert told[4] == {"row": 0, "token": END, "score": 0.0}

    def test_what_is_written_is_seen(self, write):
        *_, seen = (one[0]["written"] for one in write()(Z, X))
        assert seen.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
        *_, seen = (one[0]["written"] for one in write(observation="index")(Z, X, END))
        assert seen.tolist() == [Z, X, END, END]

    def test_any_finite_action_is_the_nearest_token(self, axes):
        corpus, vocabulary = axes
        env = GenerateEnv(data=corpus, vocabulary=vocabulary)
        env.reset(seed=SEED)
        # The last two are nothing, which ends, and the mark that ends.
        for action, token in [([9, 8, 7], X), ([0, -1e30, 3e38], Z), ([-1, 1e-44, -1], Y)]:
            cosines = vocabulary.directions @ (np.float32(action) / np.abs(action).max())
            assert cosines.argmax() == token
            assert env.step(np.array(action, np.float32))[4]["token"] == token
        assert env.step(np.zeros(3))[2:4] == (True, False)

    def test_a_functions_reward(self, write):
        asked = []

        def words(written):
            asked.append(written.tokens.tolist())
            return written.lengths / 10

        told = write(reward=words)(X, X, END)
        np.testing.assert_allclose([one[1] for one in told], [0.1, 0.1, 0], atol=1e-12)
        assert asked == [[[X, END, END, END]], [[X, X, END, END]]]
        asked.clear()
        assert [one[1] for one in write(reward=words, credit="sparse")(X, X, END)] == [0, 0, 0.2]
        assert asked == [[[X, X, END, END]]]


class TestRewards:
    def test_the_mean_is_the_alignment_of_the_words_with_the_target(self, words):
        env = GenerateVectorEnv(64, data=words, max_new_tokens=9, autoreset_mode=DISABLED)
        rows = env.reset(seed=SEED)[1]["row"]
        targets, lengths = words.target.gather(rows)
        for step, told in enumerate(random_texts(env, 9, 0.0), 1):
            written = told[0]["written"][:, :step]
            expected = alignment_score(targets, written, lengths)
            np.testing.assert_allclose(told[4]["score"], expected, atol=1e-6)
        assert told[2].all()

    def test_the_mean_is_the_reward_of_that_name(self, words):
        one = GenerateVectorEnv(16, data=words, max_new_tokens=7)
        other = GenerateVectorEnv(16, data=words, max_new_tokens=7, reward="0.5*mean + 0.5*mean")
        one.reset(seed=SEED)
        other.reset(seed=SEED)
        pairs = zip(random_texts(one, 40, 0.2), random_texts(other, 40, 0.2), strict=True)
        for found, expected in pairs:
            np.testing.assert_allclose(found[1], expected[1], atol=1e-6)

    def test_bleu_is_sacrebleus(self, words):
        env = GenerateVectorEnv(
            8, data=words, max_new_tokens=9, reward="bleu", info_texts=True, autoreset_mode=DISABLED
        )
        infos = env.reset(seed=SEED)[1]
        targets = [words.target_embedder.tokenize([text])[0] for text in infos["target"]]
        # The targets' own words, the last one cut off for some.
        tokens = np.full((8, 9), env.mdp.vocabulary.eos)
        for i, text in enumerate(env.mdp.vocabulary.from_ids(targets)):
            tokens[i, : len(text) - i % 3] = text[: len(text) - i % 3]
        total = np.zeros(8)
        shortest = env.mdp.vocabulary.lengths(tokens).min()
        for column in tokens.T[: shortest + 1]:
            told = env.step(env.mdp.vocabulary.directions[column])
            total += told[1]
            for i in range(8):
                expected = sentence_bleu(
                    told[4]["written"][i], [infos["target"][i]], lowercase=True
                ).score
                assert told[4]["score"][i] == pytest.approx(expected / 100, abs=1e-9)
            np.testing.assert_allclose(total, told[4]["score"], atol=1e-12)
        assert told[4]["score"].max() > 0.5

    def test_only_what_has_ended_is_scored_at_the_end(self, words):
        counts = []

        def count(written):
            counts.append(len(written))
            return np.ones(len(written))

        env = GenerateVectorEnv(32, data=words, max_new_tokens=4, reward=count, credit="sparse")
        env.reset(seed=SEED)
        paid = ended = spoken = 0
        for _, rewards, terminated, truncated, infos in random_texts(env, 30, 0.2):
            done = terminated | truncated
            assert done.sum() >= rewards.sum()
            paid += rewards.sum()
            ended += done.sum()
            if done.any():
                spoken += infos["final_obs"]["written"][done].any(axis=(1, 2)).sum()
        assert sum(counts) == paid == spoken < ended


class TestEnds:
    def test_a_batch_can_be_stepped_until_its_last_text_has_ended(self, axes):
        corpus, vocabulary = axes
        for credit in ("dense", "sparse"):
            mdp = GenerateMDP(corpus, vocabulary=vocabulary, max_new_tokens=3, credit=credit)
            state = mdp.reset(mdp.init(np.arange(4)), np.ones(4, np.bool_))
            plan = np.array([[X, X, X], [END, X, X], [Y, END, Y], [X, Y, END]])
            total = np.zeros(4)
            for tokens in (*plan.T, [X, END, Z, Y], [X, X, X, X]):
                moved = mdp.step(state, vocabulary.directions[np.array(tokens)])
                state, total = moved.state, total + moved.reward
            expected = [[X, X, X], [END] * 3, [Y, END, END], [X, Y, END]]
            assert state.tokens.tolist() == expected
            assert moved.terminated.all()
            assert not moved.truncated.any()
            assert (moved.reward == 0).all()
            assert (moved.info["token"] == END).all()
            assert (moved.info["score"] == state.score).all()
            np.testing.assert_allclose(total, state.score, atol=1e-12)
            assert state.score[1] == 0

    def test_what_has_ended_is_scored_once(self, axes):
        corpus, vocabulary = axes
        counts = []
        mdp = GenerateMDP(
            corpus,
            vocabulary=vocabulary,
            credit="sparse",
            reward=lambda written: counts.append(len(written)) or np.ones(len(written)),
        )
        state = mdp.reset(mdp.init(np.arange(3)), np.ones(3, np.bool_))
        for tokens in ([X, X, Y], [X, END, END], [END, X, X], [X, X, X]):
            state = mdp.step(state, vocabulary.directions[tokens]).state
        assert counts == [2, 1]

    def test_the_shell_refuses_to_go_on(self, write):
        step = write()
        step(END)
        with pytest.raises(ResetNeeded):
            step(X)

    def test_same_step_begins_the_next_text(self, words):
        env = GenerateVectorEnv(3, data=words, max_new_tokens=4, info_texts=True)
        env.reset(seed=SEED)
        end = env.mdp.vocabulary.eos
        env.step(env.mdp.vocabulary.directions[[0, 1, 2]])
        obs, _, terminated, _, infos = env.step(env.mdp.vocabulary.directions[[end, 3, end]])
        assert terminated.tolist() == [True, False, True]
        assert not obs["written"][[0, 2]].any()
        assert (obs["written"][1, :2] == env.mdp.vocabulary.table[[1, 3]]).all()
        final = infos["final_obs"]["written"]
        assert (final[0, 0] == env.mdp.vocabulary.table[0]).all()
        assert infos["written"][0] == ""
        assert infos["final_info"]["written"][0] == env.mdp.vocabulary.decode([[0, end]])[0]
        assert infos["final_info"]["token"][[0, 2]].tolist() == [end, end]
        assert infos["_token"].tolist() == [False, True, False]


class TestInfo:
    def test_strings(self, words):
        env = GenerateEnv(data=words, info_texts=True)
        _, info = env.reset(seed=SEED)
        row = info["row"]
        expected = {"row": row, "source": words.sources[row], "target": words.targets[row]}
        assert info == {**expected, "written": ""}
        (tokens,) = env.mdp.vocabulary.encode(["A red bird never jumps."])
        for token in tokens:
            info = env.step(env.mdp.vocabulary.directions[token])[4]
        assert info == {
            **expected, "written": "A red bird never jumps.", "token": tokens[-1],
            "score": info["score"],
        }  # fmt: skip
        assert type(info["token"]) is int

    def test_render(self, words):
        env = GenerateEnv(data=words, render_mode="ansi", credit="sparse")
        row = env.reset(seed=SEED)[1]["row"]
        head = f"row: {row}\nsource: {words.sources[row]}\ntarget: {words.targets[row]}\n"
        bare = f"{head}draft:\nscore: +0.000 [{' ' * 20}]\n"
        assert env.render() == bare
        for token in env.mdp.vocabulary.encode([words.targets[row]])[0]:
            env.step(env.mdp.vocabulary.directions[token])
        assert env.render() == f"{head}draft: {words.targets[row]}\nscore: +1.000 [{'#' * 20}]\n"


class TestState:
    def test_sums_are_restored_to_the_bit(self, words):
        env, other = (GenerateVectorEnv(16, data=words) for _ in range(2))
        env.reset(seed=SEED)
        random_texts(env, 25, 0.05)
        other.set_state(json.loads(json.dumps(env.get_state())))
        assert (other._state.total == env._state.total).all()
        assert env._state.total.any()

    def test_a_state_of_another_vocabulary(self, words):
        env = GenerateEnv(data=words)
        other = GenerateEnv(data=words, vocabulary=Vocabulary.of(words, "test"))
        env.reset(seed=SEED)
        with pytest.raises(ValueError, match="the state was written with the vocabulary"):
            other.set_state(env.get_state())


def test_in_a_fresh_process_with_the_default_corpus():
    code = """if True:
        import gymnasium as gym
        for name in ("Generate", "Refine"):
            env = gym.make(f"llmar_env:LLMAR/{name}-v0")
            obs, info = env.reset(seed=3)
            assert obs in env.observation_space
            assert env.step(env.action_space.sample())[0] in env.observation_space
            envs = gym.make_vec(f"llmar_env:LLMAR/{name}-v0", 5)
            batch, infos = envs.reset(seed=3)
            assert batch in envs.observation_space
            assert all((batch[part][0] == obs[part]).all() for part in ("text", "written"))
            envs.step(envs.action_space.sample())
            print(type(env.unwrapped).__name__, type(envs.unwrapped).__name__)
            print(obs["written"].shape)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    expected = "GenerateEnv GenerateVectorEnv\n(40, 64)\nRefineEnv RefineVectorEnv\n(40, 64)\n"
    assert done.stdout == expected, done.stderr

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st

from llmar_env.alignment.scores import alignment_score
from llmar_env.envs.refine import RefineEnv, RefineMDP, RefineVectorEnv
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.vocabulary import Vocabulary

DISABLED = AutoresetMode.DISABLED
SEED = 5
X, Y, Z, END = range(4)
ROOT = math.sqrt(0.5)


def filled(*tokens) -> list[int]:
    """A draft of at most 4 words."""
    return [*tokens, *[END] * (4 - len(tokens))]


@pytest.fixture
def refine(axes):
    """An environment of the one text x y that begins with a draft."""
    corpus, vocabulary = axes
    corpus = replace(corpus, splits={"train": range(1)})

    def begin(*draft, **options):
        options = {"observation": "index", "max_new_tokens": 4, **options}
        return RefineEnv(
            data=corpus,
            vocabulary=vocabulary,
            draft=lambda rows: np.array([filled(*draft)] * len(rows)),
            **options,
        )

    return begin


@pytest.fixture
def change(axes):
    """An action that puts a token where another one is."""
    _, vocabulary = axes
    return lambda old, new: np.stack(
        [0.2 * vocabulary.directions[old], 3 * vocabulary.directions[new]]
    )


def random_actions(env, steps: int, seed: int = 0) -> list[np.ndarray]:
    """Actions on the tokens of the vocabulary, EOS often among them."""
    vocabulary = env.mdp.vocabulary
    rng = np.random.default_rng(seed)
    shape = (steps, env.num_envs, 2)
    tokens = rng.integers(vocabulary.eos, size=shape)
    tokens[rng.random(shape) < 0.3] = vocabulary.eos
    return list(vocabulary.directions[tokens])


class TestByHand:
    def test_an_episode(self, refine, change):
        env = refine(Z, X, Z)
        obs, info = env.reset(seed=SEED)
        assert obs["written"].tolist() == filled(Z, X, Z)
        assert info == {"row": 0, "score": pytest.approx(1 / math.sqrt(10), abs=1e-6)}
        told = [env.step(change(Z, Y)), env.step(change(Z, END))]
        assert told[0][0]["written"].tolist() == filled(Y, X, Z)
        assert told[1][0]["written"].tolist() == filled(Y, X)
        scores = [info["score"], 2 / math.sqrt(6), 1]
        np.testing.assert_allclose([one[1] for one in told], np.diff(scores), atol=1e-6)
        assert [one[2:4] for one in told] == [(False, False), (True, False)]
        assert told[1][4] == {"row": 0, "changed": True, "score": pytest.approx(1, abs=1e-6)}

    @pytest.mark.parametrize(
        ("draft", "old", "new", "after"),
        [
            ((X, Y, X), X, Z, (Z, Y, X)),  # the first of its places
            ((X, Y, X), X, X, (X, Y, X)),
            ((X, Y, X), Y, END, (X, X)),
            ((X, Y, X), X, END, (Y, X)),
            ((X, Y, X), END, Z, (X, Y, X, Z)),
            ((X, Y, X), END, END, (X, Y, X)),
            ((X, Y, X, Z), END, Y, (X, Y, X, Z)),  # full
            ((X, Y, X, Z), END, END, (X, Y, X, Z)),
            ((X, Y, X, Z), Z, Y, (X, Y, X, Y)),
            ((X, Y, X, Z), X, END, (Y, X, Z)),
            ((X, Y, X, Z), Z, END, (X, Y, X)),
            ((Z,), Z, END, ()),
            ((), END, Y, (Y,)),
            ((), X, Y, (Y,)),  # nothing else is there to point to
            ((), X, END, ()),
        ],
        ids=str,
    )
    def test_each_change(self, refine, change, draft, old, new, after):
        env = refine(*draft, threshold=1.0)
        env.reset(seed=SEED)
        obs, _, _, _, info = env.step(change(old, new))
        assert obs["written"].tolist() == filled(*after)
        assert info["changed"] is (draft != after)

    def test_points_to_the_nearest_that_is_there(self, refine, axes):
        _, vocabulary = axes
        mark = vocabulary.directions[END]
        new = vocabulary.directions[Y]
        for old, after in [
            ([0.2, 0.1, 0.9], (Y, X)),  # nearest to z
            ([0.3, 0.9, 0.2], (Z, Y)),  # to y, then x, then z, of which y is not there
            ([0.2, 0.9, 0.3], (Y, X)),
            ([0.3, 0.9, 0.3], (Z, Y)),  # as near to x as to z: the lower token
            (0.1 * mark, (Z, X, Y)),
            ([0, 0, 0], (Z, X, Y)),  # as EOS
        ]:
            if np.any(old) and after != (Z, X, Y):
                assert np.float32(old)[[X, Z]].max() > np.float32(old) @ mark
            env = refine(Z, X)
            env.reset(seed=SEED)
            obs = env.step(np.array([old, new], np.float32))[0]
            assert obs["written"].tolist() == filled(*after)

    def test_all_at_the_end(self, refine, change):
        env = refine(Z, X, Z, credit="sparse", threshold=1.0, episode_length=3)
        env.reset(seed=SEED)
        told = [env.step(change(Z, END)), env.step(change(END, END)), env.step(change(Z, END))]
        assert [one[1] for one in told[:2]] == [0, 0]
        assert told[2][1] == told[2][4]["score"] == pytest.approx(ROOT, abs=1e-6)
        assert told[0][4]["score"] == pytest.approx(0.5, abs=1e-6)
        # What is paid at the end is the whole return: no value of what would have followed.
        assert [one[2:4] for one in told] == [(False, False), (False, False), (True, False)]

    def test_the_time_used_is_observed_where_it_ends_an_episode(self, refine, change):
        env = refine(Z, X, Z, credit="sparse", threshold=1.0, episode_length=4)
        first, _ = env.reset(seed=SEED)
        used = [first, *(env.step(change(Z, Z))[0] for _ in range(4))]
        assert [one["elapsed"].tolist() for one in used] == [[0.0], [0.25], [0.5], [0.75], [1.0]]
        assert all(env.observation_space.contains(one) for one in used)
        assert "elapsed" not in refine(Z, credit="dense").observation_space.spaces

    def test_the_length_of_an_episode(self, refine, change):
        env = refine(Z)
        env.reset(seed=SEED)
        for step in range(1, 33):
            assert env.step(change(Z, Z))[2:4] == (False, step == 32)

    def test_aligned_at_the_last_step_terminates(self, refine, change):
        env = refine(X, episode_length=1)
        env.reset(seed=SEED)
        assert env.step(change(END, Y))[2:4] == (True, False)

    @pytest.mark.parametrize("threshold", [0.9, 1.0, 1e-9])
    def test_a_draft_that_is_good_enough_is_done(self, refine, change, threshold):
        for credit, reward in [("dense", 0.0), ("sparse", 1.0)]:
            env = refine(X, Y, threshold=threshold, credit=credit)
            env.reset(seed=SEED)
            obs, found, *ended, info = env.step(change(X, END))
            assert obs["written"].tolist() == filled(X, Y)
            assert (ended, info["changed"]) == ([True, False], False)
            assert found == pytest.approx(reward, abs=1e-6)

    @pytest.mark.parametrize(("threshold", "ends"), [(0.82, False), (0.81, True)])
    def test_the_threshold(self, refine, change, threshold, ends):
        env = refine(X, Z, threshold=threshold)
        env.reset(seed=SEED)
        assert env.step(change(END, Y))[2] is ends  # the score is 2 / sqrt(6) = 0.8165

    def test_a_text_without_words_scores_nothing(self, refine, change):
        env = refine(Z, reward=lambda written: 0.5 * written.lengths)
        assert env.reset(seed=SEED)[1]["score"] == 0.5
        _, reward, _, _, info = env.step(change(Z, END))
        assert (reward, info["score"]) == (-0.5, 0.0)


def correct(draft, old, new, directions):
    """The rule of the docstring, for one draft of words."""
    limit, end = 3, len(directions) - 1
    candidates = sorted({*draft, end})
    cosines = [float(directions[word] @ old) for word in candidates]
    word = candidates[int(np.argmax(cosines))]
    token = int(np.argmax(directions @ new))
    place = draft.index(word) if word != end else len(draft)
    if token == end:
        return draft[:place] + draft[place + 1 :]
    if place == limit:
        return draft
    return [*draft[:place], token, *draft[place + 1 :]]


class TestAgainstALoop:
    @given(st.integers(0, 2**32), st.integers(2, 9))
    @settings(max_examples=40, deadline=None)
    def test_changes(self, seed, n):
        rng = np.random.default_rng([seed, 1])
        table = rng.standard_normal((n, 4)).astype(np.float32)
        texts = EmbeddedTexts.from_ids(table, [[0, 1]])
        vocabulary = Vocabulary(table, np.arange(n), None)
        drafts = [rng.integers(n, size=rng.integers(4)).tolist() for _ in range(40)]
        tokens = np.array([[*draft, *[n] * (3 - len(draft))] for draft in drafts])
        mdp = RefineMDP(
            Corpus(texts, texts, {"train": range(1)}),
            vocabulary=vocabulary,
            draft=lambda rows: tokens,
            max_new_tokens=3,
            threshold=1.0,
        )
        state = mdp.reset(mdp.init(np.arange(40)), np.ones(40, np.bool_))
        actions = rng.standard_normal((40, 2, 4)).astype(np.float32)
        exact = rng.random((40, 2)) < 0.5
        actions[exact] = vocabulary.directions[rng.integers(n + 1, size=exact.sum())]
        moved = mdp.step(state, actions)
        for i, draft in enumerate(drafts):
            done = state.score[i] >= 1 - 1e-6
            expected = draft if done else correct(draft, *actions[i], vocabulary.directions)
            assert moved.state.tokens[i].tolist() == [*expected, *[n] * (3 - len(expected))]
            assert moved.info["changed"][i] == (expected != draft)


class TestScore:
    def test_is_the_alignment_of_the_draft(self, words):
        env = RefineVectorEnv(
            32, data=words, draft="random", max_new_tokens=6, threshold=1.0,
            autoreset_mode=DISABLED,
        )  # fmt: skip
        obs, infos = env.reset(seed=SEED)
        targets, lengths = words.target.gather(infos["row"])
        total = infos["score"].copy()
        changes = 0
        for action in [None, *random_actions(env, 20)]:
            if action is not None:
                obs, rewards, _, _, infos = env.step(action)
                total += rewards
                changes += infos["changed"].sum()
            written = obs["written"].any(axis=2).sum(axis=1)
            expected = alignment_score(targets, obs["written"], lengths, written)
            np.testing.assert_allclose(infos["score"], expected, atol=1e-6)
            np.testing.assert_allclose(total, infos["score"], atol=1e-12)
        assert 100 < changes < 640

    def test_only_what_has_changed_is_scored(self, refine, change):
        asked = []

        def count(written):
            asked.append(written.tokens.tolist())
            return 0.1 * written.lengths

        env = refine(Z, X, reward=count)
        env.reset(seed=SEED)
        env.step(change(END, END))
        env.step(change(X, END))
        assert asked == [[filled(Z, X)], [filled(Z)]]


class TestDrafts:
    def test_empty_is_the_default(self, words):
        obs, infos = RefineVectorEnv(3, data=words).reset(seed=SEED)
        assert not obs["written"].any()
        assert (infos["score"] == 0).all()

    def test_random(self, words):
        options = {"data": words, "draft": "random", "observation": "index", "max_new_tokens": 4}
        env = RefineVectorEnv(3000, **options)
        drafts = env.reset(seed=SEED)[0]["written"]
        lengths = env.mdp.vocabulary.lengths(drafts)
        counts = np.bincount(lengths, minlength=5)
        assert counts[0] == 0
        assert np.abs(counts[1:] - 750).max() < 5 * math.sqrt(3000 * 3 / 16)
        end = env.mdp.vocabulary.eos
        said = np.bincount(drafts[drafts != end], minlength=end)
        assert np.abs(said - said.mean()).max() < 5 * math.sqrt(said.mean())
        # The words of a draft differ, and so do drafts of the next text.
        full = drafts[lengths == 4]
        assert (full[:, 0] == full[:, 1]).mean() < 3 / end
        later = env.reset()[0]["written"]
        assert (later[:, 0] == drafts[:, 0]).mean() < 3 / end
        assert (RefineVectorEnv(3000, **options).reset(seed=SEED)[0]["written"] == drafts).all()

    def test_a_group_begins_with_the_same_drafts(self, words):
        env = RefineVectorEnv(6, data=words, draft="random", group_size=3)
        seen = [env.reset(seed=SEED)[0]["written"], env.reset()[0]["written"]]
        for drafts in seen:
            assert (drafts[:3] == drafts[0]).all()
            assert (drafts[3:] == drafts[3]).all()
            assert (drafts[0] != drafts[3]).any()

    def test_a_policys(self, words):
        vocabulary = Vocabulary.of(words)
        asked = []

        def draft(rows):
            asked.append(rows.copy())
            tokens = np.full((len(rows), 9), vocabulary.eos)
            targets = [words.targets[row] for row in rows]
            for i, text in enumerate(vocabulary.encode(targets)):
                tokens[i, : len(text) - 1] = text[:-1]
                tokens[i, -1] = 0  # behind EOS, which does not count
            rows[:] = 0
            return tokens.astype(np.int32)

        env = RefineVectorEnv(
            5, data=words, draft=draft, max_new_tokens=9, threshold=1.0, info_texts=True,
            autoreset_mode=DISABLED,
        )  # fmt: skip
        _, infos = env.reset(seed=SEED)
        for target, written in zip(infos["target"], infos["written"], strict=True):
            assert written
            assert target.startswith(written)
        assert ((infos["score"] > 0.5) & (infos["score"] < 1)).all()
        # Only texts that begin are drafted.
        mask = np.array([False, True, False, True, False])
        _, after = env.reset(options={"reset_mask": mask})
        assert (asked[0] == infos["row"]).all()
        assert (asked[1] == after["row"][mask]).all()
        assert (after["score"][~mask] == infos["score"][~mask]).all()

    @pytest.mark.parametrize(
        ("draft", "message"),
        [
            (
                lambda rows: np.zeros((len(rows), 3), int),
                r"drafts must be integers \(1, 4\), found",
            ),
            (lambda rows: np.zeros((len(rows) + 1, 4), int), r"found int64 \(2, 4\)"),
            (lambda rows: np.zeros((len(rows), 4)), r"drafts must be integers .* found float64"),
            (lambda rows: np.full((len(rows), 4), 4), "lie in 0 to 3, EOS, found 4 to 4"),
            (lambda rows: np.full((len(rows), 4), -1), "found -1 to -1"),
            (lambda rows: None, "drafts must be integers"),
        ],
    )
    def test_what_is_no_draft(self, axes, draft, message):
        corpus, vocabulary = axes
        env = RefineEnv(data=corpus, vocabulary=vocabulary, draft=draft, max_new_tokens=4)
        with pytest.raises(ValueError, match=message):
            env.reset(seed=SEED)

    def test_unknown_names(self, words):
        with pytest.raises(ValueError, match="draft must be empty, random or a function, found 'a"):
            RefineEnv(data=words, draft="a guess")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, r"threshold must lie in \(0, 1\], found 0"),
        ({"threshold": -0.5}, r"threshold must lie in \(0, 1\], found -0.5"),
        ({"threshold": 1.01}, r"threshold must lie in \(0, 1\], found 1.01"),
        ({"threshold": math.nan}, r"threshold must lie in \(0, 1\], found nan"),
        ({"episode_length": 0}, "episode_length must be an integer of at least 1, found 0"),
    ],
    ids=str,
)
def test_bad_options(words, options, message):
    for make in (RefineEnv, RefineVectorEnv):
        with pytest.raises(ValueError, match=message):
            make(data=words, **options)


def test_the_state_goes_through_json(words):
    options = {"data": words, "draft": "random", "max_new_tokens": 6, "episode_length": 7}
    env, other = (RefineVectorEnv(8, **options) for _ in range(2))
    env.reset(seed=SEED)
    actions = random_actions(env, 40)
    for action in actions[:17]:
        env.step(action)
    other.set_state(json.loads(json.dumps(env.get_state())))
    for action in actions[17:]:
        np.testing.assert_equal(other.step(action), env.step(action))


def test_render(words):
    env = RefineEnv(
        data=words, render_mode="ansi", max_new_tokens=9, info_texts=True, draft="random"
    )
    _, info = env.reset(seed=SEED)
    lines = env.render().splitlines()
    assert lines[:4] == [
        f"row: {info['row']}",
        f"source: {info['source']}",
        f"target: {info['target']}",
        f"draft: {info['written']}".rstrip(),
    ]
    bar = "#" * round(20 * max(info["score"], 0))
    assert lines[4:] == [f"score: {info['score']:+.3f} [{bar:<20}]"]

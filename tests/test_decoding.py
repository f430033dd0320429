import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from llmar_env.text import decoding
from llmar_env.text.decoding import csls_scores, csls_tokens, hubness, nearest_tokens
from llmar_env.text.vocabulary import Vocabulary

AXES = np.eye(3, dtype=np.float32)
END = 3


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
def test_csls_scores_by_hand(kind):
    cosines = np.array([[0.5, 0.25, -1.0], [1.0, 0.0, 0.75]])
    found = csls_scores(kind(cosines), kind(np.array([0.75, 0.0, -0.5])))
    assert found.tolist() == [[0.25, 0.5, -1.5], [1.25, 0.0, 2.0]]


def make(table) -> Vocabulary:
    table = np.asarray(table, np.float32)
    return Vocabulary(table, np.arange(len(table)), None)


def exact_cosines(actions, vocabulary) -> np.ndarray:
    """(n, V) in double precision, of actions that are not zero."""
    actions, tokens = np.float64(actions), np.float64(vocabulary.directions)
    actions = actions / np.abs(actions).max(axis=1, keepdims=True)
    return actions @ tokens.T / np.linalg.norm(actions, axis=1, keepdims=True)


@st.composite
def vocabularies(draw):
    """Of few words, in clusters from wide to narrower than float32 can tell apart."""
    dim, clusters = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    width = 10.0 ** draw(st.integers(-9, 0))
    centers = rng.standard_normal((clusters, 1, dim))
    table = centers + width * rng.standard_normal((clusters, draw(st.integers(1, 5)), dim))
    table = (table * rng.uniform(0.1, 9, (clusters, 1, 1))).reshape(-1, dim).astype(np.float32)
    try:
        return make(table)
    except ValueError:  # two words of one direction
        assume(False)


@st.composite
def cases(draw):
    """A vocabulary and actions on its tokens, near them, between two of them, and anywhere."""
    vocabulary = draw(vocabularies())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    tokens, other = rng.integers(len(vocabulary), size=(2, 24))
    directions = np.float64(vocabulary.directions)
    noise = 10.0 ** draw(st.integers(-8, 1)) * rng.standard_normal((24, vocabulary.dim))
    share = rng.choice([0.0, 0.1, 0.49, 0.5, 0.51], size=(24, 1))
    actions = directions[tokens] * (1 - share) + directions[other] * share
    actions[::2] += noise[::2]
    actions *= 10.0 ** rng.integers(-30, 30, (24, 1))
    return vocabulary, actions.astype(np.float32)


class TestNearestTokens:
    @given(cases())
    @settings(max_examples=150, deadline=None)
    def test_is_the_nearest_of_all_with_and_without_the_short_way(self, case):
        vocabulary, actions = case
        assume(actions.any(axis=1).all())
        found = nearest_tokens(actions, vocabulary)
        cosines = exact_cosines(actions, vocabulary)
        chosen = np.take_along_axis(cosines, found[:, None], 1)[:, 0]
        np.testing.assert_allclose(chosen, cosines.max(axis=1), rtol=0, atol=1e-14)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decoding, "_guess", lambda d, v: (np.zeros(24, int), np.zeros(24, bool)))
            assert (nearest_tokens(actions, vocabulary) == found).all()
            patch.setattr(decoding, "_BLOCK", 5 * len(vocabulary))
            assert (nearest_tokens(actions, vocabulary) == found).all()

    @given(cases())
    @settings(max_examples=30, deadline=None)
    def test_does_not_depend_on_the_batch(self, case):
        vocabulary, actions = case
        found = nearest_tokens(actions, vocabulary)
        assert [nearest_tokens(one[None], vocabulary)[0] for one in actions] == found.tolist()

    def test_an_action_on_an_token_is_compared_with_few_others(self, monkeypatch):
        rng = np.random.default_rng(0)
        vocabulary = make(rng.standard_normal((2000, 32)))
        tokens = rng.integers(2001, size=500)
        lengths = rng.uniform(0.01, 3, (500, 1)).astype(np.float32)
        # An action whose guess was a neighbour by chance may be compared with all.
        compared = []
        full = decoding._nearest_of_all
        monkeypatch.setattr(
            decoding, "_nearest_of_all", lambda v, *more: compared.extend(v) or full(v, *more)
        )
        assert (nearest_tokens(lengths * vocabulary.directions[tokens], vocabulary) == tokens).all()
        assert len(compared) < 10
        nearest_tokens(rng.standard_normal((500, 32)), vocabulary)
        assert len(compared) > 490

    @pytest.mark.parametrize("scale", [1e-45, 1e-38, 1e-20, 1, 1e20, 3e38])
    def test_length_is_free(self, scale):
        actions = np.append(AXES, -AXES, axis=0) * np.float32(scale)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = nearest_tokens(actions, make(AXES))
        assert found[:3].tolist() == [0, 1, 2]
        assert (found == nearest_tokens(np.append(AXES, -AXES, axis=0), make(AXES))).all()

    @pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
    def test_of_the_equally_near_the_lowest(self, order):
        vocabulary = make(AXES[order])
        mark = vocabulary.directions[END]
        assert (mark < 1).all()
        for pair in [(0, 1), (0, 2), (1, 2)]:
            action = AXES[order][list(pair)].sum(axis=0)
            assert action @ mark < 1  # EOS is further away
            assert nearest_tokens(action[None], vocabulary)[0] == pair[0]

    def test_eos_direction_ends(self):
        vocabulary = make(AXES)
        assert nearest_tokens(0.3 * vocabulary.directions[END:], vocabulary).tolist() == [END]

    @pytest.mark.parametrize("seed", range(5))
    def test_a_zero_action_is_eos(self, seed):
        table = np.random.default_rng([seed, 1]).standard_normal((6, 3)).astype(np.float32)
        actions = np.stack([table[0], np.zeros(3, np.float32), np.full(3, -0.0, np.float32)])
        assert nearest_tokens(actions, make(table)).tolist() == [0, 6, 6]

    def test_no_actions(self):
        found = nearest_tokens(np.empty((0, 3), np.float32), make(AXES))
        assert (found.shape, found.dtype) == ((0,), np.int64)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
    def test_the_first_bad_action_is_named(self, bad):
        actions = np.ones((4, 3))
        actions[1, 2] = actions[3, 0] = bad
        with pytest.raises(ValueError, match="action 1 holds NaN or infinity"):
            nearest_tokens(actions, make(AXES))

    @pytest.mark.parametrize("shape", [(3,), (2, 4), (1, 2, 3), ()])
    def test_other_shapes(self, shape):
        with pytest.raises(ValueError, match=r"shape \(n, 3\), found"):
            nearest_tokens(np.ones(shape), make(AXES))


class TestHubness:
    @given(vocabularies(), st.integers(1, 12), st.integers(0, 2**32))
    @example(make(AXES), 12, 0)
    @settings(max_examples=40, deadline=None)
    def test_is_the_mean_of_the_k_highest_cosines(self, vocabulary, k, seed):
        bank = np.random.default_rng(seed).standard_normal((12, vocabulary.dim))
        cosines = np.sort(exact_cosines(bank, vocabulary), axis=0)[::-1]
        found = hubness(bank, vocabulary, k)
        assert found.shape == (len(vocabulary),)
        np.testing.assert_allclose(found, cosines[:k].mean(axis=0), atol=1e-5)

    def test_blocks_do_not_matter(self, monkeypatch):
        rng = np.random.default_rng(0)
        vocabulary, bank = make(rng.standard_normal((40, 5))), rng.standard_normal((30, 5))
        whole = hubness(bank, vocabulary)
        monkeypatch.setattr(decoding, "_BLOCK", 7 * 30)
        np.testing.assert_allclose(hubness(bank, vocabulary), whole, atol=1e-6)

    @pytest.mark.parametrize("k", [0, -1, 5])
    def test_k_beyond_the_bank(self, k):
        with pytest.raises(ValueError, match=f"k must lie in 1 to 4, the size .* found {k}"):
            hubness(np.ones((4, 3)), make(AXES), k)

    def test_bad_banks(self):
        with pytest.raises(ValueError, match="shape"):
            hubness(np.ones((4, 2)), make(AXES))
        with pytest.raises(ValueError, match="action 0 holds NaN"):
            hubness(np.full((20, 3), np.nan), make(AXES))


class TestCsls:
    @given(cases(), st.integers(0, 2**32))
    @settings(max_examples=40, deadline=None)
    def test_has_the_highest_score(self, case, seed):
        vocabulary, actions = case
        assume(actions.any(axis=1).all())
        penalty = np.random.default_rng(seed).uniform(-1, 1, len(vocabulary))
        scores = 2 * exact_cosines(actions, vocabulary) - penalty
        found = csls_tokens(actions, vocabulary, penalty)
        chosen = np.take_along_axis(scores, found[:, None], 1)[:, 0]
        np.testing.assert_allclose(chosen, scores.max(axis=1), atol=1e-5)

    def test_a_hub_gives_way(self):
        # The middle word is nearest to all that is said; a little to the side means the side.
        vocabulary = make([[1, 0], [np.cos(0.5), np.sin(0.5)], [np.cos(0.5), -np.sin(0.5)]])
        angles = np.array([0.2, -0.2, 0.02, -0.02])
        actions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        assert nearest_tokens(actions, vocabulary).tolist() == [0, 0, 0, 0]
        found = csls_tokens(actions, vocabulary, hubness(actions, vocabulary, k=3))
        assert found.tolist() == [1, 2, 0, 0]

    def test_without_hubs_it_is_the_nearest(self):
        rng = np.random.default_rng(0)
        vocabulary, actions = make(rng.standard_normal((30, 8))), rng.standard_normal((90, 8))
        found = csls_tokens(actions, vocabulary, np.zeros(31))
        assert (found == nearest_tokens(actions, vocabulary)).all()

    def test_a_zero_action_is_eos(self):
        actions = np.stack([AXES[0], np.zeros(3, np.float32)])
        assert csls_tokens(actions, make(AXES), np.zeros(4)).tolist() == [0, END]

    def test_bad_input(self):
        with pytest.raises(ValueError, match=r"one number a token, \(4,\), found shape \(3,\)"):
            csls_tokens(AXES, make(AXES), np.zeros(3))
        with pytest.raises(ValueError, match="action 2 holds NaN"):
            csls_tokens(AXES + np.diag([0, 0, np.nan]), make(AXES), np.zeros(4))

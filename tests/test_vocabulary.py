from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmar_env.text.corpus import Corpus, phrasebook_embedder
from llmar_env.text.pairs import TextPairs
from llmar_env.text.phrasebook import LANGUAGES, Phrasebook
from llmar_env.text.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def vocabulary(words):
    return Vocabulary.of(words)


def padded(vocabulary, texts, width) -> np.ndarray:
    """(n, width) tokens of texts, filled with EOS."""
    rows = vocabulary.encode(texts)
    return np.array([row + [vocabulary.eos] * (width - len(row)) for row in rows])


class TestOf:
    @pytest.mark.parametrize("split", ["train", "test"])
    def test_holds_the_tokens_of_the_targets_of_a_split(self, words, split):
        found = Vocabulary.of(words, split)
        texts = words.target_embedder.tokenize([words.targets[row] for row in words.rows(split)])
        expected = sorted({token for text in texts for token in text})
        assert found.ids.tolist() == expected
        assert (found.table == words.target_embedder.table[expected]).all()
        assert (len(found), found.eos, found.dim) == (len(expected) + 1, len(expected), 16)

    def test_no_such_split(self, words):
        with pytest.raises(ValueError, match="no split 'dev'; this corpus has train"):
            Vocabulary.of(words, "dev")

    def test_vectors_that_belong_to_no_words(self, words, corpus):
        for texts in (corpus, replace(words, target_embedder=None)):
            with pytest.raises(ValueError, match="word2vec, vectors or model2vec, found NoneType"):
                Vocabulary.of(texts)


class TestText:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_is_spaced_and_cased_as_it_was(self, language):
        texts = Phrasebook("en", language).sentences("train", 50)[1]
        embedder = phrasebook_embedder(language)
        pairs = {"train": TextPairs(texts, texts)}
        corpus = Corpus.embed(pairs, source_embedder=embedder, target_embedder=embedder)
        vocabulary = Vocabulary.of(corpus)
        assert vocabulary.decode(padded(vocabulary, texts, 40)) == list(texts)

    def test_ends_at_the_first_eos(self, words, vocabulary):
        (text,) = padded(vocabulary, ["A small dog laughs"], 12)
        text[2], text[9] = vocabulary.eos, 0
        assert vocabulary.decode([text]) == vocabulary.decode(text[None, :2])
        assert vocabulary.lengths(text[None]).tolist() == [2]

    def test_empty_and_full_texts(self, words, vocabulary):
        texts = padded(vocabulary, ["A red bird laughs", "A red bird never jumps."], 12)
        texts = texts[:, : vocabulary.lengths(texts).max()]
        texts[0] = vocabulary.eos
        assert vocabulary.decode(texts) == ["", "A red bird never jumps."]
        assert vocabulary.lengths(texts).tolist() == [0, texts.shape[1]]

    def test_unknown_tokens_are_left_out(self, words, vocabulary):
        known, mixed = vocabulary.encode(["A dog laughs", "A dog~ laughs"])
        assert mixed == known
        unknown = words.target_embedder.tokenizer.token_to_id("~")
        assert unknown not in vocabulary.ids
        ids = vocabulary.ids[[3, 0]].tolist()
        assert vocabulary.from_ids([[ids[0], unknown, ids[1]], [unknown]]) == [[3, 0], []]

    @given(st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1))
    def test_lengths(self, texts):
        vocabulary = Vocabulary(np.eye(4, dtype=np.float32), np.arange(4), None)
        expected = [[*text, 4].index(4) for text in texts]
        assert vocabulary.lengths(np.array(texts)).tolist() == expected


class TestCheckTokens:
    def vocabulary(self):
        return Vocabulary(np.eye(4, dtype=np.float32), np.arange(4), None)

    @given(st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1))
    def test_fills_texts_behind_their_first_eos(self, texts):
        given_ = np.array(texts, np.uint8)
        found = self.vocabulary().check_tokens("the drafts", given_, len(texts))
        expected = [text[: [*text, 4].index(4)] for text in texts]
        assert found.dtype == np.int64
        assert found.tolist() == [text + [4] * (6 - len(text)) for text in expected]
        found[:] = 0
        assert given_.tolist() == texts

    def test_no_texts(self):
        assert self.vocabulary().check_tokens("the drafts", np.zeros((0, 3), int), 0).size == 0

    @pytest.mark.parametrize(
        ("tokens", "length", "message"),
        [
            (
                [[0, 1]],
                None,
                r"the drafts must be integers \(2, M\), M at least 1, found int64 \(1, 2",
            ),
            ([[], []], None, r"M at least 1, found float64 \(2, 0\)"),
            ([0, 1], None, r"found int64 \(2,\)"),
            ([[0.0], [1.0]], None, "found float64"),
            ([[0, 1], [2, 3]], 3, r"the drafts must be integers \(2, 3\), found int64 \(2, 2\)"),
            ([[0, 1], [2, 5]], 2, "the drafts must lie in 0 to 4, EOS, found 0 to 5"),
            ([[0, 1], [2, -1]], None, "the drafts must lie in 0 to 4, EOS, found -1 to 2"),
            (None, None, "found object"),
        ],
        ids=str,
    )
    def test_what_is_no_text(self, tokens, length, message):
        with pytest.raises(ValueError, match=message):
            self.vocabulary().check_tokens("the drafts", tokens, 2, length)


class TestVectors:
    def test_eos_is_no_text(self, vocabulary):
        assert (vocabulary.padded_table[:-1] == vocabulary.table).all()
        assert not vocabulary.padded_table[vocabulary.eos].any()
        assert len(vocabulary.padded_table) == len(vocabulary)

    def test_directions(self, vocabulary):
        norms = np.linalg.norm(vocabulary.table, axis=1, keepdims=True)
        np.testing.assert_allclose(vocabulary.directions[:-1], vocabulary.table / norms, atol=1e-6)
        assert np.linalg.norm(vocabulary.directions[-1]) == pytest.approx(1, abs=1e-6)

    def test_eos_is_the_same_for_all_vocabularies_of_a_dimension(self, words, vocabulary):
        other = Vocabulary.of(words, "test")
        assert len(other) < len(vocabulary)
        assert (other.directions[-1] == vocabulary.directions[-1]).all()

    @pytest.mark.parametrize("n", [1, 5, 700])
    def test_nearest_cosines(self, n):
        table = np.random.default_rng(n).standard_normal((n, 3)).astype(np.float32)
        vocabulary = Vocabulary(table, np.arange(n), None)
        cosines = np.float64(vocabulary.directions) @ np.float64(vocabulary.directions).T
        np.fill_diagonal(cosines, -2)
        np.testing.assert_allclose(vocabulary.nearest_cosines, cosines.max(axis=1), atol=1e-6)

    def test_projections(self, vocabulary):
        line, projections, order = vocabulary.projections
        assert np.linalg.norm(line) == pytest.approx(1, abs=1e-6)
        assert sorted(order.tolist()) == list(range(len(vocabulary)))
        assert (np.diff(projections) >= 0).all()
        np.testing.assert_allclose(projections, vocabulary.directions[order] @ line, atol=1e-6)


class TestIdentity:
    def test_fingerprint(self, words, vocabulary):
        assert Vocabulary.of(words).fingerprint == vocabulary.fingerprint
        table, ids = vocabulary.table.copy(), vocabulary.ids.copy()
        table[0, 0] += 1
        ids[-1] += 1
        others = [
            Vocabulary(table, vocabulary.ids, vocabulary.embedder),
            Vocabulary(vocabulary.table, ids, vocabulary.embedder),
            Vocabulary.of(words, "test"),
        ]
        prints = {vocabulary.fingerprint, *(other.fingerprint for other in others)}
        assert len(prints) == 4

    def test_is_shared(self, vocabulary):
        assert deepcopy(vocabulary) is vocabulary


EYE = np.eye(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("table", "ids", "message"),
    [
        (np.empty((0, 3), np.float32), [], "at least one word besides EOS"),
        (EYE, [0, 1], "3 vectors, but 2 ids"),
        (EYE * [1, 0, 1], [0, 1, 2], "token 1 has a vector that is zero or not finite"),
        (EYE + np.diag([0, 0, np.nan]), [0, 1, 2], "token 2 has a vector that is zero or not"),
        (EYE + np.diag([0, np.inf, 0]), [0, 1, 2], "token 1 has a vector that is zero or not"),
        (
            np.append(EYE, 2 * EYE[1:2], axis=0),
            [0, 1, 2, 3],
            "token 1 and 1 more have the same direc",
        ),
    ],
    ids=["empty", "sizes", "zero", "NaN", "infinite", "twice"],
)
def test_bad_tables(table, ids, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(np.float32(table), np.array(ids, np.int64), None)

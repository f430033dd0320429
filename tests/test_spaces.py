import pickle
import warnings
from copy import deepcopy

import numpy as np
import pytest
from gymnasium import spaces

from llmar_env.spaces import TextIndex, TokenIndex
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.vocabulary import Vocabulary

M = 5


@pytest.fixture(scope="module")
def vocabulary(words):
    return Vocabulary.of(words)


class TestTextIndex:
    def other(self, corpus):
        texts = corpus.source
        table = texts.table.copy()
        table[0, 0] += 1
        return TextIndex(EmbeddedTexts(table, texts.ids, texts.offsets))

    def test_equal_where_the_texts_are(self, corpus):
        texts = corpus.source
        again = EmbeddedTexts(texts.table.copy(), texts.ids.copy(), texts.offsets.copy())
        assert TextIndex(texts) == TextIndex(again)
        assert TextIndex(texts) == TextIndex(texts, seed=3)

    def test_different_where_the_texts_are(self, corpus):
        space = TextIndex(corpus.source)
        assert space != self.other(corpus)
        assert space.shape == self.other(corpus).shape
        assert space != spaces.Box(0, 35, (1,), np.int64)
        assert spaces.Box(0, 35, (1,), np.int64) != space

    def test_describes_its_texts(self, corpus):
        space = TextIndex(corpus.source)
        assert (space.n, space.dim, space.max_length) == (36, 6, 5)
        assert space.fingerprint == corpus.source.fingerprint
        assert f"n=36, dim=6, fingerprint={space.fingerprint}" in repr(space)
        assert {int(space.sample()[0]) for _ in range(2000)} == set(range(36))
        assert np.array([35]) in space
        assert np.array([36]) not in space

    def test_a_pickle_leaves_the_texts_behind(self, corpus):
        space = TextIndex(corpus.source)
        data = pickle.dumps(space)
        loaded = pickle.loads(data)
        assert corpus.source.table.tobytes() not in data
        assert loaded.texts is None
        assert space.texts is corpus.source
        assert loaded != self.other(corpus)
        assert loaded.texts is None
        assert loaded == space
        assert loaded.texts is corpus.source  # an equal space has it, as SB3 compares them
        assert (loaded.n, loaded.dim, loaded.max_length) == (36, 6, 5)
        assert loaded.sample() in space

    def test_a_copy_shares_the_texts(self, corpus):
        space = TextIndex(corpus.source)
        copy = deepcopy(space)
        assert copy is not space
        assert copy.texts is corpus.source
        assert copy == space

    def test_a_copy_samples_by_itself(self, corpus):
        space, twin = TextIndex(corpus.source, seed=1), TextIndex(corpus.source, seed=1)
        copy = deepcopy(space)
        for _ in range(7):
            copy.sample()
        assert [int(space.sample()[0]) for _ in range(9)] == [
            int(twin.sample()[0]) for _ in range(9)
        ]

    def test_flattening_warns(self, corpus):
        with pytest.warns(UserWarning, match=r"row number.*GRUPolicy.*observation=\"embeddings\""):
            assert spaces.utils.flatdim(TextIndex(corpus.source)) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            spaces.utils.flatdim(spaces.Box(0, 35, (1,), np.int64))


class TestTokenIndex:
    def test_describes_its_tokens(self, vocabulary):
        space = TokenIndex(vocabulary, M)
        assert (space.n, space.dim, space.max_length, space.shape) == (18, 16, M, (M,))
        assert space.vocabulary is vocabulary
        assert f"n=18, max_length=5, dim=16, fingerprint={vocabulary.fingerprint}" in repr(space)
        assert np.full(M, 17) in space
        assert np.full(M, 18) not in space
        assert {int(token) for _ in range(300) for token in space.sample()} == set(range(18))

    def test_equal_where_tokens_and_length_are(self, words, vocabulary):
        space = TokenIndex(vocabulary, M)
        assert space == TokenIndex(Vocabulary.of(words), M, seed=4)
        assert space != TokenIndex(vocabulary, M + 1)
        assert space != spaces.Box(0, 17, (M,), np.int64)
        table = vocabulary.table.copy()
        table[0, 0] += 1
        other = Vocabulary(table, vocabulary.ids, vocabulary.embedder)
        assert space != TokenIndex(other, M)

    def test_a_pickle_leaves_the_vocabulary_behind_and_a_copy_shares_it(self, vocabulary):
        space = TokenIndex(vocabulary, M)
        data = pickle.dumps(space)
        assert vocabulary.table.tobytes() not in data
        loaded = pickle.loads(data)
        assert loaded.vocabulary is None
        assert loaded == space == deepcopy(space)
        assert deepcopy(space).vocabulary is vocabulary

    def test_flattening_warns(self, vocabulary):
        with pytest.warns(UserWarning, match=r"meaningless scalar.*observation=\"embeddings\""):
            assert spaces.utils.flatdim(TokenIndex(vocabulary, M)) == M

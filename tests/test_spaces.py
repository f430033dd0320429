import pickle
from copy import deepcopy

import numpy as np
import pytest
from gymnasium import spaces

from llmar_env.spaces import TokenIndex
from llmar_env.text.vocabulary import Vocabulary

M = 5


@pytest.fixture(scope="module")
def vocabulary(words):
    return Vocabulary.of(words)


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

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llmar_env.text.tokens import correct, up_to_eos

EOS = 5
LIBRARIES = pytest.mark.parametrize("make", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])


@st.composite
def texts(draw):
    """1 to 4 texts of one width, as lists of words, and the width."""
    width = draw(st.integers(1, 6))
    words = st.lists(st.integers(0, EOS - 1), max_size=width)
    return draw(st.lists(words, min_size=1, max_size=4)), width


def filled(rows, width):
    return np.array([[*row, *[EOS] * (width - len(row))] for row in rows])


@LIBRARIES
class TestUpToEos:
    def test_by_hand(self, make):
        tokens = make(np.array([[3, 0, EOS, EOS], [EOS] * 4, [1, 2, 3, 4]]))
        assert up_to_eos(tokens, EOS).tolist() == [
            [True, True, True, False],
            [True, False, False, False],
            [True, True, True, True],
        ]

    @given(texts())
    def test_counts_the_words_and_one_eos(self, make, drawn):
        rows, width = drawn
        found = up_to_eos(make(filled(rows, width)), EOS)
        for row, mask in zip(rows, found.tolist(), strict=True):
            count = min(len(row) + 1, width)
            assert mask == [True] * count + [False] * (width - count)


@LIBRARIES
class TestCorrect:
    def test_by_hand(self, make):
        tokens = np.array([[3, 0, 1, EOS]] * 5)
        place, token = np.array([1, 3, 0, 3, 4]), np.array([2, 4, EOS, EOS, 2])
        assert correct(make(tokens), make(place), make(token), EOS).tolist() == [
            [3, 2, 1, EOS],  # replaces
            [3, 0, 1, 4],  # appends
            [0, 1, EOS, EOS],  # deletes
            [3, 0, 1, EOS],  # nothing to delete
            [3, 0, 1, EOS],  # no place for it
        ]

    @given(texts(), st.data())
    def test_against_lists(self, make, drawn, data):
        rows, width = drawn
        place = [data.draw(st.integers(0, len(row))) for row in rows]
        token = [data.draw(st.integers(0, EOS)) for _ in rows]
        tokens = filled(rows, width)
        given_ = make(tokens.copy())
        found = correct(given_, make(np.array(place)), make(np.array(token)), EOS)
        expected = []
        for row, at, word in zip(rows, place, token, strict=True):
            put = [] if word == EOS else [word]
            expected.append(([*row[:at], *put, *row[at + 1 :]])[:width])
        assert found.tolist() == filled(expected, width).tolist()
        assert (np.asarray(given_) == tokens).all()  # left as it was

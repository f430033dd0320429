import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from agents.inference.confidence import (
    Calibration,
    KnownWords,
    calibration_error,
    describe_unknown,
)


class TestCalibration:
    def test_as_scikit_learn_fits_it(self):
        rng = np.random.default_rng(0)
        scores = rng.normal(-1.0, 0.7, 4000)
        right = rng.random(4000) < 1 / (1 + np.exp(-(3 * scores + 2)))
        found = Calibration.fit(scores, right)
        peer = LogisticRegression(C=1e6).fit(scores[:, None], right)
        assert found.slope == pytest.approx(peer.coef_.item(), rel=0.01)
        assert found.offset == pytest.approx(peer.intercept_.item(), rel=0.01)
        assert calibration_error(found(scores), right) < 0.03

    @pytest.mark.parametrize("answer", [True, False])
    def test_answers_that_are_all_right_or_all_wrong(self, answer):
        scores = np.linspace(-2, 0, 50)
        confidence = Calibration.fit(scores, np.full(50, answer))(scores)
        assert np.isfinite(confidence).all()
        assert (confidence > 0.9).all() if answer else (confidence < 0.1).all()

    @given(st.integers(0, 2**32), st.integers(1, 40))
    def test_confidence_is_a_probability(self, seed, n):
        rng = np.random.default_rng(seed)
        scores, right = rng.normal(size=n) * 10, rng.random(n) < 0.5
        confidence = Calibration.fit(scores, right)(scores)
        assert ((confidence >= 0) & (confidence <= 1)).all()

    def test_error_by_hand(self):
        # Two bins: 0.25 and 0.35 with none right, 0.9 and 0.9 with one right.
        confidence = np.array([0.25, 0.35, 0.9, 0.9])
        right = np.array([False, False, True, False])
        assert calibration_error(confidence, right, bins=2) == pytest.approx((0.6 + 0.8) / 4)
        assert calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


class TestKnownWords:
    def test_words_whatever_their_case(self):
        known = KnownWords.of(["Der Hund schläft.", "Anna sieht den Hund!"])
        assert known.unknown("anna sieht DEN Hund.") == ()
        assert known.unknown("Die Katze schläft, die Katze?") == ("die", "katze")
        assert len(known) == 8
        assert KnownWords(known.sorted()).unknown("Hund Maus") == ("maus",)

    def test_chinese_characters_are_words(self):
        assert KnownWords.of(["我爱你。"]).unknown("我爱他！") == ("他",)

    def test_marks_do_not_count(self):
        assert KnownWords.of(["a"]).unknown("a ... ?! — a") == ()

    def test_what_is_said(self):
        assert describe_unknown([(), ()]) == ""
        assert describe_unknown([("x",), (), ("y", "x")]) == (
            "2 of 3 texts have words that training never saw: x, y"
        )
        assert describe_unknown([tuple("abcdefg")]).endswith("a, b, c, d, e and 2 more")

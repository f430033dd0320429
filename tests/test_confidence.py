import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from agents.inference.calibration import Calibration, Reliability
from agents.inference.confidence import KnownWords, describe_unknown, judge_nearest, margins


class TestCalibration:
    def test_as_scikit_learn_fits_it(self):
        rng = np.random.default_rng(0)
        scores = rng.normal(-1.0, 0.7, 4000)
        right = rng.random(4000) < 1 / (1 + np.exp(-(3 * scores + 2)))
        found = Calibration.fit(scores, right)
        peer = LogisticRegression(C=1e6).fit(scores[:, None], right)
        assert found.slope == pytest.approx(peer.coef_.item(), rel=0.01)
        assert found.offset == pytest.approx(peer.intercept_.item(), rel=0.01)
        assert Reliability.of(found(scores), right).error < 0.03

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


class TestReliability:
    def test_by_hand(self):
        # Two bins: 0.25 and 0.35 with none right, 0.9 and 0.9 with one right.
        confidence = np.array([0.25, 0.35, 0.9, 0.9])
        right = np.array([False, False, True, False])
        found = Reliability.of(confidence, right, bins=2)
        assert found.error == pytest.approx((0.6 + 0.8) / 4)
        low, high = found.bins
        assert (low.low, low.high, low.answers, low.right) == (0, 0.5, 2, 0)
        assert (high.low, high.high, high.answers, high.right) == (0.5, 1, 2, 0.5)
        assert (low.confidence, high.confidence) == pytest.approx((0.3, 0.9))
        assert (found.answers, found.right) == (4, 0.25)
        assert found.confidence == pytest.approx(confidence.mean())

    def test_certainty_belongs_to_the_last_bin(self):
        found = Reliability.of(np.array([1.0, 0.0]), np.array([True, False]))
        assert found.error == 0
        assert [(one.low, one.high) for one in found.bins] == [(0, 0.1), (0.9, 1)]

    def test_no_answers(self):
        with pytest.raises(ValueError, match="at least one answer"):
            Reliability.of(np.zeros(0), np.zeros(0, bool))


class TestMargins:
    def test_by_hand(self):
        cosines = np.array([[0.9, 0.5, 0.1], [0.3, 0.3, 0.0], [0.2, -np.inf, -np.inf]])
        assert margins(cosines) == pytest.approx([0.4, 0.0, 1.2])

    def test_the_nearest_of_targets_by_hand(self):
        # The second answer is nearest to the third target; the last two targets are one.
        answers = np.array([[1, 0.1], [-1, 0.2], [-1, 0], [-1, 0]], np.float32)
        targets = np.array([[2, 0], [0, 1], [-3, 0], [-3, 0]], np.float32)
        scores, right = judge_nearest(answers, targets)
        assert right.tolist() == [True, False, True, True]
        assert scores[0] == pytest.approx((1 - 0.1) / np.sqrt(1.01))
        assert scores[2] == pytest.approx(1.0)

    def test_one_target_leaves_no_choice(self):
        assert judge_nearest(np.eye(2), np.ones((2, 2))) is None


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

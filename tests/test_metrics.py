import math
import re
from collections import Counter
from dataclasses import asdict
from fractions import Fraction

import numpy as np
import pytest
import sacrebleu
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from llmar_env.metrics import (
    Scores,
    bleu_difference,
    nearest,
    ranks,
    score_answers,
    score_texts,
    split_words,
)
from llmar_env.text.embedders import WordVectors, WordVectorsConfig

# Sizes about those at which work is done in pieces.
SIZES = [1, 2, 1023, 1024, 1025, 2500]


def sample(n, dim=8, noise=1.0, seed=0):
    """Targets, and answers near them."""
    rng = np.random.default_rng(seed)
    targets = rng.standard_normal((n, dim))
    return targets + noise * rng.standard_normal((n, dim)), targets


def naive_rank(row, answer, targets):
    cosines = [answer @ target / np.sqrt(target @ target) for target in targets]
    return 1 + sum(c >= cosines[row] for j, c in enumerate(cosines) if j != row)


def exact_ranks(answers, targets):
    """The same for integers, in rational numbers, which see ties and equal directions as such."""

    def order(answer, target):  # grows with the cosine
        dot, square = int(answer @ target), int(target @ target)
        return Fraction(dot * abs(dot), square) if square else Fraction(0)

    def same(x, y):
        return x @ y >= 0 and (x @ y) ** 2 == (x @ x) * (y @ y) and bool(x.any()) == bool(y.any())

    for i, answer in enumerate(answers):
        key = [order(answer, target) for target in targets]
        others = [j for j in range(len(targets)) if not same(targets[i], targets[j])]
        yield 1 + sum(key[j] > key[i] for j in others), 1 + sum(key[j] >= key[i] for j in others)


class TestRanks:
    def test_by_hand(self):
        targets = np.array([[1.0, 0], [0, 1], [1, 1], [-1, 0]])
        answers = np.array([[5.0, 0], [1, 0.1], [1, 0.1], [0.5, 0.5]])
        # (1, 0.1) is nearest to (1, 0), then (1, 1), then (0, 1).
        assert ranks(answers, targets).tolist() == [1, 3, 2, 4]

    @pytest.mark.parametrize("n", SIZES)
    def test_against_a_loop(self, n):
        answers, targets = sample(n)
        found = ranks(answers, targets)
        assert found.shape == (n,)
        for row in np.unique([*range(0, n, 97), *range(max(0, n - 3), n)]):
            assert found[row] == naive_rank(row, answers[row], targets)

    @given(data=st.data(), n=st.integers(1, 8), dim=st.integers(1, 4))
    def test_against_rational_numbers(self, data, n, dim):
        matrix = hnp.arrays(np.int64, (n, dim), elements=st.integers(-3, 3))
        answers, targets = data.draw(matrix), data.draw(matrix)
        found = ranks(answers.astype(float), targets.astype(float))
        # Unequal targets with equal cosines: rounding may part them, either way.
        for rank, (low, high) in zip(found, exact_ranks(answers, targets), strict=True):
            assert low <= rank <= high

    def test_ties_count_against_the_answer(self):
        targets = np.array([[0.0, 1], [0, -1], [1, 0]])
        answers = np.array([[1.0, 0], [1, 0], [1, 0]])
        assert ranks(answers, targets).tolist() == [3, 3, 1]

    def test_a_zero_answer_is_last(self):
        _, targets = sample(50)
        assert (ranks(np.zeros_like(targets), targets) == 50).all()

    def test_an_answer_that_is_not_a_number_is_last(self):
        answers, targets = sample(50, noise=0)
        answers[7] = np.nan
        answers[8, 0] = np.inf
        found = ranks(answers, targets)
        assert found[[7, 8]].tolist() == [50, 50]
        assert (np.delete(found, [7, 8]) == 1).all()

    def test_a_constant_answer_does_badly(self):
        answers, targets = sample(2000)
        found = ranks(np.tile(answers[:1], (2000, 1)), targets)
        assert sorted(found) == list(range(1, 2001))
        assert score_answers(np.tile(answers[:1], (2000, 1)), targets).mrr < 0.01

    def test_equal_targets_count_as_right(self):
        _, targets = sample(2500)
        # The same target at far ends, and also in another length.
        targets[2400] = targets[3]
        targets[1500] = 4 * targets[3]
        assert (ranks(targets, targets) == 1).all()
        targets[:] = targets[0]
        assert (ranks(-targets, targets) == 1).all()

    def test_length_does_not_count(self):
        answers, targets = sample(200)
        scale = 10.0 ** np.random.default_rng(1).integers(-6, 6, (2, 200, 1))
        assert (ranks(answers * scale[0], targets * scale[1]) == ranks(answers, targets)).all()

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("n", SIZES)
    def test_a_perfect_answer_is_first(self, n, dtype):
        _, targets = sample(n)
        assert (ranks(targets.astype(dtype), targets.astype(dtype)) == 1).all()


class TestScoreAnswers:
    def test_by_hand(self):
        # Cosines 1, 0, -1.
        targets = np.array([[1.0, 0], [0, 1], [-1, 0]])
        answers = np.array([[2.0, 0], [1, -0.0], [1, 0]])
        found = score_answers(answers, targets)
        assert ranks(answers, targets).tolist() == [1, 2, 3]
        assert found == Scores(0.0, 1 / 3, 1.0, pytest.approx((1 + 1 / 2 + 1 / 3) / 3))

    def test_ten(self):
        n = 30
        targets = np.array([[np.cos(x), np.sin(x)] for x in np.linspace(0, 3, n)])
        # All answer the first target, so row i has rank i + 1.
        found = score_answers(np.tile(targets[:1], (n, 1)), targets)
        assert found.p_at_1 == pytest.approx(1 / n)
        assert found.p_at_10 == pytest.approx(10 / n)
        assert found.mrr == pytest.approx(sum(1 / rank for rank in range(1, n + 1)) / n)

    @pytest.mark.parametrize("noise", [0.0, 0.5, 3.0])
    def test_against_the_ranks(self, noise):
        answers, targets = sample(1100, noise=noise)
        rank = ranks(answers, targets)
        found = score_answers(answers, targets)
        cosines = [x @ y / np.sqrt(x @ x * (y @ y)) for x, y in zip(answers, targets, strict=True)]
        assert found.alignment == pytest.approx(np.mean(cosines))
        assert found.p_at_1 == pytest.approx(sum(rank == 1) / 1100)
        assert found.p_at_10 == pytest.approx(sum(rank <= 10) / 1100)
        assert found.mrr == pytest.approx(sum(1 / rank) / 1100)

    @pytest.mark.parametrize("shape", [(4, 3), (5, 2), (1, 3)])
    def test_shapes_that_do_not_fit(self, shape):
        with pytest.raises(ValueError, match=r"but targets \(5, 3\)"):
            score_answers(np.ones(shape), np.ones((5, 3)))


class TestNearest:
    def test_by_hand(self):
        targets = np.array([[0.0, 2], [3, 0], [1, 1]])
        rows, cosines = nearest(np.array([[1.0, 0], [0, -5]]), targets, 3)
        assert rows.tolist() == [[1, 2, 0], [1, 2, 0]]
        half = np.sqrt(0.5)
        assert cosines == pytest.approx(np.array([[1, half, 0], [0, -half, -1]]), abs=1e-12)

    def test_first_of_equals_first(self):
        rows, _ = nearest(np.array([[1.0, 0]]), np.array([[0.0, 1], [2, 0], [1, 0], [0, 2]]), 4)
        assert rows.tolist() == [[1, 2, 0, 3]]
        signs = np.random.default_rng(0).choice([1.0, -1.0], 500)
        rows, _ = nearest(np.array([[1.0, 0]]), np.stack([signs, 0 * signs], axis=1), 500)
        assert rows[0].tolist() == sorted(range(500), key=lambda row: -signs[row])

    @pytest.mark.parametrize("n", SIZES)
    def test_any_number_of_answers(self, n):
        answers, _ = sample(n)
        _, targets = sample(30, seed=1)
        rows, cosines = nearest(answers, targets, 4)
        whole = answers @ targets.T
        whole /= np.linalg.norm(answers, axis=1)[:, None] * np.linalg.norm(targets, axis=1)
        assert (rows == np.argsort(-whole, axis=1)[:, :4]).all()
        assert cosines == pytest.approx(-np.sort(-whole, axis=1)[:, :4], abs=1e-12)

    @pytest.mark.parametrize("k", [-1, 0, 4])
    def test_k_out_of_range(self, k):
        with pytest.raises(ValueError, match=rf"1 to 3, the number of targets, found {k}"):
            nearest(np.ones((5, 2)), np.ones((3, 2)), k)


def test_torch_scores_as_numpy_does():
    rng = np.random.default_rng(5)
    targets = rng.standard_normal((1500, 8)).astype(np.float32)
    targets[7] = targets[3]
    answers = targets + rng.standard_normal((1500, 8)).astype(np.float32)
    expected = score_answers(answers, targets)
    found = score_answers(torch.as_tensor(answers), torch.as_tensor(targets))
    for name in ("alignment", "p_at_1", "p_at_10", "mrr"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-3)


TARGETS = (
    "A small dog runs on the grass.",
    "It's a man's T-shirt, isn't it?",
    "Two women are walking on the beach.",
    "The dog jumps over 3,000.5 red balls.",
    "A woman in a blue hat sits on the grass.",
    "Two men play the guitar on the beach.",
)
WRITTEN = (
    "a small dog runs over the grass .",
    "It's a man's shirt isn't it?",
    "Two women are walking on the beach.",
    "The dog jumps over the red balls.",
    "",
    "Two men are walking on a beach in a blue hat.",
)


@pytest.fixture(scope="module")
def embedder():
    return WordVectors(WordVectorsConfig(dim=8, vocab_size=300, epochs=1)).fit(TARGETS)


class TestSplitWords:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            # What spaCy 3.8's English tokenizer gives, lower-cased.
            ("Isn't it John's T-shirt?", "is n't it john 's t - shirt ?"),
            ("They'll say we've can't, I'm", "they 'll say we 've ca n't , i 'm"),
            ("She’d don’t", "she ’d do n’t"),
            ("At 10:30, 3,000.5 men.", "at 10:30 , 3,000.5 men ."),
            ("\"A 'quoted' (word)\"", "\" a ' quoted ' ( word ) \""),
            ("Wait... what?!", "wait ... what ? !"),
            ("  two\tlines\n here  ", "two lines here"),
            ("", ""),
            # Of our own.
            ("ein Mädchen für Élise", "ein mädchen für élise"),
            ("我喜欢GPT-4，真的。", "我 喜 欢 gpt - 4 ， 真 的 。"),
        ],
    )
    def test_by_hand(self, text, words):
        assert split_words(text) == words.split()

    @given(st.text())
    def test_loses_nothing_but_blanks(self, text):
        words = split_words(text)
        assert "".join(words) == re.sub(r"\s", "", text.lower())
        assert all(words)
        assert not re.search(r"\s", "".join(words))

    @given(st.text(st.sampled_from("ant’' sdrevl.,:19-中")))
    def test_split_text_stays_split(self, text):
        words = split_words(text)
        assert split_words(" ".join(words)) == words


def bleu_by_definition(texts, targets):
    """Papineni et al. 2002, from lists of words; every order must have a match."""
    logs = []
    for order in range(1, 5):
        matches = total = 0
        for text, target in zip(texts, targets, strict=True):
            found, known = (
                Counter(zip(*(words[i:] for i in range(order)), strict=False))
                for words in (text, target)
            )
            matches += (found & known).total()
            total += found.total()
        logs.append(math.log(matches / total))
    written, wanted = (sum(map(len, side)) for side in (texts, targets))
    return 100 * math.exp(sum(logs) / 4 + min(0, 1 - wanted / written))


def rouge_by_definition(text, target):
    def common(i, j):
        if not i or not j:
            return 0
        if text[i - 1] == target[j - 1]:
            return common(i - 1, j - 1) + 1
        return max(common(i - 1, j), common(i, j - 1))

    precision, recall = (common(len(text), len(target)) / max(len(x), 1) for x in (text, target))
    return 2 * precision * recall / (precision + recall) if precision else 0


class TestScoreTexts:
    @pytest.mark.parametrize("size", [1, 2, 3, 4, 6])
    def test_texts_that_equal_their_targets_score_100_however_short_they_are(self, embedder, size):
        targets = [" ".join(["a", "b", "c", "d", "e", "f"][i : i + size]) for i in range(7 - size)]
        found = score_texts(targets, targets, embedder)
        assert found.bleu_tok == pytest.approx(100)
        assert found.bleu_13a == pytest.approx(100)
        assert ("eff:yes" in found.signatures["bleu_tok"]) is (size < 4)
        worse = score_texts(["f f f", *targets[1:]], targets, embedder)
        assert worse.bleu_tok < 99
        assert worse.bleu_13a < 99

    def test_texts_are_compared_as_the_tokenizer_reads_them(self, embedder):
        # By hand: the same letters, composed (NFC) in the one and decomposed in the other.
        written, targets = ["\u00e4 b c \u00e9 f"], [" a\u0308 b c e\u0301 f"]
        found = score_texts(written, targets, embedder)
        assert (found.bleu_13a, found.bleu_tok, found.chrf) == pytest.approx((100, 100, 100))
        assert found.rouge_l == 1

    def test_against_sacrebleu_and_definitions(self, embedder):
        found = score_texts(WRITTEN, TARGETS, embedder)
        words, target_words = ([split_words(t) for t in side] for side in (WRITTEN, TARGETS))
        assert found.bleu_13a == sacrebleu.corpus_bleu(WRITTEN, [TARGETS]).score
        assert found.bleu_tok == pytest.approx(bleu_by_definition(words, target_words))
        assert found.bleu_tok != pytest.approx(found.bleu_13a)
        assert found.chrf == sacrebleu.corpus_chrf(WRITTEN, [TARGETS]).score
        rouge = [
            rouge_by_definition(text[:9], target[:9])
            for text, target in zip(words, target_words, strict=True)
        ]
        short = score_texts(
            [" ".join(text[:9]) for text in words],
            [" ".join(target[:9]) for target in target_words],
            embedder,
        )
        assert short.rouge_l == pytest.approx(np.mean(rouge), abs=1e-6)

    def test_vectors(self, embedder):
        found = score_texts(WRITTEN, TARGETS, embedder)
        filled = [i for i, text in enumerate(WRITTEN) if text]
        means = np.zeros((6, 8))
        means[filled] = embedder.embed([WRITTEN[i] for i in filled]).means
        targets = embedder.embed(TARGETS).means
        lengths = np.linalg.norm(means, axis=1) * np.linalg.norm(targets, axis=1)
        cosines = (means * targets).sum(1)[filled] / lengths[filled]
        assert found.alignment == pytest.approx(cosines.sum() / 6, abs=1e-6)
        first = [naive_rank(i, means[i], targets) == 1 for i in filled]
        assert found.p_at_1 == pytest.approx(sum(first) / 6)
        assert 0 < found.p_at_1 < 1

    def test_signatures(self, embedder):
        signatures = score_texts(WRITTEN, TARGETS, embedder).signatures
        assert list(signatures) == ["bleu_13a", "bleu_tok", "chrf"]
        for name, parts in (
            ("bleu_13a", ("case:mixed", "tok:13a")),
            ("bleu_tok", ("case:lc", "tok:none")),
            ("chrf", ("nc:6", "nw:0")),
        ):
            fields = signatures[name].split("|")
            assert {*parts, f"version:{sacrebleu.__version__}"} <= set(fields)

    def test_copies_score_best(self, embedder):
        found = asdict(score_texts(TARGETS, TARGETS, embedder))
        del found["signatures"]
        for name in ("cross_entropy", "alignment_unlearned", "reward"):
            assert found.pop(name) is None
        assert list(found.values()) == pytest.approx([100, 100, 100, 1, 1, 1])

    @pytest.mark.parametrize("n", [1, 6])
    def test_empty_texts_score_zero(self, embedder, n):
        found = asdict(score_texts(["", "  ", "\n", "", "", ""][:n], TARGETS[:n], embedder))
        assert [value for name, value in found.items() if name != "signatures"] == [0] * 6 + [
            None
        ] * 3

    def test_order_of_the_texts_does_not_matter(self, embedder):
        # More than are compared at a time, and of other lengths.
        rng = np.random.default_rng(4)
        pick = rng.integers(6, size=(2, 300))
        texts, targets = np.array(WRITTEN)[pick[0]], np.array(TARGETS)[pick[1]]
        order = rng.permutation(300)
        found, turned = (
            asdict(score_texts(texts[rows].tolist(), targets[rows].tolist(), embedder))
            for rows in (np.arange(300), order)
        )
        assert found.pop("signatures") == turned.pop("signatures")
        assert list(found.values()) == pytest.approx(list(turned.values()), abs=1e-6)
        each = [
            rouge_l
            for text, target in zip(texts[:20], targets[:20], strict=True)
            for rouge_l in [score_texts([text], [target], embedder).rouge_l]
        ]
        part = score_texts(texts[:20].tolist(), targets[:20].tolist(), embedder)
        assert part.rouge_l == pytest.approx(np.mean(each), abs=1e-6)

    @pytest.mark.parametrize(
        ("written", "targets", "message"),
        [
            (["a"], ["a", "b"], "1 written texts, but 2 targets"),
            ([], [], "no text to score"),
            (["a"], [""], "yields no token"),
        ],
    )
    def test_what_does_not_fit(self, embedder, written, targets, message):
        with pytest.raises(ValueError, match=message):
            score_texts(written, targets, embedder)

    def test_says_nothing_of_texts_that_end_in_a_mark(self, embedder, caplog):
        score_texts(TARGETS * 30, TARGETS * 30, embedder)
        assert not caplog.records  # sacrebleu warns from 100 split marks on


class TestBleuDifference:
    TARGETS = (
        "a man rides a red bike .",
        "two dogs play in the snow .",
        "a girl reads a book .",
    ) * 9
    BETTER = ("a man rides a red bike .", "two dogs play in snow .", "a girl reads a book .") * 9
    WORSE = ("a man rides a bike .", "dogs play in the snow .", "the girl reads books .") * 9

    def test_mean_is_the_difference_of_corpus_scores(self):
        found = bleu_difference([self.BETTER, self.WORSE], [self.WORSE], self.TARGETS, samples=50)
        metric = BLEU(lowercase=True, tokenize="none", force=True)
        better, worse = (
            metric.corpus_score(side, [self.TARGETS]).score for side in (self.BETTER, self.WORSE)
        )
        assert found.mean == pytest.approx((better + worse) / 2 - worse)
        assert 0 < found.low < found.mean < found.high

    def test_interval_against_sacrebleu(self):
        # sacrebleu's own paired bootstrap of the same two systems.
        systems = [("base", list(self.WORSE)), ("ours", list(self.BETTER))]
        metric = BLEU(lowercase=True, tokenize="none", force=True, references=[list(self.TARGETS)])
        test = PairedTest(systems, {"BLEU": metric}, None, test_type="bs", n_samples=2000)
        _, scores = test()
        base, ours = scores["BLEU"]
        found = bleu_difference([self.BETTER], [self.WORSE], self.TARGETS, samples=2000)
        assert found.mean == pytest.approx(ours.score - base.score)
        assert found.high - found.low < 2 * (base.ci + ours.ci)

    def test_same_systems_do_not_differ(self):
        found = bleu_difference([self.BETTER], [self.BETTER], self.TARGETS, samples=20)
        assert (found.low, found.mean, found.high) == (0, 0, 0)

    @pytest.mark.parametrize(("ours", "theirs"), [([], [BETTER]), ([BETTER[:2]], [BETTER])])
    def test_refuses_systems_of_other_texts(self, ours, theirs):
        with pytest.raises(ValueError, match="expected systems of 27 texts"):
            bleu_difference(ours, theirs, self.TARGETS)

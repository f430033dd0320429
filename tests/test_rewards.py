import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from llmar_env.alignment import scores
from llmar_env.alignment.rewards import (
    REWARDS,
    LengthPenalty,
    Weighted,
    Written,
    make_reward,
    reward_name,
    score_written,
)
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import WordVectors, WordVectorsConfig
from llmar_env.text.pairs import TextPairs
from llmar_env.text.vocabulary import Vocabulary

TRAIN = (
    "A small dog runs on the grass.",
    "A man in a red hat plays the guitar.",
    "Two women are walking on the beach.",
    "The dog jumps over a red ball.",
    "A woman in a blue hat sits on the grass.",
    "Two men play the guitar on the beach.",
    "A small child runs on the beach with a ball.",
    "The women sit on the grass and the dog runs.",
    "A man and a woman are walking the dog.",
    "A child in a red shirt jumps.",
    "Two dogs run and jump over a man.",
    "一只小狗在草地上跑。",
)
# Bytes that no training target has are no tokens: "Q", "@".
TEST = ("A Quokka jumps over the red hat @ night.", "Dog.", "两个男人在草地上。")
MAX_LENGTH = 24


@pytest.fixture(scope="module")
def corpus():
    embedder = WordVectors(WordVectorsConfig(dim=8, vocab_size=300, epochs=1)).fit(TRAIN)
    pairs = {"train": TextPairs(TRAIN, TRAIN), "test": TextPairs(TEST, TEST)}
    return Corpus.embed(pairs, source_embedder=embedder, target_embedder=embedder)


@pytest.fixture(scope="module")
def vocabulary(corpus):
    return Vocabulary.of(corpus)


@pytest.fixture(scope="module")
def write(corpus, vocabulary):
    """Tokens of texts, beside rows of the corpus."""

    def make(texts, rows, size=MAX_LENGTH):
        tokens = np.full((len(texts), size), vocabulary.eos)
        for i, text in enumerate(texts):
            ids = vocabulary.encode([text])[0][:size] if text else []
            tokens[i, : len(ids)] = ids
        return Written(corpus, vocabulary, np.array(rows, np.int64), tokens)

    return make


@pytest.fixture(scope="module")
def sample(corpus, vocabulary):
    """200 texts: parts of targets and random tokens, some empty, of targets of all splits."""
    rng = np.random.default_rng(8)
    rows = rng.integers(len(corpus.targets), size=200)
    tokens = np.full((200, MAX_LENGTH), vocabulary.eos)
    for i, row in enumerate(rows):
        ids = vocabulary.encode([corpus.targets[row]])[0]
        noise = rng.integers(vocabulary.eos, size=rng.integers(6)).tolist()
        text = ids[rng.integers(4) : rng.integers(1, len(ids) + 1)] + noise
        tokens[i, : len(text)] = text[:MAX_LENGTH]
    tokens[::20] = vocabulary.eos
    return Written(corpus, vocabulary, rows, tokens)


def texts_of(written):
    """The vectors and the tokens of each text and of its target, one by one, unpadded."""
    texts, vocabulary = written.corpus.target, written.vocabulary
    for row, tokens in zip(written.rows, written.tokens.tolist(), strict=True):
        words = tokens[: tokens.index(vocabulary.eos)] if vocabulary.eos in tokens else tokens
        ids = texts.ids[texts.offsets[row] : texts.offsets[row + 1]]
        target = texts.table[ids], ids.tolist()
        yield (vocabulary.table[words], vocabulary.ids[words].tolist()), target


EVERY = pytest.mark.parametrize("spec", [*REWARDS, "mean@0.5", "0.7*bleu + 0.3*token_f1@0.25"])


class TestWritten:
    def test_against_each_text_by_itself(self, sample):
        pairs = list(texts_of(sample))
        assert sample.lengths.tolist() == [len(text) for (text, _), _ in pairs]
        assert sample.target_lengths.tolist() == [len(text) for _, (text, _) in pairs]
        assert sample.vectors.shape == (200, MAX_LENGTH, 8)
        for i, ((text, ids), (target, target_ids)) in enumerate(pairs):
            n, m = len(text), len(target)
            assert (sample.vectors[i, :n] == text).all()
            assert not sample.vectors[i, n:].any()
            assert sample.ids[i, :n].tolist() == ids
            assert (sample.target_vectors[i, :m] == target).all()
            assert not sample.target_vectors[i, m:].any()
            assert sample.target_ids[i, :m].tolist() == target_ids
            assert (sample.target_ids[i, m:] == -1).all()
            mean = text.mean(0) if n else np.zeros(8)
            assert sample.means[i] == pytest.approx(mean, abs=1e-6)
            unit = target.mean(0) / np.linalg.norm(target.mean(0))
            assert sample.target_unit_means[i] == pytest.approx(unit, abs=1e-6)

    def test_strings(self, write):
        written = write([TRAIN[3], "", TRAIN[11]], [3, 0, 13], 60)
        assert written.strings == [TRAIN[3], "", TRAIN[11]]
        assert written.target_strings == [TRAIN[3], TRAIN[0], TEST[1]]

    def test_a_corpus_without_strings(self, corpus, vocabulary, sample):
        bare = Corpus(corpus.source, corpus.target, corpus.splits)
        written = Written(bare, vocabulary, sample.rows, sample.tokens)
        assert np.isfinite(score_written(REWARDS["rouge_l"], written)).all()
        with pytest.raises(ValueError, match="no strings of its targets"):
            score_written(REWARDS["bleu"], written)

    def test_no_text_at_all(self, write):
        for reward in REWARDS.values():
            assert score_written(reward, write([], [])).shape == (0,)

    @pytest.mark.parametrize(
        ("rows", "tokens", "message"),
        [
            ([0], [0, 1], r"found shapes \(2,\) and \(1,\)"),
            ([0], [[0], [1]], r"found shapes \(2, 1\) and \(1,\)"),
            ([[0]], [[0]], r"found shapes \(1, 1\) and \(1, 1\)"),
            ([0], np.zeros((1, 0), np.int64), r"M at least 1"),
            ([15], [[0]], r"rows must lie in 0 to 14, found 15 to 15"),
            ([-1], [[0]], r"rows must lie in 0 to 14, found -1 to -1"),
            ([0], [[-1]], r"tokens must lie in 0 to"),
            ([0], [[10**6]], r"tokens must lie in 0 to"),
        ],
    )
    def test_what_does_not_fit(self, corpus, vocabulary, rows, tokens, message):
        with pytest.raises(ValueError, match=message):
            Written(corpus, vocabulary, np.array(rows), np.array(tokens))

    def test_text_behind_the_end(self, corpus, vocabulary):
        end = vocabulary.eos
        tokens = np.array([[3, end, end], [3, end, 4]])
        with pytest.raises(ValueError, match="text 1 continues after EOS; pad it with EOS"):
            Written(corpus, vocabulary, np.array([0, 0]), tokens)

    def test_targets_of_another_kind(self, corpus, vocabulary):
        texts = [np.ones((2, 8), np.float32)] * 15
        others = [
            EmbeddedTexts.from_vectors(texts),
            EmbeddedTexts.from_ids(np.ones((1, 5), np.float32), [[0]] * 15),
        ]
        for target in others:
            other = Corpus(corpus.source, target, corpus.splits)
            with pytest.raises(ValueError, match="words of dimension 8"):
                Written(other, vocabulary, np.array([0]), np.array([[0]]))


class TestEachReward:
    def test_mean(self, sample):
        expected = [
            float(scores.alignment_score(target, text)) if len(text) else 0
            for (text, _), (target, _) in texts_of(sample)
        ]
        assert REWARDS["mean"](sample) == pytest.approx(expected, abs=1e-6)

    @pytest.mark.parametrize(
        ("name", "score"), [("token_f1", scores.token_f1), ("ordered", scores.ordered_f1)]
    )
    def test_over_vectors(self, sample, name, score):
        expected = [
            float(score(target, text)) if len(text) else 0
            for (text, _), (target, _) in texts_of(sample)
        ]
        assert REWARDS[name](sample) == pytest.approx(expected, abs=1e-6)

    def test_rouge_l(self, sample):
        def common(x, y):
            table = np.zeros((len(x) + 1, len(y) + 1), int)
            for i, j in np.ndindex(len(x), len(y)):
                around = max(table[i, j + 1], table[i + 1, j])
                table[i + 1, j + 1] = table[i, j] + 1 if x[i] == y[j] else around
            return table[-1, -1]

        expected = [2 * common(x, y) / (len(x) + len(y)) for (_, x), (_, y) in texts_of(sample)]
        assert REWARDS["rouge_l"](sample) == pytest.approx(expected, abs=1e-6)

    def test_bleu(self, sample):
        pairs = list(zip(sample.strings, sample.target_strings, strict=True))
        expected = [
            sacrebleu.sentence_bleu(
                text,
                [target],
                lowercase=True,
                tokenize="zh" if target in (TRAIN[11], TEST[2]) else "13a",
            ).score
            for text, target in pairs
        ]
        assert REWARDS["bleu"](sample) == pytest.approx(np.array(expected) / 100)

    def test_bleu_by_hand(self, write):
        # 5 of 6 words, 3 of 5 pairs, 1 of 4 triples, no 4-gram of 3, smoothed to half a match.
        written = write(["a small dog jumps on the"], [0])  # A small dog runs on the grass.
        expected = (5 / 6 * 3 / 5 * 1 / 4 * 0.5 / 3) ** 0.25 * math.exp(1 - 8 / 6)
        assert REWARDS["bleu"](written) == pytest.approx([expected])

    def test_chrf(self, sample):
        pairs = list(zip(sample.strings, sample.target_strings, strict=True))
        expected = [sacrebleu.sentence_chrf(text, [target]).score for text, target in pairs]
        assert REWARDS["chrf"](sample) == pytest.approx(np.array(expected) / 100)

    def test_chinese_is_compared_by_characters(self, write):
        # 8 of the 9 characters and the mark are written: not nothing, as for one unlike word.
        found = REWARDS["bleu"](write(["一只小狗在草地上。"], [11]))
        assert 0.5 < found[0] < 0.9


@EVERY
class TestAllRewards:
    def test_a_copy_is_best_and_an_empty_text_scores_zero(self, write, spec):
        reward = make_reward(spec)
        copies = write(TRAIN, range(len(TRAIN)), 60)
        found = score_written(reward, copies)
        assert found == pytest.approx(1)
        if spec in REWARDS:
            assert (found <= 1).all()
        assert score_written(reward, write([""] * 3, [0, 13, 14])).tolist() == [0, 0, 0]

    def test_range(self, sample, spec):
        found = score_written(make_reward(spec), sample)
        assert found.dtype == np.float64
        low = -1 if "mean" in spec else 0
        assert ((found >= low) & (found <= 1)).all()
        assert len(np.unique(found)) > 80
        assert (found[::20] == 0).all()

    def test_a_text_scores_the_same_in_any_batch(self, sample, spec):
        reward, size = make_reward(spec), MAX_LENGTH
        together = score_written(reward, sample)
        order = np.random.default_rng(3).permutation(200)
        parts = [order, order[:50], *np.arange(0, 200, 7)[:, None]]
        for rows in parts:
            part = Written(sample.corpus, sample.vocabulary, sample.rows[rows], sample.tokens[rows])
            assert (score_written(reward, part) == together[rows]).all()
        wide = np.full((200, 2 * size), sample.vocabulary.eos)
        wide[:, :size] = sample.tokens
        padded = Written(sample.corpus, sample.vocabulary, sample.rows, wide)
        assert (score_written(reward, padded) == together).all()

    def test_pickles(self, sample, spec):
        reward = make_reward(spec)
        again = pickle.loads(pickle.dumps(reward))
        assert (again(sample) == reward(sample)).all()


class TestLengthPenalty:
    @pytest.mark.parametrize("alpha", [0, 0.25, 2])
    def test_by_hand(self, corpus, vocabulary, alpha):
        target = int(corpus.target.lengths[13])
        lengths = [0, 1, target, 2 * target, 5 * target]
        tokens = np.full((5, 5 * target), vocabulary.eos)
        for row, length in zip(tokens, lengths, strict=True):
            row[:length] = 0
        written = Written(corpus, vocabulary, np.full(5, 13), tokens)
        reward = LengthPenalty(lambda written: np.full(len(written), 0.5), alpha)
        expected = [0, *(0.5 * math.exp(1 - ratio) ** alpha for ratio in (target, 1, 2, 5))]
        assert reward(written) == pytest.approx(expected)

    @pytest.mark.parametrize("alpha", [-0.1, math.nan, math.inf])
    def test_alpha_out_of_range(self, alpha):
        with pytest.raises(ValueError, match="alpha of a length penalty must be at least 0"):
            LengthPenalty(REWARDS["mean"], alpha)

    def test_repetition_no_longer_pays(self, write):
        once, thrice = write([TRAIN[3]], [3]), write([" ".join([TRAIN[3]] * 3)], [3], 90)
        assert make_reward("mean")(thrice) == pytest.approx(make_reward("mean")(once))
        assert make_reward("mean@1")(thrice) < 0.2


class TestMakeReward:
    @pytest.mark.parametrize("name", REWARDS)
    def test_by_name(self, name):
        assert make_reward(name) is REWARDS[name]
        assert reward_name(make_reward(name)) == name

    def test_a_sum(self, sample):
        expected = 0.7 * REWARDS["bleu"](sample) + 2 * REWARDS["mean"](sample)
        expected += LengthPenalty(REWARDS["chrf"], 0.25)(sample)
        for spec in (
            "0.7*bleu + 2*mean + chrf@0.25",
            " 0.7 * bleu+2*mean  +chrf @ 0.25 ",
            {"bleu": 0.7, "mean": 2, "chrf@0.25": 1},
        ):
            assert make_reward(spec)(sample) == pytest.approx(expected)

    @pytest.mark.parametrize("spec", ["mean@0.25", "2*mean", "-0.1*mean + 0.7*bleu@1.5", "1*bleu"])
    def test_a_name_makes_the_reward_again(self, spec):
        reward = make_reward(spec)
        assert make_reward(reward_name(reward)) == reward

    def test_a_function_is_returned(self):
        def own(written):
            return np.ones(len(written))

        assert make_reward(own) is own
        assert reward_name(own) == "own"
        total = LengthPenalty(Weighted(((0.5, own), (1.0, REWARDS["mean"]))), 2)
        assert make_reward(total) is total
        assert reward_name(total) == "(0.5*own + 1.0*mean)@2"

    @pytest.mark.parametrize("spec", ["", "blue", "mean + ", "0.5*", "0.5*Bleu", {"0.5*mean": 1}])
    def test_unknown_names(self, spec):
        known = "mean, token_f1, ordered, bleu, chrf, rouge_l"
        with pytest.raises(ValueError, match=f"no reward '.*'; there are {known}"):
            make_reward(spec)

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("x*mean", "'x' is not a number, in the reward 'x\\*mean'"),
            ("*mean", "'' is not a number"),
            ("mean@", "'' is not a number, in the reward 'mean@'"),
            ("mean@a + bleu", "'a' is not a number, in the reward 'mean@a'"),
            ("mean@-1", "at least 0, found -1.0"),
            ("nan*mean + bleu", "the weight of mean is nan"),
            ({"mean": math.inf}, "the weight of mean is inf"),
            ({"mean": None}, "None is not a number, in the reward 'mean'"),
            ({}, "at least one"),
            (3, "found 3"),
            (None, "found None"),
        ],
    )
    def test_what_cannot_be_read(self, spec, message):
        with pytest.raises(ValueError, match=message):
            make_reward(spec)


class TestScoreWritten:
    @pytest.mark.parametrize(
        ("returned", "message"),
        [
            (lambda n: np.full(n, math.nan), "found nan for text 0"),
            (lambda n: np.where(np.arange(n) == 2, math.inf, 0), "found inf for text 2, 'Two w"),
            (lambda n: np.zeros(n - 1), r"shape \(3,\), found shape \(2,\)"),
            (lambda n: np.zeros((n, 1)), r"shape \(3,\), found shape \(3, 1\)"),
            (lambda n: 0.5, r"found shape \(\)"),
            (lambda n: None, r"shape \(3,\), found nothing"),
            (lambda n: ["good"] * n, "return numbers, found list: could not convert"),
        ],
    )
    def test_names_the_reward_that_is_at_fault(self, write, returned, message):
        def broken(written):
            return returned(len(written))

        written = write(TRAIN[:3], [0, 1, 2])
        terms = ((1.0, REWARDS["mean"]), (0.5, broken))
        for reward in (broken, Weighted(terms), LengthPenalty(broken, 0.5)):
            with pytest.raises(ValueError, match=f"^reward broken must .*{message}"):
                score_written(reward, written)

    @given(values=st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=2))
    def test_passes_numbers_on(self, write, values):
        written = write(TRAIN[:2], [0, 1])
        found = score_written(lambda _: values, written)
        assert found.dtype == np.float64
        assert found.tolist() == values


def test_torch_is_not_imported():
    code = "import sys, llmar_env.alignment.rewards; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_function_by_its_import_path(write):
    written = write(TRAIN[:3], [0, 1, 2])
    reward = make_reward("llmar_env.alignment.rewards:chrf")
    assert reward is REWARDS["chrf"]
    total = make_reward("0.5*bleu + 0.5*llmar_env.alignment.rewards:chrf")
    expected = (REWARDS["bleu"](written) + REWARDS["chrf"](written)) / 2
    assert total(written) == pytest.approx(expected)


@pytest.mark.parametrize(
    "path", ["nowhere:f", "llmar_env.arrays:nothing", "llmar_env.arrays:np.pi"]
)
def test_a_path_that_is_no_function(path):
    with pytest.raises(ValueError, match=f"the reward '{path}'"):
        make_reward(path)

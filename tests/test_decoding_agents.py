import itertools
import math
import warnings

import numpy as np
import pytest
import torch

from agents.inference.confidence import mean_log_probs
from agents.inference.decoding import decode
from agents.networks.packing import pack
from agents.networks.seq2seq import Seq2SeqConfig
from agents.policies.writer import WriterPolicy
from llmar_env.envs.generate import GenerateEnv, GenerateMDP
from llmar_env.text.decoding import csls_tokens, hubness, nearest_tokens

M = 9
METHODS = ["greedy", "csls", "best_of", "beam"]
pytestmark = pytest.mark.filterwarnings("ignore:.*without an EOS")


@pytest.fixture(scope="module", autouse=True)
def float32():
    """Whatever this machine is fast at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.policies.writer.has_fast_bfloat16", lambda device: False)
        yield


def policy_for(corpus, vocabulary=None, observation="index", seed=0, **kwargs):
    torch.manual_seed(seed)
    mdp = GenerateMDP(corpus, vocabulary=vocabulary, observation=observation, max_new_tokens=M)
    kwargs = {"writer": Seq2SeqConfig(16, 24), "vocabulary": mdp.vocabulary} | kwargs
    return WriterPolicy(mdp.observation_space, mdp.action_space, lambda _: 1e-2, **kwargs)


@pytest.fixture
def writer(words, writer_weights):
    policy = policy_for(words)
    policy.load_state_dict(writer_weights)
    return policy


def headstrong(corpus, vocabulary=None, **kwargs):
    """A policy whose next word depends much on all words before, as chance would have it."""
    policy = policy_for(corpus, vocabulary, **kwargs)
    with torch.no_grad():
        for weight in policy.reader.network.parameters():
            weight *= 4
    return policy


def observed(policy, rows, tokens):
    """The distributions of the next words, by the observation alone."""
    policy.set_training_mode(False)
    obs = {"text": torch.as_tensor(np.reshape(rows, (-1, 1))), "written": torch.as_tensor(tokens)}
    with torch.no_grad():
        return policy.get_distribution(obs)


def spell(policy, rows, read, directions=None):
    """Tokens of texts, each step's observation read anew; `read` gives tokens of directions."""
    end = policy.vocabulary.eos
    tokens = np.full((len(rows), M), end)
    running = np.ones(len(rows), np.bool_)
    for place in range(M):
        center = observed(policy, rows, tokens).center[:, 0].numpy()
        if directions is not None:
            directions.extend(center[running])
        tokens[running, place] = read(center)[running]
        running &= tokens[:, place] != end
    return tokens


def is_filled(tokens, vocabulary):
    ended = tokens == vocabulary.eos
    return tokens.min() >= 0 and not (ended[:, :-1] > ended[:, 1:]).any()


class TestGreedy:
    @pytest.mark.parametrize("observation", ["index", "embeddings"])
    @pytest.mark.parametrize("distribution", ["tokens", "gaussian"])
    def test_is_the_noiseless_policy_in_the_environment(
        self, words, writer_weights, observation, distribution
    ):
        policy = policy_for(words, observation=observation, distribution=distribution)
        if distribution == "tokens":
            policy.load_state_dict(writer_weights)
        env = GenerateEnv(data=words, observation=observation, max_new_tokens=M)
        rows, seen = [], []
        for episode in range(12):
            obs, info = env.reset(seed=3 if episode == 0 else None)
            rows.append(info["row"])
            ended = False
            while not ended:
                action, _ = policy.predict(obs, deterministic=True)
                obs, _, *ends, _ = env.step(action)
                ended = any(ends)
            seen.append(obs["written"])
        tokens = decode(policy, words.source, rows, max_new_tokens=M)
        written = tokens if observation == "index" else policy.vocabulary.padded_table[tokens]
        np.testing.assert_array_equal(seen, written)
        assert is_filled(tokens, policy.vocabulary)
        if distribution == "tokens":
            lengths = policy.vocabulary.lengths(tokens)
            assert 2 < lengths.min() < lengths.max() <= M

    def test_of_texts_that_are_not_the_policys_own(self, words, writer):
        expected = decode(writer, words.source, range(5), max_new_tokens=M)
        texts = words.source_embedder.embed(words.sources[:5])
        np.testing.assert_array_equal(decode(writer, texts, max_new_tokens=M), expected)

    def test_nothing_is_dropped_on_the_way(self, words, writer):
        expected = decode(writer, words.source, max_new_tokens=M)
        writer.set_training_mode(True)
        np.testing.assert_array_equal(decode(writer, words.source, max_new_tokens=M), expected)

    def test_no_text(self, words, writer):
        for method in METHODS:
            assert decode(writer, words.source, [], method=method).shape == (0, 40)


class TestCSLS:
    @pytest.mark.parametrize("distribution", ["tokens", "gaussian"])
    def test_is_that_of_the_vocabulary_with_the_policys_directions(self, words, distribution):
        policy, rows = headstrong(words, distribution=distribution, seed=1), np.arange(45)
        vocabulary, bank = policy.vocabulary, []
        greedy = spell(policy, rows, lambda x: nearest_tokens(x, vocabulary), bank)
        hubs = hubness(np.array(bank), vocabulary)
        expected = spell(policy, rows, lambda x: csls_tokens(x, vocabulary, hubs))
        found = decode(policy, words.source, method="csls", max_new_tokens=M)
        np.testing.assert_array_equal(found, expected)
        assert (expected != greedy).any()
        assert len(bank) < expected.size  # some have ended


def alignment(policy, corpus, row, tokens):
    """The estimate, for one text by itself."""
    vectors, lengths = corpus.source.gather([row])
    network = policy.reader.network
    with torch.no_grad():
        memory = network.read(pack(torch.as_tensor(vectors), torch.as_tensor(lengths)))
        predicted = network.predicted(memory)[0].double().numpy()
    words = tokens[tokens != policy.vocabulary.eos]
    mean = policy.vocabulary.table[words].astype(np.float64).sum(0)
    return mean @ predicted / max(np.linalg.norm(mean) * np.linalg.norm(predicted), 1e-9)


class TestBestOf:
    @pytest.mark.parametrize("distribution", ["tokens", "gaussian"])
    def test_is_never_less_aligned_than_greedy(self, words, distribution):
        policy = policy_for(words, distribution=distribution)
        greedy, best, better = (
            decode(policy, words.source, method=method, num_samples=n, max_new_tokens=M)
            for method, n in [("greedy", 1), ("best_of", 2), ("best_of", 16)]
        )
        scores = np.array(
            [
                [alignment(policy, words, row, one[row]) for row in range(45)]
                for one in (greedy, best, better)
            ]
        )
        assert (scores[1:] >= scores[0] - 1e-6).all()
        assert (scores[1] > scores[0] + 1e-3).mean() > 0.3
        assert scores[2].mean() > scores[1].mean()
        assert is_filled(better, policy.vocabulary)

    @pytest.mark.parametrize("distribution", ["tokens", "gaussian"])
    def test_chance_is_the_seeds_and_no_other(self, words, distribution):
        policy = policy_for(words, distribution=distribution)
        kwargs = {"method": "best_of", "num_samples": 3, "max_new_tokens": M}
        before = torch.get_rng_state()
        one = decode(policy, words.source, seed=1, **kwargs)
        assert torch.equal(torch.get_rng_state(), before)
        torch.rand(7)
        np.testing.assert_array_equal(decode(policy, words.source, seed=1, **kwargs), one)
        assert (decode(policy, words.source, seed=2, **kwargs) != one).any()

    @pytest.mark.parametrize("distribution", ["tokens", "gaussian"])
    def test_without_noise_all_samples_are_the_greedy_text(self, words, distribution):
        policy = policy_for(words, distribution=distribution)
        greedy = decode(policy, words.source, max_new_tokens=M)
        options = {"method": "best_of", "max_new_tokens": M, "temperature": 1e-6}
        np.testing.assert_array_equal(decode(policy, words.source, **options), greedy)

    @pytest.mark.parametrize("distribution", ["tokens", "gaussian"])
    @pytest.mark.parametrize("temperature", [0.4, 1.5])
    def test_samples_come_as_often_as_they_are_likely(self, words, distribution, temperature):
        policy, row, n = policy_for(words, distribution=distribution, noise_scale=0.2), 7, 6000
        vocabulary = policy.vocabulary
        first = observed(policy, [row], np.full((1, M), vocabulary.eos))
        if distribution == "tokens":
            log_probs = first.log_probs()[0].double().numpy() / temperature
            likely = np.exp(log_probs) / np.exp(log_probs).sum()
        else:
            noise = np.random.default_rng(0).standard_normal((100_000, vocabulary.dim))
            noisy = first.center[0].numpy() + 0.2 * temperature * noise
            likely = np.bincount(nearest_tokens(noisy, vocabulary), minlength=18) / len(noise)
        # Of the greedy word and one sample, the word that is more aligned is kept.
        score = np.array([alignment(policy, words, row, np.array([e])) for e in range(18)])
        greedy = nearest_tokens(first.center[0].numpy(), vocabulary)[0]
        kept = np.where(score > score[greedy], likely, 0)
        kept[greedy] = 1 - kept.sum()
        options = {"num_samples": 1, "max_new_tokens": 1, "temperature": temperature}
        found = decode(policy, words.source, [row] * n, method="best_of", **options)
        counts = np.bincount(found[:, 0], minlength=18)
        assert (np.abs(counts - n * kept) < 5 * np.sqrt(n * kept + 1)).all()
        assert 0.02 < 1 - kept[greedy] < 0.98


def beam_search(policy, row, beam_size, power):
    """The rule of the docstring, for one text and without stopping early for want of hope."""
    end = policy.vocabulary.eos
    live, ended = [((), 0.0)], []
    for place in range(M):
        written = np.full((len(live), M), end)
        for i, (text, _) in enumerate(live):
            written[i, :place] = text
        log_probs = observed(policy, [row] * len(live), written).log_probs().tolist()
        grown = [
            ((*text, word), total + log_prob)
            for (text, total), words in zip(live, log_probs, strict=True)
            for word, log_prob in enumerate(words)
        ]
        grown = sorted(grown, key=lambda one: -one[1])[:beam_size]
        ended += [(s / (place + 1) ** power, t[:-1]) for t, s in grown if t[-1] == end]
        live = [(text, total) for text, total in grown if text[-1] != end]
        if len(ended) >= beam_size or not live:
            break
    return list(max(ended)[1] if ended else live[0][0])


def texts_of(tokens, vocabulary):
    lengths = vocabulary.lengths(tokens)
    return [row[:length].tolist() for row, length in zip(tokens, lengths, strict=True)]


class TestBeam:
    def test_of_size_one_is_greedy(self, words, writer):
        for policy in (writer, policy_for(words)):
            beam = decode(policy, words.source, method="beam", beam_size=1, max_new_tokens=M)
            np.testing.assert_array_equal(beam, decode(policy, words.source, max_new_tokens=M))

    @pytest.mark.parametrize("power", [0.0, 0.7, 2.0])
    @pytest.mark.parametrize("beam_size", [2, 5])
    def test_is_the_search_of_one_text_after_the_other(self, words, writer, beam_size, power):
        options = {"beam_size": beam_size, "length_power": power, "max_new_tokens": M}
        for policy in (writer, headstrong(words, noise_scale=0.5)):
            found = decode(policy, words.source, range(12), method="beam", **options)
            expected = [beam_search(policy, row, beam_size, power) for row in range(12)]
            assert texts_of(found, policy.vocabulary) == expected
            assert is_filled(found, policy.vocabulary)

    @pytest.mark.parametrize("power", [0.0, 0.7, 1.5])
    def test_as_wide_as_there_are_texts_finds_the_most_probable(self, axes, power):
        corpus, vocabulary = axes
        texts = [t for n in range(4) for t in itertools.product(range(3), repeat=n)]  # 0..3 words
        written = np.array([[*text, *[3] * (M - len(text))] for text in texts])
        lengths = set()
        for seed in range(4):
            policy = headstrong(corpus, vocabulary, seed=seed, noise_scale=0.5)
            found = decode(
                policy,
                corpus.source,
                method="beam",
                beam_size=120,
                length_power=power,
                max_new_tokens=4,
            )
            for row in range(8):
                log_probs = observed(policy, [row] * len(texts), written).log_probs().numpy()
                after = dict(zip(texts, log_probs, strict=True))
                score = {
                    t: sum(after[t[:i]][word] for i, word in enumerate((*t, 3)))
                    / (len(t) + 1) ** power
                    for t in texts
                }
                best = max(score, key=score.get)
                assert found[row].tolist() == [*best, *[3] * (4 - len(best))]
                lengths.add(len(best))
        assert len(lengths) > 1 or power == 0

    def test_a_text_that_does_not_end_is_the_best_that_was_cut(self, words, writer):
        cut = decode(writer, words.source, method="beam", beam_size=3, max_new_tokens=1)
        blank = np.full((45, M), writer.vocabulary.eos)
        likeliest = observed(writer, range(45), blank).log_probs().topk(3).indices.numpy()
        ends = (likeliest == writer.vocabulary.eos).any(1)
        expected = np.where(ends, writer.vocabulary.eos, likeliest[:, 0])
        np.testing.assert_array_equal(cut[:, 0], expected)
        assert ends.mean() < 0.5

    def test_needs_probabilities(self, words):
        policy = policy_for(words, distribution="gaussian")
        with pytest.raises(ValueError, match="use greedy, csls or best_of"):
            decode(policy, words.source, method="beam")


@pytest.mark.parametrize("method", ["greedy", "beam"])
class TestBatches:
    def test_a_text_alone_is_written_alike(self, words, writer, method):
        together = decode(writer, words.source, method=method, max_new_tokens=M)
        for row in range(0, 45, 4):
            alone = decode(writer, words.source, [row], method=method, max_new_tokens=M)
            np.testing.assert_array_equal(alone[0], together[row])

    def test_many_texts_in_any_order(self, words, writer, method):
        rows = np.random.default_rng(0).integers(45, size=1100)
        expected = decode(writer, words.source, method=method, max_new_tokens=M)[rows]
        found = decode(writer, words.source, rows, method=method, max_new_tokens=M)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("method", METHODS)
class TestEnds:
    def test_cut_texts_are_counted(self, words, writer, method):
        with pytest.warns(UserWarning, match="EOS") as told:
            tokens = decode(writer, words.source, method=method, max_new_tokens=5)
        cut = (tokens[:, -1] != writer.vocabulary.eos).sum()
        assert 0 < cut < 45
        message = f"{cut} of 45 texts reached max_new_tokens=5 without an EOS"
        assert [str(one.message) for one in told] == [message]
        assert told[0].filename == __file__

    def test_and_nothing_is_said_where_all_end(self, words, writer, method):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tokens = decode(writer, words.source, range(33), method=method, max_new_tokens=20)
        assert is_filled(tokens, writer.vocabulary)

    def test_in_bfloat16(self, words, writer, method, monkeypatch):
        monkeypatch.setattr("agents.policies.writer.has_fast_bfloat16", lambda device: True)
        tokens = decode(writer, words.source, method=method, max_new_tokens=M)
        assert is_filled(tokens, writer.vocabulary)
        monkeypatch.setattr("agents.policies.writer.has_fast_bfloat16", lambda device: False)
        exact = decode(writer, words.source, method=method, max_new_tokens=M)
        assert (tokens == exact).all(1).mean() > 0.7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "viterbi"}, "one of greedy, csls, best_of, beam, found 'viterbi'"),
        ({"num_samples": 0}, "num_samples must be an integer of at least 1, found 0"),
        ({"beam_size": 0}, "beam_size must be an integer of at least 1, found 0"),
        ({"max_new_tokens": 0}, "max_new_tokens must be an integer of at least 1, found 0"),
        ({"temperature": 0.0}, "temperature must be above 0 and finite, found 0.0"),
        ({"length_power": -1.0}, "length_power must be at least 0 and finite, found -1.0"),
        ({"length_power": math.nan}, "length_power must be at least 0 and finite, found nan"),
    ],
    ids=str,
)
def test_bad_options(words, writer, options, message):
    with pytest.raises(ValueError, match=message):
        decode(writer, words.source, **options)


def test_texts_it_cannot_read(words, corpus, writer):
    with pytest.raises(ValueError, match="reads vectors of dimension 16, but these texts have 6"):
        decode(writer, corpus.source)
    for row in (45, -1):
        with pytest.raises(IndexError):
            decode(writer, words.source, [row])


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["greedy", "csls", "beam"])
def test_on_cuda_as_on_the_cpu(words, writer, method):
    expected = decode(writer, words.source, method=method, max_new_tokens=M)
    found = decode(writer.cuda(), words.source, method=method, max_new_tokens=M)
    assert (found == expected).all(1).mean() > 0.9


class TestMeanLogProbs:
    def test_those_of_each_step(self, words, writer):
        """Against distributions that are asked for one word after the other."""
        rows = np.arange(6)
        texts = words.source.take(rows.tolist())
        tokens = decode(writer, words.source, rows, max_new_tokens=M)
        eos = writer.vocabulary.eos
        expected = []
        for row, written in zip(rows, tokens, strict=True):
            length = min(int((written != eos).sum()) + 1, M)
            log_probs = []
            for place in range(length):
                so_far = np.full((1, M), eos)
                so_far[0, :place] = written[:place]
                distribution = observed(writer, np.array([row]), so_far)
                log_probs.append(distribution.log_probs()[0, written[place]].item())
            expected.append(np.mean(log_probs))
        found = mean_log_probs(writer, texts, tokens)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
        assert (found <= 0).all()

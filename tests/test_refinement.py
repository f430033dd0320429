import itertools
import math
import tracemalloc

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from agents.inference.decoding import decode
from agents.inference.refinement import refine
from agents.networks.packing import pack
from agents.networks.seq2seq import Seq2SeqConfig
from agents.policies.writer import WriterPolicy
from llmar_env.envs.generate import GenerateMDP
from llmar_env.envs.refine import RefineVectorEnv

M = 8
ROWS = 45
pytestmark = pytest.mark.filterwarnings("ignore:.*without an EOS")
both = pytest.mark.parametrize("distribution", ["tokens", "gaussian"])


@pytest.fixture(scope="module", autouse=True)
def float32():
    """Whatever this machine is fast at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.policies.writer.has_fast_bfloat16", lambda device: False)
        yield


def policy_for(corpus, **kwargs):
    torch.manual_seed(0)
    mdp = GenerateMDP(corpus, observation="index", max_new_tokens=M)
    kwargs = {"writer": Seq2SeqConfig(16, 24)} | kwargs
    return WriterPolicy(mdp.observation_space, mdp.action_space, lambda _: 1e-2, **kwargs)


@pytest.fixture
def writer(words, writer_weights):
    policy = policy_for(words)
    policy.load_state_dict(writer_weights)
    return policy


@pytest.fixture
def drafts(writer):
    """(45, M) texts of 0 to M words by chance, often the same word again."""
    rng = np.random.default_rng(4)
    end = writer.vocabulary.eos
    tokens = rng.integers(end, size=(ROWS, M))
    lengths = np.arange(ROWS) % (M + 1)
    return np.where(np.arange(M) < lengths[:, None], tokens, end)


def predicted(policy, corpus):
    """(45, D) what each text's target is predicted to mean, each by itself."""
    found = []
    for row in range(ROWS):
        vectors, lengths = corpus.source.gather([row])
        network = policy.reader.network
        with torch.no_grad():
            memory = network.read(pack(torch.as_tensor(vectors), torch.as_tensor(lengths)))
            found.append(network.predicted(memory)[0].double().numpy())
    return np.array(found)


def cosine(text, direction, vocabulary):
    total = vocabulary.table[list(text)].astype(np.float64).sum(0)
    return float(total @ direction / max(np.linalg.norm(total) * np.linalg.norm(direction), 1e-9))


def texts_of(tokens, vocabulary):
    lengths = vocabulary.lengths(tokens)
    return [row[:length].tolist() for row, length in zip(tokens, lengths, strict=True)]


def log_densities(policy, row, text):
    """(len + 1, V) of the words at each place of a text and behind it, by the observation alone.

    A Gaussian's are those of the actions that are the tokens' own directions.
    """
    end = policy.vocabulary.eos
    written = [[*text[:i], *[end] * (M - i)] for i in range(len(text) + 1)]
    obs = {
        "text": torch.full((len(written), 1), row),
        "written": torch.tensor(written),
    }
    with torch.no_grad():
        distribution = policy.get_distribution(obs)
        if policy.distribution == "tokens":
            return distribution.log_probs().double().numpy()
        actions = policy.radius * torch.as_tensor(policy.vocabulary.directions)
        tiled = actions.repeat(len(written), 1, 1).flatten(0, 1)
        repeated = distribution.center[:, 0].repeat_interleave(len(actions), dim=0)
        noise_scale = distribution.log_noise_scale
        alone = type(distribution)(1, actions.shape[1], policy.radius)
        found = alone.proba_distribution(repeated, noise_scale).log_prob(tiled)
        return found.view(len(written), -1).double().numpy()


def corrections(policy, row, text, candidates, margin):
    """Every text that one correction could make, as the docstring says."""
    end = policy.vocabulary.eos
    likely = log_densities(policy, row, text)
    for place, scores in enumerate(likely):
        enough = scores.max() - margin
        if place < len(text) and text[place] in text[:place]:
            continue
        words = np.argsort(-scores[:end])[:candidates]
        if place < M:
            for word in words[scores[words] >= enough].tolist():
                yield [*text[:place], word, *text[place + 1 :]]
        if place < len(text) and scores[[*text, end][place + 1]] >= enough:
            yield [*text[:place], *text[place + 1 :]]


class TestOneRound:
    @both
    @pytest.mark.parametrize(("candidates", "margin"), [(3, 1.0), (8, 3.0), (99, math.inf)])
    def test_takes_the_best_of_the_likely_corrections(
        self, words, writer_weights, drafts, distribution, candidates, margin
    ):
        policy = policy_for(words, distribution=distribution)
        if distribution == "tokens":
            policy.load_state_dict(writer_weights)
        policy.set_training_mode(False)
        refined = refine(
            policy,
            words.source,
            threshold=1.0,
            max_rounds=1,
            draft=drafts,
            candidates=candidates,
            margin=margin,
        )
        vocabulary, aims = policy.vocabulary, predicted(policy, words)
        changed = 0
        for row, text in enumerate(texts_of(drafts, vocabulary)):
            found = texts_of(refined.tokens, vocabulary)[row]
            before = cosine(text, aims[row], vocabulary)
            score = {
                tuple(one): cosine(one, aims[row], vocabulary)
                for one in corrections(policy, row, text, candidates, margin)
            }
            best = max([*score.values(), before])
            assert refined.scores[0, row] == pytest.approx(before, abs=1e-5)
            assert refined.scores[1, row] == pytest.approx(best, abs=1e-5)
            if best > before + 1e-4:
                assert score[tuple(found)] == pytest.approx(best, abs=1e-5)
                changed += 1
            elif best == before:
                assert found == text
        assert changed > 10

    def test_is_an_action_of_the_environment(self, words, writer, drafts):
        refined = refine(
            writer,
            words.source,
            threshold=1.0,
            max_rounds=1,
            draft=drafts,
            margin=math.inf,
        )
        vocabulary, end = writer.vocabulary, writer.vocabulary.eos
        actions, kinds = np.zeros((ROWS, 2, vocabulary.dim), np.float32), set()
        for row in range(ROWS):
            before, after = (texts_of(one, vocabulary)[row] for one in (drafts, refined.tokens))
            pairs = zip([*before, end], [*after, end], strict=False)
            old, new = next((pair for pair in pairs if pair[0] != pair[1]), (end, end))
            new = end if len(after) < len(before) else new
            actions[row] = vocabulary.directions[[old, new]]
            kinds.add((len(after) - len(before), before == after))
        assert kinds >= {(0, False), (1, False), (-1, False)}
        env = RefineVectorEnv(
            300,
            data=words,
            observation="index",
            draft=lambda rows: drafts[rows],
            max_new_tokens=M,
            reward=lambda written: np.zeros(len(written)),  # never aligned
            autoreset_mode=AutoresetMode.DISABLED,
        )
        _, infos = env.reset(seed=0)
        assert len(set(infos["row"])) == 33
        obs, *_, after = env.step(actions[infos["row"]])
        np.testing.assert_array_equal(obs["written"], refined.tokens[infos["row"]])
        assert after["changed"].mean() > 0.5


class TestRounds:
    @both
    @pytest.mark.parametrize("threshold", [0.6, 0.9, 1.0])
    def test_raise_the_score_until_it_is_reached(
        self, words, writer_weights, drafts, distribution, threshold
    ):
        policy = policy_for(words, distribution=distribution)
        if distribution == "tokens":
            policy.load_state_dict(writer_weights)
        options = {"threshold": threshold, "margin": 6.0, "draft": drafts}
        refined = refine(policy, words.source, max_rounds=6, **options)
        scores, reached = refined.scores, refined.reached
        assert scores.shape == reached.shape == (len(scores), ROWS)
        assert (np.diff(scores, axis=0) >= 0).all()
        assert np.abs(scores).max() <= 1
        np.testing.assert_array_equal(reached, scores >= threshold - 1e-6)
        # What has reached the threshold stays as it is.
        assert (np.diff(scores, axis=0)[reached[:-1]] == 0).all()
        assert scores[-1].mean() > scores[0].mean() + 0.1
        # Round by round, from where the last one ended.
        tokens = drafts
        for before, after in itertools.pairwise(scores):
            one = refine(policy, words.source, max_rounds=1, **options | {"draft": tokens})
            np.testing.assert_allclose(one.scores[0], before, atol=1e-6)
            np.testing.assert_allclose(one.scores[-1], after, atol=1e-6)
            tokens = one.tokens
        np.testing.assert_array_equal(tokens, refined.tokens)
        aims = predicted(policy, words)
        again = [
            cosine(text, aim, policy.vocabulary)
            for text, aim in zip(texts_of(tokens, policy.vocabulary), aims, strict=True)
        ]
        np.testing.assert_allclose(again, scores[-1], atol=1e-5)

    def test_begin_with_the_greedy_text(self, words, writer):
        greedy = decode(writer, words.source, max_new_tokens=M)
        options = {"threshold": 0.95, "max_rounds": 3}
        found = refine(writer, words.source, max_new_tokens=M, **options)
        expected = refine(writer, words.source, draft=greedy, **options)
        np.testing.assert_array_equal(found.tokens, expected.tokens)
        np.testing.assert_array_equal(found.scores, expected.scores)

    def test_none_is_the_draft(self, words, writer, drafts):
        refined = refine(writer, words.source, threshold=0.9, max_rounds=0, draft=drafts)
        np.testing.assert_array_equal(refined.tokens, drafts)
        assert refined.scores.shape == (1, ROWS)
        assert refined.scores[0, 0] == 0  # the text without a word

    def test_that_are_not_used_take_no_memory(self, words, writer, drafts):
        few = refine(writer, words.source, threshold=0.3, max_rounds=50, draft=drafts)
        tracemalloc.start()
        many = refine(writer, words.source, threshold=0.3, max_rounds=10**9, draft=drafts)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        np.testing.assert_array_equal(many.scores, few.scores)
        assert peak < 2**24

    def test_end_when_nothing_is_left_to_correct(self, words, writer, drafts):
        options = {"max_rounds": 50, "draft": drafts, "margin": math.inf}
        refined = refine(writer, words.source, threshold=1.0, **options)
        assert 3 < len(refined.scores) < 50
        assert not refined.reached.any()
        refined = refine(writer, words.source, threshold=0.3, **options)
        assert refined.reached[-1].all()
        assert not refined.reached[-2].all()

    def test_none_is_made_of_texts_that_are_aligned(self, words, writer):
        greedy = decode(writer, words.source, range(33), max_new_tokens=M)
        refined = refine(writer, words.source, range(33), threshold=0.2, max_rounds=5, draft=greedy)
        assert refined.scores.shape == (1, 33)
        assert refined.reached.all()
        np.testing.assert_array_equal(refined.tokens, greedy)

    def test_leave_a_text_alone_where_no_correction_is_likely(self, words, writer):
        # The policy has nothing to say but that a text ends, and one word that would help.
        vocabulary = writer.vocabulary
        directions, aim = vocabulary.directions, predicted(writer, words).mean(0)
        word = int((directions[:-1] @ aim).argmax())
        with torch.no_grad():
            writer.action_net.bias[:16] += 1e3 * torch.as_tensor(directions[-1] + directions[word])
            writer.action_net.bias[:16] += 1e2 * torch.as_tensor(directions[-1])
        # Full, so that nothing is appended; and the last word is not the first of its kind.
        full = np.random.default_rng(0).integers(vocabulary.eos, size=(ROWS, M))
        full[:, -1] = full[:, 0]
        options = {"threshold": 0.9, "max_rounds": 1, "draft": full, "candidates": 1}
        silent = refine(writer, words.source, margin=0.0, **options)
        np.testing.assert_array_equal(silent.tokens, full)
        talks = refine(writer, words.source, margin=math.inf, **options)
        assert ((talks.tokens == word).sum(1) > (full == word).sum(1)).mean() > 0.2

    def test_a_greedy_text_is_the_likeliest_already(self, words, writer):
        options = {"threshold": 1.0, "max_rounds": 2, "max_new_tokens": M}
        refined = refine(writer, words.source, margin=0.0, **options)
        greedy = decode(writer, words.source, max_new_tokens=M)
        np.testing.assert_array_equal(refined.tokens, greedy)


class TestBatches:
    def test_a_text_alone_is_refined_alike(self, words, writer, drafts):
        rows = np.random.default_rng(0).integers(ROWS, size=150)
        options = {"threshold": 0.9, "max_rounds": 3}
        together = refine(writer, words.source, rows, draft=drafts[rows], **options)
        for row in range(0, ROWS, 4):
            alone = refine(writer, words.source, [row], draft=drafts[[row]], **options)
            for place in np.flatnonzero(rows == row):
                np.testing.assert_array_equal(together.tokens[place], alone.tokens[0])
                np.testing.assert_allclose(
                    together.scores[: len(alone.scores), place], alone.scores[:, 0], atol=1e-6
                )

    def test_no_text(self, words, writer):
        refined = refine(writer, words.source, [], threshold=0.9, max_rounds=2)
        assert refined.tokens.shape == (0, 40)
        assert refined.scores.shape == (1, 0)


def test_a_draft_goes_as_far_as_its_eos_and_is_left_as_it_is(words, writer, drafts):
    behind = np.where(drafts == writer.vocabulary.eos, 3, drafts)
    np.put_along_axis(behind, np.minimum(np.arange(ROWS) % (M + 1), M - 1)[:, None], 17, axis=1)
    given = behind.astype(np.int32)
    ended = (behind == 17).argmax(1)
    filled = np.where(np.arange(M) < ended[:, None], behind, 17)
    options = {"threshold": 0.9, "max_rounds": 2}
    found = refine(writer, words.source, draft=given, **options)
    expected = refine(writer, words.source, draft=filled, **options)
    np.testing.assert_array_equal(found.tokens, expected.tokens)
    np.testing.assert_array_equal(given, behind)
    assert (found.tokens != given).any()


def test_in_bfloat16(words, writer, drafts, monkeypatch):
    monkeypatch.setattr("agents.policies.writer.has_fast_bfloat16", lambda device: True)
    refined = refine(writer, words.source, threshold=0.9, max_rounds=5, draft=drafts)
    assert (np.diff(refined.scores, axis=0) >= 0).all()
    assert refined.scores[-1].mean() > refined.scores[0].mean() + 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, r"threshold must lie in \(0, 1\], found 0"),
        ({"threshold": 1.01}, r"threshold must lie in \(0, 1\], found 1.01"),
        ({"threshold": math.nan}, r"threshold must lie in \(0, 1\], found nan"),
        ({"max_rounds": -1}, "max_rounds must be an integer of at least 0, found -1"),
        ({"max_rounds": 2.5}, "max_rounds must be an integer of at least 0, found 2.5"),
        ({"candidates": 0}, "candidates must be an integer of at least 1, found 0"),
        ({"margin": -0.1}, "margin must be at least 0, found -0.1"),
        ({"margin": math.nan}, "margin must be at least 0, found nan"),
        ({"draft": np.zeros((44, 3), int)}, r"integers \(45, M\), .* found int64 \(44, 3\)"),
        ({"draft": np.zeros((45, 0), int)}, r"found int64 \(45, 0\)"),
        ({"draft": np.zeros((45, 3))}, r"found float64 \(45, 3\)"),
        ({"draft": np.full((45, 3), 18)}, "lie in 0 to 17, EOS, found 18 to 18"),
        ({"draft": np.full((45, 3), -1)}, "found -1 to -1"),
    ],
    ids=str,
)
def test_bad_options(words, writer, options, message):
    with pytest.raises(ValueError, match=message):
        refine(writer, words.source, **{"threshold": 0.9, "max_rounds": 2} | options)


def test_texts_it_cannot_read(corpus, words, writer, drafts):
    options = {"threshold": 0.9, "max_rounds": 1, "draft": drafts}
    with pytest.raises(ValueError, match="reads vectors of dimension 16"):
        refine(writer, corpus.source, range(36), **options | {"draft": drafts[:36]})
    with pytest.raises(IndexError):
        refine(writer, words.source, np.arange(ROWS) + 1, **options)

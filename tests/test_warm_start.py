from types import SimpleNamespace

import numpy as np
import pytest
import torch

from agents import REINFORCE, make_vec_env
from agents.algorithms.episodes import EpisodeBatch
from agents.algorithms.update import NonFiniteLossError
from agents.training.clock import Clock
from agents.training.cross_entropy import BatchStream, TargetTexts, train_cross_entropy
from agents.training.regularizers import CrossEntropy, KLToReference
from agents.training.validation import Validation
from llmar_env.text.vocabulary import Vocabulary
from tests.test_writer import observed, policy_for

GROUP = 4


@pytest.fixture
def texts(words):
    return TargetTexts(words, Vocabulary.of(words))


def negative_loss(texts):
    """A validation score: how probable the validation targets are."""

    def score(policy):
        policy.set_training_mode(False)
        rows = np.array(texts.corpus.rows("valid"))
        with torch.no_grad():
            losses, _ = texts.loss(policy, rows, 0.0)
        return SimpleNamespace(quality=-losses.mean().item())

    return score


def train(policy, texts, **kwargs):
    validation = Validation(kwargs.pop("score", negative_loss(texts)), "quality", times=5)
    settings = {"epochs": 3.0, "learning_rate": 1e-2, "batch_size": 8, "smoothing": 0.1}
    words = train_cross_entropy(policy, texts, validation, clock=Clock(), **settings | kwargs)
    return words, validation


class TestTargetTexts:
    def test_every_row_comes_once_a_pass(self, texts):
        rows = np.concatenate(list(texts.batches(5, np.random.default_rng(0))))
        assert sorted(rows) == list(texts.corpus.rows("train"))

    def test_passes_follow_each_other_in_another_order(self, texts):
        batches = BatchStream(texts, 33, seed=0)
        first, second = next(batches), next(batches)
        assert sorted(first) == sorted(second)
        assert list(first) != list(second)

    def test_the_loss_is_that_of_the_policy_shown_the_texts_word_by_word(self, texts, words):
        policy = policy_for(words).train(False)
        rows = np.array([3, 40])
        losses, misaligned = texts.loss(policy, rows, 0.0)
        expected = []
        for row in rows:
            target = texts.tokens[row]
            length = int(texts.vocabulary.lengths(texts.tokens[row : row + 1])[0])
            for place in range(length + 1):
                obs = observed(words, "index", [row], [target[:place]])
                mark = torch.as_tensor(texts.vocabulary.directions[[target[place]]])
                expected.append(-policy.get_distribution(obs).log_prob(mark))
        torch.testing.assert_close(losses, torch.cat(expected))
        assert misaligned.shape == (2,)
        assert ((misaligned >= 0) & (misaligned <= 2)).all()

    def test_tokens_spell_the_targets(self, texts, words):
        rows = list(words.rows("train"))
        assert texts.vocabulary.decode(texts.tokens[rows]) == [words.targets[r] for r in rows]


class TestTraining:
    def test_it_learns_and_keeps_the_best_weights(self, texts, words):
        policy = policy_for(words)
        seen, validation = train(policy, texts)
        scores = [record.scores.quality for record in validation.records]
        assert scores[-1] > scores[0] + 0.5
        assert negative_loss(texts)(policy).quality == pytest.approx(max(scores), abs=1e-5)
        train_rows = np.array(words.rows("train"))
        words_of_a_pass = (texts.vocabulary.lengths(texts.tokens[train_rows]) + 1).sum()
        assert 3 * words_of_a_pass <= seen < 3.5 * words_of_a_pass

    def test_the_same_seed_gives_the_same_weights_and_another_one_others(self, texts, words):
        weights = []
        for seed in (0, 0, 1):
            policy = policy_for(words)
            train(policy, texts, seed=seed, epochs=1.0)
            weights.append(policy.action_net.weight.detach())
        torch.testing.assert_close(weights[0], weights[1], atol=0, rtol=0)
        assert (weights[0] != weights[2]).any()

    def test_it_stops_early_without_improvement(self, texts, words):
        scores = iter([3.0, 2.0, 1.0, 0.0, 0.0, 0.0])
        score = lambda _: SimpleNamespace(quality=next(scores), bleu_tok=0.0)  # noqa: E731
        _, validation = train(policy_for(words), texts, score=score, patience=2)
        assert len(validation.records) == 4  # the best, two without improvement, and the last
        assert validation.best is validation.records[0]

    def test_a_gradient_that_is_not_finite_stops_it(self, texts, words):
        policy = policy_for(words)
        with torch.no_grad():
            policy.action_net.bias[-1] = torch.inf
        with pytest.raises(NonFiniteLossError, match="gradient is"):
            train(policy, texts)


class TestRegularisers:
    def model(self, words, **kwargs):
        options = {"data": words, "observation": "index", "max_new_tokens": 5, "credit": "sparse"}
        env = make_vec_env(
            "LLMAR/Generate-v0", 8, seed=0, env_kwargs=options | {"group_size": GROUP}
        )
        policy_kwargs = {"writer": policy_for(words).writer, "low_precision": False}
        return REINFORCE("WriterPolicy", env, seed=0, policy_kwargs=policy_kwargs, **kwargs)

    def batch(self, model):
        batches = []
        model.regularizers = (lambda policy, batch: batches.append(batch) or torch.zeros(()),)
        model.learn(1)
        assert isinstance(batches[0], EpisodeBatch)
        return batches[0]

    def test_cross_entropy_is_the_weighted_loss_of_the_next_batch(self, texts, words):
        policy = policy_for(words).train(False)
        term = CrossEntropy(texts, 0.5, 6, smoothing=0.1, seed=3)
        rows = next(texts.batches(6, np.random.default_rng(3)))
        losses, misaligned = texts.loss(policy, rows, 0.1)
        policy.reader.network.dropout = 0.0
        expected = 0.5 * losses.mean() + misaligned.mean()
        torch.testing.assert_close(term(policy, EpisodeBatch()), expected)

    def test_the_divergence_is_zero_at_the_reference_and_grows_away_from_it(self, words):
        model = self.model(words)
        batch = self.batch(model)
        policy = model.policy.train(False)
        reference = policy_for(words)
        reference.load_state_dict(policy.state_dict())
        term = KLToReference(reference, 2.0)

        def divergence():
            batch.evaluate()
            return term(policy, batch)

        assert divergence().item() == pytest.approx(0.0, abs=1e-8)
        with torch.no_grad():
            policy.action_net.weight += 0.1 * torch.randn_like(policy.action_net.weight)
        found = divergence()
        (state,) = batch.states
        ratios = state.log_prob(policy) - state.log_prob(reference)
        torch.testing.assert_close(found, (ratios[torch.stack(batch.masks)] ** 2).mean())
        assert found > 0

    def test_the_divergence_from_itself_is_zero_while_it_trains(self, words):
        model = self.model(words)  # with dropout, which belongs to cross-entropy alone
        reference = policy_for(words)
        reference.load_state_dict(model.policy.state_dict())
        term, found = KLToReference(reference, 1.0), []
        model.regularizers = (lambda p, b: found.append(term(p, b).item()) or torch.zeros(()),)
        model.learn(1)
        assert found == [pytest.approx(0.0, abs=1e-8)]

    def test_a_regularizer_is_part_of_every_update(self, texts, words):
        model = self.model(words)
        calls = []

        def pull(policy, batch):
            calls.append(len(batch.states))
            return policy.value_net.weight.square().sum()  # which nothing else trains

        model.regularizers = (pull,)
        before = model.policy.value_net.weight.abs().sum()
        model.learn(8 * 5 * 2)
        assert calls
        assert set(calls) == {1}
        assert model.policy.value_net.weight.abs().sum() < before

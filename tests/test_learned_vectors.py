"""Vectors that are learned with a writer, and then stay fixed."""

import numpy as np
import pytest
import torch

from agents.networks.seq2seq import Seq2SeqConfig
from agents.policies.writer import WriterPolicy
from agents.training.clock import Clock
from agents.training.cross_entropy import TargetTexts, target_cross_entropy, train_cross_entropy
from agents.training.learned_vectors import LearnedVectors
from agents.training.validation import Validation
from llmar_env.arrays import unit
from llmar_env.envs.generate import GenerateMDP
from llmar_env.metrics import score_answers
from llmar_env.text.vocabulary import Vocabulary


def make_policy(corpus, vocabulary, **sizes):
    torch.manual_seed(0)
    mdp = GenerateMDP(corpus, observation="index", vocabulary=vocabulary)
    writer = Seq2SeqConfig(16, 24, **sizes)
    return WriterPolicy(
        mdp.observation_space,
        mdp.action_space,
        lambda _: 1e-2,
        writer=writer,
        low_precision=False,
    )


@pytest.fixture(scope="module")
def learned(words):
    """A policy that has learned vectors too, and how it scored validation targets."""
    vocabulary = Vocabulary.of(words)
    policy = make_policy(words, vocabulary)
    vectors = LearnedVectors(words, vocabulary)
    vectors.join(policy)
    texts = TargetTexts(words, vocabulary, "valid")

    def score(policy):
        with torch.no_grad():
            vectors.use(policy)
        return target_cross_entropy(policy, texts)

    before = score(policy)
    validation = Validation(lambda policy: Scored(-score(policy)), "value", 5)
    train_cross_entropy(
        policy,
        TargetTexts(words, vocabulary),
        validation,
        clock=Clock(60),
        epochs=60,
        learning_rate=1e-2,
        batch_size=33,
        smoothing=0.1,
        vectors=vectors,
    )
    after = score(policy)
    vectors.leave(policy)
    return policy, vectors, before, after


class Scored:
    def __init__(self, value):
        self.value = value


def test_vectors_are_those_of_the_corpus_before_anything_was_learned(words):
    vocabulary = Vocabulary.of(words)
    vectors = LearnedVectors(words, vocabulary)
    policy = make_policy(words, vocabulary)
    vectors.use(policy)
    corpus, same = vectors.corpus()
    np.testing.assert_allclose(same.table, unit_and_centered(words, vocabulary), atol=1e-6)
    np.testing.assert_allclose(policy.directions.detach(), same.directions, atol=1e-6)
    np.testing.assert_allclose(policy.reader.padded_table.detach(), same.padded_table, atol=1e-6)
    lookup = policy.reader.lookup.padded_table.detach()
    np.testing.assert_allclose(lookup, corpus.source.padded_table, atol=1e-6)


def unit_and_centered(corpus, vocabulary):
    """Unit vectors minus the mean over the training targets of their mean vectors, by a loop."""
    rows = unit(vocabulary.table)
    means = [
        rows[vocabulary.from_ids([ids])[0]].mean(0)
        for ids in corpus.target_embedder.tokenize(
            [corpus.targets[row] for row in corpus.rows("train")]
        )
    ]
    return rows - np.mean(means, axis=0)


def test_learning_changes_vectors_and_helps(words, learned):
    _, vectors, before, after = learned
    corpus, vocabulary = vectors.corpus()
    assert after < 0.5 * before
    assert vocabulary.fingerprint != Vocabulary.of(words).fingerprint
    assert corpus.source.fingerprint != words.source.fingerprint
    assert np.array_equal(corpus.target.ids, words.target.ids)
    # The vectors of words that training targets lack stay as they were.
    others = np.setdiff1d(np.arange(len(words.target.table)), vocabulary.ids)
    np.testing.assert_array_equal(corpus.target.table[others], words.target.table[others])


def test_a_policy_of_the_learned_corpus_writes_with_the_same_probabilities(learned):
    policy, vectors, _, after = learned
    corpus, vocabulary = vectors.corpus()
    other = make_policy(corpus, vocabulary)
    other.load_state_dict(policy.state_dict())
    other.optimizer.load_state_dict(policy.optimizer.state_dict())
    found = target_cross_entropy(other, TargetTexts(corpus, vocabulary, "valid"))
    assert found == pytest.approx(after, abs=1e-4)


def test_learned_entries_keep_apart_and_a_constant_answer_scores_nothing(learned):
    _, vectors, _, _ = learned
    corpus, vocabulary = vectors.corpus()
    assert vocabulary.nearest_cosines.max() < 0.9
    rows = corpus.rows("train")
    means = corpus.target.means[rows.start : rows.stop]
    constant = np.broadcast_to(unit(means).mean(0), means.shape)
    assert score_answers(constant, means).alignment < 0.05


def test_learned_embedders_are_saved_and_loaded(learned, tmp_path):
    _, vectors, _, _ = learned
    corpus, _ = vectors.corpus()
    for embedder, texts in (
        (corpus.source_embedder, corpus.sources),
        (corpus.target_embedder, corpus.targets),
    ):
        embedder.save(tmp_path / "vectors")
        again = type(embedder).load(tmp_path / "vectors")
        assert again.embed(texts[:5]).fingerprint == embedder.embed(texts[:5]).fingerprint


def test_a_policy_is_as_before_when_vectors_have_left(words):
    vocabulary = Vocabulary.of(words)
    policy = make_policy(words, vocabulary)
    names, groups = list(policy.state_dict()), len(policy.optimizer.param_groups)
    vectors = LearnedVectors(words, vocabulary)
    vectors.join(policy)
    assert len(list(policy.state_dict())) == len(names) + 2
    vectors.leave(policy)
    assert list(policy.state_dict()) == names
    assert len(policy.optimizer.param_groups) == groups

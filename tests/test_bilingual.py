"""Vectors of two languages in one space: IBM Model 1, and what it places where."""

import numpy as np
import pytest
from conftest import flat_config
from hypothesis import given
from hypothesis import strategies as st

from agents import LLMAR
from llmar_env.arrays import unit
from llmar_env.text.corpus import Corpus, phrasebook_embedder
from llmar_env.text.embedders import (
    WordVectors,
    WordVectorsConfig,
    lexical_translation,
    translated_vectors,
)
from llmar_env.text.pairs import TextPairs

TINY = WordVectorsConfig(dim=16, vocab_size=300, epochs=5)
# das Haus, das Buch, ein Buch; the house, the book, a book (Koehn 2010, figure 4.4).
DAS, HAUS, BUCH, EIN = range(4)
THE, HOUSE, BOOK, A = range(4)
SOURCES, TARGETS = [[DAS, HAUS], [DAS, BUCH], [EIN, BUCH]], [[THE, HOUSE], [THE, BOOK], [A, BOOK]]


@pytest.mark.parametrize(
    ("iterations", "expected"),
    [
        (1, {(DAS, THE): 0.5, (DAS, BOOK): 0.25, (BUCH, BOOK): 0.5, (EIN, A): 0.5}),
        (2, {(DAS, THE): 0.6364, (DAS, HOUSE): 0.1818, (EIN, BOOK): 0.4286, (HAUS, HOUSE): 0.5714}),
        (3, {(DAS, THE): 0.7479, (BUCH, A): 0.1313, (EIN, A): 0.6534, (HAUS, THE): 0.3466}),
    ],
)
def test_the_textbooks_example(iterations, expected):
    found = lexical_translation(SOURCES, TARGETS, (4, 4), iterations=iterations).toarray()
    for pair, probability in expected.items():
        assert found[pair] == pytest.approx(probability, abs=1e-4)
    assert found.sum(axis=1) == pytest.approx(1)


def plain_model(sources, targets, shape, iterations):
    """The same model, written as in Koehn (2010), figure 4.3."""
    t = np.ones(shape)
    for _ in range(iterations):
        count = np.zeros(shape)
        for source, target in zip(sources, targets, strict=True):
            for e in target:
                total = sum(t[f, e] for f in source)
                for f in source:
                    count[f, e] += t[f, e] / total
        t = np.divide(count, count.sum(1, keepdims=True), where=count.sum(1, keepdims=True) > 0)
        t[count.sum(1) == 0] = 0
    return t


texts = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=6)


@given(st.tuples(texts, texts), st.integers(1, 4))
def test_is_the_plain_model(pair, iterations):
    n = min(map(len, pair))
    sources, targets = (one[:n] for one in pair)
    found = lexical_translation(sources, targets, (7, 6), iterations=iterations).toarray()
    assert found == pytest.approx(plain_model(sources, targets, (7, 6), iterations), abs=1e-9)


@pytest.fixture(scope="module")
def pairs():
    """Sentences of four words, each of which has one translation; in another order."""
    rng = np.random.default_rng(0)
    words = "Hund=dog Katze=cat Haus=house Baum=tree rot=red alt=old sieht=sees kauft=buys"
    english = dict(word.split("=") for word in f"{words} heute=today gern=gladly".split())
    drawn = [rng.choice(list(english), 4, replace=False) for _ in range(400)]
    return TextPairs(
        [" ".join(words) for words in drawn],
        [" ".join(english[word] for word in rng.permutation(words)) for words in drawn],
    )


def test_words_lie_where_their_translations_do(pairs):
    of_targets = WordVectors(TINY).fit(pairs.target)
    embedder = translated_vectors(pairs.source, pairs.target, of_targets, TINY)
    words = [("Hund", "dog"), ("rot", "red"), ("heute", "today")]
    for german, english in words:
        mine = unit(embedder.embed([german]).means)
        others = unit(of_targets.embed(["dog", "red", "today", "tree", "sees"]).means)
        assert ["dog", "red", "today", "tree", "sees"][int((others @ mine[0]).argmax())] == english
    assert embedder.dim == of_targets.dim == 16
    assert embedder.space == of_targets.space


def test_vectors_are_the_expectation_of_unit_vectors(pairs):
    of_targets = WordVectors(TINY).fit(pairs.target)
    embedder = translated_vectors(pairs.source, pairs.target, of_targets, TINY)
    tokens, targets = embedder.tokenize(pairs.source), of_targets.tokenize(pairs.target)
    shape = (len(embedder.table), len(of_targets.table))
    expected = plain_model(tokens, targets, shape, 6) @ unit(of_targets.table)
    used = np.unique(np.concatenate(tokens))
    assert embedder.table[used] == pytest.approx(expected[used], abs=1e-5)
    unused = np.setdiff1d(np.arange(len(embedder.table)), used)
    assert np.linalg.norm(embedder.table[unused], axis=1) == pytest.approx(1, abs=1e-5)


def test_a_corpus_saved_and_loaded(pairs, tmp_path):
    corpus = Corpus.load(
        pairs, source_embedder="bilingual", target_embedder="bilingual", word_vectors=TINY
    )
    assert corpus.shared_space
    assert not Corpus.load(pairs, word_vectors=TINY).shared_space
    config = flat_config(hidden_dim=16, total_steps=2000, num_texts=32, group_size=4, device="cpu")
    llmar = LLMAR(config)
    scores = llmar.train(corpus).scores["test"]
    # The mean of the words' translations is near the target before anything is learned.
    assert scores["identity"].alignment > 0.5
    assert scores["identity"].p_at_1 > 0.5
    llmar.save(tmp_path)
    loaded = LLMAR.load(tmp_path)
    assert loaded.source_embedder.space == loaded.target_embedder.space
    assert np.array_equal(loaded.generate(["alt rot"]), llmar.generate(["alt rot"]))


def test_what_it_cannot_be_used_for(pairs):
    with pytest.raises(ValueError, match="those of the input texts"):
        Corpus.load(pairs, source_embedder="word2vec", target_embedder="bilingual")
    with pytest.raises(ValueError, match="3 texts, but 2 targets"):
        translated_vectors(["a"] * 3, ["b"] * 2, WordVectors(TINY).fit(["b c"]))
    for options, message in (
        ({"env": "LLMAR/Retrieve-v0", "embedder": "bilingual"}, "has no pairs of texts"),
        ({"target_embedder": "bilingual"}, "give --source-embedder bilingual"),
    ):
        with pytest.raises(ValueError, match=message):
            LLMAR(flat_config(**options))
    book = Corpus.load("phrasebook:de-en", source_embedder="bilingual", target_embedder="bilingual")
    assert book.target_embedder is phrasebook_embedder("en")
    same = TextPairs(pairs.source, pairs.source)
    echo = Corpus.load(same, source_embedder="bilingual", word_vectors=TINY)
    assert echo.source is echo.target

import copy
import hashlib
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import llmar_env
from llmar_env.text.corpus import Corpus, phrasebook_embedder, read_splits
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import WordVectors, WordVectorsConfig
from llmar_env.text.pairs import TextPairs
from llmar_env.text.phrasebook import LANGUAGES, SIZES, Phrasebook, Sentences, make_vectors

TINY = WordVectorsConfig(dim=6, vocab_size=300, epochs=1)
WORDS = ["red", "blue", "green", "dog", "cat", "bird", "here", "there", "now", "then"]


def pairs(n, first=0):
    """Pairs of texts of 1 to 4 words, all different."""
    numbers = range(first, first + n)
    sources = [" ".join([f"{i}", *WORDS[: i % 4]]) for i in numbers]
    return TextPairs(sources, [source.upper() for source in sources])


def splits():
    return {"train": pairs(40), "valid": pairs(4, 40), "test": pairs(5, 44)}


@pytest.fixture(scope="module")
def small():
    return Corpus.embed(splits(), word_vectors=TINY)


@pytest.fixture(scope="module")
def phrasebook():
    return Corpus.load("phrasebook:de-en")


def rows_of(store, index):
    vectors, lengths = store.gather(index)
    return [text[:n].tolist() for text, n in zip(vectors, lengths, strict=True)]


class TestEmbed:
    def test_all_splits_in_one_store(self, small):
        assert dict(small.splits) == {
            "train": range(40),
            "valid": range(40, 44),
            "test": range(44, 49),
        }
        assert len(small.source) == len(small.target) == 49
        for name, part in splits().items():
            rows = small.rows(name)
            assert [small.sources[row] for row in rows] == list(part.source)
            assert [small.targets[row] for row in rows] == list(part.target)

    def test_rows_are_the_embedded_texts(self, small):
        for store, embedder, texts in (
            (small.source, small.source_embedder, small.sources),
            (small.target, small.target_embedder, small.targets),
        ):
            assert rows_of(store, range(49)) == rows_of(embedder.embed(list(texts)), range(49))

    def test_embedders_learn_from_train_alone(self, small):
        again = Corpus.embed({**splits(), "test": pairs(9, 100)}, word_vectors=TINY)
        assert np.array_equal(again.source.table, small.source.table)
        assert np.array_equal(again.target.table, small.target.table)

    def test_the_two_sides_differ(self, small):
        assert small.source_embedder is not small.target_embedder
        assert not small.shared_space

    def test_echo_shares_one_embedder(self):
        sources = pairs(20).source
        corpus = Corpus.embed({"train": TextPairs(sources, sources)}, word_vectors=TINY)
        assert corpus.source_embedder is corpus.target_embedder
        assert corpus.source is corpus.target
        assert corpus.shared_space

    def test_no_echo_where_one_split_is_none(self):
        sources = pairs(20).source
        parts = {"train": TextPairs(sources, sources), "test": pairs(3)}
        corpus = Corpus.embed(parts, word_vectors=TINY)
        assert corpus.source_embedder is not corpus.target_embedder

    def test_one_embedder_for_two_texts(self):
        embedder = WordVectors(TINY).fit(pairs(20).source)
        corpus = Corpus.embed(
            {"test": pairs(5)}, source_embedder=embedder, target_embedder=embedder
        )
        assert corpus.shared_space
        assert rows_of(corpus.source, [3]) != rows_of(corpus.target, [3])
        assert rows_of(corpus.target, [3]) == rows_of(embedder.embed([pairs(5).target[3]]), [0])

    def test_dimensions_may_differ(self):
        embedder = WordVectors(WordVectorsConfig(dim=3, vocab_size=300, epochs=1))
        embedder.fit(pairs(20).source)
        corpus = Corpus.embed(splits(), source_embedder=embedder, word_vectors=TINY)
        assert (corpus.source.dim, corpus.target.dim) == (3, 6)
        assert corpus.source_embedder is embedder
        assert not corpus.shared_space

    def test_fitting_needs_train(self):
        with pytest.raises(ValueError, match="fitted on the split 'train', found valid, dev"):
            Corpus.embed({"valid": pairs(3), "dev": pairs(3)})
        with pytest.raises(ValueError, match="at least one split"):
            Corpus.embed({})


@pytest.mark.parametrize(("side", "what"), [("source", "input texts"), ("target", "targets")])
def test_texts_that_do_not_differ_are_said(side, what):
    same = ["The caf\u00e9.", "The cafe\u0301."] * 20
    some = pairs(40).source
    train = TextPairs(same, some) if side == "source" else TextPairs(some, same)
    with pytest.warns(UserWarning, match=f"the 40 {what} of train do not differ"):
        Corpus.embed({"train": train}, word_vectors=TINY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Corpus.embed({"train": pairs(40)}, word_vectors=TINY)


class TestLoad:
    def test_mapping_of_texts_and_files(self, tmp_path):
        path = tmp_path / "extra.tsv"
        path.write_text("source\ttarget\n" + "\n".join(map("\t".join, pairs(7, 90))) + "\n")
        data = {"extra": str(path), "test": pairs(5, 44), "train": pairs(40), "valid": path}
        corpus = Corpus.load(data, word_vectors=TINY)
        # In the usual order, whatever the mapping's.
        assert list(corpus.splits) == ["train", "valid", "test", "extra"]
        assert [len(rows) for rows in corpus.splits.values()] == [40, 7, 5, 7]
        for name in ("valid", "extra"):
            rows = corpus.rows(name)
            assert [corpus.sources[row] for row in rows] == list(pairs(7, 90).source)

    @pytest.mark.parametrize("kind", ["texts", "path", "name"])
    def test_one_table_is_split_by_content(self, tmp_path, kind):
        path = tmp_path / "all.tsv"
        path.write_text("source\ttarget\n" + "\n".join(map("\t".join, pairs(200))) + "\n")
        data = {"texts": pairs(200), "path": path, "name": str(path)}[kind]
        corpus = Corpus.load(data, word_vectors=TINY)
        for name, part in pairs(200).split().items():
            rows = corpus.rows(name)
            assert [corpus.sources[row] for row in rows] == list(part.source)
        assert list(corpus.splits) == ["train", "valid", "test"]

    def test_a_corpus_is_taken_as_it_is(self, small):
        assert Corpus.load(small) is small
        with pytest.raises(ValueError, match="brings its own embedders"):
            Corpus.load(small, word_vectors=TINY)
        with pytest.raises(ValueError, match="brings its own embedders"):
            Corpus.load(small, target_embedder=small.source_embedder)
        with pytest.raises(ValueError, match="embedded already"):
            read_splits(small)

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"absent\.tsv"):
            Corpus.load(tmp_path / "absent.tsv")

    def test_same_seed_same_corpus(self, small):
        again = Corpus.load(splits(), word_vectors=TINY)
        assert again.source.fingerprint == small.source.fingerprint
        assert again.target.fingerprint == small.target.fingerprint


class TestTruncate:
    def test_counts_what_is_cut(self, small):
        lengths = small.source.lengths
        cut, longest = int((lengths > 2).sum()), int(lengths.max())
        assert 0 < cut < 49
        with pytest.warns(UserWarning, match=rf"{cut} of 49 input .*longest has {longest}\)"):
            short = Corpus.load(small, max_length=2)
        assert short.source.max_length == 2
        assert rows_of(short.source, range(49)) == [
            text[:2] for text in rows_of(small.source, range(49))
        ]
        assert short.target is small.target
        assert short.splits == small.splits
        assert small.source.max_length == longest

    def test_while_loading(self):
        with pytest.warns(UserWarning, match="max_length=1"):
            corpus = Corpus.load(splits(), word_vectors=TINY, max_length=1)
        assert corpus.source.max_length == 1
        assert corpus.target.max_length > 1

    def test_phrasebook(self, phrasebook):
        with pytest.warns(UserWarning, match=r"of 22000 input texts"):
            short = Corpus.load("phrasebook:de-en", max_length=5)
        assert short.source.max_length == 5
        assert phrasebook.source.max_length > 5

    @pytest.mark.filterwarnings("error")
    def test_nothing_to_cut(self, small):
        assert Corpus.load(small, max_length=small.source.max_length) is small
        assert Corpus.load(small, max_length=None) is small

    def test_at_least_one(self, small):
        with pytest.raises(ValueError, match="at least 1, found 0"):
            Corpus.load(small, max_length=0)


class TestCorpus:
    STORE = EmbeddedTexts.from_vectors([np.ones((2, 3))] * 4)

    def test_unknown_split(self, small):
        with pytest.raises(ValueError, match="no split 'dev'; this corpus has train, valid, test"):
            small.rows("dev")

    def test_sides_of_different_size(self):
        other = EmbeddedTexts.from_vectors([np.ones((2, 3))] * 5)
        with pytest.raises(ValueError, match="4 texts, but 5 targets"):
            Corpus(self.STORE, other, {"train": range(4)})

    @pytest.mark.parametrize(
        "rows", [range(0), range(2, 2), range(5), range(-1, 2), range(0, 4, 2), range(3, 0, -1)]
    )
    def test_bad_splits(self, rows):
        with pytest.raises(ValueError, match=r"split 'odd' is range.* within the 4 rows"):
            Corpus(self.STORE, self.STORE, {"train": range(4), "odd": rows})

    def test_shared_space_of_vectors(self):
        other = EmbeddedTexts.from_vectors([np.ones((2, 3))] * 4)
        assert Corpus(self.STORE, self.STORE, {"train": range(4)}).shared_space
        assert not Corpus(self.STORE, other, {"train": range(4)}).shared_space

    def test_deepcopy_shares(self, small):
        assert copy.deepcopy({"corpus": small})["corpus"] is small

    def test_repr_counts(self, small):
        assert "train=40, valid=4, test=5" in repr(small)


class TestPhrasebook:
    def test_holds_the_phrasebook_in_the_shipped_vectors(self, phrasebook):
        assert {name: len(rows) for name, rows in phrasebook.splits.items()} == {
            "train": 20_000,
            "valid": 1_000,
            "test": 1_000,
        }
        for name, rows in phrasebook.splits.items():
            sources, targets = Phrasebook("de", "en").sentences(name)
            assert [phrasebook.sources[row] for row in rows] == sources
            assert [phrasebook.targets[row] for row in rows] == targets
        index = [0, 19_999, 20_000, 21_999]
        for store, language, texts in (
            (phrasebook.source, "de", phrasebook.sources),
            (phrasebook.target, "en", phrasebook.targets),
        ):
            expected = phrasebook_embedder(language).embed([texts[row] for row in index])
            assert rows_of(store, index) == rows_of(expected, range(4))
        assert not phrasebook.shared_space

    def test_echo(self):
        corpus = Corpus.load("phrasebook:en")
        assert corpus.shared_space
        assert corpus.source is corpus.target
        assert list(corpus.sources) == list(corpus.targets)

    @pytest.mark.slow
    def test_other_word_vectors(self):
        corpus = Corpus.load(
            "phrasebook:zh", word_vectors=WordVectorsConfig(dim=4, vocab_size=257, epochs=1)
        )
        assert corpus.source.dim == 4
        assert len(corpus.rows("train")) == 20_000

    def test_other_embedders(self, phrasebook):
        corpus = Corpus.load(
            "phrasebook:de-en",
            source_embedder=phrasebook_embedder("en"),
            target_embedder=phrasebook_embedder("en"),
        )
        assert corpus.target.fingerprint == phrasebook.target.fingerprint
        assert corpus.source.fingerprint != phrasebook.source.fingerprint
        assert corpus.shared_space

    @pytest.mark.parametrize(
        "name", ["phrasebook:xx", "phrasebook:", "phrasebook:de-en-fr", "phrasebook:en-xx"]
    )
    @pytest.mark.parametrize("options", [{}, {"word_vectors": TINY}], ids=["shipped", "fitted"])
    def test_unknown_names(self, name, options):
        with pytest.raises(ValueError, match=r"no (language|corpus) .*de, en, fr, zh"):
            Corpus.load(name, **options)

    def test_unknown_language(self):
        with pytest.raises(ValueError, match=r"no language 'xx'; .*de, en, fr, zh"):
            phrasebook_embedder("xx")


@pytest.fixture
def package(tmp_path):
    """A copy of the package, to be changed."""
    folder = tmp_path / "llmar_env"
    shutil.copytree(Path(llmar_env.__file__).parent, folder, ignore=shutil.ignore_patterns("*.pyc"))
    return folder


def run_in(package, *arguments):
    """What a process of Python prints that imports a copy of the package."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=package.parent,
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
        timeout=120,
    )
    return done.stdout


def fingerprint_in(package, language):
    """The fingerprint of a language's texts in a copy of the package, or what is wrong there."""
    code = f"""
from llmar_env.text.corpus import Corpus
try:
    print(Corpus.load("phrasebook:{language}").source.fingerprint)
except ValueError as error:
    print(error)
"""
    return run_in(package, "-c", code).strip()


class TestSentences:
    """A sequence of strings, as a list of them would be."""

    def test_as_a_list(self):
        sentences = Sentences("zh")
        strings = [text for split in SIZES for text in Phrasebook("zh", "zh").sentences(split)[0]]
        assert len(sentences) == len(strings) == 22_000
        assert list(sentences) == strings
        for index in (0, -1, 21_999, np.int64(20_000), slice(19_998, 20_003), slice(-3, None)):
            assert sentences[index] == strings[index]
        assert strings[7] in sentences
        assert "apple" not in sentences

    @pytest.mark.parametrize("index", [22_000, -22_001])
    def test_out_of_range(self, index):
        with pytest.raises(IndexError):
            Sentences("en")[index]

    def test_a_pickle_has_the_language_alone(self):
        sent = pickle.dumps(Sentences("fr"))
        assert len(sent) < 200
        assert pickle.loads(sent)[5] == Sentences("fr")[5]

    def test_unknown_language(self):
        with pytest.raises(ValueError, match=r"no language 'xx'; .*de, en, fr, zh"):
            Sentences("xx")


class TestShippedVectors:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_all_languages(self, language):
        embedder = phrasebook_embedder(language)
        assert embedder is phrasebook_embedder(language)
        assert embedder.dim == 64
        assert embedder.table.shape == (embedder.tokenizer.get_vocab_size(), 64)
        assert np.isfinite(embedder.table).all()

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_ids_are_those_of_the_rendered_sentences(self, language):
        sentences = [
            text for split in SIZES for text in Phrasebook(language, language).sentences(split)[0]
        ]
        expected = phrasebook_embedder(language).embed(sentences)
        corpus = Corpus.load(f"phrasebook:{language}")
        assert corpus.source.ids.dtype == expected.ids.dtype
        assert np.array_equal(corpus.source.ids, expected.ids)
        assert np.array_equal(corpus.source.offsets, expected.offsets)
        assert corpus.source.fingerprint == expected.fingerprint
        assert list(corpus.sources) == list(corpus.targets) == sentences

    @pytest.mark.parametrize(("source", "target"), [*product(LANGUAGES, LANGUAGES)])
    def test_a_pair_has_the_texts_of_its_two_languages(self, source, target):
        corpus = Corpus.load(f"phrasebook:{source}-{target}")
        sides = [(source, corpus.source, corpus.sources), (target, corpus.target, corpus.targets)]
        for language, texts, strings in sides:
            assert texts is Corpus.load(f"phrasebook:{language}").source
            assert strings == Sentences(language)
        assert {split: len(rows) for split, rows in corpus.splits.items()} == SIZES
        assert corpus.shared_space is (source == target)

    def test_no_two_splits_share_a_sentence(self):
        # What `Corpus.embed` looks for in other texts.
        for language in LANGUAGES:
            sentences, first = Sentences(language), 0
            splits = []
            for size in SIZES.values():
                splits.append(set(sentences[first : first + size]))
                first += size
            assert sum(map(len, splits)) == len(set.union(*splits))

    @pytest.mark.parametrize("file", ["fr.safetensors", "fr.tokens.npz"])
    def test_damage_is_found(self, package, file):
        path = package / "text" / "data" / file
        raw = bytearray(path.read_bytes())
        raw[-100] ^= 1
        path.write_bytes(raw)
        assert fingerprint_in(package, "en") == Corpus.load("phrasebook:en").source.fingerprint
        message = fingerprint_in(package, "fr")
        assert message.startswith(f"{path} is not the file that shipped")
        assert f"make_vectors --folder {path.parent} --languages fr" in message

    def test_a_file_that_is_not_there(self, package):
        path = package / "text" / "data" / "zh.tokens.npz"
        path.unlink()
        assert fingerprint_in(package, "zh").startswith(f"{path} is not the file that shipped")

    @pytest.mark.slow
    def test_ids_of_another_grammar_are_refused_until_they_are_made_again(self, package):
        words = package / "text" / "phrasebook" / "languages" / "en.py"
        changed = words.read_text("utf-8").replace("\nman | men\n", "\nman | mans\n")
        words.write_text(changed, "utf-8")
        data = package / "text" / "data"
        vectors = (data / "en.safetensors").read_bytes()
        assert fingerprint_in(package, "fr") == Corpus.load("phrasebook:fr").source.fingerprint
        message = fingerprint_in(package, "en")
        advice = f"{data / 'en.tokens.npz'} was made from other vectors or another grammar"
        assert message.startswith(advice)
        program, *arguments = shlex.split(message.partition("make it again: ")[2])
        assert program == "python"
        run_in(package, *arguments)
        assert (data / "en.safetensors").read_bytes() == vectors
        sentences = [re.sub(r"\bmen\b", "mans", text) for text in Sentences("en")]
        expected = phrasebook_embedder("en").embed(sentences)
        assert fingerprint_in(package, "en") == expected.fingerprint
        assert expected.fingerprint != Corpus.load("phrasebook:en").source.fingerprint

    def test_ids_of_other_vectors_are_refused(self, package):
        # The vectors of another language, with checksums that are right.
        data = package / "text" / "data"
        shutil.copy(data / "fr.safetensors", data / "en.safetensors")
        sums = (data / "SHA256SUMS").read_text("utf-8").splitlines()
        found = {name: digest for digest, name in map(str.split, sums)}
        found["en.safetensors"] = found["fr.safetensors"]
        lines = "".join(f"{digest}  {name}\n" for name, digest in found.items())
        (data / "SHA256SUMS").write_text(lines, "utf-8")
        assert "was made from other vectors or another grammar" in fingerprint_in(package, "en")

    @pytest.mark.slow
    def test_can_be_made_again_one_language_at_a_time(self, tmp_path):
        other = tmp_path / "zz.safetensors"
        other.write_bytes(b"as it was")
        make_vectors.main(tmp_path, ("en",))
        sums = [line.split() for line in (tmp_path / "SHA256SUMS").read_text("utf-8").splitlines()]
        made = ["deeds.npz", "en.safetensors", "en.tokens.npz"]
        assert [name for _, name in sums] == [*made, "zz.safetensors"]
        for digest, name in sums:
            assert digest == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert other.read_bytes() == b"as it was"
        made, shipped = WordVectors.load(tmp_path / "en.safetensors"), phrasebook_embedder("en")
        assert made.config == shipped.config
        assert made.tokenizer.to_str() == shipped.tokenizer.to_str()
        # Processors add the products of a sum in orders of their own, and the last bits differ;
        # another seed or another corpus would differ by about 0.1.
        assert made.table == pytest.approx(shipped.table, abs=0.01)


def test_an_embedder_for_one_side_leaves_the_other_as_it_is():
    mine = WordVectors(WordVectorsConfig(dim=8, epochs=1)).fit(["Hallo Welt", "Guten Tag"])
    corpus = Corpus.load("phrasebook:de-en", source_embedder=mine)
    assert corpus.source_embedder is mine
    assert corpus.target_embedder is phrasebook_embedder("en")
    texts = TextPairs(["a b", "c d", "e f"], ["a b", "c d", "e f"])
    echo = Corpus.embed({"train": texts}, source_embedder=mine)
    assert echo.target_embedder is mine
    assert echo.shared_space

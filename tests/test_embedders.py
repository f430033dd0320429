import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmar_env.text.corpus import phrasebook_embedder
from llmar_env.text.embedders import Embedder, WordVectors, WordVectorsConfig
from llmar_env.text.embedders.word_vectors import _whiten
from llmar_env.text.phrasebook import LANGUAGES, Phrasebook

CONFIG = WordVectorsConfig(dim=12, vocab_size=1200, epochs=2)
HAN = range(0x4E00, 0xA000)


def sentences(language, size=2000):
    return Phrasebook(language, language).sentences("train", size)[0]


@pytest.fixture(scope="module")
def english():
    return WordVectors(CONFIG).fit(sentences("en"))


@pytest.fixture(scope="module")
def chinese():
    return WordVectors(CONFIG).fit(sentences("zh"))


def vectors(embedder, text):
    """The vectors of one text."""
    (rows,), _ = embedder.embed([text]).gather([0])
    return rows


def token_texts(embedder, text):
    return [embedder.tokenizer.decode([token]) for token in embedder.tokenize([text])[0]]


class TestFit:
    def test_the_same_seed_gives_the_same_vectors(self, english):
        again = WordVectors(CONFIG).fit(sentences("en"))
        assert np.array_equal(again.table, english.table)
        texts = ["The man eats an apple.", "Zyzzyva!"]
        assert again.embed(texts).fingerprint == english.embed(texts).fingerprint

    def test_another_seed_gives_others(self, english):
        other = WordVectors(replace(CONFIG, seed=1))
        other.fit(sentences("en"))
        assert other.table.shape == english.table.shape
        # No token keeps its vector, whether trained or not; differences, as both were centered.
        ours, others = np.diff(english.table, axis=0), np.diff(other.table, axis=0)
        assert not np.isclose(ours, others).all(axis=1).any()

    def test_settings_are_heeded(self, english):
        assert english.dim == 12
        assert english.table.shape[1] == 12
        assert 256 < len(english.table) <= 1200
        assert english.table.dtype == np.float32

    def test_returns_itself(self):
        embedder = WordVectors(CONFIG)
        assert embedder.fit(["a b", "b a"]) is embedder
        assert isinstance(embedder, Embedder)

    def test_words_of_the_same_company_are_near(self):
        colours, numbers = ("red", "blue", "green"), ("seven", "eight", "nine")
        texts = [f"her {word} apple tastes sweet" for word in colours] * 200
        texts += [f"we counted {word} ships at night" for word in numbers] * 200
        embedder = WordVectors(WordVectorsConfig(dim=8, vocab_size=400, epochs=20)).fit(texts)
        found = np.array([vectors(embedder, word) for word in (*colours, *numbers)])[:, 0]
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        similarity = found @ found.T
        alike = np.kron(np.eye(2), np.ones((3, 3))) == 1
        assert similarity[alike].min() > similarity[~alike].max() + 0.5

    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_unit_rows_are_centered_on_the_texts(self, language, request):
        embedder = request.getfixturevalue({"en": "english", "zh": "chinese"}[language])
        table = embedder.table.astype(np.float64)
        # The means of the training texts have the mean zero ...
        assert embedder.embed(sentences(language)).means.mean(0) == pytest.approx(0, abs=1e-6)
        # ... and one shift, -c, brings all rows to unit length: |row + c|^2 = 1 is linear in c
        # and |c|^2 - 1.
        left = np.c_[2 * table, np.ones(len(table))]
        solution = np.linalg.lstsq(left, -(table**2).sum(1))[0]
        assert np.linalg.norm(table + solution[:-1], axis=1) == pytest.approx(1, abs=1e-5)
        assert np.linalg.norm(solution[:-1]) > 0.1

    def test_deepcopy_shares(self, english):
        assert copy.deepcopy(english) is english


class TestEmbed:
    def test_one_vector_for_each_token_in_order(self, english):
        texts = ["The man eats an apple.", "Anna is here."]
        store = english.embed(texts)
        assert len(store) == 2
        assert store.dim == english.dim
        for row, ids in enumerate(english.tokenize(texts)):
            found, (length,) = store.gather([row])
            assert length == len(ids)
            assert np.array_equal(found[0, :length], english.table[ids])

    def test_stores_share_the_table(self, english):
        assert english.embed(["a"]).table is english.embed(["b"]).table

    @given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
    def test_no_text_is_unknown(self, english, text):
        if not text.strip():
            with pytest.raises(ValueError, match="text 1 yields no token"):
                english.embed(["good", text])
            return
        rows = vectors(english, text)
        assert np.isfinite(rows).all()
        assert (np.abs(rows).max(axis=1) > 1e-3).all()

    @given(words=st.lists(st.text("abcxyzäßé猫犬😀", min_size=1, max_size=6), min_size=1))
    def test_tokens_spell_the_text(self, english, words):
        text = " ".join(words)
        assert english.tokenizer.decode(english.tokenize([text])[0]).strip() == text

    def test_unseen_words_differ(self, english):
        found = [vectors(english, word) for word in ("Zyzzyva", "zyzzyva", "Хлеб", "パン")]
        assert len({rows.tobytes() for rows in found}) == 4

    def test_composed_and_decomposed_letters_are_the_same(self, english):
        assert english.tokenize(["Caf\u00e9"]) == english.tokenize(["Cafe\u0301"])

    def test_a_word_is_the_same_token_first_and_later(self, english):
        first, later = english.tokenize(["Anna is Anna"])[0][::2]
        assert first == later
        assert english.tokenize(["  Anna  "]) == english.tokenize(["Anna"])

    def test_frequent_words_are_one_token(self, english):
        assert token_texts(english, "The woman is here.") == [" The", " woman", " is", " here", "."]

    @pytest.mark.parametrize("text", ["", " ", "\n\t \u3000"])
    def test_a_text_without_tokens(self, english, text):
        with pytest.raises(ValueError, match="text 2 yields no token"):
            english.embed(["a", "b", text])
        with pytest.raises(ValueError, match="text 1 yields no token"):
            WordVectors(CONFIG).fit(["a", text])

    def test_half_a_character(self, english):
        message = r"text 1 has half a surrogate pair, U\+D800, at character 2: 'a \\ud800'"
        for use in (english.embed, english.tokenize, WordVectors(CONFIG).fit):
            with pytest.raises(ValueError, match=message):
                use(["a", "a \ud800"])

    def test_no_texts(self, english):
        with pytest.raises(ValueError, match="at least one text"):
            english.embed([])

    def test_before_fit(self, tmp_path):
        embedder = WordVectors(CONFIG)
        for use in (
            lambda: embedder.embed(["a"]),
            lambda: embedder.tokenize(["a"]),
            lambda: embedder.save(tmp_path / "a"),
        ):
            with pytest.raises(RuntimeError, match=r"call fit\(texts\) first"):
                use()


class TestChinese:
    def test_a_character_is_a_boundary(self, chinese):
        text = "那个男人在那里，我的朋友很好。"
        assert token_texts(chinese, text) == list(text)

    def test_no_token_joins_characters(self, chinese):
        size = chinese.tokenizer.get_vocab_size()
        words = [chinese.tokenizer.decode([token]) for token in range(size)]
        han = [sum(ord(letter) in HAN for letter in word) for word in words]
        assert max(han) == 1
        assert sum(han) > 50

    def test_beside_latin_letters(self, chinese):
        tokens = token_texts(chinese, "男人A人")
        assert tokens == ["男", "人", "A", "人"]

    def test_rare_characters_become_bytes(self, chinese):
        ids = chinese.tokenize(["龘"])[0]
        assert len(ids) > 1
        assert chinese.tokenizer.decode(ids) == "龘"


class TestFiles:
    def test_round_trip(self, english, tmp_path):
        path = tmp_path / "vectors.safetensors"
        english.save(path)
        again = WordVectors.load(str(path))
        assert again.config == english.config
        assert np.array_equal(again.table, english.table)
        texts = [*sentences("en", 50), "Zyzzyva 猫"]
        assert again.embed(texts).fingerprint == english.embed(texts).fingerprint

    def test_half(self, english, tmp_path):
        english.save(tmp_path / "whole")
        english.save(tmp_path / "half", half=True)
        again = WordVectors.load(tmp_path / "half")
        assert again.table.dtype == np.float32
        assert np.array_equal(again.table, english.table.astype(np.float16).astype(np.float32))
        saved = (tmp_path / "whole").stat().st_size - (tmp_path / "half").stat().st_size
        assert abs(saved - english.table.size * 2) < 64

    def test_is_a_safetensors_file_and_nothing_more(self, english, tmp_path):
        path = tmp_path / "vectors"
        english.save(path)
        raw = path.read_bytes()
        size = int.from_bytes(raw[:8], "little")
        head = json.loads(raw[8 : 8 + size])
        assert set(head) == {"__metadata__", "vectors"}
        assert head["vectors"]["shape"] == list(english.table.shape)
        start, end = head["vectors"]["data_offsets"]
        assert (start, 8 + size + end) == (0, len(raw))
        body = np.frombuffer(raw[8 + size :], "<f4").reshape(english.table.shape)
        assert np.array_equal(body, english.table)
        assert json.loads(head["__metadata__"]["config"])["dim"] == 12

    @pytest.mark.parametrize("metadata", [None, {"config": "{}"}, {"tokenizer": "{}"}])
    def test_other_tensors(self, tmp_path, metadata):
        from safetensors.numpy import save_file

        path = tmp_path / "other.safetensors"
        save_file({"vectors": np.zeros((3, 2))}, path, metadata=metadata)
        with pytest.raises(ValueError, match=r"other\.safetensors holds no word vectors"):
            WordVectors.load(path)

    def test_something_else(self, tmp_path):
        path = tmp_path / "other.safetensors"
        path.write_bytes(b"source\ttarget\na\tb\n")
        with pytest.raises(ValueError, match=r"other\.safetensors"):
            WordVectors.load(path)


class TestConfig:
    @pytest.mark.parametrize("name", ["dim", "window", "negative", "epochs"])
    def test_at_least_one(self, name):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, found 0"):
            WordVectorsConfig(**{name: 0})

    def test_all_bytes_must_fit(self):
        with pytest.raises(ValueError, match="vocab_size must be above the 256 bytes, found 256"):
            WordVectorsConfig(vocab_size=256)
        assert len(WordVectors(WordVectorsConfig(dim=2, vocab_size=257)).fit(["a a"]).table) <= 257


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_that_ignores_its_text_scores_about_0(language):
    store = phrasebook_embedder(language).embed(sentences(language, 4000))
    # The best of all constant answers scores the length of the mean of the unit means.
    assert np.linalg.norm(store.unit_means.mean(0)) < 0.06
    scores = store.unit_means @ np.random.default_rng(0).standard_normal((store.dim, 5))
    assert abs(scores.mean()) < 0.06
    # While sentences are far from alike.
    spread = store.unit_means @ store.unit_means[0]
    assert spread.std() > 0.1


class TestWhitening:
    texts = tuple(f"{a} {b} {c}" for a in ("one", "two") for b in ("red", "big") for c in "xyzuvw")

    def vectors(self, whitening, dim=8):
        config = WordVectorsConfig(dim=dim, vocab_size=300, epochs=2, whitening=whitening)
        return WordVectors(config).fit(self.texts)

    def test_at_one_all_axes_have_one_deviation(self):
        rng = np.random.default_rng(0)
        vectors = (rng.standard_normal((200, 6)) * [9, 5, 3, 1, 0.5, 0.1] + 4).astype(np.float32)
        np.testing.assert_allclose(np.cov(_whiten(vectors, 1.0).T, bias=True), np.eye(6), atol=1e-3)

    def test_at_one_half_deviations_are_those_before_to_the_half(self):
        rng = np.random.default_rng(0)
        vectors = (rng.standard_normal((200, 4)) * [9, 5, 3, 1]).astype(np.float32)
        before, after = (
            np.linalg.eigvalsh(np.cov(one.T, bias=True)) for one in (vectors, _whiten(vectors, 0.5))
        )
        np.testing.assert_allclose(after, before**0.5, rtol=1e-3)

    def test_words_that_share_few_axes_stand_further_apart(self):
        rng = np.random.default_rng(0)
        vectors = rng.standard_normal((300, 2)) @ rng.standard_normal((2, 16)) * 5
        vectors = (vectors + 0.3 * rng.standard_normal((300, 16))).astype(np.float32)

        def nearest(power):
            unit = _whiten(vectors, power)
            unit /= np.linalg.norm(unit, axis=1, keepdims=True)
            return (unit @ unit.T - 2 * np.eye(len(unit))).max(axis=1).mean()

        assert nearest(0.0) > 0.98
        assert nearest(1.0) < nearest(0.5) < 0.96

    def test_texts_stay_centered_and_the_setting_is_saved(self, tmp_path):
        embedder = self.vectors(0.5)
        assert np.abs(embedder.embed(self.texts).means.mean(axis=0)).max() < 1e-6
        embedder.save(tmp_path / "vectors.safetensors")
        assert WordVectors.load(tmp_path / "vectors.safetensors").config.whitening == 0.5

    @pytest.mark.parametrize("whitening", [-0.1, 1.5, float("nan")])
    def test_out_of_range(self, whitening):
        with pytest.raises(ValueError, match="whitening must lie in"):
            WordVectorsConfig(whitening=whitening)

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmar_env
from llmar_env.text.corpus import Corpus, phrasebook_embedder
from llmar_env.text.phrasebook import (
    LANGUAGES,
    SIZES,
    Phrasebook,
    count,
    meanings,
    parse,
    render,
)
from llmar_env.text.phrasebook.grammar import read_forms, read_phrases

ALL = pytest.mark.parametrize("language", LANGUAGES)

# Each row says the same, in English, German, French and Chinese, as a person would write it down.
GOLD = [
    (
        "Anna is here.",
        "Anna ist hier.",
        "Anna est ici.",
        "安娜在这里。",
    ),
    (
        "The farmer buys two potatoes at home.",
        "Der Bauer kauft zu Hause zwei Kartoffeln.",
        "L'agriculteur achète deux pommes de terre à la maison.",
        "那个农民在家里买两个土豆。",
    ),
    (
        "My uncle will be in the kitchen soon.",
        "Bald wird mein Onkel in der Küche sein.",
        "Bientôt, mon oncle va être dans la cuisine.",
        "不久后我的叔叔会在厨房里。",
    ),
    (
        "The farmer was not at the market last night.",
        "Letzte Nacht war der Bauer nicht auf dem Markt.",
        "La nuit dernière, l'agriculteur n'était pas au marché.",
        "昨天夜里那个农民不在市场上。",
    ),
    (
        "Thomas will not be in the office tomorrow.",
        "Morgen wird Thomas nicht im Büro sein.",
        "Demain, Thomas ne va pas être au bureau.",
        "明天托马斯不会在办公室里。",
    ),
    (
        "Does the man find an ordinary umbrella?",
        "Findet der Mann einen gewöhnlichen Regenschirm?",
        "Est-ce que l'homme trouve un parapluie ordinaire ?",
        "那个男人找到一把普通的雨伞吗？",
    ),
    (
        "Did Anna eat an expensive egg here yesterday?",
        "Hat Anna gestern hier ein teures Ei gegessen?",
        "Est-ce qu'Anna a mangé un œuf cher ici hier ?",
        "昨天安娜在这里吃了一个昂贵的鸡蛋吗？",
    ),
    (
        "Will Maria choose ten cheap cakes in the garden next month?",
        "Wird Maria nächsten Monat im Garten zehn billige Kuchen wählen?",
        "Est-ce que Maria va choisir dix gâteaux bon marché dans le jardin le mois prochain ?",
        "下个月玛丽亚会在花园里选十块便宜的蛋糕吗？",
    ),
    (
        "Peter saw a beautiful bird in the park yesterday.",
        "Gestern hat Peter im Park einen schönen Vogel gesehen.",
        "Hier, Peter a vu un bel oiseau dans le parc.",
        "昨天彼得在公园里看见了一只漂亮的鸟。",
    ),
    (
        "My mother rented five strange bicycles last week because Anna saw three beautiful ducks.",
        "Letzte Woche hat meine Mutter fünf seltsame Fahrräder gemietet, "
        "weil Anna drei schöne Enten gesehen hat.",
        "La semaine dernière, ma mère a loué cinq vélos étranges "
        "parce qu'Anna a vu trois beaux canards.",
        "上周我的母亲租了五辆奇怪的自行车，因为安娜看见了三只漂亮的鸭子。",
    ),
    (
        "The woman will be there in three days because your friend will sell four big horses.",
        "In drei Tagen wird die Frau dort sein, weil dein Freund vier große Pferde verkaufen wird.",
        "Dans trois jours, la femme va être là-bas "
        "parce que ton ami va vendre quatre grands chevaux.",
        "三天后那个女人会在那里，因为你的朋友会卖四匹大马。",
    ),
    (
        "The baker loses a blue key in the city, but my sister finds a small bag.",
        "Der Bäcker verliert in der Stadt einen blauen Schlüssel, "
        "aber meine Schwester findet eine kleine Tasche.",
        "Le boulanger perd une clé bleue en ville, mais ma sœur trouve un petit sac.",
        "那个面包师在城里弄丢一把蓝色的钥匙，但是我的妹妹找到一个小包。",
    ),
    (
        "The teacher is in the library and my mother chooses nine newspapers.",
        "Der Lehrer ist in der Bibliothek und meine Mutter wählt neun Zeitungen.",
        "Le professeur est à la bibliothèque et ma mère choisit neuf journaux.",
        "那位老师在图书馆里，而我的母亲选九份报纸。",
    ),
    (
        "Does the child read a book in the library today?",
        "Liest das Kind heute in der Bibliothek ein Buch?",
        "Est-ce que l'enfant lit un livre à la bibliothèque aujourd'hui ?",
        "今天那个孩子在图书馆里读一本书吗？",
    ),
]

# SHA-256 of the sentences of each split, a line each: results of a version are of these very texts.
DIGESTS = {
    ("train", "de"): "9757bfc9d422da3a8ebdb2cd3e79757496d5f87e72f2cf3381acb424b9b9a6f5",
    ("train", "en"): "20c872ba47836ec59413bbc89e1cafb155ea9948bf8132506b8bf5e28aeca2b9",
    ("train", "fr"): "23cdb9b102609255af6af316390f94c6fd4791ed2a27c478345d27cbf47ede67",
    ("train", "zh"): "567e717004fb8f2adddf3f6d75aab2ac9d47d4badfd781ecfdbf8f895e7d1541",
    ("valid", "de"): "f003557cbe7c74b9643d8baee53bd7b63f952a4c3eef87509fbab0421314acfc",
    ("valid", "en"): "99c9ca22321de7b94f5f29ff07fd3571346fc571e184f60f95c953d0ff89c613",
    ("valid", "fr"): "2ba3e8d86cd83fa587aec2774c9a85bc038b3ab1fc8ac1d33a6ef9b1994a0370",
    ("valid", "zh"): "82f2d4ddf43da82a5bcb177e11e01763dcc0db5210c4595ead10c15e425570da",
    ("test", "de"): "8c73cbc13390bb9ab2771f5e075a44d1429e673cbf3184740f2fd10e81dd2ff6",
    ("test", "en"): "60253ad6a9b8324231afb22ad286410b35a7c1f4729a317a7066b8074e204159",
    ("test", "fr"): "0f0e4ee03ea034fca828b1d1301d382474591e13f5877faab0f29b06c5e8edca",
    ("test", "zh"): "62dd2a116afdf1f908565b73e257f21bfa49254cfaa323611b1fef0533b42668",
}


def digest(lines) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def words(sentence: str, language: str) -> list[str]:
    return list(sentence) if language == "zh" else re.findall(r"\w+", sentence.lower())


@pytest.fixture(scope="module")
def splits():
    """Sentences of each language and split, rendered once for all tests."""
    return {
        language: {split: Phrasebook(language, language).sentences(split)[0] for split in SIZES}
        for language in LANGUAGES
    }


class TestLanguages:
    @pytest.mark.parametrize("row", GOLD, ids=[row[0][:-1] for row in GOLD])
    def test_gold(self, row):
        sentences = dict(zip(("en", "de", "fr", "zh"), row, strict=True))
        meaning = parse(sentences["en"], "en")
        assert {language: render(meaning, language) for language in sentences} == sentences
        assert {parse(text, language) for language, text in sentences.items()} == {meaning}

    @ALL
    @given(seed=st.integers(0, 2**32), split=st.sampled_from(list(SIZES)))
    @settings(max_examples=30, deadline=None)
    def test_parsing_gives_the_meaning_back(self, language, seed, split):
        for meaning in meanings(20, split=split, seed=seed):
            assert parse(render(meaning, language), language) == meaning

    @ALL
    def test_different_meanings_are_different_sentences(self, splits, language):
        sentences = [text for part in splits[language].values() for text in part]
        assert len(set(sentences)) == len(sentences)

    @ALL
    def test_looks_like_text(self, splits, language):
        end = "[。？]" if language == "zh" else "[.?]"
        for text in splits[language]["train"]:
            assert re.fullmatch(rf"[^\s.?。？]([^.?。？]*[^\s.?。？])? ?{end}", text)
            assert "  " not in text
            assert " ," not in text
            assert text[0] == text[0].upper()
            assert not (language == "zh" and re.search(r"[a-z\s]", text))

    def test_english_articles(self, splits):
        text = " ".join(splits["en"]["train"])
        found = re.findall(r"\b(an?) (\w)", text)
        assert len(found) > 1000
        assert all((article == "an") == (letter in "aeiou") for article, letter in found)

    def test_german_puts_the_verb_second_and_in_because_clauses_last(self, splits):
        ends = re.findall(r", weil .* (\w+)\.", "\n".join(splits["de"]["train"]))
        assert len(ends) > 1000
        assert not {"gekauft", "kaufen", "Apfel", "Äpfel"} & set(ends)
        assert {"hat", "wird", "kauft"} <= set(ends)
        starts = {text.split()[1] for text in splits["de"]["train"] if text.startswith("Gestern ")}
        assert starts == {"hat", "war"}

    def test_french_elides_before_vowels_and_nowhere_else(self, splits):
        text = "\n".join(splits["fr"]["train"]).lower()
        assert not re.search(r"\b(le|la|que|ne|un beau) [aeiouéèêœh]", text)
        assert set(re.findall(r"\b\w+(?=')", text)) == {"l", "n", "qu", "aujourd"}
        assert set(re.findall(r"(\S* ?)qu'", text)) == {"est-ce ", "parce "}

    def test_chinese_measure_words(self, splits):
        text = "".join(splits["zh"]["train"])
        assert "两" in text
        assert "二" not in text
        for noun, measure in {"狗": "只", "马": "匹", "书": "本", "信": "封", "桌子": "张"}.items():
            found = re.findall(rf"[一两三四五六七八九十](\w)(?:\w{{1,3}}的|大|小)?{noun}", text)
            assert len(found) > 20
            assert set(found) == {measure}


class TestParse:
    @pytest.mark.parametrize(
        ("text", "language"),
        [
            ("", "en"),
            (".", "en"),
            ("Anna is here", "en"),
            ("Anna is here?", "en"),
            ("the man is here.", "en"),
            ("The  man is here.", "en"),
            ("Anna is here here.", "en"),
            ("Anna are here.", "en"),
            ("The farmer buys a apple.", "en"),
            ("The farmer buys two apple.", "en"),
            ("The farmer will buy an apple yesterday.", "en"),
            ("Anna ist hier.", "en"),
            ("Der Bauer kauft einen Birne.", "de"),
            ("Der Bauer kauft ein schöne Ei.", "de"),
            ("Gestern kauft der Bauer ein Ei.", "de"),
            ("Le boulanger mange une œuf.", "fr"),
            ("Le boulanger voit un beau oiseau.", "fr"),
            ("那个农民买两只土豆。", "zh"),
        ],
    )
    def test_what_the_grammar_does_not_say(self, text, language):
        with pytest.raises(ValueError, match="not a sentence of the phrasebook"):
            parse(text, language)

    @pytest.mark.parametrize("language", ["xx", "", "EN"])
    def test_unknown_language(self, language):
        for use in (parse, render):
            text = "Anna is here."
            with pytest.raises(ValueError, match=rf"no language '{language}'; .*de, en, fr, zh"):
                use(text if use is parse else parse(text, "en"), language)


class TestTables:
    def test_phrases_come_in_the_order_of_the_concepts(self):
        table = "fruit | phrase\npear | die Birne\napple | der Apfel"
        assert read_phrases(["apple", "pear"], table) == ["der Apfel", "die Birne"]

    def test_underscores_of_forms_are_blanks(self):
        table = """
noun | gender singular plural
potato | f pomme_de_terre pommes_de_terre
"""
        assert read_forms(["potato"], table) == [["f", "pomme de terre", "pommes de terre"]]

    @pytest.mark.parametrize(
        ("lines", "reason"),
        [
            (["apple | m Apfel"], "fruit: missing: 'pear'"),
            (
                ["apple | m Apfel", "paer | f Birne"],
                "fruit: missing: 'pear'; not a concept: 'paer'",
            ),
            (["apple | m Apfel", "pear | f Birne", "fig | f Feige"], "fruit: not a concept: 'fig'"),
            (["apple | m Apfel", "apple | f Birne"], "fruit: 'apple' has two lines"),
            (
                ["apple | m Apfel", "pear f Birne"],
                "a line must read concept | words, found 'pear f",
            ),
            (["apple | m Apfel", "pear |"], "a line must read concept | words, found 'pear |'"),
            (["apple | m Apfel", "pear | f"], "'pear' needs the forms 'gender noun', found 'f'"),
            (["apple | m Apfel s", "pear | f Birne"], "'apple' needs the forms 'gender noun'"),
        ],
    )
    def test_a_table_that_does_not_fit_the_concepts(self, lines, reason):
        with pytest.raises(ValueError, match=re.escape(reason)):
            read_forms(["apple", "pear"], "\n".join(["fruit | gender noun", *lines]))

    def test_a_language_is_one_file(self, tmp_path):
        source = Path(llmar_env.__file__).parent
        copied = shutil.copytree(source, tmp_path / "llmar_env")
        (copied / "text" / "phrasebook" / "languages" / "xx.py").write_text(
            """
from dataclasses import replace
from llmar_env.text.phrasebook.languages.en import LANGUAGE as ENGLISH
LANGUAGE = replace(ENGLISH, question=("¿", "?"), contract=str.upper, expand=str.lower)
""",
            "utf-8",
        )
        code = """
import json
from llmar_env.text.phrasebook import LANGUAGES, parse, render
meaning = parse("Does the man eat two apples here?", "en")
text = render(meaning, "xx")
print(json.dumps([LANGUAGES, text, parse(text, "xx") == meaning]))
"""
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            stdout=subprocess.PIPE,
            check=True,
            timeout=120,
        )
        assert json.loads(done.stdout) == [
            sorted([*LANGUAGES, "xx"]),
            "¿DOES THE MAN EAT TWO APPLES HERE?",
            True,
        ]


class TestMeanings:
    def test_more_than_a_million(self):
        assert count() > 1_000_000
        first, second = (set(meanings(100_000, seed=seed)) for seed in (0, 1))
        assert len(first) == len(second) == 100_000
        # Of no more than a million, 10,000 or more of these would be the same.
        assert len(first & second) < 10_000

    @pytest.mark.parametrize("seed", [0, 1, 2**40])
    def test_splits_are_disjoint_whatever_the_seed(self, seed):
        train = set(meanings(20_000, seed=5))
        valid, test = (set(meanings(1000, split=split, seed=seed)) for split in ("valid", "test"))
        assert not train & valid
        assert not train & test
        assert not valid & test

    def test_seeds_differ(self):
        assert meanings(100, seed=3) == meanings(100, seed=3)
        assert len(set(meanings(100, seed=3)) & set(meanings(100, seed=4))) < 20

    @pytest.mark.parametrize("size", [-1, 0, 1_000_001])
    def test_size_out_of_range(self, size):
        with pytest.raises(ValueError, match="1 to 1,000,000"):
            meanings(size)
        with pytest.raises(ValueError, match="1 to 1,000,000"):
            Phrasebook().sentences("train", size)

    def test_unknown_split(self):
        for use in (lambda: meanings(1, split="dev"), lambda: Phrasebook().sentences("dev")):
            with pytest.raises(ValueError, match=r"no split 'dev'; .*train, valid, test"):
                use()


class TestSplits:
    @ALL
    def test_disjoint(self, splits, language):
        train, valid, test = (set(splits[language][split]) for split in SIZES)
        assert (len(train), len(valid), len(test)) == (20_000, 1_000, 1_000)
        assert not train & valid
        assert not train & test
        assert not valid & test

    @ALL
    def test_all_words_occur_in_training(self, splits, language):
        seen, new = (
            {
                word
                for split in names
                for text in splits[language][split]
                for word in words(text, language)
            }
            for names in (["train"], ["valid", "test"])
        )
        assert new <= seen
        assert len(seen) > 150

    @ALL
    def test_lengths_spread(self, splits, language):
        tokens = phrasebook_embedder(language).embed(splits[language]["test"]).lengths
        # Most words have one token, and so has every character of Chinese.
        assert 3 <= tokens.min() <= 7
        assert 20 <= tokens.max() <= (45 if language == "zh" else 32)
        frequent = np.bincount(tokens) > 0.02 * len(tokens)
        assert frequent.sum() >= 12

    @pytest.mark.parametrize(
        ("language", "expected"),
        [
            ("de", "0be783a18b8a289f476fbbbae61bd5cebee3d6f5da0247ba61462a66094bcf63"),
            ("en", "fd019233e1dc84e7b87629462777cf0feddb04bd8f97d0883930f06f82866527"),
            ("fr", "c6b69f6ba62546533fa976a0dbd86a9473e800783c701e90356b9f0dd1fc6f2c"),
            ("zh", "9fa7671286984ba071d8c187cdf7c8e0924e49ac3a8a3678f10be955ca2c4cda"),
        ],
    )
    def test_the_same_on_every_machine(self, language, expected):
        assert digest(Phrasebook(language, language).sentences("train", 1000)[0]) == expected

    @pytest.mark.parametrize(("split", "language"), DIGESTS)
    def test_every_sentence_stays_as_it_is(self, splits, split, language):
        assert digest(splits[language][split]) == DIGESTS[split, language]


class TestPhrasebook:
    @pytest.mark.parametrize(
        ("name", "source", "target", "canonical"),
        [
            ("phrasebook:de-en", "de", "en", "phrasebook:de-en"),
            ("phrasebook:zh-fr", "zh", "fr", "phrasebook:zh-fr"),
            ("phrasebook:en", "en", "en", "phrasebook:en"),
            ("phrasebook:en-en", "en", "en", "phrasebook:en"),
        ],
    )
    def test_names(self, name, source, target, canonical):
        book = Phrasebook.from_name(name)
        assert (book.source, book.target) == (source, target)
        assert book.name == canonical
        assert Phrasebook.from_name(book.name) == book

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("phrasebook:xx", "no language 'xx'; .*de, en, fr, zh"),
            ("phrasebook:", "no language ''"),
            ("phrasebook:de-xx", "no language 'xx'"),
            ("phrasebook:de-", "no language ''"),
            ("phrasebook:-en", "no language ''"),
            ("phrasebook:EN", "no language 'EN'"),
            ("phrasebook: en", "no language ' en'"),
            ("phrasebook:de-en-fr", "no corpus 'phrasebook:de-en-fr'; .*SOURCE-TARGET"),
            ("phrasebook", "no corpus 'phrasebook'"),
            ("de-en", "no corpus 'de-en'"),
            ("", "no corpus ''"),
        ],
    )
    def test_bad_names(self, name, reason):
        with pytest.raises(ValueError, match=reason):
            Phrasebook.from_name(name)

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("phrasbook:de-en", "phrasebook:de-en"),
            ("Phrasebook:fr-zh", "phrasebook:fr-zh"),
            ("phrasebook-de-en", "phrasebook:de-en"),
            ("phrasebook:de-eng", "phrasebook:de-en"),
            ("phrasebook:de_fr", "phrasebook:de-fr"),
            ("zh-fr", "phrasebook:zh-fr"),
            ("fr", "phrasebook:fr"),
        ],
    )
    def test_a_misspelt_name(self, name, meant):
        for use in (Phrasebook.from_name, Corpus.load):
            with pytest.raises((ValueError, FileNotFoundError), match=f"did you mean {meant}\\?$"):
                use(name)

    def test_a_file_is_no_misspelt_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "de-en").write_text("source\na\n")
        with pytest.raises(ValueError, match="the name has no extension"):
            Corpus.load("de-en")
        with pytest.raises(FileNotFoundError, match=r"its folder holds no file of texts$"):
            Corpus.load("phrases.tsv")

    def test_sides_are_parallel(self):
        sources, targets = Phrasebook("fr", "zh", seed=3).sentences("valid", 50)
        for source, target in zip(sources, targets, strict=True):
            assert parse(source, "fr") == parse(target, "zh")

    def test_echo(self):
        sources, targets = Phrasebook("fr", "fr").sentences("test", 50)
        assert sources == targets

    def test_seed(self):
        first, again, other = (Phrasebook(seed=n).sentences("train", 50) for n in (7, 7, 8))
        assert first == again != other

    @pytest.mark.parametrize(("split", "size"), SIZES.items())
    def test_sizes(self, split, size):
        assert len(Phrasebook("en", "en").sentences(split)[0]) == size
        assert len(Phrasebook("en", "en").sentences(split, 7)[0]) == 7

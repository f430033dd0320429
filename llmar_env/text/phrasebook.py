"""The built-in corpus: a grammar that says the same in English, German, French and Chinese.

A sentence is a *meaning*, a tuple of integers. Each language lays the meaning's fields out as a
sequence of parts, and a part is a table from the values of a few fields to a phrase. Rendering
looks the phrases up; parsing looks them up the other way round, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from llmar_env.arrays import hash_counters
from llmar_env.text import lexicon

__all__ = ["LANGUAGES", "SIZES", "Meaning", "Phrasebook", "count", "meanings", "parse", "render"]

LANGUAGES = ("de", "en", "fr", "zh")
SIZES: Mapping[str, int] = {"train": 20_000, "valid": 1_000, "test": 1_000}
"""Sentences of each split by default."""

Meaning = tuple[int, ...]
"""One value for each of `FIELDS`; 0 where a sentence has no such part."""

FIELDS = (
    *("kind", "time", "person", "verb", "number", "adjective", "noun", "place"),
    *("link", "person2", "verb2", "number2", "adjective2", "noun2"),
)
_CLAUSE = ("person", "verb", "number", "adjective", "noun")

_STATEMENT, _QUESTION, _IS, _IS_NOT = range(4)
_AND, _BUT, _BECAUSE = 1, 2, 3

_COLUMN = {"en": 0, "de": 1, "fr": 2, "zh": 3}
_NOUNS = lexicon.table(lexicon.NOUNS)
_ADJECTIVES = lexicon.table(lexicon.ADJECTIVES)
_VERBS = lexicon.table(lexicon.VERBS)
_PEOPLE = lexicon.table(lexicon.PEOPLE)
_PLACES = lexicon.table(lexicon.PLACES)
_TIMES = lexicon.table(lexicon.TIMES)
_NUMBERS = lexicon.table(lexicon.NUMBERS)
# What can be done with what: (verb, noun) where the noun is of one of the verb's classes.
_DEEDS = np.array(
    [
        (v, o)
        for (v, verb), (o, noun) in product(enumerate(_VERBS), enumerate(_NOUNS))
        if noun[0][0] in verb[4]
    ]
)

Values = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Part:
    """A phrase that depends on a few fields alone."""

    fields: tuple[str, ...]
    phrases: Mapping[Values, str]

    @classmethod
    def make(cls, phrase: Callable[..., str], **sizes: int) -> _Part:
        """Tabulate a phrase over all values of its fields."""
        values = product(*(range(size) for size in sizes.values()))
        return cls(tuple(sizes), {value: phrase(*value) for value in values})

    def of_second_clause(self) -> _Part:
        """The same part, for the clause behind the conjunction."""
        return _Part(tuple(f + "2" if f in _CLAUSE else f for f in self.fields), self.phrases)


@dataclass(frozen=True)
class _Language:
    """The parts of a language's sentences."""

    parts: Mapping[str, _Part]
    order: Callable[[int, int, bool], Sequence[str]]  # names of parts, for kind, link, timed
    blank: str  # between parts
    marks: tuple[str, str]  # at the end of statements and of questions


def _tense(time: int) -> int:
    """0 present, 1 past, 2 future; without a time it is the present."""
    return 0 if time == 0 else ("present", "past", "future").index(_TIMES[time - 1][0][0])


def _column(rows: list[list[list[str]]], column: int) -> Callable[[int], str]:
    """Phrase of an optional field: nothing at 0."""
    return lambda value: "" if value == 0 else rows[value - 1][column][0]


def _noun_phrase(language: str) -> Callable[[int, int, int], str]:
    def english(number: int, adjective: int, noun: int) -> str:
        words = [] if adjective == 0 else [_ADJECTIVES[adjective - 1][0][0]]
        words.append(_NOUNS[noun][1][number > 0])
        article = "an" if words[0][0] in "aeiou" else "a"
        return " ".join([_NUMBERS[number][0][0] if number else article, *words])

    def german(number: int, adjective: int, noun: int) -> str:
        gender, *forms = _NOUNS[noun][2]
        article = "ein" + {"m": "en", "f": "e", "n": ""}[gender]
        ending = "e" if number else {"m": "en", "f": "e", "n": "es"}[gender]
        words = [_NUMBERS[number][1][0] if number else article]
        if adjective:
            words.append(_ADJECTIVES[adjective - 1][1][0] + ending)
        return " ".join([*words, forms[number > 0]])

    def french(number: int, adjective: int, noun: int) -> str:
        gender, *forms = _NOUNS[noun][3]
        words = [_NUMBERS[number][2][0] if number else {"m": "un", "f": "une"}[gender]]
        words.append(form := forms[number > 0])
        if adjective:
            *before, m, f, ms, fs = _ADJECTIVES[adjective - 1][2]
            agreed = {"m": (m, ms), "f": (f, fs)}[gender][number > 0]
            if agreed == "beau" and form[0] in "aeiouéèœh":
                agreed = "bel"
            words.insert(1 if before else 2, agreed)
        return " ".join(words)

    def chinese(number: int, adjective: int, noun: int) -> str:
        measure, name = _NOUNS[noun][4]
        attribute = "" if adjective == 0 else _ADJECTIVES[adjective - 1][3][0]
        return _NUMBERS[number][3][0] + measure + attribute + name

    return {"en": english, "de": german, "fr": french, "zh": chinese}[language]


def _common(language: str) -> dict[str, _Part]:
    column = _COLUMN[language]
    times, verbs = len(_TIMES) + 1, len(_VERBS)

    def verb(form: Callable[[int, list[str]], str]) -> _Part:
        return _Part.make(
            lambda time, verb: form(_tense(time), _VERBS[verb][column]), time=times, verb=verbs
        )

    def tensed(present: str, past: str, future: str) -> _Part:
        return _Part.make(lambda time: (present, past, future)[_tense(time)], time=times)

    parts = {
        "time": _Part.make(_column(_TIMES, column + 1), time=times),
        "place": _Part.make(_column(_PLACES, column), place=len(_PLACES) + 1),
        "person": _Part.make(lambda person: _PEOPLE[person][column][0], person=len(_PEOPLE)),
        "object": _Part.make(
            _noun_phrase(language),
            number=len(_NUMBERS),
            adjective=len(_ADJECTIVES) + 1,
            noun=len(_NOUNS),
        ),
    }
    if language == "en":
        parts |= {
            "verb": verb(lambda t, v: (v[0], v[1], "will " + v[2])[t]),
            "infinitive": verb(lambda _, v: v[2]),
            "aux": tensed("does", "did", "will"),
            "is": tensed("is", "was", "will be"),
            "is_not": tensed("is not", "was not", "will not be"),
        }
    elif language == "de":
        parts |= {
            "verb": verb(lambda t, v: (v[0], "hat", "wird")[t]),
            "rest": verb(lambda t, v: ("", v[1], v[2])[t]),
            "is": tensed("ist", "war", "wird"),
            "be": tensed("", "", "sein"),
        }
    elif language == "fr":
        parts |= {
            "verb": verb(lambda t, v: (v[0], "a " + v[1], "va " + v[2])[t]),
            "is": tensed("est", "était", "va être"),
            "is_not": tensed("n'est pas", "n'était pas", "ne va pas être"),
        }
    else:
        parts |= {
            "verb": verb(lambda t, v: v[0] + "了" if t == 1 else v[0]),
            "will": tensed("", "", "会"),
        }
    return parts


_LINKS = {
    "en": ("and", ", but", "because"),
    "de": ("und", ", aber", ", weil"),
    "fr": ("et", ", mais", "parce que"),
    "zh": ("，而", "，但是", "，因为"),
}


def _english(kind: int, link: int, _timed: bool) -> list[str]:
    head = {
        _STATEMENT: ["person", "verb", "object", "place"],
        _QUESTION: ["aux", "person", "infinitive", "object", "place"],
        _IS: ["person", "is", "place"],
        _IS_NOT: ["person", "is_not", "place"],
    }[kind]
    tail = ["link", "person2", "verb2", "object2"] if link else []
    return [*head, "time", *tail]


def _german(kind: int, link: int, timed: bool) -> list[str]:
    rest = {
        _STATEMENT: ["place", "object", "rest"],
        _QUESTION: ["time", "place", "object", "rest"],
        _IS: ["place", "be"],
        _IS_NOT: ["not", "place", "be"],
    }[kind]
    verb = "verb" if kind in (_STATEMENT, _QUESTION) else "is"
    if kind == _QUESTION:
        head = [verb, "person"]
    else:  # verb second
        head = ["time", verb, "person"] if timed else ["person", verb]
    tail = {
        0: [],
        _AND: ["link", "person2", "verb2", "object2", "rest2"],
        _BUT: ["link", "person2", "verb2", "object2", "rest2"],
        _BECAUSE: ["link", "person2", "object2", "rest2", "verb2"],
    }[link]
    return [*head, *rest, *tail]


def _french(kind: int, link: int, timed: bool) -> list[str]:
    head = {
        _STATEMENT: ["person", "verb", "object", "place"],
        _QUESTION: ["est-ce que", "person", "verb", "object", "place", "time"],
        _IS: ["person", "is", "place"],
        _IS_NOT: ["person", "is_not", "place"],
    }[kind]
    if timed and kind != _QUESTION:
        head = ["time", ",", *head]
    tail = ["link", "person2", "verb2", "object2"] if link else []
    return [*head, *tail]


def _chinese(kind: int, link: int, _timed: bool) -> list[str]:
    deed = ["time", "person", "will", "place", "verb", "object"]
    rest = {
        _STATEMENT: deed,
        _QUESTION: [*deed, "吗"],
        _IS: ["time", "person", "will", "place"],
        _IS_NOT: ["time", "person", "不", "will", "place"],
    }[kind]
    tail = ["link", "person2", "will", "verb2", "object2"] if link else []
    return [*rest, *tail]


@cache
def _language(name: str) -> _Language:
    parts = _common(name)
    parts |= {part + "2": parts[part].of_second_clause() for part in parts if part != "time"}
    links = dict(enumerate(_LINKS[name], start=1))
    parts["link"] = _Part(("link",), {(link,): text for link, text in links.items()})
    for word in ("nicht", "est-ce que", ",", "吗", "不"):
        parts["not" if word == "nicht" else word] = _Part((), {(): word})
    order = {"en": _english, "de": _german, "fr": _french, "zh": _chinese}[name]
    marks = {"fr": (".", " ?"), "zh": ("。", "？")}.get(name, (".", "?"))
    return _Language(parts, order, "" if name == "zh" else " ", marks)


@cache
def _layout(language: str, kind: int, link: int, timed: bool) -> list[tuple[_Part, Values]]:
    """The parts of a sentence, each with the places of its fields in a meaning."""
    spoken = _language(language)
    parts = [spoken.parts[name] for name in spoken.order(kind, link, timed)]
    return [(part, tuple(FIELDS.index(field) for field in part.fields)) for part in parts]


def _require(language: str) -> _Language:
    if language not in LANGUAGES:
        raise ValueError(f"no language {language!r}; the phrasebook has {', '.join(LANGUAGES)}")
    return _language(language)


def render(meaning: Meaning, language: str) -> str:
    """Say a meaning in a language.

    Raises:
        ValueError: the phrasebook does not speak the language.
    """
    spoken = _require(language)
    layout = _layout(language, meaning[0], meaning[8], meaning[1] > 0)
    phrases = [part.phrases[tuple([meaning[i] for i in places])] for part, places in layout]
    text = spoken.blank.join(filter(None, phrases)).replace(" ,", ",")
    if language == "fr":
        text = _elide(text)
    return text[0].upper() + text[1:] + spoken.marks[meaning[0] == _QUESTION]


def _elide(text: str) -> str:
    """French "que" before a vowel, of "est-ce que" and "parce que"."""
    for conjunction in ("est-ce qu", "parce qu"):
        text = text.replace(f"{conjunction}e A", f"{conjunction}'A")  # only Anna begins with one
    return text


def parse(text: str, language: str) -> Meaning:
    """The meaning of a sentence: what `render` said.

    Raises:
        ValueError: the sentence is not one of the grammar's, or the language is unknown.
    """
    spoken = _require(language)
    question = text.endswith(spoken.marks[1])
    body = text.removesuffix(spoken.marks[question])
    if language == "fr":
        body = body.replace("qu'", "que ")
    body = body.replace(",", " ,") if spoken.blank else body
    for start in (body, body[:1].lower() + body[1:]):
        tokens = start.split() if spoken.blank else list(start)
        for kind, link, timed in product(range(4), range(4), (False, True)):
            if (kind == _QUESTION) != question:
                continue
            bound = {"kind": kind, "link": link}
            for found in _match(_layout(language, kind, link, timed), tokens, spoken.blank, bound):
                meaning = tuple(found.get(field, 0) for field in FIELDS)
                if (found.get("time", 0) > 0) == timed and render(meaning, language) == text:
                    return meaning
    raise ValueError(f"not a sentence of the phrasebook in {language!r}: {text!r}")


def _match(
    layout: list[tuple[_Part, Values]], tokens: list[str], blank: str, bound: dict[str, int]
) -> Iterator[dict[str, int]]:
    """All ways to read tokens as the parts, in agreement with the fields bound so far."""
    if not layout:
        if not tokens:
            yield bound
        return
    part, _ = layout[0]
    readings, longest = _readings(part, blank)
    for length in range(min(longest, len(tokens)) + 1):
        for values in readings.get(blank.join(tokens[:length]), ()):
            more = dict(zip(part.fields, values, strict=True))
            if all(bound.get(field, value) == value for field, value in more.items()):
                yield from _match(layout[1:], tokens[length:], blank, bound | more)


@cache
def _readings(part: _Part, blank: str) -> tuple[dict[str, list[Values]], int]:
    """A part's table the other way round, and the tokens of its longest phrase."""
    readings: dict[str, list[Values]] = {}
    for values, phrase in part.phrases.items():
        readings.setdefault(phrase, []).append(values)
    return readings, max(len(phrase.split() if blank else phrase) for phrase in readings)


def count() -> int:
    """How many meanings there are."""
    times, places = len(_TIMES) + 1, len(_PLACES) + 1
    clause = len(_PEOPLE) * len(_DEEDS) * len(_NUMBERS) * (len(_ADJECTIVES) + 1)
    linked = 1 + 3 * clause
    deeds = clause * times * places
    copulas = 2 * times * len(_PEOPLE) * (places - 1)
    return deeds * linked + deeds + copulas * linked


def meanings(size: int, *, split: str = "train", seed: int = 0) -> list[Meaning]:
    """Draw distinct meanings of a split.

    A meaning belongs to one split for good, by a hash of its fields: 90% to "train", 5% each to
    "valid" and "test", whatever the size and the seed.

    Args:
        size: how many, up to a million.
        split: "train", "valid" or "test".
        seed: of the choice; the same on every machine.

    Raises:
        ValueError: an unknown split, or a size out of range.
    """
    if split not in SIZES:
        raise ValueError(f"no split {split!r}; the phrasebook has {', '.join(SIZES)}")
    if not 1 <= size <= 1_000_000:
        raise ValueError(f"size must lie in 1 to 1,000,000, found {size}")
    bits = np.random.PCG64(seed)
    found: dict[Meaning, None] = {}
    while len(found) < size:
        drawn = _draw(bits, max(1024, 2 * (size - len(found)) if split == "train" else 24 * size))
        drawn = drawn[_split_of(drawn) == list(SIZES).index(split)]
        found |= dict.fromkeys(map(tuple, drawn.tolist()))
    return list(found)[:size]


def _draw(bits: np.random.PCG64, size: int) -> NDArray[np.int64]:
    """(size, fields) meanings; raw bits, since NumPy's distributions may change."""

    def below(bound: int) -> NDArray[np.int64]:
        return (bits.random_raw(size) % bound).astype(np.int64)

    def often(bound: int, share: int) -> NDArray[np.int64]:
        """0 in `share` of 8 draws, else 1 to bound - 1."""
        return np.where(below(8) < share, 0, 1 + below(bound - 1))

    def clause() -> list[NDArray[np.int64]]:
        verb, noun = _DEEDS[below(len(_DEEDS))].T
        number, adjective = often(len(_NUMBERS), 3), often(len(_ADJECTIVES) + 1, 3)
        return [below(len(_PEOPLE)), verb, number, adjective, noun]

    kind = np.array([_STATEMENT, _STATEMENT, _STATEMENT, _QUESTION, _IS, _IS_NOT])[below(6)]
    time, place, link = often(len(_TIMES) + 1, 2), often(len(_PLACES) + 1, 3), often(4, 4)
    person, *deed = clause()
    copula = kind >= _IS
    place = np.where(copula & (place == 0), 1 + below(len(_PLACES)), place)
    link = np.where(kind == _QUESTION, 0, link)
    deed = [np.where(copula, 0, field) for field in deed]
    second = [np.where(link == 0, 0, field) for field in clause()]
    return np.stack([kind, time, person, *deed, place, link, *second], axis=1)


def _split_of(drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 train, 1 valid, 2 test."""
    part = hash_counters(np.zeros(len(drawn), np.int64), *drawn.T) % 20
    return np.where(part == 0, 1, np.where(part == 1, 2, 0))


@dataclass(frozen=True)
class Phrasebook:
    """Parallel sentences of two languages; of one language twice, it is the echo task."""

    source: str = "de"
    target: str = "en"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse languages that the phrasebook does not speak."""
        for language in (self.source, self.target):
            _require(language)

    @classmethod
    def from_name(cls, name: str) -> Phrasebook:
        """The phrasebook of a name: "phrasebook:de-en", or "phrasebook:en" for the echo task.

        Raises:
            ValueError: the name is of another form, or names another language.
        """
        languages = name.removeprefix("phrasebook:").split("-")
        if not name.startswith("phrasebook:") or not 1 <= len(languages) <= 2:
            raise ValueError(
                f"no corpus {name!r}; there are phrasebook:LANGUAGE (echo) and "
                f"phrasebook:SOURCE-TARGET, of {', '.join(LANGUAGES)}"
            )
        return cls(languages[0], languages[-1])

    @property
    def name(self) -> str:
        """What `from_name` reads."""
        pair = (self.source,) if self.source == self.target else (self.source, self.target)
        return "phrasebook:" + "-".join(pair)

    def sentences(self, split: str, size: int | None = None) -> tuple[list[str], list[str]]:
        """Parallel sentences of a split; `SIZES` gives the default size.

        Raises:
            ValueError: as in `meanings`.
        """
        size = SIZES.get(split, 1) if size is None else size
        drawn = meanings(size, split=split, seed=self.seed)
        sources = [render(meaning, self.source) for meaning in drawn]
        if self.source == self.target:
            return sources, list(sources)
        return sources, [render(meaning, self.target) for meaning in drawn]

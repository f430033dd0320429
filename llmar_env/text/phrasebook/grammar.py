"""What all languages of the phrasebook share: tables of phrases, rendering and parsing.

Each language lays the fields of a meaning out as a sequence of parts, and a part is a table from
the values of a few fields to a phrase. Rendering looks the phrases up; parsing looks them up the
other way round, so the two cannot disagree.

The words of a language are tables of text, with a heading and a line for each concept:

    noun | gender singular plural
    apple | m Apfel Äpfel

A table lists all concepts of its kind in `concepts`, in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from llmar_env.text.phrasebook import concepts
from llmar_env.text.phrasebook.meaning import CLAUSE, FIELDS, QUESTION, Meaning

__all__ = [
    "Language",
    "Part",
    "by_tense",
    "by_verb",
    "noun_phrases",
    "read_forms",
    "read_phrases",
    "shared_parts",
    "word",
]

_KIND, _TIME, _LINK = (FIELDS.index(field) for field in ("kind", "time", "link"))

# The tense of each value of the field "time": its position in `concepts.TENSES`.
_TENSE = (0, *(concepts.TENSES.index(tense) for tense in concepts.TIMES.values()))

_Values = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Part:
    """A phrase that depends on a few fields alone.

    Attributes:
        fields: their names.
        phrases: the phrase for each combination of their values.
    """

    fields: tuple[str, ...]
    phrases: Mapping[_Values, str]

    @classmethod
    def make(cls, phrase: Callable[..., str], **sizes: int) -> Part:
        """Tabulate a phrase over all values of its fields."""
        values = product(*(range(size) for size in sizes.values()))
        return cls(tuple(sizes), {value: phrase(*value) for value in values})

    def of_second_clause(self) -> Part:
        """The same part, for the clause after the conjunction."""
        return Part(tuple(f + "2" if f in CLAUSE else f for f in self.fields), self.phrases)


def _unchanged(text: str) -> str:
    return text


@dataclass(frozen=True, eq=False)
class Language:
    """The grammar and the words of a language.

    Attributes:
        parts: the parts of its sentences, by name.
        order: the names of a sentence's parts from first to last, given its kind, its link (0 if
            it has one clause) and whether it has a time. A name that ends in 2, as "verb2", is
            that part of the second clause.
        blank: what separates words.
        statement: the marks before and after a statement.
        question: the marks before and after a question.
        contract: changes words where they meet, as "que Anna" to "qu'Anna".
        expand: undoes what `contract` did.
    """

    parts: Mapping[str, Part]
    order: Callable[[int, int, bool], Sequence[str]]
    blank: str = " "
    statement: tuple[str, str] = ("", ".")
    question: tuple[str, str] = ("", "?")
    contract: Callable[[str], str] = _unchanged
    expand: Callable[[str], str] = _unchanged

    def render(self, meaning: Meaning) -> str:
        """The sentence of a meaning."""
        kind = meaning[_KIND]
        layout = _layout(self, kind, meaning[_LINK], meaning[_TIME] > 0)
        phrases = [part.phrases[tuple([meaning[i] for i in places])] for part, places in layout]
        text = self.contract(self.blank.join(filter(None, phrases)).replace(" ,", ","))
        before, after = self.question if kind == QUESTION else self.statement
        return before + text[0].upper() + text[1:] + after

    def parse(self, text: str) -> Meaning | None:
        """The meaning whose sentence this is, or None if it is not one of the grammar's."""
        question = text.endswith(self.question[1])
        before, after = self.question if question else self.statement
        body = self.expand(text.removeprefix(before).removesuffix(after))
        body = body.replace(",", " ,") if self.blank else body
        for start in (body, body[:1].lower() + body[1:]):
            tokens = start.split() if self.blank else list(start)
            for kind, link, timed in product(range(4), range(4), (False, True)):
                if (kind == QUESTION) != question:
                    continue
                bound = {"kind": kind, "link": link}
                for found in _match(_layout(self, kind, link, timed), tokens, self.blank, bound):
                    meaning = tuple(found.get(field, 0) for field in FIELDS)
                    if (found.get("time", 0) > 0) == timed and self.render(meaning) == text:
                        return meaning
        return None


@cache
def _layout(language: Language, kind: int, link: int, timed: bool) -> list[tuple[Part, _Values]]:
    """The parts of a sentence, each with the positions of its fields in a meaning."""
    layout = []
    for name in language.order(kind, link, timed):
        part = language.parts[name.removesuffix("2")]
        part = part.of_second_clause() if name.endswith("2") else part
        layout.append((part, tuple(FIELDS.index(field) for field in part.fields)))
    return layout


def _match(
    layout: list[tuple[Part, _Values]], tokens: list[str], blank: str, bound: dict[str, int]
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
def _readings(part: Part, blank: str) -> tuple[dict[str, list[_Values]], int]:
    """A part's table the other way round, and the tokens of its longest phrase."""
    readings: dict[str, list[_Values]] = {}
    for values, phrase in part.phrases.items():
        readings.setdefault(phrase, []).append(values)
    return readings, max(len(phrase.split() if blank else phrase) for phrase in readings)


def word(text: str) -> Part:
    """A part that is always the same."""
    return Part((), {(): text})


def by_tense(present: str, past: str, future: str) -> Part:
    """A part that depends on the tense alone: a phrase each for present, past and future."""
    tenses = (present, past, future)
    return Part.make(lambda time: tenses[_TENSE[time]], time=len(_TENSE))


def by_verb(table: str, conjugate: Callable[..., tuple[str, str, str]]) -> Part:
    """A part that depends on verb and tense.

    Args:
        table: the forms of each of `concepts.VERBS`.
        conjugate: takes the forms of a verb, and returns the phrases of present, past and future.

    Raises:
        ValueError: as `read_forms` does.
    """
    verbs = [conjugate(*forms) for forms in read_forms(concepts.VERBS, table)]
    return Part.make(
        lambda time, verb: verbs[verb][_TENSE[time]], time=len(_TENSE), verb=len(verbs)
    )


def noun_phrases(
    numbers: str,
    adjectives: str,
    nouns: str,
    phrase: Callable[[str, list[str], list[str]], str],
) -> Part:
    """A part that depends on number, adjective and noun: the object of a verb.

    Args:
        numbers: the word of each of `concepts.NUMBERS`.
        adjectives: the forms of each of `concepts.ADJECTIVES`.
        nouns: the forms of each of `concepts.NOUNS`.
        phrase: takes the word of the number, empty for a singular; the forms of the adjective, an
            empty list for none; and the forms of the noun. Returns the phrase.

    Raises:
        ValueError: as `read_forms` does.
    """
    number_words = ["", *read_phrases(concepts.NUMBERS, numbers)]
    adjective_forms = [[], *read_forms(concepts.ADJECTIVES, adjectives)]
    noun_forms = read_forms(concepts.NOUNS, nouns)
    cells = product(enumerate(number_words), enumerate(adjective_forms), enumerate(noun_forms))
    return Part(
        ("number", "adjective", "noun"),
        {
            (n, a, o): phrase(number, adjective, noun)
            for (n, number), (a, adjective), (o, noun) in cells
        },
    )


def shared_parts(*, people: str, places: str, times: str, conjunctions: str) -> dict[str, Part]:
    """The parts that have one phrase for each concept: "person", "place", "time" and "link".

    Args:
        people: the phrase of each of `concepts.PEOPLE`.
        places: of each of `concepts.PLACES`.
        times: of each of `concepts.TIMES`.
        conjunctions: of each of `concepts.CONJUNCTIONS`; a comma counts as a word.

    Raises:
        ValueError: as `read_phrases` does.
    """
    person = read_phrases(concepts.PEOPLE, people)
    place = ["", *read_phrases(concepts.PLACES, places)]
    time = ["", *read_phrases(concepts.TIMES, times)]
    link = read_phrases(concepts.CONJUNCTIONS, conjunctions)
    return {
        "person": Part.make(person.__getitem__, person=len(person)),
        "place": Part.make(place.__getitem__, place=len(place)),
        "time": Part.make(time.__getitem__, time=len(time)),
        "link": Part(("link",), {(value,): text for value, text in enumerate(link, 1)}),
    }


def read_phrases(names: Collection[str], table: str) -> list[str]:
    """Read a table that has one phrase for each concept.

    Args:
        names: the concepts.
        table: a heading, and below it a line `concept | phrase` for each.

    Returns:
        The phrases, in the order of `names`.

    Raises:
        ValueError: a line has no phrase, or a concept is missing, surplus or there twice; the
            message names it.
    """
    heading, *lines = table.strip().splitlines()
    title = heading.partition("|")[0].strip()
    found: dict[str, str] = {}
    for line in lines:
        concept, _, phrase = (cell.strip() for cell in line.partition("|"))
        if not phrase:
            raise ValueError(f"{title}: a line must read concept | words, found {line!r}")
        if concept in found:
            raise ValueError(f"{title}: {concept!r} has two lines")
        found[concept] = phrase
    missing = [name for name in names if name not in found]
    surplus = [name for name in found if name not in names]
    if missing or surplus:
        faults = (("missing", missing), ("not a concept", surplus))
        what = [f"{fault}: {', '.join(map(repr, these))}" for fault, these in faults if these]
        raise ValueError(f"{title}: {'; '.join(what)}")
    return [found[name] for name in names]


def read_forms(names: Collection[str], table: str) -> list[list[str]]:
    """Read a table that has several forms for each concept, separated by blanks.

    Args:
        names: the concepts.
        table: as in `read_phrases`; the heading names the forms. Blanks within a form are written
            as underscores.

    Returns:
        The forms of each concept, in the order of `names`.

    Raises:
        ValueError: as in `read_phrases`, or a concept has more or fewer forms than the heading.
    """
    title, _, columns = (cell.strip() for cell in table.strip().splitlines()[0].partition("|"))
    rows = []
    for name, phrase in zip(names, read_phrases(names, table), strict=True):
        forms = [form.replace("_", " ") for form in phrase.split()]
        if len(forms) != len(columns.split()):
            raise ValueError(f"{title}: {name!r} needs the forms {columns!r}, found {phrase!r}")
        rows.append(forms)
    return rows

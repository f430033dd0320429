"""Reads sentences: finds the meanings whose sentence a text is.

Parsing tabulates each part of a language over all values of its fields, and looks phrases up the
other way round. A way to read all words as parts leaves a few values for each field; those that
contradict a part, a feature or each other are dropped until one is left, or several readings are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import product
from math import prod
from operator import contains
from typing import NamedTuple

from llmar_env.text.phrasebook import concepts
from llmar_env.text.phrasebook.grammar import SENTENCE, Language, Part, Shape
from llmar_env.text.phrasebook.meaning import (
    ASKED,
    CLAUSE,
    KINDS,
    STYLE,
    VALUES,
    Clause,
    Meaning,
)
from llmar_env.text.phrasebook.sense import AGREEMENTS

__all__ = ["Parser"]

_Allowed = dict[str, frozenset[str]]  # the values that fields may have
_Row = tuple[str, ...]

_NONE = frozenset([""])
_FIELDS = (*CLAUSE, *(field + "2" for field in CLAUSE), *STYLE)
_QUESTION_WORDS = frozenset(word for _, word in ASKED.values())
_MOST = 20_000  # combinations of values to try


class _Readings(NamedTuple):
    """The values of a part's fields where it is some phrase."""

    rows: Sequence[_Row]
    columns: Sequence[frozenset[str]]


class _Constraint(NamedTuple):
    """Fields, and the combinations of their values that a sentence may have, of those allowed."""

    keys: tuple[str, ...]
    rows: Callable[[Sequence[frozenset[str]]], Sequence[_Row] | None]
    """None if there are too many to tell."""


class Parser:
    """Finds the meanings of sentences of a language.

    Args:
        language: the grammar.
    """

    def __init__(self, language: Language) -> None:
        self.language = language
        self._values: dict[str, Sequence[str]] = {}
        self._tables: dict[Part, tuple[dict[str, _Readings], int]] = {}
        inputs = (field for feature in language.features.values() for field in feature.fields)
        self._inner = frozenset(
            [*language.features, *inputs]
        )  # fields that follow, or lead to some
        self._sentences: dict[str, list[Meaning]] = {}
        for phrase, name in product(concepts.PHRASES, ("", *concepts.NAMES)):
            meaning = Meaning("phrase", phrase, Clause(noun=name))
            self._sentences.setdefault(language.render(meaning), []).append(meaning)

    def readings(self, text: str) -> Iterator[Meaning]:
        """All meanings whose sentence this is."""
        yield from self._sentences.get(text, ())
        language = self.language
        for kind in KINDS[:-1]:
            mark = language.mark(kind)
            if not text.endswith(mark):
                continue
            body = text.removesuffix(mark)
            for start in dict.fromkeys((body, body[:1].lower() + body[1:])):
                words = language.expand(start)
                tokens = words.replace(",", " ,").split() if language.blank else list(words)
                for shape in _shapes(kind):
                    yield from self._readings_of(shape, tokens, text)

    def _readings_of(self, shape: Shape, tokens: list[str], text: str) -> Iterator[Meaning]:
        """The meanings of a shape."""
        ends = ("", "2") if shape.link else ("",)
        agreements = [one for end in ends for one in self._agreements(end)]
        names, seen = self.language.order(shape), set()
        for found, matched in self._match(names, tokens, _start(shape), ()):
            for values in self._solve(found, [*matched, *agreements], {}):
                main, second = (
                    Clause(*(values[name + end] for name in CLAUSE)) for end in ("", "2")
                )
                style = (values[name] for name in STYLE)
                meaning = Meaning(shape.kind, "", main, shape.link, second, shape.topic, *style)
                if meaning not in seen and self._renders(meaning, text):
                    seen.add(meaning)
                    yield meaning

    def _renders(self, meaning: Meaning, text: str) -> bool:
        with suppress(KeyError):  # a combination that no sentence has
            return self.language.render(meaning) == text
        return False

    def _match(
        self,
        names: Sequence[str],
        tokens: list[str],
        allowed: _Allowed,
        matched: tuple[_Constraint, ...],
    ) -> Iterator[tuple[_Allowed, tuple[_Constraint, ...]]]:
        """Each way to read tokens as the parts: the values that fields may have, and the parts."""
        if not names:
            if not tokens:
                yield allowed, matched
            return
        end = "2" if names[0].endswith("2") else ""
        part = self.language.parts[names[0].removesuffix("2")]
        table, longest = self._table(part)
        keys = tuple(_key(field, end) for field in part.fields)
        for length in range(min(longest, len(tokens)) + 1):
            found = table.get(self.language.blank.join(tokens[:length]))
            if found is None:
                continue
            now = dict(allowed)
            for key, values in zip(keys, found.columns, strict=True):
                now[key] = now[key] & values if key in now else values - _QUESTION_WORDS
                if not now[key]:
                    break
            else:
                more = _Constraint(keys, _filter(found.rows))
                yield from self._match(names[1:], tokens[length:], now, (*matched, more))

    def _solve(
        self,
        allowed: _Allowed,
        constraints: Sequence[_Constraint],
        checked: Mapping[int, Sequence[frozenset[str]]],
    ) -> Iterator[dict[str, str]]:
        """All choices of one value for each field that agree with the constraints."""
        checked = dict(checked)
        if not self._narrow(allowed, constraints, checked):
            return
        undecided = [name for name in _FIELDS if len(allowed.get(name, _NONE)) > 1]
        if not undecided:
            yield {name: next(iter(allowed.get(name, _NONE))) for name in _FIELDS}
            return
        field = min(undecided, key=lambda name: len(allowed[name]))
        for value in sorted(allowed[field]):
            yield from self._solve(allowed | {field: frozenset([value])}, constraints, checked)

    def _narrow(
        self,
        allowed: _Allowed,
        constraints: Sequence[_Constraint],
        checked: dict[int, Sequence[frozenset[str]]],
    ) -> bool:
        """Drop values that a constraint contradicts; False if a field has none left."""
        changed = True
        while changed:
            changed = False
            for place, (keys, rows_of) in enumerate(constraints):
                options = [allowed.get(key) or self._all(key) for key in keys]
                if checked.get(place) == options:
                    continue
                rows = rows_of(options)
                if rows is None:
                    continue
                if not rows:
                    return False
                checked[place] = [frozenset(column) for column in zip(*rows, strict=True)]
                changed = changed or checked[place] != options
                allowed |= zip(keys, checked[place], strict=True)
        return True

    def _agreements(self, end: str) -> Iterator[_Constraint]:
        """What the fields and features of a clause must agree in."""
        for fields, sensible in AGREEMENTS:
            yield _Constraint(tuple(field + end for field in fields), _test(sensible))
        for name, feature in self.language.features.items():
            keys = tuple(_key(field, end) for field in (name, *feature.fields))
            yield _Constraint(keys, _follow(feature))

    def _all(self, key: str) -> frozenset[str]:
        """All values of a field that no part depends on: none, unless a feature does."""
        field = key.removesuffix("2")
        return frozenset(self._domain(field)) - _QUESTION_WORDS if field in self._inner else _NONE

    def _table(self, part: Part) -> tuple[dict[str, _Readings], int]:
        """A part's values by its phrases, and the tokens of its longest phrase."""
        if part not in self._tables:
            expand, rows = self.language.expand, dict[str, list[_Row]]()
            for values in product(*(self._domain(name) for name in part.fields)):
                with suppress(KeyError):  # a combination that no sentence has
                    rows.setdefault(expand(part.phrase(*values)).strip(), []).append(values)
            table = {
                phrase: _Readings(found, [frozenset(column) for column in zip(*found, strict=True)])
                for phrase, found in rows.items()
            }
            blank = self.language.blank
            longest = max(len(one.split() if blank else one) for one in table)
            self._tables[part] = table, longest
        return self._tables[part]

    def _domain(self, name: str) -> Sequence[str]:
        """The values of a field or a feature."""
        if name in VALUES:
            return VALUES[name]
        if name not in self._values:
            feature, found = self.language.features[name], dict[str, None]()
            for values in product(*(self._domain(one) for one in feature.fields)):
                with suppress(KeyError):
                    found[feature.phrase(*values)] = None
            self._values[name] = tuple(found)
        return self._values[name]


def _start(shape: Shape) -> _Allowed:
    """What fields may be, as far as the shape says so."""
    allowed = {name: frozenset([value]) for name, value in shape._asdict().items()}
    absent = ["head", "head_det", "adverb2", "manner2", "time2"]
    absent += [] if shape.link else [field + "2" for field in CLAUSE]
    who = ["det2", "adj2", "noun2", "partner2"]  # its subject is the object of the main clause
    absent += who if shape.link == "who" else ["head2", "head_det2"]
    if shape.kind in {"command", "request"}:
        absent += ["det", "adj", "partner", "modal", "adverb"]
        allowed |= {"noun": frozenset(["you"]), "tense": frozenset(["present", "future"])}
        allowed["verb"] = frozenset(concepts.VERBS) - {"be"}
    else:
        allowed["noun"] = frozenset(VALUES["noun"]) - _NONE - _QUESTION_WORDS
    if shape.topic == "place":
        allowed["verb"] = frozenset(
            name for name, verb in concepts.VERBS.items() if name != "be" and verb.place != "to"
        )
    if shape.topic in {"time", "place"}:
        allowed[shape.topic] = frozenset(VALUES[shape.topic]) - _NONE - _QUESTION_WORDS
    if shape.kind in ASKED:
        field, word = ASKED[shape.kind]
        allowed[field] = frozenset([word])
    return allowed | dict.fromkeys(absent, _NONE)


def _key(field: str, end: str) -> str:
    """The name of a clause's field among those of a sentence."""
    return field if field in SENTENCE else field + end


def _filter(rows: Sequence[_Row]) -> Callable[[Sequence[frozenset[str]]], Sequence[_Row]]:
    """Those of the rows that are allowed."""
    return lambda options: [row for row in rows if all(map(contains, options, row))]


def _test(
    sensible: Callable[..., bool],
) -> Callable[[Sequence[frozenset[str]]], Sequence[_Row] | None]:
    """Combinations that make sense."""

    def rows(options: Sequence[frozenset[str]]) -> Sequence[_Row] | None:
        if prod(map(len, options)) > _MOST:
            return None
        return [values for values in product(*options) if sensible(*values)]

    return rows


def _follow(feature: Part) -> Callable[[Sequence[frozenset[str]]], Sequence[_Row] | None]:
    """Values of a feature, and the fields that it follows from."""

    def rows(options: Sequence[frozenset[str]]) -> Sequence[_Row] | None:
        results, *inputs = options
        if prod(map(len, inputs)) > _MOST:
            return None
        found = []
        for values in product(*inputs):
            with suppress(KeyError):
                if (result := feature.phrase(*values)) in results:
                    found.append((result, *values))
        return found

    return rows


@cache
def _shapes(kind: str) -> list[Shape]:
    if kind != "statement":
        return [Shape(kind, "", "")]
    return [Shape(kind, *rest) for rest in product(VALUES["link"], VALUES["topic"])]

"""What the grammars of all languages share.

A sentence is a sequence of parts, and a part is a function from a few fields of the meaning to a
phrase, "" where the sentence has no such part. Fields that follow from others, such as the gender
of a noun, are features. A language names its parts and features, and the order of the parts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llmar_env.text.phrasebook.meaning import STYLE, Meaning

__all__ = ["SENTENCE", "Language", "Part", "Shape", "part", "same"]

SENTENCE = ("kind", "link", "topic", *STYLE)
"""The fields of a meaning that both clauses share."""


class Part(NamedTuple):
    """A phrase, or a feature, and the fields that it depends on."""

    phrase: Callable[..., str]
    fields: tuple[str, ...]


def part(phrase: Callable[..., str] | Mapping[str, str], *fields: str) -> Part:
    """A part of some fields, by default those that its function's parameters name."""
    if isinstance(phrase, Mapping):
        return Part(phrase.__getitem__, fields)
    return Part(phrase, fields or tuple(inspect.signature(phrase).parameters))


def same(feature: str) -> Part:
    """A part that is a feature, a phrase."""
    return Part(_unchanged, (feature,))


def _unchanged(text: str) -> str:
    return text


class Shape(NamedTuple):
    """What the order of a sentence's parts depends on."""

    kind: str
    link: str
    topic: str


class _Scope(dict[str, str]):
    """The fields that one clause sees, and its features, computed when they are asked for."""

    def __init__(self, fields: Mapping[str, str], features: Mapping[str, Part]) -> None:
        super().__init__(fields)
        self._features = features

    def __missing__(self, name: str) -> str:
        value = self[name] = self.phrase(self._features[name])
        return value

    def phrase(self, part: Part) -> str:
        return part.phrase(*[self[name] for name in part.fields])


@dataclass(frozen=True, eq=False)
class Language:
    """The grammar and the words of a language.

    Attributes:
        parts: the parts of its sentences, by name.
        features: what follows from other fields, by name; "front" is the topic where the language
            cannot have every one.
        order: the names of a sentence's parts from first to last. A name that ends in 2, as
            "verb2", is that part of the second clause.
        phrases: the sentence of each of `concepts.PHRASES`, with its mark at the end.
        names: the word of each of `concepts.NAMES`.
        blank: what separates words.
        comma: what separates a phrase from a name that it addresses.
        marks: the marks at the end of a statement, a question and a command.
        contract: changes words where they meet, as "que Anna" to "qu'Anna".
        expand: undoes what `contract` did.
    """

    parts: Mapping[str, Part]
    features: Mapping[str, Part]
    order: Callable[[Shape], Sequence[str]]
    phrases: Mapping[str, str]
    names: Mapping[str, str]
    blank: str = " "
    comma: str = ", "
    marks: tuple[str, str, str] = (".", "?", "!")
    contract: Callable[[str], str] = _unchanged
    expand: Callable[[str], str] = _unchanged

    def render(self, meaning: Meaning) -> str:
        """The sentence of a meaning."""
        if meaning.kind == "phrase":
            text, name = self.phrases[meaning.phrase], meaning.main.noun
            end = len(text.rstrip("!?.！？。 "))
            return text[:end] + (self.comma + self.names[name] if name else "") + text[end:]
        scopes = self._scopes(meaning)
        topic = scopes[0]["front"] if "front" in self.features else meaning.topic
        phrases = [
            scopes[name.endswith("2")].phrase(self.parts[name.removesuffix("2")])
            for name in self.order(Shape(meaning.kind, meaning.link, topic))
        ]
        text = self.contract(self.blank.join(filter(None, phrases)).replace(" ,", ","))
        return text[0].upper() + text[1:] + self.mark(meaning.kind)

    def _scopes(self, meaning: Meaning) -> tuple[_Scope, _Scope]:
        """The fields that either clause sees."""
        shared = {name: getattr(meaning, name) for name in SENTENCE}
        main, second = meaning.main, meaning.second
        heads = {"head": main.object, "head_det": main.odet} if meaning.link == "who" else {}
        heads = heads or {"head": "", "head_det": ""}
        return (
            _Scope(shared | main._asdict() | {"head": "", "head_det": ""}, self.features),
            _Scope(shared | second._asdict() | heads, self.features),
        )

    def mark(self, kind: str) -> str:
        """The mark at the end of a sentence of a kind."""
        if kind == "statement":
            return self.marks[0]
        return self.marks[2] if kind in {"command", "request"} else self.marks[1]

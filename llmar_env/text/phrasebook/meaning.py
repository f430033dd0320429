"""What a sentence of the phrasebook means.

A meaning has one value for each of its fields, the name of a concept, or "" where a sentence has no
such part. Its last fields are a matter of style: how somebody is addressed, and what comes first in
a language that is free to choose. A language may ignore them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from llmar_env.text.phrasebook import concepts

__all__ = ["ASKED", "CLAUSE", "KINDS", "STYLE", "VALUES", "Clause", "Meaning", "content"]

KINDS = (
    "statement",
    "yes_no",
    "who",
    "whom",
    "what",
    "where",
    "when",
    "why",
    "how_many",
    "command",
    "request",
    "phrase",
)
"""The kinds of sentences; "who" asks for the subject, "whom" and "what" for the object."""

ASKED: Mapping[str, tuple[str, str]] = {
    "who": ("noun", "who"),
    "whom": ("object", "whom"),
    "what": ("object", "what"),
    "where": ("place", "where"),
    "when": ("time", "when"),
    "how_many": ("odet", "how_many"),
}
"""The field that a question of a kind asks for, and its value there."""


class Clause(NamedTuple):
    """What one clause means."""

    det: str = ""
    """Determiner of the subject; "" for pronouns and names."""
    adj: str = ""
    """Adjective of the subject."""
    noun: str = ""
    """The subject: one of `concepts.NOUNS`, `PRONOUNS` or `NAMES`, or "who". "" in a clause that
    begins with "who", where it is the object of the main clause."""
    partner: str = ""
    """A name that is part of the subject too, "Anna" in "Peter and Anna"."""
    verb: str = ""
    modal: str = ""
    tense: str = ""
    """"present", "past" or "future"."""
    neg: str = ""
    """"not" or ""."""
    adverb: str = ""
    rdet: str = ""
    recipient: str = ""
    odet: str = ""
    """Determiner of the object, "how_many" if the sentence asks for it."""
    oadj: str = ""
    """Adjective of the object. With the verb "be": the adjective that is the predicate."""
    object: str = ""
    """The object, "whom" or "what" if the sentence asks for it. With the verb "be": the noun that
    is the predicate or, where `compare` is given, what the subject is compared with."""
    compare: str = ""
    """"more" as in "bigger than", "as" as in "as big as", or ""."""
    manner: str = ""
    place: str = ""
    """A place, or "where"."""
    time: str = ""
    """A time, or "when"."""


CLAUSE = Clause._fields


class Meaning(NamedTuple):
    """What a sentence means, and its style."""

    kind: str
    phrase: str = ""
    """The sentence, if its kind is "phrase"; then `main.noun` is a name that it addresses."""
    main: Clause = Clause()
    link: str = ""
    """What links the second clause to the main one."""
    second: Clause = Clause()
    topic: str = ""
    """What comes first in a statement: "" for the subject, "time", "place", "object" (in German,
    where its form tells it from a subject) or "clause", the second one."""
    address: str = ""
    """Who "you" is: "" for a friend, "plural" for several, "formal" for strangers."""
    late: str = ""
    """"late" if the place follows the object in German."""
    plain: str = ""
    """"plain" if German tells the future in the present, where a time says so ("tomorrow")."""


STYLE = ("address", "late", "plain")
"""The fields of style, besides a `topic` that is not a time or place."""


def content(meaning: Meaning) -> Meaning:
    """The meaning without what not all languages express."""
    topic = meaning.topic if meaning.topic in {"time", "place"} else ""
    return meaning._replace(topic=topic, address="", late="", plain="")


_NOUNS = ("", *concepts.PRONOUNS, *concepts.NAMES, *concepts.NOUNS)
_DETERMINERS = ("", *concepts.DETERMINERS)
_ADJECTIVES = ("", *concepts.ADJECTIVES)

VALUES: Mapping[str, Sequence[str]] = {
    "kind": KINDS,
    "link": ("", *concepts.LINKS),
    "topic": ("", "time", "place", "object", "clause"),
    "address": ("", "plural", "formal"),
    "late": ("", "late"),
    "plain": ("", "plain"),
    "det": _DETERMINERS,
    "adj": _ADJECTIVES,
    "noun": (*_NOUNS, "who"),
    "partner": ("", *concepts.NAMES),
    "verb": tuple(concepts.VERBS),
    "modal": ("", *concepts.MODALS),
    "tense": ("present", "past", "future"),
    "neg": ("", "not"),
    "adverb": ("", *concepts.ADVERBS),
    "rdet": _DETERMINERS,
    "recipient": _NOUNS,
    "odet": (*_DETERMINERS, "how_many"),
    "oadj": _ADJECTIVES,
    "object": (*_NOUNS, "whom", "what"),
    "compare": ("", "more", "as"),
    "manner": ("", *concepts.MANNERS),
    "place": ("", *concepts.PLACES, "where"),
    "time": ("", *concepts.TIMES, "when"),
    "head": ("", *concepts.NOUNS),
    "head_det": _DETERMINERS,
}
"""The values of each field that a language sees. In a clause that begins with "who", `head` and
`head_det` are the noun that it describes, and its determiner."""

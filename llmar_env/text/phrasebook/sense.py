"""What the fields of a clause must agree in to make sense, in any language."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmar_env.text.phrasebook import concepts

__all__ = ["AGREEMENTS", "BARE", "MASS", "PAST_MODALS"]

MASS = frozenset(["food", "drink", "money", "need"])
"""Classes of nouns that are not counted."""

BARE = frozenset(["language", "knowledge", "game", "need"])
"""Classes of nouns that go without a determiner, "some"."""

PAST_MODALS = ("can", "must", "want")
"""Modals that have a past."""


def _suits(det: str, noun: str) -> bool:
    """Whether a noun has such a determiner."""
    kind = concepts.NOUNS.get(noun)
    if kind is None:
        return not det
    if kind in BARE:
        return det == "some"
    if kind in MASS:
        return det == "some" or concepts.DETERMINERS.get(det) == "singular"
    return det not in {"", "some"} or (kind == "instrument" and det == "some")


def _takes(verb: str, object: str) -> bool:
    """Whether a verb goes with an object."""
    of = concepts.VERBS[verb].object
    if verb == "be":
        return not object or object in concepts.NOUNS
    if object in {"it", "this", "they"}:
        return False
    if not of or not object:
        return not of and not object
    if object == "what" or object in of.split():
        return True
    classes = concepts.expand_classes(of)
    if object == "whom" or object not in concepts.NOUNS:
        return not set(classes).isdisjoint(concepts.expand_classes("people"))
    return concepts.NOUNS[object] in classes


def _does(verb: str, noun: str) -> bool:
    """Whether a verb goes with a subject."""
    if noun in {"it", "this"}:
        return verb == "be" if noun == "this" else concepts.VERBS[verb].subject == "it"
    return concepts.VERBS[verb].subject != "it"


def _is_one(verb: str, odet: str, compare: str) -> bool:
    """Whether a noun that is a predicate is singular."""
    predicate = verb in {"be", "become"} and not compare
    return not predicate or concepts.DETERMINERS.get(odet, "singular") == "singular"


def _is_predicate(verb: str, oadj: str, object: str, place: str, compare: str) -> bool:
    """Whether these are one predicate: a place, an adjective, a noun or a comparison."""
    if compare and not (oadj and object):
        return False
    if verb != "be":
        return not compare and (not oadj or bool(object))
    return bool(place) != bool(oadj or object)


AGREEMENTS: Sequence[tuple[tuple[str, ...], Callable[..., bool]]] = (
    (("det", "noun"), _suits),
    (("odet", "object"), lambda odet, object: odet == "how_many" or _suits(odet, object)),
    (("rdet", "recipient"), _suits),
    (("adj", "noun"), lambda adj, noun: not adj or noun in concepts.NOUNS),
    (("verb", "object"), _takes),
    (("verb", "oadj", "object"), lambda verb, oadj, noun: not oadj or noun != "" or verb == "be"),
    (("verb", "recipient"), lambda verb, who: bool(who) == bool(concepts.VERBS[verb].recipient)),
    (("verb", "noun"), _does),
    (("adverb", "neg"), lambda adverb, neg: not (neg and adverb == "never")),
    (("verb", "odet", "compare"), _is_one),
    (("tense", "time"), lambda tense, time: concepts.TIMES.get(time, "any") in {tense, "any"}),
    (("verb", "oadj", "object", "place", "compare"), _is_predicate),
    (
        ("tense", "modal"),
        lambda tense, modal: (
            not modal or tense == "present" or (tense == "past" and modal in PAST_MODALS)
        ),
    ),
)
"""What the fields of a clause must agree in for `draw` to draw it."""

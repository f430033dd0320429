"""Passages of several sentences, and the sentence that answers each: its summary, or the reply.

They need no grammar of their own: sentences of the phrasebook are put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from llmar_env.text.phrasebook.concepts import NAMES, NOUNS, PLACES, VERBS
from llmar_env.text.phrasebook.draw import Dice, hash_of, nouns_of
from llmar_env.text.phrasebook.meaning import Clause, Meaning
from llmar_env.text.phrasebook.sense import BARE, MASS

__all__ = ["PASSAGES", "PASSAGE_SIZES", "Passage", "passages"]

PASSAGE_SIZES: Mapping[str, int] = {"train": 6_000, "valid": 500, "test": 500}
"""Passages of each split by default."""

_MOST = 100_000
# What is owned, known or felt is no act; an instrument has no determiner to tell it by.
_NO_ACTS = {"become", "have", "need", "hate", "lose", "forget", "miss", "begin_with", "play_music"}
# What people do with things.
_ACTS = tuple(
    name
    for name, verb in VERBS.items()
    if verb.object
    and verb.place == "at"
    and verb.subject in {"people", "being"}
    and not verb.recipient
    and not {"people", "being"} & set(verb.object.split())
    and name not in _NO_ACTS
)
_PLACES = tuple(place for place, of in PLACES.items() if of == "both")


class Passage(NamedTuple):
    """Sentences in their order, and the sentence that answers them."""

    sentences: tuple[Meaning, ...]
    answer: Meaning
    key: Meaning
    """What decides the split: the summary; or the sentence that is asked about."""


def passages(kind: str, size: int, *, split: str = "train", seed: int = 0) -> list[Passage]:
    """Draw passages with distinct keys.

    A hash of its key assigns each passage to one split, 90% to "train" and 5% each to "valid" and
    "test", whatever the size and the seed.

    Args:
        kind: one of `PASSAGES`.
        size: how many, up to 100,000.
        split: "train", "valid" or "test".
        seed: chooses the passages, the same on every machine.

    Raises:
        ValueError: an unknown kind or split, or a size out of range.
    """
    if kind not in PASSAGES:
        raise ValueError(f"no passages {kind!r}; the phrasebook has {', '.join(PASSAGES)}")
    if split not in PASSAGE_SIZES:
        raise ValueError(f"no split {split!r}; the phrasebook has {', '.join(PASSAGE_SIZES)}")
    if not 1 <= size <= _MOST:
        raise ValueError(f"size must lie in 1 to {_MOST:,}, found {size}")
    return list(islice(_distinct(PASSAGES[kind], split, seed), size))


def _distinct(draw: Callable[[Dice], Passage], split: str, seed: int) -> Iterator[Passage]:
    """Passages of a split with distinct keys, without end."""
    dice, seen = Dice(seed), set[Meaning]()
    while True:
        passage = draw(dice)
        if passage.key not in seen and _split_of(passage.key) == split:
            seen.add(passage.key)
            yield passage


def _split_of(key: Meaning) -> str:
    part = hash_of(repr(tuple(key.main))) % 20
    return "valid" if part == 0 else "test" if part == 1 else "train"


def _summarized(dice: Dice) -> Passage:
    """Four sentences in any order; two of them are about one person, whom the summary is about.

    One tells what the person does, and one where; the summary tells both. The two others are about
    two other persons, what one does, and where the other is.
    """
    tense = dice.weigh(present=6, past=4)
    who, other, third = _persons(dice, 3, names=True)
    act, place = _act(dice, who, tense), dice.pick(_PLACES)
    sentences = [
        _statement(act),
        _statement(who._replace(verb="be", tense=tense, place=place)),
        _statement(_act(dice, other, tense)),
        _statement(third._replace(verb="be", tense=tense, place=dice.pick(_PLACES))),
    ]
    summary = _statement(act._replace(place=place))
    return Passage(_shuffled(dice, sentences), summary, summary)


def _replied(dice: Dice) -> Passage:
    """Three sentences about what three persons do, and a question about one: who, or what?"""
    tense = dice.weigh(present=6, past=4)
    acts = [_act(dice, who, tense) for who in _persons(dice, 3, names=False)]
    while len({act.object for act in acts}) < 3 or len({act.verb for act in acts}) < 3:
        acts = [_act(dice, act, tense) for act in acts]
    told = acts[0]
    if dice.chance(50):
        question = Meaning("who", main=told._replace(det="", adj="", noun="who"))
        reply = Clause(odet=told.det, object=told.noun)
    else:
        question = Meaning("what", main=told._replace(odet="", oadj="", object="what"))
        reply = Clause(odet=told.odet, oadj=told.oadj, object=told.object)
    answer = _statement(reply._replace(noun="this", verb="be", tense="present"))
    sentences = _shuffled(dice, [_statement(act) for act in acts])
    return Passage((*sentences, question), answer, question._replace(kind="statement", main=told))


PASSAGES: Mapping[str, Callable[[Dice], Passage]] = {"summaries": _summarized, "replies": _replied}
"""The kinds of passages: what is summarized, and what is replied to."""


def _statement(clause: Clause) -> Meaning:
    return Meaning("statement", main=clause)


def _persons(dice: Dice, count: int, *, names: bool) -> list[Clause]:
    """Clauses with distinct persons as subjects."""
    found: dict[str, Clause] = {}
    while len(found) < count:
        if names and dice.chance(30):
            noun, det = dice.pick(tuple(NAMES)), ""
        else:
            noun = dice.pick(nouns_of("profession male female"))
            det = dice.pick(("the", "my")) if NOUNS[noun] == "profession" else "the"
        found.setdefault(noun, Clause(det=det, noun=noun))
    return list(found.values())


def _act(dice: Dice, who: Clause, tense: str) -> Clause:
    """What a person does with a thing."""
    verb = dice.pick(_ACTS)
    thing = dice.pick(nouns_of(VERBS[verb].object))
    kind = NOUNS[thing]
    det = "some" if kind in BARE else "the" if kind in MASS else dice.pick(("the", "a"))
    return Clause(who.det, "", who.noun, verb=verb, tense=tense, odet=det, object=thing)


def _shuffled(dice: Dice, sentences: list[Meaning]) -> tuple[Meaning, ...]:
    """The sentences in any order, each as likely."""
    left = list(sentences)
    return tuple(left.pop(dice.below(len(left))) for _ in sentences)

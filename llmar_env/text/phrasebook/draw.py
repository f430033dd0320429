"""Draws meanings: what people say, as often as they say it, and the split of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice

import numpy as np

from llmar_env.text.phrasebook import concepts
from llmar_env.text.phrasebook.concepts import (
    ADJECTIVES,
    DESCRIBES,
    DETERMINERS,
    NAMES,
    NOUNS,
    PLACES,
    PRONOUNS,
    TIMES,
    VERBS,
    Verb,
    expand_classes,
)
from llmar_env.text.phrasebook.meaning import Clause, Meaning, content
from llmar_env.text.phrasebook.sense import BARE, MASS, PAST_MODALS

__all__ = ["SIZES", "SPLITTINGS", "Dice", "hash_of", "meanings", "nouns_of"]

SIZES: Mapping[str, int] = {"train": 20_000, "valid": 1_000, "test": 1_000}
"""Sentences of each split by default."""

SPLITTINGS = ("random", "length", "word_order", "combination")
"""Ways to split: at random, or so that training lacks long sentences, statements that begin with a
place, an object or a clause, or a tenth of the pairs of words."""

_STATES = {
    *("be_hungry", "be_thirsty", "be_afraid", "be_right", "be_in_a_hurry", "know", "like", "love"),
    *("hate", "need", "have", "belong_to", "hurt", "miss", "understand", "forget", "lose", "hear"),
    *("think", "say", "hope", "know_that", "become", "begin", "end", "shine", "bloom", "wake_up"),
}
_SPEAKERS = {"I", "we"}
# Their own: whose possessive pronoun is known, that of he, she or they.
_OWNERS = {"he", "she", "they", *NAMES}
_LONG, _SHORT = 10, 8  # filled parts of sentences of the test and of training, split by length


class Dice:
    """Draws from raw bits, the same on every machine."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)
        self._drawn: list[int] = []

    def below(self, bound: int) -> int:
        """A whole number below a bound, each as likely."""
        if not self._drawn:
            self._drawn = self._bits.random_raw(4096).tolist()
        return self._drawn.pop() % bound

    def chance(self, percent: int) -> bool:
        """True in this many of 100 draws."""
        return self.below(100) < percent

    def pick(self, options: Sequence[str]) -> str:
        """One of the options, the first ones more often."""
        place = self.below(len(options))
        return options[min(place, self.below(len(options))) if self.chance(40) else place]

    def weigh(self, **weights: int) -> str:
        """One of the names, as often as its weight says; "none" stands for ""."""
        left = self.below(sum(weights.values()))
        for name, weight in weights.items():
            left -= weight
            if left < 0:
                return "" if name == "none" else name
        raise AssertionError


def meanings(
    size: int, *, split: str = "train", seed: int = 0, splitting: str = "random"
) -> list[Meaning]:
    """Draw distinct meanings of a split.

    A hash of its content assigns each meaning to one split, 90% to "train" and 5% each to "valid"
    and "test", whatever the size and the seed. A splitting other than "random" leaves to "train"
    what is of one kind, and to the two others what is of another; see `SPLITTINGS`.

    Args:
        size: how many, up to a million.
        split: "train", "valid" or "test".
        seed: chooses the meanings, the same on every machine.
        splitting: one of `SPLITTINGS`.

    Raises:
        ValueError: an unknown split or splitting, or a size out of range.
    """
    if split not in SIZES:
        raise ValueError(f"no split {split!r}; the phrasebook has {', '.join(SIZES)}")
    if splitting not in SPLITTINGS:
        raise ValueError(f"no splitting {splitting!r}; there are {', '.join(SPLITTINGS)}")
    if not 1 <= size <= 1_000_000:
        raise ValueError(f"size must lie in 1 to 1,000,000, found {size}")
    return _stream(seed, splitting).take(split, size)


class _Stream:
    """Meanings as they are drawn, shared by the splits, of which most draws suit another one."""

    def __init__(self, seed: int, splitting: str) -> None:
        self._dice, self._splitting = Dice(seed), splitting
        self._drawn: dict[str, dict[Meaning, Meaning]] = {split: {} for split in SIZES}

    def take(self, split: str, size: int) -> list[Meaning]:
        """The first meanings of a split."""
        found = self._drawn[split]
        while len(found) < size:
            meaning = draw(self._dice)
            key = content(meaning)
            if (suited := _split_of(key, meaning, self._splitting)) in self._drawn:
                self._drawn[suited].setdefault(key, meaning)
        return list(islice(found.values(), size))


_stream = lru_cache(maxsize=2)(_Stream)


def _split_of(key: Meaning, meaning: Meaning, splitting: str) -> str:
    if key.kind == "phrase" and not key.main.noun:
        return "train"  # nothing else teaches it
    # Whom a sentence is about is not always told: "Sie" is they or you, "lui" is him or her.
    words = ("they" if word in {"you", "he", "she"} else word for word in (*key.main, *key.second))
    part = hash_of(repr((key.kind, key.phrase, key.link, key.topic, *words))) % 20
    if splitting == "random":
        return "valid" if part == 0 else "test" if part == 1 else "train"
    if splitting == "length":
        length = sum(map(bool, (*key.main, *key.second)))
        held_out, learned = length >= _LONG, length <= _SHORT
    elif splitting == "word_order":
        held_out = meaning.topic not in {"", "time"}
        learned = not held_out
    else:
        held_out = any(hash_of(repr(pair)) % 10 == 0 for pair in _pairs(key))
        learned = not held_out
    if held_out:
        return "valid" if part % 2 else "test"
    return "train" if learned else ""


def _pairs(meaning: Meaning) -> list[tuple[str, str]]:
    """The pairs of words that "combination" keeps apart."""
    pairs = [
        pair
        for clause in (meaning.main, meaning.second)
        for pair in (
            (clause.adj, clause.noun),
            (clause.oadj, clause.object or clause.noun),
            (clause.verb, clause.object),
        )
    ]
    return [pair for pair in pairs if all(pair)]


def hash_of(text: str) -> int:
    """A number below 2**64, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


# ---------------------------------------------------------------------------- sentences


def draw(dice: Dice) -> Meaning:
    """A meaning of any split."""
    kind = dice.weigh(
        statement=60, yes_no=10, who=2, whom=2, what=3, where=3, when=2, why=2, how_many=1,
        command=4, request=3, phrase=6,
    )  # fmt: skip
    if kind == "phrase":
        vocative = dice.pick(list(NAMES)) if dice.chance(65) else ""
        return Meaning(kind, dice.pick(concepts.PHRASES), Clause(noun=vocative))
    if kind in {"command", "request"}:
        return Meaning(kind, main=_command(dice), address=_address(dice))
    link = dice.weigh(none=70, **{"and": 7, "but": 5, "because": 7, "if": 3, "that": 5, "who": 3})
    link = link if kind == "statement" else ""
    main = None
    while main is None:
        main = _main(dice, kind, link)
    second = _second(dice, main, link)
    topic = _topic(dice, main, link) if kind == "statement" else ""
    late = "late" if main.place and main.object and dice.chance(40) else ""
    plain = "plain" if TIMES.get(main.time) == "future" and dice.chance(50) else ""
    return Meaning(kind, "", main, link, second, topic, _address(dice), late, plain)


def _address(dice: Dice) -> str:
    return dice.weigh(none=76, plural=12, formal=12)


def _topic(dice: Dice, main: Clause, link: str) -> str:
    if link == "if":
        return "clause" if dice.chance(60) else ""
    if link in {"that", "who"}:
        return ""
    if main.time and dice.chance(45):
        return "time"
    at = main.place and not main.time and main.verb != "be" and VERBS[main.verb].place != "to"
    if at and dice.chance(24):
        return "place"
    return "object" if main.object and not main.compare and dice.chance(8) else ""


def _main(dice: Dice, kind: str, link: str) -> Clause | None:
    """A main clause, or None if what was drawn does not suit the kind."""
    if link == "that":
        verb = dice.pick(concepts.SAYING)
        det, _, noun = _subject(dice, VERBS[verb])
        return Clause(det, "", noun, verb=verb, tense=dice.weigh(present=8, past=2))
    clause = _clause(dice)
    thing = bool(clause.object) and clause.verb not in {"be", "become"}
    is_person = clause.object in {*PRONOUNS, *NAMES} or _is_people(clause.object)
    if link == "who":
        named = clause.object in {*PRONOUNS, *NAMES}
        plain = thing and is_person and not named and clause.odet in {"the", "a"}
        return clause._replace(time="", place="", manner="") if plain and not clause.neg else None
    if kind == "who":
        suits = clause.verb not in {"be", "become"} and _is_person(clause)
        own = "own" in clause.odet or "own" in clause.rdet
        asked = clause._replace(det="", adj="", noun="who", partner="")
        return asked if suits and not own else None
    if kind in {"whom", "what"}:
        suits = thing and (kind == "whom") == is_person and clause.verb not in {"play_music"}
        asked = clause._replace(odet="", oadj="", object=kind, neg="", compare="")
        return asked if suits and clause.verb != "there_is" else None
    if kind == "where":
        suits = bool(clause.place) and clause.verb not in {"there_is"}
        return clause._replace(place="where", neg="") if suits else None
    if kind == "when":
        suits = bool(clause.time) and clause.adverb == ""
        return clause._replace(time="when", neg="") if suits else None
    if kind == "how_many":
        counts = clause.object in NOUNS and DETERMINERS.get(clause.odet) == "plural"
        asked = clause._replace(odet="how_many", oadj="", neg="")
        return asked if thing and counts and "own" not in clause.odet else None
    return clause


def _second(dice: Dice, main: Clause, link: str) -> Clause:
    """The second clause of a sentence."""
    if not link:
        return Clause()
    while True:
        clause = _clause(dice, main if link == "who" else None)
        if clause.verb == "there_is" or clause.noun == "this" or (clause.neg and link == "if"):
            continue
        clause = clause._replace(adverb="", manner="", time="")
        if link == "if":
            return clause._replace(tense="present", modal="")
        if link == "that":
            return clause
        past = main.tense == "past" and clause.modal in {"", *PAST_MODALS}
        return clause._replace(tense="past" if past else "present")


def _command(dice: Dice) -> Clause:
    while True:
        clause = _clause(dice, Clause(noun="you"))
        people = "people" in VERBS[clause.verb].subject or VERBS[clause.verb].subject == "being"
        if clause.verb in {"be", *_STATES} or not people or "own" in clause.odet + clause.rdet:
            continue
        if clause.object == "you" or clause.recipient == "you":
            continue
        time = clause.time if TIMES.get(clause.time) != "past" else ""
        tense = "future" if TIMES.get(time) == "future" else "present"
        return clause._replace(
            det="", adj="", noun="you", partner="", modal="", tense=tense, adverb="", time=time
        )


# ---------------------------------------------------------------------------- clauses


def _clause(dice: Dice, subject: Clause | None = None) -> Clause:
    """A clause; its subject is that of a command, or the object of the clause given."""
    if subject is None and dice.chance(25):
        return _be(dice)
    while True:
        name = dice.pick(_VERBS)
        verb = VERBS[name]
        if subject is None:
            det, adj, noun = _subject(dice, verb)
            break
        det, adj, noun = "", "", subject.noun if not subject.object else ""
        if NOUNS.get(subject.object, "people") in expand_classes(verb.subject):
            break
        if (not subject.object and "people" in verb.subject) or verb.subject == "being":
            break
    people = verb.subject in {"people", "being"}
    able = people and name not in _STATES
    modal = dice.pick(concepts.MODALS) if able and dice.chance(16) else ""
    tense = dice.weigh(present=55, past=28, future=17)
    if modal:
        tense = "past" if tense == "past" and modal in PAST_MODALS else "present"
    impersonal = verb.subject == "it"
    clause = Clause(
        det,
        adj,
        noun,
        _partner(dice, det, adj, noun) if people else "",
        name,
        modal,
        tense,
        neg="not" if dice.chance(14) else "",
        adverb=dice.pick(concepts.ADVERBS) if people and dice.chance(12) else "",
        manner=_manner(dice, verb, det, noun) if able else "",
        place=_place(dice, verb, name),
        time=_time(dice, tense) if dice.chance(42) else "",
    )
    if clause.adverb == "never":
        clause = clause._replace(neg="")
    if verb.recipient:
        rdet, recipient = _person(dice, clause, verb.recipient)
        clause = clause._replace(rdet=rdet, recipient=recipient)
    if verb.object:
        clause = _with_object(dice, clause, verb)
    return clause._replace(neg="", adverb="") if impersonal and clause.object else clause


def _be(dice: Dice) -> Clause:
    """A clause with "be", and what follows it."""
    tense = dice.weigh(present=70, past=20, future=10)
    neg = "not" if dice.chance(14) else ""
    time = _time(dice, tense) if dice.chance(25) else ""
    predicate = dice.weigh(place=30, adjective=38, compare=12, noun=20)
    if predicate == "place":
        classes = dice.weigh(being=60, located=25, room=0, event=15)
        det, adj, noun = _subject(dice, Verb(classes), known=True)
        place = dice.pick(_DESTINATIONS if classes == "being" else tuple(PLACES))
        return Clause(det, adj, noun, verb="be", tense=tense, neg=neg, place=place, time=time)
    if predicate == "noun":
        if dice.chance(30):
            odet, oadj, noun = _noun(dice, "kin movable building animal room", "")
            if DETERMINERS[odet] == "singular":
                return Clause("", "", "this", "", "be", "", "present", neg, odet=odet, oadj=oadj,
                              object=noun)  # fmt: skip
        det, adj, noun = _subject(dice, Verb("people"), known=True)
        if _number(det, noun) == "singular" and noun not in {"they", "we"}:
            return Clause(det, adj, noun, "", "be", "", tense, neg, odet="a",
                          object=dice.pick(nouns_of("profession")))  # fmt: skip
    classes = dice.pick(("people being", *DESCRIBES.values()))
    det, _, noun = _subject(dice, Verb(classes), known=True)
    oadj = _adjective(dice, noun)
    if not oadj:
        return _be(dice)
    clause = Clause(det, "", noun, "", "be", "", tense, neg, oadj=oadj, time=time)
    if predicate != "compare" or (noun in PRONOUNS and noun not in {"he", "she", "I", "we"}):
        return clause
    kind = "being" if noun in PRONOUNS or noun in NAMES else NOUNS[noun]
    odet, _, other = _noun(dice, "people" if kind == "being" else kind, "")
    if other == noun or odet in {"some", "plural", "a"} or "own" in odet:
        return clause
    return clause._replace(
        odet=odet, object=other, compare=dice.weigh(more=70, **{"as": 30}), time=""
    )


def _subject(dice: Dice, verb: Verb, *, known: bool = False) -> tuple[str, str, str]:
    """Determiner, adjective and noun of a subject; one that is known has no "a"."""
    classes = expand_classes(verb.subject) if verb.subject != "it" else ()
    if not classes:
        return "", "", "it"
    if "profession" in classes:
        who = dice.weigh(pronoun=46, name=16, noun=38)
        if who == "pronoun":
            return "", "", dice.pick(("I", "you", "he", "she", "we", "they"))
        if who == "name":
            return "", "", dice.pick(tuple(NAMES))
    det, adj, noun = _noun(dice, verb.subject, "")
    known = known or NOUNS[noun] not in {"person", "profession", "male", "female", "animal"}
    if det in {"a", "some", "plural", "every"} and (known or det != "a"):
        det = "the"
    if NOUNS[noun] in MASS | BARE:
        det = "the" if NOUNS[noun] in MASS else "some"
    return det, adj, noun


def _with_object(dice: Dice, clause: Clause, verb: Verb) -> Clause:
    people = "people" in verb.object.split() or verb.object.startswith("being")
    if people and verb.subject != "it" and dice.chance(55):
        odet, object_ = _person(dice, clause, "people")
        return clause._replace(odet=odet, object=object_)
    if clause.verb == "become":
        return clause._replace(odet="a", object=dice.pick(nouns_of("profession")))
    odet, oadj, noun = _noun(dice, verb.object, _owner(clause))
    if noun == clause.noun:
        odet = "this"
    if clause.verb == "there_is":
        number = DETERMINERS[odet]
        odet = {"mass": "some", "plural": "plural"}.get(number, "a")
        odet = "some" if NOUNS[noun] in MASS else odet
    if clause.verb in {"have", "need"} and NOUNS[noun] not in MASS and dice.chance(40):
        odet = "a"
    if odet == "every":
        odet = "this"
    return clause._replace(odet=odet, oadj=oadj, object=noun)


def _person(dice: Dice, clause: Clause, classes: str) -> tuple[str, str]:
    """Determiner and noun of a person other than the subject."""
    who = dice.weigh(pronoun=50, name=18, noun=32)
    if who == "pronoun":
        noun = dice.pick(("I", "you", "he", "she", "we"))
        same = noun == clause.noun or {noun, clause.noun} <= _SPEAKERS
        return ("", noun) if not same else ("", "Anna" if clause.noun != "Anna" else "Peter")
    if who == "name":
        noun = dice.pick(tuple(NAMES))
        return "", noun if noun not in {clause.noun, clause.partner} else "he"
    det, _, noun = _noun(dice, classes, _owner(clause))
    return (det if det not in {"some", "every"} else "the"), noun


def _noun(dice: Dice, classes: str, owner: str) -> tuple[str, str, str]:
    """Determiner, adjective and noun of any role; `owner` is the subject if it can own it."""
    noun = dice.pick(nouns_of(dice.pick(classes.split())))
    kind = NOUNS[noun]
    if kind in BARE or classes == "instrument":
        return "some", "", noun
    own = 14 if owner else 0
    if kind in MASS:
        det = dice.weigh(some=62, the=20, my=10, this=8)
    elif kind == "sky":
        return "the", "", noun
    elif kind == "body":
        det = dice.weigh(my=50, your=30, the=10, own=own, my_plural=10)
    elif kind.endswith("kin"):
        det = dice.weigh(my=56, your=16, our=10, own=own, the=4, my_plural=6, your_plural=3, two=2)
    else:
        det = dice.weigh(
            the=34, a=24, my=9, your=5, our=2, own=own // 2, this=5, every=1, the_plural=5,
            plural=6, these=2, many=2, my_plural=2, your_plural=1, own_plural=own // 5, two=2,
            three=2, number=3,
        )  # fmt: skip
    if det == "number":
        det = dice.pick(_NUMBERS)
    adj = _adjective(dice, noun) if dice.chance(22) else ""
    return det, adj, noun


def _adjective(dice: Dice, noun: str) -> str:
    """An adjective that describes a noun, or "" if there is none."""
    options = _adjectives("profession" if noun in PRONOUNS or noun in NAMES else NOUNS[noun])
    return dice.pick(options) if options else ""


def _partner(dice: Dice, det: str, adj: str, noun: str) -> str:
    single = noun in NAMES or (det == "my" and not adj and NOUNS[noun].endswith("kin"))
    other = dice.pick(tuple(NAMES))
    return other if single and other != noun and dice.chance(14) else ""


def _owner(clause: Clause) -> str:
    """The subject, if the possessive pronoun of what belongs to it is known."""
    kin = NOUNS.get(clause.noun) in concepts.SEX and DETERMINERS.get(clause.det) == "singular"
    return clause.noun if (clause.noun in _OWNERS or kin) and not clause.partner else ""


def _place(dice: Dice, verb: Verb, name: str) -> str:
    percent = {"at": 24, "in": 100, "to": 78, "": 0}[verb.place]
    if name in _STATES or not dice.chance(percent):
        return ""
    anywhere = name in {"sit", "stand", "sleep", "there_is", "find", "hide"}
    return dice.pick(tuple(PLACES) if anywhere else _DESTINATIONS)


def _manner(dice: Dice, verb: Verb, det: str, noun: str) -> str:
    if not dice.chance(14):
        return ""
    kind = "going" if verb.place == "to" else "doing"
    manner = dice.pick([one for one, of in concepts.MANNERS.items() if of == kind])
    return "" if manner == "together" and _number(det, noun) == "singular" else manner


def _time(dice: Dice, tense: str) -> str:
    """A time of the tense, or one of any tense."""
    return dice.pick(_times(tense if dice.chance(50) else "any"))


def _number(det: str, noun: str) -> str:
    return "plural" if noun in {"we", "they"} else DETERMINERS.get(det, "singular")


def _is_people(noun: str) -> bool:
    return NOUNS.get(noun) in expand_classes("people")


def _is_person(clause: Clause) -> bool:
    return clause.noun in PRONOUNS[:6] or clause.noun in NAMES or _is_people(clause.noun)


@cache
def _times(tense: str) -> tuple[str, ...]:
    return tuple(time for time, of in TIMES.items() if of == tense)


@cache
def nouns_of(classes: str) -> tuple[str, ...]:
    """The nouns of classes, groups and single nouns."""
    names = [name for name in classes.split() if name in NOUNS and name not in NOUNS.values()]
    kinds = expand_classes(" ".join(name for name in classes.split() if name not in names))
    return (*names, *(noun for noun, kind in NOUNS.items() if kind in kinds))


@cache
def _adjectives(kind: str) -> tuple[str, ...]:
    described = [of for of, classes in DESCRIBES.items() if kind in expand_classes(classes)]
    return tuple(adjective for adjective, of in ADJECTIVES.items() if of in described)


_VERBS = tuple(name for name in VERBS if name not in {"be", *concepts.SAYING})
_DESTINATIONS = tuple(place for place, of in PLACES.items() if of == "both")
_NUMBERS = tuple(list(DETERMINERS)[list(DETERMINERS).index("two") :])

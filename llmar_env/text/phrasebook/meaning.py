"""What a sentence of the phrasebook means, and which meanings are in which split."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from llmar_env.arrays import hash_counters
from llmar_env.text.phrasebook import concepts

__all__ = [
    "AND",
    "BECAUSE",
    "BUT",
    "CLAUSE",
    "FIELDS",
    "IS",
    "IS_NOT",
    "QUESTION",
    "SIZES",
    "STATEMENT",
    "Meaning",
    "count",
    "meanings",
]

SIZES: Mapping[str, int] = {"train": 20_000, "valid": 1_000, "test": 1_000}
"""Sentences of each split by default."""

Meaning = tuple[int, ...]
"""One value for each of `FIELDS`; 0 where a sentence has no such part."""

CLAUSE = ("person", "verb", "number", "adjective", "noun")
"""The fields that both clauses of a sentence have."""

FIELDS = ("kind", "time", *CLAUSE, "place", "link", *(field + "2" for field in CLAUSE))
"""The fields of a meaning: of the sentence, of its main clause, and of a second clause."""

STATEMENT, QUESTION, IS, IS_NOT = range(4)
"""The kinds of sentences; the last two say where somebody is or is not."""

AND, BUT, BECAUSE = range(1, 4)
"""Links between the clauses: positions in `concepts.CONJUNCTIONS`, from 1."""

# What can be done with what: (verb, noun), where the noun belongs to a class of the verb.
_DEEDS = np.array(
    [
        (verb, noun)
        for (verb, classes), (noun, noun_class) in product(
            enumerate(concepts.VERBS.values()), enumerate(concepts.NOUNS.values())
        )
        if noun_class in classes.split()
    ]
)
_PEOPLE = len(concepts.PEOPLE)
_PLACES = len(concepts.PLACES)
# Counting the value 0, for none.
_ANY_TIME = len(concepts.TIMES) + 1
_ANY_PLACE = _PLACES + 1
_ANY_NUMBER = len(concepts.NUMBERS) + 1
_ANY_ADJECTIVE = len(concepts.ADJECTIVES) + 1
_ANY_LINK = len(concepts.CONJUNCTIONS) + 1


def count() -> int:
    """How many meanings there are."""
    clause = _PEOPLE * len(_DEEDS) * _ANY_NUMBER * _ANY_ADJECTIVE
    linked = 1 + len(concepts.CONJUNCTIONS) * clause
    deeds = clause * _ANY_TIME * _ANY_PLACE
    copulas = 2 * _ANY_TIME * _PEOPLE * _PLACES
    return deeds * linked + deeds + copulas * linked


def meanings(size: int, *, split: str = "train", seed: int = 0) -> list[Meaning]:
    """Draw distinct meanings of a split.

    A hash of its fields assigns each meaning to one split, 90% to "train" and 5% each to "valid"
    and "test", whatever the size and the seed.

    Args:
        size: how many, up to a million.
        split: "train", "valid" or "test".
        seed: chooses the meanings, the same on every machine.

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
        number, adjective = often(_ANY_NUMBER, 3), often(_ANY_ADJECTIVE, 3)
        return [below(_PEOPLE), verb, number, adjective, noun]

    kind = np.array([STATEMENT, STATEMENT, STATEMENT, QUESTION, IS, IS_NOT])[below(6)]
    time, place, link = often(_ANY_TIME, 2), often(_ANY_PLACE, 3), often(_ANY_LINK, 4)
    person, *deed = clause()
    copula = kind >= IS
    place = np.where(copula & (place == 0), 1 + below(_PLACES), place)
    link = np.where(kind == QUESTION, 0, link)
    deed = [np.where(copula, 0, field) for field in deed]
    second = [np.where(link == 0, 0, field) for field in clause()]
    return np.stack([kind, time, person, *deed, place, link, *second], axis=1)


def _split_of(drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 train, 1 valid, 2 test."""
    part = hash_counters(np.zeros(len(drawn), np.int64), *drawn.T) % 20
    return np.where(part == 0, 1, np.where(part == 1, 2, 0))

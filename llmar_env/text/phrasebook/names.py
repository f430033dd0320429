"""The names of the built-in corpora, and which of them a misspelt name means."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import product

from llmar_env.text.phrasebook.languages import LANGUAGES

__all__ = ["PREFIX", "nearest_name"]

PREFIX = "phrasebook:"


def nearest_name(name: str) -> str | None:
    """The name of a built-in corpus that a misspelt one is near to, such as phrasbook:de-en."""
    pairs = [*LANGUAGES, *("-".join(pair) for pair in product(LANGUAGES, repeat=2))]
    name = name.strip().lower()
    if name in pairs:
        return PREFIX + name
    if name.startswith(PREFIX):
        near = get_close_matches(name.removeprefix(PREFIX), pairs, 1, 0.75)
        return PREFIX + near[0] if near else None
    near = get_close_matches(name, [PREFIX + pair for pair in pairs], 1, 0.85)
    return near[0] if near else None

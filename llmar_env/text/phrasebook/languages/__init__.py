"""The languages of the phrasebook, each in a module named after the language's code.

A module has the words and the grammar of its language, put together as `LANGUAGE`. To add a
language, add its module here, and its files, made by `make_vectors`, in llmar_env/text/data.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from llmar_env.text.phrasebook.grammar import Language

__all__ = ["LANGUAGES", "find_language", "require_language"]

LANGUAGES = tuple(sorted(module.name for module in iter_modules(__path__)))
"""The codes of the languages: de, en, fr, zh."""


def require_language(code: str) -> None:
    """Reject a code that is no language of the phrasebook, without loading any.

    Raises:
        ValueError: the phrasebook does not have the language.
    """
    if code not in LANGUAGES:
        raise ValueError(f"no language {code!r}; the phrasebook has {', '.join(LANGUAGES)}")


@cache
def find_language(code: str) -> Language:
    """The language of a code.

    Raises:
        ValueError: the phrasebook does not have the language.
    """
    require_language(code)
    language: Language = import_module(f"{__name__}.{code}").LANGUAGE
    return language

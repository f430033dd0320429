"""Sentences of the phrasebook: meanings rendered in one language, or in two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import SupportsIndex, overload

from llmar_env.text.phrasebook.languages import LANGUAGES, find_language, require_language
from llmar_env.text.phrasebook.meaning import SIZES, Meaning, meanings
from llmar_env.text.phrasebook.names import PREFIX, nearest_name

__all__ = ["Phrasebook", "Sentences", "parse", "render"]


def render(meaning: Meaning, language: str) -> str:
    """Render a meaning as a sentence of a language.

    Raises:
        ValueError: the phrasebook does not have the language.
    """
    return find_language(language).render(meaning)


def parse(text: str, language: str) -> Meaning:
    """The meaning of a sentence: the inverse of `render`.

    Raises:
        ValueError: the sentence is not one of the grammar's, or the language is unknown.
    """
    meaning = find_language(language).parse(text)
    if meaning is None:
        raise ValueError(f"not a sentence of the phrasebook in {language!r}: {text!r}")
    return meaning


@dataclass(frozen=True)
class Phrasebook:
    """Parallel sentences of two languages; the echo task if both are the same language."""

    source: str = "de"
    target: str = "en"
    seed: int = 0

    def __post_init__(self) -> None:
        """Reject languages that the phrasebook does not have."""
        for language in (self.source, self.target):
            require_language(language)

    @classmethod
    def from_name(cls, name: str) -> Phrasebook:
        """The phrasebook of a name: "phrasebook:de-en", or "phrasebook:en" for the echo task.

        Raises:
            ValueError: the name is of another form, or names another language.
        """
        languages = name.removeprefix(PREFIX).split("-")
        meant = nearest_name(name)
        hint = "" if meant is None or meant == name else f"; did you mean {meant}?"
        if not name.startswith(PREFIX) or not 1 <= len(languages) <= 2:
            raise ValueError(
                f"no corpus {name!r}; there are phrasebook:LANGUAGE (echo) and "
                f"phrasebook:SOURCE-TARGET, of {', '.join(LANGUAGES)}{hint}"
            )
        for language in languages:
            if language not in LANGUAGES:
                has = ", ".join(LANGUAGES)
                raise ValueError(f"no language {language!r}; the phrasebook has {has}{hint}")
        return cls(languages[0], languages[-1])

    @property
    def name(self) -> str:
        """The name that `from_name` reads."""
        pair = (self.source,) if self.source == self.target else (self.source, self.target)
        return PREFIX + "-".join(pair)

    def sentences(self, split: str, size: int | None = None) -> tuple[list[str], list[str]]:
        """Parallel sentences of a split; `SIZES` gives the default size.

        Raises:
            ValueError: as in `meanings`.
        """
        size = SIZES.get(split, 1) if size is None else size
        drawn = meanings(size, split=split, seed=self.seed)
        sources = [render(meaning, self.source) for meaning in drawn]
        if self.source == self.target:
            return sources, list(sources)
        return sources, [render(meaning, self.target) for meaning in drawn]


@dataclass(frozen=True)
class Sentences(Sequence[str]):
    """All sentences of a language, split after split, each rendered when it is first asked for.

    The splits come in the order of `SIZES`, in their default sizes.

    Attributes:
        language: the code of the language.

    Raises:
        ValueError: the phrasebook does not have the language.
    """

    language: str

    def __post_init__(self) -> None:
        """Reject a language that the phrasebook does not have."""
        require_language(self.language)

    def __len__(self) -> int:
        """Count the sentences, without rendering one."""
        return sum(SIZES.values())

    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> str | list[str]:
        """A sentence, or a list of them.

        Raises:
            IndexError: there is no such sentence.
        """
        rows = range(len(self))[index]
        if isinstance(rows, int):
            return _sentence(self.language, rows)
        return [_sentence(self.language, row) for row in rows]


@cache
def _sentence(language: str, row: int) -> str:
    return render(_all_meanings()[row], language)


@cache
def _all_meanings() -> list[Meaning]:
    return [meaning for split, size in SIZES.items() for meaning in meanings(size, split=split)]

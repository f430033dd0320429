"""Sentences of the phrasebook: meanings rendered in one language, or in two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import SupportsIndex, overload

from llmar_env.text.phrasebook.draw import SIZES, SPLITTINGS, meanings
from llmar_env.text.phrasebook.languages import LANGUAGES, find_language, require_language
from llmar_env.text.phrasebook.meaning import Meaning
from llmar_env.text.phrasebook.names import PREFIX, nearest_name
from llmar_env.text.phrasebook.parsing import Parser
from llmar_env.text.phrasebook.passages import PASSAGE_SIZES, PASSAGES, passages

__all__ = ["Phrasebook", "Sentences", "parse", "readings", "render"]


def render(meaning: Meaning, language: str) -> str:
    """Render a meaning as a sentence of a language.

    Raises:
        ValueError: the phrasebook does not have the language.
    """
    return find_language(language).render(meaning)


def parse(text: str, language: str) -> Meaning:
    """The meaning of a sentence: the inverse of `render`.

    A sentence that can be read in several ways, as the German "Sie" can be "they" or "you", has the
    first of `readings`.

    Raises:
        ValueError: the sentence is not one of the grammar's, or the language is unknown.
    """
    meaning = next(readings(text, language), None)
    if meaning is None:
        raise ValueError(f"not a sentence of the phrasebook in {language!r}: {text!r}")
    return meaning


def readings(text: str, language: str) -> Iterator[Meaning]:
    """All meanings whose sentence this is; none if it is not one of the grammar's.

    Raises:
        ValueError: the phrasebook does not have the language.
    """
    return _parser(language).readings(text)


@cache
def _parser(language: str) -> Parser:
    return Parser(find_language(language))


@dataclass(frozen=True)
class Phrasebook:
    """Parallel sentences of two languages; the echo task if both are the same language."""

    source: str = "de"
    target: str = "en"
    seed: int = 0
    splitting: str = "random"
    """One of `SPLITTINGS`: what is tested is of another form than what is trained on, or is not. Or
    one of `PASSAGES`: each text has several sentences, and its target is their summary, or the
    reply to the last."""

    def __post_init__(self) -> None:
        """Reject languages and splittings that the phrasebook does not have."""
        for language in (self.source, self.target):
            require_language(language)
        if self.splitting not in {*SPLITTINGS, *PASSAGES}:
            has = ", ".join((*SPLITTINGS, *PASSAGES))
            raise ValueError(f"no splitting {self.splitting!r}; the phrasebook has {has}")

    @classmethod
    def from_name(cls, name: str) -> Phrasebook:
        """The phrasebook of a name: "phrasebook:de-en", or "phrasebook:en" for the echo task.

        A splitting may follow, as in "phrasebook:de-en/length".

        Raises:
            ValueError: the name is of another form, or names another language or splitting.
        """
        pair, slash, splitting = name.removeprefix(PREFIX).partition("/")
        languages = pair.split("-")
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
        return cls(languages[0], languages[-1], splitting=splitting if slash else "random")

    @property
    def name(self) -> str:
        """The name that `from_name` reads."""
        pair = (self.source,) if self.source == self.target else (self.source, self.target)
        return (
            PREFIX + "-".join(pair) + ("" if self.splitting == "random" else f"/{self.splitting}")
        )

    def sentences(self, split: str, size: int | None = None) -> tuple[list[str], list[str]]:
        """Parallel sentences of a split; `SIZES` or `PASSAGE_SIZES` gives the default size.

        Raises:
            ValueError: as in `meanings`, or in `passages`.
        """
        if self.splitting in PASSAGES:
            return self._passages(split, size)
        size = SIZES.get(split, 1) if size is None else size
        drawn = meanings(size, split=split, seed=self.seed, splitting=self.splitting)
        sources = [render(meaning, self.source) for meaning in drawn]
        if self.source == self.target:
            return sources, list(sources)
        return sources, [render(meaning, self.target) for meaning in drawn]

    def _passages(self, split: str, size: int | None) -> tuple[list[str], list[str]]:
        """Passages of a split, and their answers."""
        size = PASSAGE_SIZES.get(split, 1) if size is None else size
        drawn = passages(self.splitting, size, split=split, seed=self.seed)
        between = " " if find_language(self.source).blank else ""
        return (
            [between.join(render(one, self.source) for one in each.sentences) for each in drawn],
            [render(each.answer, self.target) for each in drawn],
        )


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

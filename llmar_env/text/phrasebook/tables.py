"""Tables of words: text with a heading, and a line for each concept.

Blanks within a form are written as underscores:

    noun | gender singular plural
    apple | m Apfel Äpfel
"""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["listed", "read_forms", "read_phrases"]


def listed(table: str) -> list[str]:
    """The concepts of a table that has not all concepts of its kind."""
    return [line.partition("|")[0].strip() for line in table.strip().splitlines()[1:]]


def read_phrases(names: Collection[str], table: str) -> dict[str, str]:
    """Read a table that has one phrase for each concept.

    Args:
        names: the concepts.
        table: a heading, and below it a line `concept | phrase` for each.

    Returns:
        The phrase of each concept.

    Raises:
        ValueError: a line has no phrase, or a concept is missing, surplus or there twice; the
            message names it.
    """
    heading, *lines = table.strip().splitlines()
    title = heading.partition("|")[0].strip()
    found: dict[str, str] = {}
    for line in lines:
        concept, _, phrase = (cell.strip() for cell in line.partition("|"))
        if not phrase:
            raise ValueError(f"{title}: a line must read concept | words, found {line!r}")
        if concept in found:
            raise ValueError(f"{title}: {concept!r} has two lines")
        found[concept] = phrase
    missing = [name for name in names if name not in found]
    surplus = [name for name in found if name not in names]
    if missing or surplus:
        faults = (("missing", missing), ("not a concept", surplus))
        what = [f"{fault}: {', '.join(map(repr, these))}" for fault, these in faults if these]
        raise ValueError(f"{title}: {'; '.join(what)}")
    return found


def read_forms(names: Collection[str], table: str) -> dict[str, list[str]]:
    """Read a table that has several forms for each concept, separated by blanks.

    Args:
        names: the concepts.
        table: as in `read_phrases`; the heading names the forms. Blanks within a form are written
            as underscores, and "-" is an empty form.

    Returns:
        The forms of each concept.

    Raises:
        ValueError: as in `read_phrases`, or a concept has more or fewer forms than the heading.
    """
    title, _, columns = (cell.strip() for cell in table.strip().splitlines()[0].partition("|"))
    rows = {}
    for name, phrase in read_phrases(names, table).items():
        forms = ["" if form == "-" else form.replace("_", " ") for form in phrase.split()]
        if len(forms) != len(columns.split()):
            raise ValueError(f"{title}: {name!r} needs the forms {columns!r}, found {phrase!r}")
        rows[name] = forms
    return rows

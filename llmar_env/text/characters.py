"""Characters: which strings can be texts, and which texts are the same."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["as_read", "half_character"]

_SURROGATE = re.compile("[\ud800-\udfff]")


def as_read(text: str) -> str:
    """A text as the tokenizer reads it: composed (NFC), without blanks around it.

    Texts that are equal in this form have the same tokens.
    """
    return unicodedata.normalize("NFC", text.strip())


def half_character(text: str) -> str | None:
    """Name the first half of a surrogate pair in a string, which no UTF-8 text can hold.

    Such strings come of JSON escapes, and of bytes of the command line that are not UTF-8.

    Returns:
        What is wrong, for a message; None if the string is a text.
    """
    found = _SURROGATE.search(text)
    return found and f"half a surrogate pair, U+{ord(found[0]):04X}, at character {found.start()}"

import re
import sys
import unicodedata

from llmar_env.text.scripts import HAN

CHINESE = re.compile(f"[{HAN}]")


def named(*beginnings: str) -> str:
    """The characters whose Unicode names begin so."""
    letters = map(chr, range(sys.maxunicode + 1))
    return "".join(x for x in letters if unicodedata.name(x, "").startswith(beginnings))


def test_chinese_characters():
    ideographs = named(
        *("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "CJK RADICAL", "KANGXI RADICAL"),
        *("IDEOGRAPHIC ITERATION MARK", "IDEOGRAPHIC NUMBER ZERO"),
    )
    assert len(ideographs) > 90_000
    assert CHINESE.sub("", ideographs) == ""


def test_no_others():
    others = named(
        *("LATIN", "CYRILLIC", "ARABIC", "THAI", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"),
        *("DIGIT", "FULLWIDTH", "IDEOGRAPHIC COMMA", "IDEOGRAPHIC FULL STOP", "IDEOGRAPHIC SPACE"),
    )
    assert len(others) > 10_000
    assert not CHINESE.search(others)

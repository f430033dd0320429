"""Rendered text as an image, with characters that the usual font has, or another, or none."""

import warnings

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from llmar_env.envs import frame
from llmar_env.envs.frame import draw_frame

# Private use: no font that is installed has them.
LETTER, MISSING = "\U000f0123", "\U000f0124"


@pytest.fixture(autouse=True)
def forget():
    """Choose fonts anew in each test."""
    frame._fonts_for.cache_clear()
    frame._characters.cache_clear()
    yield
    frame._fonts_for.cache_clear()
    frame._characters.cache_clear()


def box(pen):
    pen.moveTo((0, 0))
    for point in ((0, 900), (900, 900), (900, 0)):
        pen.lineTo(point)
    pen.closePath()


@pytest.fixture
def font(tmp_path, monkeypatch):
    """An installed font that has one character, a black square."""
    names = [".notdef", "letter"]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(LETTER): "letter"})
    glyphs = {}
    for name in names:
        pen = TTGlyphPen(None)
        if name == "letter":
            box(pen)
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Squares of a Test", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = tmp_path / "squares.ttf"
    builder.save(path)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist])
    font_manager.fontManager.addfont(path)


def ink(text):
    return int((draw_frame(text) < 128).all(axis=-1).sum())


def test_a_character_is_drawn_in_the_font_that_has_it(font):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few, many = ink(LETTER), ink(LETTER * 4)
    assert few > 20
    assert 3.5 * few < many < 4.5 * few


def test_a_character_that_no_font_has_is_said_once():
    with pytest.warns(UserWarning, match=f"no installed font has {MISSING}: .*Noto") as caught:
        draw_frame(MISSING * 5)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_frame(MISSING)


@pytest.mark.parametrize("letter", ["a", "狗", "Ä"])
def test_long_lines_are_cut_where_they_are_too_wide(letter):
    width = 1 + (letter == "狗")
    lines = list(frame._wrap(letter * 100))
    assert "".join(lines) == letter * 100
    assert {len(line) * width for line in lines[:-1]} == {78}


def test_lines_are_cut_at_blanks():
    lines = list(frame._wrap("word " * 30))
    assert [line.split() for line in lines] == [["word"] * 15, ["word"] * 15]
    assert list(frame._wrap("")) == [""]


def test_a_frame_has_the_size_of_every_other():
    assert draw_frame("x" * 1000).shape == draw_frame("").shape == (320, 640, 3)
    assert draw_frame("x").dtype == np.uint8

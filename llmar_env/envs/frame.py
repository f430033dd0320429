"""Rendered text as an image."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from unicodedata import east_asian_width

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_frame"]

_WIDTH, _HEIGHT, _DPI = 640, 320, 100
_COLUMNS = 78
# The font of every frame, which comes with matplotlib.
_FONT = "DejaVu Sans Mono"
# Fonts of matplotlib that have a box for every character.
_BOXES = "Last Resort"


def draw_frame(text: str) -> NDArray[np.uint8]:
    """Draw lines of text; long lines are wrapped.

    Characters that the font lacks are drawn in another one that is installed. Those that none has
    are shown as boxes, and a warning names them once.

    Returns:
        (320, 640, 3) uint8, RGB.
    """
    # The figure is drawn without pyplot: no global state, no window.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    wrapped = "\n".join(part for line in text.split("\n") for part in _wrap(line))
    figure = Figure(figsize=(_WIDTH / _DPI, _HEIGHT / _DPI), dpi=_DPI)
    canvas = FigureCanvasAgg(figure)
    fonts = [_FONT, *_fonts_for(frozenset(wrapped) - _characters(_FONT) - {"\n"})]
    figure.text(0.02, 0.95, wrapped, family=fonts, size=8, va="top", parse_math=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # Matplotlib's canvas has no annotations.
        canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()


def _wrap(line: str) -> Iterable[str]:
    """Cut a line where it is too long, after a blank if there is one; some letters count twice."""
    while True:
        ends = np.cumsum([1 + (east_asian_width(letter) in "WF") for letter in line])
        cut = int(np.searchsorted(ends, _COLUMNS, side="right"))
        if cut >= len(line):
            yield line
            return
        blank = line.rfind(" ", 1, cut + 1)
        end = blank if blank > 0 else cut
        yield line[:end]
        line = line[end:].lstrip(" ")


@lru_cache(maxsize=256)
def _fonts_for(missing: frozenset[str]) -> tuple[str, ...]:
    """Installed fonts that together have these characters, as far as any has them."""
    from matplotlib import font_manager

    found: list[str] = []
    fonts = [one for one in font_manager.fontManager.ttflist if _BOXES not in one.name]
    for font in sorted(fonts, key=_preference) if missing else ():
        if font.name not in found and not missing.isdisjoint(has := _characters(font.name)):
            found.append(font.name)
            missing -= has
        if not missing:
            break
    if missing:
        warnings.warn(
            f"no installed font has {', '.join(sorted(missing)[:5])}: rendered frames show boxes "
            "in place of such characters. For Chinese, install a font such as Noto Sans Mono CJK",
            stacklevel=4,
        )
    return tuple(found)


def _preference(font: Any) -> tuple[bool, bool, str]:
    """Order of fonts: regular before bold and italic ones, then monospaced ones, then by name."""
    regular = font.style == "normal" and font.weight in (400, "normal", "regular")
    return not regular, "Mono" not in font.name, font.name


@lru_cache(maxsize=4096)
def _characters(name: str) -> frozenset[str]:
    """The characters that a font has."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    # A list of families, since a string would be parsed as a pattern.
    path = font_manager.findfont(font_manager.FontProperties(family=[name]))
    return frozenset(map(chr, FT2Font(path).get_charmap()))

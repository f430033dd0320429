"""Rendered text as an image."""

from __future__ import annotations

import textwrap

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_frame"]

_WIDTH, _HEIGHT, _DPI = 640, 320, 100
_COLUMNS = 78


def draw_frame(text: str) -> NDArray[np.uint8]:
    """Draw lines of text; long lines are wrapped.

    Returns:
        (320, 640, 3) uint8, RGB.
    """
    # The figure is drawn without pyplot: no global state, no window.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    wrapped = "\n".join(
        "\n".join(textwrap.wrap(line, _COLUMNS) or [""]) for line in text.split("\n")
    )
    figure = Figure(figsize=(_WIDTH / _DPI, _HEIGHT / _DPI), dpi=_DPI)
    canvas = FigureCanvasAgg(figure)
    figure.text(0.02, 0.95, wrapped, family="monospace", size=8, va="top", parse_math=False)
    # Matplotlib's canvas has no annotations.
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()

"""How a text can be decoded: for the command line, which reads arguments before torch is loaded."""

from __future__ import annotations

from typing import Literal

__all__ = ["Method"]

Method = Literal["greedy", "csls", "best_of", "beam"]

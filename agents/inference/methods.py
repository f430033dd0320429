"""The decoding methods, for the command line, which parses arguments without loading torch."""

from __future__ import annotations

from typing import Literal

__all__ = ["Method"]

Method = Literal["greedy", "csls", "best_of", "beam"]

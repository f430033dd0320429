"""What a task is: data, environments, metrics and baselines under one name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llmar_env.metrics import PerText

__all__ = ["Task", "first_sentence"]

_VectorMetrics = Callable[
    [NDArray[np.float32], NDArray[np.float32], Sequence[str]], Mapping[str, PerText]
]
_TextMetrics = Callable[[Sequence[str], Sequence[str]], Mapping[str, PerText]]

# Where a sentence ends: at its mark, before a blank; Chinese marks need none.
_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])")


def _none(*_: object) -> Mapping[str, PerText]:
    return {}


@dataclass(frozen=True)
class Task:
    """A task by name."""

    name: str
    """What --task takes."""
    title: str
    """What is to be done, in a few words."""
    data: str
    """The built-in data; others by --data."""
    environments: tuple[str, ...]
    """Environments that fit; the first is the default."""
    measure: str
    """The score that the field looks at first."""
    of_vectors: _VectorMetrics = _none
    """Further scores of answers as vectors (n, D), given the targets' mean vectors (n, D) and their
    strings."""
    of_texts: _TextMetrics = _none
    """Further scores of written texts, given the targets."""
    baselines: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    """Answers by rule: a text as the answer to a text."""


def first_sentence(text: str) -> str:
    """The first sentence of a text, the baseline "lead-1" of summarization."""
    return _END.split(text.strip(), maxsplit=1)[0]

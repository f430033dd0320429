"""Options and helpers shared by the commands that take a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from ..names import Method

if TYPE_CHECKING:
    from ..llmar import LLMAR

_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class Command:
    """Options of every command that takes a model."""

    model: Path
    """Folder of a run, or of the model inside it."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1 and so on. An unavailable device is an error."""
    method: Method = "greedy"
    """Decoding method. csls needs many texts in a batch; beam and best_of are the slowest."""
    batch_size: int = 512
    """Number of texts that are read and answered at a time."""
    jsonl: bool = False
    """Print one JSON object per line; refine includes the estimated alignment of each round."""

    def load(self) -> LLMAR:
        """Load the model onto the device."""
        from ..llmar import LLMAR

        return LLMAR.load(self.model, device=self.device)


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Group items, `size` at a time; the last group may be smaller.

    Raises:
        ValueError: the size is below 1.
    """
    if size < 1:
        raise ValueError(f"--batch-size must be at least 1, found {size}")
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def lines_of(stream: BinaryIO, name: str) -> Iterator[str]:
    """Lines of a UTF-8 stream, without surrounding whitespace.

    Raises:
        ValueError: a line is not UTF-8; the message gives its number.
    """
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise ValueError(f"{name}, line {number} is not UTF-8: {error.reason}") from None

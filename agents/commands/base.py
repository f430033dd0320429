"""Options and helpers shared by the commands that take a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..names import Method
from ..options import DeviceName, Options, option

if TYPE_CHECKING:
    from ..llmar import LLMAR

_MANIFESTS = ("model.json", "model/model.json")
_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Options of every command that takes a model."""

    model: Path
    """Folder of a run, or of the model inside it."""
    device: str = option("auto", accepts=DeviceName())
    """Device: auto, cpu, cuda, cuda:1 and so on. An unavailable device is an error."""
    method: Method = "greedy"
    """Decoding method. csls needs many texts in a batch; beam and best_of are the slowest."""
    batch_size: int = option(512, at_least=1)
    """Number of texts that are read and answered at a time."""
    jsonl: bool = False
    """Print one JSON object per line; refine includes the estimated alignment of each round."""

    def load(self) -> LLMAR:
        """Load the model onto the device.

        Raises:
            FileNotFoundError: there is no model in the folder.
            ValueError: the model cannot be used.
        """
        if not any((self.model / place).exists() for place in _MANIFESTS):  # before torch is loaded
            raise FileNotFoundError(
                f"{self.model} contains no model: there is no {_MANIFESTS[0]} in it"
            )
        from ..llmar import LLMAR

        return LLMAR.load(self.model, device=self.device)


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Group items, `size` at a time; the last group may be smaller."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch

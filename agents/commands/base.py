"""Options and helpers shared by the commands that take a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..config import ReadingConfig
from ..names import Method
from ..options import DeviceName, Options, option, refuse
from ..reading import STDIN, argument_text, read_lines, read_pairs, standard_input

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
    source_embedder: str | None = None
    """Where the model of the source embedder is now, such as st:PATH, if it has moved."""
    target_embedder: str | None = None
    """Where the model of the target embedder is now, if it is another one and has moved."""
    batch_size: int = option(512, at_least=1)
    """Number of texts that are read and answered at a time."""
    jsonl: bool = False
    """Print one JSON object per line; refine includes the estimated alignment of each round."""

    def load(self, folder: Path | None = None) -> LLMAR:
        """Load the model, or that of another folder, onto the device.

        Raises:
            FileNotFoundError: there is no model in the folder, or a model that it needs is gone.
            ValueError: the model cannot be used.
        """
        folder = folder or self.model
        if not any((folder / place).exists() for place in _MANIFESTS):  # before torch is loaded
            raise FileNotFoundError(f"{folder} contains no model: {_what_is_in(folder)}")
        from ..llmar import LLMAR

        return LLMAR.load(
            folder,
            device=self.device,
            source_embedder=self.source_embedder,
            target_embedder=self.target_embedder,
        )


@dataclass(frozen=True, kw_only=True)
class DecodingCommand(Command):
    """Options of the commands whose model may write texts."""

    method: Method = "greedy"
    """Decoding method. csls needs many texts in a batch; beam and best_of are the slowest."""
    beam_size: int | None = option(None, at_least=1)
    """Number of hypotheses for each text, with --method beam; by default 4."""
    length_power: float | None = option(None, at_least=0)
    """With --method beam, log-probabilities are divided by length to this power; by default 0.7.
    Higher values favour longer texts."""

    def __post_init__(self) -> None:
        """Check all options."""
        super().__post_init__()
        for name in ("beam_size", "length_power"):
            if getattr(self, name) is not None and self.method != "beam":
                refuse(name, "is for --method beam")

    @property
    def decoding(self) -> dict[str, Any]:
        """Options of `decode`."""
        given = {"beam_size": self.beam_size, "length_power": self.length_power}
        return {"method": self.method, **{k: v for k, v in given.items() if v is not None}}


@dataclass(frozen=True, kw_only=True)
class TextInput(ReadingConfig):
    """Options of the commands that read texts without targets."""

    text: str | None = None
    """The input text."""
    file: Path | None = None
    """A file of input texts: a TSV, CSV, JSONL or parquet file with a source column; any other file
    has one text a line. Without --file and --text, standard input is read."""

    def __post_init__(self) -> None:
        """Check all options."""
        super().__post_init__()
        if self.text is not None and self.file is not None:
            refuse("text", "and --file cannot both be given: give --text or --file, not both")
        if self.text is not None and not self.text.strip():
            refuse("text", "is blank")

    def check(self) -> None:
        """Check that the input is there, before the model is loaded.

        Raises:
            ValueError: --text is not UTF-8.
            OSError: there is no such file, or it is a folder.
        """
        from llmar_env.text.readers import check_file

        if self.text is not None:
            argument_text(self.text, "--text")
        if self.file is not None and str(self.file) != STDIN:
            check_file(self.file)

    def sources(self) -> Iterator[str]:
        """The input texts; lines are read on demand.

        Raises:
            ValueError: a text cannot be read as the options say.
        """
        from llmar_env.text.readers import has_format

        name = STDIN if self.file is None else str(self.file)
        if self.text is not None:
            yield argument_text(self.text, "--text").strip()
        elif self.format is not None or has_format(name):
            yield from read_pairs(name, "", self).source
        elif name == STDIN:
            yield from read_lines(standard_input(), "standard input", self.on_bad_row)
        else:
            with open(name, "rb") as stream:
                yield from read_lines(stream, name, self.on_bad_row)


def _what_is_in(folder: Path) -> str:
    """Why a folder without a model has none."""
    from llmar_env.alignment.text_alignment import alignment_folder

    if folder.is_dir() and not any(folder.iterdir()):
        return "it is empty; a training that is cut off leaves none"
    try:
        alignment_folder(folder)
    except FileNotFoundError:
        return f"there is no {_MANIFESTS[0]} in it"
    return "it has an alignment model, which is for rerank and for --reward model:FOLDER"


def make_folder(folder: Path) -> None:
    """Make a new folder, and those that it is in.

    Raises:
        FileExistsError: it is there.
        ValueError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise
    except OSError as error:
        raise ValueError(f"cannot create {folder}: {error.strerror}") from None


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Group items, `size` at a time; the last group may be smaller."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch

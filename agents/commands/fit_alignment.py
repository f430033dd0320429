"""The command that fits an alignment model, a reward without references."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import AlignmentConfig, Config, DataConfig, RunConfig, check_together
from ..options import DeviceName, option
from ..reading import check_files
from .base import make_folder
from .terminal import print_json, report_console

if TYPE_CHECKING:
    from ..training.alignment import AlignmentScores

__all__ = ["FitAlignment"]


@dataclass(frozen=True, kw_only=True)
class FitAlignment(DataConfig, AlignmentConfig):
    """Fit an alignment model, a reward without references."""

    out: Path
    """Folder of the model, which is not there yet. --reward model:FOLDER trains on it, and rerank
    ranks by it."""
    device: str = option("auto", accepts=DeviceName())
    """Device: auto, cpu, cuda, cuda:1 and so on. An unavailable device is an error."""
    progress: bool = True
    """Show a progress bar."""
    jsonl: bool = False
    """Print the scores as one JSON object."""

    def run(self) -> None:
        """Fit, save, and print how often the right answer of a text scores highest in its split.

        Raises:
            ValueError: the texts cannot be used as the options say, or the folder is there, or
                cannot be made.
            OSError: there is no such file.
        """
        data = DataConfig(**{one.name: getattr(self, one.name) for one in fields(DataConfig)})
        config = Config(data=data, run=RunConfig(device=self.device, progress=self.progress))
        check_together(config)
        check_files(config)
        self._check_out()
        from ..networks.device import resolve_device
        from ..trainers.data import load_corpus
        from ..training.alignment import fit_alignment, score_alignment, score_linear

        corpus = load_corpus(config)
        settings = {one.name: getattr(self, one.name) for one in fields(AlignmentConfig)}
        found = fit_alignment(
            corpus,
            AlignmentConfig(**settings),
            device=resolve_device(self.device),
            progress=self.progress,
        )
        found.save(self.out)
        splits = [split for split in ("valid", "test") if split in corpus.splits]
        scores = {
            split: {
                "alignment_model": score_alignment(found.model, corpus, split),
                "linear": score_linear(corpus, split),
            }
            for split in splits
        }
        if self.jsonl:
            print_json(
                {
                    split: {name: asdict(one) for name, one in both.items()}
                    for split, both in scores.items()
                }
            )
        else:
            self._show(scores, {split: len(corpus.rows(split)) for split in splits})

    def _check_out(self) -> None:
        """Check that the folder can be made, before the time of a fit is spent."""
        try:
            make_folder(self.out)
        except FileExistsError:
            raise ValueError(f"{self.out} already exists: choose another --out") from None
        self.out.rmdir()  # a fit that fails leaves no folder

    def _show(self, scores: dict[str, dict[str, AlignmentScores]], sizes: dict[str, int]) -> None:
        """Print a table a split, of both models."""
        from rich.table import Table

        console = report_console()
        for split, both in scores.items():
            title = (
                f"The right answer of each of {sizes[split]:,} texts of {split}, among all of them"
            )
            table = Table("scored by", "first", "MRR", "its score", "others", title=title)
            for name, one in both.items():
                table.add_row(name.replace("_", " "), *(f"{x:.3f}" for x in asdict(one).values()))
            console.print(table)
        console.print(f"the model is in {self.out}", markup=False, soft_wrap=True)

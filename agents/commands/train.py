"""The command that trains an agent and reports the results."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Config
from ..reading import STDIN, check_files, read_files, read_judged
from .base import make_folder
from .terminal import parse, report_console, report_errors

if TYPE_CHECKING:
    from rich.console import Console

    from ..llmar import LLMAR

__all__ = ["DESCRIPTION", "cli", "main", "new_folder"]

DESCRIPTION = "Train an agent to align or write texts."


def main(config: Config) -> None:
    """Train, print the report and save the results in the folder of the run.

    Raises:
        ValueError: the options name something that is not there, or a run that is there already.
        OSError: there is no such file.
    """
    check_inputs(config)
    if config.run.seeds > 1:
        from .seeds import run_seeds

        run_seeds(config, new_folder(config), report_console())
        return
    from ..llmar import LLMAR
    from .report import part_of_report, print_report, report_task, write_report

    console = report_console()
    llmar = LLMAR(config)
    # Mistakes in the texts come before the banner and the folder.
    texts = _read(config)
    folder = new_folder(config)
    what = f"training {config.algorithm.algo} for {config.task.env} on {config.texts}"
    where = f"{what} ({llmar.device}), into {folder}"
    console.print(where, markup=False, soft_wrap=True)
    try:
        trained = llmar.train(texts, folder=folder)
    except BaseException:
        keep_best(llmar, folder, console)
        raise
    llmar.save(folder / "model")
    rows: list[dict[str, Any]] = []
    with part_of_report("examples"):
        rows = llmar.examples("test" if "test" in trained.scores else "valid")
    # Printing last: whoever reads the output may stop reading.
    write_report(llmar.config.as_json(), trained, rows, folder)
    print_report(trained, rows, console)
    if llmar.task is not None and not config.retrieves:
        with part_of_report("the scores of the task"):
            report_task(llmar, [*trained.scores], folder, console)
    console.print(f"results, curve and model are in {folder}", markup=False, soft_wrap=True)


def _read(config: Config) -> Any:
    """The texts that the options name; None where vectors are paired, as `LLMAR.train` does."""
    if config.data.source_vectors or config.data.target_vectors:
        return None
    return read_judged(config) if config.retrieves else read_files(config)


def check_inputs(config: Config) -> None:
    """Check that the texts are there and the run is not, before torch is loaded.

    Raises:
        ValueError: they cannot be used as the options say, or the run is there.
        OSError: there is no such file.
    """
    run, data = config.run, config.data
    if run.name is not None and (run.runs / run.name).exists():
        raise ValueError(f"{run.runs / run.name} already exists: choose another --name")
    if run.seeds > 1 and STDIN in map(str, (data.data, data.valid, data.test)):
        raise ValueError("--seeds reads the texts once for each seed: give --data as a file")
    check_files(config)


def new_folder(config: Config) -> Path:
    """Create the folder of the run.

    Raises:
        ValueError: the folder already exists, or cannot be created.
    """
    name = "stdin" if config.texts == STDIN else config.texts
    stem = Path(name.replace("phrasebook:", "phrasebook-")).stem
    stem = "".join(letter if letter.isprintable() else "_" for letter in stem)
    stamp = f"{stem}-{config.algorithm.algo}-{time.strftime('%Y%m%d-%H%M%S')}"
    # Runs that start in the same second get a number.
    new = itertools.chain([stamp], (f"{stamp}-{number}" for number in itertools.count(2)))
    for name in new if config.run.name is None else [config.run.name]:
        folder = config.run.runs / name
        try:
            make_folder(folder)
        except FileExistsError:
            continue
        return folder
    raise ValueError(f"{folder} already exists: choose another --name")


def keep_best(llmar: LLMAR, folder: Path, console: Console) -> None:
    """Save the best model of an aborted training run, or remove the folder if it is empty."""
    if llmar.policy is not None:
        llmar.save(folder / "model")
        where = f"the best model so far is in {folder / 'model'}"
        console.print(where, markup=False, soft_wrap=True)
    elif not any(folder.iterdir()):
        folder.rmdir()


def cli(arguments: Sequence[str] | None = None) -> None:
    """Run `train.py` with these arguments; by default those of the process.

    Raises:
        SystemExit: as in `agents.__main__.cli`.
    """
    with report_errors():
        main(parse(Config, "train.py", DESCRIPTION, arguments))

"""Measure how well a writer translates everyday sentences that nobody made from its corpus.

`everyday/de-en.txt` and the like hold sentences written by hand before the grammar was,
of its vocabulary. People judge the answers, one by one: exact or synonymous translations are right.
`everyday/de-en.judged.tsv` holds their judgements of the answers so far; answers that are not among
them are shown, and count as wrong.

    python benchmarks/everyday.py --model runs/writer --pair de-en

The lists of the other directions, `en-de`, `fr-en` and `zh-en`, have 50 sentences each.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from agents import LLMAR

_FOLDER = Path(__file__).parent / "everyday"


@dataclass(frozen=True)
class Options:
    """Measure everyday sentences."""

    model: Path = Path("runs/writer")
    """Folder of a writer's run."""
    pair: str = "de-en"
    """The languages, as in the file's name."""
    method: str = "greedy"
    """How answers are decoded: greedy or beam."""
    show: bool = False
    """Show all answers, with their judgement."""


def judgements(pair: str) -> dict[tuple[str, str], bool]:
    """Whether a translation of a sentence is right, for those that were judged."""
    path = _FOLDER / f"{pair}.judged.tsv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {(row["sentence"], row["answer"]): row["right"] == "1" for row in rows}


def main(options: Options) -> None:
    """Translate, look the judgements up, and print the share that is right."""
    console = Console(soft_wrap=True, highlight=False)
    sentences = (_FOLDER / f"{options.pair}.txt").read_text("utf-8").splitlines()
    model = LLMAR.load(options.model)
    answers = model.generate(sentences, method=options.method)
    judged = judgements(options.pair)
    right = unjudged = 0
    for sentence, answer in zip(sentences, answers, strict=True):
        verdict = judged.get((sentence, answer))
        right, unjudged = right + (verdict is True), unjudged + (verdict is None)
        if options.show or verdict is None:
            mark = {None: "?", True: "1", False: "0"}[verdict]
            console.print(f"{sentence}\t{answer}\t{mark}", markup=False)
    console.print(
        f"{options.pair}: {right} of {len(sentences)} right, {right / len(sentences):.1%}; "
        f"{unjudged} not judged"
    )


if __name__ == "__main__":
    main(tyro.cli(Options))

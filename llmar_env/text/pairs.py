"""Pairs of texts, read from TSV, CSV, JSONL and parquet; errors name the file and the line."""

import hashlib
import os
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import isclose
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Literal

from llmar_env.text.characters import as_read, half_character
from llmar_env.text.readers import BadTextFile, Wanted, check_file, listed, reader

__all__ = ["BadRow", "BadTextFile", "TextPairs"]


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        line: The line it starts on (a bad byte's own line), from 1; in parquet, the row's number.
        reason: What was found there.
    """

    line: int
    reason: str


FRACTIONS: Mapping[str, float] = MappingProxyType({"train": 0.9, "valid": 0.05, "test": 0.05})
"""The shares of the splits by default."""


@dataclass(frozen=True)
class TextPairs:
    """Source texts and their target texts, one for one.

    Attributes:
        source: The source texts.
        target: The target texts, as many.
        name: Where they came from, for messages.
        skipped: The bad rows of the file that were left out on request.

    Raises:
        ValueError: The lengths differ, there is no pair, or a text is blank or has half a
            surrogate pair, which no UTF-8 text can hold.
        TypeError: A text is not a str.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    name: str = "texts"
    skipped: tuple[BadRow, ...] = ()

    def __post_init__(self) -> None:
        # A list never equals a tuple: `echo` and == would be silently wrong for lists.
        object.__setattr__(self, "source", tuple(self.source))
        object.__setattr__(self, "target", tuple(self.target))
        if len(self.source) != len(self.target):
            counts = f"{len(self.source)} source texts but {len(self.target)} target texts"
            raise ValueError(f"{self.name}: {counts}; every source needs its target")
        if not self.source:
            raise ValueError(f"{self.name}: no pairs; at least one is needed")
        for side, texts in (("source", self.source), ("target", self.target)):
            for index, text in enumerate(texts):
                if not isinstance(text, str):
                    raise TypeError(f"{self.name}, {side}[{index}]: {text!r} is not a str")
                if not text or text.isspace():
                    raise ValueError(f"{self.name}, {side}[{index}]: the text is empty")
                if fault := half_character(text):
                    raise ValueError(f"{self.name}, {side}[{index}]: {fault}")

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str] | BinaryIO,
        *,
        source_column: str = "source",
        target_column: str = "target",
        on_bad_row: Literal["error", "skip"] = "error",
        format: str | None = None,  # noqa: A002 - the word every reader of files uses
        name: str | None = None,
    ) -> "TextPairs":
        """Read a TSV, CSV, JSONL or parquet file, in strict UTF-8.

        Whitespace around a text is removed. In a file with the source column alone, or with a
        column `text` alone, every target is its source. Columns that are not read may have any
        name, and blank cells after the last column are ignored.

        Args:
            path: The file, or a stream of bytes.
            source_column: The column (in JSONL, the key) of the source texts.
            target_column: The column of the target texts.
            on_bad_row: What to do with a bad row: stop with an error, or leave it out and list it
                in `skipped`, with a warning that counts such rows.
            format: tsv, csv, jsonl or parquet; None goes by the file's extension.
            name: What messages call the file; by default its path.

        Returns:
            The pairs, in the file's order.

        Raises:
            BadTextFile: The format is unknown, a column is missing or named twice, a row is bad
                (with "error"), or no good row is left.
            OSError: The file cannot be opened; FileNotFoundError where it is absent,
                IsADirectoryError where it is a folder.
            ImportError: The file is parquet and pyarrow is not installed.
            ValueError: `on_bad_row` is neither "error" nor "skip".
        """
        if on_bad_row not in ("error", "skip"):
            raise ValueError(f'on_bad_row must be "error" or "skip", got {on_bad_row!r}')
        if isinstance(path, str | os.PathLike):
            check_file(path)
            rows_of, unit = reader(name or os.fspath(path), format)
            data = Path(path).read_bytes()
            name = name or os.fspath(path)
        else:
            name = name or "the stream"
            rows_of, unit = reader(name, format)
            data = path.read()
        want = Wanted(name, source_column, target_column)
        pairs: list[tuple[str, str]] = []
        skipped: list[BadRow] = []
        for line, found in rows_of(data, want):
            if not isinstance(found, str):
                pairs.append(found)
            elif on_bad_row == "skip":
                skipped.append(BadRow(line, found))
            else:
                raise BadTextFile(f"{want.file}, {unit} {line}: {found}")
        if not pairs:
            raise BadTextFile(_no_pairs(want.file, unit, skipped))
        if skipped:
            warnings.warn(
                f"{want.file}: skipped {len(skipped)} bad rows, the first in {unit} "
                f"{skipped[0].line}: {skipped[0].reason}",
                stacklevel=2,
            )
        source, target = (tuple(pair[side] for pair in pairs) for side in (0, 1))
        return cls(source, target, want.file, tuple(skipped))

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: slice) -> "TextPairs":
        """Give the pairs of a slice, which must not be empty; `skipped` is unchanged."""
        if not isinstance(index, slice):
            raise TypeError(f"{self.name}: pairs are taken by slice, such as [:100], not {index!r}")
        return replace(self, source=self.source[index], target=self.target[index])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return zip(self.source, self.target, strict=True)

    @property
    def echo(self) -> bool:
        """Whether every target is its source."""
        return self.source == self.target

    def split(
        self,
        fractions: Mapping[str, float] = FRACTIONS,
        *,
        seed: int = 0,
    ) -> dict[str, "TextPairs"]:
        """Divide the pairs by a hash of the source text, as the tokenizer reads it.

        A source falls in the same split on every machine and in every order of the rows, and all
        its pairs fall together, so that no two splits share a source, in any Unicode form.

        Args:
            fractions: The name and expected share of each split; the shares add up to 1, and their
                order counts.
            seed: Another seed gives another division.

        Returns:
            The splits by name, each in the order of the rows; `skipped` is left empty.

        Raises:
            ValueError: The shares are not positive or do not add up to 1, or a split came out
                empty.
        """
        members = split_rows(list(map(as_read, self.source)), fractions, seed, self.name)
        return {name: self._take(rows, name) for name, rows in members.items()}

    def overlap(self, other: "TextPairs") -> list[int]:
        """Give the rows (indices from 0) whose pair of source and target is in `other` too.

        Texts are compared as the tokenizer reads them: composed (NFC), without blanks around them.
        """
        theirs = {(as_read(source), as_read(target)) for source, target in other}
        own = ((as_read(source), as_read(target)) for source, target in self)
        return [row for row, pair in enumerate(own) if pair in theirs]

    def constant_sides(self) -> list[str]:
        """Name the sides, "input texts" and "targets", whose texts are all one; none of one pair.

        Texts are compared as in `overlap`.
        """
        sides = {"input texts": self.source, "targets": self.target}
        one = {name for name, texts in sides.items() if len(set(map(as_read, texts))) == 1}
        return [name for name in sides if name in one and len(self) > 1]

    def _take(self, rows: list[int], split: str) -> "TextPairs":
        source = tuple(self.source[row] for row in rows)
        target = tuple(self.target[row] for row in rows)
        return TextPairs(source, target, f"{self.name} [{split}]")


def split_rows(
    keys: Sequence[str], fractions: Mapping[str, float], seed: int, name: str
) -> dict[str, list[int]]:
    """Divide rows by a hash of their keys, as `TextPairs.split` says.

    Args:
        keys: What the split of a row depends on; rows with equal keys fall together.
        fractions: As in `TextPairs.split`.
        seed: As in `TextPairs.split`.
        name: What messages call the rows.

    Returns:
        The rows of each split, ascending.

    Raises:
        ValueError: As in `TextPairs.split`.
    """
    shares = list(fractions.values())
    if not all(share > 0 for share in shares) or not isclose(sum(shares), 1, abs_tol=1e-6):
        got = dict(fractions)
        raise ValueError(f"the fractions of a split must be above 0 and add up to 1, got {got}")
    names = list(fractions)
    members: dict[str, list[int]] = {name: [] for name in names}
    bounds = list(accumulate(shares[:-1]))  # no last bound: rounding must not lose a row
    for row, key in enumerate(keys):
        members[names[bisect_right(bounds, _unit_hash(key, seed))]].append(row)
    empty = [name for name, rows in members.items() if not rows]
    if empty:
        raise ValueError(
            f"{name}: the split leaves {listed(empty)} without a pair; {len(keys)} pairs "
            f"({len(set(keys))} different sources) are too few for {dict(fractions)}"
        )
    return members


def _no_pairs(file: str, unit: str, skipped: list[BadRow]) -> str:
    if not skipped:
        return f"{file}: a header but no rows; at least one pair of texts is needed"
    shown = "; ".join(f"{unit} {bad.line}: {bad.reason}" for bad in skipped[:3])
    more = "; ..." if len(skipped) > 3 else ""
    return f"{file}: no good row; {len(skipped)} bad: {shown}{more}"


def _unit_hash(text: str, seed: int) -> float:
    """Give a number in [0, 1] that depends on the text and the seed alone."""
    digest = hashlib.blake2b(f"{seed}\n{text}".encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64

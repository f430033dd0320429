"""Pairs of texts, read from TSV, CSV, JSONL and parquet; errors name the file and the line."""

import csv
import hashlib
import json
import os
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from math import isclose
from pathlib import Path
from typing import Any, Literal, NamedTuple


class BadTextFile(ValueError):  # noqa: N818 - says what is wrong, as in "except BadTextFile"
    """A file of texts that cannot be used; the message names the file, the line and the fault."""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        line: The line it starts on (a bad byte's own line), from 1; in parquet, the row's number.
        reason: What was found there.
    """

    line: int
    reason: str


@dataclass(frozen=True)
class TextPairs:
    """Source texts and their target texts, one for one.

    Attributes:
        source: The source texts.
        target: The target texts, as many.
        name: Where they came from, for messages.
        skipped: The bad rows of the file that were left out on request.

    Raises:
        ValueError: The lengths differ, there is no pair, or a text is blank.
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

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        *,
        source_column: str = "source",
        target_column: str = "target",
        on_bad_row: Literal["error", "skip"] = "error",
        format: str | None = None,  # noqa: A002 - the word every reader of files uses
    ) -> "TextPairs":
        """Read a TSV, CSV, JSONL or parquet file, in strict UTF-8.

        Whitespace around a text is removed. In a file with the source column alone, every
        target is its source.

        Args:
            path: The file.
            source_column: The column (in JSONL, the key) of the source texts.
            target_column: The column of the target texts.
            on_bad_row: What to do with a bad row: stop with an error, or leave it out and list it
                in `skipped`, with a warning that counts such rows.
            format: tsv, csv, jsonl or parquet; None goes by the file's extension.

        Returns:
            The pairs, in the file's order.

        Raises:
            BadTextFile: The format is unknown, a column is missing, a row is bad (with "error"),
                or no good row is left.
            OSError: The file cannot be opened; FileNotFoundError where it is absent.
            ImportError: The file is parquet and pyarrow is not installed.
            ValueError: `on_bad_row` is neither "error" nor "skip".
        """
        if on_bad_row not in ("error", "skip"):
            raise ValueError(f'on_bad_row must be "error" or "skip", got {on_bad_row!r}')
        want = _Want(os.fspath(path), source_column, target_column)
        # Before the format, as "no such file" is the better message.
        if not Path(path).exists():
            raise FileNotFoundError(_no_file(Path(path)))
        with open(path, "rb") as file:
            rows_of, unit = _reader(want.file, format)
            data = file.read()
        pairs: list[tuple[str, str]] = []
        skipped: list[BadRow] = []
        for line, row in rows_of(data, want):
            found = row if isinstance(row, str) else _clean(row, want)
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
        fractions: Mapping[str, float] = {"train": 0.9, "valid": 0.05, "test": 0.05},
        *,
        seed: int = 0,
    ) -> dict[str, "TextPairs"]:
        """Divide the pairs by a hash of the source text.

        A source falls in the same split on every machine and in every order of the rows, and all
        its pairs fall together, so that no two splits share a source.

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
        shares = list(fractions.values())
        if not all(share > 0 for share in shares) or not isclose(sum(shares), 1, abs_tol=1e-6):
            got = dict(fractions)
            raise ValueError(f"the fractions of a split must be above 0 and add up to 1, got {got}")
        names = list(fractions)
        members: dict[str, list[int]] = {name: [] for name in names}
        bounds = list(accumulate(shares[:-1]))  # no last bound: rounding must not lose a row
        for row, text in enumerate(self.source):
            members[names[bisect_right(bounds, _unit_hash(text, seed))]].append(row)
        empty = [name for name, rows in members.items() if not rows]
        if empty:
            raise ValueError(
                f"{self.name}: the split leaves {_listed(empty)} without a pair; {len(self)} pairs "
                f"({len(set(self.source))} different sources) are too few for {dict(fractions)}"
            )
        return {name: self._take(rows, name) for name, rows in members.items()}

    def overlap(self, other: "TextPairs") -> list[int]:
        """Give the rows (indices from 0) whose pair of source and target is in `other` too."""
        theirs = set(other)
        return [row for row, pair in enumerate(self) if pair in theirs]

    def _take(self, rows: list[int], split: str) -> "TextPairs":
        source = tuple(self.source[row] for row in rows)
        target = tuple(self.target[row] for row in rows)
        return TextPairs(source, target, f"{self.name} [{split}]")


class _Want(NamedTuple):
    """The file being read and the columns wanted of it."""

    file: str
    source: str
    target: str


# What a reader gives for each row: its line, and the two texts or else what is wrong with it.
_Row = tuple[int, tuple[str, str] | str]


def _reader(file: str, kind: str | None) -> tuple[Callable[[bytes, _Want], Iterator[_Row]], str]:
    """Give the function that reads a file's rows and the word for one of its rows."""
    found = Path(file).suffix[1:].lower() if kind is None else kind.lower().removeprefix(".")
    if found in _READERS:
        return _READERS[found], "row" if _READERS[found] is _parquet_rows else "line"
    what = f"unknown extension {'.' + found!r}" if found else "the name has no extension"
    if kind is not None:
        what = f"unknown format {kind!r}"
    known = ", ".join("." + name for name in _READERS)
    raise BadTextFile(f"{file}: {what}; known are {known}, or name the format (such as tsv)")


def _no_file(path: Path) -> str:
    """Say that a file is absent, and which files its folder holds."""
    if not path.parent.is_dir():
        return f"no file {path}, nor its folder"
    there = sorted(file.name for file in path.parent.iterdir() if file.suffix[1:] in _READERS)
    return f"no file {path}; its folder holds {_listed(there) if there else 'no file of texts'}"


def _tsv_rows(data: bytes, want: _Want) -> Iterator[_Row]:
    """Read tab-separated lines. There is no quoting: a quote is a character like any other."""
    lines = _lines(data, want.file)
    try:
        header = [name.strip() for name in lines[0].decode().split("\t")]
    except UnicodeDecodeError as error:
        raise BadTextFile(f"{want.file}, line 1: {_bad_byte(error)}") from None
    source, target = _positions(header, want, f"{want.file}, line 1")
    for number, line in enumerate(islice(lines, 1, None), 2):
        try:
            fields = line.decode().split("\t")
        except UnicodeDecodeError as error:
            yield number, _bad_byte(error)
            continue
        if len(fields) == len(header):
            yield number, (fields[source], fields[target])
        else:
            yield number, _ragged(header, fields)


def _csv_rows(data: bytes, want: _Want) -> Iterator[_Row]:
    """Read comma-separated records (RFC 4180), each of which may run over several lines."""
    records = _csv_records(_lines(data, want.file))
    line, header = next(records)
    if isinstance(header, str):
        raise BadTextFile(f"{want.file}, line {line}: {header}")
    header = [name.strip() for name in header]
    source, target = _positions(header, want, f"{want.file}, line 1")
    for line, fields in records:
        if isinstance(fields, str):
            yield line, fields
        elif len(fields) == len(header):
            yield line, (fields[source], fields[target])
        else:
            yield line, _ragged(header, fields)


def _csv_records(lines: list[bytes]) -> Iterator[tuple[int, list[str] | str]]:
    """Give each record's first line with its fields, or with what is wrong in it."""
    # Bad bytes pass the parser and are looked for later, so that they spoil only their own record.
    reader = csv.reader((_lenient(line) for line in lines), strict=True)
    while reader.line_num < len(lines):
        first = reader.line_num + 1
        try:
            fields = next(reader)
        except csv.Error as error:
            yield first, _bad_quoting(str(error), first, reader.line_num)
            continue
        for number in range(first, reader.line_num + 1):
            try:
                lines[number - 1].decode()
            except UnicodeDecodeError as error:
                yield number, _bad_byte(error)
                break
        else:
            yield first, fields


def _lenient(line: bytes) -> str:
    return line.decode("utf-8", "replace") + "\n"


def _bad_quoting(error: str, first: int, last: int) -> str:
    """Say in plain words what csv.Error means, and which lines are lost by it."""
    if "new-line character" in error:
        reason = "a carriage return in the middle of a line, outside quotes"
    elif "unexpected end of data" in error:
        reason = "a quote opened here is never closed"
    elif "field larger than" in error:
        reason = f"a text of more than {csv.field_size_limit()} characters (an unclosed quote?)"
    else:
        reason = 'characters after a closing quote (a quote within quotes is written "")'
    return f"{reason}; the row runs to line {last}" if last > first else reason


def _jsonl_rows(data: bytes, want: _Want) -> Iterator[_Row]:
    """Read one JSON object a line. The first with the source key decides if there are targets."""
    alone: bool | None = None
    for number, line in enumerate(_lines(data, want.file), 1):
        row = _json_object(line)
        if isinstance(row, str):
            yield number, row
            continue
        if alone is None and want.source in row:
            alone = len(row) == 1
        if alone and want.source in row and len(row) > 1:
            found = _listed(row)
            yield number, f"expected the key {want.source!r} alone, as above, found {found}"
        else:
            yield number, _json_texts(row, want.source, want.source if alone else want.target)


def _json_object(line: bytes) -> dict[str, Any] | str:
    """Parse a line, or say why not."""
    try:
        text = line.decode()
        if not text.strip():
            return "blank line"
        row = _JSON.decode(text)
    except UnicodeDecodeError as error:
        return _bad_byte(error)
    except json.JSONDecodeError as error:
        return f"bad JSON: {error.msg}, at character {error.colno}"
    except (ValueError, RecursionError) as error:
        return f"bad JSON: {error}"
    return row if isinstance(row, dict) else f"expected a JSON object, found {_brief(row)}"


def _json_texts(row: dict[str, Any], *keys: str) -> tuple[str, str] | str:
    """Give the texts under the two keys, or say what is there instead."""
    for key in keys:
        if key not in row:
            return f"no key {key!r}; the keys found are {_listed(row)}"
        if not isinstance(row[key], str):
            return f"expected a string for {key!r}, found {_brief(row[key])}"
        try:
            row[key].encode()
        except UnicodeEncodeError as error:  # JSON can write half a character: "\ud83d"
            return f"half a surrogate pair, U+{ord(row[key][error.start]):04X}, in {key!r}"
    return row[keys[0]], row[keys[1]]


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):  # json would keep the last one and silently drop the others
        raise ValueError(f"{_twice([key for key, _ in pairs])} occurs more than once")
    return row


_JSON = json.JSONDecoder(object_pairs_hook=_unique_keys)


def _parquet_rows(data: bytes, want: _Want) -> Iterator[_Row]:
    """Read two columns of strings of a parquet file."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        advice = 'reading parquet needs pyarrow: pip install "llmar[parquet]"'
        raise ImportError(f"{want.file}: {advice}") from error
    try:
        table = pq.ParquetFile(pa.BufferReader(data))
        header = list(table.schema_arrow.names)
        names = [header[position] for position in _positions(header, want, want.file)]
        columns = table.read(columns=sorted(set(names)))
    except (pa.ArrowException, OSError) as error:
        raise BadTextFile(f"{want.file}: not a readable parquet file: {error}") from error
    texts = []
    for name in names:
        kind = columns.schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise BadTextFile(f"{want.file}: expected strings in column {name!r}, found {kind}")
        # As bytes, because Arrow checks no encoding and would fail without naming the row.
        texts.append(columns.column(name).cast(kind).cast(pa.large_binary()).to_pylist())
    for row, values in enumerate(zip(*texts, strict=True), 1):
        yield row, _parquet_texts(values, names)


def _parquet_texts(values: Sequence[bytes | None], names: list[str]) -> tuple[str, str] | str:
    """Decode the two texts of a row, or say what is wrong with them."""
    texts = []
    for value, name in zip(values, names, strict=True):
        if value is None:
            return f"null in column {name!r}"
        try:
            texts.append(value.decode())
        except UnicodeDecodeError as error:
            return f"{_bad_byte(error)}, in column {name!r}"
    return texts[0], texts[1]


_READERS: dict[str, Callable[[bytes, _Want], Iterator[_Row]]] = {
    "tsv": _tsv_rows,
    "csv": _csv_rows,
    "jsonl": _jsonl_rows,
    "ndjson": _jsonl_rows,
    "parquet": _parquet_rows,
    "pq": _parquet_rows,
}


def _lines(data: bytes, file: str) -> list[bytes]:
    """Cut a text file at its newlines, without the byte order mark and blank lines at the end."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadTextFile(f"{file}, line 1: the file is in UTF-16; save it as UTF-8")
    # Not splitlines, which also cuts at characters that occur within texts.
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    while lines and not lines[-1].strip(b" \r"):
        lines.pop()
    if not lines:
        raise BadTextFile(f"{file}: the file is empty; at least one pair of texts is needed")
    return lines


def _positions(header: list[str], want: _Want, place: str) -> tuple[int, int]:
    """Find the source and target columns in a header; a single column is both."""
    if len(set(header)) < len(header):
        raise BadTextFile(
            f"{place}: the header names {_twice(header)} more than once; "
            "every column needs a unique name"
        )
    target = want.source if len(header) == 1 else want.target
    missing = [name for name in dict.fromkeys((want.source, target)) if name not in header]
    if missing:
        raise BadTextFile(
            f"{place}: no column {_listed(missing)}; the columns found are {_listed(header)} "
            "(choose among them by source_column and target_column)"
        )
    return header.index(want.source), header.index(target)


def _clean(row: tuple[str, str], want: _Want) -> tuple[str, str] | str:
    """Strip the two texts of a row, or say why they cannot be used."""
    source, target = row[0].strip(), row[1].strip()
    for text, column in ((source, want.source), (target, want.target)):
        if not text:
            return f"empty text in column {column!r}"
        if "\0" in text:
            return f"a NUL character in column {column!r}"
    return source, target


def _no_pairs(file: str, unit: str, skipped: list[BadRow]) -> str:
    if not skipped:
        return f"{file}: a header but no rows; at least one pair of texts is needed"
    shown = "; ".join(f"{unit} {bad.line}: {bad.reason}" for bad in skipped[:3])
    more = "; ..." if len(skipped) > 3 else ""
    return f"{file}: no good row; {len(skipped)} bad: {shown}{more}"


def _ragged(header: list[str], fields: list[str]) -> str:
    if not "".join(fields).strip() and len(fields) < 2:
        return "blank line"
    columns = f"{len(header)} column{'s' if len(header) > 1 else ''}"
    names = ", ".join(header[:8]) + (", ..." if len(header) > 8 else "")
    return f"expected {columns} ({names}), found {len(fields)}"


def _bad_byte(error: UnicodeDecodeError) -> str:
    byte = error.object[error.start]
    return f"byte 0x{byte:02X} at byte offset {error.start} (from 0) is not UTF-8"


def _twice(names: Iterable[str]) -> str:
    return _listed(name for name, count in Counter(names).items() if count > 1)


def _listed(names: Iterable[str]) -> str:
    """Quote names for a message, and leave some out if there are many."""
    shown = [repr(name if len(name) <= 40 else name[:40] + "...") for name in islice(names, 21)]
    return ", ".join(shown[:20] + ["..."] * (len(shown) > 20)) or "none"


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:40] + "..."


def _unit_hash(text: str, seed: int) -> float:
    """Give a number in [0, 1] that depends on the text and the seed alone."""
    # surrogatepass: texts made by a program, unlike those read, may hold half a surrogate pair.
    digest = hashlib.blake2b(f"{seed}\n{text}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64

"""Rows of TSV, CSV, JSONL and parquet files; errors name the file and the line."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from llmar_env.text.characters import half_character
from llmar_env.text.csv_records import csv_records
from llmar_env.text.phrasebook.names import nearest_name

__all__ = ["BadTextFile", "Row", "Wanted", "check_file", "has_format", "listed", "reader"]


class BadTextFile(ValueError):  # noqa: N818 - says what is wrong, as in "except BadTextFile"
    """A file of texts that cannot be used; the message names the file, the line and the fault."""


class Wanted(NamedTuple):
    """The file being read and the columns wanted of it."""

    file: str
    source: str
    target: str

    def alone(self, name: str) -> bool:
        """Whether the only column of a file is read, by its name, for both sides."""
        return name == self.source or (name == "text" and self.source == "source")


Row = tuple[int, tuple[str, str] | str]
"""What a reader gives for each row: its line, and the two texts or else what is wrong with it."""
Reader = Callable[[bytes, Wanted], Iterator[Row]]


class _Columns(NamedTuple):
    """Where the two texts stand in the rows of a table."""

    header: list[str]
    source: int
    target: int

    def texts(self, fields: list[str]) -> tuple[str, str] | str:
        """The two texts of a row, whatever blank cells follow, or what is wrong with it."""
        width = len(self.header)
        while len(fields) > width and not fields[-1].strip():
            fields = fields[:-1]
        if len(fields) != width:
            return _ragged(self.header, fields)
        names = self.header[self.source], self.header[self.target]
        return _clean((fields[self.source], fields[self.target]), names)


def reader(file: str, kind: str | None) -> tuple[Reader, str]:
    """Give the function that reads a file's rows and the word for one of its rows.

    Args:
        file: the file's name.
        kind: the format; None goes by the name's extension.

    Raises:
        BadTextFile: the format is unknown.
    """
    found = Path(file).suffix[1:].lower() if kind is None else kind.lower().removeprefix(".")
    if found in _READERS:
        return _READERS[found], "row" if _READERS[found] is _parquet_rows else "line"
    what = f"unknown extension {'.' + found!r}" if found else "the name has no extension"
    if kind is not None:
        what = f"unknown format {kind!r}"
    known = ", ".join("." + name for name in _READERS)
    raise BadTextFile(f"{file}: {what}; known are {known}, or name the format (such as tsv)")


def has_format(file: str) -> bool:
    """Whether a file's name ends as that of a format."""
    return Path(file).suffix[1:].lower() in _READERS


def check_file(path: str | os.PathLike[str]) -> None:
    """Check that a file is there.

    Raises:
        FileNotFoundError: it is not; the message lists the files of texts in its folder, or names
            the built-in corpus that is meant.
        IsADirectoryError: it is a folder; the message lists its files of texts.
    """
    found = Path(path)
    if not os.fspath(path):
        raise FileNotFoundError("no file is named: the path is empty")
    if found.is_dir():
        there = _files_in(found)
        raise IsADirectoryError(f"{path} is a folder, not a file of texts; it holds {there}")
    if found.exists():
        return
    if (meant := nearest_name(os.fspath(path))) is not None:
        raise FileNotFoundError(f"no file {path}; did you mean {meant}?")
    if not found.parent.is_dir():
        raise FileNotFoundError(f"no file {path}, nor its folder")
    raise FileNotFoundError(f"no file {path}; its folder holds {_files_in(found.parent)}")


def _files_in(path: Path) -> str:
    there = sorted(file.name for file in path.iterdir() if file.suffix[1:] in _READERS)
    return listed(there) if there else "no file of texts"


def _tsv_rows(data: bytes, want: Wanted) -> Iterator[Row]:
    """Read tab-separated lines. There is no quoting: a quote is a character like any other."""
    lines = _lines(data, want.file)
    try:
        header = lines[0].decode().split("\t")
    except UnicodeDecodeError as error:
        raise BadTextFile(f"{want.file}, line 1: {_bad_byte(error)}") from None
    columns = _columns(header, want, f"{want.file}, line 1", "\t")
    for number, line in enumerate(islice(lines, 1, None), 2):
        try:
            yield number, columns.texts(line.decode().split("\t"))
        except UnicodeDecodeError as error:
            yield number, _bad_byte(error)


def _csv_rows(data: bytes, want: Wanted) -> Iterator[Row]:
    """Read comma-separated records (RFC 4180), each of which may run over several lines."""
    lines = _lines(data, want.file)
    columns = None
    for first, last, fields in csv_records(lines):
        line, found = _checked(lines, first, last, fields)
        if columns is not None:
            yield line, found if isinstance(found, str) else columns.texts(found)
        elif isinstance(found, str):
            raise BadTextFile(f"{want.file}, line {line}: {found}")
        else:
            columns = _columns(found, want, f"{want.file}, line 1", ",")


def _checked(
    lines: list[bytes], first: int, last: int, fields: list[str] | str
) -> tuple[int, list[str] | str]:
    """A record and its line, or the line with a byte that is no text, which spoils that record."""
    if isinstance(fields, str):
        return first, fields
    for number in range(first, last + 1):
        try:
            lines[number - 1].decode()
        except UnicodeDecodeError as error:
            return number, _bad_byte(error)
    return first, fields


def _jsonl_rows(data: bytes, want: Wanted) -> Iterator[Row]:
    """Read one JSON object a line. The first with the source key decides if there are targets."""
    single: str | None = None  # the key that all objects have alone
    decided = False
    for number, line in enumerate(_lines(data, want.file), 1):
        row = _json_object(line)
        if isinstance(row, str):
            yield number, row
            continue
        if not decided and (want.source in row or [*map(want.alone, row)] == [True]):
            decided, single = True, next(iter(row)) if len(row) == 1 else None
        if single in row and len(row) > 1 and want.source != want.target:
            found = listed(row)
            yield number, f"expected the key {single!r} alone, as above, found {found}"
        else:
            keys = (single, single) if single is not None else (want.source, want.target)
            yield number, _json_texts(row, keys)


def _json_object(line: bytes) -> "dict[str, Any] | str":
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


def _json_texts(row: dict[str, Any], keys: tuple[str, str]) -> tuple[str, str] | str:
    """Give the texts under the two keys, or say what is there instead."""
    for key in keys:
        if key not in row:
            return f"no key {key!r}; the keys found are {listed(row)}"
        if key in getattr(row, "repeated", ()):  # the last one would silently replace the others
            return f"bad JSON: {key!r} occurs more than once"
        if not isinstance(row[key], str):
            return f"expected a string for {key!r}, found {_brief(row[key])}"
        if fault := half_character(row[key]):  # JSON can write half a character: "\ud83d"
            return f"{fault}, in {key!r}"
    return _clean((row[keys[0]], row[keys[1]]), keys)


class _Object(dict[str, Any]):
    """A JSON object, with the keys that it names more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = _repeated(key for key, _ in pairs) if len(self) < len(pairs) else ()


_JSON = json.JSONDecoder(object_pairs_hook=_Object)


def _parquet_rows(data: bytes, want: Wanted) -> Iterator[Row]:
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
        columns = _columns(header, want, want.file)
        names = (header[columns.source], header[columns.target])
        read = table.read(columns=sorted(set(names)))
    except (pa.ArrowException, OSError) as error:
        raise BadTextFile(f"{want.file}: not a readable parquet file: {error}") from error
    texts = []
    for name in names:
        kind = read.schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if str(kind) not in ("string", "large_string", "string_view"):
            raise BadTextFile(f"{want.file}: expected strings in column {name!r}, found {kind}")
        # As bytes, because Arrow checks no encoding and would fail without naming the row.
        texts.append(read.column(name).cast(kind).cast(pa.large_binary()).to_pylist())
    for row, values in enumerate(zip(*texts, strict=True), 1):
        yield row, _parquet_texts(values, names)


def _parquet_texts(values: Sequence[bytes | None], names: tuple[str, str]) -> tuple[str, str] | str:
    """Decode the two texts of a row, or say what is wrong with them."""
    texts = []
    for value, name in zip(values, names, strict=True):
        if value is None:
            return f"null in column {name!r}"
        try:
            texts.append(value.decode())
        except UnicodeDecodeError as error:
            return f"{_bad_byte(error)}, in column {name!r}"
    return _clean((texts[0], texts[1]), names)


_READERS: dict[str, Reader] = {
    "tsv": _tsv_rows,
    "csv": _csv_rows,
    "jsonl": _jsonl_rows,
    "ndjson": _jsonl_rows,
    "parquet": _parquet_rows,
    "pq": _parquet_rows,
}


def _lines(data: bytes, file: str) -> list[bytes]:
    """Cut a text file at its line ends, without the byte order mark and blank lines at the end."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        raise BadTextFile(f"{file}, line 1: the file is in UTF-16; save it as UTF-8")
    # Not splitlines, which also cuts at characters that occur within texts.
    lines = data.split(_line_end(data))
    while lines and not lines[-1].strip(b" \r"):
        lines.pop()
    if not lines:
        raise BadTextFile(f"{file}: the file is empty; at least one pair of texts is needed")
    return lines


def _line_end(data: bytes) -> bytes:
    """A carriage return alone, as on old systems, if the first line ends so."""
    first = data.partition(b"\n")[0].rstrip(b"\r")
    return b"\r" if b"\r" in first else b"\n"


def _columns(header: list[str], want: Wanted, place: str, separator: str = "") -> _Columns:
    """Find the source and target columns in a header; a single column is both."""
    header = [name.strip() for name in header] if separator else header
    while len(header) > 1 and not header[-1]:
        header = header[:-1]
    if len(header) == 1 and want.alone(header[0]):
        return _Columns(header, 0, 0)
    target = want.source if len(header) == 1 else want.target
    wanted = tuple(dict.fromkeys((want.source, target)))
    if twice := [name for name in _repeated(header) if name in wanted]:
        raise BadTextFile(
            f"{place}: the header names {listed(twice)} more than once; "
            "a column that is read needs a unique name"
        )
    if missing := [name for name in wanted if name not in header]:
        raise BadTextFile(
            f"{place}: no column {listed(missing)}; the columns found are {listed(header)} "
            "(choose among them by source_column and target_column, on the command line by "
            f"--source-column and --target-column){_other_separator(header, separator)}"
        )
    return _Columns(header, header.index(want.source), header.index(target))


def _other_separator(header: list[str], separator: str) -> str:
    """Ask whether a header of one name is one of several, separated by another character."""
    found = [one for one in ";\t,|" if one in header[0]] if len(header) == 1 and separator else []
    if not found:
        return ""
    advice = {",": "its format is csv", "\t": "its format is tsv"}
    expected = {",": "commas", "\t": "tabs"}[separator]
    other = advice.get(found[0], f"save it with {expected}")
    return f"; are its columns separated by {found[0]!r} in place of {expected}? Then {other}"


def _clean(row: tuple[str, str], names: tuple[str, str]) -> tuple[str, str] | str:
    """Strip the two texts of a row, or say why they cannot be used."""
    source, target = row[0].strip(), row[1].strip()
    for text, column in zip((source, target), names, strict=True):
        if not text:
            return f"empty text in column {column!r}"
        if "\0" in text:
            return f"a NUL character in column {column!r}"
    return source, target


def _ragged(header: list[str], fields: list[str]) -> str:
    if not "".join(fields).strip() and len(fields) < 2:
        return "blank line"
    columns = f"{len(header)} column{'s' if len(header) > 1 else ''}"
    names = ", ".join(header[:8]) + (", ..." if len(header) > 8 else "")
    return f"expected {columns} ({names}), found {len(fields)}"


def _bad_byte(error: UnicodeDecodeError) -> str:
    byte = error.object[error.start]
    return f"byte 0x{byte:02X} at byte offset {error.start} (from 0) is not UTF-8"


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def listed(names: Iterable[str]) -> str:
    """Quote names for a message, and leave some out if there are many."""
    shown = [repr(name if len(name) <= 40 else name[:40] + "...") for name in islice(names, 21)]
    return ", ".join(shown[:20] + ["..."] * (len(shown) > 20)) or "none"


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:40] + "..."

"""Records of comma-separated text (RFC 4180), each with the lines that it stands on."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from itertools import islice
from threading import Lock
from typing import Any

__all__ = ["csv_records"]

# The largest limit that the csv module takes on every system.
_UNLIMITED = 2**31 - 1
_LIMIT = Lock()


def csv_records(lines: list[bytes]) -> Iterator[tuple[int, int, list[str] | str]]:
    """Read records, each of which may run over several lines. Blanks before a quote are skipped.

    Where quoting breaks off within a text of several lines, the record goes on to that text's end,
    so that its lines are not taken for records.

    Args:
        lines: the lines, without their newlines. Bytes that are not UTF-8 are replaced.

    Yields:
        The first and the last line of a record, from 1; and its fields, or what is wrong in it.
    """
    rest = iter(lines)
    reader = csv.reader(map(_lenient, rest), strict=True, skipinitialspace=True)
    passed = 0  # lines of broken records, which the reader has not seen
    while (first := reader.line_num + passed + 1) <= len(lines):
        fields: list[str] | str
        try:
            fields = _next(reader)
        except csv.Error as error:
            found = reader.line_num + passed
            last = _last_line(lines, found) if "expected after" in str(error) else found
            deque(islice(rest, last - found), maxlen=0)
            passed += last - found
            fields = _reason(str(error)) + (f"; the row runs to line {last}" * (last > first))
        yield first, reader.line_num + passed, fields


def _lenient(line: bytes) -> str:
    return line.decode("utf-8", "replace") + "\n"


def _next(reader: Any) -> list[str]:
    """The next record. The csv module's limit of a field's length, the process's, is lifted."""
    with _LIMIT:
        limit = csv.field_size_limit(_UNLIMITED)
        try:
            fields: list[str] = next(reader)
        finally:
            csv.field_size_limit(limit)
    return fields


def _last_line(lines: list[bytes], found: int) -> int:
    """The last line of a record whose quoting was found to be bad on a line (both from 1).

    After the end of the record, the next quote of the file opens a field. A quote that does not
    is within the record still.
    """
    last = found
    for number, line in enumerate(islice(lines, found, None), found + 1):
        if b'"' in line:
            if _opens_field(line):
                break
            last = number
    return last


def _opens_field(line: bytes) -> bool:
    """Whether the first quote of a line opens a field; an end of the line or comma closes one."""
    before, _, after = line.partition(b'"')
    before = before.rstrip(b" ")
    return (not before or before.endswith(b",")) and after[:1] not in (b"", b",", b"\r")


def _reason(error: str) -> str:
    """Say in plain words what csv.Error means."""
    if "new-line character" in error:
        return "a carriage return in the middle of a line, outside quotes"
    if "unexpected end of data" in error:
        return "a quote opened here is never closed"
    return 'characters after a closing quote (a quote within quotes is written "")'

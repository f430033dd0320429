"""Collections in files: the BEIR layout, or three files of documents, queries and judgments."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "Clicks",
    "JudgedTexts",
    "find_judgments",
    "read_beir",
    "read_clicks",
    "read_collection",
    "read_documents",
]

PathLike = str | os.PathLike[str]

_SPLITS = {"train": ("train",), "valid": ("dev", "val", "valid"), "test": ("test",)}


@dataclass(frozen=True)
class JudgedTexts:
    """Documents, queries and judgments as strings, before they are embedded.

    Attributes:
        documents: text by document id, in the order of the file.
        queries: text by query id.
        judgments: of each split, the grades by query id and document id.
        name: where they are from, for messages.
    """

    documents: Mapping[str, str]
    queries: Mapping[str, str]
    judgments: Mapping[str, Mapping[str, Mapping[str, int]]]
    name: str = field(default="the collection")

    def __post_init__(self) -> None:
        """Check that every judged id is known, and every judged query has a relevant document.

        Raises:
            ValueError: it is not so; the message names the first.
        """
        for split, queries in self.judgments.items():
            where = f"{self.name}, {split}"
            for query, grades in queries.items():
                if query not in self.queries:
                    raise ValueError(f"{where}: there is no query {query!r}")
                if unknown := [one for one in grades if one not in self.documents]:
                    raise ValueError(f"{where}: there is no document {unknown[0]!r}")
                if not any(grade > 0 for grade in grades.values()):
                    raise ValueError(f"{where}: query {query!r} has no relevant document")


def read_beir(folder: PathLike) -> JudgedTexts:
    """Read a folder of the BEIR layout (Thakur et al. 2021).

    It has `corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` (`_id`, `text`), and
    `qrels/train.tsv`, `dev.tsv` or `val.tsv`, and `test.tsv` (query id, document id, grade, with a
    header line). "train" is required.

    Raises:
        ValueError: a file is missing or has a mistake; the message names file and line.
    """
    judged = find_judgments(folder)
    return read_collection(Path(folder) / "corpus.jsonl", Path(folder) / "queries.jsonl", judged)


def find_judgments(folder: PathLike) -> dict[str, Path]:
    """The file of judgments of each split, in a folder of the BEIR layout.

    Raises:
        ValueError: the folder lacks files of the layout, or has two for one split.
    """
    folder = Path(folder)
    there = [(folder / f"{name}.jsonl").is_file() for name in ("corpus", "queries")]
    if not all(there) or not (folder / "qrels").is_dir():
        raise ValueError(
            f"{folder} is no collection: it needs corpus.jsonl, queries.jsonl and a folder qrels "
            "with train.tsv, dev.tsv or val.tsv, and test.tsv"
        )
    found: dict[str, Path] = {}
    for split, stems in _SPLITS.items():
        files = [path for stem in stems if (path := folder / "qrels" / f"{stem}.tsv").is_file()]
        if len(files) > 1:
            raise ValueError(f"{folder} has {' and '.join(one.name for one in files)}: keep one")
        if files:
            found[split] = files[0]
    if "train" not in found:
        raise ValueError(f"{folder / 'qrels'} has no train.tsv")
    return found


def read_collection(
    corpus: PathLike, queries: PathLike, judgments: Mapping[str, PathLike]
) -> JudgedTexts:
    """Read three kinds of files, in the formats of `read_beir`.

    Args:
        corpus: a JSONL file of documents.
        queries: a JSONL file of queries.
        judgments: by split, a TSV file with or without a header line; or one of TREC's four
            columns, query id, an unused one, document id and grade, between blanks.

    Raises:
        ValueError: a file is missing or has a mistake; the message names file and line.
    """
    documents, texts = _read_texts(Path(corpus)), _read_texts(Path(queries))
    judged = {
        split: _read_judgments(Path(path), texts, documents) for split, path in judgments.items()
    }
    return JudgedTexts(documents, texts, judged, str(corpus))


def read_documents(path: PathLike) -> dict[str, str]:
    """Read a JSONL file of documents: text by id, with the title before it.

    Raises:
        ValueError: the file is missing or has a mistake; the message names file and line.
    """
    return _read_texts(Path(path))


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines that are not blank, each with its place for messages."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                where = f"{path}, line {number}"
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise ValueError(f"{where}: not UTF-8: {error.reason}") from None
                if text.strip():
                    yield where, text.rstrip("\r\n")
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None


def _read_texts(path: Path) -> dict[str, str]:
    """Texts by id; a title is put before the text."""
    texts: dict[str, str] = {}
    for where, line in _lines(path):
        record = _record(where, line, ("_id", "text"))
        name = str(record["_id"])
        if name in texts:
            raise ValueError(f"{where}: the id {name!r} stands there twice")
        text = f"{record.get('title') or ''} {record['text']}".strip()
        if not text:
            raise ValueError(f"{where}: {name!r} has no text")
        texts[name] = text
    if not texts:
        raise ValueError(f"{path} is empty")
    return texts


def _record(where: str, line: str, required: tuple[str, ...]) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: not JSON: {error.msg}") from None
    if not isinstance(record, dict) or not all(
        isinstance(record.get(key), str | int) for key in required
    ):
        raise ValueError(f"{where}: expected an object with {' and '.join(required)} as strings")
    return record


def _read_judgments(
    path: Path, queries: Mapping[str, str], documents: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    first: dict[str, str] = {}  # the line of each query's first judgment
    for number, (where, line) in enumerate(_lines(path)):
        fields = [one.strip() for one in (line.split("\t") if "\t" in line else line.split())]
        if number == 0 and len(fields) == 3 and not _is_integer(fields[2]):
            continue  # the header
        if len(fields) not in (3, 4):
            raise ValueError(f"{where}: expected query id, document id and grade, found {line!r}")
        query, document, grade = fields[0], fields[-2], fields[-1]
        if not _is_integer(grade) or int(grade) < 0:
            raise ValueError(f"{where}: a grade is an integer of at least 0, found {grade!r}")
        if query not in queries:
            raise ValueError(f"{where}: there is no query {query!r}")
        if document not in documents:
            raise ValueError(f"{where}: there is no document {document!r}")
        if document in judged.setdefault(query, {}):
            raise ValueError(f"{where}: document {document!r} is judged twice for {query!r}")
        judged[query][document] = int(grade)
        first.setdefault(query, where)
    if not judged:
        raise ValueError(f"{path} has no judgments")
    for query, grades in judged.items():
        if not any(grades.values()):
            raise ValueError(f"{first[query]}: query {query!r} has no relevant document")
    return judged


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()


@dataclass(frozen=True)
class Clicks:
    """One line of a log of clicks: a document shown at a rank, and whether it was clicked."""

    query: str
    document: str
    rank: int
    clicked: bool


def read_clicks(path: PathLike, queries: Container[str], documents: Container[str]) -> list[Clicks]:
    """Read a log of clicks: a TSV of query id, document id, rank from 1, and clicked, 0 or 1.

    A header line may stand before it.

    Raises:
        ValueError: a line has another form or an unknown id; the message names file and line.
    """
    clicks = []
    for number, (where, line) in enumerate(_lines(Path(path))):
        fields = [one.strip() for one in line.split("\t")]
        if number == 0 and len(fields) == 4 and not _is_integer(fields[2]):
            continue  # the header
        good = len(fields) == 4 and _is_integer(fields[2]) and fields[3] in ("0", "1")
        if not good or int(fields[2]) < 1:
            raise ValueError(
                f"{where}: expected query id, document id, rank from 1 and clicked (0 or 1), "
                f"found {line!r}"
            )
        query, document, rank, clicked = fields
        if query not in queries:
            raise ValueError(f"{where}: there is no query {query!r}")
        if document not in documents:
            raise ValueError(f"{where}: there is no document {document!r}")
        clicks.append(Clicks(query, document, int(rank), clicked == "1"))
    if not clicks:
        raise ValueError(f"{path} has no clicks")
    return clicks

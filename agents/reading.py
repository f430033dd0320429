"""The texts that options name: files, standard input, the built-in corpus. Loads no torch."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from .config import Config, PairsConfig, ReadingConfig

if TYPE_CHECKING:
    from llmar_env.retrieval.files import JudgedTexts
    from llmar_env.text.pairs import TextPairs

__all__ = [
    "STDIN",
    "argument_text",
    "check_data",
    "check_files",
    "read_column",
    "read_files",
    "read_judged",
    "read_lines",
    "read_pairs",
    "standard_input",
]

STDIN = "-"
# The part of --data used for validation if --valid is not given.
_VALID_PART = 0.05


def check_files(config: Config) -> None:
    """Check that the files that the options name are there and of a known format.

    Raises:
        ValueError: no file is named, its format is unknown, the phrasebook has no such corpus, or
            two files are to be read from standard input.
        OSError: there is no such file, or it is a folder.
    """
    from llmar_env.alignment.reward_spec import MODEL_PREFIX, term_names
    from llmar_env.text.readers import check_file

    for name in term_names(config.task.reward):
        if name.startswith(MODEL_PREFIX):
            from llmar_env.alignment.text_alignment import alignment_folder

            alignment_folder(name.removeprefix(MODEL_PREFIX))
    if config.retrieves:
        _check_collection(config)
        return
    data = config.data
    for vectors in (data.source_vectors, data.target_vectors):
        if vectors is not None:
            check_file(vectors)
    if data.source_vectors is not None and data.target_vectors is not None:
        return
    files = {"--data": config.texts, "--valid": data.valid, "--test": data.test}
    named = {flag: os.fspath(data) for flag, data in files.items() if data is not None}
    for flag, name in named.items():
        check_data(name, data, flag)
    if len(twice := [flag for flag, name in named.items() if name == STDIN]) > 1:
        raise ValueError(f"standard input can be read once, not for {' and '.join(twice)}")


def check_data(name: str, options: ReadingConfig, flag: str = "--data") -> None:
    """Check one name, as in `check_files`, which says what is raised."""
    from llmar_env.text.phrasebook import Phrasebook
    from llmar_env.text.phrasebook.names import PREFIX
    from llmar_env.text.readers import check_file, reader

    if not name:
        raise ValueError(f"{flag} is empty: name a file, or the built-in corpus phrasebook:de-en")
    if name.startswith(PREFIX):
        Phrasebook.from_name(name)
        return
    if name != STDIN:
        check_file(name)
    elif options.format is None:
        raise ValueError(f"{flag} -: name the format of standard input, such as --format tsv")
    reader(name, options.format)


def read_column(config: Config, column: str) -> dict[str, tuple[str, ...]]:
    """Read one column of the files of the options, beside vectors.

    Returns:
        The texts of each split whose file is given; all of them under "train", if only --data is.

    Raises:
        ValueError: a file cannot be read as the options say.
        OSError: there is no such file, or it is a folder.
    """
    check_files(config)
    data = config.data
    given = {"train": config.texts, "valid": data.valid, "test": data.test}
    alone = replace(data, source_column=column, target_column=column)
    return {
        split: read_pairs(os.fspath(name), split, alone).source
        for split, name in given.items()
        if name is not None
    }


def _check_collection(config: Config) -> None:
    """Check that the files of a collection are there.

    Raises:
        ValueError: a folder lacks files of a collection, or there is no such phrasebook.
        OSError: there is no such file or folder.
    """
    from llmar_env.retrieval.files import find_judgments
    from llmar_env.text.phrasebook import Phrasebook
    from llmar_env.text.phrasebook.names import PREFIX
    from llmar_env.text.readers import check_file

    data, name = config.data, config.texts
    files = (data.documents, data.queries, data.valid, data.test, config.retrieval.click_log)
    for file in files:
        if file is not None:
            check_file(file)
    if data.documents is not None:
        check_file(name)
    elif name.startswith(PREFIX):
        Phrasebook.from_name(name)
    elif not os.path.isdir(name):
        raise FileNotFoundError(
            f"--data must be a folder of the BEIR layout, or phrasebook:en; there is no folder "
            f"{name}. With --documents and --queries it is a file of judgments"
        )
    else:
        find_judgments(name)


def read_judged(config: Config) -> str | JudgedTexts:
    """Read the files of a collection.

    Returns:
        The documents, queries and judgments; or the name of a phrasebook.

    Raises:
        ValueError: as in `check_files`; or a file has a mistake.
        OSError: as in `check_files`.
    """
    from llmar_env.retrieval import read_beir, read_collection
    from llmar_env.text.phrasebook.names import PREFIX

    check_files(config)
    data, name = config.data, config.texts
    if data.documents is None or data.queries is None:
        return name if name.startswith(PREFIX) else read_beir(name)
    given = {"train": name, "valid": data.valid, "test": data.test}
    judged = {split: file for split, file in given.items() if file is not None}
    return read_collection(data.documents, data.queries, judged)


def read_files(config: Config) -> str | dict[str, TextPairs]:
    """Read the files of the options, and take the splits that are not given out of --data.

    Returns:
        The splits; or the name of a phrasebook, which has its own.

    Raises:
        ValueError: as in `check_files`; or a file cannot be read as the options say.
        OSError: as in `check_files`.
    """
    from llmar_env.text.phrasebook.names import PREFIX

    check_files(config)
    data, name = config.data, config.texts
    if name.startswith(PREFIX):
        if data.valid or data.test:
            raise ValueError("the phrasebook has fixed splits: leave out --valid and --test")
        return name
    given = {"train": name, "valid": data.valid, "test": data.test}
    pairs = {
        split: read_pairs(os.fspath(name), split, data)
        for split, name in given.items()
        if name is not None
    }
    if len(pairs) == 1:
        return pairs["train"].split()
    if "valid" not in pairs:
        pairs |= pairs["train"].split({"train": 1 - _VALID_PART, "valid": _VALID_PART})
    return pairs


def read_pairs(name: str, split: str, options: ReadingConfig) -> TextPairs:
    """Read one file, standard input, or a split of the phrasebook.

    Args:
        name: its name.
        split: the split to take of a phrasebook.
        options: how to read; without a target column, each text is its own target.

    Raises:
        ValueError: it cannot be read as the options say.
        OSError: there is no such file, or it is a folder.
    """
    from llmar_env.text.corpus import read_split
    from llmar_env.text.pairs import TextPairs

    source = options.source_column
    how: dict[str, Any] = {
        "source_column": source,
        "target_column": options.target_column if isinstance(options, PairsConfig) else source,
        "on_bad_row": options.on_bad_row,
        "format": options.format,
    }
    if name == STDIN:
        return TextPairs.read(standard_input(), **how, name="standard input")
    return read_split(name, split, **how)


def argument_text(text: str, flag: str) -> str:
    """A text of the command line, whatever the locale that Python has read it in.

    Raises:
        ValueError: its bytes are not UTF-8.
    """
    from llmar_env.text.characters import half_character

    if (fault := half_character(text)) is None:
        return text
    try:
        return os.fsencode(text).decode()
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02X} at byte offset {error.start} (from 0)"
        raise ValueError(f"{flag}: {byte} is not UTF-8") from None
    except UnicodeEncodeError:
        raise ValueError(f"{flag}: {fault}") from None


def read_lines(stream: BinaryIO, name: str, on_bad_row: str = "error") -> Iterator[str]:
    """Lines of UTF-8, as they come, without surrounding whitespace; blank ones too.

    Args:
        stream: the bytes. Lines end as the first one does: in a newline, or in a carriage return.
        name: what messages call it.
        on_bad_row: "skip" makes a line that is not UTF-8, or has a NUL character, blank, with a
            warning that counts such lines, so that lines keep their places; "error" stops.

    Raises:
        ValueError: a line is not UTF-8, or has a NUL character; the message gives its number.
    """
    bad = 0
    for number, line in enumerate(_cut(stream), 1):
        problem = "has a NUL character" if b"\0" in line else ""
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            problem = f"is not UTF-8: {error.reason}"
        if problem:
            if on_bad_row != "skip":
                raise ValueError(f"{name}, line {number} {problem}")
            text, bad = "", bad + 1
        yield text
    if bad:
        warnings.warn(
            f"{name}: {bad} lines that are not UTF-8, or have NUL characters, were read as blank",
            stacklevel=2,
        )


def _cut(stream: BinaryIO) -> Iterator[bytes]:
    """Lines of a stream. Where the first ends in a bare carriage return, all others do."""
    first = next(iter(stream), b"")
    if b"\r" in first.rstrip(b"\r\n"):
        yield from (first + stream.read()).rstrip(b"\r").split(b"\r")
    elif first:
        yield first
        yield from stream


def standard_input() -> BinaryIO:
    """The bytes of standard input.

    Raises:
        ValueError: it is closed.
    """
    if sys.stdin is None:
        raise ValueError("standard input is closed: name a file")
    return sys.stdin.buffer

"""`vectors:FILE`: word vectors in a file of word2vec, GloVe or fastText."""

from __future__ import annotations

import gzip
import mmap
import re
import shutil
import tempfile
import unicodedata
import warnings
from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmar_env.text.scripts import HAN

__all__ = ["VectorFile", "WordVectorIndex"]

# Chinese in one piece; words with the apostrophes, hyphens and dots inside them; other signs.
_PIECE = re.compile(rf"[{HAN}]+|(?:(?![{HAN}])\w)+(?:['’.\-](?:(?![{HAN}])\w)+)*|[^\w\s]")
_PART = re.compile(r"['’.\-]|[^'’.\-]+")
_CHINESE = re.compile(f"[{HAN}]")
_LONGEST_CHINESE = 8
_NO_BLANK_BEFORE = re.compile(rf" (?=[.,!?;:%)\]}}…])|(?<=[(\[{{]) |(?<=[{HAN}]) (?=[{HAN}])")
_SHOWN = 5


class WordVectorIndex:
    """Where each word is in a file of word vectors, which stays on disk.

    Text: a line for each word, the word and then D numbers, after a line "V D" (word2vec and
    fastText) or without one (GloVe). Binary: the line "V D", and for each word its bytes, a blank
    and D little-endian float32. A file compressed by gzip is unpacked to a temporary one. Sixteen
    bytes of memory are taken for each word of the file.

    Args:
        path: the file.

    Attributes:
        dim: D.
        binary: whether numbers are binary.

    Raises:
        ValueError: the file has neither form, or is truncated.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data = _mapped(path)
        first = self._data[: self._end_of_line(0)].split()
        count: int | None = None
        begin = 0
        if len(first) == 2 and all(one.isdigit() for one in first):
            count, self.dim = map(int, first)
            begin = self._end_of_line(0) + 1
        else:
            self.dim = len(first) - 1
        if self.dim < 1 or begin >= len(self._data):
            raise ValueError(
                f"{path} has no word vectors: expected lines of a word and numbers, and maybe a "
                f'line "V D" before them, found {self._data[:60]!r}'
            )
        self.binary = count is not None and not self._is_text(begin)
        hashes, places = self._scan_binary(begin, count or 0) if self.binary else self._scan(begin)
        if count is not None and len(hashes) != count:
            raise ValueError(f"{path} should have {count:,} words, found {len(hashes):,}")
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._places = hashes[order], places[order]

    def __len__(self) -> int:
        """The number of words."""
        return len(self._hashes)

    def _end_of_line(self, position: int) -> int:
        end = self._data.find(b"\n", position)
        return len(self._data) if end < 0 else end

    def _is_text(self, begin: int) -> bool:
        """Whether the line at a position is a word and D numbers."""
        try:
            return self._numbers(begin)[1].shape == (self.dim,)
        except ValueError:
            return False

    def _numbers(self, position: int) -> tuple[bytes, NDArray[np.float32]]:
        """The word and the vector of a line; raises ValueError where it has another form."""
        fields = self._data[position : self._end_of_line(position)].rstrip().rsplit(b" ", self.dim)
        vector = np.array([float(number) for number in fields[1:]], np.float32)
        if len(vector) != self.dim:
            raise ValueError(f"expected {self.dim} numbers, found {len(vector)}")
        return fields[0], vector

    def _scan(self, begin: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The hash and the position of each word of a text file."""
        hashes, places = array("q"), array("q")
        data, size, position = self._data, len(self._data), begin
        while position < size:
            end = self._end_of_line(position)
            blank = data.find(b" ", position, end)
            if blank > position:
                hashes.append(hash(data[position:blank]))
                places.append(position)
            elif data[position:end].strip():
                line = data[:position].count(b"\n") + 1
                raise ValueError(
                    f"{self.path}, line {line}: expected a word and {self.dim} numbers"
                )
            position = end + 1
        return np.array(hashes, np.int64), np.array(places, np.int64)

    def _scan_binary(self, begin: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The hash and the position of each word of a binary file."""
        hashes, places = array("q"), array("q")
        data, position = self._data, begin
        for number in range(1, count + 1):
            if data[position : position + 1] == b"\n":
                position += 1
            blank = data.find(b" ", position)
            if blank < 0 or blank + 1 + 4 * self.dim > len(data):
                raise ValueError(
                    f"{self.path} ends within word {number:,} of {count:,}: it is truncated"
                )
            hashes.append(hash(data[position:blank]))
            places.append(position)
            position = blank + 1 + 4 * self.dim
        return np.array(hashes, np.int64), np.array(places, np.int64)

    def find(self, words: Iterable[str]) -> dict[str, int]:
        """The positions of those words that the file has."""
        distinct = list(dict.fromkeys(words))
        hashes = np.array([hash(word.encode("utf-8", "replace")) for word in distinct], np.int64)
        first = np.searchsorted(self._hashes, hashes)
        found = {}
        for word, number, place in zip(distinct, hashes, first.tolist(), strict=True):
            while place < len(self._hashes) and self._hashes[place] == number:
                position = int(self._places[place])
                if self._word(position) == word.encode("utf-8", "replace"):
                    found[word] = position
                    break
                place += 1
        return found

    def _word(self, position: int) -> bytes:
        if self.binary:
            return self._data[position : self._data.find(b" ", position)]
        return self._data[position : self._end_of_line(position)].rstrip().rsplit(b" ", self.dim)[0]

    def vector(self, position: int) -> NDArray[np.float32]:
        """(D,) the vector of the word at a position.

        Raises:
            ValueError: the line does not have D numbers.
        """
        if self.binary:
            begin = self._data.find(b" ", position) + 1
            return np.frombuffer(self._data[begin : begin + 4 * self.dim], "<f4")
        try:
            return self._numbers(position)[1]
        except ValueError as error:
            line = self._data[:position].count(b"\n") + 1
            raise ValueError(f"{self.path}, line {line}: {error}") from None


def _mapped(path: Path) -> mmap.mmap:
    """The content of a file, memory-mapped; unpacked first if gzip has compressed it."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        if not file.seek(0, 2):
            raise ValueError(f"{path} is empty")
        if not packed:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with tempfile.TemporaryFile() as copy:
        try:
            with gzip.open(path) as content:
                shutil.copyfileobj(content, copy)
        except (EOFError, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is damaged: {error}") from None
        copy.flush()
        return mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ)


class VectorFile:
    """One vector for each word, from a file.

    Only the words that texts have are read; the rest of the file stays on disk. A text is split
    into words (with the apostrophes, hyphens and dots inside them) and single signs. A word is
    looked up as written, then in lower case; if the file has neither, its parts are looked up
    alike. A run of Chinese characters is cut into the longest words that the file has, from the
    left. Words that are still unknown are left out, and a warning counts them.

    Args:
        spec: the string that names the embedder.
        path: the file.
        revision: its hash.
        words: the words that have the first ids.
    """

    weighted = False

    def __init__(self, spec: str, path: Path, revision: str, words: Sequence[str] = ()) -> None:
        self.spec = spec
        self.revision = revision
        self.settings: Mapping[str, Any] = {"kind": "vectors"}
        self.words: list[str] = []
        self._path = path
        self._ids: dict[str, int] = {}
        self._vectors: NDArray[np.float32] | None = None  # (V, D)
        # The words that each piece of a text consists of, and the number that is unknown.
        self._split: dict[str, tuple[list[str], int]] = {}
        if words:
            self._add(words)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the open file, which is opened again."""
        return {name: value for name, value in vars(self).items() if name != "index"}

    @cached_property
    def index(self) -> WordVectorIndex:
        """Where the words are in the file; made when it is first needed."""
        return WordVectorIndex(self._path)

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors."""
        return self.index.dim if self._vectors is None else self._vectors.shape[1]

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(V, D) the vectors of the words so far."""
        return np.zeros((0, self.dim), np.float32) if self._vectors is None else self._vectors

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of the words of each text; unknown ones are left out, and a warning counts them.

        Raises:
            ValueError: a text has no known word.
        """
        pieces = [_PIECE.findall(unicodedata.normalize("NFC", text)) for text in texts]
        self._learn(dict.fromkeys(piece for text in pieces for piece in text))
        for row, text in enumerate(pieces):
            if not any(self._split[piece][0] for piece in text):
                raise ValueError(f"text {row} has no word that {self.spec} knows: {texts[row]!r}")
        used = dict.fromkeys(word for text in pieces for p in text for word in self._split[p][0])
        self._add([word for word in used if word not in self._ids])
        ids = [[self._ids[word] for p in text for word in self._split[p][0]] for text in pieces]
        self._warn(pieces, sum(map(len, ids)))
        return ids

    def _learn(self, pieces: Iterable[str]) -> None:
        """Find out which words of the file new pieces of texts consist of."""
        new = [piece for piece in pieces if piece not in self._split]
        if not new:
            return
        known = self.index.find(form for piece in new for form in _forms(piece))
        # A zero vector has no direction: the word counts as unknown.
        known = {word: p for word, p in known.items() if self.index.vector(p).any()}
        for piece in new:
            self._split[piece] = _words_of(piece, known)

    def _add(self, words: Sequence[str]) -> None:
        """Give words their ids, and read their vectors."""
        if not words:
            return
        places = self.index.find(words)
        rows = np.array([self.index.vector(places[word]) for word in words], np.float32)
        self._vectors = np.concatenate([self.vectors, rows])
        for word in words:
            self._ids[word] = len(self.words)
            self.words.append(word)

    def _warn(self, pieces: Sequence[Sequence[str]], known: int) -> None:
        unknown = [p for text in pieces for p in text if self._split[p][1]]
        count = sum(self._split[piece][1] for piece in unknown)
        if count:
            shown = ", ".join(map(repr, list(dict.fromkeys(unknown))[:_SHOWN]))
            warnings.warn(
                f"{count:,} of {known + count:,} words are not in {self.spec} and are left out, "
                f"such as {shown}",
                stacklevel=5,
            )

    def detokenize(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each sequence of ids: words with blanks between, as punctuation has them."""
        texts = (" ".join(self.words[i] for i in one) for one in ids)
        return [_NO_BLANK_BEFORE.sub("", text) for text in texts]


def _forms(piece: str) -> Iterable[str]:
    """All words that a piece of a text may consist of."""
    if _CHINESE.match(piece):
        for first in range(len(piece)):
            for last in range(first + 1, min(len(piece), first + _LONGEST_CHINESE) + 1):
                yield piece[first:last]
        return
    for word in (piece, *_PART.findall(piece)):
        yield word
        yield word.lower()


def _words_of(piece: str, known: Mapping[str, int]) -> tuple[list[str], int]:
    """The words that a piece of a text consists of, and how many of its words are unknown."""
    if _CHINESE.match(piece):
        return _chinese_words(piece, known)
    for form in (piece, piece.lower()):
        if form in known:
            return [form], 0
    found, unknown = [], 0
    for part in _PART.findall(piece):
        form = part if part in known else part.lower()
        if form in known:
            found.append(form)
        elif part.isalnum():
            unknown += 1
    return (found, unknown) if found else ([], 1)


def _chinese_words(piece: str, known: Mapping[str, int]) -> tuple[list[str], int]:
    """The longest words from the left, and the number of characters that belong to none."""
    found, unknown, first = [], 0, 0
    while first < len(piece):
        for last in range(min(len(piece), first + _LONGEST_CHINESE), first, -1):
            if piece[first:last] in known:
                found.append(piece[first:last])
                first = last
                break
        else:
            unknown += 1
            first += 1
    return found, unknown

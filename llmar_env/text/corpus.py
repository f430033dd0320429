"""A corpus: texts and their targets, embedded once, with all splits in one store."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import (
    BILINGUAL,
    Embedder,
    Frozen,
    FrozenTokenEmbedder,
    GivenVectors,
    WordVectors,
    WordVectorsConfig,
    translated_vectors,
)
from llmar_env.text.embedders import embedder as make_embedder
from llmar_env.text.pairs import FRACTIONS, TextPairs, split_rows
from llmar_env.text.phrasebook import SIZES, Phrasebook, Sentences
from llmar_env.text.phrasebook.names import PREFIX
from llmar_env.text.phrasebook.shipped import shipped_embedder, shipped_texts

__all__ = ["SPLITS", "Corpus", "CorpusLike", "phrasebook_embedder", "read_split", "read_splits"]

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Corpus:
    """Pairs of texts and targets, embedded: what an environment draws its texts from.

    One store holds all splits, so that one policy serves all of them by row number and a test
    environment can never look up training vectors. Immutable; passed by reference.

    Attributes:
        source: n input texts.
        target: n target texts, row by row.
        splits: the rows of each split.
        sources: n strings, or empty where the texts came as vectors; those of the phrasebook are
            rendered as they are asked for.
        targets: n strings, or empty.
        source_embedder: what made `source`, or None where the texts came as vectors.
        target_embedder: what made `target`, or None.
    """

    source: EmbeddedTexts
    target: EmbeddedTexts
    splits: Mapping[str, range]
    sources: Sequence[str] = ()
    targets: Sequence[str] = ()
    source_embedder: Embedder | None = None
    target_embedder: Embedder | None = None

    def __post_init__(self) -> None:
        """Check that the two sides and the splits fit together."""
        if len(self.source) != len(self.target):
            raise ValueError(f"{len(self.source)} texts, but {len(self.target)} targets")
        for name, rows in self.splits.items():
            if not rows or rows.step != 1 or rows[0] < 0 or rows[-1] >= len(self.source):
                raise ValueError(
                    f"split {name!r} is {rows}; a split is a non-empty range of step 1 "
                    f"within the {len(self.source)} rows"
                )

    @classmethod
    def embed(
        cls,
        pairs: Mapping[str, TextPairs],
        *,
        source_embedder: Embedder | str | None = None,
        target_embedder: Embedder | str | None = None,
        word_vectors: WordVectorsConfig | None = None,
        **options: Any,
    ) -> Corpus:
        """Embed the splits of a data set.

        Embedders given as strings are fitted on "train", and those not given are `WordVectors`.
        Where every target is its source (the echo task), both sides share an embedder. A
        warning counts the rows of other splits that are in "train" too, and one says if all
        texts of a side of "train" are the same.

        Args:
            pairs: the splits by name; without fitted embedders, "train" must be among them.
            source_embedder: for the input texts: fitted, or a string for `embedder`; or
                "bilingual", word vectors in the space of the targets' (`translated_vectors`).
            target_embedder: the same for the targets; the vectors may differ in dimension.
            word_vectors: settings of word vectors that are fitted here.
            **options: of `embedder`, for those given as strings: cache, device and progress.

        Raises:
            ValueError: no split is given, or an embedder must be fitted and there is no "train".
        """
        if not pairs:
            raise ValueError("a corpus needs at least one split")
        _warn_of_shared_rows(pairs)
        _warn_of_one_text(pairs)
        echo = all(part.echo for part in pairs.values())
        given = _each_side(source_embedder, target_embedder, echo=echo)
        sources = [text for part in pairs.values() for text in part.source]
        targets = [text for part in pairs.values() for text in part.target]
        splits, first = {}, 0
        for name, part in pairs.items():
            splits[name] = range(first, first + len(part))
            first += len(part)

        def embed(one: Embedder | str | None, texts: list[str]) -> tuple[EmbeddedTexts, Embedder]:
            if not (one is None or isinstance(one, str)):
                return one.embed(texts), one
            made = make_embedder(one or "word2vec", word_vectors=word_vectors, **options)
            return _fit_and_embed(made, texts, _train(splits))

        if given[0] == BILINGUAL:
            target, of_target = embed(given[1], targets)
            words = _translating(sources, targets, of_target, _train(splits), word_vectors)
            source = words.embed(sources)
            return cls(source, target, splits, sources, targets, words, of_target)
        source, of_source = embed(given[0], sources)
        same = given[0] is given[1] or (isinstance(given[0], str) and given[0] == given[1])
        if same and sources == targets:
            target, of_target = source, of_source
        else:
            target, of_target = embed(given[1], targets)
        return cls(source, target, splits, sources, targets, of_source, of_target)

    @classmethod
    def of_vectors(
        cls,
        source: EmbeddedTexts | Sequence[str],
        target: EmbeddedTexts | Sequence[str],
        splits: Mapping[str, range] | None = None,
        *,
        embedder: Embedder | str | None = None,
        word_vectors: WordVectorsConfig | None = None,
        **options: Any,
    ) -> Corpus:
        """Pair vectors that come from elsewhere, such as of images, with texts or other vectors.

        What is done with the vectors is described at `GivenVectors`.

        Args:
            source: n inputs, as vectors or as strings.
            target: n targets, as vectors or as strings.
            splits: the rows of each split; by default they are divided 90/5/5 by the content of the
                inputs.
            embedder: of strings, as in `embed`.
            word_vectors: as in `embed`.
            **options: as in `embed`.

        Raises:
            ValueError: the sides differ in their number, or both are strings; or a split cannot be
                made.
        """
        if len(source) != len(target):
            raise ValueError(f"{len(source)} inputs, but {len(target)} targets")
        sources, targets = (
            () if isinstance(one, EmbeddedTexts) else tuple(one) for one in (source, target)
        )
        if sources and targets:
            raise ValueError("both sides are strings: use Corpus.load")
        if splits is None:
            keys = sources or _digests(source)
            members = split_rows(keys, FRACTIONS, 0, "the rows")
            order = [row for rows in members.values() for row in rows]
            ends = [0, *accumulate(map(len, members.values()))]
            splits = {
                name: range(*span) for name, span in zip(members, pairwise(ends), strict=True)
            }
            source, target = _reordered(source, order), _reordered(target, order)
            sources, targets = (
                tuple(texts[row] for row in order) if texts else () for texts in (sources, targets)
            )
        train = _train(splits)

        def embed(one: EmbeddedTexts | Sequence[str]) -> tuple[EmbeddedTexts, Any]:
            if isinstance(one, EmbeddedTexts):
                given = GivenVectors()
                return given.fit_and_embed(one, train), given
            if not (embedder is None or isinstance(embedder, str)):
                return embedder.embed(one), embedder
            made = make_embedder(embedder or "word2vec", word_vectors=word_vectors, **options)
            return _fit_and_embed(made, list(one), train)

        inputs, of_source = embed(source)
        wanted, of_target = embed(target)
        return cls(inputs, wanted, splits, sources, targets, of_source, of_target)

    @classmethod
    def load(
        cls,
        data: CorpusLike,
        *,
        source_embedder: Embedder | str | None = None,
        target_embedder: Embedder | str | None = None,
        word_vectors: WordVectorsConfig | None = None,
        max_length: int | None = None,
        **options: Any,
    ) -> Corpus:
        """Make a corpus from a name, a file or texts.

        Args:
            data: a corpus; "phrasebook:de-en" and the like; a file that `TextPairs.read` reads;
                `TextPairs`; or a mapping of splits to files or `TextPairs`. One file or one
                `TextPairs` is split 90/5/5 by content into train, valid and test.
            source_embedder: as in `embed`; not allowed with a corpus, which has its own.
            target_embedder: as `source_embedder`.
            word_vectors: settings of the embedders that are not given; by default the phrasebook
                has its own vectors.
            max_length: input texts are cut to this many vectors, and a warning counts them; by
                default none is cut. Targets are never cut.
            **options: as in `embed`.

        Raises:
            ValueError: the name, the file or the texts cannot be used; the message says why.
        """
        source_embedder = _name_or_none(source_embedder)
        target_embedder = _name_or_none(target_embedder)
        if source_embedder == BILINGUAL == target_embedder:
            target_embedder = None
        default = source_embedder is None and target_embedder is None and word_vectors is None
        if _is_phrasebook(data) and word_vectors is None and not default:
            book = Phrasebook.from_name(str(data))
            source_embedder = source_embedder or shipped_embedder(book.source)
            target_embedder = target_embedder or shipped_embedder(book.target)
        if isinstance(data, cls):
            if not default:
                raise ValueError("a Corpus brings its own embedders; pass its texts to change them")
            return data.truncate(max_length)
        if _is_phrasebook(data) and default:
            return _phrasebook_corpus(str(data)).truncate(max_length)
        corpus = cls.embed(
            read_splits(data),
            source_embedder=source_embedder,
            target_embedder=target_embedder,
            word_vectors=word_vectors,
            **options,
        )
        return corpus.truncate(max_length)

    def __deepcopy__(self, memo: dict[int, Any]) -> Corpus:
        """Return the corpus itself: it is immutable, and `gym.make` copies its arguments."""
        return self

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={len(rows)}" for name, rows in self.splits.items())
        return f"Corpus({parts}, source={self.source!r}, target={self.target!r})"

    def rows(self, split: str) -> range:
        """The rows of a split.

        Raises:
            ValueError: there is no such split; the message lists those there are.
        """
        if split not in self.splits:
            raise ValueError(f"no split {split!r}; this corpus has {', '.join(self.splits)}")
        return self.splits[split]

    @cached_property
    def shared_space(self) -> bool:
        """Whether inputs and targets are vectors of one space, so that their cosine has meaning.

        Without embedders, they are if both sides are one store or have equal tables of vectors.
        """
        one, other = self.source_embedder, self.target_embedder
        if isinstance(one, Frozen | WordVectors) and isinstance(other, Frozen | WordVectors):
            return one.space == other.space  # each with its own centre
        if one is not None or other is not None:
            return one is other
        if self.source.ids is None or self.target.ids is None:
            return self.source is self.target
        return np.array_equal(self.source.table, self.target.table)

    def truncate(self, max_length: int | None) -> Corpus:
        """Cut the input texts to `max_length` vectors; a warning counts those that were cut."""
        if max_length is None or max_length >= self.source.max_length:
            return self
        source, cut = self.source.truncate(max_length)
        warnings.warn(
            f"{cut} of {len(self.source)} input texts are longer than max_length={max_length} "
            f"vectors (the longest has {self.source.max_length}) and were cut",
            stacklevel=2,
        )
        return replace(self, source=source)


CorpusLike = (
    Corpus | TextPairs | str | os.PathLike[str] | Mapping[str, TextPairs | str | os.PathLike[str]]
)
"""What `Corpus.load` takes."""


def read_splits(data: CorpusLike) -> dict[str, TextPairs]:
    """The splits of a data set that is not embedded yet, in the order train, valid, test."""
    if isinstance(data, Corpus):
        raise ValueError("this corpus is embedded already")
    if isinstance(data, TextPairs):
        return data.split()
    if isinstance(data, Mapping):
        known = [name for name in SPLITS if name in data]
        return {name: read_split(data[name], name) for name in dict.fromkeys([*known, *data])}
    if _is_phrasebook(data):
        return _phrasebook_splits(str(data))
    return TextPairs.read(data).split()


def phrasebook_embedder(language: str) -> WordVectors:
    """The word vectors that ship with the package for a language of the phrasebook.

    Raises:
        ValueError: the phrasebook does not have the language.
    """
    return shipped_embedder(language)


def _is_phrasebook(data: object) -> bool:
    return isinstance(data, str | os.PathLike) and os.fspath(data).startswith(PREFIX)


def read_split(part: TextPairs | str | os.PathLike[str], split: str, **options: Any) -> TextPairs:
    """One split of a data set.

    Args:
        part: texts; a file; or the name of a phrasebook, of which the split is taken.
        split: its name.
        **options: of `TextPairs.read`, for a file.

    Raises:
        ValueError: the file cannot be used, or the phrasebook has no such split or language.
    """
    if isinstance(part, TextPairs):
        return part
    if not _is_phrasebook(part):
        return TextPairs.read(part, **options)
    book = Phrasebook.from_name(str(part))
    sources, targets = book.sentences(split)
    return TextPairs(tuple(sources), tuple(targets), f"{book.name}, {split}")


def _warn_of_shared_rows(pairs: Mapping[str, TextPairs]) -> None:
    for split, part in pairs.items():
        if split != "train" and "train" in pairs and (shared := part.overlap(pairs["train"])):
            warnings.warn(
                f"{len(shared)} of the {len(part)} rows of {split} are in train too; scores on "
                "them reward memorization",
                stacklevel=3,
            )


def _warn_of_one_text(pairs: Mapping[str, TextPairs]) -> None:
    for what in pairs["train"].constant_sides() if "train" in pairs else ():
        warnings.warn(
            f"the {len(pairs['train'])} {what} of train do not differ: there is nothing to learn, "
            "and a constant answer scores best",
            stacklevel=3,
        )


def _digests(store: EmbeddedTexts | Sequence[str]) -> list[str]:
    """A hash of each item's vectors."""
    assert isinstance(store, EmbeddedTexts)
    rows = (store.table[first:last] for first, last in pairwise(store.offsets.tolist()))
    return [hashlib.sha256(np.ascontiguousarray(one).tobytes()).hexdigest() for one in rows]


def _reordered(
    side: EmbeddedTexts | Sequence[str], order: list[int]
) -> EmbeddedTexts | Sequence[str]:
    return side.take(order) if isinstance(side, EmbeddedTexts) else [side[row] for row in order]


def _each_side(
    source: Embedder | str | None, target: Embedder | str | None, *, echo: bool
) -> tuple[Embedder | str | None, Embedder | str | None]:
    """What embeds each side; with `echo`, every text is its own target.

    Raises:
        ValueError: only the targets are to be bilingual.
    """
    source, target = _name_or_none(source), _name_or_none(target)
    if echo:
        source, target = source or target, target or source
        # A text that is its own target has nothing to be translated.
        return (None if source == BILINGUAL else source), (None if target == BILINGUAL else target)
    if target == BILINGUAL:
        if source != BILINGUAL:
            raise ValueError("bilingual vectors are those of the input texts: give it for them")
        target = None
    return source, target


def _name_or_none(given: Embedder | str | None) -> Embedder | str | None:
    """None for the default kind, which needs no name."""
    return None if isinstance(given, str) and given == "word2vec" else given


def _fit_and_embed(
    made: Embedder, texts: list[str], train: range
) -> tuple[EmbeddedTexts, Embedder]:
    """Embed the texts of a side, after the embedder was fitted on those of the rows `train`."""
    if isinstance(made, Frozen):
        return made.fit_and_embed(texts, train), made
    assert isinstance(made, WordVectors)
    made.fit(texts[train.start : train.stop])
    return made.embed(texts), made


def _translating(
    sources: list[str],
    targets: list[str],
    of_targets: Embedder,
    train: range,
    config: WordVectorsConfig | None,
) -> WordVectors:
    """The embedder of input texts whose tokens lie where their translations do."""
    if not isinstance(of_targets, WordVectors | FrozenTokenEmbedder):
        raise ValueError(
            "bilingual vectors need targets with one vector for each token: word2vec, vectors or "
            f"model2vec, found {of_targets!r}"
        )
    rows = slice(train.start, train.stop)
    return translated_vectors(sources[rows], targets[rows], of_targets, config)


def _train(splits: Mapping[str, range]) -> range:
    if "train" not in splits:
        raise ValueError(
            f"embedders are fitted on the split 'train', found {', '.join(splits)}; "
            "add it, or pass fitted embedders"
        )
    return splits["train"]


def _phrasebook_splits(name: str) -> dict[str, TextPairs]:
    return {split: read_split(name, split) for split in SPLITS}


# Corpora are immutable, and each of N environments made by name would build the same one.
@lru_cache(maxsize=4)
def _phrasebook_corpus(name: str) -> Corpus:
    """The phrasebook in its shipped vectors.

    No split shares a sentence with another, since a meaning has one split and one sentence.
    """
    book = Phrasebook.from_name(name)
    if book.splitting != "random":
        # The vectors have seen all words in sentences of all forms, as pretrained ones have.
        return Corpus.embed(
            _phrasebook_splits(name),
            source_embedder=shipped_embedder(book.source),
            target_embedder=shipped_embedder(book.target),
        )
    ends = [0, *accumulate(SIZES.values())]
    return Corpus(
        shipped_texts(book.source),
        shipped_texts(book.target),
        {split: range(*span) for split, span in zip(SIZES, pairwise(ends), strict=True)},
        Sentences(book.source),
        Sentences(book.target),
        shipped_embedder(book.source),
        shipped_embedder(book.target),
    )

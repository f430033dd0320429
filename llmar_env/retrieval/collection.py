"""A collection: embedded queries, a frozen index of documents, and which are relevant to which."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from llmar_env.retrieval.files import JudgedTexts, read_beir
from llmar_env.retrieval.index import ExactIndex, Index
from llmar_env.retrieval.judgments import Judgments
from llmar_env.text.corpus import SPLITS, Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import Embedder, WordVectors, WordVectorsConfig
from llmar_env.text.embedders import embedder as make_embedder
from llmar_env.text.phrasebook import Phrasebook
from llmar_env.text.phrasebook.shipped import shipped_deeds

__all__ = ["Collection", "CollectionLike"]

# The first sentences of "train" that are documents in the built-in collection.
_PHRASEBOOK_DOCUMENTS = 2000
# The share of "train" that validates where no split is given for it.
_VALID_PART = 0.05


@dataclass(frozen=True, eq=False)
class Collection:
    """What a retrieval environment draws its queries from, and searches.

    Immutable; passed by reference. The names `source` and `sources` are those of `Corpus`: what an
    agent observes.

    Attributes:
        source: n queries, embedded; one store holds all splits.
        splits: the rows of each split.
        index: m documents.
        judgments: of the n queries.
        sources: n strings, or empty where the queries came as vectors.
        documents: m strings, or empty.
        query_ids: n ids, or empty.
        document_ids: m ids, or empty.
        embedder: what made the vectors of both, or None where they came as vectors.

    Raises:
        ValueError: the parts do not fit together.
    """

    source: EmbeddedTexts
    splits: Mapping[str, range]
    index: Index
    judgments: Judgments
    sources: Sequence[str] = ()
    documents: Sequence[str] = ()
    query_ids: Sequence[str] = ()
    document_ids: Sequence[str] = ()
    embedder: Embedder | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        if len(self.judgments) != len(self.source):
            raise ValueError(f"{len(self.source)} queries, but judgments of {len(self.judgments)}")
        if self.judgments.num_documents != len(self.index):
            raise ValueError(
                f"{len(self.index)} documents, but judgments over {self.judgments.num_documents}"
            )
        if self.source.dim != self.index.dim:
            raise ValueError(
                f"queries have vectors of dimension {self.source.dim}, and documents of "
                f"{self.index.dim}: embed both with one embedder"
            )
        for name, rows in self.splits.items():
            if not rows or rows.step != 1 or rows[0] < 0 or rows[-1] >= len(self.source):
                raise ValueError(
                    f"split {name!r} is {rows}; a split is a non-empty range of step 1 "
                    f"within the {len(self.source)} queries"
                )

    @classmethod
    def embed(
        cls,
        texts: JudgedTexts,
        embedder: Embedder | str | None = None,
        *,
        word_vectors: WordVectorsConfig | None = None,
        device: str | None = None,
        **options: Any,
    ) -> Collection:
        """Embed documents and queries with one embedder, and index the documents.

        A frozen model's vectors are not centered, so that queries fit an index that others have
        built with it.

        Args:
            texts: documents, queries and judgments; a part of "train" becomes "valid" where there
                is none, chosen by the content of the queries.
            embedder: fitted, or a string for `make_embedder`; by default `WordVectors`, fitted on
                documents and training queries.
            word_vectors: settings of word vectors that are fitted here.
            device: as in `ExactIndex`; also of the embedder, for a string.
            **options: of `make_embedder`, for a string: cache and progress.
        """
        judged = _with_valid(texts)
        rows = [(split, query) for split in judged for query in judged[split]]
        documents = list(texts.documents.values())
        sources = [texts.queries[query] for _, query in rows]
        if embedder is None or isinstance(embedder, str):
            name = embedder or "word2vec"
            options |= {"word_vectors": word_vectors, "device": device or "auto"}
            embedder = make_embedder(name, **options)
            if isinstance(embedder, WordVectors):
                of_train = [texts.queries[query] for query in judged["train"]]
                embedder.fit(documents + of_train)
        number = {name: place for place, name in enumerate(texts.documents)}
        triples = (
            (row, number[document], grade)
            for row, (split, query) in enumerate(rows)
            for document, grade in judged[split][query].items()
        )
        splits, first = {}, 0
        for split, queries in judged.items():
            splits[split] = range(first, first + len(queries))
            first += len(queries)
        return cls(
            embedder.embed(sources),
            splits,
            ExactIndex(embedder.embed(documents).means, device),
            Judgments.of(triples, len(rows), len(documents)),
            sources,
            documents,
            [query for _, query in rows],
            list(texts.documents),
            embedder,
        )

    @classmethod
    def load(
        cls,
        data: CollectionLike,
        *,
        embedder: Embedder | str | None = None,
        word_vectors: WordVectorsConfig | None = None,
        max_length: int | None = None,
        device: str | None = None,
        **options: Any,
    ) -> Collection:
        """Make a collection from a name, a folder or texts.

        Args:
            data: a collection; "phrasebook:en" and the like, where a sentence finds those about
                the same deed; a folder that `read_beir` reads; or `JudgedTexts`.
            embedder: as in `embed`; not allowed with a collection, which has its own.
            word_vectors: as in `embed`, for texts.
            max_length: queries are cut to this many vectors, and a warning counts them.
            device: as in `ExactIndex`; not allowed with a collection either.
            **options: as in `embed`.

        Raises:
            ValueError: the data cannot be used; the message says why.
        """
        if isinstance(data, cls):
            if embedder is not None or device is not None:
                raise ValueError("a Collection has its own embedder and index: pass its texts")
            return data.truncate(max_length)
        if isinstance(data, str) and data.startswith("phrasebook:"):
            if embedder not in (None, "word2vec"):
                raise ValueError("the built-in collection has its own vectors: leave embedder out")
            return _phrasebook_collection(data, device).truncate(max_length)
        if isinstance(data, str | os.PathLike):
            data = read_beir(data)
        if not isinstance(data, JudgedTexts):
            raise ValueError(
                "a collection is a folder of the BEIR layout, JudgedTexts, a Collection or "
                f"phrasebook:LANGUAGE, found {type(data).__name__}"
            )
        collection = cls.embed(data, embedder, word_vectors=word_vectors, device=device, **options)
        return collection.truncate(max_length)

    def __deepcopy__(self, memo: dict[int, Any]) -> Collection:
        """Return the collection itself: it is immutable, and `gym.make` copies its arguments."""
        return self

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={len(rows)}" for name, rows in self.splits.items())
        return f"Collection({parts}, documents={len(self.index)}, source={self.source!r})"

    def rows(self, split: str) -> range:
        """The rows of a split.

        Raises:
            ValueError: there is no such split; the message lists those there are.
        """
        if split not in self.splits:
            raise ValueError(f"no split {split!r}; this collection has {', '.join(self.splits)}")
        return self.splits[split]

    @cached_property
    def targets(self) -> Sequence[str]:
        """N strings, the first relevant document of each query; empty without strings."""
        if not self.documents:
            return ()
        return [self.documents[document] for document in self._first_relevant.tolist()]

    @cached_property
    def _first_relevant(self) -> NDArray[np.int64]:
        """(n,) of the documents with the highest grade of each query, the first."""
        judged = self.judgments
        order = np.lexsort((judged.documents, -judged.grades, judged.queries))
        return judged.documents[order[judged.offsets[:-1]]]

    def truncate(self, max_length: int | None) -> Collection:
        """Cut the queries to `max_length` vectors; a warning counts those that were cut."""
        if max_length is None or max_length >= self.source.max_length:
            return self
        source, cut = self.source.truncate(max_length)
        warnings.warn(
            f"{cut} of {len(self.source)} queries are longer than max_length={max_length} vectors "
            f"(the longest has {self.source.max_length}) and were cut",
            stacklevel=2,
        )
        return replace(self, source=source)


CollectionLike = Collection | JudgedTexts | str | os.PathLike[str]
"""What `Collection.load` takes."""


def _with_valid(texts: JudgedTexts) -> dict[str, Mapping[str, Mapping[str, int]]]:
    """The judgments by split, in the order train, valid, test; "valid" taken from "train"."""
    judged = dict(texts.judgments)
    if "train" not in judged:
        raise ValueError(f"{texts.name} needs the split 'train', found {', '.join(judged)}")
    if "valid" not in judged:
        valid = {
            query: grades
            for query, grades in judged["train"].items()
            if _share(texts.queries[query]) < _VALID_PART
        }
        if not 0 < len(valid) < len(judged["train"]):
            raise ValueError(f"{texts.name} has too few queries to take some of them for 'valid'")
        judged["valid"] = valid
        judged["train"] = {q: g for q, g in judged["train"].items() if q not in valid}
    known = {texts.queries[query] for query in judged["train"]}
    for split in judged:
        shared = sum(texts.queries[query] in known for query in judged[split])
        if split != "train" and shared:
            warnings.warn(
                f"{shared} of the {len(judged[split])} queries of {split} are in train too; scores "
                "on them reward memorization",
                stacklevel=4,
            )
    order = [split for split in SPLITS if split in judged]
    return {split: judged[split] for split in dict.fromkeys([*order, *judged])}


def _share(text: str) -> float:
    """A number in [0, 1) that the content of a text determines."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


@lru_cache(maxsize=2)
def _phrasebook_collection(name: str, device: str | None) -> Collection:
    """Sentences as queries and documents; relevant are those about the same deed.

    The first 2,000 training sentences, in the target language, are the documents. A document has
    grade 1 if somebody does the same to the same thing in it, or is or is not in the same place,
    and grade 2 if the person is the same too. Queries without a relevant document are left out.
    """
    if (splitting := Phrasebook.from_name(name).splitting) != "random":
        raise ValueError(f"a collection of the phrasebook is split at random, not by {splitting}")
    corpus = Corpus.load(name)
    deeds, people = shipped_deeds()
    documents = np.arange(_PHRASEBOOK_DOCUMENTS)
    kept = np.isin(deeds, deeds[documents])
    kept[documents] = False
    rows = np.flatnonzero(kept)
    by_deed = np.argsort(deeds[documents], kind="stable")
    first, last = (np.searchsorted(deeds[by_deed], deeds[rows], side) for side in ("left", "right"))
    offsets = np.append(0, np.cumsum(last - first))
    judged = by_deed[np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], last - first)]
    same_person = people[judged] == np.repeat(people[rows], last - first)
    ends = {split: int(kept[: part.stop].sum()) for split, part in corpus.splits.items()}
    splits, start = {}, 0
    for split, end in ends.items():
        splits[split], start = range(start, end), end
    return Collection(
        corpus.source.take(rows),
        splits,
        ExactIndex(corpus.target.means[: len(documents)], device),
        Judgments(offsets, judged, 1 + same_person.astype(np.int64), len(documents)),
        _Selected(corpus.sources, rows),
        _Selected(corpus.targets, documents),
        embedder=corpus.source_embedder if corpus.shared_space else None,
    )


@dataclass(frozen=True)
class _Selected(Sequence[str]):
    """Some of a sequence's strings, which are rendered when somebody asks for them."""

    texts: Sequence[str]
    rows: NDArray[np.int64]  # (n,)

    def __len__(self) -> int:
        """Count the strings."""
        return len(self.rows)

    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> str | list[str]:
        """A string, or a list of them.

        Raises:
            IndexError: there is no such string.
        """
        if isinstance(index, slice):
            return [self.texts[row] for row in self.rows[index].tolist()]
        return self.texts[int(self.rows[index])]

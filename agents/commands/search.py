"""The command that searches documents with a query adapter."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..options import option
from .base import Command, TextInput, batches
from .terminal import print_json, print_text

if TYPE_CHECKING:
    from ..inference.search import Documents
    from ..llmar import LLMAR

__all__ = ["Search"]


@dataclass(frozen=True, kw_only=True)
class Search(TextInput, Command):
    """Find documents with a query adapter."""

    k: int = option(10, at_least=1)
    """Number of documents to find for each query."""
    documents: Path | None = None
    """A JSONL file of documents, with _id, text and optionally title; by default those that the
    model was trained on."""

    def run(self) -> None:
        """Print for each query the documents that are found, best first.

        Each is a line: rank, cosine, id and text, between tabs; a line with the query goes before
        them, and an empty one after them.

        Raises:
            ValueError: the texts or the model cannot be used as the options say, or there are
                fewer than k documents.
            OSError: there is no such file.
        """
        self.check()
        if self.documents is not None:
            from llmar_env.text.readers import check_file

            check_file(self.documents)
        llmar = self.load()
        documents = self._open(llmar)
        for batch in batches(self.sources(), self.batch_size):
            queries = [query for query in batch if query]
            for query, hits in zip(
                queries,
                llmar.search(queries, self.k, documents=documents) if queries else [],
                strict=True,
            ):
                if self.jsonl:
                    fields = {"query": query, "hits": [asdict(hit) for hit in hits]}
                    print_json(fields | {"unknown": llmar.unknown([query])[0]})
                    continue
                print_text(query)
                for rank, hit in enumerate(hits, 1):
                    text = " ".join(hit.text.split())
                    print_text(f"{rank}\t{hit.score:.4f}\t{hit.id}\t{text}")
                print()
            print(end="", flush=True)

    def _open(self, llmar: LLMAR) -> Documents:
        """The documents to search."""
        if self.documents is None:
            return llmar.documents
        from llmar_env.retrieval import read_documents

        return llmar.embed_documents(read_documents(self.documents))

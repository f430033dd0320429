"""Retrieval: a frozen index of documents, queries, and which document is relevant to which."""

from llmar_env.retrieval.click_counts import ClickCounts
from llmar_env.retrieval.collection import Collection
from llmar_env.retrieval.files import read_beir, read_clicks, read_collection, read_documents
from llmar_env.retrieval.index import ExactIndex, FaissIndex, Index
from llmar_env.retrieval.judgments import Judgments

__all__ = [
    "ClickCounts",
    "Collection",
    "ExactIndex",
    "FaissIndex",
    "Index",
    "Judgments",
    "read_beir",
    "read_clicks",
    "read_collection",
    "read_documents",
]

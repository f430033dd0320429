"""Retrieval: a frozen index of documents, queries, and which document is relevant to which."""

from llmar_env.retrieval.collection import Collection
from llmar_env.retrieval.files import read_beir, read_collection
from llmar_env.retrieval.index import ExactIndex, FaissIndex, Index
from llmar_env.retrieval.judgments import Judgments

__all__ = [
    "Collection",
    "ExactIndex",
    "FaissIndex",
    "Index",
    "Judgments",
    "read_beir",
    "read_collection",
]

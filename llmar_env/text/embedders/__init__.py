"""From texts to sequences of vectors: the `Embedder` protocol and the default, `WordVectors`."""

from llmar_env.text.embedders.base import Embedder
from llmar_env.text.embedders.word_vectors import WordVectors, WordVectorsConfig

__all__ = ["Embedder", "WordVectors", "WordVectorsConfig"]

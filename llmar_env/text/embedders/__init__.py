"""From texts to sequences of vectors: the `Embedder` protocol, and the kinds of embedders.

`embedder` makes one from a string; `WordVectors` is the default.
"""

from llmar_env.text.embedders.base import Embedder, TokenEmbedder
from llmar_env.text.embedders.bilingual import lexical_translation, translated_vectors
from llmar_env.text.embedders.cache import EmbeddingCache, open_cache
from llmar_env.text.embedders.frozen import Frozen, FrozenEmbedder, FrozenTokenEmbedder
from llmar_env.text.embedders.given import GivenVectors
from llmar_env.text.embedders.registry import BILINGUAL, check_spec, embedder, load_embedder
from llmar_env.text.embedders.word_vectors import WordVectors, WordVectorsConfig

__all__ = [
    "BILINGUAL",
    "Embedder",
    "EmbeddingCache",
    "Frozen",
    "FrozenEmbedder",
    "FrozenTokenEmbedder",
    "GivenVectors",
    "TokenEmbedder",
    "WordVectors",
    "WordVectorsConfig",
    "check_spec",
    "embedder",
    "lexical_translation",
    "load_embedder",
    "open_cache",
    "translated_vectors",
]

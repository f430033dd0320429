"""The default embedder: static vectors of subword tokens."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmar_env.arrays import unit
from llmar_env.text.characters import half_character
from llmar_env.text.embedded import EmbeddedTexts, shareable
from llmar_env.text.scripts import HAN
from llmar_env.text.tensor_files import ModelFileError, read_tensor, write_tensors

__all__ = ["WordVectors", "WordVectorsConfig", "train_tokenizer"]

_CHINESE = re.compile(f"[{HAN}]")


@dataclass(frozen=True)
class WordVectorsConfig:
    """Settings of `WordVectors`."""

    dim: int = 64
    """D, the dimension of the vectors."""
    vocab_size: int = 8000
    """Largest number of tokens; at least the 256 bytes, so that no character is unknown."""
    window: int = 5
    """Tokens to each side that Word2Vec predicts from (skip-gram context)."""
    negative: int = 5
    """Noise words for each true one."""
    epochs: int = 10
    """Passes over the training texts."""
    whitening: float = 0.0
    """In [0, 1]: principal axes are divided by their deviation to this power. At 0 rare words,
    which Word2Vec hardly moves, nearly share a direction; at 1 all axes count equally, noise
    included. Use 0.5 for writing, where a vector is read as the word nearest to it."""
    seed: int = 0
    """Seeds the vectors; on one kind of processor the same seed and texts give the same ones."""

    def __post_init__(self) -> None:
        """Reject settings that training cannot use."""
        if self.vocab_size < 257:
            raise ValueError(f"vocab_size must be above the 256 bytes, found {self.vocab_size}")
        if not 0 <= self.whitening <= 1:
            raise ValueError(f"whitening must lie in [0, 1], found {self.whitening}")
        for name in ("dim", "window", "negative", "epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, found {getattr(self, name)}")


@dataclass(eq=False)
class WordVectors:
    """Static vectors of subword tokens: byte-level BPE and Word2Vec, centered.

    Tokens are byte-level BPE (Sennrich et al. 2016) by the `tokenizers` library, so no character
    of any language is unknown; a Chinese character is always a token boundary. Vectors are
    skip-gram with negative sampling (Mikolov et al. 2013) by gensim on the training texts, scaled
    to unit length; the mean over the training texts of their mean vectors is then subtracted, so
    that an answer that ignores its text scores about 0.

    Attributes:
        config: the settings.
    """

    config: WordVectorsConfig = field(default_factory=WordVectorsConfig)
    _tokenizer: Any = field(default=None, repr=False)
    _table: NDArray[np.float32] | None = field(default=None, repr=False)  # (V, D)
    _space: str = field(default="", repr=False)

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors."""
        return self.config.dim

    @property
    def table(self) -> NDArray[np.float32]:
        """(V, D) the vector of each token, read-only.

        Raises:
            RuntimeError: `fit` has not run.
        """
        if self._table is None:
            raise RuntimeError("this embedder has no vectors yet: call fit(texts) first")
        return self._table

    @property
    def space(self) -> str:
        """24 hex digits; vectors of embedders with the same ones belong to one space."""
        if self._space:
            return self._space
        found = hashlib.sha256(self.tokenizer.to_str().encode())
        found.update(np.ascontiguousarray(self.table).data)
        return found.hexdigest()[:24]

    @property
    def tokenizer(self) -> Any:
        """The fitted `tokenizers.Tokenizer`; raises RuntimeError before `fit`."""
        if self._tokenizer is None:
            raise RuntimeError("this embedder has no tokens yet: call fit(texts) first")
        return self._tokenizer

    def __deepcopy__(self, memo: dict[int, Any]) -> WordVectors:
        """Return the embedder itself, since `gym.make` copies its arguments."""
        return self

    def fit(self, texts: Sequence[str]) -> WordVectors:
        """Learn tokens and vectors from the training texts.

        Raises:
            ValueError: a text yields no token, or has half a surrogate pair.
        """
        _check_characters(texts)
        tokenizer = train_tokenizer(texts, self.config.vocab_size)
        tokens = _tokenize(tokenizer, texts)
        table = unit(_train_vectors(tokens, tokenizer.get_vocab_size(), self.config))
        if self.config.whitening:
            used = np.unique(np.concatenate(tokens))
            table[used] = unit(_whiten(table[used], self.config.whitening))
        center = EmbeddedTexts.from_ids(table, tokens).means.mean(axis=0)
        self._tokenizer, self._table = tokenizer, shareable(table - center)
        return self

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text.

        Raises:
            ValueError: a text yields no token, or has half a surrogate pair.
        """
        return _tokenize(self.tokenizer, texts)

    def in_space(self, table: NDArray[np.float32], space: str) -> WordVectors:
        """The same tokens with other vectors, (V, D), in the space of another embedder."""
        config = replace(self.config, dim=table.shape[1])
        return WordVectors(config, self.tokenizer, shareable(table), space)

    def detokenize(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each sequence of token ids, spaced and cased as written."""
        texts: list[str] = self.tokenizer.decode_batch([list(one) for one in ids])
        return [text.strip() for text in texts]

    def embed(self, texts: Sequence[str]) -> EmbeddedTexts:
        """Embed texts, in order; all stores of one embedder share its table.

        Raises:
            ValueError: a text yields no token or has half a surrogate pair, or there is no text.
        """
        return EmbeddedTexts.from_ids(self.table, self.tokenize(texts))

    def save(self, path: str | os.PathLike[str], *, half: bool = False) -> None:
        """Write one safetensors file: the vectors; its header has tokenizer and settings as JSON.

        Args:
            path: the file to write.
            half: round the vectors to float16, half the size; `load` returns float32 either way.
        """
        table = self.table.astype(np.float16 if half else np.float32)
        head = {"tokenizer": self.tokenizer.to_str(), "config": json.dumps(asdict(self.config))}
        if self._space:
            head["space"] = self._space
        write_tensors({"vectors": table}, path, head)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> WordVectors:
        """Read what `save` wrote.

        Raises:
            ModelFileError: a ValueError: the file is damaged, or holds something else.
            FileNotFoundError: there is no such file.
        """
        try:
            table, head = read_tensor(path, "vectors")
            if not {"tokenizer", "config"} <= head.keys():
                raise ValueError("its head lacks tokenizer and config")
            config = WordVectorsConfig(**json.loads(head["config"]))
            embedder = cls(config, _read_tokenizer(head["tokenizer"]))
            embedder._space = head.get("space", "")
            _check_table(table, embedder)
        except (TypeError, ValueError, RecursionError) as error:  # TypeError: other settings
            raise ModelFileError(f"{path} holds no word vectors: {error}") from error
        embedder._table = shareable(table.astype(np.float32))
        return embedder


def _read_tokenizer(text: str) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # tokenizers raises no class of its own
        raise ValueError(f"its tokenizer cannot be read: {error}") from error


def _check_table(table: NDArray[Any], embedder: WordVectors) -> None:
    expected = (embedder.tokenizer.get_vocab_size(), embedder.config.dim)
    if table.shape != expected or table.dtype.kind != "f":
        raise ValueError(
            f"vectors must be floats of shape {expected}, a row for each token of the tokenizer "
            f"and of config's dim, found {table.dtype} of shape {table.shape}"
        )
    if not np.isfinite(table).all():
        raise ValueError("vectors are not finite")


def _tokenize(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    _check_characters(texts)
    encodings = tokenizer.encode_batch_fast([_mark_start(text) for text in texts])
    ids: list[list[int]] = [encoding.ids for encoding in encodings]
    for row, tokens in enumerate(ids):
        if not tokens:
            raise ValueError(f"text {row} yields no token: {texts[row]!r}")
    return ids


def _check_characters(texts: Sequence[str]) -> None:
    for row, text in enumerate(texts):
        if fault := half_character(text):
            raise ValueError(f"text {row} has {fault}: {text!r}")


def _mark_start(text: str) -> str:
    """Put a blank before a text, so that its first word gets the same token as anywhere else."""
    text = text.strip()
    return text if not text or _CHINESE.match(text) else " " + text


def train_tokenizer(texts: Sequence[str], vocab_size: int) -> Any:
    """Byte-level BPE tokens of texts, as `WordVectors` has them: a `tokenizers.Tokenizer`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    # Chinese has no blanks between words, so merges would grow into whole clauses.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{Han}"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(map(_mark_start, texts), trainer, length=len(texts))
    return tokenizer


def _whiten(vectors: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """(n, D) vectors, centered, their principal axes divided by their deviations to a power."""
    centered = vectors - vectors.mean(axis=0)
    variances, axes = np.linalg.eigh(centered.T @ centered / len(centered))
    # Axes without variance, as when n is below D, keep none.
    scales = np.where(variances > variances[-1] * 1e-6, variances, np.inf) ** (-power / 2)
    whitened: NDArray[np.float32] = centered @ ((axes * scales) @ axes.T)
    return whitened


def _train_vectors(
    texts: Sequence[Sequence[int]], vocab_size: int, config: WordVectorsConfig
) -> NDArray[np.float32]:
    """Skip-gram vectors, (vocab_size, D), of token ids."""
    from gensim.models import Word2Vec

    sentences = [[str(token) for token in text] for text in texts]
    model = Word2Vec(
        vector_size=config.dim,
        window=config.window,
        negative=config.negative,
        min_count=1,
        sg=1,
        seed=config.seed,
        # More workers would race for the weights, and no two runs would be the same.
        workers=1,
    )
    model.build_vocab(sentences)
    model.train(sentences, total_examples=len(sentences), epochs=config.epochs)
    # Tokens that the texts never use (bytes, merged-away pieces) get seeded random directions.
    table = np.random.default_rng(config.seed).standard_normal((vocab_size, config.dim))
    for token in model.wv.index_to_key:
        table[int(token)] = model.wv[token]
    return table.astype(np.float32)

"""Vectors of two languages in one space, learned from pairs of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmar_env.arrays import has_direction, unit
from llmar_env.text.embedders.frozen import FrozenTokenEmbedder
from llmar_env.text.embedders.word_vectors import WordVectors, WordVectorsConfig, train_tokenizer

__all__ = ["lexical_translation", "translated_vectors"]

_ITERATIONS = 6


def translated_vectors(
    texts: Sequence[str],
    targets: Sequence[str],
    of_targets: WordVectors | FrozenTokenEmbedder,
    config: WordVectorsConfig | None = None,
) -> WordVectors:
    """Fit an embedder of texts whose tokens lie where their translations do.

    The vector of a token s is the expectation of its translation's, the sum over target tokens t of
    p(t | s) times the unit vector of t, by `lexical_translation` on the training pairs. It is not
    centered again. Tokens that no training text uses get random directions.

    Args:
        texts: n training texts.
        targets: their n targets.
        of_targets: fitted; has embedded the targets.
        config: settings of the tokens; the dimension is that of `of_targets`.

    Raises:
        ValueError: the two differ in number, or a text yields no token.
    """
    if len(texts) != len(targets):
        raise ValueError(f"{len(texts)} texts, but {len(targets)} targets")
    config = config or WordVectorsConfig()
    tokenizer = train_tokenizer(texts, config.vocab_size)
    embedder = WordVectors(config, tokenizer)
    tokens, target_tokens = embedder.tokenize(texts), of_targets.tokenize(targets)
    table = of_targets.table
    shape = (tokenizer.get_vocab_size(), len(table))
    probabilities = lexical_translation(tokens, target_tokens, shape)
    vectors: NDArray[np.float32] = np.asarray(probabilities @ unit(table), np.float32)
    random = np.random.default_rng(config.seed).standard_normal(vectors.shape)
    vectors = np.where(has_direction(vectors)[:, None], vectors, unit(random.astype(np.float32)))
    return embedder.in_space(vectors, of_targets.space)


def lexical_translation(
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    shape: tuple[int, int],
    *,
    iterations: int = _ITERATIONS,
) -> Any:
    """The probabilities p(t | s) that a source token s is translated by a target token t.

    IBM Model 1 (Brown et al. 1993) without a null word, by expectation maximization from uniform
    probabilities. It takes 16 bytes for each pair of tokens that stand in one pair of texts.

    Args:
        sources: n texts as tokens, at least one each.
        targets: n texts as tokens, at least one each.
        shape: the numbers of source tokens and of target tokens.
        iterations: of expectation maximization.

    Returns:
        A `scipy.sparse.csr_array` of that shape. Rows sum to 1, but for tokens that do not occur,
        whose rows are 0.
    """
    # With gensim.
    from scipy.sparse import csr_array  # type: ignore[import-untyped]

    source, target, position = _token_pairs(sources, targets)
    keys, pair = np.unique(source * np.int64(shape[1]) + target, return_inverse=True)
    pair = pair.reshape(-1).astype(np.int32)  # NumPy 2.0.0 gives it the shape (n, 1)
    of_source = keys // shape[1]
    probability = np.ones(len(keys))
    for _ in range(iterations):
        weight = probability[pair]
        weight /= np.bincount(position, weight)[position]
        count = np.bincount(pair, weight, len(keys))
        probability = count / np.bincount(of_source, count)[of_source]
    return csr_array((probability, (of_source, keys % shape[1])), shape)


def _token_pairs(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Each source token of a text with each token of its target, of all n texts.

    Returns:
        (P,) source tokens, (P,) target tokens, and (P,) the numbers of the target tokens' places
        among those of all targets.
    """
    lengths, target_lengths = (
        np.array([len(text) for text in texts], np.int64) for texts in (sources, targets)
    )
    first, target_first = (np.cumsum(one) - one for one in (lengths, target_lengths))
    flat, target_flat = (
        np.concatenate([np.asarray(text, np.int64) for text in texts])
        for texts in (sources, targets)
    )
    sizes = lengths * target_lengths
    place = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row, column = np.divmod(place, np.repeat(target_lengths, sizes))
    position = np.repeat(target_first, sizes) + column
    return flat[np.repeat(first, sizes) + row], target_flat[position], position.astype(np.int32)

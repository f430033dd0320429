"""From vectors back to words: the vocabulary's nearest token, by cosine or by CSLS."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmar_env.arrays import Array, check_finite, unit
from llmar_env.text.vocabulary import Vocabulary

__all__ = ["csls_scores", "csls_tokens", "hubness", "nearest_tokens"]

# How many cosines are computed at a time; bounds the memory that they take.
_BLOCK = 2**21


def nearest_tokens(actions: ArrayLike, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Read each action as the token whose direction is nearest to it by cosine.

    If several tokens are equally near, the lowest is taken. A zero action has no direction, and is
    read as EOS. The other actions of the batch make no difference to the result.

    An action that is much nearer to a token than that token's neighbors are is read without being
    compared with all tokens.

    Args:
        actions: (n, D) floating, finite in float32, of any length.
        vocabulary: of V tokens.

    Returns:
        (n,) int64 in [0, V).

    Raises:
        ValueError: the actions have another shape, or hold NaN or infinity; the message names the
            first.
    """
    vectors, directions = _directions(actions, vocabulary)
    tokens, sure = _guess(directions, vocabulary)
    zero = ~directions.any(1)
    tokens[zero] = vocabulary.eos
    rest = np.flatnonzero(~(sure | zero))
    for rows in _blocks(rest, len(vocabulary)):
        tokens[rows] = _nearest_of_all(vectors[rows], directions[rows], vocabulary)
    return tokens


def csls_tokens(
    actions: ArrayLike, vocabulary: Vocabulary, hubness: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Read each action as a token by cross-domain similarity local scaling.

    CSLS (Conneau et al. 2018) lowers the score of hubs, the tokens that are near everything; see
    `csls_scores`. Ties and zero actions are read as in `nearest_tokens`.

    Args:
        actions: (n, D) floating, finite in float32, of any length.
        vocabulary: of V tokens.
        hubness: (V,) of the tokens, as `hubness` gives it.

    Returns:
        (n,) int64 in [0, V).

    Raises:
        ValueError: the actions or `hubness` have another shape, or an action holds NaN or
            infinity; the message names the first.
    """
    if hubness.shape != (len(vocabulary),):
        raise ValueError(
            f"hubness holds one number a token, ({len(vocabulary)},), found shape {hubness.shape}"
        )
    _, directions = _directions(actions, vocabulary)
    tokens = np.empty(len(directions), np.int64)
    for rows in _blocks(np.arange(len(directions)), len(vocabulary)):
        tokens[rows] = csls_scores(directions[rows] @ vocabulary.directions.T, hubness).argmax(1)
    tokens[~directions.any(1)] = vocabulary.eos
    return tokens


def csls_scores(cosines: Array, hubness: Array | float) -> Array:
    """Scores of tokens e for actions a: 2 cos(a, e) - hubness(e) - r(a).

    r(a) is the same for all tokens, and is left out.

    Args:
        cosines: (n, V), NumPy or torch.
        hubness: (V,), as `hubness` gives it; 0 leaves the order to the cosines.

    Returns:
        (n, V), the higher the better.
    """
    return 2 * cosines - hubness


def hubness(bank: ArrayLike, vocabulary: Vocabulary, k: int = 10) -> NDArray[np.float32]:
    """How near each token is to what is usually said: its mean cosine with its k nearest vectors.

    Args:
        bank: (m, D) floating, usual actions, such as a policy's on training texts.
        vocabulary: of V tokens.
        k: how many of the nearest are averaged, at most m.

    Returns:
        (V,) in [-1, 1].

    Raises:
        ValueError: `k` is not in 1 to m, or the bank has another shape, or holds NaN or infinity.
    """
    _, directions = _directions(bank, vocabulary)
    if not 1 <= k <= len(directions):
        raise ValueError(f"k must lie in 1 to {len(directions)}, the size of the bank, found {k}")
    found = np.empty(len(vocabulary), np.float32)
    for tokens in _blocks(np.arange(len(vocabulary)), len(directions)):
        cosines = vocabulary.directions[tokens] @ directions.T
        found[tokens] = np.partition(cosines, len(directions) - k, axis=1)[:, -k:].mean(1)
    return found


def _directions(
    actions: ArrayLike, vocabulary: Vocabulary
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The actions as float32, and at unit length, (n, D) each; zero stays zero."""
    with np.errstate(over="ignore"):
        vectors = np.asarray(actions, np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != vocabulary.dim:
        raise ValueError(f"actions have shape (n, {vocabulary.dim}), found {vectors.shape}")
    check_finite(vectors, "action")
    return vectors, unit(vectors)


def _blocks(rows: NDArray[np.int64], width: int) -> Iterator[NDArray[np.int64]]:
    """Parts of `rows`, small enough that comparing each with `width` vectors fits in memory."""
    size = max(1, _BLOCK // width)
    return (rows[first : first + size] for first in range(0, len(rows), size))


def _rounding(vocabulary: Vocabulary) -> float:
    """A bound on the rounding error of the float32 cosine of two unit vectors, however summed."""
    return 2.0 * (vocabulary.dim + 8) * float(np.finfo(np.float32).eps)


def _guess(
    directions: NDArray[np.float32], vocabulary: Vocabulary
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """A token for each direction, (n,), and whether it is certainly the nearest.

    Vectors that are equal have equal projections on a line, so the candidate is the token whose
    projection is nearest. It is the nearest token if the action is nearer to it than half the
    angle to its own nearest neighbor: all others then lie beyond the other half.
    """
    line, projections, order = vocabulary.projections
    projected = np.vecdot(directions, line)
    after = np.searchsorted(projections, projected).clip(1, len(order) - 1)
    before_is_nearer = projected - projections[after - 1] < projections[after] - projected
    tokens = order[after - before_is_nearer]
    half_angle = np.sqrt((1 + vocabulary.nearest_cosines[tokens]).clip(0) / 2)
    cosines = np.vecdot(directions, vocabulary.directions[tokens])
    return tokens, cosines > half_angle + _rounding(vocabulary)


def _nearest_of_all(
    vectors: NDArray[np.float32], directions: NDArray[np.float32], vocabulary: Vocabulary
) -> NDArray[np.int64]:
    """(n,) the nearest of all tokens to vectors, given as they are and at unit length."""
    cosines = directions @ vocabulary.directions.T  # (n, V)
    near = cosines >= cosines.max(1, keepdims=True) - 2 * _rounding(vocabulary)
    rows, tokens = np.nonzero(near)
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    if len(first) < len(rows):
        # The product's rounding depends on its shape, so tokens within its error are compared
        # again, each by itself, in double precision.
        exact = np.vecdot(
            vectors[rows].astype(np.float64), vocabulary.directions[tokens].astype(np.float64)
        )
        best = np.maximum.reduceat(exact, first)
        kept = exact == best[rows]
        rows, tokens = rows[kept], tokens[kept]
        first = np.flatnonzero(np.diff(rows, prepend=-1))
    return tokens[first]

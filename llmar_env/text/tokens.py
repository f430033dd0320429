"""Texts as rows of tokens, (n, M) integers, padded with EOS after their ends.

Works alike on NumPy arrays and on torch tensors of one device.
"""

from __future__ import annotations

from array_api_compat import array_namespace, device

from llmar_env.arrays import Array

__all__ = ["correct", "up_to_eos"]


def up_to_eos(tokens: Array, eos: int) -> Array:
    """Where texts have a word or the EOS that ends them, (n, M) bool.

    Args:
        tokens: (n, M), padded with EOS after each text's end.
        eos: the token EOS.
    """
    xp = array_namespace(tokens)
    word = tokens != eos
    return xp.concat([xp.ones_like(word[:, :1]), word[:, :-1]], axis=1)


def correct(tokens: Array, place: Array, token: Array, eos: int) -> Array:
    """Put one token into each text: LLMAR/Refine's correction.

    A word replaces the one at the given place, or is appended if that is the end. EOS deletes the
    word there, and later words move up.

    Args:
        tokens: (n, M), padded with EOS after each text's end.
        place: (n,) in [0, M], no further than the end; at M nothing changes.
        token: (n,).
        eos: the token EOS.

    Returns:
        (n, M) in fresh memory.
    """
    xp = array_namespace(tokens)
    places = xp.arange(tokens.shape[1], device=device(tokens))
    place, token = place[:, None], token[:, None]
    moved_up = xp.concat([tokens[:, 1:], xp.full_like(tokens[:, :1], eos)], axis=1)
    deleted = xp.where(places >= place, moved_up, tokens)
    return xp.where(token == eos, deleted, xp.where(places == place, token, tokens))

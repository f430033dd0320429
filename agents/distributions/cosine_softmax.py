"""Log-probabilities of a softmax over scaled cosines, without storing all probabilities."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["cosine_log_softmax", "cosine_probabilities"]

# Probabilities computed at a time, so that a block stays in the cache between product and sum.
_BLOCK = 600_000
# Bytes of probabilities that are kept for the backward pass.
_KEPT = 128 * 2**20


def cosine_log_softmax(
    directions: Tensor, scale: Tensor, tokens: Tensor, chosen: Tensor, smoothing: float = 0.0
) -> Tensor:
    """Log-probability of each chosen token under p(e | u, s) ~ exp(s cos(u, e)).

    No cosine exceeds 1, so exp(s (cos - 1)) cannot overflow; for s up to 80, the term of the
    nearest token keeps the sum from underflowing. They are computed in blocks, which are kept for
    the backward pass up to 128 MB, and computed again beyond. Under autocast, blocks are bfloat16,
    sums float32.

    Args:
        directions: (n, D) unit vectors u.
        scale: (n,) s in (0, 80]; the softmax's temperature is 1 / s.
        tokens: (V, D) unit vectors e.
        chosen: (n,) integers in [0, V).
        smoothing: label smoothing (Szegedy et al. 2016), in [0, 1).

    Returns:
        (n,) float32; differentiable in `directions`, `scale` and `tokens`.
    """
    log_p: Tensor = _CosineLogSoftmax.apply(  # type: ignore[no-untyped-call]  # torch's has none
        directions, scale[:, None], tokens, chosen, smoothing
    )
    return log_p


def cosine_probabilities(directions: Tensor, scale: Tensor, tokens: Tensor) -> Tensor:
    """Unnormalized probabilities exp(s (cos(u, e) - 1)).

    Args:
        directions: (n, D) unit vectors u.
        scale: (n, 1) s.
        tokens: (V, D) unit vectors e.

    Returns:
        (n, V), bfloat16 under autocast.
    """
    kind = _product_dtype(directions)
    scaled = (directions * scale).to(kind)
    return torch.addmm(-scale.to(kind), scaled, tokens.to(kind).t()).exp_()


class _CosineLogSoftmax(torch.autograd.Function):
    """With P the softmax, q the smoothed target, and log p = sum_e q_e log P_e.

    d log p / d(s u) = sum_e (q_e - P_e) e, and d log p / d e = (q_e - P_e) s u.
    """

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, scale: Tensor, tokens: Tensor, chosen: Tensor, smoothing: float
    ) -> Tensor:
        kind = _product_dtype(u)
        typed = tokens.to(kind)
        keeps = any(ctx.needs_input_grad) and len(u) * len(tokens) * kind.itemsize <= _KEPT
        kept, totals = [], []
        for block in _blocks(u, scale, tokens):
            probabilities = cosine_probabilities(*block, typed)
            totals.append(probabilities.sum(-1, dtype=torch.float32))
            if keeps:
                kept.append(probabilities)
        total = torch.cat(totals)
        pull = tokens[chosen]  # (n, D) sum_e q_e e
        if smoothing:
            pull = (1 - smoothing) * pull + smoothing * tokens.mean(0)
        ctx.save_for_backward(u, scale, tokens, chosen, pull, total, *kept)
        ctx.kind, ctx.smoothing = kind, smoothing
        # The shift is rounded as in the blocks, so that it cancels.
        return ((u * pull).sum(-1, keepdim=True) * scale - scale.to(kind))[:, 0] - total.log()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        u, scale, tokens, chosen, pull, total, *kept = ctx.saved_tensors
        typed, learned = tokens.to(ctx.kind), ctx.needs_input_grad[2]
        weights = grads[0][:, None]  # (n, 1) of each log p
        pushes = (u * scale) * weights  # (n, D), what each q_e - P_e is multiplied with
        shares = (pushes / total[:, None]).to(ctx.kind) if learned else None
        mean, d_tokens = torch.empty_like(u), torch.zeros_like(tokens) if learned else None
        first = 0
        with torch.autocast(u.device.type, ctx.kind, enabled=ctx.kind != torch.float32):
            for place, block in enumerate(_blocks(u, scale, tokens)):
                rows = slice(first, first := first + len(block[0]))
                probabilities = kept[place] if kept else cosine_probabilities(*block, typed)
                mean[rows] = probabilities @ typed
                if d_tokens is not None and shares is not None:
                    _subtract_product(d_tokens, probabilities, shares[rows])
        if d_tokens is not None:
            d_tokens.index_add_(0, chosen, pushes, alpha=1 - ctx.smoothing)
            d_tokens += ctx.smoothing / len(tokens) * pushes.sum(0)
        d = (pull - mean / total[:, None]) * weights
        return d * scale, (d * u).sum(-1, keepdim=True), d_tokens, None, None


def _subtract_product(total: Tensor, x: Tensor, y: Tensor) -> None:
    """Subtract the product of (n, V), transposed, and (n, D) from `total`, (V, D)."""
    if total.dtype == x.dtype:
        total.addmm_(x.T, y, alpha=-1)
    else:
        total -= x.T @ y


def _blocks(u: Tensor, scale: Tensor, tokens: Tensor) -> zip[tuple[Tensor, Tensor]]:
    rows = max(16, _BLOCK // len(tokens))
    return zip(torch.split(u, rows), torch.split(scale, rows), strict=True)


def _product_dtype(x: Tensor) -> torch.dtype:
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype

"""GRUs over whole sequences, fast on CPUs.

`torch.nn.GRU` processes padding like text, and its backward pass computes one small product for
each weight at every step. Here, sequences are sorted by length, so that step t processes only those
that have not ended, and the gradient of each weight is one product over all steps. With cuDNN,
`torch.nn.GRU` is faster; `encoder.GRUEncoder` chooses between the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from .packing import PackedTexts

__all__ = ["gru_states", "last_hidden_state"]


def last_hidden_state(gru: torch.nn.GRU, texts: PackedTexts) -> Tensor:
    """Run a GRU over texts, from a zero state.

    Args:
        gru: a GRU with one layer, one direction and biases, whose weights are used.
        texts: B texts of D-vectors.

    Returns:
        (B, H) the state after each text's last vector.
    """
    order, sizes = texts.packing.order, texts.packing.sizes.tolist()
    weights: tuple[Any, ...] = (gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0)
    start = texts.vectors.new_zeros(1, len(order), gru.hidden_size)
    _, last = gru_states(texts.vectors[None], sizes, start, *(w[None] for w in weights))
    return last.new_empty(last.shape[1:]).index_copy(0, order, last[0])


def gru_states(
    x: Tensor,
    sizes: list[int],
    start: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor,
    b_hh: Tensor,
) -> tuple[Tensor, Tensor]:
    """Run G independent GRUs, each over B sequences packed step by step.

    The equations are those of `torch.nn.GRU` (Cho et al. 2014, with its reset gate applied after
    the product). Sequences of one length, `sizes=[B] * T`, make `x` (G, T, B, D), flattened.

    Args:
        x: (G, total, D) the inputs of the first step, then those of the second, and so on. Its
            dtype is used for all products and for tensors kept for the gradient; the states carried
            from step to step are at least float32.
        sizes: number of sequences at each step, non-increasing from B, with sum total. The
            sequences of a step are the first ones of the step before, in the same order.
        start: (G, B, H) the states before the first step.
        w_ih: (G, 3H, D), gates in the order r, z, n.
        w_hh: (G, 3H, H).
        b_ih: (G, 3H).
        b_hh: (G, 3H).

    Returns:
        (G, total, H) the states after each step, and (G, B, H) the state after the last step of
        each sequence, both with the dtype of `x`.
    """
    found: tuple[Tensor, Tensor] = _GRU.apply(  # type: ignore[no-untyped-call]  # torch's has none
        x, sizes, start, w_ih, w_hh, b_ih, b_hh
    )
    return found


class _GRU(torch.autograd.Function):
    """`gru_states`, with products merged over all steps where possible.

    With gates r and z, candidate n and a = W_hn h + b_hn:
    n = tanh(W_in x + b_in + r a) and h' = n + z (h - n).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,  # (G, total, D)
        sizes: list[int],
        start: Tensor,  # (G, B, H)
        w_ih: Tensor,  # (G, 3H, D)
        w_hh: Tensor,  # (G, 3H, H)
        b_ih: Tensor,  # (G, 3H)
        b_hh: Tensor,  # (G, 3H)
    ) -> tuple[Tensor, Tensor]:
        (groups, total, _), batch, width = x.shape, *start.shape[1:]
        kind = x.dtype
        gates = x.new_empty(groups, total, 3 * width)  # W_ih x + b_ih, overwritten by r, z, n
        _affine(b_ih.to(kind), x, w_ih.mT.to(kind), gates)
        hidden = torch.empty_like(gates)  # W_hh h + b_hh
        states = x.new_empty(groups, batch + total, width)  # `start`, and those after each step
        h = states[:, :batch] = start.to(_carried(kind))
        # Creating the views of all steps at once saves a few percent of the time.
        weight, bias = list(w_hh.mT.to(kind)), list(b_hh.to(kind))
        rz, hidden_rz = (_steps(part[..., : 2 * width], sizes) for part in (gates, hidden))
        r, z, n = (_steps(part, sizes) for part in gates.chunk(3, -1))
        hidden_all, hidden_n = (_steps(part, sizes) for part in (hidden, hidden[..., 2 * width :]))
        before, after = _before(states, sizes), _steps(states[:, batch:], sizes)
        for t, size in enumerate(sizes):
            _affine(bias, before[t], weight, hidden_all[t])
            rz[t].add_(hidden_rz[t]).sigmoid_()
            n[t].addcmul_(r[t], hidden_n[t]).tanh_()
            if h.dtype == kind:
                torch.lerp(n[t], before[t], z[t], out=after[t])
            else:
                h = torch.lerp(n[t].to(h.dtype), h[:, :size], z[t].to(h.dtype))
                after[t].copy_(h)
        ctx.sizes = sizes
        ctx.save_for_backward(x, w_ih, w_hh, gates, hidden, states)
        ctx.set_materialize_grads(False)
        ended = [one[:, going:] for one, going in zip(after, [*sizes[1:], 0], strict=True)]
        return states[:, batch:], torch.cat(ended[::-1], dim=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "this GRU has no second derivatives; an algorithm that needs them, such as TRPO, "
                "must be given "
                "policy_kwargs={'features_extractor_kwargs': {'twice_differentiable': True}}"
            )
        x, w_ih, w_hh, gates, hidden, states = ctx.saved_tensors
        d_states, d_last = grads
        sizes, kind, width = ctx.sizes, x.dtype, w_hh.shape[2]
        carried = _carried(kind)
        d_gates = torch.empty_like(gates, dtype=carried)  # gradient of W_hh h + b_hh
        d_n = gates.new_empty(*gates.shape[:2], width, dtype=carried)  # of W_in x + b_in
        dh = gates.new_zeros(len(x), sizes[0], width, dtype=carried)
        if d_last is not None:
            dh += d_last
        weight = list(w_hh.to(kind))
        r, z, n = (_steps(part, sizes) for part in gates.chunk(3, -1))
        d_r, d_z, d_a = (_steps(part, sizes) for part in d_gates.chunk(3, -1))
        a = _steps(hidden[..., 2 * width :], sizes)
        d_hidden, d_candidate = _steps(d_gates, sizes), _steps(d_n, sizes)
        d_after = None if d_states is None else _steps(d_states, sizes)
        before = _before(states, sizes)
        for t in reversed(range(len(sizes))):
            rt, zt, nt = r[t].to(carried), z[t].to(carried), n[t].to(carried)
            d_state = dh[:, : sizes[t]]
            if d_after is not None:
                d_state += d_after[t]
            _tanh_backward(d_state.addcmul(d_state, zt, value=-1), nt, grad_input=d_candidate[t])
            torch.mul(d_candidate[t], rt, out=d_a[t])
            _sigmoid_backward(d_candidate[t] * a[t], rt, grad_input=d_r[t])
            _sigmoid_backward((before[t] - nt).mul_(d_state), zt, grad_input=d_z[t])
            _add_product(d_state.mul_(zt), d_hidden[t].to(kind), weight)
        dw_hh = _product(d_gates.to(kind).mT, torch.cat(before, dim=1)).to(carried)
        db_hh = d_gates.sum(1)
        d_gates[..., 2 * width :] = d_n  # now the gradient of W_ih x + b_ih
        db_ih, rounded = d_gates.sum(1), d_gates.to(kind)
        dw_ih = _product(rounded.mT, x).to(carried)
        dx = _product(rounded, w_ih.to(kind)) if ctx.needs_input_grad[0] else None
        return dx, None, dh, dw_ih, dw_hh, db_ih, db_hh


# The derivatives of sigmoid and tanh, computed from their outputs in one pass each.
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


def _carried(kind: torch.dtype) -> torch.dtype:
    """The dtype of states carried from step to step, if products have dtype `kind`."""
    return torch.promote_types(kind, torch.float32)


def _steps(packed: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
    """Split (G, total, m) into (G, size, m) for each step."""
    return torch.split(packed, sizes, dim=1)


def _before(states: Tensor, sizes: list[int]) -> list[Tensor]:
    """(G, size, H) states before each step, from `start` and all states, (G, B + total, H)."""
    *parts, _ = _steps(states, [sizes[0], *sizes])
    return [part[:, :size] for part, size in zip(parts, sizes, strict=True)]


def _affine(bias: Iterable[Tensor], x: Tensor, weight: Iterable[Tensor], out: Tensor) -> None:
    """Write (G, m) + (G, n, k) times (G, k, m) into `out`, (G, n, m)."""
    for parts in zip(bias, x, weight, out, strict=True):
        torch.addmm(*parts[:3], out=parts[3])


def _add_product(total: Tensor, x: Tensor, weight: Iterable[Tensor]) -> None:
    """Add (G, n, k) times (G, k, m) to `total`, (G, n, m), whose dtype may be wider."""
    for one, part, factor in zip(total, x, weight, strict=True):
        if one.dtype == part.dtype:
            one.addmm_(part, factor)
        else:
            one += part @ factor


def _product(x: Tensor, y: Tensor) -> Tensor:
    """(G, n, k) times (G, k, m)."""
    return (x[0] @ y[0]).unsqueeze(0) if len(x) == 1 else torch.bmm(x, y)

"""The last hidden state of a GRU over texts of mixed length, fast on CPUs.

`torch.nn.GRU` reads padding like text, and backpropagates one small product for every weight at
every step. Here texts are sorted by length, so that step t works on the texts that still run and
on nothing else, and each weight gets its gradient from one product over all steps. With cuDNN at
hand `torch.nn.GRU` is the faster one: `encoders.GRUEncoder` chooses.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["last_hidden_state"]


def last_hidden_state(gru: torch.nn.GRU, vectors: Tensor, lengths: Tensor) -> Tensor:
    """Run a GRU over padded texts, from a zero state.

    The equations are those of `torch.nn.GRU` (Cho et al. 2014, with its reset gate applied after
    the product), and so are the weights, used in place.

    Args:
        gru: of one layer, one direction, with biases.
        vectors: (B, L, D), whatever stands after a text's end.
        lengths: (B,) integers in [1, L].

    Returns:
        (B, H) the state after each text's last vector.
    """
    lengths, order = lengths.sort(descending=True, stable=True)
    runs = torch.arange(int(lengths[0]))[:, None] < lengths  # (L, B): text b still runs at step t
    packed = vectors[order, : len(runs)].transpose(0, 1)[runs]  # (total, D), step by step
    sizes: list[int] = runs.sum(1).tolist()
    weights = (gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0)
    # torch gives `Function.apply` no types.
    last: Tensor = _PackedGRU.apply(packed, sizes, *weights)  # type: ignore[no-untyped-call]
    return last.new_empty(last.shape).index_copy(0, order, last)


class _PackedGRU(torch.autograd.Function):
    """Packed sequences in, the last state of each out; sequences sorted by falling length.

    With gates r and z, candidate n and a = W_hn h + b_hn:
    n = tanh(W_in x + b_in + r a) and h' = n + z (h - n).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,  # (total, D)
        sizes: list[int],  # sequences that still run, step by step
        w_ih: Tensor,  # (3H, D), gates in the order r, z, n
        w_hh: Tensor,  # (3H, H)
        b_ih: Tensor,  # (3H,)
        b_hh: Tensor,  # (3H,)
    ) -> Tensor:
        width = w_hh.shape[1]
        gates = torch.addmm(b_ih, x, w_ih.t())  # (total, 3H): becomes r, z, n in place
        hidden_part = x.new_empty(len(x), 3 * width)  # W_hh h + b_hh
        before = x.new_empty(len(x), width)  # h at the start of each step
        h = x.new_zeros(sizes[0], width)
        first = 0
        for size in sizes:
            step = slice(first, first + size)
            state, gate, hidden = h[:size], gates[step], hidden_part[step]
            before[step] = state
            torch.addmm(b_hh, state, w_hh.t(), out=hidden)
            rz = gate[:, : 2 * width].add_(hidden[:, : 2 * width]).sigmoid_()
            n = gate[:, 2 * width :].addcmul_(rz[:, :width], hidden[:, 2 * width :]).tanh_()
            torch.lerp(n, state, rz[:, width:], out=state)
            first += size
        ctx.sizes = sizes
        ctx.save_for_backward(x, w_ih, w_hh, gates, hidden_part, before)
        return h

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "this GRU's gradient has no gradient of its own; an algorithm that needs one, such "
                "as TRPO, takes "
                "policy_kwargs={'features_extractor_kwargs': {'twice_differentiable': True}}"
            )
        x, w_ih, w_hh, gates, hidden_part, before = ctx.saved_tensors
        width = w_hh.shape[1]
        dh = grads[0].clone()  # (B, H)
        d_input = torch.empty_like(gates)  # gradient of W_ih x + b_ih
        d_hidden = torch.empty_like(gates)  # gradient of W_hh h + b_hh
        first = len(x)
        for size in reversed(ctx.sizes):
            step = slice(first - size, first)
            r, z, n = gates[step].chunk(3, dim=1)
            di, dhid, dstate = d_input[step], d_hidden[step], dh[:size]
            dr, dz, dn = di.chunk(3, dim=1)
            # d tanh, d sigmoid and the chain rule through h' = n + z (h - n), in place.
            torch.sub(before[step], n, out=dz).mul_(dstate).mul_(z).mul_(1 - z)
            torch.mul(dstate, 1 - z, out=dn).mul_(1 - n * n)
            torch.mul(dn, hidden_part[step, 2 * width :], out=dr).mul_(r).mul_(1 - r)
            dhid.copy_(di)
            dhid[:, 2 * width :].mul_(r)
            dstate.mul_(z).addmm_(dhid, w_hh)
            first -= size
        dx = d_input @ w_ih if ctx.needs_input_grad[0] else None
        return dx, None, d_input.t() @ x, d_hidden.t() @ before, d_input.sum(0), d_hidden.sum(0)


def gru_states(inputs: Tensor, start: Tensor, w_hh: Tensor, b_hh: Tensor) -> Tensor:
    """States of G independent GRUs over whole sequences, each weight's gradient one product.

    The equations are those of `torch.nn.GRU`. Padding is read like text: what stands after a
    sequence's end follows from what stands before it and never the other way round, so a caller
    that looks no further has nothing to mask.

    Args:
        inputs: (T, G, B, 3H) W_ih x + b_ih, gates in the order r, z, n. Their type, float32 or
            (under autocast) bfloat16, is that of all products and of what is kept for the
            gradient; the state that is carried from step to step is float32.
        start: (G, B, H) the states before the first step.
        w_hh: (G, 3H, H).
        b_hh: (G, 3H).

    Returns:
        (T, G, B, H) the state after each step, of the type of `inputs`.
    """
    states: Tensor = _GRUStates.apply(inputs, start, w_hh, b_hh)  # type: ignore[no-untyped-call]
    return states


class _GRUStates(torch.autograd.Function):
    """With gates r and z, candidate n and a = W_hn h + b_hn: n = tanh(x_n + r a)."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, start: Tensor, w_hh: Tensor, b_hh: Tensor) -> Tensor:
        steps, groups, batch, triple = inputs.shape
        width = triple // 3
        kind = inputs.dtype
        weight = w_hh.transpose(1, 2).to(kind)  # (G, H, 3H)
        bias = b_hh.unsqueeze(1).to(kind)
        gates = torch.empty_like(inputs)
        states = inputs.new_empty(steps + 1, groups, batch, width)
        hidden_n = inputs.new_empty(steps, groups, batch, width)  # W_hn h + b_hn
        h = start.float()
        states[0] = h
        for t in range(steps):
            hidden = _affine(bias, states[t], weight)
            gate = gates[t]
            rz, n = gate[..., : 2 * width], gate[..., 2 * width :]
            torch.add(inputs[t, ..., : 2 * width], hidden[..., : 2 * width], out=rz).sigmoid_()
            hidden_n[t] = hidden[..., 2 * width :]
            torch.addcmul(inputs[t, ..., 2 * width :], rz[..., :width], hidden_n[t], out=n).tanh_()
            h = torch.lerp(n.float(), h, rz[..., width:].float())
            states[t + 1] = h
        ctx.save_for_backward(gates, hidden_n, states, w_hh)
        return states[1:]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gates, hidden_n, states, w_hh = ctx.saved_tensors
        steps, groups, batch, triple = gates.shape
        width = triple // 3
        weight = w_hh.to(gates.dtype)  # (G, 3H, H)
        d_input = torch.empty_like(gates)  # gradient of W_ih x + b_ih
        d_hidden = torch.empty_like(gates)  # gradient of W_hh h + b_hh
        dh = torch.zeros(states[0].shape, device=gates.device)
        for t in reversed(range(steps)):
            r, z, n = gates[t].float().chunk(3, dim=-1)
            dr, dz, dn = d_input[t].chunk(3, dim=-1)
            dh = dh + grads[0][t]
            d_candidate = dh * (1 - z) * (1 - n * n)
            dz.copy_((states[t] - n).mul_(dh).mul_(z).mul_(1 - z))
            dn.copy_(d_candidate)
            dr.copy_((d_candidate * hidden_n[t]).mul_(r).mul_(1 - r))
            d_hidden[t, ..., : 2 * width] = d_input[t, ..., : 2 * width]
            d_hidden[t, ..., 2 * width :] = d_candidate.mul_(r)
            dh = dh.mul_(z).add_(_product(d_hidden[t], weight))
        flat = d_hidden.transpose(0, 1).reshape(groups, steps * batch, triple)
        before = states[:-1].transpose(0, 1).reshape(groups, steps * batch, width)
        dw = _product(flat.transpose(1, 2), before)
        return d_input, dh, dw.float(), flat.sum(1, dtype=torch.float32)


def _affine(bias: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """(G, 1, m) + (G, n, k) times (G, k, m)."""
    if len(x) == 1:
        return torch.addmm(bias[0], x[0], weight[0]).unsqueeze(0)
    return torch.baddbmm(bias, x, weight)


def _product(x: Tensor, y: Tensor) -> Tensor:
    """(G, n, k) times (G, k, m)."""
    return (x[0] @ y[0]).unsqueeze(0) if len(x) == 1 else torch.bmm(x, y)

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from agents.distributions import cosine_softmax
from agents.distributions.cosine_softmax import cosine_log_softmax


def problem(n=40, size=30, dim=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    u = F.normalize(torch.randn(n, dim, generator=generator), dim=-1).requires_grad_()
    tokens = F.normalize(torch.randn(size, dim, generator=generator), dim=-1).requires_grad_()
    scale = (1 + 20 * torch.rand(n, generator=generator)).requires_grad_()
    chosen = torch.randint(size, (n,), generator=generator)
    return u, scale, tokens, chosen


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("block", [10, 10**6])
def test_values_and_gradients_are_those_of_torchs_cross_entropy(smoothing, block, monkeypatch):
    monkeypatch.setattr(cosine_softmax, "_BLOCK", block)
    u, scale, tokens, chosen = problem()
    found = cosine_log_softmax(u, scale, tokens, chosen, smoothing)
    logits = scale[:, None] * (u @ tokens.t())
    expected = -F.cross_entropy(logits, chosen, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(found, expected)
    weights = torch.randn(len(u))
    inputs = [u, scale, tokens]
    grads = [torch.autograd.grad((x * weights).sum(), inputs) for x in (found, expected)]
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


def test_bfloat16_is_near():
    u, scale, tokens, chosen = problem()
    exact = cosine_log_softmax(u, scale, tokens, chosen)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = cosine_log_softmax(u, scale, tokens, chosen)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, atol=0.1, rtol=0)
    gradients = [torch.autograd.grad(x.mean(), [u, scale, tokens]) for x in (exact, rounded)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=0.05 * one.abs().max().item(), rtol=0)


@given(st.floats(0.01, 80.0))
def test_any_scale_gives_probabilities_that_sum_to_one(scale):
    u, _, tokens, _ = problem(n=1)
    rows = u.detach().expand(len(tokens), -1)
    scales = torch.full((len(tokens),), scale)
    log_p = cosine_log_softmax(rows, scales, tokens, torch.arange(len(tokens)))
    torch.testing.assert_close(log_p.exp().sum(), torch.tensor(1.0), atol=1e-3, rtol=0)

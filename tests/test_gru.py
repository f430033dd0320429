import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from agents.networks.encoder import GRUEncoder
from agents.networks.gru import gru_states, last_hidden_state
from agents.networks.packing import pack


def packed_reference(gru, vectors, lengths):
    packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
    return gru(packed)[1][0]


def double_gru(dim, width, seed=0):
    torch.manual_seed(seed)
    return nn.GRU(dim, width, batch_first=True).double()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 7), min_size=1, max_size=9),
    st.integers(1, 5),
    st.integers(1, 6),
    st.integers(0, 2),
)
def test_equals_torch_in_value_and_in_every_gradient(lengths, dim, width, extra):
    gru = double_gru(dim, width)
    x = torch.randn(len(lengths), max(lengths) + extra, dim, dtype=torch.double, requires_grad=True)
    weight = torch.randn(len(lengths), width, dtype=torch.double)
    sources = (x, *gru.parameters())
    ours = last_hidden_state(gru, pack(x, torch.tensor(lengths)))
    theirs = packed_reference(gru, x, torch.tensor(lengths))
    torch.testing.assert_close(ours, theirs)
    our_grads = torch.autograd.grad((ours * weight).sum(), sources)
    for one, other in zip(
        our_grads, torch.autograd.grad((theirs * weight).sum(), sources), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_gradient_against_finite_differences():
    gru = double_gru(2, 3)
    x = torch.randn(3, 4, 2, dtype=torch.double, requires_grad=True)
    lengths = torch.tensor([4, 1, 2])
    assert torch.autograd.gradcheck(lambda x: last_hidden_state(gru, pack(x, lengths)), (x,))


def test_what_stands_after_the_end_has_no_effect():
    gru = double_gru(3, 4)
    x = torch.randn(2, 5, 3, dtype=torch.double)
    lengths = torch.tensor([2, 5])
    expected = last_hidden_state(gru, pack(x, lengths))
    x[0, 2:] = float("nan")
    assert torch.equal(last_hidden_state(gru, pack(x, lengths)), expected)


def test_texts_are_encoded_alike_alone_and_in_a_batch():
    gru = double_gru(3, 4)
    x = torch.randn(6, 5, 3, dtype=torch.double)
    lengths = torch.tensor([2, 5, 1, 2, 4, 5])
    batch = last_hidden_state(gru, pack(x, lengths))
    for i in range(6):
        alone = last_hidden_state(gru, pack(x[i : i + 1], lengths[i : i + 1]))
        torch.testing.assert_close(alone[0], batch[i])


def test_without_gradient_the_weights_are_left_alone():
    gru = double_gru(3, 4)
    x = torch.randn(2, 5, 3, dtype=torch.double)
    before = [weight.clone() for weight in gru.parameters()]
    with torch.no_grad():
        assert not last_hidden_state(gru, pack(x, torch.tensor([5, 3]))).requires_grad
    assert all(torch.equal(a, b) for a, b in zip(before, gru.parameters(), strict=True))


@pytest.mark.gpu
def test_the_encoder_agrees_on_cuda_and_cpu():
    torch.manual_seed(0)
    encoder = GRUEncoder(8, 16)
    x, lengths = torch.randn(32, 10, 8), torch.randint(1, 11, (32,))
    expected = encoder(x, lengths)
    found = encoder.cuda()(x.cuda(), lengths.cuda())
    torch.testing.assert_close(found.cpu(), expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("groups", [1, 2])
def test_states_are_those_of_torchs_own_gru_with_its_gradients(groups):
    torch.manual_seed(0)
    steps, batch, dim, width = 5, 3, 4, 6
    peers = [torch.nn.GRU(dim, width) for _ in range(groups)]
    x = torch.randn(steps, groups, batch, dim, requires_grad=True)
    start = torch.randn(groups, batch, width, requires_grad=True)
    expected = torch.stack(
        [peer(x[:, g], start[g : g + 1])[0] for g, peer in enumerate(peers)], dim=1
    )
    w_ih, w_hh, b_ih, b_hh = (
        torch.stack([getattr(peer, f"{name}_l0").detach() for peer in peers]).requires_grad_()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    packed = x.transpose(0, 1).flatten(1, 2)
    states, last = gru_states(packed, [batch] * steps, start, w_ih, w_hh, b_ih, b_hh)
    found = states.unflatten(1, (steps, batch)).transpose(0, 1)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(last, expected[-1])
    weights = torch.randn_like(expected)
    leaves = [p for peer in peers for p in peer.parameters()]
    *outer, d_x, d_start = torch.autograd.grad((expected * weights).sum(), [*leaves, x, start])
    names = [w_ih, w_hh, b_ih, b_hh]
    *own, d_x2, d_start2 = torch.autograd.grad((found * weights).sum(), [*names, x, start])
    torch.testing.assert_close(d_x2, d_x)
    torch.testing.assert_close(d_start2, d_start)
    for i, grad in enumerate(own):
        torch.testing.assert_close(grad, torch.stack(outer[i::4]))


def test_packed_states_of_mixed_lengths_and_the_last_of_each_with_their_gradients():
    torch.manual_seed(0)
    lengths, groups, dim, width = [4, 2, 2, 1], 2, 3, 5
    sizes = [4, 3, 1, 1]
    text, step = [0, 1, 2, 3, 0, 1, 2, 0, 0], [0, 0, 0, 0, 1, 1, 1, 2, 3]
    x = torch.randn(
        4, 4, groups, dim, dtype=torch.double, requires_grad=True
    )  # padded, (B, L, ...)
    start = torch.randn(groups, 4, width, dtype=torch.double, requires_grad=True)
    peers = [double_gru(dim, width, seed) for seed in range(groups)]
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    weights = [torch.stack([getattr(peer, name) for peer in peers]) for name in names]
    states, last = gru_states(x[text, step].transpose(0, 1), sizes, start, *weights)
    padded = torch.stack([peer(x[:, :, g], start[g : g + 1])[0] for g, peer in enumerate(peers)])
    expected = padded[:, text, step]
    expected_last = padded[:, torch.arange(4), torch.tensor(lengths) - 1]
    torch.testing.assert_close((states, last), (expected, expected_last))
    leaves = [x, start, *(p for peer in peers for p in peer.parameters())]
    one, two = torch.randn_like(states), torch.randn_like(last)
    ours = torch.autograd.grad((states * one).sum() + (last * two).sum(), leaves)
    theirs = torch.autograd.grad((expected * one).sum() + (expected_last * two).sum(), leaves)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("groups", [1, 2])
def test_states_and_gradients_in_bfloat16_are_near_those_in_float32(groups):
    torch.manual_seed(0)
    x, start = torch.randn(groups, 20, 12) * 0.3, torch.zeros(groups, 4, 8)
    shapes = [(groups, 24, 12), (groups, 24, 8), (groups, 24), (groups, 24)]
    weights = [(torch.randn(shape) * 0.3).requires_grad_() for shape in shapes]
    sizes = [4, 4, 4, 3, 3, 2]
    exact, _ = gru_states(x, sizes, start, *weights)
    rounded, last = gru_states(x.bfloat16(), sizes, start, *weights)
    assert rounded.dtype == last.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, atol=0.03, rtol=0)
    one = torch.randn_like(exact)
    ours = torch.autograd.grad((rounded.float() * one).sum(), weights)
    for grad, other in zip(ours, torch.autograd.grad((exact * one).sum(), weights), strict=True):
        assert grad.dtype == torch.float32
        torch.testing.assert_close(grad, other, atol=0.03 * float(other.abs().max()), rtol=0)

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from agents.encoders import GRUEncoder
from agents.gru import last_hidden_state


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
    ours = last_hidden_state(gru, x, torch.tensor(lengths))
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
    assert torch.autograd.gradcheck(lambda x: last_hidden_state(gru, x, lengths), (x,))


def test_what_stands_after_the_end_has_no_effect():
    gru = double_gru(3, 4)
    x = torch.randn(2, 5, 3, dtype=torch.double)
    lengths = torch.tensor([2, 5])
    expected = last_hidden_state(gru, x, lengths)
    x[0, 2:] = float("nan")
    assert torch.equal(last_hidden_state(gru, x, lengths), expected)


def test_texts_are_encoded_alike_alone_and_in_a_batch():
    gru = double_gru(3, 4)
    x = torch.randn(6, 5, 3, dtype=torch.double)
    lengths = torch.tensor([2, 5, 1, 2, 4, 5])
    batch = last_hidden_state(gru, x, lengths)
    for i in range(6):
        alone = last_hidden_state(gru, x[i : i + 1], lengths[i : i + 1])
        torch.testing.assert_close(alone[0], batch[i])


def test_without_gradient_the_weights_are_left_alone():
    gru = double_gru(3, 4)
    x = torch.randn(2, 5, 3, dtype=torch.double)
    before = [weight.clone() for weight in gru.parameters()]
    with torch.no_grad():
        assert not last_hidden_state(gru, x, torch.tensor([5, 3])).requires_grad
    assert all(torch.equal(a, b) for a, b in zip(before, gru.parameters(), strict=True))


@pytest.mark.gpu
def test_the_encoder_agrees_on_cuda_and_cpu():
    torch.manual_seed(0)
    encoder = GRUEncoder(8, 16)
    x, lengths = torch.randn(32, 10, 8), torch.randint(1, 11, (32,))
    expected = encoder(x, lengths)
    found = encoder.cuda()(x.cuda(), lengths.cuda())
    torch.testing.assert_close(found.cpu(), expected, atol=1e-4, rtol=1e-3)

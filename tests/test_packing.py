"""Packed texts, against padded ones, torch's own classes and single texts; and their memory."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils._python_dispatch import TorchDispatchMode

from agents.inference.answering import answer
from agents.inference.decoding import decode
from agents.networks.encoder import GRUEncoder, TextLookup
from agents.networks.packing import pack
from agents.networks.seq2seq import Seq2SeqConfig, Writer
from agents.policies.gru import GRUPolicy
from agents.policies.writer import WriterPolicy
from agents.training.cross_entropy import TargetTexts
from llmar_env.envs.generate import GenerateMDP
from llmar_env.spaces import TextIndex
from llmar_env.text.embedded import EmbeddedTexts, split_by_padding

DIM, WIDTH = 4, 6
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=8)
SMALL = Seq2SeqConfig(encoder_dim=3, decoder_dim=5, dropout=0.0)


def store_of(lengths, seed=0):
    """A store of texts over a table of 20 vectors."""
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((20, DIM)).astype(np.float32)
    return EmbeddedTexts.from_ids(table, [rng.integers(20, size=n).tolist() for n in lengths])


def lookup_of(store):
    lookup = TextLookup()
    lookup.attach(store)
    lookup.padded_table = lookup.padded_table.double()
    return lookup


class Largest(TorchDispatchMode):
    """Remembers the number of elements of the largest tensor that an operation returned."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        parts = found if isinstance(found, list | tuple) else [found]
        sizes = [one.numel() for one in parts if isinstance(one, torch.Tensor)]
        self.numel = max(self.numel, *sizes, 0)
        return found


# ------------------------------------------------------------------------------------- layout


@settings(deadline=None)
@given(LENGTHS)
def test_the_layout_is_that_of_torchs_packed_sequence(lengths):
    x, lengths = torch.randn(len(lengths), max(lengths) + 1, 2), torch.tensor(lengths)
    theirs = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    packed = pack(x, lengths)
    ours = packed.as_sequence()
    assert ours.batch_sizes.tolist() == theirs.batch_sizes.tolist()
    # Torch's order of texts of one length is its own.
    back, _ = nn.utils.rnn.pad_packed_sequence(ours, batch_first=True)
    expected, _ = nn.utils.rnn.pad_packed_sequence(theirs, batch_first=True)
    torch.testing.assert_close(back, expected)


@settings(deadline=None)
@given(LENGTHS)
def test_reversed_reads_each_text_from_its_end(lengths):
    x = torch.randn(len(lengths), max(lengths), 1)
    packed = pack(x, torch.tensor(lengths))
    turned = packed.vectors[packed.packing.reversed()]
    for text, length in enumerate(lengths):
        own = packed.packing.texts == text
        torch.testing.assert_close(turned[own], x[text, :length].flip(0))


@settings(deadline=None)
@given(LENGTHS, st.data(), st.booleans())
def test_texts_looked_up_are_those_of_the_store(lengths, data, own_vectors):
    store = store_of(lengths)
    if own_vectors:
        store = EmbeddedTexts.from_vectors(
            [store.gather([i], n)[0][0] for i, n in enumerate(lengths)]
        )
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=10))
    found = lookup_of(store)(torch.tensor(rows))
    for text, row in enumerate(rows):
        vectors, _ = store.gather([row], lengths[row])
        own = found.packing.texts == text
        np.testing.assert_array_equal(found.vectors[own], vectors[0])


@settings(deadline=None)
@given(st.lists(st.integers(1, 10_000), max_size=30))
def test_split_texts_take_at_most_four_times_their_own_memory(lengths):
    ordered = np.sort(np.array(lengths, np.int64))[::-1]
    spans = split_by_padding(ordered)
    assert [i for span in spans for i in range(len(ordered))[span]] == list(range(len(ordered)))
    for span in spans:
        part = ordered[span]
        assert len(part) * part[0] <= 4 * part.sum()
    if len(lengths):
        assert len(spans) <= 1 + np.log(ordered[0] / ordered[-1]) / np.log(4)


# ---------------------------------------------------------------------------------- networks


@settings(deadline=None, max_examples=40)
@given(LENGTHS, st.data(), st.booleans())
def test_the_encoder_equals_torchs_gru_over_a_packed_sequence(lengths, data, twice):
    store = store_of(lengths)
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=8))
    torch.manual_seed(0)
    encoder = GRUEncoder(DIM, WIDTH, twice_differentiable=twice).double()
    peer = nn.GRU(DIM, WIDTH, batch_first=True).double()
    peer.load_state_dict(encoder.gru.state_dict())
    vectors, own = store.gather(rows)
    padded = torch.as_tensor(vectors, dtype=torch.double)
    _, state = peer(pack_padded_sequence(padded, own, batch_first=True, enforce_sorted=False))
    found = encoder.encode(lookup_of(store)(torch.tensor(rows)))
    torch.testing.assert_close(found, state[0])
    torch.testing.assert_close(encoder(padded, torch.as_tensor(own)), state[0])
    weight = torch.randn_like(found)
    ours = torch.autograd.grad((found * weight).sum(), list(encoder.parameters()))
    theirs = torch.autograd.grad((state[0] * weight).sum(), list(peer.parameters()))
    torch.testing.assert_close(ours, theirs)


def written(network, x, lengths, previous):
    """Features of words written about padded texts, and the decoder's last states."""
    memory = network.read(pack(x, lengths))
    return network.write(memory, previous, network.begin_states(memory)), memory


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([1, 1, 2, 2, 3, 40]), min_size=1, max_size=9))
def test_the_writer_reads_texts_of_any_lengths_as_it_reads_each_alone(lengths):
    torch.manual_seed(0)
    network = Writer(DIM, 3, SMALL)
    x = torch.randn(len(lengths), max(lengths), DIM)
    previous = torch.randn(len(lengths), 4, 3)
    (features, states), memory = written(network, x, torch.tensor(lengths), previous)
    alone = [
        written(network, x[i : i + 1, :n], torch.tensor([n]), previous[i : i + 1])
        for i, n in enumerate(lengths)
    ]
    expected = torch.cat([one[0][0] for one in alone])
    torch.testing.assert_close(features, expected)
    torch.testing.assert_close(states, torch.cat([one[0][1] for one in alone], dim=1))
    torch.testing.assert_close(memory.mean, torch.cat([one[1].mean for one in alone]))
    weight = torch.randn_like(features)
    used = [p for n, p in network.named_parameters() if not n.startswith(("alignment", "bos"))]
    ours = torch.autograd.grad((features * weight).sum(), used)
    theirs = torch.autograd.grad((expected * weight).sum(), used)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@settings(deadline=None)
@given(st.data())
def test_memory_of_texts_of_unlike_length_takes_and_repeats(data):
    lengths = data.draw(st.lists(st.sampled_from([1, 2, 3, 30, 200]), min_size=1, max_size=6))
    index = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=8))
    torch.manual_seed(0)
    network = Writer(DIM, 3, SMALL)
    x = torch.randn(len(lengths), max(lengths), DIM)
    memory = network.read(pack(x, torch.tensor(lengths)))
    queries = torch.randn(2, len(lengths), SMALL.decoder_dim)
    whole = memory.attend(queries)
    taken = memory.take(torch.tensor(index, dtype=torch.int64))
    torch.testing.assert_close(taken.mean, memory.mean[index])
    torch.testing.assert_close(taken.attend(queries[:, index]), whole[:, index])
    again = memory.repeat(3).attend(queries.repeat_interleave(3, dim=1))
    torch.testing.assert_close(again, whole.repeat_interleave(3, dim=1))


# ------------------------------------------------------------------------------------- memory

LONG = [3000, *[4] * 250]  # 4,000 vectors; padded, 753,000
TOKENS = sum(LONG)


def policy_of(store):
    torch.manual_seed(0)
    space = spaces.Box(-1, 1, (DIM,))
    return GRUPolicy(TextIndex(store), space, lambda _: 1e-3, hidden_dim=WIDTH)


def test_learning_from_a_batch_with_one_long_text_takes_memory_by_its_vectors():
    policy = policy_of(store_of(LONG))
    rows = torch.arange(len(LONG))[:, None]
    with Largest() as largest:
        policy.get_distribution(rows).center.sum().backward()
    assert largest.numel <= TOKENS * 3 * WIDTH  # the gates of the GRU


def test_answering_a_long_text_among_others_takes_memory_by_its_vectors():
    store = store_of(LONG)
    policy = policy_of(store)
    with Largest() as largest:
        answer(policy, store)
    assert largest.numel <= 4 * TOKENS * 3 * WIDTH


@pytest.fixture(scope="module")
def writing(words):
    """A writer, and the real words with one input text of 3,000 vectors; padded, 135,000."""
    texts = [[row % 7] * (3000 if row == 5 else 1 + row % 6) for row in range(45)]
    corpus = replace(words, source=EmbeddedTexts.from_ids(words.source.table, texts))
    mdp = GenerateMDP(corpus, observation="index", max_new_tokens=5)
    spaces_ = mdp.observation_space, mdp.action_space
    torch.manual_seed(0)
    policy = WriterPolicy(*spaces_, lambda _: 1e-3, writer=SMALL, low_precision=False)
    width = 2 * SMALL.encoder_dim + corpus.source.dim
    return policy, corpus, 4 * int(corpus.source.lengths.sum()) * width


def test_cross_entropy_of_a_batch_with_one_long_text_takes_memory_by_its_vectors(writing):
    policy, corpus, bound = writing
    texts = TargetTexts(corpus, policy.vocabulary)
    with Largest() as largest:
        losses, misaligned = texts.loss(policy, np.arange(33), 0.1)
        (losses.mean() + misaligned.mean()).backward()
    assert largest.numel <= bound


def test_a_round_of_writing_with_one_long_text_takes_memory_by_its_vectors(writing):
    policy, _, bound = writing
    rows = np.arange(45).repeat(2)
    written = np.full((90, 5), policy.vocabulary.eos)
    observations = {"text": rows[:, None], "written": written}
    with Largest() as largest:
        state = policy.begin(observations, 2)
        state.act(observations, np.ones(90, np.bool_))
        state.act(observations, rows % 3 > 0)
        state.log_prob().sum().backward()
    assert largest.numel <= 2 * bound  # two answers to each


@pytest.mark.parametrize("method", ["greedy", "beam"])
def test_decoding_with_one_long_text_takes_memory_by_its_vectors(writing, method):
    policy, corpus, bound = writing
    with Largest() as largest, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # texts that are cut
        decode(policy, corpus.source, method=method, beam_size=2, max_new_tokens=5)
    assert largest.numel <= 2 * bound

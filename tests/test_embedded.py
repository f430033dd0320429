import copy
import dataclasses
import pickle
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.networks.encoder import TextLookup
from llmar_env.text.embedded import EmbeddedTexts, gather_padded, like_length

DIM = 3
KINDS = pytest.mark.parametrize("kind", ["ids", "rows"])
DTYPES = pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])


def make(kind, lengths, dtype=np.float32, seed=0):
    """A store, and the vectors of each of its texts."""
    rng = np.random.default_rng(seed)
    if kind == "rows":
        texts = [rng.standard_normal((n, DIM)).astype(dtype) for n in lengths]
        return EmbeddedTexts.from_vectors(texts), texts
    table = rng.standard_normal((7, DIM)).astype(dtype)
    ids = [rng.integers(7, size=n).tolist() for n in lengths]
    return EmbeddedTexts.from_ids(table, ids), [np.array([table[i] for i in text]) for text in ids]


def contents(store):
    """Each text's vectors, as `gather` gives them."""
    vectors, lengths = store.gather(range(len(store)))
    return [text[:length].tolist() for text, length in zip(vectors, lengths, strict=True)]


LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=8)


def test_like_length_by_hand():
    found = like_length(np.array([3, 1, 2, 1, 9]), 2)
    assert [block.tolist() for block in found] == [[1, 3], [2, 0], [4]]
    assert [len(block) for block in like_length(np.arange(10), 8)] == [5, 5]
    assert like_length(np.array([], np.int64), 3) == []


@KINDS
class TestGather:
    @DTYPES
    @given(lengths=LENGTHS, data=st.data())
    def test_against_a_loop(self, kind, dtype, lengths, data):
        store, texts = make(kind, lengths, dtype)
        index = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=10))
        vectors, found = store.gather(index)
        assert found.tolist() == [lengths[i] for i in index]
        assert vectors.dtype == np.float32
        expected = np.zeros((len(index), max(lengths), DIM), np.float32)
        for row, i in enumerate(index):
            for step, vector in enumerate(texts[i]):
                expected[row, step] = vector
        assert np.array_equal(vectors, expected)

    @given(lengths=LENGTHS, data=st.data())
    def test_blocks_are_texts_of_like_length_without_needless_padding(self, kind, lengths, data):
        store, texts = make(kind, lengths)
        rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=10))
        size = data.draw(st.integers(1, 4))
        seen, shortest = [], 0
        for places, vectors, found in store.blocks(rows, size):
            assert 1 <= len(places) <= size
            assert found.tolist() == [lengths[rows[place]] for place in places]
            assert vectors.shape == (len(places), found.max(), DIM)
            for text, place in zip(vectors, places, strict=True):
                length = lengths[rows[place]]
                assert np.array_equal(text[:length], np.float32(texts[rows[place]]))
                assert not text[length:].any()
            assert shortest <= found.min()
            shortest = found.max()
            seen += places.tolist()
        assert sorted(seen) == list(range(len(rows)))

    def test_numbers_of_the_texts(self, kind):
        store, _ = make(kind, [2, 5, 1])
        assert (len(store), store.dim, store.max_length) == (3, DIM, 5)
        assert store.lengths.tolist() == [2, 5, 1]

    @pytest.mark.parametrize("index", [[-1], [3], [0, 1, 99], np.array([0, -3])])
    def test_rows_that_are_not_there(self, kind, index):
        store, _ = make(kind, [2, 5, 1])
        with pytest.raises(IndexError, match="rows must lie in 0 to 2"):
            store.gather(index)

    def test_numpy_and_torch_alike(self, kind):
        store, _ = make(kind, [2, 5, 1, 4])
        index = np.array([3, 0, 0, 2])
        arrays = (store.padded_table, store.ids, store.offsets, index)
        vectors, lengths = gather_padded(*arrays, 5)
        tensors = [None if array is None else torch.tensor(array) for array in arrays]
        as_torch = gather_padded(*tensors, 5)
        assert all(isinstance(tensor, torch.Tensor) for tensor in as_torch)
        assert np.array_equal(as_torch[0], vectors)
        assert np.array_equal(as_torch[1], lengths)
        assert np.array_equal(vectors, store.gather(index)[0])

    def test_more_room_than_needed(self, kind):
        store, texts = make(kind, [2, 3])
        vectors, _ = gather_padded(
            store.padded_table, store.ids, store.offsets, np.array([1, 0]), 10
        )
        assert vectors.shape == (2, 10, DIM)
        assert np.array_equal(vectors[0, :3], texts[1])
        assert not vectors[0, 3:].any()
        assert not vectors[1, 2:].any()


@KINDS
class TestMeans:
    @DTYPES
    def test_against_a_loop(self, kind, dtype):
        store, texts = make(kind, [3, 1, 6, 2], dtype)
        expected = np.array([text.astype(np.float64).mean(0) for text in texts])
        assert store.means.dtype == np.float32
        assert store.means == pytest.approx(expected, abs=1e-6)
        lengths = np.sqrt((expected**2).sum(1, keepdims=True))
        assert store.unit_means == pytest.approx(expected / lengths, abs=1e-6)

    @pytest.mark.parametrize("n", [4095, 4096, 4097, 9000])
    def test_many_texts(self, kind, n):
        store, texts = make(kind, np.random.default_rng(1).integers(1, 4, n))
        expected = np.array([text.mean(0) for text in texts])
        assert store.means == pytest.approx(expected, abs=1e-6)

    def test_halves_do_not_overflow(self, kind):
        table = np.full((4, DIM), 60_000, np.float16)
        if kind == "rows":
            store = EmbeddedTexts.from_vectors([table])
        else:
            store = EmbeddedTexts.from_ids(table, [[0, 1, 2, 3]])
        assert np.array_equal(store.means, table[:1].astype(np.float32))


def test_a_zero_mean_stays_zero():
    store = EmbeddedTexts.from_vectors([[[1.0, -1.0], [-1.0, 1.0]], [[3.0, 4.0]]])
    assert store.unit_means == pytest.approx(np.array([[0, 0], [0.6, 0.8]]))


@KINDS
class TestTruncate:
    @given(lengths=LENGTHS, limit=st.integers(1, 7))
    def test_keeps_the_first_vectors_and_counts_the_cut(self, kind, lengths, limit):
        store, texts = make(kind, lengths)
        short, cut = store.truncate(limit)
        assert cut == sum(length > limit for length in lengths)
        assert contents(short) == [text[:limit].tolist() for text in texts]
        assert contents(store) == [text.tolist() for text in texts]

    def test_nothing_to_cut(self, kind):
        store, _ = make(kind, [2, 5])
        assert store.truncate(5) == (store, 0)

    @pytest.mark.parametrize("limit", [0, -1])
    def test_at_least_one(self, kind, limit):
        with pytest.raises(ValueError, match=f"at least 1, found {limit}"):
            make(kind, [2])[0].truncate(limit)


class TestFingerprint:
    TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)

    def test_tells_contents_apart(self):
        table = self.TABLE
        other = table.copy()
        other[3, 2] += 1e-5
        stores = [
            EmbeddedTexts.from_ids(table, [[0, 1], [2, 3]]),
            EmbeddedTexts.from_ids(table, [[0, 1], [3, 2]]),
            EmbeddedTexts.from_ids(table, [[0], [1, 2, 3]]),
            EmbeddedTexts.from_ids(table, [[0, 1, 2, 3]]),
            EmbeddedTexts.from_ids(table, [[2, 3], [0, 1]]),
            EmbeddedTexts.from_ids(other, [[0, 1], [2, 3]]),
            EmbeddedTexts.from_ids(table.reshape(6, 2), [[0, 1], [2, 3]]),
            EmbeddedTexts.from_ids(table.astype(np.float64), [[0, 1], [2, 3]]),
            EmbeddedTexts.from_ids(table.view(np.float16), [[0, 1], [2, 3]]),
            EmbeddedTexts.from_vectors([table[:2], table[2:]]),
            EmbeddedTexts.from_vectors([table[:1], table[1:]]),
        ]
        prints = [store.fingerprint for store in stores]
        assert len(set(prints)) == len(stores)
        assert all(len(digits) == 16 and int(digits, 16) >= 0 for digits in prints)

    def test_is_that_of_the_content_alone(self):
        store = EmbeddedTexts.from_ids(self.TABLE, [[0, 1], [2, 3]])
        scattered = np.zeros((8, 6), np.float32)[::2, ::2]  # the same numbers, not contiguous
        scattered[:] = self.TABLE
        again = EmbeddedTexts.from_ids(scattered, [[0, 1], [2, 3]])
        assert again is not store
        assert again.fingerprint == store.fingerprint
        assert store.truncate(2)[0].fingerprint == store.fingerprint
        assert store.truncate(1)[0].fingerprint != store.fingerprint

    def test_the_same_on_every_machine(self):
        # By coreutils: `{ printf 'float32 (1, 2)'; printf '\0\0\200\77\0\0\0\100';
        # printf '\0\0\0\0'; printf '\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0'; } | sha256sum`
        store = EmbeddedTexts.from_ids(np.array([[1, 2]], np.float32), [[0]])
        assert store.fingerprint == "2ea6208891491174"
        assert store.fingerprint in repr(store)


class TestImmutability:
    def test_deepcopy_shares(self):
        store, _ = make("ids", [2, 3])
        assert copy.deepcopy(store) is store
        assert copy.deepcopy({"kwargs": [store]})["kwargs"][0] is store

    @pytest.mark.parametrize("name", ["table", "ids", "offsets"])
    def test_fields_are_fixed(self, name):
        store, _ = make("ids", [2, 3])
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(store, name, getattr(store, name))


class TestValidation:
    TABLE = np.ones((4, 2), np.float32)
    IDS = np.array([0, 1, 3], np.int32)

    @pytest.mark.parametrize(
        ("table", "ids", "offsets", "reason"),
        [
            (np.ones(4, np.float32), IDS, [0, 3], "table must be .V, D. floating"),
            (np.ones((2, 2, 2), np.float32), IDS, [0, 3], "table must be .V, D. floating"),
            (np.ones((4, 2), np.int64), IDS, [0, 3], "floating, found int64"),
            (TABLE, IDS, [0], "at least one text"),
            (TABLE, IDS, [], "at least one text"),
            (TABLE, IDS, [1, 3], "begin at 0"),
            (TABLE, IDS, [0, 1, 1, 3], "text 1 has no vectors"),
            (TABLE, IDS, [0, 2, 1, 3], "text 1 has no vectors"),
            (TABLE, IDS, [0, 2], "offsets end at 2, but there are 3 positions"),
            (TABLE, IDS, [0, 4], "offsets end at 4, but there are 3 positions"),
            (TABLE, None, [0, 3], "offsets end at 3, but there are 4 positions"),
            (TABLE, np.array([0, 4], np.int32), [0, 2], "ids must lie in 0 to 3"),
            (TABLE, np.array([-1, 3], np.int32), [0, 2], "ids must lie in 0 to 3"),
        ],
    )
    def test_fields(self, table, ids, offsets, reason):
        with pytest.raises(ValueError, match=reason):
            EmbeddedTexts(table, ids, np.array(offsets, np.int64))

    def test_good_fields(self):
        assert len(EmbeddedTexts(self.TABLE, self.IDS, np.array([0, 1, 3]))) == 2

    @pytest.mark.parametrize(
        "texts", [[], [[0], []], [[0, 4]], [[-1]]], ids=["none", "empty", "beyond", "before"]
    )
    def test_from_ids(self, texts):
        with pytest.raises(ValueError, match=r"text|ids"):
            EmbeddedTexts.from_ids(self.TABLE, texts)

    @pytest.mark.parametrize(
        "texts",
        [[], [np.ones((0, 2))], [np.ones((2, 3)), np.ones((2, 4))], [np.ones(3)], [[[1, 2]]]],
        ids=["none", "empty", "two dimensions", "flat", "integers"],
    )
    def test_from_vectors(self, texts):
        with pytest.raises(ValueError):  # noqa: PT011 - NumPy words some of them
            EmbeddedTexts.from_vectors(texts)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_vectors_that_are_zero_or_not_finite_are_refused(value):
    table = np.ones((4, 2), np.float32)
    table[3] = value
    EmbeddedTexts.from_ids(table, [[0, 1], [2]])  # no text has it
    with pytest.raises(ValueError, match=r"text 1 has a vector .* at its position 1"):
        EmbeddedTexts.from_ids(table, [[0, 1], [2, 3]])
    with pytest.raises(ValueError, match=r"text 1 has a vector .* at its position 1"):
        EmbeddedTexts(table, None, np.array([0, 2, 4]))


def test_texts_of_vectors_are_copied_once():
    vectors = np.ones((10_000, 8))
    tracemalloc.start()
    EmbeddedTexts.from_vectors([vectors])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert vectors.nbytes < peak < 1.5 * vectors.nbytes


@KINDS
class TestSharing:
    def arrays(self, store):
        found = (store.padded_table, store.table, store.ids, store.offsets)
        return [array for array in (*found, store.means, store.unit_means) if array is not None]

    def test_nobody_can_write_to_it(self, kind):
        store, _ = make(kind, [2, 5, 1])
        for array in self.arrays(store):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1

    def test_the_callers_arrays_stay_writable(self, kind):
        table = np.ones((3, 2), np.float32)
        ids = np.array([0, 1, 2], np.int32) if kind == "ids" else None
        offsets = np.array([0, 1, 3])
        EmbeddedTexts(table, ids, offsets)
        table[0], offsets[0] = 2, 5
        if ids is not None:
            ids[0] = 1

    def test_the_table_lies_in_memory_once(self, kind):
        store, _ = make(kind, [2, 5, 1])
        assert np.shares_memory(store.table, store.padded_table)
        assert store.padded_table.shape == (len(store.table) + 1, DIM)
        assert not store.padded_table[-1].any()
        for one in (store, pickle.loads(pickle.dumps(store))):
            again = EmbeddedTexts(one.table, one.ids, one.offsets)
            assert again.padded_table is one.padded_table
            assert again.table is one.table
            assert again.fingerprint == store.fingerprint

    def test_a_slice_of_another_table_is_not_taken_for_a_padded_one(self, kind):
        ids = np.array([0, 1], np.int32) if kind == "ids" else None
        whole = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
        columns = np.asfortranarray([[1, 2], [3, 4], [0, 0]], np.float32)
        strided = np.zeros((6, 2), np.float32)
        strided[::2] = whole
        padded = np.array([[1, 2], [3, 4], [0, 0]], np.float32)
        for array in (whole, columns, strided, padded):
            array.flags.writeable = False
        for table in (whole[:2], columns[:2], strided[::2][:2], padded[1::-1]):
            store = EmbeddedTexts(table, ids, np.array([0, 2]))
            np.testing.assert_array_equal(store.table, table)
            np.testing.assert_array_equal(store.padded_table[:-1], table)
            assert not store.padded_table[-1].any()
            assert store.padded_table.flags.c_contiguous
            assert not np.shares_memory(store.padded_table, table)

    def test_what_somebody_can_write_to_is_copied(self, kind):
        ids = np.array([0, 1], np.int32) if kind == "ids" else None
        padded = np.array([[1, 2], [3, 4], [0, 0]], np.float32)
        early = padded[:2]
        for fixed in (False, True):
            padded.flags.writeable = not fixed
            store = EmbeddedTexts(early, ids, np.array([0, 2]))
            assert not np.shares_memory(store.padded_table, padded)
        store = EmbeddedTexts(padded[:2], ids, np.array([0, 2]))
        assert store.padded_table is padded

    @pytest.mark.parametrize("computed", [True, False])
    def test_a_pickle_hands_its_arrays_over_without_a_copy(self, kind, computed):
        store, _ = make(kind, [2, 5, 1, 4])
        if computed:
            _ = store.means, store.unit_means, store.fingerprint
        buffers = []
        data = pickle.dumps(store, protocol=5, buffer_callback=buffers.append)
        sizes = sorted(buffer.raw().nbytes for buffer in buffers)
        parts = [store.padded_table, store.offsets]
        parts += [store.ids] if kind == "ids" else []
        parts += [store.means, store.unit_means] if computed else []
        assert sizes == sorted(part.nbytes for part in parts)  # the table once
        memory = [bytes(buffer.raw()) for buffer in buffers]
        loaded = pickle.loads(data, buffers=memory)
        raw = [np.frombuffer(one, np.uint8) for one in memory]
        for array in (loaded.padded_table, loaded.table, loaded.offsets, loaded.ids):
            assert array is None or any(np.shares_memory(array, one) for one in raw)
        assert loaded.fingerprint == store.fingerprint
        assert contents(loaded) == contents(store)
        np.testing.assert_array_equal(loaded.unit_means, store.unit_means)

    def test_a_pickle_without_buffers_is_read_only_too(self, kind):
        store, _ = make(kind, [2, 5, 1])
        loaded = pickle.loads(pickle.dumps(store))
        assert contents(loaded) == contents(store)
        assert not any(array.flags.writeable for array in self.arrays(loaded))


def test_a_long_text_lengthens_no_batch_but_its_own():
    table = np.eye(3, dtype=np.float32)
    store = EmbeddedTexts.from_ids(table, [[0, 1], [2] * 20_000, [1]])
    shapes = {tuple(places): vectors.shape for places, vectors, _ in store.blocks([0, 1, 2], 2)}
    assert shapes == {(2, 0): (2, 2, 3), (1,): (1, 20_000, 3)}
    vectors, lengths = store.gather([2, 0], 2)
    np.testing.assert_array_equal(vectors, store.gather([2, 0])[0][:, :2])
    assert lengths.tolist() == [1, 2]
    lookup = TextLookup()
    lookup.attach(store)
    assert lookup(torch.tensor([0, 2])).vectors.shape == (3, 3)
    assert lookup(torch.tensor([0, 1])).vectors.shape == (20_002, 3)

"""The cache of embedded texts: nothing is read twice, and nothing that is damaged is used."""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmar_env.text.embedders import EmbeddingCache, FrozenEmbedder, open_cache
from llmar_env.text.embedders import frozen as frozen_module
from llmar_env.text.embedders.base import Encoded
from llmar_env.text.embedders.cache import replace_file
from llmar_env.text.embedders.model_files import content_hash


class Reader:
    """A model whose vectors follow from the text; it counts the texts that it reads."""

    spec, dim = "st:reader", 5

    def __init__(self, revision="r", half=False, dies_at=None):
        self.revision, self.settings = revision, {"kind": "st", "half": half}
        self.read, self.dies_at = 0, dies_at

    def encode(self, texts, advance):
        found = []
        for text in texts:
            if self.read == self.dies_at:
                os._exit(9)
            self.read += 1
            rng = np.random.default_rng(list(text.encode()))
            found.append(rng.standard_normal((1 + len(text) % 3, self.dim)).astype(np.float32))
            advance(1)
        offsets = np.cumsum([0, *map(len, found)])
        cut = np.array(["cut" in text for text in texts])
        return Encoded(np.concatenate(found), offsets, cut)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(frozen_module, "_SHARD_TEXTS", 10)


def texts_of(n, word="text"):
    return [f"{word} {'x' * (i % 4)}{i}" for i in range(n)]


def embed(folder, texts, **options):
    """The store, and the number of texts that the model has read for it."""
    reader = Reader(**options)
    store = FrozenEmbedder(reader, cache=None if folder is None else EmbeddingCache(folder))
    return store.embed(texts), reader.read


def files(folder):
    return sorted(path for path in Path(folder).rglob("*.safetensors"))


@pytest.mark.parametrize("half", [False, True])
def test_the_second_time_nothing_is_read_and_every_bit_is_the_same(tmp_path, half):
    texts = [*texts_of(37), *texts_of(5)]
    plain, count = embed(None, texts, half=half)
    first, first_count = embed(tmp_path, texts, half=half)
    second, second_count = embed(tmp_path, texts, half=half)
    assert (count, first_count, second_count) == (37, 37, 0)
    assert plain.fingerprint == first.fingerprint == second.fingerprint
    assert first.table.dtype == (np.float16 if half else np.float32)


def test_new_texts_alone_are_read(tmp_path):
    embed(tmp_path, texts_of(20))
    texts = [*texts_of(3, "new"), *texts_of(25)]
    store, count = embed(tmp_path, texts)
    assert count == 3 + 5
    assert store.fingerprint == embed(None, texts)[0].fingerprint


@given(st.lists(st.sets(st.integers(0, 30), min_size=1), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_any_sequence_of_calls_gives_what_the_model_gives(tmp_path_factory, calls):
    folder = tmp_path_factory.mktemp("cache")
    seen = set()
    for call in calls:
        texts = [f"t{number}" for number in call]
        store, count = embed(folder, texts)
        assert count == len(call - seen)
        assert store.fingerprint == embed(None, texts)[0].fingerprint
        seen |= call


def test_models_do_not_mix(tmp_path):
    texts = texts_of(4)
    for options in ({}, {"revision": "s"}, {"half": True}):
        assert embed(tmp_path, texts, **options)[1] == 4
        assert embed(tmp_path, texts, **options)[1] == 0


def test_texts_that_were_cut_are_counted_from_the_cache_too(tmp_path):
    for _ in range(2):
        with pytest.warns(UserWarning, match="2 of 6 texts are longer"):
            embed(tmp_path, [*texts_of(4), "cut", "also cut"])


DIES = """
import sys
sys.path.insert(0, "tests")
import test_embedding_cache as here
here.frozen_module._SHARD_TEXTS = 10
here.embed(sys.argv[1], here.texts_of(40), dies_at=25)
"""


def test_a_process_that_is_killed_loses_at_most_a_shard(tmp_path):
    root = Path(__file__).parents[1]
    outcome = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], cwd=root, check=False)
    assert outcome.returncode == 9
    assert len(files(tmp_path)) == 2
    store, count = embed(tmp_path, texts_of(40))
    assert count == 20
    assert store.fingerprint == embed(None, texts_of(40))[0].fingerprint


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_file(path, fail)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def embed_some(folder, first):
    texts = texts_of(60)[first : first + 40]
    return embed(folder, texts)[0].fingerprint


def test_processes_share_a_folder(tmp_path):
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(embed_some, [tmp_path] * 6, [0, 20, 0, 10, 20, 10]))
    expected = [embed_some(None, first) for first in (0, 20, 0, 10, 20, 10)]
    assert found == expected
    assert embed(tmp_path, texts_of(60))[1] == 0


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "garbage"])
def test_damaged_files_are_said_removed_and_made_anew(tmp_path, damage):
    expected, _ = embed(tmp_path, texts_of(30))
    victim = files(tmp_path)[1]
    data = bytearray(victim.read_bytes())
    data[-100] ^= 1
    victim.write_bytes(
        {"truncate": data[:-30], "flip": data, "empty": b"", "garbage": b"x" * 500}[damage]
    )
    with pytest.warns(UserWarning, match=r"is damaged .* and was removed"):
        store, count = embed(tmp_path, texts_of(30))
    assert (count, store.fingerprint) == (10, expected.fingerprint)
    assert embed(tmp_path, texts_of(30))[1] == 0


def test_many_small_files_become_one(tmp_path):
    for number in range(70):
        embed(tmp_path, [f"query {number}"])
    assert len(files(tmp_path)) < 10
    assert EmbeddingCache(tmp_path).models()[0].texts == 70
    store, count = embed(tmp_path, [f"query {number}" for number in range(70)])
    assert count == 0
    assert store.fingerprint == embed(None, [f"query {n}" for n in range(70)])[0].fingerprint


def test_models_and_clear(tmp_path):
    cache = EmbeddingCache(tmp_path / "cache")
    assert (cache.models(), cache.clear()) == ([], 0)
    embed(cache.folder, texts_of(30))
    embed(cache.folder, texts_of(3), revision="s")
    found = cache.models()
    assert [(one.name, one.texts) for one in found] == [("st:reader", 30), ("st:reader", 3)]
    (tmp_path / "cache" / "notes.txt").write_text("mine")
    mine = files(cache.folder)[0].with_name("mine.txt")
    mine.write_text("mine")
    assert cache.clear() == sum(one.bytes for one in found)
    left = [path for path in cache.folder.rglob("*") if path.is_file()]
    assert sorted(path.name for path in left) == ["mine.txt", "notes.txt"]
    assert embed(cache.folder, texts_of(3))[1] == 3


class TestFolder:
    def test_names(self, tmp_path, monkeypatch):
        monkeypatch.delenv("LLMAR_CACHE", raising=False)
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert open_cache("auto").folder == tmp_path / "llmar"
        monkeypatch.setenv("LLMAR_CACHE", str(tmp_path / "own"))
        assert open_cache("auto").folder == tmp_path / "own"
        monkeypatch.setenv("LLMAR_CACHE", "none")
        assert open_cache("auto") is None
        assert open_cache("none") is None
        assert open_cache(None) is None
        assert open_cache(tmp_path).folder == tmp_path
        cache = EmbeddingCache(tmp_path)
        assert open_cache(cache) is cache


class TestContentHash:
    def test_follows_names_and_content(self, tmp_path):
        one, other = tmp_path / "one", tmp_path / "other"
        one.write_text("a")
        other.write_text("b")
        found = content_hash([one, other], tmp_path)
        assert content_hash([one, other], tmp_path) == found
        assert content_hash([one], tmp_path) != found
        other.write_text("c!")
        assert content_hash([one, other], tmp_path) != found

    def test_the_memo_is_used_and_may_be_damaged(self, tmp_path, monkeypatch):
        from llmar_env.text.embedders import model_files

        path, memo = tmp_path / "model", tmp_path / "memo.json"
        path.write_text("weights")
        expected = content_hash([path], tmp_path, memo)
        monkeypatch.setattr(model_files, "_hashes", {})
        memo.write_text(memo.read_text().replace(memo.read_text().split('"')[5], "f" * 64))
        assert content_hash([path], tmp_path, memo) != expected
        memo.write_text("{damaged")
        assert content_hash([path], tmp_path, memo) == expected

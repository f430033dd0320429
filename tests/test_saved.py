"""Files of a saved model that are damaged, missing or of another model."""

import contextlib
import json
import os
import shutil
import stat
import warnings

import numpy as np
import pytest
import torch
from conftest import flat_config
from safetensors.numpy import load_file, save_file

from agents import ALGORITHMS, LLMAR, ModelFileError
from agents.__main__ import cli
from agents.policies import WriterPolicy
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import WordVectors, WordVectorsConfig
from llmar_env.text.pairs import TextPairs

QUICK = {"device": "cpu", "progress": False, "hidden_dim": 16, "num_texts": 8, "group_size": 4}
TEXTS = ["Ein roter Ball lacht", "Ein Hund"]
WEIGHTS = "policy.safetensors"


@pytest.fixture(scope="module")
def models(words, tmp_path_factory):
    """A model that answers with vectors, and one that writes, in a folder each."""
    folder = tmp_path_factory.mktemp("models")
    writing = {"env": "LLMAR/Generate-v0", "warm_epochs": 0.1, "max_new_tokens": 6}
    for name, options in (("aligns", {"supervised": False}), ("writes", writing)):
        llmar = LLMAR(flat_config(**QUICK, **options, total_steps=32))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            llmar.train(words)
        llmar.save(folder / name)
    return folder


@pytest.fixture(params=["aligns", "writes"])
def model(request, models, tmp_path):
    shutil.copytree(models / request.param, tmp_path / "model")
    return tmp_path / "model"


def manifest_of(model):
    return json.loads((model / "model.json").read_text("utf-8"))


def write_manifest(model, content):
    (model / "model.json").write_text(json.dumps(content), "utf-8")


def refused(model, *words):
    """The message of the one error that damage ends in, from Python and from the command line."""
    with pytest.raises(ModelFileError) as caught:
        LLMAR.load(model, device="cpu")
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(model), *words):
        assert word in message
    with pytest.raises(SystemExit) as ended:
        cli(["generate", "--model", str(model), "--device", "cpu", "--text", "Ein Hund"])
    assert ended.value.code == f"error: {message}"


# ---------------------------------------------------------------------------- model.json


@pytest.mark.parametrize(
    "text",
    ["[]", "null", "3", '"x"', "", "{", "[" * 100_000, '{"format": NaN}', "9" * 5000, '"\udcff"'],
    ids=lambda text: text[:12] or "empty",
)
def test_a_file_that_is_no_json_object(model, text):
    (model / "model.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(model, "model.json")


@pytest.mark.parametrize("name", ["config", "targets", "shared_embedder", "files", "source_dim"])
@pytest.mark.parametrize("value", [None, "7", 3.5, True, [[1]], {"a": []}, -1, 10**11, 10**30])
def test_a_field_of_another_type_or_size_is_named(model, name, value):
    content = manifest_of(model)
    if type(value) is type(content[name]):
        value = [value]
    write_manifest(model, content | {name: value})
    refused(model, "model.json", name)
    del content[name]
    write_manifest(model, content)
    refused(model, f"model.json: {name} is missing")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_dim", 10**11),
        ("hidden_dim", "16"),
        ("hidden_dim", 10**25),
        ("num_vectors", 10**11),
        ("settings", [["policy.net_arch", [10**11]]]),
        ("settings", [["policy.net_arch", "64"]]),
        ("settings", [["policy.n_critics", 10**11]]),
        ("settings", 7),
        ("algo", "sarsa"),
        ("env", "LLMAR/Other-v0"),
        ("num_texts", -5),
        ("no_such_option", 1),
    ],
)
def test_an_option_that_no_model_was_trained_with(models, tmp_path, name, value):
    model = shutil.copytree(models / "aligns", tmp_path / "model")
    content = manifest_of(model)
    content["config"][name] = value
    write_manifest(model, content)
    refused(model)


@pytest.mark.parametrize("name", ["encoder_dim", "decoder_dim", "dropout", "other"])
@pytest.mark.parametrize("value", [10**11, 10**30, "16", None, -1, [1]])
def test_a_writers_sizes(models, tmp_path, name, value):
    model = shutil.copytree(models / "writes", tmp_path / "model")
    content = manifest_of(model)
    content["writer"][name] = value
    write_manifest(model, content)
    refused(model)


def test_sizes_beyond_the_files_take_no_memory(models, tmp_path, monkeypatch):
    # 4,000 units are 200 MB of weights: less than there is, more than the file holds.
    model = shutil.copytree(models / "aligns", tmp_path / "model")
    content = manifest_of(model)
    content["config"]["hidden_dim"] = 4000
    write_manifest(model, content)
    made = []
    empty = torch.empty
    with torch.device("meta"):
        empty(1)  # torch collects the functions that heed the device once, before we replace one

    def counting(*args, **kwargs):
        found = empty(*args, **kwargs)
        made.append(0 if found.is_meta else found.numel())
        return found

    monkeypatch.setattr(torch, "empty", counting)
    refused(model, WEIGHTS, "has shape (48, 16), expected (12000, 16)")
    assert sum(made) < 10_000


def test_a_limit_of_words_beyond_memory_is_refused(models, tmp_path):
    model = shutil.copytree(models / "writes", tmp_path / "model")
    content = manifest_of(model)
    content["config"]["max_new_tokens"] = 10**11
    write_manifest(model, content)
    refused(model, "model.json: config: max_new_tokens must lie in [1, 65536)")
    content["config"]["max_new_tokens"] = 2**16 - 1
    write_manifest(model, content)
    assert LLMAR.load(model).config.task.max_new_tokens == 2**16 - 1
    # It never writes EOS: more words would take minutes.
    content["config"]["max_new_tokens"] = 1000
    write_manifest(model, content)
    assert works(model)


# ---------------------------------------------------------------------------- other files


@pytest.mark.parametrize("name", ["policy", "source", "target", "vocabulary"])
@pytest.mark.parametrize("damage", ["missing", "empty", "short", "text", "folder"])
def test_files_that_are_missing_or_cut(models, tmp_path, name, damage):
    model = shutil.copytree(models / "writes", tmp_path / "model")
    path = model / f"{name}.safetensors"
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes({"empty": b"", "short": content[:-7], "text": b"no tensors"}[damage])
    refused(model, path.name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.popitem() and None, "has shape None, expected"),
        (lambda weights: weights.update(more=np.zeros(3)), "more has shape (3,), expected None"),
        (lambda weights: weights.update(log_noise_scale=np.zeros(2)), "expected ()"),
        (
            lambda weights: weights.update(log_noise_scale=np.zeros((), np.float64)),
            "log_noise_scale has type F64, expected torch.float32",
        ),
        (
            lambda weights: weights.update(log_noise_scale=np.full((), np.nan, np.float32)),
            "its SHA-256 is not the one in model.json",
        ),
    ],
)
def test_weights_of_another_network_are_named(model, change, message):
    weights = load_file(model / WEIGHTS)
    change(weights)
    save_file(weights, model / WEIGHTS)
    refused(model, WEIGHTS, message)


def test_a_file_of_another_model_is_refused(models, tmp_path):
    model = shutil.copytree(models / "writes", tmp_path / "model")
    shutil.copy(models / "writes" / "target.safetensors", model / "source.safetensors")
    refused(model, "source.safetensors", "SHA-256")
    model = shutil.copytree(models / "aligns", tmp_path / "other")
    shutil.copy(models / "writes" / "vocabulary.safetensors", model)
    refused(model, "vocabulary.safetensors", "model.json does not list it")


@pytest.mark.parametrize("change", ["head", "config", "tokenizer", "shape", "type", "nan"])
def test_word_vectors_that_are_damaged_are_a_value_error(words, tmp_path, change):
    embedder, path = words.source_embedder, tmp_path / "vectors.safetensors"
    config = {"dim": 16, "vocab_size": 400}
    head = {"tokenizer": embedder.tokenizer.to_str(), "config": json.dumps(config)}
    table = embedder.table.copy()
    save_file({"vectors": table}, path, head)
    np.testing.assert_array_equal(WordVectors.load(path).table, table)
    if change == "head":
        head["config"] = "[1"
    elif change == "config":
        head["config"] = json.dumps(config | {"dim": "16"})
    elif change == "tokenizer":
        head["tokenizer"] = head["tokenizer"][:-10]
    elif change == "shape":
        table = table[:50]
    elif change == "type":
        table = table.astype(np.int32)
    else:
        table[3, 3] = np.nan
    save_file({"vectors": table}, path, head)
    with pytest.raises(ModelFileError, match=r"vectors\.safetensors holds no word vectors"):
        WordVectors.load(path)


# ---------------------------------------------------------------------------- whatever happens


def mutate(value, rng):
    """A copy of JSON data with one value replaced, removed or added somewhere."""
    junk = [None, True, -1, 0, 2.5, 1e300, 10**11, "", "x", [], {}, [1], {"a": 1}, float("nan")]
    if isinstance(value, dict) and value and rng.random() < 0.8:
        name = list(value)[rng.integers(len(value))]
        if rng.random() < 0.1:
            return {key: one for key, one in value.items() if key != name}
        if rng.random() < 0.1:
            return value | {"more": junk[rng.integers(len(junk))]}
        return value | {name: mutate(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.integers(len(value))
        return [*value[:place], mutate(value[place], rng), *value[place + 1 :]]
    return junk[rng.integers(len(junk))]


def works(model):
    """Whether a model is loaded and answers; the one error that it may end in instead is raised."""
    llmar = LLMAR.load(model, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = llmar.generate(TEXTS)
    assert len(answers) == 2
    assert isinstance(answers[0], str) or np.isfinite(answers).all()
    return True


def test_whatever_stands_in_model_json_is_refused_or_works(model):
    rng = np.random.default_rng(21)
    content, refusals = manifest_of(model), 0
    for _ in range(200):
        changed = mutate(content, rng)
        write_manifest(model, changed)
        try:
            works(model)
        except ModelFileError:
            refusals += 1
    assert 50 < refusals < 200


def test_whatever_bytes_are_damaged_is_refused_or_works(model):
    rng, refusals = np.random.default_rng(22), 0
    for path in sorted(model.iterdir()):
        content = path.read_bytes()
        for number in range(25):
            changed = bytearray(content)
            # Every second time near the start, where the header is.
            place = rng.integers(min(len(content), 400) if number % 2 else len(content))
            changed[place] ^= 1 << rng.integers(8)
            path.write_bytes(changed if number % 5 else changed[:place])
            with contextlib.suppress(ModelFileError):
                works(model)
                assert path.name == "model.json"
                continue
            refusals += 1
        path.write_bytes(content)
    assert works(model)
    assert refusals > 50


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_the_models_of_every_algorithm_are_checked_without_their_memory(corpus, tmp_path, algo):
    pytest.importorskip("sb3_contrib")
    options = {"algo": algo, "supervised": False, "total_steps": 32}
    if algo in ("sac", "td3", "ddpg", "tqc", "crossq"):
        options["settings"] = [("learning_starts", 0), ("buffer_size", 64)]
    elif algo == "ars":
        options |= {"group_size": 1, "settings": [("n_delta", 2)]}
    llmar = LLMAR(flat_config(**QUICK | options))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        llmar.train(corpus)
    llmar.save(tmp_path)
    loaded = LLMAR.load(tmp_path, device="cpu")
    for name, weight in llmar.policy.state_dict().items():
        assert torch.equal(loaded.policy.state_dict()[name], weight)
    content = manifest_of(tmp_path)
    content["config"]["hidden_dim"] = 10**9
    write_manifest(tmp_path, content)
    with pytest.raises(ModelFileError):
        LLMAR.load(tmp_path, device="cpu")


def test_files_have_the_permissions_of_any_new_file(models, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    expected = stat.S_IMODE(os.stat(plain).st_mode)
    for path in (models / "writes").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == expected, path.name


# ---------------------------------------------------------------------------- going on


def continued(model, data, **options):
    """A saved model, trained further with other options, and what came of it."""
    content = manifest_of(model)
    content["config"].update(options)
    write_manifest(model, content)
    llmar = LLMAR.load(model, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return llmar, llmar.train(data)


def weights_of(llmar):
    return torch.cat([weight.flatten() for weight in llmar.policy.state_dict().values()])


def test_training_goes_on_from_the_weights_of_a_loaded_model(model, words):
    loaded = LLMAR.load(model, device="cpu")
    before = weights_of(loaded)
    score = loaded.evaluate(loaded.generate(words.sources[33:39]), words.targets[33:39])
    # So small a step that weights which began anew would be far away.
    llmar, outcome = continued(model, words, learning_rate=1e-6, total_steps=640)
    after = weights_of(llmar)
    assert torch.allclose(after, before, atol=1e-4)
    assert outcome.scores["valid"]["start"].alignment == pytest.approx(score.alignment, abs=1e-5)
    assert not {"untrained", "warm_start"} & {*outcome.scores["valid"], *outcome.curves}
    again = llmar.train(words)  # the same object goes on too
    assert again.scores["valid"]["start"] == outcome.scores["valid"]["trained"]


def test_what_it_goes_on_to_is_no_worse_on_valid_than_what_it_began_with(model, words):
    llmar, outcome = continued(model, words, total_steps=640)
    scores = outcome.scores["valid"]
    metric = "bleu_tok" if llmar.config.writes else "alignment"
    assert getattr(scores["trained"], metric) >= getattr(scores["start"], metric)


@pytest.mark.parametrize("algo", [*ALGORITHMS])
def test_every_algorithm_goes_on(corpus, tmp_path, algo):
    pytest.importorskip("sb3_contrib")
    options = {"algo": algo, "supervised": False, "total_steps": 32}
    if algo == "ars":
        options |= {"group_size": 1, "settings": [("n_delta", 2)]}
    llmar = LLMAR(flat_config(**QUICK | options))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        llmar.train(corpus)
    with torch.no_grad():
        for weight in llmar.policy.parameters():
            weight.add_(0.25)  # no new network begins there
    llmar.save(tmp_path)
    before = weights_of(LLMAR.load(tmp_path, device="cpu"))
    changed = {"learning_rate": 1e-6}
    if algo == "ars":
        changed["settings"] = [["n_delta", 2], ["delta_std", 1e-6]]
    assert torch.allclose(weights_of(continued(tmp_path, corpus, **changed)[0]), before, atol=1e-3)


def test_new_texts_are_embedded_as_the_model_knows_them(model, words):
    llmar = LLMAR.load(model, device="cpu")
    pairs = TextPairs(words.sources[:40], words.targets[:40])
    table = llmar.source_embedder.table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        llmar.train({"train": pairs, "valid": pairs[:6]})
    assert llmar.source_embedder.table is table
    assert llmar.corpus.source.table.base is table.base


def test_going_on_with_other_vectors_is_refused(model, words, corpus):
    llmar = LLMAR.load(model, device="cpu")
    own = llmar.policy
    pairs = TextPairs(words.sources[::-1], words.targets[::-1])
    other = Corpus.load(pairs, word_vectors=WordVectorsConfig(dim=16, vocab_size=300, epochs=1))
    for data in (corpus, other):
        with pytest.raises(ValueError, match="on vectors other than those of this corpus"):
            llmar.train(data)
    assert llmar.policy is own
    assert llmar.corpus is None


def test_a_model_of_vectors_alone_goes_on_with_vectors_alone(corpus, tmp_path):
    llmar = LLMAR(flat_config(**QUICK, supervised=False, total_steps=32))
    llmar.train(corpus)
    llmar.save(tmp_path)
    loaded = LLMAR.load(tmp_path, device="cpu")
    with pytest.raises(ValueError, match="has no embedders; to go on, give it a Corpus"):
        loaded.train()
    assert "start" in loaded.train(corpus).scores["valid"]


def test_a_writer_whose_warm_start_broke_off_goes_on_with_it(words, tmp_path, monkeypatch):
    def breaking(self, *_):
        raise KeyboardInterrupt

    options = {"env": "LLMAR/Generate-v0", "warm_epochs": 1, "max_new_tokens": 6}
    llmar = LLMAR(flat_config(**QUICK, **options, total_steps=32))
    with warnings.catch_warnings(), monkeypatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setattr(WriterPolicy, "scale_temperature", breaking)
        with pytest.raises(KeyboardInterrupt):
            llmar.train(words)
        assert not llmar.trainer.reinforced
        llmar.save(tmp_path)
    _, outcome = continued(tmp_path, words)
    assert {"start", "warm_start", "trained"} <= set(outcome.scores["valid"])
    assert set(outcome.curves) == {"warm_start", "trained"}


def test_targets_with_tokens_that_a_writer_cannot_write_are_counted(models, tmp_path):
    model = shutil.copytree(models / "writes", tmp_path / "model")
    pairs = TextPairs(["Ein Hund lacht", "Ein Ball"], ["A dog laughs", "§ÿ§ÿ"])
    llmar = LLMAR.load(model, device="cpu")
    with pytest.warns(UserWarning, match="1 of 2 training targets have tokens that the vocabulary"):
        llmar.train({"train": pairs, "valid": pairs[:1]})

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import flat_config
from sacrebleu.metrics.bleu import BLEU
from safetensors.numpy import load_file, save_file

from agents import (
    LLMAR,
    REINFORCE,
    Config,
    CrossEntropy,
    KLToReference,
    ModelFileError,
    NonFiniteLossError,
    RefinedText,
    TargetTexts,
    UnknownWordsWarning,
    decode,
)
from agents.algorithms.presets import WRITING
from agents.algorithms.update import descend
from agents.policies import WriterPolicy
from agents.trainers.data import load_corpus
from agents.trainers.generate import GenerateTrainer, writer_config
from agents.trainers.saved import FORMAT
from agents.training.clock import Clock
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import WordVectors
from llmar_env.text.pairs import TextPairs
from llmar_env.text.vocabulary import Vocabulary

SMALL = {"env": "LLMAR/Generate-v0", "device": "cpu", "progress": False, "max_new_tokens": 12}
SMALL |= {"hidden_dim": 32, "num_texts": 8, "group_size": 4, "dropout": 0.1}
# No training to speak of.
SHORT = SMALL | {"warm_epochs": 0.1, "total_steps": 1}


@pytest.fixture(scope="module")
def trained(words):
    """A writer of the 45 sentences, after some seconds, and what came of it."""
    llmar = LLMAR(flat_config(**SMALL, warm_epochs=100, total_steps=2000))
    return llmar, llmar.train(words)


@pytest.fixture(scope="module")
def short(words):
    """A writer that has hardly begun: all it writes is wrong, and much of it too long."""
    llmar = LLMAR(flat_config(**SHORT, seed=5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        llmar.train(words)
    return llmar


@pytest.fixture(scope="module")
def aligning(words):
    """A model that answers with vectors."""
    settings = {"device": "cpu", "progress": False, "supervised": False}
    llmar = LLMAR(flat_config(**settings, hidden_dim=8, num_texts=8, group_size=4, total_steps=64))
    llmar.train(words)
    return llmar


def part(corpus, split):
    rows = corpus.rows(split)
    return corpus.sources[rows.start : rows.stop], corpus.targets[rows.start : rows.stop]


# ---------------------------------------------------------------------------- training


def test_sentences_that_it_never_saw_are_translated(trained):
    llmar, outcome = trained
    for split in ("valid", "test"):
        scores = outcome.scores[split]
        assert set(scores) == {"trained", "warm_start", "copy", "constant"}
        assert scores["trained"].bleu_tok > 80
        assert scores["trained"].alignment > 0.9
        assert scores["constant"].bleu_tok < 30
    sources, targets = part(llmar.corpus, "test")
    right = [a == b for a, b in zip(llmar.generate(sources), targets, strict=True)]
    assert sum(right) >= 5  # of 6


def test_the_baselines_are_sacrebleus_of_copies_and_of_the_commonest_target(words):
    pairs = {name: TextPairs(*part(words, name)) for name in words.splits}
    often = pairs["train"].target[7]
    train = TextPairs(
        (*pairs["train"].source, "Noch ein Satz."), (*pairs["train"].target, often), "train"
    )
    corpus = Corpus.embed(
        pairs | {"train": train},
        source_embedder=words.source_embedder,
        target_embedder=words.target_embedder,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = LLMAR(flat_config(**SHORT)).train(corpus).scores["test"]
    sources, targets = part(corpus, "test")
    for name, written in (("copy", list(sources)), ("constant", [often] * len(targets))):
        expected = BLEU().corpus_score(written, [list(targets)]).score
        assert scores[name].bleu_13a == pytest.approx(expected, abs=1e-9)


def test_the_curve_goes_on_from_the_warm_start(trained):
    _, outcome = trained
    warm, after = outcome.curves["warm_start"], outcome.curves["trained"]
    assert after[0].seconds >= outcome.timings["warm_seconds"] >= warm[-1].seconds > 0
    seconds = [record.seconds for record in [*warm, *after]]
    assert seconds == sorted(seconds)
    # Reinforcement begins with the best weights of the warm start.
    assert after[0].scores.bleu_tok == max(record.scores.bleu_tok for record in warm)


def test_the_best_writer_on_valid_is_kept(trained):
    _, outcome = trained
    for name, records in outcome.curves.items():
        best = max(record.scores.bleu_tok for record in records)
        assert outcome.scores["valid"][name].bleu_tok == pytest.approx(best)


def test_timings(trained):
    _, outcome = trained
    timings = outcome.timings
    assert timings["steps"] >= 2000
    assert timings["steps_per_second"] == timings["steps"] / timings["training_seconds"]
    parts = ("setup_seconds", "warm_seconds", "training_seconds")
    assert timings["total_seconds"] >= sum(timings[name] for name in parts)


def test_warm_start_and_reinforcement_end_when_their_time_is_up(words):
    config = flat_config(
        **SMALL, warm_epochs=1e9, warm_seconds=0.5, total_steps=1e12, time_limit=0.5, dim=16
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        timings = LLMAR(config).train(words).timings
    # Neither epochs nor steps could have ended them.
    assert timings["warm_seconds"] >= 0.5
    assert timings["training_seconds"] >= 0.5


@pytest.mark.parametrize(
    "setting",
    [{"distribution": "power_spherical"}, {"noise_scale": 0.3}, {"observation": "embeddings"}],
)
def test_settings_of_models_that_answer_with_vectors_are_refused(setting):
    with pytest.raises(ValueError, match=f"{next(iter(setting))} is a setting of models that"):
        LLMAR(flat_config(**SMALL | setting))


@pytest.mark.parametrize("setting", [{"dropout": 0.1}, {"warm_epochs": 3.0}, {"ce_weight": 0.9}])
def test_settings_of_writers_are_refused_where_vectors_are_trained(setting):
    with pytest.raises(ValueError, match=f"{next(iter(setting))} is a setting of writers"):
        LLMAR(flat_config(**setting))


def test_a_training_that_fails_before_it_begins_leaves_the_model_as_it_was(words, short):
    text = words.sources[0]
    written = short.generate(text)
    kept = vars(short).copy()
    with pytest.raises(ValueError, match="strings"):
        short.train(replace(short.corpus, targets=(), sources=()))
    assert vars(short) == kept
    assert short.generate(text) == written


def test_a_reward_that_could_not_be_saved_is_refused_before_training():
    with pytest.raises(ValueError, match="is a name or a sum of names"):
        LLMAR(flat_config(**SHORT | {"reward": lambda written: np.ones(len(written))}))


def test_drafts_of_ones_own_are_refined(short):
    llmar = short
    (kept,) = llmar.refine(["Ein Hund."], max_rounds=0, draft=["A dog."])
    assert kept.text == "A dog."
    with pytest.raises(ValueError, match="threshold"):
        llmar.refine(["Ein Hund."], threshold=2.0)
    for blank in ("", " "):
        empty, other = llmar.refine(["Ein Hund."] * 2, max_rounds=0, draft=[blank, "A dog."])
        assert (empty.text, empty.scores, other.text) == ("", (0.0,), "A dog.")
    assert llmar.refine("Ein Hund.", max_rounds=0, draft="A dog.") == kept
    with pytest.raises(ValueError, match="2 texts, but 1 drafts"):
        llmar.refine(["Ein Hund."] * 2, draft=["A dog."])
    for option in ({"rows": [0]}, {"max_new_tokens": 3}):
        with pytest.raises(TypeError, match=next(iter(option))):
            llmar.refine(["Ein Hund."], **option)
    with pytest.warns(UserWarning, match="1 were cut"):
        llmar.refine(["Ein Hund."], max_rounds=0, draft=["A dog. " * 30])


def test_the_same_seed_writes_the_same_texts(words, short):
    # Both directions of the encoder, the samples and the order of the texts have their seed.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = LLMAR(flat_config(**SHORT, seed=5))
        again.train(words)
        other = LLMAR(flat_config(**SHORT, seed=6))
        other.train(words)
        sources, _ = part(words, "test")
        assert again.generate(sources) == short.generate(sources)
        assert other.generate(sources) != short.generate(sources)


def test_the_reference_joins_where_it_has_weight_and_cross_entropy_always(words):
    # Without weight it still trains the alignment model.
    kinds = {}
    for ce, kl in ((1.0, 0.0), (0.0, 0.5)):
        config = flat_config(**SMALL, ce_weight=ce, kl_weight=kl)
        kinds[ce, kl] = agent_of(config, words)[1].regularizers
    assert [type(one) for one in kinds[1.0, 0.0]] == [CrossEntropy]
    assert [type(one) for one in kinds[0.0, 0.5]] == [CrossEntropy, KLToReference]
    assert [one.weight for one in kinds[0.0, 0.5]] == [0.0, 0.5]


def agent_of(config, corpus):
    """A policy, and the model that goes on from it as if that was the warm start."""
    trainer = GenerateTrainer(config, torch.device("cpu"))
    vocabulary = Vocabulary.of(corpus)
    env = trainer._make_writing_env(corpus, vocabulary)
    texts = TargetTexts(corpus, vocabulary)
    warm = trainer._make_policy(texts, None)
    losses, misaligned = texts.loss(warm, np.arange(4), 0.1)
    descend(warm, losses.mean() + misaligned.mean(), 1.0, "in the warm start")
    return warm, trainer._make_agent(warm, texts, env, Clock(), None)


def test_reinforcement_goes_on_from_the_warm_start_and_leaves_the_reference_as_it_is(words):
    warm, model = agent_of(flat_config(**SMALL, kl_weight=0.5, entropy=0.25), words)
    before = {name: weight.clone() for name, weight in warm.state_dict().items()}
    for name, weight in model.policy.state_dict().items():
        assert torch.equal(weight, before[name])
    assert model.regularizers[1].reference is warm
    for one, other in zip(warm.parameters(), model.policy.parameters(), strict=True):
        moments, carried = (
            optimizer.state[weight]
            for optimizer, weight in ((warm.optimizer, one), (model.policy.optimizer, other))
        )
        assert ("exp_avg" in moments) == (one.grad is not None)
        assert all(torch.equal(value, carried[name]) for name, value in moments.items())
    assert model.ent_coef(0.5) == 0.125
    model.learn(500)
    assert model._n_updates >= 1
    for name, weight in warm.state_dict().items():
        assert torch.equal(weight, before[name])
    after = model.policy.state_dict()
    assert any(not torch.equal(weight, before[name]) for name, weight in after.items())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_precision_is_the_one_chosen_from_the_warm_start_to_a_loaded_model(
    words, precision, tmp_path
):
    llmar = LLMAR(flat_config(**SHORT, precision=precision))
    seen, matmul = set(), WriterPolicy.distribution_of

    def watching(self, features):
        seen.add(torch.is_autocast_enabled("cpu"))
        return matmul(self, features)

    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setattr(WriterPolicy, "distribution_of", watching)
        outcome = llmar.train(words)
    assert (True in seen) == (precision == "bfloat16")
    assert outcome.precision == precision
    llmar.save(tmp_path)
    low = precision == "bfloat16"
    assert LLMAR.load(tmp_path, device="cpu").policy.precision()._enabled == low
    assert llmar.policy.precision()._enabled == low


def test_a_run_with_the_reference_learns(words):
    config = flat_config(**SMALL, warm_epochs=3, total_steps=400, ce_weight=0, kl_weight=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert LLMAR(config).train(words).timings["steps"] >= 400


def test_a_reinforcement_that_breaks_keeps_the_warm_start(words, monkeypatch):
    warm = {}

    def breaking(self):
        warm.update({name: w.clone() for name, w in self.policy.state_dict().items()})
        with torch.no_grad():
            self.policy.action_net.bias.fill_(torch.nan)
        raise NonFiniteLossError("the loss is nan in update 1")

    monkeypatch.setattr(REINFORCE, "train", breaking)
    llmar = LLMAR(flat_config(**SMALL, warm_epochs=2, total_steps=2000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(NonFiniteLossError, match="update 1"):
            llmar.train(words)
    assert warm
    for name, weight in llmar.policy.state_dict().items():
        assert torch.equal(weight, warm[name])


def test_targets_that_are_longer_than_what_may_be_written_are_counted(words):
    llmar = LLMAR(flat_config(**SHORT | {"max_new_tokens": 5}))
    lengths = words.target.lengths[:33]
    longer = int((lengths > 5).sum())
    assert 0 < longer < 33
    with pytest.warns(UserWarning, match=f"{longer} of 33 training targets have more than max"):
        llmar.train(words)


def test_a_writer_needs_targets_that_are_strings_of_word_vectors(words, corpus):
    bare = Corpus(words.source, words.target, words.splits)
    with pytest.raises(ValueError, match="this corpus has none"):
        LLMAR(flat_config(**SHORT)).train(bare)
    with pytest.raises(ValueError, match="embed them with word2vec, vectors or model2vec"):
        LLMAR(flat_config(**SHORT)).train(corpus)


# ---------------------------------------------------------------------------- writing


def test_a_string_gives_a_string_and_a_list_a_list(trained):
    llmar, _ = trained
    sources, _ = part(llmar.corpus, "valid")
    written = llmar.generate(sources)
    assert isinstance(written, list)
    assert llmar.generate(sources[2]) == written[2]


def test_generate_is_decode_on_the_embedded_texts(short):
    sources, _ = part(short.corpus, "valid")
    texts = short.source_embedder.embed(sources)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in ("greedy", "csls", "best_of", "beam"):
            tokens = decode(short.policy, texts, method=method, max_new_tokens=12)
            expected = short.policy.vocabulary.decode(tokens)
            assert short.generate(sources, method=method) == expected
        sampled = short.generate(sources, method="best_of", num_samples=2, seed=8)
    assert len(sampled) == len(sources)


def test_texts_that_reach_the_limit_are_said(short):
    sources, _ = part(short.corpus, "test")
    tokens = decode(short.policy, short.source_embedder.embed(sources), max_new_tokens=12)
    cut = int((short.policy.vocabulary.lengths(tokens) == 12).sum())
    assert cut
    with pytest.warns(UserWarning, match=f"{cut} of 6 texts reached max_new_tokens=12"):
        short.generate(sources)


def test_refine_gives_texts_with_the_score_of_each_round(short):
    sources, _ = part(short.corpus, "test")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drafts = short.generate(sources)
        assert [text.text for text in short.refine(sources, 0.99, 0)] == drafts
        refined = short.refine(sources, 0.99, 3, margin=4.0)
        one = short.refine(sources[0], 0.99, 3, margin=4.0)
    assert isinstance(one, RefinedText)
    changed = 0
    for text, draft in zip(refined, drafts, strict=True):
        assert list(text.scores) == sorted(text.scores)
        assert text.reached == (text.scores[-1] >= 0.99 - 1e-6)
        changed += text.text != draft
    assert changed  # an untrained draft leaves something to correct
    assert {len(text.scores) for text in refined} == {len(refined[0].scores)}


def test_refine_begins_with_the_draft_of_the_method(short):
    sources, _ = part(short.corpus, "test")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in ("greedy", "beam"):
            texts = [text.text for text in short.refine(sources, 0.9, 0, method=method)]
            assert texts == short.generate(sources, method=method)


def test_evaluate_takes_what_generate_gives(trained, aligning):
    llmar, outcome = trained
    sources, targets = part(llmar.corpus, "test")
    expected = outcome.scores["test"]["trained"]
    assert expected.cross_entropy > 0
    assert expected.alignment_unlearned > 0
    expected = replace(expected, cross_entropy=None, alignment_unlearned=None)  # of the trainer
    assert llmar.evaluate(llmar.generate(sources, method="greedy"), targets) == expected
    answers = aligning.generate(sources)
    scores = aligning.evaluate(answers, targets)
    each = [aligning.score(text, answer) for text, answer in zip(targets, answers, strict=True)]
    assert scores.alignment == pytest.approx(np.mean(each), abs=1e-5)


def test_each_kind_of_model_says_what_it_does_not_do(trained, aligning):
    llmar, _ = trained
    with pytest.raises(ValueError, match="answers with vectors and cannot write texts"):
        aligning.refine("Ein Hund")
    with pytest.raises(ValueError, match="writes texts"):
        llmar.nearest("Ein Hund")


@pytest.mark.parametrize("call", ["generate", "refine", "save"])
def test_nothing_works_before_training(call, tmp_path):
    with pytest.raises(RuntimeError, match=r"train\(\) or LLMAR.load"):
        getattr(LLMAR(flat_config(**SMALL)), call)(str(tmp_path))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda llmar: llmar.generate(""), "yields no token"),
        (lambda llmar: llmar.generate([]), "at least one text"),
        (lambda llmar: llmar.generate("Hund", method="best"), "greedy, csls, best_of, beam"),
        (lambda llmar: llmar.refine("Hund", threshold=0), r"threshold must lie in \(0, 1\]"),
        (lambda llmar: llmar.refine("Hund", max_rounds=-1), "max_rounds must be"),
    ],
)
def test_faulty_arguments(trained, call, message):
    with pytest.raises(ValueError, match=message):
        call(trained[0])


# ---------------------------------------------------------------------------- save and load


@pytest.fixture
def saved(trained, tmp_path):
    trained[0].save(tmp_path / "model")
    return tmp_path / "model"


def test_a_model_that_is_loaded_writes_the_same(trained, saved):
    llmar, _ = trained
    assert {file.suffix for file in saved.iterdir()} == {".json", ".safetensors"}
    loaded = LLMAR.load(saved, device="cpu")
    sources, _ = part(llmar.corpus, "train")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in ("greedy", "best_of"):
            assert loaded.generate(sources, method=method) == llmar.generate(sources, method=method)
        assert loaded.refine(sources, 0.999, 2) == llmar.refine(sources, 0.999, 2)
    assert loaded.config == llmar.config
    assert loaded.policy.vocabulary.fingerprint == llmar.policy.vocabulary.fingerprint
    loaded.save(saved.parent / "again")
    for file in saved.glob("*.safetensors"):
        again = load_file(saved.parent / "again" / file.name)
        for name, array in load_file(file).items():
            np.testing.assert_array_equal(again[name], array)
    first, again = (
        json.loads((folder / "model.json").read_text())
        for folder in (saved, saved.parent / "again")
    )
    # Safetensors writes the metadata of word vectors in any order.
    sums, others = first.pop("files"), again.pop("files")
    assert again == first
    assert set(others) == set(sums) == {file.name for file in saved.glob("*.safetensors")}
    assert others["policy.safetensors"] == sums["policy.safetensors"]


def test_the_folder_of_the_run_will_do(trained, saved):
    assert LLMAR.load(saved.parent, device="cpu").generate("Ein alter Baum lacht") == trained[
        0
    ].generate("Ein alter Baum lacht")


def test_texts_that_are_too_long_are_cut_and_counted(saved):
    manifest = json.loads((saved / "model.json").read_text())
    manifest["config"]["max_length"] = 3
    (saved / "model.json").write_text(json.dumps(manifest))
    loaded = LLMAR.load(saved, device="cpu")
    with pytest.warns(UserWarning, match="1 of 2 texts are longer than max_length=3 vectors"):
        written = loaded.generate(["Ein alter Hund springt nie.", "Ein Hund"])
    assert written[0] == loaded.generate("Ein alter Hund")


def test_a_vocabulary_that_differs_from_the_embedders_is_refused(trained, saved):
    llmar, _ = trained
    embedder = llmar.target_embedder
    right = llmar.policy.vocabulary.fingerprint
    WordVectors(embedder.config, embedder.tokenizer, embedder.table * 2).save(
        saved / "target.safetensors"
    )
    with pytest.raises(ValueError, match=f"writes with the vocabulary {right}, but its target emb"):
        LLMAR.load(saved)
    few = WordVectors(embedder.config, embedder.tokenizer, embedder.table[:50])
    few.save(saved / "target.safetensors")
    with pytest.raises(ModelFileError, match=r"target\.safetensors.* a row for each token"):
        LLMAR.load(saved)


def test_another_order_of_the_words_is_another_vocabulary(saved):
    ids = load_file(saved / "vocabulary.safetensors")["ids"]
    save_file({"ids": ids[::-1].copy()}, saved / "vocabulary.safetensors")
    with pytest.raises(ValueError, match="whose tokens stand for other words"):
        LLMAR.load(saved)


def test_an_embedder_without_words_is_refused(saved):
    class Other:
        @classmethod
        def load(cls, path):
            return cls()

    with pytest.raises(ValueError, match="one vector for each token, found those of Other"):
        LLMAR.load(saved, target_embedder=Other)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: cut_short(folder / "policy.safetensors"),
        lambda folder: cut_short(folder / "vocabulary.safetensors"),
        lambda folder: cut_short(folder / "model.json"),
        lambda folder: (folder / "model.json").write_text(json.dumps({"format": FORMAT})),
        lambda folder: save_file({"none": np.zeros(1)}, folder / "vocabulary.safetensors"),
    ],
)
def test_damaged_files_are_said(saved, damage):
    damage(saved)
    with pytest.raises(ValueError, match=f"{saved} contains a damaged model"):
        LLMAR.load(saved)


@pytest.mark.parametrize("change", [{"encoder_dim": 16, "decoder_dim": 20}, {"dropout": 0.5}])
def test_weights_of_another_network_are_said(saved, change):
    manifest = json.loads((saved / "model.json").read_text())
    manifest["writer"] |= change
    (saved / "model.json").write_text(json.dumps(manifest))
    if "dropout" in change:  # which changes no weight
        assert LLMAR.load(saved, device="cpu").policy.writer.dropout == 0.5
        return
    with pytest.raises(ValueError, match=r"the weights are from another network: .*, expected"):
        LLMAR.load(saved)


@pytest.mark.parametrize("which", ["missing", "superfluous"])
def test_weights_that_are_missing_or_superfluous_are_said(saved, which):
    weights = load_file(saved / "policy.safetensors")
    if which == "missing":
        del weights["log_noise_scale"]
    else:
        weights["more"] = np.zeros(3, np.float32)
    save_file(weights, saved / "policy.safetensors")
    with pytest.raises(ValueError, match=r"(log_noise_scale has shape None|more has shape \(3,\))"):
        LLMAR.load(saved)


# ---------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"env": "LLMAR/Refine-v0"}, "choose one of LLMAR/Align-v0, LLMAR/Generate-v0"),
        ({"env": "CartPole-v1"}, "cannot train on CartPole-v1"),
        ({"algo": "ppo"}, "a writer requires algo 'reinforce', found 'ppo'"),
        ({"reward": "blue"}, "no reward 'blue'; there are mean"),
        ({"max_new_tokens": 0}, r"max_new_tokens must lie in \[1, 65536\)"),
        ({"warm_epochs": 0}, "warm_epochs must be above 0"),
        ({"warm_seconds": float("nan")}, "warm_seconds must be above 0"),
        ({"ce_weight": -1.0}, "ce_weight must be at least 0"),
        ({"kl_weight": float("inf")}, "kl_weight must be at least 0"),
        ({"smoothing": 1.0}, r"smoothing must lie in \[0, 1\)"),
        ({"dropout": -0.1}, r"dropout must lie in \[0, 1\)"),
    ],
)
def test_settings_that_no_writer_could_use(settings, message):
    with pytest.raises(ValueError, match=message):
        LLMAR(flat_config(**SMALL | settings))


def test_the_network_is_as_wide_as_asked_for(trained):
    assert trained[0].policy.writer.decoder_dim == 32
    default = LLMAR(flat_config(env="LLMAR/Generate-v0", device="cpu"))
    assert default.config.algorithm.hidden_dim == WRITING.hidden_dim
    narrow = writer_config(flat_config(hidden_dim=1, dropout=0.3))
    assert (narrow.encoder_dim, narrow.decoder_dim, narrow.dropout) == (1, 1, 0.3)


def test_texts_of_ones_own_get_whitened_vectors_to_write_with():
    pairs = {"train": TextPairs(["ein Hund", "ein Ball"] * 9, ["a dog", "a ball"] * 9)}
    corpus = load_corpus(flat_config(**SMALL, vectors_seed=3), pairs)
    for embedder in (corpus.source_embedder, corpus.target_embedder):
        assert embedder.config == replace(WRITING.word_vectors, seed=3)
    assert load_corpus(flat_config(**SMALL, dim=8), pairs).target_embedder.config.dim == 8
    assert load_corpus(Config(), pairs).target_embedder.config.dim == 64


def test_the_phrasebook_keeps_its_vectors_unless_others_are_asked_for(words):
    book = load_corpus(flat_config(**SMALL))
    assert book.target.fingerprint == load_corpus(Config()).target.fingerprint
    assert book.source_embedder.space == book.target_embedder.space
    assert book.target_embedder.config.whitening == 0
    assert load_corpus(flat_config(dim=16), words) is words
    with pytest.raises(ValueError, match="dim=8, but the corpus has vectors of dimension 16"):
        load_corpus(flat_config(dim=8), words)


def test_a_store_of_other_vectors_cannot_be_read(short):
    texts = EmbeddedTexts.from_vectors([np.ones((2, 7), np.float32)])
    with pytest.raises(ValueError, match="7"):
        short.trainer.generate(texts)


def test_confidence_and_unknown_words(trained, words, tmp_path):
    llmar, outcome = trained
    known, odd = words.sources[0], "Ein roter Wal lacht."
    right, wrong = llmar.answer([known, odd])
    assert right.unknown == ()
    assert wrong.unknown == ("wal",)
    # Equal up to rounding where each validation text was answered rightly.
    assert 0 <= wrong.confidence <= right.confidence + 1e-6 <= 1 + 1e-6
    assert [right.text, wrong.text] == llmar.trainer.generate(llmar._embed([known, odd]))
    with pytest.warns(UnknownWordsWarning, match="1 of 2 texts have words .*: wal$"):
        llmar.generate([known, odd])
    [refined] = llmar.refine([odd], max_rounds=1)
    assert refined.unknown == ("wal",)
    assert 0 <= refined.confidence <= 1
    assert set(outcome.reliability) == set(outcome.scores)
    valid = outcome.reliability["valid"]
    assert valid.answers == len(llmar.corpus.rows("valid"))
    llmar.save(tmp_path)
    assert LLMAR.load(tmp_path).answer([known, odd]) == [right, wrong]

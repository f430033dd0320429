import json
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import flat_config
from stable_baselines3.common.callbacks import BaseCallback
from torch import nn

from agents import ALGORITHMS, LLMAR, NonFiniteLossError, answer
from agents.inference.evaluation import evaluate, reference_answers
from agents.networks.device import has_fast_bfloat16, resolve_device, resolve_precision
from agents.trainers.data import load_corpus
from agents.training.callback import Progress, Training
from agents.training.clock import Clock, LinearDecay
from agents.training.losses import CosineLoss
from agents.training.supervised import train_supervised
from agents.training.validation import Validation
from llmar_env.metrics import Scores
from llmar_env.progress import ProgressBar
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import WordVectors
from llmar_env.text.pairs import TextPairs

SMALL = {"device": "cpu", "progress": False, "hidden_dim": 32, "num_texts": 64, "group_size": 8}


@pytest.fixture(scope="module")
def trained():
    """German to English of the phrasebook, for a second."""
    llmar = LLMAR(flat_config(**SMALL, total_steps=200_000, supervised=True))
    return llmar, llmar.train()


@pytest.fixture(scope="module")
def echo():
    llmar = LLMAR(flat_config(**SMALL, data="phrasebook:zh", total_steps=20_000, supervised=False))
    llmar.train()
    return llmar


def test_training_beats_every_answer_that_needs_none(trained):
    _, outcome = trained
    for split in ("valid", "test"):
        scores = outcome.scores[split]
        assert set(scores) == {"trained", "supervised", "untrained", "constant"}
        assert scores["trained"].alignment > 0.6
        assert scores["trained"].p_at_1 > 0.2
        assert abs(scores["constant"].alignment) < 0.1
        assert abs(scores["untrained"].alignment) < 0.1
        for one in scores.values():
            assert -1 <= one.alignment <= 1
            assert 0 <= one.p_at_1 <= one.p_at_10 <= 1


def test_the_echo_task_has_the_identity_as_a_baseline(echo):
    scores = reference_answers(echo.corpus, "test")
    assert scores["identity"].alignment == pytest.approx(1, abs=1e-5)
    assert scores["identity"].p_at_1 == 1


def test_the_supervised_baseline_had_the_same_time(trained):
    _, outcome = trained
    seconds = outcome.curves["supervised"][-1].seconds
    assert seconds == pytest.approx(outcome.timings["training_seconds"], rel=0.5, abs=0.5)


def test_the_best_policy_on_valid_is_kept(trained):
    _, outcome = trained
    best = max(record.scores.alignment for record in outcome.curves["trained"])
    assert outcome.scores["valid"]["trained"].alignment == pytest.approx(best, abs=1e-6)


def test_both_sides_are_validated_as_often(trained):
    _, outcome = trained
    for records in outcome.curves.values():
        assert 25 <= len(records) <= 32


def test_steps_and_rates_agree(trained):
    _, outcome = trained
    timings = outcome.timings
    assert timings["steps"] >= 200_000
    assert timings["steps_per_second"] == timings["steps"] / timings["training_seconds"]
    assert timings["texts_per_second"] * 8 == pytest.approx(timings["steps_per_second"])


def test_generate_score_and_nearest(trained):
    llmar, _ = trained
    rows = llmar.corpus.rows("test")[:50]
    sources = [llmar.corpus.sources[row] for row in rows]
    targets = [llmar.corpus.targets[row] for row in rows]
    answers = llmar.generate(sources)
    assert answers.shape == (50, 1, 64)
    np.testing.assert_allclose(np.linalg.norm(answers, axis=2), 1, atol=1e-5)
    np.testing.assert_allclose(llmar.generate(sources[3]), answers[3], atol=1e-5)
    expected = [
        float(np.dot(answer[0], mean / np.linalg.norm(mean)))
        for answer, mean in zip(answers, llmar.corpus.target.means[rows.start :], strict=False)
    ]
    found = [llmar.score(text, answer) for text, answer in zip(targets, answers, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    choices = llmar.nearest(sources[0], 5)
    assert len(set(choices)) == 5
    assert set(choices) <= set(llmar.targets)
    scores = [llmar.score(text, answers[0]) for text in choices]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] >= max(llmar.score(text, answers[0]) for text in llmar.targets[:200]) - 1e-6
    found = llmar.answer(sources)
    assert found[0].text == llmar.answer(sources[0]).text
    assert found[0].text == choices[0]
    means = llmar.target_embedder.embed(llmar.targets).means
    cosines = answers[0, 0] @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    best, second = np.sort(cosines)[::-1][:2]
    calibration = llmar.trainer.calibration
    odds = calibration.slope * (best - second) + calibration.offset
    assert found[0].confidence == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-3)
    with pytest.raises(ValueError, match="has no option method"):
        llmar.answer(sources[0], method="beam")


def test_confidence_beside_correctness(trained):
    llmar, outcome = trained
    scores, found = outcome.scores["test"]["trained"], outcome.reliability["test"]
    assert found.answers == len(llmar.corpus.rows("test"))
    assert found.right == pytest.approx(scores.p_at_1, abs=0.01)
    assert found.error < 0.1


def test_weights_that_are_views_of_one_buffer_can_be_saved(echo, tmp_path):
    # As cuDNN's flatten_parameters leaves them on CUDA.
    loaded = (echo.save(tmp_path / "plain"), LLMAR.load(tmp_path / "plain", device="cpu"))[1]
    gru = loaded.policy.features_extractor.encoder.gru
    flat = torch.cat([weight.detach().flatten() for weight in gru.parameters()])
    first = 0
    for weight in gru.parameters():
        weight.data = flat[first : first + weight.numel()].view_as(weight)
        first += weight.numel()
    loaded.save(tmp_path / "flat")
    again = LLMAR.load(tmp_path / "flat", device="cpu")
    np.testing.assert_array_equal(again.generate("你好。"), echo.generate("你好。"))


@pytest.mark.parametrize("which", ["translation", "echo"])
def test_save_and_load_without_pickle(trained, echo, which, tmp_path):
    llmar = trained[0] if which == "translation" else echo
    llmar.save(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors"}
    loaded = LLMAR.load(tmp_path, device="cpu")
    text = llmar.corpus.sources[-1]
    np.testing.assert_array_equal(loaded.generate(text), llmar.generate(text))
    assert loaded.nearest(text, 3) == llmar.nearest(text, 3)
    assert loaded.config == llmar.config
    assert (loaded.source_embedder is loaded.target_embedder) == (which == "echo")


@pytest.mark.parametrize("number", [4, 99])
def test_a_model_of_another_format_is_refused(echo, tmp_path, number):
    echo.save(tmp_path)
    manifest = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(manifest | {"format": number}))
    with pytest.raises(
        ValueError, match=f"format {number}; this version reads format 8: train it again"
    ):
        LLMAR.load(tmp_path)


def test_there_is_no_model_in_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no model\.json in it"):
        LLMAR.load(tmp_path)


def test_a_model_saved_over_another_leaves_nothing_of_it(trained, echo, corpus, tmp_path):
    echo.save(tmp_path)
    assert (tmp_path / "source.safetensors").exists()
    bare = LLMAR(flat_config(**SMALL, total_steps=64, supervised=False))
    bare.train(corpus)  # of vectors alone
    bare.save(tmp_path)
    assert LLMAR.load(tmp_path, device="cpu").source_embedder is None


def test_the_width_that_was_left_open_is_saved(tmp_path):
    config = flat_config(**SMALL | {"hidden_dim": None}, total_steps=512, supervised=False)
    llmar = LLMAR(config)
    llmar.train()
    assert llmar.config.algorithm.hidden_dim == 128
    llmar.save(tmp_path)
    manifest = json.loads((tmp_path / "model.json").read_text())
    assert manifest["config"]["hidden_dim"] == 128
    assert LLMAR.load(tmp_path, device="cpu").policy.hidden_dim == 128


@pytest.mark.parametrize("call", ["generate", "nearest", "save"])
def test_nothing_works_before_training(call, tmp_path):
    with pytest.raises(RuntimeError, match=r"train\(\) or LLMAR.load"):
        getattr(LLMAR(flat_config(device="cpu")), call)(str(tmp_path))


def test_faulty_arguments(echo):
    with pytest.raises(ValueError, match="no token"):
        echo.generate(" ")
    with pytest.raises(ValueError, match="shape"):
        echo.score("你好", np.zeros((1, 3)))
    with pytest.raises(ValueError, match="k must lie in 1 to"):
        echo.nearest("你好", 0)


def test_long_texts_are_cut_and_counted(tmp_path):
    config = flat_config(
        **SMALL, data="phrasebook:en", max_length=5, total_steps=512, supervised=False
    )
    llmar = LLMAR(config)
    with pytest.warns(UserWarning, match=r"longer than max_length=5 vectors"):
        llmar.train()
    with pytest.warns(UserWarning, match="1 of 2 texts are longer than max_length=5 vectors"):
        llmar.generate(["We see the small dog in the garden today.", "We see."])


def toy_pairs(n=60):
    words = ["red", "blue", "dog", "cat", "runs", "sleeps", "a", "the"]
    texts = [" ".join(words[i // 8**k % 8] for k in range(3)) for i in range(n)]
    return TextPairs(texts, [text.upper() for text in texts])


def test_pairs_of_ones_own_and_several_vectors_to_an_answer():
    config = flat_config(**SMALL, num_vectors=3, total_steps=1024, supervised=False, dim=16)
    llmar = LLMAR(config)
    outcome = llmar.train(toy_pairs(400))
    assert llmar.generate("red dog").shape == (3, 16)
    assert set(outcome.scores) == {"valid", "test"}


def test_the_same_seed_gives_the_same_policy():
    policies = []
    for seed in (0, 0, 1):
        llmar = LLMAR(flat_config(**SMALL, total_steps=2048, supervised=False, seed=seed))
        llmar.train()
        policies.append(llmar.generate("Ich sehe den Hund."))
    np.testing.assert_array_equal(policies[0], policies[1])
    assert not np.allclose(policies[0], policies[2])


@pytest.mark.parametrize("algo", ["ppo", "a2c"])
@pytest.mark.parametrize("observation", ["index", "embeddings"])
def test_other_algorithms(algo, observation):
    config = flat_config(
        **SMALL | {"num_texts": 32},
        algo=algo,
        observation=observation,
        total_steps=2048,
    )
    outcome = LLMAR(config).train()
    assert "supervised" in outcome.scores["valid"]
    trained, untrained = (outcome.scores["valid"][name] for name in ("trained", "untrained"))
    assert trained.alignment >= untrained.alignment


def test_a_broken_training_keeps_the_best_policy():
    class Poison(BaseCallback):
        def _on_step(self):
            if self.n_calls == 40:
                with torch.no_grad():
                    self.model.policy.action_net.bias.fill_(torch.nan)
            return True

    llmar = LLMAR(flat_config(**SMALL, total_steps=100_000, supervised=False, time_limit=60))
    with pytest.raises((NonFiniteLossError, ValueError)):
        llmar.train(callback=Poison())
    assert np.isfinite(llmar.generate("Ich sehe den Hund.")).all()


def test_a_time_limit_alone_lifts_the_limit_of_steps():
    limited = LLMAR(flat_config(**SMALL, time_limit=1.0)).algorithm
    assert limited.total_steps >= 1e12
    assert LLMAR(flat_config(**SMALL)).algorithm.total_steps == ALGORITHMS["reinforce"].total_steps
    both = LLMAR(flat_config(**SMALL, time_limit=1.0, total_steps=500)).algorithm
    assert both.total_steps == 500


def test_a_time_limit_ends_the_training():
    llmar = LLMAR(flat_config(**SMALL, total_steps=1e12, time_limit=1.0, supervised=False))
    assert 1 <= llmar.train().timings["training_seconds"] < 5


def test_the_learning_rate_falls_with_steps_or_time_whichever_ends_first():
    clock = Clock(limit=10.0)
    decay = LinearDecay(0.5, clock)
    assert decay(1.0) == 0.5
    assert decay(0.25) == 0.125
    clock.seconds = 9.0
    assert decay(0.25) == pytest.approx(0.05)
    assert decay(-190.0) == 0  # a rollout of 191 times the limit of steps


@pytest.mark.parametrize(("metric", "value"), [("alignment", "0.625"), ("p_at_10", "1")])
def test_the_progress_bar_shows_what_chooses_the_best_policy(metric, value):
    clock = Clock()
    validation = Validation(lambda policy: Scores(0.625, 0.25, 1.0, 0.5), metric=metric)
    bar = ProgressBar("training", show=False)
    progress = Progress(Training(clock, validation, group_size=4), bar)
    model = SimpleNamespace(num_timesteps=3000, _total_timesteps=12_000)
    progress.model = progress.training.model = model
    progress.on_rollout_start()
    assert bar.note == ""  # nothing is validated yet
    validation.run(nn.Linear(1, 1), 0.0, 0, 0)
    clock.seconds = 2.0
    progress.on_rollout_start()
    assert bar.note == f"{metric} {value}, 1,500 steps/s"
    assert bar.done == 0.25
    clock.limit = 4.0  # which is nearer than the last step
    progress.on_rollout_start()
    assert bar.done == 0.5


# ---------------------------------------------------------------------------- data and devices


def write(path, pairs):
    lines = ["source\ttarget", *("\t".join(pair) for pair in pairs)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_rows_that_stand_in_train_and_test_are_reported(tmp_path):
    pairs = list(toy_pairs(40))
    config = flat_config(
        data=str(write(tmp_path / "train.tsv", pairs[:30])),
        valid=write(tmp_path / "valid.tsv", pairs[30:35]),
        test=write(tmp_path / "test.tsv", pairs[28:40]),
        dim=8,
    )
    with pytest.warns(UserWarning, match="2 of the 12 rows of test are in train"):
        corpus = load_corpus(config)
    assert [len(rows) for rows in corpus.splits.values()] == [30, 5, 12]
    with pytest.warns(UserWarning, match="10 of the 10 rows of valid are in train"):
        Corpus.load({"train": toy_pairs(40), "valid": toy_pairs(10)})


def test_a_phrasebook_can_stand_where_a_file_can(tmp_path):
    path = write(tmp_path / "train.tsv", toy_pairs(40))
    config = flat_config(data=str(path), valid=Path("phrasebook:de-en"), dim=8)
    corpus = load_corpus(config)
    assert [len(rows) for rows in corpus.splits.values()] == [40, 1000]


def test_a_baseline_whose_gradient_is_not_finite_stops(corpus):
    llmar = LLMAR(flat_config(**SMALL, total_steps=512, supervised=False))
    llmar.train(corpus)
    llmar.policy.action_net.bias.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(NonFiniteLossError, match="supervised baseline"):
        train_supervised(
            llmar.policy,
            corpus.rows("train"),
            CosineLoss(torch.as_tensor(corpus.target.unit_means)),
            Validation(partial(evaluate, corpus=corpus, split="valid")),
            seconds=1.0,
            learning_rate=0.01,
            num_texts=4,
        )


def test_skipped_rows_are_counted_and_said(tmp_path):
    path = write(tmp_path / "train.tsv", [*toy_pairs(400), ("only a source", "")])
    config = flat_config(data=str(path), dim=8)
    with pytest.raises(ValueError, match="line 402"):
        load_corpus(config)
    with pytest.warns(UserWarning, match="skipped 1 bad rows, the first in line 402"):
        load_corpus(flat_config(data=str(path), dim=8, on_bad_row="skip"))


def test_valid_is_taken_out_of_train_where_only_test_is_given(tmp_path):
    pairs = list(toy_pairs(200))
    config = flat_config(
        data=str(write(tmp_path / "train.tsv", pairs[:180])),
        test=write(tmp_path / "test.tsv", pairs[180:]),
        dim=8,
    )
    corpus = load_corpus(config)
    assert set(corpus.splits) == {"train", "valid", "test"}
    assert len(corpus.splits["train"]) + len(corpus.splits["valid"]) == 180


def test_embedders_of_ones_own_are_saved_and_loaded(tmp_path):
    class Mine(WordVectors):
        pass

    pairs = toy_pairs().split({"train": 0.8, "valid": 0.2})
    mine = Mine(WordVectors().config)
    mine.fit(pairs["train"].source)
    corpus = Corpus.embed(pairs, source_embedder=mine, target_embedder=mine)
    llmar = LLMAR(flat_config(**SMALL, total_steps=512, supervised=False))
    llmar.train(corpus)
    llmar.save(tmp_path)
    loaded = LLMAR.load(tmp_path, device="cpu", source_embedder=Mine)
    np.testing.assert_array_equal(loaded.generate("red dog"), llmar.generate("red dog"))


def test_vectors_without_strings_can_be_trained_saved_and_loaded(corpus, tmp_path):
    bare = Corpus(corpus.source, corpus.target, corpus.splits)
    llmar = LLMAR(flat_config(**SMALL, total_steps=512, supervised=False))
    llmar.train(bare)
    llmar.save(tmp_path)
    loaded = LLMAR.load(tmp_path, device="cpu")
    np.testing.assert_array_equal(
        answer(loaded.policy, corpus.source), answer(llmar.policy, corpus.source)
    )
    with pytest.raises(RuntimeError):
        loaded.generate("text")


@pytest.mark.parametrize("name", ["cuda:9", "gpu", "tpu", "meta", ""])
def test_devices_that_are_not_there(name):
    with pytest.raises(ValueError, match="available: cpu"):
        resolve_device(name)


@pytest.fixture
def emulating(monkeypatch):
    """A machine whose second GPU computes in bfloat16, and whose first emulates it."""
    current = []

    @contextmanager
    def device(one):
        current.append(one.index or 0)
        yield
        current.pop()

    def supported(including_emulation=True):
        return including_emulation or current[-1] == 1

    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    has_fast_bfloat16.cache_clear()
    yield
    has_fast_bfloat16.cache_clear()


def test_emulated_bfloat16_is_neither_fast_nor_accepted(emulating):
    first, second = torch.device("cuda:0"), torch.device("cuda:1")
    assert resolve_precision("auto", first) == "float32"
    assert resolve_precision("auto", second) == "bfloat16"
    assert resolve_precision("bfloat16", second) == "bfloat16"
    with pytest.raises(ValueError, match="cuda:0 does not compute in bfloat16"):
        resolve_precision("bfloat16", first)
    for device in (first, second, torch.device("cpu")):
        assert resolve_precision("float32", device) == "float32"
    assert resolve_precision("bfloat16", torch.device("cpu")) == "bfloat16"


@pytest.mark.parametrize("fast", [False, True])
def test_on_a_cpu_bfloat16_is_chosen_where_there_is_amx(monkeypatch, fast):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: fast, raising=False)
    has_fast_bfloat16.cache_clear()
    found = resolve_precision("auto", torch.device("cpu"))
    has_fast_bfloat16.cache_clear()
    assert found == ("bfloat16" if fast else "float32")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"precision": "bfloat16"}, "precision is a setting of writers"),
        ({"num_texts": 0}, "num_texts must be at least 1"),
        ({"time_limit": 0.0}, "time_limit must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0"),
        ({"total_steps": 0.5}, "total_steps must be at least 1"),
        ({"algo": "sarsa"}, "choose one of reinforce, ppo, a2c"),
        ({"env": "LLMAR/Other-v0"}, "cannot train on LLMAR/Other-v0; choose one of LLMAR/Align"),
    ],
)
def test_settings_that_no_run_could_use(kwargs, message):
    with pytest.raises(ValueError, match=message):
        LLMAR(flat_config(**kwargs))


@pytest.mark.gpu
def test_training_on_cuda_leaves_nothing_on_the_cpu(tmp_path):
    settings = SMALL | {"total_steps": 60_000, "supervised": False}
    llmar = LLMAR(flat_config(**settings | {"device": "cuda"}))
    scores = llmar.train().scores["valid"]["trained"]
    on_cpu = LLMAR(flat_config(**settings)).train().scores["valid"]["trained"]
    # Each device draws its own noise, so the runs differ as two seeds do.
    assert scores.alignment == pytest.approx(on_cpu.alignment, abs=0.05)
    assert next(llmar.policy.parameters()).is_cuda
    llmar.save(tmp_path)
    loaded = LLMAR.load(tmp_path, device="cpu")
    text = "Ich sehe den Hund."
    np.testing.assert_allclose(loaded.generate(text), llmar.generate(text), atol=1e-4)


@pytest.mark.realdata
@pytest.mark.slow
def test_real_translations_after_some_seconds_worth_of_steps(multi30k):
    train, valid = (TextPairs.read(multi30k / name)[:4000] for name in ("train.tsv", "val.tsv"))
    config = flat_config(total_steps=1.5e6, supervised=False, progress=False)
    scores = LLMAR(config).train({"train": train, "valid": valid}).scores["valid"]
    assert abs(scores["constant"].alignment) < 0.1
    assert scores["trained"].alignment > 0.4
    assert scores["trained"].p_at_1 > 0.02


def test_the_seed_of_a_run_leaves_the_vectors_as_they_are(words):
    pairs = TextPairs(tuple(words.sources), tuple(words.targets))
    found = [
        load_corpus(flat_config(dim=8, seed=seed, vectors_seed=vectors), pairs).source.fingerprint
        for seed, vectors in ((0, 0), (1, 0), (0, 1))
    ]
    assert found[0] == found[1] != found[2]

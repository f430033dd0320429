import contextlib
import io
import json
import os
import subprocess
import sys
import warnings
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from conftest import flat_config
from matplotlib.axes import Axes
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import train
from agents import LLMAR, REINFORCE, Config, NonFiniteLossError
from agents.commands.report import (
    _plain,
    numbers,
    observations,
    plot_curves,
    print_report,
    score_table,
    write_report,
)
from agents.commands.train import new_folder
from agents.trainers.base import Trained
from agents.trainers.data import load_corpus
from agents.training.validation import Record
from llmar_env.metrics import Scores, TextScores
from llmar_env.text.corpus import Corpus

REPOSITORY = Path(__file__).parents[1]
QUICK = ["--device", "cpu", "--no-progress", "--hidden-dim", "16", "--num-texts", "32"]
QUICK += ["--group-size", "8", "--total-steps", "30000"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run as the command line makes it, and what it printed."""
    runs = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "train.py", *QUICK, "--runs", str(runs), "--name", "first"]
    environment = os.environ | {"COLUMNS": "160"}
    outcome = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return runs / "first", outcome.stdout


def refused(*arguments):
    with pytest.raises(SystemExit) as caught:
        train.cli([*QUICK, *arguments])
    message = caught.value.code
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


@pytest.fixture(scope="module")
def files(words, tmp_path_factory):
    """The 45 sentences as files, as arguments."""
    folder = tmp_path_factory.mktemp("files")
    arguments = []
    for split, option in (("train", "--data"), ("valid", "--valid"), ("test", "--test")):
        lines = [f"{words.sources[row]}\t{words.targets[row]}" for row in words.rows(split)]
        path = folder / f"{split}.tsv"
        path.write_text("\n".join(["source\ttarget", *lines]) + "\n", "utf-8")
        arguments += [option, str(path)]
    return arguments


@pytest.fixture(scope="module")
def written(files, tmp_path_factory):
    """A run that trains a writer on files, and what it printed."""
    runs = tmp_path_factory.mktemp("runs")
    arguments = ["--env", "LLMAR/Generate-v0", "--name", "writer", "--runs", str(runs), *files]
    arguments += ["--device", "cpu", "--no-progress", "--hidden-dim", "32", "--dim", "16"]
    arguments += ["--num-texts", "8", "--group-size", "4", "--total-steps", "600"]
    arguments += ["--warm-epochs", "60", "--max-new-tokens", "12"]
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        train.cli(arguments)
    return runs / "writer", output.getvalue()


def test_results_json(run):
    results = json.loads((run[0] / "results.json").read_text())
    assert set(results) >= {"test", "valid", "config", "versions", "timings"}
    names = {"trained", "supervised", "untrained", "constant"}
    for split in ("test", "valid"):
        assert set(results[split]) == names
        for scores in results[split].values():
            assert set(scores) == {"alignment", "p_at_1", "p_at_10", "mrr"}
            assert all(isinstance(value, float) for value in scores.values())
    assert results["test"]["trained"]["alignment"] > results["test"]["constant"]["alignment"] + 0.3
    assert results["config"]["total_steps"] == 30000
    assert results["config"]["group_size"] == 8
    assert {"torch", "numpy", "gymnasium", "stable-baselines3"} <= set(results["versions"])
    assert results["timings"]["steps"] >= 30000


def test_the_terminal_shows_tables_examples_and_rates(run):
    folder, printed = run
    for text in ("Scores on valid", "Scores on test", "Examples", "supervised", "steps/s", "P@10"):
        assert text in printed
    results = json.loads((folder / "results.json").read_text())
    assert f"{results['test']['trained']['alignment']:.3f}" in printed


def test_the_folder_has_ten_examples_a_curve_scalars_and_the_model(run):
    folder, _ = run
    examples = json.loads((folder / "examples.json").read_text())
    assert len(examples) == 10
    assert set(examples[0]) == {"source", "nearest", "alignment", "target"}
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    llmar = LLMAR.load(folder / "model", device="cpu")
    one = examples[3]
    found = llmar.score(one["target"], llmar.generate(one["source"]))
    assert found == pytest.approx(one["alignment"], abs=1e-3)


def test_a_writers_results(written):
    folder, _ = written
    results = json.loads((folder / "results.json").read_text())
    columns = {"bleu_tok", "bleu_13a", "chrf", "rouge_l", "alignment", "p_at_1"}
    of_writers = columns | {"cross_entropy", "alignment_unlearned"}
    for split in ("test", "valid"):
        assert set(results[split]) == {"trained", "warm_start", "copy", "constant"}
        for name, scores in results[split].items():
            assert set(scores) == (columns if name in ("copy", "constant") else of_writers)
            assert all(isinstance(value, float) for value in scores.values())
        assert results[split]["trained"]["bleu_tok"] > results[split]["constant"]["bleu_tok"]
    assert set(results["signatures"]) == {"bleu_13a", "bleu_tok", "chrf"}
    assert "sacrebleu" in results["versions"]
    assert set(results["curves"]) == {"trained", "warm_start"}
    for records in results["curves"].values():
        assert all(set(record["scores"]) == of_writers for record in records)
    assert results["timings"]["steps"] >= 600
    assert results["timings"]["warm_seconds"] > 0


def test_a_writers_report(written):
    folder, printed = written
    results = json.loads((folder / "results.json").read_text())
    for text in ("Scores on valid", "Scores on test", "warm start", "copy", "ROUGE-L", "words/s"):
        assert text in printed
    assert f"{results['test']['trained']['bleu_tok']:.2f}" in printed
    assert f"chrF: {results['signatures']['chrf']}" in printed
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in folder.rglob("events.*")]


def test_a_writers_examples_are_what_its_model_writes(written, words):
    folder, _ = written
    examples = json.loads((folder / "examples.json").read_text())
    assert [one["target"] for one in examples] == list(words.targets[39:])  # all 6 of them
    assert set(examples[0]) == {"source", "written", "target"}
    llmar = LLMAR.load(folder, device="cpu")
    sources = [one["source"] for one in examples]
    assert llmar.generate(sources) == [one["written"] for one in examples]


def test_the_curve_marks_where_reinforcement_begins(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(Axes, "axvline", lambda self, x, **_: lines.append(x))
    scores = TextScores(1.0, 2.0, 3.0, 0.4, 0.5, 0.6, {})
    curves = {
        "warm_start": [Record(0.0, 1, 1, scores), Record(7.0, 1, 1, scores)],
        "trained": [Record(8.5, 1, 1, scores), Record(9.0, 1, 1, scores)],
    }
    plot_curves(curves, scores, tmp_path / "curve.png")
    assert lines == [8.5, 8.5]
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_tensorboard_scalars(run):
    (events,) = run[0].rglob("events.*")
    accumulator = EventAccumulator(str(events))
    accumulator.Reload()
    expected = {
        "valid/alignment",
        "valid/p_at_1",
        "rollout/group_reward_std",
        "rollout/clipped_fraction",
        "rollout/ep_rew_mean",
        "train/grad_norm",
        "train/noise_scale",
        "train/learning_rate",
    }
    assert expected <= set(accumulator.Tags()["scalars"])


def test_sb3s_algorithms_have_the_scalars_too(tmp_path):
    quick = ["--runs", str(tmp_path), "--algo", "ppo", "--set", "n_epochs=1", "--no-supervised"]
    train.cli([*QUICK, *quick])
    (events,) = tmp_path.rglob("events.*")
    accumulator = EventAccumulator(str(events))
    accumulator.Reload()
    expected = {"valid/alignment", "train/grad_norm", "train/noise_scale"}
    expected |= {"rollout/group_reward_std", "rollout/clipped_fraction"}
    assert expected <= set(accumulator.Tags()["scalars"])


def test_scalars_come_every_twenty_steps_of_the_environments(tmp_path):
    settings = (("n_steps", 4), ("n_epochs", 1), ("batch_size", 128))
    given = {"settings": settings, "num_texts": 8, "group_size": 4, "hidden_dim": 8}
    config = flat_config(algo="ppo", total_steps=1920, supervised=False, progress=False, **given)
    llmar = LLMAR(config)
    llmar.train(Corpus.load("phrasebook:en"), folder=tmp_path)
    (events,) = tmp_path.rglob("events.*")
    accumulator = EventAccumulator(str(events))
    accumulator.Reload()
    # 1920 steps are 60 of 32 environments, 15 rollouts.
    assert {one.step for one in accumulator.Scalars("train/loss")} == {640, 1280, 1920}


def test_runs_that_begin_together_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda _: "now")
    config = flat_config(runs=tmp_path)
    folders = [new_folder(config).name for _ in range(3)]
    stem = "phrasebook-de-en-reinforce-now"
    assert folders == [stem, f"{stem}-2", f"{stem}-3"]


def test_the_echo_task_reports_the_identity(tmp_path):
    train.cli([*QUICK, "--runs", str(tmp_path), "--data", "phrasebook:en", "--no-supervised"])
    (folder,) = tmp_path.iterdir()
    results = json.loads((folder / "results.json").read_text())
    assert set(results["test"]) == {"trained", "untrained", "identity", "constant"}
    assert results["test"]["identity"]["alignment"] == pytest.approx(1)


def test_help_explains_every_field(capsys):
    with pytest.raises(SystemExit):
        train.cli(["--help"])
    text = capsys.readouterr().out
    for name in Config().as_json():
        option = "set" if name == "settings" else name.replace("_", "-")
        assert f"--{option} " in text or f"--{option}," in text
    for group in Config.__dataclass_fields__:
        assert f"{group} options" in text


def test_a_folder_that_is_there_already_is_said_before_training(run):
    folder, _ = run
    message = refused("--runs", str(folder.parent), "--name", "first")
    assert "already exists: choose another --name" in message


def test_a_folder_that_cannot_be_made_is_said_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot create" in refused("--runs", str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--algo", "sarsa"], "unknown algorithm 'sarsa'; choose one of reinforce, ppo, a2c"),
        (["--device", "cuda:9"], "no device 'cuda:9' on this machine; available: cpu"),
        (["--data", "phrasebook:de-xx"], "no language 'xx'; the phrasebook has de, en, fr, zh"),
        (["--env", "LLMAR/Refine-v0"], "choose one of LLMAR/Align-v0, LLMAR/Generate-v0"),
        (["--env", "LLMAR/Generate-v0", "--algo", "ppo"], "a writer requires algo 'reinforce'"),
        (["--env", "LLMAR/Generate-v0", "--reward", "blue"], "no reward 'blue'; there are mean"),
    ],
)
def test_what_is_unknown_is_one_line_that_lists_what_there_is(tmp_path, arguments, message):
    assert message in refused(*arguments, "--runs", str(tmp_path))
    assert not list(tmp_path.iterdir())  # no empty folder stays behind


def test_vectors_of_another_dimension(files, tmp_path):
    arguments = [*QUICK, *files, "--total-steps", "512", "--no-supervised"]
    train.cli([*arguments, "--dim", "8", "--runs", str(tmp_path), "--name", "a"])
    assert LLMAR.load(tmp_path / "a", device="cpu").generate("Hallo.").shape == (1, 8)


def test_unknown_files_and_columns(tmp_path):
    (tmp_path / "mine.tsv").write_text("de\ten\nja\tyes\n")
    runs = ("--runs", str(tmp_path / "runs"))
    message = refused("--data", str(tmp_path / "mein.tsv"), *runs)
    assert message.endswith("mein.tsv; its folder holds 'mine.tsv'")
    message = refused("--data", str(tmp_path / "mine.tsv"), *runs)
    assert "'source'" in message
    assert "'de'" in message
    assert "'en'" in message


def test_a_training_that_breaks_off_leaves_the_best_model(tmp_path, monkeypatch):
    def breaking(self, *args, **kwargs):
        if self._n_updates == 30:
            raise NonFiniteLossError("the loss is nan in update 31")
        return original(self, *args, **kwargs)

    original = REINFORCE.train
    monkeypatch.setattr(REINFORCE, "train", breaking)
    message = refused("--runs", str(tmp_path), "--name", "broken")
    assert "update 31" in message
    loaded = LLMAR.load(tmp_path / "broken" / "model", device="cpu")
    assert loaded.generate("Hallo.").shape == (1, 64)


def test_an_input_text_that_is_much_longer_than_others_is_named(tmp_path):
    rows = [f"Satz {n} hier\tsentence {n} here" for n in range(60)]
    rows[17] = "Wort " * 1000 + "\tmany words"
    (tmp_path / "train.tsv").write_text("\n".join(["source\ttarget", *rows]) + "\n", "utf-8")
    (tmp_path / "valid.tsv").write_text("source\ttarget\nDas da\tthat there\n", "utf-8")
    given = {"data": str(tmp_path / "train.tsv"), "valid": tmp_path / "valid.tsv", "dim": 8}
    with pytest.warns(UserWarning, match=r"input text 18 of train has 1,\d+ vectors.*--max-length"):
        load_corpus(flat_config(**given))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_corpus(flat_config(**given, max_length=20))
    assert not [one for one in caught if "the median is" in str(one.message)]


def test_scores_of_a_name_that_the_report_does_not_know_are_kept():
    scores = {"oracle": Scores(1.0, 1.0, 1.0, 1.0), "trained": Scores(0.5, 0.25, 0.5, 0.4)}
    assert list(_plain(scores)) == ["trained", "oracle"]
    assert score_table("x", scores).row_count == 2


def outcome(values, constant=0.0, curve="trained"):
    """A finished run whose validations, a second apart, had these alignments."""
    records = [Record(float(n), n, n, Scores(value, 0, 0, 0)) for n, value in enumerate(values)]
    scores = {"trained": Scores(max(values), 0, 0, 0), "constant": Scores(constant, 0, 0, 0)}
    timings = {"steps": 1, "training_seconds": 1.0, "total_seconds": 1.0}
    timings |= {"steps_per_second": 1.0, "texts_per_second": 1.0}
    return Trained({"valid": scores}, {curve: records}, timings)


def test_every_score_is_in_the_results_and_columns_are_in_the_table():
    @dataclass(frozen=True)
    class More(Scores):
        median_rank: float

    scores = {"trained": More(0.5, 0.25, 0.5, 0.4, 7.0)}
    assert _plain(scores)["trained"] == {
        "alignment": 0.5,
        "p_at_1": 0.25,
        "p_at_10": 0.5,
        "mrr": 0.4,
        "median_rank": 7.0,
    }
    assert len(score_table("x", scores).columns) == 5
    written = TextScores(1.0, 2.0, 3.0, 0.4, 0.5, 0.6, {"chrf": "nrefs:1"}, 1.5, 0.3, reward=0.7)
    assert set(vars(written)) - set(numbers(written)) == {"signatures"}


def test_a_reward_that_rises_while_the_truth_falls_is_told():
    def found(truth, proxy):
        scores = [Scores(a, 0, 0, 0, reward=b) for a, b in zip(truth, proxy, strict=True)]
        records = [Record(float(n), n, n, one) for n, one in enumerate(scores)]
        run = replace(outcome([1.0]), curves={"trained": records})
        return [line for line in observations(run) if line.startswith("over-optimization")]

    [line] = found([0.1, 0.5, 0.4], [0.2, 0.6, 0.8])
    assert "from 1.0 s on" in line
    assert "rose from 0.600 to 0.800" in line
    assert "fell from 0.500 to 0.400" in line
    assert not found([0.1, 0.4, 0.5], [0.2, 0.6, 0.8])  # both rise
    assert not found([0.1, 0.5, 0.4], [0.2, 0.6, 0.5])  # both fall
    assert not found([0.1, 0.5, 0.4], [None, None, None])


def test_a_package_that_is_not_installed_has_no_version(tmp_path, monkeypatch):
    def uninstalled(name):
        if name in ("llmar", "gensim"):
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr("agents.commands.report.version", uninstalled)
    write_report({}, outcome([0.1, 0.2]), [], tmp_path)
    versions = json.loads((tmp_path / "results.json").read_text())["versions"]
    assert versions["llmar"] is versions["gensim"] is None
    assert versions["torch"] == version("torch")


@pytest.mark.parametrize("broken", ["plot_curves", "_version", "_known"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyError("x"), ImportError("no\nfont")])
def test_a_part_of_the_report_that_fails_loses_nothing_else(tmp_path, monkeypatch, broken, error):
    def failing(*_):
        raise error

    monkeypatch.setattr(f"agents.commands.report.{broken}", failing)
    with pytest.warns(UserWarning, match=r"the run lacks (curve.png|results.json): ") as caught:
        write_report({}, outcome([0.1, 0.2]), [{"source": "a"}], tmp_path)
    (message,) = {str(one.message) for one in caught}
    assert type(error).__name__ in message
    assert "\n" not in message
    left = {"results.json", "curve.png"} - {message.split()[3].rstrip(":")} | {"examples.json"}
    assert {path.name for path in tmp_path.iterdir()} == left


def test_a_run_whose_report_fails_keeps_its_model_and_says_why(tmp_path, monkeypatch, capsys):
    def failing(*_, **__):
        raise ValueError("no font")

    monkeypatch.setattr("agents.commands.report.plot_curves", failing)
    monkeypatch.setattr("agents.LLMAR.examples", failing)
    train.cli([*QUICK, "--total-steps", "512", "--runs", str(tmp_path), "--name", "kept"])
    errors = capsys.readouterr().err.splitlines()
    assert "note: the run lacks curve.png: ValueError: no font" in errors
    assert "note: the run lacks examples: ValueError: no font" in errors
    assert {"model", "results.json"} <= {path.name for path in (tmp_path / "kept").iterdir()}
    assert LLMAR.load(tmp_path / "kept", device="cpu").generate("Hallo.").shape == (1, 64)


def test_a_training_that_stopped_improving_or_is_no_better_than_a_constant_says_so():
    assert observations(outcome([0.1, 0.2, 0.3, 0.4, 0.3])) == []
    assert observations(outcome([0.1, 0.4, 0.3])) == []  # too few validations to tell
    (flat,) = observations(outcome([0.1, 0.4, 0.3, 0.3, 0.2, 0.3]))
    assert flat.startswith("trained: the best alignment on valid, 0.4, was reached after 1.0 s")
    assert "none of the 4 later validations, up to 5.0 s" in flat
    (low,) = observations(outcome([-0.25, -0.125], constant=0.0))
    assert "-0.125, is not above that of a constant answer, 0" in low
    assert observations(outcome([0.4, 0.1, 0.1, 0.1, 0.1], curve="supervised")) == []
    console = Console(record=True, width=60, file=io.StringIO())
    print_report(outcome([-0.25, -0.125]), [], console)
    assert low in console.export_text().splitlines()


@pytest.mark.slow
def test_several_seeds_give_one_table(tmp_path, capsys):
    options = ["--total-steps", "512", "--hidden-dim", "8", "--no-progress", "--no-supervised"]
    options += ["--runs", str(tmp_path), "--name", "three", "--device", "cpu"]
    train.cli([*options, "--seeds", "3", "--seed", "4"])
    runs = [tmp_path / "three" / f"seed-{seed}" for seed in (4, 5, 6)]
    scores = [json.loads((run / "results.json").read_text())["test"]["trained"] for run in runs]
    assert len({one["alignment"] for one in scores}) == 3
    found = json.loads((tmp_path / "three" / "results.json").read_text())
    assert found["runs"] == ["seed-4", "seed-5", "seed-6"]
    for name, one in found["test"]["trained"].items():
        assert one["value"] == pytest.approx(sum(each[name] for each in scores) / 3)
        assert one["low"] <= one["value"] <= one["high"]
    out = " ".join(capsys.readouterr().out.split())
    assert "interquartile means of 3 seeds" in out
    assert "Scores on test" in (tmp_path / "three" / "seed-5.log").read_text()
    # A seed is the run that it would be alone.
    train.cli([*options[:-4], "--runs", str(tmp_path), "--name", "one", "--seed", "5"])
    alone = json.loads((tmp_path / "one" / "results.json").read_text())["test"]["trained"]
    assert alone == scores[1]


@pytest.mark.slow
def test_a_seed_that_fails_is_told(tmp_path):
    options = ["--total-steps", "8", "--runs", str(tmp_path), "--name", "x", "--seeds", "2"]
    with pytest.raises(SystemExit, match=r"2 of 2 seeds failed; see .*seed-0\.log"):
        train.cli([*options, "--device", "cpu", "--reward", "builtins:print", "--no-progress"])
    with pytest.raises(SystemExit, match="give --data as a file"):
        train.cli([*options[:-4], "--name", "y", "--seeds", "2", "--data", "-", "--format", "tsv"])

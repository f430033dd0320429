import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import train
from agents import LLMAR, REINFORCE, NonFiniteLossError

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


def test_tensorboard_scalars(run):
    (events,) = run[0].rglob("events.*")
    accumulator = EventAccumulator(str(events))
    accumulator.Reload()
    expected = {
        "valid/alignment",
        "valid/p_at_1",
        "rollout/group_spread",
        "rollout/clipped_fraction",
        "rollout/ep_rew_mean",
        "train/grad_norm",
        "train/action_spread",
        "train/learning_rate",
    }
    assert expected <= set(accumulator.Tags()["scalars"])


def test_sb3s_algorithms_have_the_scalars_too(tmp_path):
    quick = ["--runs", str(tmp_path), "--name", "a", "--algo", "ppo", "--no-supervised"]
    train.cli([*QUICK, *quick])
    (events,) = tmp_path.rglob("events.*")
    accumulator = EventAccumulator(str(events))
    accumulator.Reload()
    expected = {"valid/alignment", "train/grad_norm", "train/action_spread"}
    expected |= {"rollout/group_spread", "rollout/clipped_fraction"}
    assert expected <= set(accumulator.Tags()["scalars"])


def test_runs_that_begin_together_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda _: "now")
    config = train.Config(runs=tmp_path)
    folders = [train.new_folder(config).name for _ in range(3)]
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
    for name in train.Config.__dataclass_fields__:
        assert "--" + name.replace("_", "-") in text


def test_a_folder_that_is_there_already_is_said_before_training(run):
    folder, _ = run
    message = refused("--runs", str(folder.parent), "--name", "first")
    assert "exists already: choose another --name" in message


def test_a_folder_that_cannot_be_made_is_said_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be made" in refused("--runs", str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--algo", "sarsa"], "no algorithm 'sarsa'; there are reinforce, ppo, a2c"),
        (["--device", "cuda:9"], "no device 'cuda:9' on this machine; there are cpu"),
        (["--data", "phrasebook:de-xx"], "no language 'xx'; the phrasebook has de, en, fr, zh"),
        (["--env", "LLMAR/Nothing-v0"], "doesn't exist in namespace LLMAR"),
    ],
)
def test_what_is_unknown_is_one_line_that_lists_what_there_is(tmp_path, arguments, message):
    assert message in refused(*arguments, "--runs", str(tmp_path))
    assert not list(tmp_path.iterdir())  # no empty folder stays behind


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

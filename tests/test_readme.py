import re
import shlex
from pathlib import Path

import pytest

import train
from llmar_env.text.phrasebook import Phrasebook

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^python train\.py.*$", README.replace("\\\n", " "), re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_examples_run(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})


def test_there_are_examples():
    assert len(EXAMPLES) >= 4
    assert COMMANDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Some sentences of the phrasebook in the files that the README speaks of."""
    folder = tmp_path_factory.mktemp("readme")
    book = Phrasebook.from_name("phrasebook:de-en")
    for split, stem, size in (("train", "train", 200), ("valid", "val", 20), ("test", "test", 20)):
        pairs = list(zip(*book.sentences(split), strict=True))[:size]
        lines = ["source\ttarget", *("\t".join(pair) for pair in pairs)]
        (folder / f"{stem}.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


# What makes a run short, and leaves as much as can be as the README has it.
SHORT = "--data train.tsv --valid val.tsv --test test.tsv --total-steps 256 --hidden-dim 8"
SHORT += " --num-texts 8 --dim 16 --no-progress --device cpu --name short"


@pytest.mark.filterwarnings("ignore:.* of .* texts reached max_new_tokens")
@pytest.mark.filterwarnings("ignore:.*rows of .* stand in train too")
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_train_and_report(command, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    train.cli([*shlex.split(command)[2:], *shlex.split(SHORT), "--runs", str(tmp_path)])
    assert "Scores on test" in capsys.readouterr().out
    assert (tmp_path / "short" / "results.json").exists()


def test_the_files_that_it_points_to_are_there():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parents[1] / path).exists(), path


def test_no_placeholder_is_left():
    assert not re.findall(r"^[A-Z_]+$", README, re.MULTILINE)

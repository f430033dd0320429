import re
import shlex
import shutil
from pathlib import Path
from pkgutil import resolve_name

import pytest

import train
from agents.__main__ import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^python train\.py.*$", README.replace("\\\n", " "), re.MULTILINE)


def slow_if(is_slow, value):
    return pytest.param(value, marks=pytest.mark.slow) if is_slow else value


@pytest.mark.parametrize(
    "example",
    [slow_if("Generate-v0" in one and "LLMAR(config)" in one, one) for one in EXAMPLES],
    ids=lambda text: text.splitlines()[0],
)
def test_examples_run(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})


def test_there_are_examples():
    assert len(EXAMPLES) >= 4
    assert COMMANDS


# What makes a run short, and leaves as much as can be as the README has it.
PAIRS = "--data train.tsv --valid val.tsv --test test.tsv"
SHORT = "--total-steps 256 --hidden-dim 8 --num-texts 8 --dim 16 --no-progress --device cpu"
SHORT += " --name short"


@pytest.mark.filterwarnings("ignore:.* of .* texts reached max_new_tokens")
@pytest.mark.filterwarnings("ignore:.*rows of .* are in train too")
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_train_and_report(command, sentences, beir_folder, tmp_path, monkeypatch, capsys):
    shutil.copytree(sentences, tmp_path / "texts")
    monkeypatch.chdir(tmp_path / "texts")
    data = shlex.split(PAIRS)
    if "model:runs/alignment" in command:
        fit = "--dim 16 --epochs 2 --hidden-dim 16 --no-progress --out runs/alignment"
        cli(["fit-alignment", *data, *shlex.split(fit)])
    if "st:PATH_OR_NAME" in command:
        data += ["--embedder", "word2vec"]
    if "--seeds" in command:
        data += ["--seeds", "2"]
    if "LLMAR/Retrieve-v0" in command:
        data = ["--data", str(beir_folder), "--embedder", "word2vec"]
    short = [*data, *shlex.split(SHORT), "--runs", str(tmp_path)]
    train.cli([*shlex.split(command)[2:], *short])
    assert "Scores on test" in capsys.readouterr().out
    assert (tmp_path / "short" / "results.json").exists()


def test_the_files_that_it_points_to_are_there():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


def test_names_of_code_are_there():
    pages = [README, *(path.read_text("utf-8") for path in ROOT.glob("*/README.md"))]
    pages += [
        (ROOT / name).read_text("utf-8") for name in ("CONTRIBUTING.md", "docs/benchmarks.md")
    ]
    names = set(re.findall(r"`((?:agents|llmar_env)(?:\.\w+)+)`", "\n".join(pages)))
    assert len(names) > 15
    for name in sorted(names - {"agents.rllib"}):  # which needs Ray
        resolve_name(name)


def test_files_that_it_names_are_there():
    pages = README + (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    paths = set(re.findall(r"`((?:agents|llmar_env|benchmarks|tests)/[\w/]*(?:\.py)?)`", pages))
    assert len(paths) > 10
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_no_placeholder_is_left():
    assert not re.findall(r"^[A-Z_]+$", README, re.MULTILINE)

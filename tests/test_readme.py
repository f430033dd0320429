import re
import shlex
from pathlib import Path

import pytest
import tyro

from agents import Config

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


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_have_the_options_that_there_are(command):
    tyro.cli(Config, args=shlex.split(command)[2:])


def test_the_files_that_it_points_to_are_there():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parents[1] / path).exists(), path


def test_no_placeholder_is_left():
    assert not re.findall(r"^[A-Z_]+$", README, re.MULTILINE)

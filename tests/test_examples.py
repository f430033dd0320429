"""The programs of examples/: each learns what it says, follows its seed, and fits on a page.

RLlib's is run in test_rllib.py.
"""

import importlib
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"

# What to install beside this project.
LIBRARIES = {
    "cleanrl_ppo": None,
    "skrl_ppo": "skrl",
    "tianshou_ppo": "tianshou",
    "torchrl_ppo": "torchrl",
}


def stated(name):
    """What a program's docstring says that it does: untrained, trained, margin, seconds."""
    docstring = (FOLDER / f"{name}.py").read_text("utf-8").split('"""')[1]
    figures = r"(-?\d\.\d\d) untrained, (\d\.\d\d) trained, at least (\d\.\d) more; (\d+) seconds"
    return re.search(figures, docstring).groups()


@pytest.fixture(params=LIBRARIES)
def program(request, monkeypatch, tmp_path):
    """A program's name and module; it runs in an empty folder."""
    library = LIBRARIES[request.param]
    if library is not None:
        pytest.importorskip(library, reason=f'needs {library}: pip install -e ".[{library}]"')
    monkeypatch.chdir(tmp_path)
    return request.param, importlib.import_module(f"examples.{request.param}")


@pytest.mark.slow
@pytest.mark.examples
def test_learns_and_leaves_no_files(program, tmp_path):
    name, module = program
    _, _, margin, _ = stated(name)
    untrained, trained = module.main(seed=1)
    assert abs(untrained) < 0.1
    assert untrained + float(margin) <= trained <= 1
    assert not list(tmp_path.iterdir())


@pytest.mark.examples
def test_seed_decides(program):
    _, module = program
    first, second, other = (module.main(steps=2048, seed=seed) for seed in (2, 2, 3))
    assert first == second
    assert first[0] != other[0]
    assert first[1] != other[1]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_fits_on_a_page(path):
    assert len(path.read_text("utf-8").splitlines()) <= 60


@pytest.mark.parametrize("name", [*LIBRARIES, "rllib"])
def test_docstring_and_readme_agree(name):
    untrained, trained, margin, seconds = stated(name)
    assert float(margin) <= float(trained) - float(untrained)
    row = next(
        line
        for line in (FOLDER / "README.md").read_text("utf-8").splitlines()
        if f"{name}.py" in line
    )
    assert f"{untrained} → {trained}" in row
    assert f"{seconds} s" in row

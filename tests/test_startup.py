"""`import agents` and the command line load what they need, when they need it."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import agents

REPOSITORY = Path(__file__).parents[1]
HEAVY = {"torch", "stable_baselines3", "gensim", "matplotlib", "gymnasium", "sacrebleu"}
HEAVY |= {"tokenizers", "safetensors", "tensorboard", "numpy", "rich", "llmar_env"}


def modules_loaded(*arguments):
    """Top-level packages that a process of Python imports."""
    outcome = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "Traceback" not in outcome.stderr
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "import agents; agents.Config"],
        ["train.py", "--help"],
        ["train.py", "--seed", "many"],
        ["-m", "agents", "--help"],
        ["-m", "agents", "train", "--help"],
        ["-m", "agents", "train", "--bad-flag"],
        ["-m", "agents", "generate", "--help"],
        ["-m", "agents", "refine", "--threshold", "high"],
        ["-m", "agents", "evaluate"],
    ],
    ids=" ".join,
)
def test_arguments_are_read_before_anything_heavy_is_loaded(arguments):
    loaded = modules_loaded(*arguments)
    assert {"agents", "tyro"} <= loaded
    assert not loaded & HEAVY


def test_public_names_are_those_that_type_checkers_see():
    tree = ast.parse(Path(agents.__file__).read_text("utf-8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    homes = {name.name: f".{node.module}" for node in block.body for name in node.names}
    assert homes == agents._MODULES
    assert sorted(homes) == sorted(agents.__all__)
    for name, module in homes.items():
        home = importlib.import_module(module, "agents")
        assert getattr(agents, name) is getattr(home, name)


def test_every_public_name_can_be_listed_and_imported_by_a_star():
    names = {}
    exec("from agents import *", names)
    assert set(agents.__all__) <= set(names)
    assert set(agents.__all__) <= set(dir(agents))


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'agents' has no attribute 'Config2'"):
        _ = agents.Config2
    with pytest.raises(ImportError, match="cannot import name 'Config2'"):
        exec("from agents import Config2")


# In a process of its own: here, other tests have imported the modules already.
ADDRESSES = """
import pickle, pkgutil
import agents
policy = agents.policies.GRUPolicy
assert policy is agents.GRUPolicy is pkgutil.resolve_name("agents.policies:GRUPolicy")
assert pickle.loads(pickle.dumps(policy)) is policy
assert agents.distributions.TokenSoftmax is agents.TokenSoftmax
assert agents.algorithms.ALGORITHMS is agents.ALGORITHMS
assert agents.vec_env.make_vec_env is agents.make_vec_env
"""


def test_policies_are_found_by_their_addresses():
    outcome = subprocess.run(
        [sys.executable, "-c", ADDRESSES],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr

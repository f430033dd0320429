"""`import agents` and the command line load what they need, when they need it."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import agents
import llmar_env

REPOSITORY = Path(__file__).parents[1]
HEAVY = {"torch", "stable_baselines3", "gensim", "matplotlib", "gymnasium", "sacrebleu"}
HEAVY |= {"tokenizers", "safetensors", "tensorboard", "numpy", "rich", "llmar_env"}


def process(*arguments):
    """A process of Python that says which modules it imports."""
    outcome = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "Traceback" not in outcome.stderr
    return outcome


def modules_loaded(outcome):
    """Top-level packages that a process has imported."""
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
    loaded = modules_loaded(process(*arguments))
    assert {"agents", "tyro"} <= loaded
    assert not loaded & HEAVY


MODEL = ["--model", "nowhere"]
WRITER = ["--env", "LLMAR/Generate-v0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--dropout", "1.5"], "--dropout must lie in [0, 1), found 1.5"),
        (["train", "--num-texts", "0"], "--num-texts must be at least 1, found 0"),
        (["train", "--learning-rate", "nan"], "--learning-rate must be above 0 and finite, found"),
        (["train", "--seed", "-1"], "--seed must lie in [0, 4294967296), found -1"),
        (["train", "--name", "../esc"], "--name must be the name of a folder, not a path, found"),
        (["train", "--device", "gpu"], "--device must be auto, cpu, cuda, or cuda:1 and so on"),
        (["train", "--kl-weight", "2"], "--kl-weight is a setting of writers"),
        (["train", *WRITER, "--num-vectors", "2"], "--num-vectors is a setting of LLMAR/Align-v0"),
        (["train", "--algo", "pop"], "--algo cannot be used: unknown algorithm 'pop'; choose one"),
        (["train", *WRITER, "--reward", "x"], "--reward cannot be used: no reward 'x'; there are"),
        (["train", "--env", "LLMAR/X-v0"], "cannot train on LLMAR/X-v0; choose one of LLMAR/Align"),
        (["train", "--data", "phrasebook:xx"], "no language 'xx'; the phrasebook has de, en"),
        (["train", "--valid", "nowhere.tsv"], "no file nowhere.tsv"),
        (["train", "--set", "gamma=1", "--set", "gamma=0"], "--set has a setting that is given"),
        (["train", "--runs", ".", "--name", "tests"], "tests already exists: choose another"),
        (["generate", *MODEL, "--batch-size", "0"], "--batch-size must be at least 1, found 0"),
        (["generate", *MODEL, "--file", "nowhere.txt"], "no file nowhere.txt; its folder holds"),
        (["generate", *MODEL], "nowhere contains no model: there is no model.json in it"),
        (["refine", *MODEL, "--threshold", "3"], "--threshold must lie in (0, 1], found 3.0"),
        (["refine", *MODEL, "--max-rounds", "-1"], "--max-rounds must be at least 0, found -1"),
        (["evaluate", *MODEL, "--data", "x.tsv", "--batch-size", "-3"], "--batch-size must be"),
        (["evaluate", *MODEL, "--data", "nowhere.tsv"], "no file nowhere.tsv"),
        (["trian"], "no command 'trian'; did you mean train? The commands are train, generate"),
        (["xyz"], "no command 'xyz'. The commands are train, generate, refine, evaluate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_that_cannot_be_used_is_one_line_before_torch_is_loaded(arguments, message):
    outcome = process("-m", "agents", *arguments)
    lines = [line for line in outcome.stderr.splitlines() if not line.startswith("import time:")]
    (line,) = lines
    assert line.startswith("error: ")
    assert message in line
    assert outcome.returncode == 1
    assert not modules_loaded(outcome) & {"torch", "stable_baselines3", "gensim", "matplotlib"}


def test_the_version_is_that_of_the_package():
    outcome = process("-m", "agents", "--version")
    assert outcome.stdout == f"llmar {llmar_env.__version__}\n"
    assert "torch" not in modules_loaded(outcome)


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

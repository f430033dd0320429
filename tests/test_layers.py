"""Arrows between packages run one way: each imports only those that stand before it."""

import ast
import subprocess
import sys
from importlib.util import resolve_name
from pathlib import Path

import pytest

from agents import policies

REPOSITORY = Path(__file__).parents[1]
# What stands on one line does not know of each other.
AGENTS = [
    {"agents.names", "agents.options"},
    {"agents.config", "agents.networks", "agents.vec_env"},
    {"agents.reading", "agents.distributions"},
    {"agents.policies"},
    {"agents.contrib"},
    {"agents.algorithms"},
    {"agents.inference"},
    {"agents.training"},
    {"agents.trainers"},
    {"agents.llmar", "agents.rllib"},
    {"agents.commands"},
    {"agents.__main__", "agents"},
]
LLMAR_ENV = [
    {"llmar_env.arrays", "llmar_env.progress"},
    {"llmar_env.text"},
    {"llmar_env.retrieval"},
    {"llmar_env.alignment", "llmar_env.spaces"},
    {"llmar_env.metrics"},
    {"llmar_env.envs", "llmar_env.tasks"},
    {"llmar_env.checks", "llmar_env.wrappers"},
]


def room(module):
    """The package or module below the top that a module lies in."""
    return ".".join(module.split(".")[:2])


def imports(path):
    """Modules of ours that a file imports, absolute."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    package = ".".join(parts[:-1])
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            if module in ("agents", "llmar_env"):
                yield from (f"{module}.{name.name}" for name in node.names)
            else:
                yield module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def arrows(top):
    """(from, to) of every import between two rooms of a package."""
    for path in sorted((REPOSITORY / top).rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        for target in imports(path):
            if target.split(".")[0] == top and room(target) != room(module):
                yield room(module), room(target)


@pytest.mark.parametrize(("top", "floors"), [("agents", AGENTS), ("llmar_env", LLMAR_ENV)])
def test_arrows_run_one_way(top, floors):
    height = {name: number for number, floor in enumerate(floors) for name in floor}
    found = set(arrows(top))
    assert len(found) > 5
    assert {pair for pair in found if height[pair[0]] <= height[pair[1]]} == set()


def test_the_environments_know_no_agents():
    roots = {
        target.split(".")[0]
        for path in (REPOSITORY / "llmar_env").rglob("*.py")
        for target in imports(path)
    }
    assert not roots & {"agents", "stable_baselines3"}


# What frozen models need, and the files that import it, within functions: the rest of `llmar_env`
# knows nothing of it, and nothing of it is imported before a model is used.
LAZY = {
    "huggingface_hub": {"model_files.py"},
    "model2vec": {"static_model.py"},
    "sentence_transformers": {"sentence_transformer.py"},
    "torch": {"hugging_face.py"},
    "transformers": {"hugging_face.py", "model_files.py"},
}


def test_the_environments_import_what_models_need_within_functions_of_their_embedders():
    found = {}
    for path in (REPOSITORY / "llmar_env").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        inside = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [name.name for name in node.names]
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
                for root in {name.split(".")[0] for name in names} & set(LAZY):
                    assert id(node) in inside, path
                    found.setdefault(root, set()).add(path.name)
    assert found == LAZY


def test_embedders_are_imported_without_what_models_need():
    code = f"import sys, llmar_env.text.embedders; print({set(LAZY)} & set(sys.modules))"
    outcome = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, encoding="utf-8"
    )
    assert outcome.stdout.strip() == "set()", outcome.stderr


def test_imports_within_agents_are_relative():
    absolute = [
        str(path)
        for path in (REPOSITORY / "agents").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.level == 0
        and (node.module or "").split(".")[0] == "agents"
    ]
    assert absolute == []


def test_reinforce_names_no_policy_of_this_package():
    tree = ast.parse((REPOSITORY / "agents/algorithms/reinforce.py").read_text("utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
    }
    words = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            words.add(node.id)
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.alias):
            words.add(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.update(node.value.split() if id(node) not in docstrings else ())
    assert {"ActorCriticPolicy", "SamplingPolicy"} <= words  # SB3's, and the protocol
    assert not words & {*policies.__all__, "DirectionPolicy", "DecodingState"}

"""RL Baselines3 Zoo: its files hold the settings of `agents.ALGORITHMS`, and its command learns."""

import argparse
import subprocess
import sys
from dataclasses import replace
from pkgutil import resolve_name

import numpy as np
import pytest
import torch
import yaml

from agents import ALGORITHMS, GRUFeatures
from agents.algorithms.settings import policy_class
from agents.inference.evaluation import evaluate
from llmar_env.text.corpus import Corpus
from zoo import make

FILES = sorted(make.FOLDER.glob("*.yml"))
NEEDS_ZOO = 'needs the Zoo: pip install -e ".[zoo]"'
NAMES = {"ppo_lstm": "recurrent_ppo"}
# Settings of vector environments of ours: buffers that keep groups together, and what is read here
# from other keys.
OURS = {"rollout_buffer_class", "replay_buffer_class", "n_steps", "gradient_steps", "action_noise"}


def read(path):
    """The settings of a file, and the algorithm that has them."""
    hyperparams = yaml.safe_load(path.read_text("utf-8"))
    assert list(hyperparams) == ["LLMAR/Align-v0"]
    return hyperparams["LLMAR/Align-v0"], ALGORITHMS[NAMES.get(path.stem, path.stem)]


def test_files_are_what_the_script_makes():
    assert {path.name: path.read_text("utf-8") for path in FILES} == make.files()


def test_answers_that_cannot_be_shared_out_are_refused():
    with pytest.raises(ValueError, match="33 answers per update are not a multiple of 64"):
        make.hyperparams(replace(ALGORITHMS["sac"], num_texts=33, group_size=1))


def test_every_algorithm_but_our_own_has_a_file():
    names = {NAMES.get(path.stem, path.stem) for path in FILES}
    assert names == set(ALGORITHMS) - {"reinforce"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_settings_are_the_tables(path):
    ours, algorithm = read(path)
    expected = {name: value for name, value in algorithm.settings.items() if name not in OURS}
    assert {name: ours.get(name) for name in expected} == expected
    assert ours["learning_rate"] == algorithm.learning_rate
    assert ours["n_timesteps"] == algorithm.total_steps
    assert ours.get("noise_std") == algorithm.settings.get("action_noise")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_policy_is_the_tables(path):
    ours, algorithm = read(path)
    kwargs = ours.get("policy_kwargs", {})
    if isinstance(kwargs, str):
        kwargs = eval(kwargs)  # as the Zoo does
        assert kwargs.pop("features_extractor_class") is GRUFeatures
        assert kwargs.pop("features_extractor_kwargs") == {"layer_norm": True}
    assert kwargs == algorithm.policy_kwargs
    if ":" not in algorithm.policy:
        assert ours["policy"] == algorithm.policy
        return
    if "contrib" in algorithm.policy:
        pytest.importorskip("sb3_contrib", reason='needs sb3-contrib: pip install -e ".[contrib]"')
    assert resolve_name(ours["policy"]) is resolve_name(algorithm.policy)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_updates_are_as_large_and_as_frequent(path):
    ours, algorithm = read(path)
    width = algorithm.num_texts * algorithm.group_size
    if "n_steps" in ours:
        assert ours["n_envs"] * ours["n_steps"] == width * algorithm.settings["n_steps"]
    elif "train_freq" in ours:
        assert ours["n_envs"] * ours["train_freq"] == width
        assert ours["gradient_steps"] == algorithm.settings["gradient_steps"]
    else:
        assert path.stem == "ars"


@pytest.mark.examples
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_zoo_makes_the_tables_model(path, tmp_path):
    zoo = pytest.importorskip("rl_zoo3.exp_manager", reason=NEEDS_ZOO)
    _, algorithm = read(path)
    manager = zoo.ExperimentManager(
        argparse.Namespace(), path.stem, "LLMAR/Align-v0", str(tmp_path), config=str(path)
    )
    model, _ = manager.setup_experiment()
    assert isinstance(model, zoo.ALGOS[path.stem])
    assert type(model.policy) is policy_class(algorithm)
    assert any(isinstance(module, GRUFeatures) for module in model.policy.modules())
    noise = getattr(model, "action_noise", None)
    assert (noise is not None) == ("action_noise" in algorithm.settings)
    model.env.close()


@pytest.mark.examples
@pytest.mark.parametrize(("name", "steps", "margin"), [("ppo", 32_768, 0.6), ("sac", 8192, 0.1)])
def test_command_learns(name, steps, margin, tmp_path):
    utils = pytest.importorskip("rl_zoo3.utils", reason=NEEDS_ZOO)
    command = [sys.executable, "-m", "rl_zoo3.train", "--algo", name, "--env", "LLMAR/Align-v0"]
    command += ["--gym-packages", "llmar_env", "--conf-file", str(make.FOLDER / f"{name}.yml")]
    command += ["--env-kwargs", "data:'phrasebook:en'", "--seed", "1", "--n-timesteps", f"{steps}"]
    command += [
        "--eval-freq",
        f"{steps // 2}",
        "--eval-episodes",
        "200",
        "--log-folder",
        str(tmp_path),
    ]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    corpus = Corpus.load("phrasebook:en")
    folder = tmp_path / name / "LLMAR-Align-v0_1"
    for saved in ("LLMAR-Align-v0.zip", "best_model.zip"):
        policy = utils.ALGOS[name].load(folder / saved, device="cpu").policy
        torch.manual_seed(1)
        untrained = type(policy)(**policy._get_constructor_parameters())
        before, after = (evaluate(one, corpus, "test").alignment for one in (untrained, policy))
        assert abs(before) < 0.1
        assert after > before + margin
    evaluated = np.load(folder / "evaluations.npz")["results"].mean(axis=1)  # (2,)
    assert evaluated[1] > margin

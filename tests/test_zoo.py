"""RL Baselines3 Zoo: its files hold the settings of `agents.ALGORITHMS`, and its command learns."""

import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import yaml

from agents import ALGORITHMS, GRUFeatures
from agents.evaluation import evaluate
from llmar_env.text.corpus import Corpus

REPOSITORY = Path(__file__).parents[1]
FILES = sorted((REPOSITORY / "zoo").glob("*.yml"))
NAMES = {"ppo_lstm": "recurrent_ppo"}
# Settings of vector environments of ours: buffers that keep groups together, and what is read here
# from other keys.
OURS = {"rollout_buffer_class", "replay_buffer_class", "n_steps", "gradient_steps", "action_noise"}


def read(path):
    """The settings of a file, and the algorithm that has them."""
    hyperparams = yaml.safe_load(path.read_text("utf-8"))
    assert list(hyperparams) == ["LLMAR/Align-v0"]
    return hyperparams["LLMAR/Align-v0"], ALGORITHMS[NAMES.get(path.stem, path.stem)]


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
def test_command_learns(tmp_path):
    utils = pytest.importorskip("rl_zoo3.utils", reason='needs the Zoo: pip install -e ".[zoo]"')
    command = [sys.executable, "-m", "rl_zoo3.train", "--algo", "ppo", "--env", "LLMAR/Align-v0"]
    command += ["--gym-packages", "llmar_env", "--conf-file", str(REPOSITORY / "zoo" / "ppo.yml")]
    command += ["--env-kwargs", "data:'phrasebook:en'", "--n-timesteps", "8192", "--seed", "1"]
    command += ["--eval-freq", "4096", "--log-folder", str(tmp_path)]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    corpus = Corpus.load("phrasebook:en")
    folder = tmp_path / "ppo" / "LLMAR-Align-v0_1"
    for name in ("LLMAR-Align-v0.zip", "best_model.zip"):
        policy = utils.ALGOS["ppo"].load(folder / name, device="cpu").policy
        trained = evaluate(policy, corpus, "test").alignment
        untrained = type(policy)(**policy._get_constructor_parameters())
        assert trained > evaluate(untrained, corpus, "test").alignment + 0.3
    evaluated = np.load(folder / "evaluations.npz")["results"].mean(axis=1)  # (2,)
    assert evaluated[1] > 0.3

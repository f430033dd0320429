"""Write the Zoo's configuration files from the tuned settings: `python zoo/make.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from agents import ALGORITHMS, Algorithm

__all__ = ["FOLDER", "NUM_ENVS", "files", "hyperparams"]

FOLDER = Path(__file__).parent
NUM_ENVS = 64
"""Number of single environments, which the Zoo steps in turn."""

_ZOO_NAMES = {"recurrent_ppo": "ppo_lstm"}
_BUFFERS = ("rollout_buffer_class", "replay_buffer_class")  # for groups, which the Zoo lacks
# YAML cannot name a class, but the Zoo evaluates `policy_kwargs` if it is a string.
_FEATURES = (
    "features_extractor_class=__import__('agents').GRUFeatures, "
    "features_extractor_kwargs={'layer_norm': True}"
)


def files() -> dict[str, str]:
    """The contents of each file by file name, one for every algorithm that the Zoo supports."""
    return {
        f"{_ZOO_NAMES.get(name, name)}.yml": yaml.safe_dump(
            {"LLMAR/Align-v0": hyperparams(algorithm)}, sort_keys=False
        )
        for name, algorithm in ALGORITHMS.items()
        if name != "reinforce"
    }


def hyperparams(algorithm: Algorithm) -> dict[str, Any]:
    """The settings of an algorithm in the Zoo's form.

    Raises:
        ValueError: the answers per update are not a multiple of `NUM_ENVS`.
    """
    steps = _steps(algorithm)
    settings = dict(algorithm.settings)
    for name in (*_BUFFERS, *steps):
        settings.pop(name, None)
    if (deviation := settings.pop("action_noise", None)) is not None:
        settings |= {"noise_type": "normal", "noise_std": deviation}
    return {
        "policy": algorithm.policy.replace(":", "."),
        **_policy_kwargs(algorithm),
        "n_timesteps": int(algorithm.total_steps),
        **steps,
        "learning_rate": algorithm.learning_rate,
        **settings,
    }


def _policy_kwargs(algorithm: Algorithm) -> dict[str, Any]:
    given = algorithm.policy_kwargs
    if ":" not in algorithm.policy:  # the algorithm's own policy, which cannot read texts
        own = "".join(f", {name}={value!r}" for name, value in given.items())
        return {"policy_kwargs": f"dict({_FEATURES}{own})"}
    return {"policy_kwargs": dict(given)} if given else {}


def _steps(algorithm: Algorithm) -> dict[str, int]:
    """As many answers per update as in the table, from more steps of fewer environments.

    Empty for ARS, which counts episodes and has a single environment in the Zoo.
    """
    settings = algorithm.settings
    if "gradient_steps" in settings:
        name, steps = "train_freq", settings.get("train_freq", 1)
    elif "n_steps" in settings:
        name, steps = "n_steps", settings["n_steps"]
    else:
        return {}
    answers = algorithm.num_texts * algorithm.group_size * steps
    if answers % NUM_ENVS:
        raise ValueError(f"{answers} answers per update are not a multiple of {NUM_ENVS}")
    return {"n_envs": NUM_ENVS, name: answers // NUM_ENVS}


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, "utf-8")

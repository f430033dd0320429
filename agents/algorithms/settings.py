"""Find an algorithm by name, and check and apply the settings given for it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stable_baselines3.common.policies import BasePolicy

from ..config import AlgorithmConfig
from ..distributions import FREE_NOISE
from ..names import algorithm_name
from .presets import ALGORITHMS, Algorithm, resolve

__all__ = ["find_algorithm", "policy_class", "tuned"]

_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
# Settings with a numeric default that also accept other types.
_OF_ANY_KIND = ("train_freq", "ent_coef", "target_entropy")
_SPACES = "the environment determines it"
_OURS = {
    "policy": "--algo determines it",
    "env": "give --env and --data",
    "learning_rate": "give --learning-rate",
    "baseline": "give --baseline",
    "seed": "give --seed",
    "device": "give --device",
    "policy_kwargs": "give policy.NAME=VALUE",
    "regularizers": "for a writer, give --ce-weight and --kl-weight",
    "tensorboard_log": "logs are written to the folder of the run",
    "verbose": "see the report and TensorBoard for all values",
    "_init_setup_model": "it is internal to SB3",
}
_OURS_OF_POLICY = {
    "observation_space": _SPACES,
    "action_space": _SPACES,
    "lr_schedule": "give --learning-rate",
    "hidden_dim": "give --hidden-dim",
    "distribution": "give --distribution",
    "noise_scale": "give --noise-scale",
}


def find_algorithm(name: str) -> Algorithm:
    """Find an algorithm by name, ignoring case, hyphens and underscores.

    Raises:
        ValueError: as in `agents.names.algorithm_name`.
    """
    return ALGORITHMS[algorithm_name(name)]


def tuned(algorithm: Algorithm, config: AlgorithmConfig) -> Algorithm:
    """Apply the options to an algorithm's settings.

    Raises:
        ImportError: the algorithm is part of an extra that is not installed.
        ValueError: the algorithm or its policy has no such setting, or its value has a wrong type.
    """
    named = algorithm.policy_kwargs.get("distribution")
    if config.distribution not in (None, named) and algorithm.otherwise is not None:
        algorithm = algorithm.otherwise
    accepted = _parameters(algorithm.cls)
    given = {
        name: value
        for name in ("num_texts", "group_size", "learning_rate", "total_steps")
        if (value := getattr(config, name)) is not None
    }
    settings, policy_kwargs = dict(algorithm.settings), _with_noise(algorithm, config)
    if "baseline" in settings:
        settings["baseline"] = config.baseline
    for name, value in config.settings:
        own, _, of_policy = name.partition(".")
        if of_policy and own == "policy":
            _check_setting(of_policy, value, _parameters(policy_class(algorithm)), _OURS_OF_POLICY)
            before = policy_kwargs.get(of_policy)
            if isinstance(before, dict) and isinstance(value, dict):
                value = before | value
            policy_kwargs[of_policy] = value
        else:
            _check_setting(name, value, accepted, _OURS)
            settings[name] = value
    return replace(algorithm, settings=settings, policy_kwargs=policy_kwargs, **given)


def _with_noise(algorithm: Algorithm, config: AlgorithmConfig) -> dict[str, Any]:
    """The policy's arguments, with distribution and noise scale from the options."""
    kwargs = dict(algorithm.policy_kwargs)
    if config.distribution is not None:
        kwargs["distribution"] = config.distribution
    if config.noise_scale is not None:
        kwargs["noise_scale"] = config.noise_scale
    is_free = kwargs.get("distribution") == "free_gaussian"
    if is_free and (config.noise_scale is not None or "radius" not in kwargs):
        kwargs["radius"] = FREE_NOISE / kwargs["noise_scale"]
    return kwargs


def policy_class(algorithm: Algorithm) -> type[BasePolicy]:
    """The class of an algorithm's policy."""
    if ":" not in algorithm.policy:
        return algorithm.cls.policy_aliases[algorithm.policy]
    found: type[BasePolicy] = resolve(algorithm.policy)
    return found


def _parameters(cls: type) -> dict[str, Any]:
    """The arguments of a class by name, with their defaults.

    They include those of base classes, as far as constructors accept `**kwargs`.
    """
    found: dict[str, Any] = {}
    for base in inspect.getmro(cls):
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
        named = {one.name: one.default for one in parameters if one.kind not in _OPEN}
        found = named | found
        if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
            break
    del found["self"]
    return found


def _check_setting(
    name: str, value: Any, parameters: Mapping[str, Any], ours: Mapping[str, str]
) -> None:
    """Refuse a setting that is unknown, has a separate option, or has a value of a wrong type."""
    if name in ours:
        raise ValueError(f"--set does not take {name}: {ours[name]}")
    if name not in parameters:
        near = difflib.get_close_matches(name, parameters, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        known = ", ".join(sorted(set(parameters) - set(ours)))
        raise ValueError(f"unknown setting {name!r}{hint} The settings are {known}")
    default = parameters[name]
    kinds = {bool: (bool,), int: (int,), float: (int, float)}.get(type(default))
    if name in _OF_ANY_KIND or kinds is None:
        return
    if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(default, bool):
        raise ValueError(f"{name} must have the type of its default, {default}, found {value!r}")

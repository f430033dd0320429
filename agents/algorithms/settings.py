"""Find an algorithm by name, and check and apply the settings given for it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy

from ..config import AlgorithmConfig
from ..distributions import FREE_NOISE
from ..names import algorithm_name
from ..options import Accepted, check_range, check_type
from ..policies.direction import DirectionPolicy
from .presets import ALGORITHMS, Algorithm, resolve
from .ranges import AUTOMATIC, RANGES, TYPES, NetArch

__all__ = ["find_algorithm", "policy_class", "tuned"]

_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_SPACES = "the environment determines it"
_OURS = {
    "policy": "--algo determines it",
    "env": "give --env and --data",
    "learning_rate": "give --learning-rate",
    "baseline": "give --baseline",
    "noise_scale": "give --noise-scale",
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
    "use_sde": "give use_sde, a setting of the algorithm",
    "normalize_images": "texts are no images",
}
# Steps that no training reaches: where a time limit alone is given, it alone counts.
_UNLIMITED = 1e15
# What a policy that explores around a direction has no use for.
_SDE = ("use_sde", "sde_sample_freq", "log_std_init", "full_std", "use_expln", "squash_output")
_NO_SDE = "the policy explores around a direction, without gSDE"


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
        ValueError: the algorithm or its policy has no such setting, or its value has a wrong type
            or is out of range.
    """
    named = algorithm.policy_kwargs.get("distribution")
    if config.distribution not in (None, named) and algorithm.otherwise is not None:
        algorithm = algorithm.otherwise
    given = {
        name: value
        for name in ("num_texts", "group_size", "learning_rate", "total_steps")
        if (value := getattr(config, name)) is not None
    }
    if config.time_limit is not None:
        given.setdefault("total_steps", _UNLIMITED)
    settings, policy_kwargs = dict(algorithm.settings), _with_noise(algorithm, config)
    if "baseline" in settings and config.baseline is not None:
        settings["baseline"] = config.baseline
    own, of_policy = _Declared.by_algorithm(algorithm), _Declared.by_policy(algorithm)
    for name, value in config.settings:
        owner, _, inner = name.partition(".")
        if not (inner and owner == "policy"):
            own.check(name, value)
            settings[name] = value
            continue
        of_policy.check(inner, value)
        before = policy_kwargs.get(inner)
        if isinstance(before, dict) and isinstance(value, dict):
            value = before | value
        policy_kwargs[inner] = value
    _check_together(own.values(settings), of_policy.values(policy_kwargs))
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


def _parameters(cls: type) -> dict[str, inspect.Parameter]:
    """The arguments of a class by name, with their annotations and defaults.

    They include those of base classes, as far as constructors accept `**kwargs`.
    """
    found: dict[str, inspect.Parameter] = {}
    for base in inspect.getmro(cls):
        if "__init__" not in vars(base):
            continue
        init = vars(base)["__init__"]
        parameters, hints = inspect.signature(init).parameters.values(), _hints(init)
        own = {
            one.name: one.replace(annotation=hints.get(one.name, Any))
            for one in parameters
            if one.kind not in _OPEN
        }
        found = own | found
        if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
            break
    del found["self"]
    return found


def _hints(function: Any) -> dict[str, Any]:
    """The annotations of a function; `Any` for one that only type checkers can resolve."""
    hints: dict[str, Any] = {}
    for name, written in inspect.get_annotations(function).items():
        one = SimpleNamespace(__annotations__={name: written})
        with suppress(NameError):
            hints |= get_type_hints(one, globalns=function.__globals__)
    return hints


@dataclass(frozen=True)
class _Declared:
    """The settings that a class declares as arguments of its constructor.

    Attributes:
        parameters: the arguments by name.
        refused: those that are no settings, and what to give instead.
        defaults: the values in place of the constructor's.
        net_arch: the condition on `net_arch`.
        prefix: what precedes a setting's name.
    """

    parameters: Mapping[str, inspect.Parameter]
    refused: Mapping[str, str]
    defaults: Mapping[str, Any]
    net_arch: Accepted | None = None
    prefix: str = ""

    @classmethod
    def by_algorithm(cls, algorithm: Algorithm) -> _Declared:
        """The settings of an algorithm's class."""
        parameters = _parameters(algorithm.cls)
        unused = dict.fromkeys(_SDE, _NO_SDE) if _has_direction(algorithm) else {}
        return cls(parameters, _OURS | unused, algorithm.settings)

    @classmethod
    def by_policy(cls, algorithm: Algorithm) -> _Declared:
        """The settings of an algorithm's policy."""
        found = policy_class(algorithm)
        unused = dict.fromkeys(_SDE, _NO_SDE) if _has_direction(algorithm) else {}
        critics = issubclass(algorithm.cls, OffPolicyAlgorithm)
        return cls(
            _parameters(found),
            _OURS_OF_POLICY | unused,
            algorithm.policy_kwargs,
            NetArch(("pi", "qf" if critics else "vf"), needs_all=critics),
            "policy.",
        )

    def check(self, name: str, value: Any) -> None:
        """Refuse a setting that is unknown, has a separate option, or cannot have this value.

        Raises:
            ValueError: the setting is one of these.
        """
        if name in self.refused:
            raise ValueError(f"--set does not take {self.prefix}{name}: {self.refused[name]}")
        if name not in self.parameters:
            near = difflib.get_close_matches(name, self.parameters, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            known = ", ".join(sorted(set(self.parameters) - set(self.refused)))
            raise ValueError(f"unknown setting {name!r}{hint} The settings are {known}")
        hint = TYPES.get(name, self.parameters[name].annotation)
        also = self._default(name)
        check_type(self.prefix + name, value, hint, also)
        accepted = self.net_arch if name == "net_arch" else RANGES.get(name)
        if str in get_args(hint):
            accepted = AUTOMATIC.get(name, accepted)
        if accepted is not None and value is not None:
            check_range(self.prefix + name, value, accepted, also)

    def _default(self, name: str) -> str:
        """The default of a setting in words; empty if it is no plain data."""
        default = self.values(self.defaults)[name]
        if default is None or isinstance(default, type):
            return ""
        return f"; the default is {default!r}"

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values of all settings, as given or by default."""
        return {name: one.default for name, one in self.parameters.items()} | dict(given)


def _has_direction(algorithm: Algorithm) -> bool:
    return issubclass(policy_class(algorithm), DirectionPolicy)


def _check_together(own: Mapping[str, Any], of_policy: Mapping[str, Any]) -> None:
    """Refuse settings that exclude each other, and those that SB3 would quietly change.

    Raises:
        ValueError: two settings do not go together; the message has both.
    """
    pairs = (
        ("n_top", own.get("n_top"), "n_delta", own.get("n_delta"), 0),
        (
            *("top_quantiles_to_drop_per_net", own.get("top_quantiles_to_drop_per_net")),
            *("policy.n_quantiles", of_policy.get("n_quantiles")),
            1,
        ),
    )
    for name, value, limiting, limit, gap in pairs:
        if value is not None and limit is not None and value > limit - gap:
            most = f"{limiting}={limit}" if not gap else f"{limit - gap} with {limiting}={limit}"
            raise ValueError(f"{name} must be at most {most}, found {value}")

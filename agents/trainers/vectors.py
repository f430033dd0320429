"""Policies that answer with vectors: their arguments, and loading them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy

from ..algorithms.presets import Algorithm
from ..algorithms.settings import policy_class
from ..policies.features import GRUFeatures
from ..policies.gru import GRUPolicy
from .saved import SavedModel

__all__ = [
    "action_space",
    "answers_with_direction",
    "dims_of",
    "policy_kwargs",
    "restore_policy",
]

# Arguments of SB3's policies that say how many networks or layers to make.
_COUNTS = frozenset({"n_critics", "lstm_layers", "n_lstm_layers"})


def answers_with_direction(algorithm: Algorithm) -> bool:
    """Whether an algorithm's policy explores around a direction."""
    return issubclass(policy_class(algorithm), GRUPolicy)


def action_space(dim: int, num_vectors: int) -> spaces.Box:
    """The space of answers: Box (D,), or (T, D) for more than one vector."""
    return spaces.Box(-1.0, 1.0, (dim,) if num_vectors == 1 else (num_vectors, dim))


def policy_kwargs(algorithm: Algorithm, hidden_dim: int) -> dict[str, Any]:
    """Arguments of an algorithm's policy, including the width of the GRU."""
    given = dict(algorithm.policy_kwargs)
    if ":" in algorithm.policy:
        return {"hidden_dim": hidden_dim} | given
    features = {"features_dim": hidden_dim, "layer_norm": True}
    features |= given.pop("features_extractor_kwargs", {})
    return {
        "features_extractor_class": GRUFeatures,
        "features_extractor_kwargs": features,
    } | given


def dims_of(policy: BasePolicy) -> tuple[int, int]:
    """Dimensions of the vectors that a policy reads, and of those in its answers."""
    encoders = (one for one in policy.modules() if isinstance(one, GRUFeatures))
    *_, dim = policy.action_space.shape or ()
    return next(encoders).encoder.gru.input_size, dim


def restore_policy(
    saved: SavedModel, algorithm: Algorithm, kwargs: Mapping[str, Any], num_vectors: int
) -> BasePolicy:
    """Load a policy whose dimensions were saved as "source_dim" and "target_dim".

    Args:
        saved: the model.
        algorithm: the one that trained it.
        kwargs: arguments of the policy.
        num_vectors: T, the vectors of an answer.

    Raises:
        ModelFileError: the files are damaged, or do not belong together.
    """
    observed = spaces.Box(-1.0, 1.0, (1, saved.size("source_dim")))
    dim = saved.size("target_dim")
    saved.require_size("num_vectors * target_dim", num_vectors * dim)
    for name in _COUNTS.intersection(kwargs):
        saved.require_size(f"policy.{name}", kwargs[name])
    make: Callable[..., BasePolicy] = policy_class(algorithm)
    # ARS uses no gradients, so its policy takes no learning rate.
    has_optimizer = "lr_schedule" in inspect.signature(make).parameters
    schedule = {"lr_schedule": lambda _: 0.0} if has_optimizer else {}
    actions = action_space(dim, num_vectors)
    return saved.build(lambda: make(observed, actions, **schedule, **kwargs))

"""What policies observe: row numbers and vectors as the environment gives them, not normalized."""

from __future__ import annotations

from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, unwrap_vec_wrapper
from torch import Tensor

__all__ = ["as_indices", "check_bounds", "refuse_normalized"]

_WAY = (
    "VecNormalize does this to observations, and would change what texts say and where they end: "
    "use VecNormalize(env, norm_obs=False), which normalizes rewards only"
)
# How far float32 may round a vector beyond the bounds of its space, relative to them.
_ROUNDING = 1e-5


def refuse_normalized(env: VecEnv) -> None:
    """Refuse environments whose observations are normalized.

    Raises:
        ValueError: they are.
    """
    wrapper = unwrap_vec_wrapper(env, VecNormalize)
    if isinstance(wrapper, VecNormalize) and wrapper.norm_obs:
        raise ValueError(f"observations are normalized: {_WAY}")


def as_indices(observed: Tensor) -> Tensor:
    """Row numbers or tokens as integers.

    Raises:
        ValueError: they are not whole numbers of at least 0.
    """
    indices = observed.long()
    if observed.is_floating_point() and bool(((observed != indices) | (observed < 0)).any()):
        raise ValueError(f"this policy observes numbers of texts, but found fractions: {_WAY}")
    return indices


def check_bounds(observed: Tensor, space: spaces.Space[object]) -> None:
    """Check that vectors lie within their space, whose bounds are the largest of all vectors.

    Raises:
        ValueError: they do not.
    """
    assert isinstance(space, spaces.Box)
    bound = float(max(abs(space.low.min()), abs(space.high.max())))
    largest = float(observed.abs().max()) if observed.numel() else 0.0
    if largest > bound * (1 + _ROUNDING):
        raise ValueError(
            f"a vector has a coordinate of {largest:.3g}, outside of its space, whose bounds are "
            f"{-bound:.3g} and {bound:.3g}: {_WAY}"
        )

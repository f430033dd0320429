"""Make a batch of environments for SB3."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from .gym_vec_env import GymVecEnv

__all__ = ["make_vec_env"]


def make_vec_env(
    env_id: str | EnvSpec | Callable[..., gymnasium.Env[Any, Any]],
    num_envs: int = 1,
    *,
    seed: int | None = None,
    env_kwargs: dict[str, Any] | None = None,
) -> GymVecEnv:
    """Make N environments for SB3 in one batch.

    If the environment has a native vector environment, that is used; otherwise Gymnasium's
    `SyncVectorEnv`, with SAME_STEP autoreset, steps N single environments in turn.

    Args:
        env_id: as for `gymnasium.make_vec`, or a function that makes one environment.
        num_envs: N.
        seed: seed of the first reset; sub-environment i gets seed + i, unless the vector
            environment has another rule (with groups of K, seed + i // K).
        env_kwargs: arguments of the environment.

    Raises:
        gymnasium.error.Error: there is no such environment.
        ValueError: the function returns the same environment twice.
    """
    kwargs = env_kwargs or {}
    vector_env: VectorEnv[Any, Any, Any]
    if callable(env_id):
        vector_env = SyncVectorEnv(
            [partial(env_id, **kwargs)] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP
        )
        if len({id(env.unwrapped) for env in vector_env.envs}) < num_envs:
            raise ValueError(
                "the function returned the same environment more than once; "
                "it must make a new one at each call"
            )
    elif _find_spec(env_id).vector_entry_point is not None:
        vector_env = gymnasium.make_vec(env_id, num_envs, **kwargs)
    else:
        vector_env = gymnasium.make_vec(
            env_id,
            num_envs,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
            **kwargs,
        )
    vec_env = GymVecEnv(vector_env)
    if seed is not None:
        vec_env.seed(seed)
    return vec_env


def _find_spec(env_id: str | EnvSpec) -> EnvSpec:
    if isinstance(env_id, EnvSpec):
        return env_id
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    return gymnasium.spec(name)

"""Gymnasium's vector environments as Stable-Baselines3's `VecEnv`."""

from .gym_vec_env import GymVecEnv
from .make import make_vec_env

__all__ = ["GymVecEnv", "make_vec_env"]

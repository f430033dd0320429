"""The learners: Stable-Baselines3 policies and algorithms for LLMAR."""

from agents.algorithms import ALGORITHMS, Algorithm
from agents.aligner import LLMAR, Trained
from agents.config import Config
from agents.distributions import DirectionalGaussian, PowerSpherical
from agents.encoders import GRUEncoder, GRUFeatures
from agents.policies import GRUPolicy
from agents.reinforce import REINFORCE, NonFiniteLossError, advantages
from agents.vec_env import GymVecEnv, make_vec_env

__all__ = [
    "ALGORITHMS",
    "LLMAR",
    "REINFORCE",
    "Algorithm",
    "Config",
    "DirectionalGaussian",
    "GRUEncoder",
    "GRUFeatures",
    "GRUPolicy",
    "GymVecEnv",
    "NonFiniteLossError",
    "PowerSpherical",
    "Trained",
    "advantages",
    "make_vec_env",
]

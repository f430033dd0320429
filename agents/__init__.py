"""The learners: Stable-Baselines3 policies and algorithms for LLMAR."""

from agents.algorithms import ALGORITHMS, Algorithm
from agents.aligner import LLMAR, RefinedText, Trained
from agents.answering import answer
from agents.buffers import GroupedReplayBuffer, GroupedRolloutBuffer
from agents.config import Config
from agents.decoding import decode
from agents.distributions import DirectionalGaussian, EntrySoftmax, FreeGaussian, PowerSpherical
from agents.encoders import GRUEncoder, GRUFeatures, attach_texts
from agents.off_policy import GRUSACPolicy, GRUTD3Policy
from agents.policies import GRUPolicy
from agents.refinement import Refined, refine
from agents.reinforce import REINFORCE, NonFiniteLossError, advantages
from agents.vec_env import GymVecEnv, make_vec_env
from agents.warm_start import CrossEntropy, KLToReference, TargetTexts, train_cross_entropy
from agents.writer import WriterConfig
from agents.writer_policy import WriterPolicy

__all__ = [
    "ALGORITHMS",
    "LLMAR",
    "REINFORCE",
    "Algorithm",
    "Config",
    "CrossEntropy",
    "DirectionalGaussian",
    "EntrySoftmax",
    "FreeGaussian",
    "GRUEncoder",
    "GRUFeatures",
    "GRUPolicy",
    "GRUSACPolicy",
    "GRUTD3Policy",
    "GroupedReplayBuffer",
    "GroupedRolloutBuffer",
    "GymVecEnv",
    "KLToReference",
    "NonFiniteLossError",
    "PowerSpherical",
    "Refined",
    "RefinedText",
    "TargetTexts",
    "Trained",
    "WriterConfig",
    "WriterPolicy",
    "advantages",
    "answer",
    "attach_texts",
    "decode",
    "make_vec_env",
    "refine",
    "train_cross_entropy",
]

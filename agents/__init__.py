"""The learners: Stable-Baselines3 policies and algorithms for LLMAR."""

from .algorithms.advantages import advantages
from .algorithms.buffers import GroupedReplayBuffer, GroupedRolloutBuffer
from .algorithms.presets import ALGORITHMS, Algorithm
from .algorithms.reinforce import REINFORCE
from .algorithms.update import NonFiniteLossError
from .config import Config
from .distributions import DirectionalGaussian, FreeGaussian, PowerSpherical, TokenSoftmax
from .inference.answering import answer
from .inference.decoding import decode
from .inference.refinement import Refined, refine
from .llmar import LLMAR
from .networks.encoder import GRUEncoder
from .networks.seq2seq import WriterConfig
from .policies import GRUSACPolicy, GRUTD3Policy
from .policies.features import GRUFeatures, attach_texts
from .policies.gru import GRUPolicy
from .policies.writer import WriterPolicy
from .trainers.base import Trained
from .trainers.generate import RefinedText
from .training.cross_entropy import TargetTexts, train_cross_entropy
from .training.regularizers import CrossEntropy, KLToReference
from .vec_env import GymVecEnv, make_vec_env

__all__ = [
    "ALGORITHMS",
    "LLMAR",
    "REINFORCE",
    "Algorithm",
    "Config",
    "CrossEntropy",
    "DirectionalGaussian",
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
    "TokenSoftmax",
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

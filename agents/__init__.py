"""The learners: Stable-Baselines3 policies and algorithms for LLMAR.

Each name is imported from its module on first use (PEP 562), so that the command line can parse its
arguments without loading torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .algorithms import (
        ALGORITHMS,
        REINFORCE,
        Algorithm,
        GroupedReplayBuffer,
        GroupedRolloutBuffer,
        NonFiniteLossError,
        advantages,
    )
    from .config import (
        AlgorithmConfig,
        Config,
        DataConfig,
        RetrievalConfig,
        RunConfig,
        TaskConfig,
        WritingConfig,
    )
    from .distributions import DirectionalGaussian, FreeGaussian, PowerSpherical, TokenSoftmax
    from .inference.answering import answer
    from .inference.confidence import Answer, UnknownWordsWarning
    from .inference.decoding import decode
    from .inference.refinement import Refined, refine
    from .inference.search import Documents, Hit
    from .llmar import LLMAR, ModelFileError
    from .networks.encoder import GRUEncoder
    from .networks.seq2seq import Seq2SeqConfig
    from .policies import (
        GRUFeatures,
        GRUPolicy,
        GRUSACPolicy,
        GRUTD3Policy,
        WriterPolicy,
        attach_texts,
    )
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
    "AlgorithmConfig",
    "Answer",
    "Config",
    "CrossEntropy",
    "DataConfig",
    "DirectionalGaussian",
    "Documents",
    "FreeGaussian",
    "GRUEncoder",
    "GRUFeatures",
    "GRUPolicy",
    "GRUSACPolicy",
    "GRUTD3Policy",
    "GroupedReplayBuffer",
    "GroupedRolloutBuffer",
    "GymVecEnv",
    "Hit",
    "KLToReference",
    "ModelFileError",
    "NonFiniteLossError",
    "PowerSpherical",
    "Refined",
    "RefinedText",
    "RetrievalConfig",
    "RunConfig",
    "Seq2SeqConfig",
    "TargetTexts",
    "TaskConfig",
    "TokenSoftmax",
    "Trained",
    "UnknownWordsWarning",
    "WriterPolicy",
    "WritingConfig",
    "advantages",
    "answer",
    "attach_texts",
    "decode",
    "make_vec_env",
    "refine",
    "train_cross_entropy",
]

_MODULES = {
    "ALGORITHMS": ".algorithms",
    "LLMAR": ".llmar",
    "ModelFileError": ".llmar",
    "REINFORCE": ".algorithms",
    "Algorithm": ".algorithms",
    "AlgorithmConfig": ".config",
    "Config": ".config",
    "CrossEntropy": ".training.regularizers",
    "DataConfig": ".config",
    "DirectionalGaussian": ".distributions",
    "Answer": ".inference.confidence",
    "UnknownWordsWarning": ".inference.confidence",
    "Documents": ".inference.search",
    "FreeGaussian": ".distributions",
    "GRUEncoder": ".networks.encoder",
    "GRUFeatures": ".policies",
    "GRUPolicy": ".policies",
    "GRUSACPolicy": ".policies",
    "GRUTD3Policy": ".policies",
    "GroupedReplayBuffer": ".algorithms",
    "GroupedRolloutBuffer": ".algorithms",
    "GymVecEnv": ".vec_env",
    "Hit": ".inference.search",
    "KLToReference": ".training.regularizers",
    "NonFiniteLossError": ".algorithms",
    "PowerSpherical": ".distributions",
    "Refined": ".inference.refinement",
    "RefinedText": ".trainers.generate",
    "RetrievalConfig": ".config",
    "RunConfig": ".config",
    "TargetTexts": ".training.cross_entropy",
    "TaskConfig": ".config",
    "TokenSoftmax": ".distributions",
    "Trained": ".trainers.base",
    "Seq2SeqConfig": ".networks.seq2seq",
    "WriterPolicy": ".policies",
    "WritingConfig": ".config",
    "advantages": ".algorithms",
    "answer": ".inference.answering",
    "attach_texts": ".policies",
    "decode": ".inference.decoding",
    "make_vec_env": ".vec_env",
    "refine": ".inference.refinement",
    "train_cross_entropy": ".training.cross_entropy",
}
# Subpackages that can be used after `import agents` alone, as in `agents.policies.GRUPolicy`.
_PACKAGES = ("algorithms", "distributions", "policies", "vec_env")

# With a module-level `__getattr__`, type checkers would accept any name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            value = getattr(import_module(_MODULES[name], __name__), name)
        elif name in _PACKAGES:
            value = import_module(f".{name}", __name__)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_PACKAGES})

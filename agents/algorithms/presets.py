"""The algorithms by name, with their tuned settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pkgutil import resolve_name
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from llmar_env.text.embedders import WordVectorsConfig

from ..distributions import DISTRIBUTIONS
from ..names import DISTRIBUTIONS_OF, algorithm_name
from .buffers import GroupedReplayBuffer, GroupedRolloutBuffer

__all__ = [
    "ALGORITHMS",
    "CONTRASTIVE",
    "RETRIEVAL",
    "SUPERVISED",
    "WRITING",
    "Algorithm",
    "Contrastive",
    "RetrievalPreset",
    "Supervised",
    "WriterPreset",
    "adapter_algorithm",
    "resolve",
]


@dataclass(frozen=True)
class Algorithm:
    """An SB3 algorithm and its default settings."""

    path: str
    """Import path of the class, in the format of `pkgutil.resolve_name`."""
    num_texts: int
    """Number of texts that the environments show in one step."""
    group_size: int
    """Number of answers to each text."""
    learning_rate: float
    total_steps: float
    """Number of sub-environment steps; training takes a few minutes on two cores, or less."""
    policy: str = "agents.policies:GRUPolicy"
    """Import path of a policy of this package, or an SB3 alias of one of the algorithm's policies,
    which then reads texts with `GRUFeatures`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Additional arguments of the class."""
    policy_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Additional arguments of the policy."""
    distributions: tuple[str, ...] = tuple(DISTRIBUTIONS)
    """Distributions that `GRUPolicy` can use with this algorithm."""
    otherwise: Algorithm | None = None
    """Settings for distributions other than that of `policy_kwargs`; None if they are the same."""

    @property
    def cls(self) -> type[BaseAlgorithm]:
        """The algorithm's class.

        Raises:
            ImportError: the class is part of an extra that is not installed.
        """
        found: type[BaseAlgorithm] = resolve(self.path)
        return found


_ON_POLICY = {"gamma": 0.0, "rollout_buffer_class": GroupedRolloutBuffer}
_OFF_POLICY = {
    "gamma": 0.0,
    "buffer_size": 200_000,
    "learning_starts": 4096,
    "batch_size": 256,
    "gradient_steps": 16,
    "replay_buffer_class": GroupedReplayBuffer,
}

_SAC = Algorithm(
    "stable_baselines3:SAC",
    num_texts=32,
    group_size=16,
    learning_rate=1e-3,
    total_steps=1e5,
    policy="agents.policies:GRUSACPolicy",
    settings=_OFF_POLICY | {"ent_coef": 3e-3},
)
_TD3 = replace(
    _SAC,
    path="stable_baselines3:TD3",
    policy="agents.policies:GRUTD3Policy",
    settings=_OFF_POLICY | {"action_noise": 0.3},
)

ALGORITHMS: Mapping[str, Algorithm] = {
    "reinforce": Algorithm(
        "agents.algorithms.reinforce:REINFORCE",
        num_texts=384,
        group_size=16,
        learning_rate=2e-2,
        total_steps=4e6,
        settings={"baseline": "leave_one_out"},
        policy_kwargs={"noise_scale": 0.1},
    ),
    "ppo": Algorithm(
        "stable_baselines3:PPO",
        num_texts=512,
        group_size=4,
        learning_rate=5e-3,
        total_steps=2e5,
        settings=_ON_POLICY
        | {"n_steps": 8, "batch_size": 256, "n_epochs": 10, "max_grad_norm": 1.0},
        policy_kwargs={
            "distribution": "free_gaussian",
            "radius": 0.0625,
            "noise_scale": 4.0,
            "learn_noise_scale": True,
        },
        otherwise=Algorithm(
            "stable_baselines3:PPO",
            num_texts=512,
            group_size=4,
            learning_rate=2e-3,
            total_steps=2e5,
            settings=_ON_POLICY
            | {"n_steps": 1, "batch_size": 256, "n_epochs": 10, "max_grad_norm": 1.0},
            policy_kwargs={"noise_scale": 0.5, "learn_noise_scale": True},
        ),
    ),
    "a2c": Algorithm(
        "stable_baselines3:A2C",
        num_texts=128,
        group_size=16,
        learning_rate=8e-3,
        total_steps=3e6,
        settings=_ON_POLICY | {"n_steps": 1, "use_rms_prop": False, "max_grad_norm": 1.0},
        policy_kwargs={"noise_scale": 0.1},
    ),
    "trpo": Algorithm(
        "sb3_contrib:TRPO",
        num_texts=64,
        group_size=16,
        learning_rate=1e-3,
        total_steps=1e5,
        settings=_ON_POLICY
        | {
            "n_steps": 1,
            "batch_size": 1024,
            "target_kl": 2.0,
            "cg_max_steps": 10,
            "n_critic_updates": 1,
        },
        distributions=DISTRIBUTIONS_OF["trpo"],
        policy_kwargs={
            "noise_scale": 0.3,
            "features_extractor_kwargs": {"twice_differentiable": True},
        },
    ),
    "recurrent_ppo": Algorithm(
        "sb3_contrib:RecurrentPPO",
        num_texts=128,
        group_size=8,
        learning_rate=2e-3,
        total_steps=2e5,
        policy="MlpLstmPolicy",
        settings={"gamma": 0.0, "n_steps": 4, "batch_size": 1024, "n_epochs": 4},
        policy_kwargs={"log_std_init": -2.0, "lstm_hidden_size": 128, "net_arch": []},
    ),
    "sac": _SAC,
    "td3": _TD3,
    "ddpg": replace(_TD3, path="stable_baselines3:DDPG", policy_kwargs={"n_critics": 1}),
    "tqc": replace(_SAC, path="sb3_contrib:TQC", policy="agents.contrib:GRUTQCPolicy"),
    "crossq": replace(
        _SAC,
        path="sb3_contrib:CrossQ",
        learning_rate=2e-3,
        policy="agents.contrib:GRUCrossQPolicy",
    ),
    "ars": Algorithm(
        "agents.contrib:ARS",
        num_texts=256,
        group_size=1,
        learning_rate=0.05,
        total_steps=2e6,
        policy="agents.contrib:GRUSearchPolicy",
        settings={"n_delta": 8, "delta_std": 0.05, "zero_policy": False, "n_eval_episodes": 256},
    ),
}


@dataclass(frozen=True)
class Supervised:
    """Settings of the supervised baseline, the same for every algorithm of the agent."""

    num_texts: int = 384
    """Number of texts in a batch."""
    learning_rate: float = 1.6e-2
    """Adam's initial learning rate, the best one on Multi30k's validation texts."""


SUPERVISED = Supervised()


@dataclass(frozen=True)
class Contrastive:
    """Settings of contrastive training, as a baseline and as a warm start."""

    num_texts: int = 128
    """Number of queries in a batch; the others' documents are a query's negatives."""
    learning_rate: float = 2e-2
    """Adam's initial learning rate."""
    temperature: float = 0.07
    """The cosines are divided by it."""


CONTRASTIVE = Contrastive()


@dataclass(frozen=True)
class RetrievalPreset:
    """A query adapter's default settings."""

    hidden_dim: int
    """Smallest width of the GRU; it is not below the dimension of the vectors, so that what the
    network adds to them can have any direction."""
    noise_length: float
    """Initial length of the noise, relative to that of the mean answer: each of D coordinates has
    the deviation of this over sqrt(D). So one default serves vectors of any dimension."""
    warm_seconds: float
    """Duration of the warm start."""
    reinforcement: Algorithm
    """REINFORCE's settings; the other algorithms keep theirs."""


RETRIEVAL = RetrievalPreset(
    hidden_dim=128,
    noise_length=1.0,
    warm_seconds=20.0,
    reinforcement=Algorithm(
        "agents.algorithms.reinforce:REINFORCE",
        num_texts=64,
        group_size=32,
        learning_rate=2e-2,
        total_steps=1e6,
        settings={"baseline": "group"},
    ),
)


def adapter_algorithm(name: str) -> Algorithm:
    """The settings of an algorithm for a query adapter, which starts as its query's own vector.

    Args:
        name: one of `DISTRIBUTIONS_OF`: others' policies have no direction to start at.
    """
    known = algorithm_name(name)
    preset = ALGORITHMS[known]
    found = RETRIEVAL.reinforcement if known == "reinforce" else preset.otherwise or preset
    return replace(found, policy_kwargs={**found.policy_kwargs, "residual": True})


@dataclass(frozen=True)
class WriterPreset:
    """A writer's default settings."""

    word_vectors: WordVectorsConfig
    """Word vectors to train if the texts come without vectors."""
    hidden_dim: int
    """Width of the decoder; each direction of the encoder is half as wide."""
    warm_texts: int
    """Batch size of the warm start, in texts."""
    warm_learning_rate: float
    """Adam's peak learning rate in the warm start."""
    temperature_scale: float
    """Factor applied to the softmax temperature before reinforcement learning. Label smoothing
    leaves the temperature so high that samples contain unrelated words."""
    reinforcement: Algorithm
    """The algorithm that follows the warm start."""
    validations: int
    """Number of validations in each of the two phases; each one writes all validation texts."""


WRITING = WriterPreset(
    word_vectors=WordVectorsConfig(dim=256, vocab_size=8000, whitening=0.5),
    hidden_dim=256,
    warm_texts=96,
    warm_learning_rate=2e-3,
    temperature_scale=0.7,
    reinforcement=Algorithm(
        "agents.algorithms.reinforce:REINFORCE",
        num_texts=32,
        group_size=8,
        learning_rate=3e-4,
        total_steps=6e6,
        policy="agents.policies.writer:WriterPolicy",
        settings={"baseline": "leave_one_out"},
    ),
    validations=15,
)


def resolve(path: str) -> Any:
    """The object at a path, "module:name".

    Raises:
        ImportError: it comes with an extra that is not installed.
    """
    try:
        return resolve_name(path)
    except ModuleNotFoundError as error:
        if error.name != "sb3_contrib":
            raise
        name = path.partition(":")[2]
        raise ImportError(f'{name} needs sb3-contrib: pip install "llmar[contrib]"') from error

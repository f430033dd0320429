"""The protocols between REINFORCE and a policy: sample episodes, and evaluate the samples.

REINFORCE depends on these protocols only, not on policy classes. A policy with `bind` and `begin`
decides how it samples; for any other SB3 policy, `begin_sampling` uses `IndependentSampling`.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

__all__ = [
    "HasNoiseScale",
    "IndependentSampling",
    "LogsScalars",
    "SamplingPolicy",
    "SamplingState",
    "begin_sampling",
    "group_representatives",
]


class SamplingState(Protocol):
    """The state of a policy that acts in N sub-environments, during one round of episodes.

    Attributes:
        compares_ended: whether an ended episode is still compared, by its last return, with the
            episodes of its group that are still running.
    """

    compares_ended: bool

    def act(self, observations: Any, running: NDArray[np.bool_]) -> Tensor:
        """Sample (N, ...) actions for the observations (N, ...) of one step.

        Args:
            observations: an array, or a dict of arrays, as returned by the environments.
            running: (N,) bool, the sub-environments whose episode has not ended.
        """

    def evaluate(self) -> tuple[Tensor, Tensor | None]:
        """Evaluate the actions of all S steps, with gradient.

        Returns:
            Log-probabilities (S, N), and entropies (S, N), which are None unless `begin` was called
            with `entropy=True`.
        """


@runtime_checkable
class SamplingPolicy(Protocol):
    """A policy that decides how it samples."""

    def bind(self, env: VecEnv) -> None:
        """Take from the environments the data that the policy needs, such as their texts.

        Raises:
            ValueError: the environments have different texts from those of the policy.
        """

    def begin(
        self, observations: Any, group_size: int = 1, *, entropy: bool = False
    ) -> SamplingState:
        """Start a round of episodes.

        Args:
            observations: the initial observations, (N, ...).
            group_size: K; each K neighbors observe the same text.
            entropy: whether `evaluate` returns entropies.

        Raises:
            RuntimeError: the members of a group observe different texts.
        """


@runtime_checkable
class HasNoiseScale(Protocol):
    """A policy whose noise can be set from outside."""

    learn_noise_scale: bool

    def set_noise_scale(self, value: float) -> None:
        """Set the noise scale of all states."""


@runtime_checkable
class LogsScalars(Protocol):
    """A policy with additional values to log."""

    def scalars(self) -> dict[str, float]:
        """Values by their names in the log."""


class IndependentSampling:
    """Samples each step from its observation alone.

    Learning reuses the forward pass of sampling, whose autograd graph is kept.

    Args:
        policy: a policy whose `get_distribution` takes observations and, if there are groups, K.
        group_size: K; each K neighbors observe the same text, which is encoded once.
        entropy: whether `evaluate` returns entropies.
    """

    compares_ended = False

    def __init__(
        self, policy: ActorCriticPolicy, group_size: int = 1, *, entropy: bool = False
    ) -> None:
        self.policy = policy
        self.group_size = group_size
        self.log_probs: list[Tensor] = []  # (N,) each, with gradient
        self.entropies: list[Tensor] | None = [] if entropy else None  # (N,) each, with gradient

    def act(self, observations: Any, running: NDArray[np.bool_]) -> Tensor:  # noqa: ARG002 - part of the protocol
        """Sample (N, ...) actions."""
        # The backward pass goes through this forward pass, for which cuDNN's GRU requires training
        # mode; `predict` in a callback leaves the policy in evaluation mode.
        self.policy.set_training_mode(True)
        distribution = self._distribution(observations)
        # Some of SB3's distributions sample with a reparameterization gradient, unused here.
        actions: Tensor = distribution.sample().detach()
        self.log_probs.append(distribution.log_prob(actions))
        if self.entropies is not None:
            entropy = distribution.entropy()
            # Without a closed form, -log p is an estimate of the entropy.
            self.entropies.append(-self.log_probs[-1] if entropy is None else entropy)
        return actions

    def _distribution(self, observations: Any) -> Any:
        device = self.policy.device
        if self.group_size == 1:
            return self.policy.get_distribution(obs_as_tensor(observations, device))
        get_distribution: Any = self.policy.get_distribution
        shown = group_representatives(observations, self.group_size)
        return get_distribution(torch.as_tensor(shown, device=device), self.group_size)

    def evaluate(self) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities (S, N), and entropies (S, N) or None."""
        entropies = None if self.entropies is None else torch.stack(self.entropies)
        return torch.stack(self.log_probs), entropies


def begin_sampling(
    policy: ActorCriticPolicy, observations: Any, group_size: int = 1, *, entropy: bool = False
) -> SamplingState:
    """Start a round of episodes, with the policy's own sampling or `IndependentSampling`."""
    if isinstance(policy, SamplingPolicy):
        return policy.begin(observations, group_size, entropy=entropy)
    return IndependentSampling(policy, entropy=entropy)


def group_representatives(observations: NDArray[Any], group_size: int) -> NDArray[Any]:
    """Observations (N, ...) of the first member of each group, (N / K, ...).

    Raises:
        RuntimeError: the members of a group observe different texts.
    """
    groups = observations.reshape(-1, group_size, *observations.shape[1:])
    # Compares row numbers, or the first vectors of embeddings, which reveal most errors cheaply.
    if (groups[:, :, 0] != groups[:, :1, 0]).any():
        raise RuntimeError(
            f"the members of a group of {group_size} observe different texts; reset all "
            "sub-environments together, with one seed"
        )
    representatives: NDArray[Any] = groups[:, 0]
    return representatives

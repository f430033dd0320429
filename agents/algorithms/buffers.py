"""SB3 buffers that keep the answers to one text together, so that the text is encoded once.

`GRUFeatures` encodes each distinct text of a minibatch once. SB3's buffers shuffle single rows,
which spreads the K answers to a text over many minibatches; these buffers shuffle texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from stable_baselines3.common.buffers import ReplayBuffer, RolloutBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples, RolloutBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from llmar_env.spaces import TextIndex

__all__ = ["GroupedReplayBuffer", "GroupedRolloutBuffer"]


class GroupedRolloutBuffer(RolloutBuffer):
    """Rollout buffer that shuffles texts and keeps all answers to a text in one minibatch.

    Use it as `rollout_buffer_class` of PPO, A2C and TRPO. As in SB3's buffer, every row is used
    once per epoch. A group that does not fit into a minibatch continues in the next one. With
    embeddings as observations, which do not include row numbers, rows are shuffled as in SB3.
    """

    def get(self, batch_size: int | None = None) -> Iterator[RolloutBufferSamples]:  # type: ignore[override]  # SB3's type is a generator
        """Yield minibatches of `batch_size` rows, or all rows at once if None."""
        if not isinstance(self.observation_space, TextIndex):
            yield from super().get(batch_size)
            return
        next(super().get(1))  # flattens the arrays, once per rollout
        _, text = np.unique(self.observations[:, 0], return_inverse=True)
        rank = np.random.permutation(text.max() + 1)  # noqa: NPY002 - the generator that SB3 seeds
        order = np.argsort(rank[text], kind="stable")
        size = batch_size or len(order)
        for first in range(0, len(order), size):
            yield self._get_samples(order[first : first + size])


class GroupedReplayBuffer(ReplayBuffer):
    """Replay buffer that samples whole groups: the K answers to a text in one step.

    Use it as `replay_buffer_class` of SAC, TD3, DDPG, TQC and CrossQ. A batch of B transitions
    holds B / K groups, drawn with replacement, so each transition is as likely as in SB3's buffer,
    but K of them share their text. With index observations, those of a transition take 16 bytes.

    Args:
        *args: passed to `ReplayBuffer`.
        group_size: K, the group size of the environment; must divide the number of environments.
        **kwargs: passed to `ReplayBuffer`.

    Raises:
        ValueError: K does not divide the number of environments, or `optimize_memory_usage` is
            set.
    """

    def __init__(self, *args: Any, group_size: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.optimize_memory_usage:
            raise ValueError(
                "GroupedReplayBuffer does not support optimize_memory_usage, which would save only "
                "8 bytes per transition with index observations; leave it out"
            )
        if self.n_envs % group_size:
            raise ValueError(
                f"group_size={group_size} must divide the number of environments, {self.n_envs}"
            )
        self.group_size = group_size

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """Draw `batch_size` transitions; the last group is cut if K does not divide it."""
        size = self.group_size
        groups = -(-batch_size // size)
        filled = self.buffer_size if self.full else self.pos
        step = np.random.randint(filled, size=groups)  # noqa: NPY002 - as above
        first = np.random.randint(self.n_envs // size, size=groups) * size  # noqa: NPY002 - as above
        at = np.repeat(step, size)[:batch_size]
        who = (first[:, None] + np.arange(size)).reshape(-1)[:batch_size]
        ended = self.dones[at, who] * (1 - self.timeouts[at, who])
        data = (
            self._normalize_obs(self.observations[at, who], env),
            self.actions[at, who],
            self._normalize_obs(self.next_observations[at, who], env),
            ended[:, None],
            self._normalize_reward(self.rewards[at, who, None], env),
        )
        return ReplayBufferSamples(*map(self.to_torch, data))

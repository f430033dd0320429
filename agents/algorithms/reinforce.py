"""REINFORCE as a Stable-Baselines3 algorithm: the policy gradient theorem, batched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self, get_args

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import A2C
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from llmar_env.envs.core import check_choice

from .. import policies
from ..names import Baseline
from ..networks.device import resolve_device
from ..policies.sampling import (
    HasNoiseScale,
    LogsScalars,
    SamplingPolicy,
    SamplingState,
    begin_sampling,
)
from ..vec_env import GymVecEnv
from .baselines import advantages
from .episodes import EpisodeBatch, Regularizer
from .update import descend

__all__ = ["REINFORCE"]

# Longer episodes are assumed never to end.
_MAX_EPISODE_STEPS = 100_000

_ACTION_SPACES = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
# Arguments that SB3's on-policy base class requires but REINFORCE does not use.
_UNUSED: dict[str, Any] = {
    "gae_lambda": 1.0,
    "vf_coef": 0.0,
    "use_sde": False,
    "sde_sample_freq": -1,
}


class REINFORCE(OnPolicyAlgorithm):
    """REINFORCE (Williams 1992) with a choice of baselines.

    Ascends E[sum_t A_t grad log p(a_t | s_t)], with A_t the discounted reward-to-go minus a
    baseline, averaged over episodes (policy gradient theorem, Sutton et al. 2000). Whole episodes
    are collected: all sub-environments start together and are stepped until each has ended once.
    Steps after an early end are discarded, and counted. Truncated episodes are not bootstrapped.

    If the environment has groups (`group_size=K`), baselines compare the K members of a group,
    which saw the same text; otherwise they compare all sub-environments. `GRUPolicy` encodes each
    text once per group, in a single forward pass that serves both sampling and learning.

    Args:
        policy: "MlpPolicy", `GRUPolicy` or any other SB3 actor-critic policy; the value function
            is not used.
        env: as in SB3; environments from `agents.make_vec_env` are the fastest.
        learning_rate: learning rate of the optimizer, or its schedule.
        n_steps: minimum number of steps of each sub-environment per update; episodes that are
            still running are completed.
        gamma: discount factor in [0, 1].
        baseline: see `advantages`.
        ent_coef: weight of the entropy bonus, or its schedule.
        noise_scale: schedule of the distribution's noise scale; by default the policy sets it.
        max_grad_norm: maximum norm of the gradient, for clipping.
        regularizers: additional losses, such as `CrossEntropy` and `KLToReference`, each called
            with the policy and the episodes of every update.
        stats_window_size, tensorboard_log, policy_kwargs, verbose, seed, device: as in SB3.

    Raises:
        ValueError: the baseline is unknown, or compares episodes but there is only one at a time.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = A2C.policy_aliases
    rollout_buffer: EpisodeBatch  # type: ignore[assignment]  # instead of SB3's buffer
    policy: ActorCriticPolicy

    def __init__(
        self,
        policy: str | type[ActorCriticPolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = 2e-3,
        n_steps: int = 1,
        gamma: float = 1.0,
        baseline: Baseline = "leave_one_out",
        ent_coef: float | Schedule = 0.0,
        noise_scale: Schedule | None = None,
        max_grad_norm: float = 1.0,
        regularizers: Sequence[Regularizer] = (),
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        check_choice("baseline", baseline, get_args(Baseline))
        self.baseline: Baseline = baseline
        self.regularizers = tuple(regularizers)
        self.noise_scale = noise_scale
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            n_steps=n_steps,
            gamma=gamma,
            ent_coef=ent_coef,  # type: ignore[arg-type]  # only read here, as a schedule too
            max_grad_norm=max_grad_norm,
            rollout_buffer_class=EpisodeBatch,  # type: ignore[arg-type]  # as above
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            seed=seed,
            device=resolve_device(device),
            _init_setup_model=_init_setup_model,
            supported_action_spaces=_ACTION_SPACES,
            **_UNUSED,
        )

    def _setup_model(self) -> None:
        super()._setup_model()
        # A loaded model already has both, and continues from them.
        self._n_updates = getattr(self, "_n_updates", 0)
        self._seeds = getattr(self, "_seeds", None) or np.random.default_rng(self.seed)
        self._in_round = False  # whether a round of episodes is incomplete
        self._adapt_to_env()

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[int, BaseCallback]:
        if self._in_round:
            # Learning was interrupted in the middle of episodes: start new ones.
            self._last_obs = None
            self._in_round = False
        resets = reset_num_timesteps or self._last_obs is None
        if resets and self.num_timesteps:
            # Since the last update, others may have stepped the environments, as
            # `evaluate_policy` does, and the members of a group may observe different texts.
            self._seed_groups()
        return super()._setup_learn(total_timesteps, callback, reset_num_timesteps, *args, **kwargs)

    def set_env(self, env: GymEnv, force_reset: bool = True) -> None:
        """Continue in another environment, with the same spaces and the same text store."""
        super().set_env(env, force_reset)
        self._adapt_to_env()

    def _get_policy_from_name(self, policy_name: str) -> type[BasePolicy]:
        """Find a policy by the class name of one in this package, or by its SB3 alias."""
        found = getattr(policies, policy_name, None)
        if isinstance(found, type) and issubclass(found, ActorCriticPolicy):
            return found
        return super()._get_policy_from_name(policy_name)

    def _adapt_to_env(self) -> None:
        """Take group size and texts from the environment; no groups means one group of all."""
        if self.noise_scale is not None and not (
            isinstance(self.policy, HasNoiseScale) and not self.policy.learn_noise_scale
        ):
            raise ValueError(
                "a schedule of the noise scale needs a policy whose noise scale is not learned: "
                "one of this package, with learn_noise_scale=False"
            )
        if self.env is None:
            return
        own = self.env.get_attr("group_size")[0] if self.env.has_attr("group_size") else 1
        self.group_size = int(own) if own > 1 else self.env.num_envs
        self.shares_texts = own > 1 and isinstance(self.policy, SamplingPolicy)
        if isinstance(self.policy, SamplingPolicy):
            self.policy.bind(self.env)
        if self.group_size == 1 and self.baseline != "none":
            raise ValueError(
                f"baseline={self.baseline!r} compares episodes of several environments, but there "
                "is only one; make several, or use baseline='none'"
            )

    def collect_rollouts(  # type: ignore[override]  # takes an EpisodeBatch
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: EpisodeBatch,
        n_rollout_steps: int,
    ) -> bool:
        """Collect whole episodes.

        Returns:
            False if a callback ended the training.
        """
        rollout_buffer.reset()
        self._update_noise_scale()
        callback.on_rollout_start()
        while len(rollout_buffer) < n_rollout_steps:
            if not self._play_round(env, callback, rollout_buffer):
                return False
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _play_round(self, env: VecEnv, callback: BaseCallback, batch: EpisodeBatch) -> bool:
        """Step all sub-environments until each has ended an episode."""
        running = np.ones(env.num_envs, np.bool_)
        dones = ~running
        self._in_round = True
        state = self._begin_sampling(batch)
        for _ in range(_MAX_EPISODE_STEPS):
            actions = state.act(self._last_obs, running)
            new_obs, rewards, dones, infos = self._step(env, actions, running, batch)
            self.num_timesteps += env.num_envs
            batch.rewards.append(torch.as_tensor(rewards, dtype=torch.float32, device=self.device))
            batch.masks.append(torch.as_tensor(running, device=self.device))
            batch.discarded += int((~running).sum())
            self._last_obs = new_obs
            self._last_episode_starts = dones
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            if not (running & ~dones).any():
                break
            running = running & ~dones
        else:
            raise RuntimeError(
                f"an episode has not ended after {_MAX_EPISODE_STEPS} steps; REINFORCE learns "
                "from whole episodes: add a time limit to the environment"
            )
        self._in_round = False
        batch.close_round()
        self._begin_together(env, dones, ended_together=bool(running.all()))
        return True

    def _begin_sampling(self, batch: EpisodeBatch) -> SamplingState:
        """Start a round."""
        group_size = self.group_size if self.shares_texts else 1
        # A schedule may be 0 now, and not any more when the update comes.
        entropy = callable(self.ent_coef) or self.ent_coef != 0
        state = begin_sampling(self.policy, self._last_obs, group_size, entropy=entropy)
        batch.states.append(state)
        return state

    def _begin_together(
        self, env: VecEnv, dones: NDArray[np.bool_], *, ended_together: bool
    ) -> None:
        """Reset the sub-environments, unless they all start new episodes together already."""
        scattered = self.shares_texts and not ended_together
        if dones.all() and not _resets_late(env) and not scattered:
            return
        self._seed_groups()
        # SB3 annotates it as an array or a dict, but VecEnv.reset may also return a tuple.
        self._last_obs = env.reset()  # type: ignore[assignment]  # see above

    def _seed_groups(self) -> None:
        """Seed the next reset, so that the members of each group see the same new text.

        Members with short episodes have moved on to other texts.
        """
        if self.shares_texts:
            assert self.env is not None
            self.env.seed(int(self._seeds.integers(2**31)))

    def _step(
        self, env: VecEnv, actions: Tensor, running: NDArray[np.bool_], batch: EpisodeBatch
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], Any]:
        """Take a step, and record the statistics of the `running` episodes that ended in it."""
        array = actions.cpu().numpy()
        if isinstance(self.action_space, spaces.Box):
            array = self._clip(array.reshape(-1, *self.action_space.shape), batch)
        if not isinstance(env, GymVecEnv):
            obs, rewards, dones, infos = env.step(array)
            ended = [info for info, counts in zip(infos, running, strict=True) if counts]
            self._update_info_buffer(ended, dones[running])
            return obs, rewards, dones, infos
        obs, rewards, terminated, truncated, arrays = env.step_arrays(array)
        self._record_episodes(env, running, arrays)
        return obs, rewards, terminated | truncated, env.last_infos()

    def _clip(self, actions: NDArray[Any], batch: EpisodeBatch) -> NDArray[Any]:
        """Clip actions to the bounds, and count the clipped fraction."""
        space = self.action_space
        assert isinstance(space, spaces.Box)
        if actions.min() >= space.low.max() and actions.max() <= space.high.min():
            return actions
        inside = actions.clip(space.low, space.high)
        batch.clipped += float((inside != actions).mean())
        return inside

    def _record_episodes(
        self, env: GymVecEnv, running: NDArray[np.bool_], arrays: dict[str, Any]
    ) -> None:
        """Do the work of `_update_info_buffer` without a loop over sub-environments."""
        index, returns, lengths = env.episode_statistics()
        kept = np.flatnonzero(running[index])[-self._stats_window_size :]
        assert self.ep_info_buffer is not None
        assert self.ep_success_buffer is not None
        self.ep_info_buffer.extend(
            {"r": r, "l": length}
            for r, length in zip(returns[kept].tolist(), lengths[kept].tolist(), strict=True)
        )
        success = arrays.get("final_info", arrays).get("is_success")
        if success is not None:
            self.ep_success_buffer.extend(success[index[kept]].tolist())

    def train(self) -> None:
        """Update the policy once, from the collected episodes.

        Raises:
            NonFiniteLossError: the loss or its gradient is NaN or infinite.
        """
        self._update_learning_rate(self.policy.optimizer)
        self.policy.set_training_mode(True)
        batch = self.rollout_buffer
        batch.evaluate()
        returns = torch.stack(batch.returns).view(len(batch), -1, self.group_size)
        policy_loss = self._policy_loss(batch, returns)
        loss = policy_loss
        if batch.entropy is not None:
            loss = loss - self._at_present(self.ent_coef) * batch.mean_entropy()
        for regularizer in self.regularizers:
            loss = loss + regularizer(self.policy, batch)
        when = f"in update {self._n_updates + 1}, after {self.num_timesteps} steps"
        grad_norm = descend(self.policy, loss, self.max_grad_norm, when)
        self._n_updates += 1
        self._log(batch, returns, policy_loss, grad_norm)

    def _policy_loss(self, batch: EpisodeBatch, returns: Tensor) -> Tensor:
        """() loss whose gradient is the negative policy gradient, from (S, B, K) rewards-to-go."""
        mask = batch.mask.view(returns.shape)
        compared = None if batch.compares_ended else mask
        advantage = advantages(returns, self.baseline, compared) * mask
        assert batch.log_prob is not None
        weighted = advantage * batch.log_prob.view(returns.shape)
        return -weighted.sum() / (batch.rounds * mask[0].numel())

    def _at_present(self, value: float | Schedule) -> float:
        """The current value of a setting that may be a schedule."""
        # Negative in the last update, whose rollout goes beyond the limit of steps.
        progress_remaining = max(0.0, self._current_progress_remaining)
        return float(value(progress_remaining) if callable(value) else value)

    def _update_noise_scale(self) -> None:
        if self.noise_scale is not None:
            assert isinstance(self.policy, HasNoiseScale)
            self.policy.set_noise_scale(self._at_present(self.noise_scale))

    def _log(self, batch: EpisodeBatch, groups: Tensor, loss: Tensor, grad_norm: Tensor) -> None:
        record = self.logger.record
        record("train/n_updates", self._n_updates, exclude="tensorboard")
        record("train/policy_gradient_loss", loss.item())
        record("train/grad_norm", grad_norm.item())
        reward_std = groups[batch.starts].std(-1, correction=0).mean()
        record("rollout/group_reward_std", reward_std.item())
        record("rollout/clipped_fraction", batch.clipped / len(batch))
        record("rollout/discarded_steps", batch.discarded)
        if isinstance(self.policy, LogsScalars):
            for name, value in self.policy.scalars().items():
                record(name, value)
        if batch.entropy is not None:
            record("train/entropy", batch.mean_entropy().item())

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 1,
        tb_log_name: str = "REINFORCE",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Learn, as in SB3."""
        return super().learn(
            total_timesteps, callback, log_interval, tb_log_name, reset_num_timesteps, progress_bar
        )


def _resets_late(env: VecEnv) -> bool:
    """Whether the next step of a sub-environment would be a reset step (NEXT_STEP)."""
    base = env.unwrapped
    return isinstance(base, GymVecEnv) and bool(base.waiting.any())

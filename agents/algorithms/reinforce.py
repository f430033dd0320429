"""REINFORCE as a Stable-Baselines3 algorithm: the policy gradient theorem, batched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self, get_args

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from llmar_env.spaces import TextIndex

from ..networks.device import resolve_device
from ..policies.direction import DirectionPolicy
from ..policies.gru import GRUPolicy
from ..policies.writer import Draft, WriterPolicy
from ..vec_env import GymVecEnv
from .advantages import Baseline, advantages
from .episodes import EpisodeBatch, Regularizer
from .update import NonFiniteLossError

__all__ = ["REINFORCE"]

# Episodes longer than this are taken for endless ones.
_MAX_EPISODE_STEPS = 100_000


class REINFORCE(OnPolicyAlgorithm):
    """REINFORCE (Williams 1992) with a choice of baselines.

    Ascends E[sum_t A_t grad log p(a_t | s_t)], with A_t the discounted reward-to-go less a
    baseline, averaged over episodes (policy gradient theorem, Sutton et al. 2000). Whole episodes
    are collected: all sub-environments begin together and are stepped until each has ended once;
    what one that ended early does meanwhile is discarded, and counted. A truncated episode counts
    as it is, without a value for what would have followed.

    Where the environment has groups (`group_size=K`), baselines compare the K members of a group,
    which saw the same text; elsewhere, all sub-environments. With `GRUPolicy` each text is encoded
    once a group, in the one forward pass that sampling and learning share.

    Args:
        policy: "MlpPolicy", `GRUPolicy` or any other SB3 actor-critic policy; the value function
            is not used.
        env: as in SB3; `agents.make_vec_env` gives the fast one.
        learning_rate: of the optimizer, or a schedule of it.
        n_steps: at least so many steps of each sub-environment for one update; the episodes that
            are running then are completed.
        gamma: discount factor in [0, 1].
        baseline: see `advantages`.
        ent_coef: weight of the entropy bonus, or a schedule of it.
        noise_scale: a schedule of the noise scale of the distribution; by default the policy's own.
        max_grad_norm: the gradient is scaled down to this norm.
        regularizers: further losses, such as `CrossEntropy` and `KLToReference`, each called with
            the policy and the episodes of every update.
        stats_window_size, tensorboard_log, policy_kwargs, verbose, seed, device: as in SB3.

    Raises:
        ValueError: an unknown baseline, or one that compares where there is one episode only.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": ActorCriticPolicy,
        "GRUPolicy": GRUPolicy,
        "WriterPolicy": WriterPolicy,
    }
    rollout_buffer: EpisodeBatch  # type: ignore[assignment]  # in the place of SB3's buffer
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
        if baseline not in get_args(Baseline):
            raise ValueError(
                f"baseline must be one of {', '.join(get_args(Baseline))}, found {baseline!r}"
            )
        self.baseline: Baseline = baseline
        self.regularizers = tuple(regularizers)
        self.noise_scale = noise_scale
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            n_steps=n_steps,
            gamma=gamma,
            gae_lambda=1.0,
            ent_coef=ent_coef,  # type: ignore[arg-type]  # only read here, as a schedule too
            vf_coef=0.0,
            max_grad_norm=max_grad_norm,
            use_sde=False,
            sde_sample_freq=-1,
            rollout_buffer_class=EpisodeBatch,  # type: ignore[arg-type]  # likewise
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            policy_kwargs=policy_kwargs,
            verbose=verbose,
            seed=seed,
            device=resolve_device(device),
            _init_setup_model=_init_setup_model,
            supported_action_spaces=(
                spaces.Box,
                spaces.Discrete,
                spaces.MultiDiscrete,
                spaces.MultiBinary,
            ),
        )

    def _setup_model(self) -> None:
        super()._setup_model()
        self._n_updates = 0
        self._seeds = np.random.default_rng(self.seed)
        self._adapt_to_env()

    def set_env(self, env: GymEnv, force_reset: bool = True) -> None:
        """Go on in another environment, with the same spaces and on the same text store."""
        super().set_env(env, force_reset)
        self._adapt_to_env()

    def _adapt_to_env(self) -> None:
        """Take group size and texts from the environment; without groups all are one group."""
        if self.noise_scale is not None and not (
            isinstance(self.policy, DirectionPolicy) and not self.policy.learn_noise_scale
        ):
            raise ValueError(
                "a schedule of the noise scale needs a policy whose distribution has one that is "
                "not learned: GRUPolicy or WriterPolicy, with learn_noise_scale=False"
            )
        if self.env is None:
            return
        own = self.env.get_attr("group_size")[0] if self.env.has_attr("group_size") else 1
        self.group_size = int(own) if own > 1 else self.env.num_envs
        self.shares_texts = own > 1 and isinstance(self.policy, GRUPolicy | WriterPolicy)
        space = self.env.observation_space
        if isinstance(self.policy, GRUPolicy) and isinstance(space, TextIndex) and space.texts:
            self.policy.attach(space.texts)  # a loaded policy comes without
        if isinstance(self.policy, WriterPolicy):
            self.policy.attach_space(space)
            self._require_its_vocabulary(self.policy, self.env)
        if self.group_size == 1 and self.baseline != "none":
            raise ValueError(
                f"baseline={self.baseline!r} compares episodes that run side by side, and there "
                "is one environment; make several, or take baseline='none'"
            )

    @staticmethod
    def _require_its_vocabulary(policy: WriterPolicy, env: VecEnv) -> None:
        theirs = env.get_attr("mdp")[0].vocabulary.fingerprint if env.has_attr("mdp") else None
        ours = policy.vocabulary and policy.vocabulary.fingerprint
        if theirs is not None and theirs != ours:
            raise ValueError(
                f"this policy writes with the vocabulary {ours}, and the environment reads with "
                f"{theirs}"
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
                self._last_obs = None  # in the middle of episodes: the next `learn` begins anew
                return False
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _play_round(self, env: VecEnv, callback: BaseCallback, batch: EpisodeBatch) -> bool:
        """Step all sub-environments until each has ended an episode."""
        running = np.ones(env.num_envs, np.bool_)
        dones = ~running
        draft = self._open_draft(batch)
        for _ in range(_MAX_EPISODE_STEPS):
            actions = self._act(batch) if draft is None else self._write(draft, running)
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
            running = running & ~dones
            if not running.any():
                break
        else:
            raise RuntimeError(
                f"an episode has not ended after {_MAX_EPISODE_STEPS} steps; REINFORCE learns "
                "from whole episodes, so give the environment a time limit"
            )
        batch.close_round()
        if not dones.all() or _resets_late(env) or (draft and self.shares_texts):
            if self.shares_texts:
                # Members whose episodes were short have gone on to further texts: one seed brings
                # the groups together again, on texts of their own.
                env.seed(int(self._seeds.integers(2**31)))
            # SB3 types it as an array or a dict, and VecEnv.reset also as a tuple.
            self._last_obs = env.reset()  # type: ignore[assignment]
        return True

    def _act(self, batch: EpisodeBatch) -> Tensor:
        """(N, ...) actions in the last observations; their log-densities are kept."""
        # The backward pass goes through this forward pass, and cuDNN's GRU wants train mode then;
        # `predict` in a callback leaves the policy in the other one.
        self.policy.set_training_mode(True)
        if self.shares_texts:
            assert isinstance(self.policy, GRUPolicy)
            distribution: Any = self.policy.get_distribution(
                self._group_representatives(self._last_obs), self.group_size
            )
        else:
            # SB3 types it as possibly None, which it is only before `learn`.
            obs = obs_as_tensor(self._last_obs, self.device)  # type: ignore[arg-type]
            distribution = self.policy.get_distribution(obs)
        actions: Tensor = distribution.sample()
        batch.log_probs.append(distribution.log_prob(actions))
        if self.ent_coef:
            batch.entropies.append(self._entropy(distribution, batch.log_probs[-1]))
        return actions

    def _open_draft(self, batch: EpisodeBatch) -> Draft | None:
        """Begin a round of a policy that carries its state from step to step."""
        if not isinstance(self.policy, WriterPolicy):
            return None
        self.policy.set_training_mode(False)
        assert isinstance(self._last_obs, dict)
        text = self._group_representatives(self._last_obs["text"])
        batch.drafts.append(
            self.policy.open({"text": text}, self.group_size if self.shares_texts else 1)
        )
        return batch.drafts[-1]

    def _write(self, draft: Draft, running: NDArray[np.bool_]) -> Tensor:
        """(N, D) actions in the last observations, by a policy that carries its state."""
        obs = self._last_obs
        assert isinstance(obs, dict)
        written = torch.as_tensor(obs["written"], device=self.device)
        return draft.act(written, torch.as_tensor(running, device=self.device))

    def _group_representatives(self, obs: Any) -> Tensor:
        """Observations (N, ...) of the first member of each group, (B, ...)."""
        assert isinstance(obs, np.ndarray)
        groups = obs.reshape(-1, self.group_size if self.shares_texts else 1, *obs.shape[1:])
        # The row number; of embeddings the first vector, which shows most faults at little cost.
        if (groups[:, :, 0] != groups[:, :1, 0]).any():
            raise RuntimeError(
                f"the members of a group of {self.group_size} observe different texts; reset all "
                "sub-environments together, with one seed"
            )
        return torch.as_tensor(groups[:, 0], device=self.device)

    def _step(
        self, env: VecEnv, actions: Tensor, running: NDArray[np.bool_], batch: EpisodeBatch
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], Any]:
        """Act, and record the statistics of the `running` episodes that ended."""
        if isinstance(self.action_space, spaces.Box):
            actions = self._clip(actions.view(-1, *self.action_space.shape), batch)
        array = actions.cpu().numpy()
        if not isinstance(env, GymVecEnv):
            obs, rewards, dones, infos = env.step(array)
            ended = [info for info, counts in zip(infos, running, strict=True) if counts]
            self._update_info_buffer(ended, dones[running])
            return obs, rewards, dones, infos
        obs, rewards, terminated, truncated, arrays = env.step_arrays(array)
        self._record_episodes(env, running, arrays)
        return obs, rewards, terminated | truncated, env.last_infos()

    def _clip(self, actions: Tensor, batch: EpisodeBatch) -> Tensor:
        """Actions within the bounds; the fraction that was not is counted."""
        space = self.action_space
        assert isinstance(space, spaces.Box)
        lowest, highest = actions.aminmax()
        if lowest >= space.low.max() and highest <= space.high.min():
            return actions
        low, high = (
            torch.as_tensor(bound, device=self.device) for bound in (space.low, space.high)
        )
        inside = actions.clamp(low, high)
        batch.clipped += (inside != actions).float().mean().item()
        return inside

    def _record_episodes(
        self, env: GymVecEnv, running: NDArray[np.bool_], arrays: dict[str, Any]
    ) -> None:
        """What `_update_info_buffer` does, without a loop over sub-environments."""
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

    @staticmethod
    def _entropy(distribution: Any, log_prob: Tensor) -> Tensor:
        entropy = distribution.entropy()
        return -log_prob.mean() if entropy is None else entropy.mean()

    def train(self) -> None:
        """One update from the episodes collected.

        Raises:
            NonFiniteLossError: the loss or its gradient is NaN or infinite.
        """
        self._update_learning_rate(self.policy.optimizer)
        batch = self.rollout_buffer
        # What was written without dropout is evaluated without it.
        self.policy.set_training_mode(not batch.drafts)
        ent_coef = self._at_present(self.ent_coef)
        batch.evaluate_drafts(entropy=ent_coef != 0)
        mask = torch.stack(batch.masks)  # (S, N)
        returns = torch.stack(batch.returns)
        groups = (len(returns), -1, self.group_size)
        advantage = advantages(
            returns.view(groups), self.baseline, None if batch.drafts else mask.view(groups)
        )
        advantage = advantage * mask.view(groups)
        log_prob = batch.log_prob().view(groups)
        policy_loss = -(advantage * log_prob).sum() / (batch.rounds * mask.shape[1])
        loss = policy_loss
        if batch.entropies:
            loss = loss - ent_coef * torch.stack(batch.entropies).mean()
        for regularizer in self.regularizers:
            loss = loss + regularizer(self.policy, batch)
        self._require_finite("loss", loss)
        self.policy.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's has no annotations
        grad_norm = torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        self._require_finite("gradient", grad_norm)
        self.policy.optimizer.step()
        self._n_updates += 1
        self._log(batch, returns.view(groups), policy_loss, grad_norm)

    def _at_present(self, value: float | Schedule) -> float:
        """A setting or its schedule, at the present progress."""
        return float(value(self._current_progress_remaining) if callable(value) else value)

    def _update_noise_scale(self) -> None:
        if self.noise_scale is not None:
            assert isinstance(self.policy, DirectionPolicy)
            with torch.no_grad():
                self.policy.log_std.fill_(math.log(self._at_present(self.noise_scale)))

    def _require_finite(self, what: str, value: Tensor) -> None:
        if not bool(torch.isfinite(value)):
            raise NonFiniteLossError(
                f"the {what} is {value.item()} in update {self._n_updates + 1}, after "
                f"{self.num_timesteps} steps; the weights are those before it. A lower learning "
                "rate, or a reward without extreme values, may help"
            )

    def _log(self, batch: EpisodeBatch, groups: Tensor, loss: Tensor, grad_norm: Tensor) -> None:
        record = self.logger.record
        record("train/n_updates", self._n_updates, exclude="tensorboard")
        record("train/policy_gradient_loss", loss.item())
        record("train/grad_norm", grad_norm.item())
        noise_scale = groups[batch.starts].std(-1, correction=0).mean()
        record("rollout/group_reward_std", noise_scale.item())
        record("rollout/clipped_fraction", batch.clipped / len(batch))
        record("rollout/discarded_steps", batch.discarded)
        if isinstance(self.policy, DirectionPolicy):
            record("train/noise_scale", self.policy.action_dist.noise_scale.item())
        if batch.entropies:
            record("train/entropy", torch.stack(batch.entropies).mean().item())

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

"""Tianshou's PPO, on Tianshou's vector environment: 64 single environments, stepped in turn.

pip install -e ".[tianshou]" && python examples/tianshou_ppo.py
Alignment on test: 0.00 untrained, 0.83 trained, at least 0.7 more; 41 seconds of one core.
"""

import gymnasium as gym
import numpy as np
import torch
import tyro
from tianshou.algorithm import PPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousCritic
from torch import Tensor, distributions, nn

from agents.policies.features import GRUFeatures


class Actor(nn.Sequential):
    """Layers with Tianshou's actor interface: takes an array, returns the mean answer and state."""

    def forward(self, obs: np.ndarray, state: None = None, **_: object) -> tuple[Tensor, None]:
        """The mean answer, at a fixed length, since a cosine depends on the direction only."""
        return nn.functional.normalize(super().forward(torch.as_tensor(obs)), dim=-1) / 2, state


def collector(policy: ProbabilisticActorPolicy, seed: int, **options: str) -> Collector:
    """A collector of the policy's answers in 64 environments."""
    envs = DummyVectorEnv([lambda: gym.make("llmar_env:LLMAR/Align-v0", **options)] * 64)
    envs.seed(seed)
    return Collector(policy, envs, VectorReplayBuffer(1024, 64))


def main(data: str = "phrasebook:en", steps: int = 81_920, seed: int = 0) -> tuple[float, float]:
    """Train on `steps` answers; return alignment on 1024 texts of "test", before and after."""
    np.random.seed(seed)  # noqa: NPY002 - Tianshou draws its minibatches from it
    torch.manual_seed(seed)
    env = gym.make("llmar_env:LLMAR/Align-v0", data=data)
    policy = ProbabilisticActorPolicy(
        actor=Actor(GRUFeatures(env.observation_space, 64), nn.Linear(64, *env.action_space.shape)),
        dist_fn=lambda mean: distributions.Independent(distributions.Normal(mean, 0.08), 1),
        action_space=env.action_space,
        deterministic_eval=True,
    )
    critic = ContinuousCritic(preprocess_net=Net(state_shape=env.observation_space.shape))
    ppo = PPO(policy=policy, critic=critic, optim=AdamOptimizerFactory(5e-3), ent_coef=0.0)
    train, test = collector(policy, seed, data=data), collector(policy, 0, data=data, split="test")
    untrained = test.collect(n_episode=1024, reset_before_collect=True).returns.mean()
    batches = {"max_epochs": 1, "epoch_num_steps": steps, "collection_step_num_env_steps": 128}
    ppo.run_training(OnPolicyTrainerParams(training_collector=train, verbose=False, **batches))
    return untrained, test.collect(n_episode=1024, reset_before_collect=True).returns.mean()


if __name__ == "__main__":
    print("alignment on test: {:.3f} untrained, {:.3f} trained".format(*tyro.cli(main)))

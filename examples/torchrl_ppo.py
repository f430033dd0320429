"""TorchRL's PPO; `GymWrapper` takes native vector environments, best with autoreset DISABLED.

pip install -e ".[torchrl]" && python examples/torchrl_ppo.py
Alignment on test: 0.00 untrained, 0.83 trained, at least 0.7 more; 23 seconds of one core.
"""

import gymnasium as gym
import torch
import tyro
from tensordict.nn import TensorDictModule
from torch import Tensor, nn
from torchrl.collectors import Collector
from torchrl.envs import ExplorationType, GymWrapper, set_exploration_type
from torchrl.modules import IndependentNormal, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from agents.policies.features import GRUFeatures


def around(loc: Tensor) -> IndependentNormal:
    """Noise around a mean of fixed length, since a cosine depends on the direction only."""
    return IndependentNormal(nn.functional.normalize(loc, dim=-1) / 2, torch.full_like(loc, 0.08))


@set_exploration_type(ExplorationType.DETERMINISTIC)
def evaluate(policy: ProbabilisticActor, env: GymWrapper) -> float:
    """Mean alignment of the deterministic answers, on the same texts at each call."""
    env.set_seed(0)
    return env.rollout(1, policy)["next", "reward"].mean().item()


def main(data: str = "phrasebook:en", steps: int = 102_400, seed: int = 0) -> tuple[float, float]:
    """Train on `steps` answers; return alignment on 1024 texts of "test", before and after."""
    torch.manual_seed(seed)
    options = {"id": "llmar_env:LLMAR/Align-v0", "data": data, "autoreset_mode": "DISABLED"}
    env = GymWrapper(gym.make_vec(num_envs=512, **options))
    test = GymWrapper(gym.make_vec(num_envs=1024, split="test", **options))
    space = env.single_observation_space
    net = nn.Sequential(GRUFeatures(space), nn.Linear(128, env.single_action_space.shape[0]))
    net = TensorDictModule(net, ["observation"], ["loc"])
    policy = ProbabilisticActor(net, ["loc"], distribution_class=around, return_log_prob=True)
    value = ValueOperator(nn.Sequential(nn.Flatten(-2), nn.Linear(gym.spaces.flatdim(space), 1)))
    advantage = GAE(gamma=0.99, lmbda=0.95, value_network=value, average_gae=True)
    loss = ClipPPOLoss(policy, value, entropy_bonus=False)
    optimizer = torch.optim.Adam(loss.parameters(), lr=3e-3)
    untrained = evaluate(policy, test)
    env.set_seed(seed)
    frames = {"frames_per_batch": 512, "total_frames": steps}
    for batch in Collector(env, policy, auto_register_policy_transforms=False, **frames):
        for part in advantage(batch).flatten()[torch.randperm(512)].split(128):
            losses = loss(part)
            optimizer.zero_grad()
            (losses["loss_objective"] + losses["loss_critic"]).backward()
            optimizer.step()
    return untrained, evaluate(policy, test)


if __name__ == "__main__":
    print("alignment on test: {:.3f} untrained, {:.3f} trained".format(*tyro.cli(main)))

"""skrl's PPO; `wrap_env` takes native vector environments, with Gymnasium's SAME_STEP autoreset.

pip install -e ".[skrl]" && python examples/skrl_ppo.py
Alignment on test: -0.01 untrained, 0.84 trained, at least 0.7 more; 19 seconds of one core.
"""

import gymnasium as gym
import torch
import tyro
from skrl.agents.torch.ppo import PPO
from skrl.envs.wrappers.torch import Wrapper, wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import GaussianMixin, Model
from skrl.trainers.torch import SequentialTrainer
from skrl.utils import set_seed
from skrl.utils.model_instantiators.torch import deterministic_model
from torch import Tensor, nn

from agents.policies.features import GRUFeatures


class Policy(GaussianMixin, Model):
    """The mean answer has a fixed length, since a cosine depends on the direction only."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space) -> None:
        Model.__init__(self, observation_space=observation_space, action_space=action_space)
        GaussianMixin.__init__(self)
        self.net = nn.Sequential(GRUFeatures(observation_space), nn.Linear(128, self.num_actions))

    def compute(self, inputs: dict[str, Tensor], _: str = "") -> tuple[Tensor, dict[str, Tensor]]:
        """Mean (N, D) of the answers to N flattened texts, and their log standard deviation."""
        directions = self.net(inputs["observations"].unflatten(1, self.observation_space.shape))
        mean = nn.functional.normalize(directions, dim=-1) / 2
        return mean, {"log_std": torch.full_like(mean, -2.5)}


def evaluate(policy: Policy, env: Wrapper) -> float:
    """Mean alignment, without noise, on the first texts of a newly wrapped environment."""
    return env.step(policy.compute({"observations": env.reset()[0]})[0].detach())[1].mean().item()


def main(data: str = "phrasebook:en", steps: int = 102_400, seed: int = 0) -> tuple[float, float]:
    """Train on `steps` answers; return alignment on 1024 texts of "test", before and after."""
    set_seed(seed)
    test = gym.make_vec("llmar_env:LLMAR/Align-v0", 1024, data=data, split="test")
    env = wrap_env(gym.make_vec("llmar_env:LLMAR/Align-v0", 512, data=data), "gymnasium")
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    layers = [{"name": "value", "input": "OBSERVATIONS", "layers": ["flatten", 1]}]
    models = {"policy": Policy(**spaces), "value": deterministic_model(network=layers, **spaces)}
    cfg = {"rollouts": 1, "learning_epochs": 1, "mini_batches": 4, "learning_rate": 3e-3}
    cfg["experiment"] = {"write_interval": 0, "checkpoint_interval": 0}
    ppo = PPO(models=models, memory=RandomMemory(memory_size=1, num_envs=512), cfg=cfg, **spaces)
    untrained = evaluate(ppo.policy, wrap_env(test, "gymnasium"))
    trainer = {"timesteps": steps // 512, "headless": True, "close_environment_at_exit": False}
    SequentialTrainer(env=env, agents=ppo, cfg=trainer).train()
    return untrained, evaluate(ppo.policy, wrap_env(test, "gymnasium"))


if __name__ == "__main__":
    print("alignment on test: {:.3f} untrained, {:.3f} trained".format(*tyro.cli(main)))

"""LLMAR on Ray's RLlib, with any number of machines; needs the extra "rllib".

Each machine has one copy of the corpus in Ray's object store. All its environments, modules and
learners read it without a copy, and an observed text is sent as 8 bytes, its row number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from llmar_env.envs.align import AlignVectorEnv
from llmar_env.metrics import Scores
from llmar_env.text.corpus import Corpus

from .distributions import DirectionalGaussian
from .inference.evaluation import score_split
from .policies.features import GRUFeatures

try:
    import ray
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.core.columns import Columns
    from ray.rllib.core.rl_module.apis import ValueFunctionAPI
    from ray.rllib.core.rl_module.rl_module import RLModuleSpec
    from ray.rllib.core.rl_module.torch import TorchRLModule
    from ray.tune.registry import register_env
except ImportError as error:
    raise ImportError('agents.rllib needs Ray: pip install "llmar[rllib]"') from error

__all__ = ["GRUModule", "NextStepReset", "evaluate", "make_env", "ppo_config", "share"]

_ENV = "LLMAR/Align-v0"
# Number of texts answered at a time.
_BLOCK = 512


def share(corpus: Corpus) -> Any:
    """Put a corpus into Ray's object store, where environments and modules read it without a copy.

    Strings and embedders are left out, since neither environments nor modules need them.

    Returns:
        Ray's `ObjectRef` of the corpus, which stays in the store as long as a reference exists.
        `ray.get` does not copy its arrays.
    """
    lean = replace(corpus, sources=(), targets=(), source_embedder=None, target_embedder=None)
    # Compute cached properties once, before sharing, instead of in each process.
    _ = lean.source.fingerprint, lean.source.max_length, lean.target.unit_means
    return ray.put(lean)


class NextStepReset(VectorWrapper):
    """Adds NEXT_STEP autoreset, which RLlib requires, to environments whose episodes end together.

    The step after the end starts the next episodes: its actions are ignored, its rewards are 0.

    Args:
        env: a vector environment with `AutoresetMode.DISABLED`. If only some of its episodes have
            ended, its next step raises an error.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self._ended = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start the next episodes."""
        self._ended = False
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take a step, or start the next episodes if the previous ones have ended."""
        if self._ended:
            observations, infos = self.reset()
            never = np.zeros(self.num_envs, np.bool_)
            return observations, np.zeros(self.num_envs), never, never.copy(), infos
        moved = self.env.step(actions)
        self._ended = bool((moved[2] | moved[3]).all())
        return moved


def make_env(context: Mapping[str, Any]) -> NextStepReset:
    """Make LLMAR/Align-v0 for RLlib: N environments in one batch, which show row numbers.

    Args:
        context: RLlib's environment context, with `num_envs`; `corpus`, as returned by `share`; and
            options of `AlignMDP` other than `observation`.
    """
    options = dict(context)
    corpus: Corpus = ray.get(options.pop("corpus"))
    envs = AlignVectorEnv(
        data=corpus, observation="index", autoreset_mode=AutoresetMode.DISABLED, **options
    )
    return NextStepReset(envs)


class GRUModule(TorchRLModule, ValueFunctionAPI):
    """`GRUPolicy` for RLlib: a GRU reads the text, a linear layer gives the answer's direction.

    The mean of an action has a fixed length, since a cosine depends on the direction only, and its
    noise is fixed. The value function shares the GRU. `model_config` contains:

    - corpus: the corpus of the environments, as returned by `share`.
    - hidden_dim: H, size of the GRU's state; 128 by default.
    - noise_scale: noise of each coordinate, relative to the mean's length; 0.2 by default.

    Raises:
        ValueError: the answer is not one vector, Box (D,).
    """

    def setup(self) -> None:
        """Make the network, which looks up texts in Ray's object store."""
        if len(self.action_space.shape) != 1:
            raise ValueError(
                f"GRUModule answers with one vector, Box (D,), found {self.action_space}"
            )
        hidden_dim = self.model_config.get("hidden_dim", 128)
        self.features = GRUFeatures(self.observation_space, hidden_dim)
        self.features.attach(ray.get(self.model_config["corpus"]).source)
        self.distribution = DirectionalGaussian(1, *self.action_space.shape)
        self.direction, log_noise_scale = self.distribution.proba_distribution_net(
            hidden_dim, math.log(self.model_config.get("noise_scale", 0.2))
        )
        self.register_buffer("log_noise_scale", log_noise_scale.detach())
        self.value = nn.Linear(hidden_dim, 1)
        # With several learners, DDP would broadcast buffers, and so write to shared memory.
        ignored = [name for name, _ in self.named_buffers()]
        leave_out = DistributedDataParallel._set_params_and_buffers_to_ignore_for_model
        leave_out(self, ignored)  # type: ignore[no-untyped-call]  # torch's has no annotations

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Tensor]:
        """Parameters (B, 2D) of RLlib's diagonal Gaussian, and the GRU's states (B, H)."""
        states = self.features(batch[Columns.OBS])
        answers = self.distribution.proba_distribution(self.direction(states), self.log_noise_scale)
        log_std = self.log_noise_scale + math.log(answers.radius)
        mean = answers.mode()
        return {
            Columns.ACTION_DIST_INPUTS: torch.cat([mean, log_std.expand_as(mean)], dim=-1),
            Columns.EMBEDDINGS: states,
        }

    def compute_values(self, batch: dict[str, Any], embeddings: Tensor | None = None) -> Tensor:
        """(B,) estimated values of the observed texts."""
        states = self.features(batch[Columns.OBS]) if embeddings is None else embeddings
        values: Tensor = self.value(states).squeeze(-1)
        return values


def ppo_config(corpus: Any, *, num_env_runners: int, seed: int = 0, **model_config: Any) -> Any:
    """Configure RLlib's PPO for LLMAR/Align-v0, with tuned settings.

    An episode is a stream of texts, since an episode costs far more in RLlib than a step. Answers
    do not affect the rewards of later texts, so the discount factor is 0. Failed runners are
    restarted.

    To continue from a checkpoint, call `restore_from_path` on an algorithm built from this.
    `Algorithm.from_checkpoint` does not work: the configuration in a checkpoint refers to a corpus
    in the object store of a previous Ray session.

    Args:
        corpus: as returned by `share`.
        num_env_runners: processes that collect experience; with 0, the learner's process does.
        seed: seeds weights, noise and the choice of texts.
        **model_config: options of `GRUModule`.

    Returns:
        An RLlib `PPOConfig`, to modify or to build.
    """
    register_env(_ENV, make_env)
    return (
        PPOConfig()
        .environment(
            _ENV,
            env_config={"corpus": corpus, "advance": "alignment", "episode_length": 64},
            normalize_actions=False,
            clip_actions=False,
        )
        .env_runners(
            num_env_runners=num_env_runners,
            num_envs_per_env_runner=64,
            gym_env_vectorize_mode="vector_entry_point",
        )
        .rl_module(
            rl_module_spec=RLModuleSpec(
                module_class=GRUModule, model_config={"corpus": corpus, **model_config}
            )
        )
        .training(
            lr=3e-3,
            gamma=0.0,
            train_batch_size_per_learner=4096,
            minibatch_size=512,
            num_epochs=4,
            use_kl_loss=False,
        )
        .fault_tolerance(restart_failed_env_runners=True)
        .debugging(seed=seed)
    )


@torch.no_grad()
def evaluate(module: GRUModule, corpus: Corpus, split: str) -> Scores:
    """Score a module's deterministic answers to the texts of a split.

    Args:
        module: the module, from an algorithm's `get_module()`.
        corpus: the corpus of its environments.
        split: the name of the split.
    """
    rows = torch.tensor(corpus.rows(split), device=module.log_noise_scale.device)
    answers = []
    for block in torch.split(rows[:, None], _BLOCK):
        output = module.forward_inference({Columns.OBS: block})
        answers.append(output[Columns.ACTION_DIST_INPUTS].chunk(2, dim=-1)[0].cpu())
    return score_split(torch.cat(answers), corpus, split)

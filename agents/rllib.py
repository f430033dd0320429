"""LLMAR on Ray's RLlib, over any number of machines; needs the extra "rllib".

One copy of the corpus lies in Ray's object store on each machine. Environments, modules and
learners read it in place, whatever their number, and send 8 bytes for each text observed.
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
# Texts that are answered at a time.
_BLOCK = 512


def share(corpus: Corpus) -> Any:
    """Put a corpus into Ray's object store, for environments and modules to read in place.

    Strings and embedders, which neither needs, are left out.

    Returns:
        Ray's `ObjectRef` of the corpus, which stays in the store for as long as a reference lives.
        `ray.get` of it copies no array.
    """
    lean = replace(corpus, sources=(), targets=(), source_embedder=None, target_embedder=None)
    # What a store computes on demand is computed once, before it is shared, not in each process.
    _ = lean.source.fingerprint, lean.source.max_length, lean.target.unit_means
    return ray.put(lean)


class NextStepReset(VectorWrapper):
    """Gymnasium's NEXT_STEP, the one autoreset of RLlib, where all episodes end together.

    The step after the end begins the next episodes: its actions do nothing, its rewards are 0.

    Args:
        env: with `AutoresetMode.DISABLED`. Where only some of its episodes have ended, it refuses
            to go on.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self._ended = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin the next episodes."""
        self._ended = False
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Answer, or begin the next episodes where those before have ended."""
        if self._ended:
            observations, infos = self.reset()
            never = np.zeros(self.num_envs, np.bool_)
            return observations, np.zeros(self.num_envs), never, never.copy(), infos
        moved = self.env.step(actions)
        self._ended = bool((moved[2] | moved[3]).all())
        return moved


def make_env(context: Mapping[str, Any]) -> NextStepReset:
    """LLMAR/Align-v0 as RLlib asks for it: N environments in one batch, which show rows.

    Args:
        context: RLlib's, with `num_envs`; `corpus`, as `share` returned it; and options of
            `AlignMDP` other than `observation`.
    """
    options = dict(context)
    corpus: Corpus = ray.get(options.pop("corpus"))
    envs = AlignVectorEnv(
        data=corpus, observation="index", autoreset_mode=AutoresetMode.DISABLED, **options
    )
    return NextStepReset(envs)


class GRUModule(TorchRLModule, ValueFunctionAPI):
    """RLlib's `GRUPolicy`: a GRU reads the text, a linear layer gives the answer's direction.

    The mean of an action is a direction at a fixed radius, since a cosine knows no length, and its
    noise is fixed. The value function reads the same GRU state. `model_config` holds:

    - corpus: that of the environments, as `share` returned it.
    - hidden_dim: H, the GRU's state; 128 by default.
    - noise_scale: noise of a coordinate, over the length of the mean vector; 0.2 by default.

    Raises:
        ValueError: the answer is not one vector, Box (D,).
    """

    def setup(self) -> None:
        """Make the network, over the texts in Ray's object store."""
        if len(self.action_space.shape) != 1:
            raise ValueError(f"an answer is one vector here, Box (D,), found {self.action_space}")
        hidden_dim = self.model_config.get("hidden_dim", 128)
        self.features = GRUFeatures(self.observation_space, hidden_dim)
        self.features.attach(ray.get(self.model_config["corpus"]).source)
        self.distribution = DirectionalGaussian(1, *self.action_space.shape)
        self.direction, log_noise_scale = self.distribution.proba_distribution_net(
            hidden_dim, math.log(self.model_config.get("noise_scale", 0.2))
        )
        self.register_buffer("log_noise_scale", log_noise_scale.detach())
        self.value = nn.Linear(hidden_dim, 1)
        # DDP, for several learners, would broadcast buffers: into memory that all of them share.
        ignored = [name for name, _ in self.named_buffers()]
        leave_out = DistributedDataParallel._set_params_and_buffers_to_ignore_for_model
        leave_out(self, ignored)  # type: ignore[no-untyped-call]  # torch's has no annotations

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Tensor]:
        """Parameters of RLlib's diagonal Gaussian, (B, 2 D), and the GRU's states, (B, H)."""
        states = self.features(batch[Columns.OBS])
        answers = self.distribution.proba_distribution(self.direction(states), self.log_noise_scale)
        log_std = self.log_noise_scale + math.log(answers.radius)
        mean = answers.mode()
        return {
            Columns.ACTION_DIST_INPUTS: torch.cat([mean, log_std.expand_as(mean)], dim=-1),
            Columns.EMBEDDINGS: states,
        }

    def compute_values(self, batch: dict[str, Any], embeddings: Tensor | None = None) -> Tensor:
        """(B,) estimated values of the texts observed."""
        states = self.features(batch[Columns.OBS]) if embeddings is None else embeddings
        values: Tensor = self.value(states).squeeze(-1)
        return values


def ppo_config(corpus: Any, *, num_env_runners: int, seed: int = 0, **model_config: Any) -> Any:
    """RLlib's PPO on LLMAR/Align-v0, with settings that learn it.

    An episode is a stream of texts, since RLlib spends far more on an episode than on a step. An
    answer has no part in the rewards of later texts, hence the discount of 0. Runners that fail
    are started anew.

    To go on from a checkpoint, call `restore_from_path` on an algorithm built from this.
    `Algorithm.from_checkpoint` cannot: a checkpoint's own configuration names a corpus in the
    store of the Ray of its time.

    Args:
        corpus: as `share` returned it.
        num_env_runners: processes that gather experience; 0 leaves it to the learner's.
        seed: of weights, noise and texts.
        **model_config: of `GRUModule`.

    Returns:
        An RLlib `PPOConfig`, to change further or to build.
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
    """Score a module's answers, without noise, to the texts of a split.

    Args:
        module: an algorithm's `get_module()`.
        corpus: that of its environments.
        split: the name of the split.
    """
    rows = torch.tensor(corpus.rows(split), device=module.log_noise_scale.device)
    answers = []
    for block in torch.split(rows[:, None], _BLOCK):
        output = module.forward_inference({Columns.OBS: block})
        answers.append(output[Columns.ACTION_DIST_INPUTS].chunk(2, dim=-1)[0].cpu())
    return score_split(torch.cat(answers), corpus, split)

"""RLlib's PPO with LLMAR's GRU, on as many processes and machines as Ray has.

pip install "torch==2.13.0" -e ".[rllib]" && python examples/rllib.py --num-env-runners 2
python examples/rllib.py --num-env-runners 2 --restore runs/rllib
Alignment on test: 0.00 untrained, 0.91 trained, at least 0.7 more; 59 seconds of one core.
"""

from __future__ import annotations

from pathlib import Path

import ray
import tyro

from agents.rllib import evaluate, ppo_config, share
from llmar_env.text.corpus import Corpus


def main(
    num_env_runners: int = 1,
    iterations: int = 30,
    data: str = "phrasebook:en",
    seed: int = 0,
    restore: Path | None = None,
    save: Path = Path("runs/rllib"),
    address: str | None = None,
) -> tuple[float, float]:
    """Train, and save a checkpoint.

    Args:
        num_env_runners: processes that collect experience.
        iterations: training iterations, each with 4096 answers and one PPO update.
        data: name of the built-in corpus, or a file of texts.
        seed: seeds weights, noise and the choice of texts.
        restore: the checkpoint to continue from, trained on the same data.
        save: the folder of the new checkpoint.
        address: address of a Ray cluster, such as "auto"; by default Ray starts on this machine.

    Returns:
        Mean alignment on the test split before and after.
    """
    cpus = None if address else num_env_runners + 1
    ray.init(address, num_cpus=cpus, include_dashboard=False, ignore_reinit_error=True)
    corpus = Corpus.load(data)
    algo = ppo_config(share(corpus), num_env_runners=num_env_runners, seed=seed).build_algo()
    if restore is not None:
        algo.restore_from_path(restore.absolute())
    before = evaluate(algo.get_module(), corpus, "test").alignment
    print(f"alignment on test after {algo.training_iteration} iterations: {before:.3f}")
    for _ in range(iterations):
        algo.train()
    after = evaluate(algo.get_module(), corpus, "test").alignment
    print(f"alignment on test after {algo.training_iteration} iterations: {after:.3f}")
    algo.save_to_path(save.absolute())
    algo.stop()
    return before, after


if __name__ == "__main__":
    tyro.cli(main)

"""Measure the memory of each RLlib env runner: are the embeddings shared?

    python benchmarks/rllib_memory.py --runners 1 2 4 --megabytes 200

Trains one iteration on random texts, with a tiny store and with one of the given size, and
measures the memory of each runner. The private memory of runners must not depend on the size of
the store. Linux only, since `/proc` tells which memory is shared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import ray
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agents.rllib import ppo_config, share
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts

_LENGTH, _DIM = 24, 64
_SMALL = 1.0


@dataclass(frozen=True)
class Options:
    """Measure memory."""

    runners: tuple[int, ...] = (1, 2, 4)
    """Numbers of env runners."""
    megabytes: float = 200.0
    """Size of the embeddings."""


@dataclass(frozen=True)
class SharedArray:
    """Where an array of a runner is in memory."""

    in_store: bool
    writeable: bool
    megabytes: float


@dataclass(frozen=True)
class Memory:
    """Memory of one runner, in MB: resident, proportional share, private, private embeddings."""

    rss: float
    pss: float
    private: float
    private_embeddings: float


def random_corpus(megabytes: float) -> Corpus:
    """Random texts of the given size, each with its own vectors."""
    generator = np.random.default_rng(0)
    num_texts = max(int(megabytes * 1e6) // (_LENGTH * _DIM * 4), 10)
    source = generator.standard_normal((num_texts * _LENGTH, _DIM), dtype=np.float32)
    target = generator.standard_normal((num_texts, _DIM), dtype=np.float32)
    return Corpus(
        EmbeddedTexts(source, None, np.arange(num_texts + 1) * _LENGTH),
        EmbeddedTexts(target, None, np.arange(num_texts + 1)),
        {"train": range(num_texts)},
    )


def in_object_store(array: NDArray[Any]) -> bool:
    """Whether an array is entirely in this process's mapping of Ray's object store."""
    first = array.__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        begin, end = (int(address, 16) for address in line.split()[0].split("-"))
        if begin <= first and first + array.nbytes <= end:
            return "plasma" in line
    return False


def shared_arrays(runner: Any) -> dict[str, SharedArray]:
    """The arrays of a runner's corpus and the tensors of its module's lookup, by name."""
    corpus, lookup = runner.env.unwrapped.mdp.corpus, runner.module.features.lookup
    held = {
        "source": vars(corpus.source),
        "target": vars(corpus.target),
        "module": {name: tensor.numpy() for name, tensor in lookup.named_buffers()},
    }
    return {
        f"{owner}.{name}": SharedArray(
            in_object_store(array), array.flags.writeable, array.nbytes / 1e6
        )
        for owner, arrays in held.items()
        for name, array in arrays.items()
        if isinstance(array, np.ndarray)
    }


def memory_of(runner: Any) -> Memory:
    """The memory of a runner's process."""
    rollup = Path("/proc/self/smaps_rollup").read_text()
    found = re.findall(r"^(\w+): +(\d+) kB", rollup, re.MULTILINE)
    megabytes = {name: int(kilobytes) / 1e3 for name, kilobytes in found}
    own = (one.megabytes for one in shared_arrays(runner).values() if not one.in_store)
    private = megabytes["Private_Clean"] + megabytes["Private_Dirty"]
    return Memory(megabytes["Rss"], megabytes["Pss"], private, sum(own))


def measure(megabytes: float, num_env_runners: int) -> list[Memory]:
    """Train one iteration, and return the memory of each runner."""
    config = ppo_config(share(random_corpus(megabytes)), num_env_runners=num_env_runners)
    algo = config.build_algo()
    algo.train()
    found: list[Memory] = algo.env_runner_group.foreach_env_runner(
        memory_of, local_env_runner=False
    )
    algo.stop()
    return found


def main(options: Options) -> None:
    """Measure, and show a table."""
    ray.init(num_cpus=max(options.runners) + 1, include_dashboard=False, log_to_driver=False)
    columns = ("store", "runners", "RSS", "PSS", "private", "private embeddings", "private, total")
    table = Table(*columns, title="Memory of a runner, MB (means)")
    private = {}
    for megabytes in (_SMALL, options.megabytes):
        for count in options.runners:
            found = measure(megabytes, count)
            private[megabytes, count] = sum(one.private for one in found)
            means = (
                mean(getattr(one, name) for one in found)
                for name in ("rss", "pss", "private", "private_embeddings")
            )
            row = (megabytes, count, *means, private[megabytes, count])
            table.add_row(*(f"{figure:.0f}" for figure in row))
    Console().print(table)
    for count in options.runners:
        cost = (private[options.megabytes, count] - private[_SMALL, count]) / count
        print(
            f"Runners: {count}. {options.megabytes - _SMALL:.0f} MB more of embeddings change the "
            f"private memory of each by {cost:+.1f} MB."
        )


if __name__ == "__main__":
    main(tyro.cli(Options))

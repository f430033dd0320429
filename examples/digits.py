"""Images aligned with words: scikit-learn's digits, 8 x 8 pixels, with their names.

pip install -c constraints.txt -e . scikit-learn && python examples/digits.py
"""

import numpy as np
import tyro
from sklearn.datasets import load_digits

from agents import LLMAR, AlgorithmConfig, Config, RunConfig, TaskConfig
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import WordVectorsConfig

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def load() -> Corpus:
    """Each image as its eight rows of pixels, (8, 8), in order; its name is the target."""
    images, labels = load_digits(return_X_y=True)
    rows = images.reshape(-1, 8, 8) + 0.1  # an empty row would have no direction
    order = np.random.default_rng(0).permutation(len(rows))
    ends = {"train": range(1400), "valid": range(1400, 1600), "test": range(1600, len(rows))}
    return Corpus.of_vectors(
        EmbeddedTexts.from_vectors(rows[order].astype(np.float32)),
        [f"the number {NAMES[label]}" for label in labels[order]],
        ends,
        word_vectors=WordVectorsConfig(dim=32, epochs=5),
    )


def main(seconds: float = 20.0, seed: int = 0) -> tuple[float, float]:
    """Train, and name images.

    Returns:
        Share of the test images that are named rightly, before and after.
    """
    config = Config(
        task=TaskConfig(reward="mrr"),
        algorithm=AlgorithmConfig(time_limit=seconds),
        run=RunConfig(seed=seed, supervised=False, progress=False),
    )
    llmar = LLMAR(config)
    scores = llmar.train(load()).scores["test"]
    before, after = scores["untrained"].p_at_1, scores["trained"].p_at_1
    print(f"images named rightly: {before:.3f} untrained, {after:.3f} trained")
    return before, after


if __name__ == "__main__":
    tyro.cli(main)

"""Sounds aligned with words: spectrograms of synthesized notes, of any length, with their names.

pip install -c constraints.txt -e . && python examples/tones.py
"""

from itertools import combinations

import numpy as np
import tyro
from numpy.typing import NDArray

from agents import LLMAR, AlgorithmConfig, Config, RunConfig, TaskConfig
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import WordVectorsConfig

NOTES = {"do": 262, "re": 294, "mi": 330, "fa": 349, "sol": 392, "la": 440, "si": 494}  # in hertz
RATE, FRAME, HOP = 4000, 512, 256  # samples: a second, a frame, from frame to frame


def play(notes: tuple[str, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """(L, 64) the spectrogram of notes played one after the other, in noise, in any order."""
    sounds = []
    for note in rng.permutation(notes):
        phase = 2 * np.pi * NOTES[note] * np.arange(rng.integers(600, 1600)) / RATE
        sounds.append(rng.uniform(0.3, 1) * np.sin(phase + rng.uniform(0, 6)))
    sound = np.concatenate(sounds) + 0.1 * rng.standard_normal(sum(map(len, sounds)))
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP] * np.hanning(FRAME)
    return np.log1p(np.abs(np.fft.rfft(frames))[:, 20:84]).astype(np.float32)


def load() -> Corpus:
    """Up to three notes a sound; their names, in the order of the scale, are the target."""
    rng = np.random.default_rng(0)
    chords = [chord for count in (1, 2, 3) for chord in combinations(NOTES, count)]
    chosen = [chords[i] for i in rng.integers(0, len(chords), 4000)]
    ends = {"train": range(3400), "valid": range(3400, 3700), "test": range(3700, 4000)}
    return Corpus.of_vectors(
        EmbeddedTexts.from_vectors([play(chord, rng) for chord in chosen]),
        [" ".join(chord) for chord in chosen],
        ends,
        word_vectors=WordVectorsConfig(dim=32, epochs=5),
    )


def main(seconds: float = 30.0, seed: int = 0) -> tuple[float, float]:
    """Train, and name the notes of sounds; returns the share that is right, before and after."""
    config = Config(
        task=TaskConfig(reward="mrr"),
        algorithm=AlgorithmConfig(time_limit=seconds),
        run=RunConfig(seed=seed, supervised=False, progress=False),
    )
    scores = LLMAR(config).train(load()).scores["test"]
    shares = scores["untrained"].p_at_1, scores["trained"].p_at_1
    print("sounds named rightly: {:.3f} untrained, {:.3f} trained".format(*shares))
    return shares


if __name__ == "__main__":
    tyro.cli(main)

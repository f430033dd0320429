"""Environments that workers make; without torch, so that a worker starts quickly."""

import numpy as np

from llmar_env.envs.align import AlignEnv
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.vocabulary import Vocabulary


def elsewhere(observation="index", kind=AlignEnv, seed=11):
    """An environment on texts that are made where it is made, in a worker."""
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((9, 4)).astype(np.float32)
    texts = EmbeddedTexts.from_ids(table, [rng.integers(9, size=1 + i % 4) for i in range(12)])
    corpus = Corpus(texts, texts, {"train": range(12)})
    options = {} if kind is AlignEnv else {"vocabulary": Vocabulary(table, np.arange(9), None)}
    return kind(data=corpus, observation=observation, **options)


def space_of_a_worker():
    """The observation space of an environment."""
    return elsewhere(seed=13).observation_space

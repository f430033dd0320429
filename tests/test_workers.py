"""Environments in processes and threads of their own: the streams of one process, and no copies."""

import hashlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import product

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from llmar_env.envs.align import AlignEnv
from llmar_env.envs.refine import RefineEnv
from llmar_env.text import corpus as corpora
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import WordVectors
from llmar_env.text.phrasebook import sentences, shipped
from llmar_env.text.phrasebook.grammar import Language

NUM_ENVS, STEPS = 2, 6


def makers(env, corpus):
    """Functions that make environments, as workers of any start method take them."""
    if env == "refine":
        make = partial(RefineEnv, data=corpus, draft="random", episode_length=3)
    else:
        make = partial(AlignEnv, data=corpus, observation=env)
    return [make] * NUM_ENVS


def arrays(corpus):
    """Every array that environments share."""
    for texts in (corpus.source, corpus.target):
        yield from (texts.padded_table, texts.ids, texts.offsets, texts.means, texts.unit_means)


def content(corpus):
    """A digest of every array that environments share."""
    digest = hashlib.sha256()
    for array in arrays(corpus):
        digest.update(array.tobytes())
    return digest.hexdigest()


def flat(observation):
    if isinstance(observation, dict):
        return np.concatenate([flat(observation[key]) for key in sorted(observation)], axis=1)
    return observation.reshape(len(observation), -1)


def sb3_stream(vec_env):
    """What an SB3 learner sees in some steps: observations, rewards, ends and rows."""
    vec_env.seed(5)
    vec_env.action_space.seed(1)
    seen = [flat(vec_env.reset())]
    for _ in range(STEPS):
        actions = np.stack([vec_env.action_space.sample() for _ in range(NUM_ENVS)])
        observations, rewards, dones, infos = vec_env.step(actions)
        rows = [[info["row"], info.get("terminal_observation") is not None] for info in infos]
        # DummyVecEnv keeps rewards in float32, SubprocVecEnv as they come.
        seen += [flat(observations), rewards.astype(np.float32), dones, np.array(rows)]
    vec_env.close()
    return seen


def gymnasium_stream(envs):
    envs.action_space.seed(1)
    observations, infos = envs.reset(seed=5)
    seen = [flat(observations), infos["row"]]
    for _ in range(STEPS):
        observations, rewards, terminated, truncated, infos = envs.step(envs.action_space.sample())
        seen += [flat(observations), rewards, terminated, truncated, infos["row"]]
    envs.close()
    return seen


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


# A forked server takes the same pickles as a spawned worker, and some seconds too.
@pytest.mark.parametrize(
    ("env", "method"),
    [
        *product(["embeddings", "index", "refine"], ["fork"]),
        ("embeddings", "spawn"),
        *(
            pytest.param(*pair, marks=pytest.mark.slow)
            for pair in (("index", "spawn"), ("refine", "spawn"), ("refine", "forkserver"))
        ),
    ],
)
def test_sb3s_workers_give_the_streams_of_one_process(words, env, method):
    before = content(words)
    expected = sb3_stream(DummyVecEnv(makers(env, words)))
    assert_same(sb3_stream(SubprocVecEnv(makers(env, words), start_method=method)), expected)
    assert content(words) == before


@pytest.mark.parametrize("env", ["embeddings", "index", "refine"])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_gymnasiums_workers_give_the_streams_of_one_process(words, env, mode):
    before = content(words)
    expected = gymnasium_stream(SyncVectorEnv(makers(env, words), autoreset_mode=mode))
    workers = AsyncVectorEnv(makers(env, words), autoreset_mode=mode)
    assert_same(gymnasium_stream(workers), expected)
    assert content(words) == before


def test_make_vec_takes_them_too(words):
    kwargs = {"num_envs": NUM_ENVS, "data": words}
    seen = [
        gymnasium_stream(
            gymnasium.make_vec("llmar_env:LLMAR/Align-v0", vectorization_mode=mode, **kwargs)
        )
        for mode in ("sync", "async")
    ]
    assert_same(*seen)


@pytest.mark.parametrize("there", [lambda corpus: corpus, lambda corpus: corpus.truncate(2)])
@pytest.mark.filterwarnings("ignore:.* input texts are longer")
def test_a_corpus_without_embedders_keeps_its_one_space_in_a_worker(there):
    table = np.eye(3, dtype=np.float32)
    sides = [EmbeddedTexts.from_ids(table, [[0, 1], [2, 1, 0]]) for _ in range(2)]
    other = EmbeddedTexts.from_ids(2 * table, [[0, 1], [2, 1, 0]])
    for target, one_space in ((sides[0], True), (sides[1], True), (other, False)):
        corpus = Corpus(sides[0], target, {"train": range(2)})
        for sent in (corpus, pickle.loads(pickle.dumps(corpus))):
            assert there(sent).shared_space is one_space


class Witness(gymnasium.Wrapper):
    """An environment that tells what its worker's copy of the corpus holds."""

    def __init__(self, corpus):
        super().__init__(AlignEnv(data=corpus))
        self.corpus = corpus

    def testimony(self):
        return content(self.corpus), any(array.flags.writeable for array in arrays(self.corpus))


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_workers_texts_are_read_only_and_stay_as_they_came(words, method):
    vec_env = SubprocVecEnv([partial(Witness, words)] * NUM_ENVS, start_method=method)
    vec_env.seed(0)
    vec_env.reset()
    for _ in range(STEPS):
        vec_env.step(np.stack([vec_env.action_space.sample() for _ in range(NUM_ENVS)]))
    assert vec_env.env_method("testimony") == [(content(words), False)] * NUM_ENVS
    vec_env.close()


@pytest.mark.parametrize("env", ["embeddings", "index", "refine"])
def test_threads_over_one_corpus_give_the_streams_of_one_thread(words, env):
    def stream(seed):
        [make, *_] = makers(env, words)
        vec_env = DummyVecEnv([make])
        vec_env.seed(seed)
        rng = np.random.default_rng(seed)
        seen = [flat(vec_env.reset())]
        for _ in range(20 * STEPS):
            actions = rng.uniform(-1, 1, (1, *vec_env.action_space.shape)).astype(np.float32)
            observations, rewards, dones, _ = vec_env.step(actions)
            seen += [flat(observations), rewards, dones]
        return seen

    before, seeds = content(words), range(4)
    with ThreadPoolExecutor(len(seeds)) as pool:
        together = list(pool.map(stream, seeds))
    for seed in seeds:
        assert_same(together[seed], stream(seed))
    assert content(words) == before


def refuse(*args, **kwargs):
    raise AssertionError("a sentence was rendered or tokenized")


@contextmanager
def no_strings():
    """Nothing is rendered or tokenized, and nothing is left of what was made before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Language, "render", refuse)
        patch.setattr(WordVectors, "tokenize", refuse)
        for cached in (corpora._phrasebook_corpus, shipped.shipped_texts, sentences._sentence):
            cached.cache_clear()
        yield
    corpora._phrasebook_corpus.cache_clear()


class Silent(gymnasium.Wrapper):
    """An environment of the phrasebook that is made, reset and stepped without a string."""

    def __init__(self, name):
        with no_strings():
            super().__init__(gymnasium.make(f"llmar_env:LLMAR/{name}-v0", data="phrasebook:fr-zh"))

    def reset(self, **options):
        with no_strings():
            return super().reset(**options)

    def step(self, action):
        with no_strings():
            return super().step(action)


@pytest.mark.parametrize("name", ["Align", "Generate", "Refine"])
def test_environments_render_no_string_until_somebody_asks(name):
    with no_strings():
        make = partial(gymnasium.make, f"llmar_env:LLMAR/{name}-v0")
        for env in (make(), make(observation="index"), make(data="phrasebook:en")):
            env.reset(seed=0)
            env.step(env.action_space.sample())
        envs = gymnasium.make_vec(f"LLMAR/{name}-v0", num_envs=3, split="test")
        envs.reset(seed=0)
        envs.step(envs.action_space.sample())
        for options in ({"info_texts": True}, {"render_mode": "ansi"}):
            env = make(**options)
            with pytest.raises(AssertionError, match="was rendered"):
                env.reset(seed=0) and env.render()


@pytest.mark.parametrize(
    ("name", "method"),
    [
        pytest.param("Align", "spawn", marks=pytest.mark.slow),
        ("Generate", "fork"),
        ("Refine", "fork"),
    ],
)
def test_nor_do_their_workers(name, method):
    makers = [partial(Silent, name)] * NUM_ENVS
    seen = sb3_stream(SubprocVecEnv(makers, start_method=method))
    assert_same(seen, sb3_stream(DummyVecEnv(makers)))


def test_nor_do_gymnasiums_workers():
    makers = [partial(Silent, "Align")] * NUM_ENVS
    assert_same(gymnasium_stream(AsyncVectorEnv(makers)), gymnasium_stream(SyncVectorEnv(makers)))

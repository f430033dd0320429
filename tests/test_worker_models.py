"""Models on texts that are elsewhere: in a file, in a pickle, in the processes of workers."""

import gc
import pickle
from functools import partial
from multiprocessing import get_context
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode
from stable_baselines3 import A2C, PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv
from worker_environments import elsewhere, space_of_a_worker

from agents import REINFORCE, GRUPolicy, GymVecEnv, WriterPolicy
from agents.networks.seq2seq import Seq2SeqConfig
from agents.policies.off_policy import GRUSACPolicy
from llmar_env.envs.align import AlignEnv
from llmar_env.envs.generate import GenerateEnv

NUM_ENVS = 2


MODELS = [
    (PPO, GRUPolicy, {"n_steps": 4, "batch_size": 8}),
    (A2C, GRUPolicy, {}),
    (REINFORCE, GRUPolicy, {}),
    (SAC, GRUSACPolicy, {"learning_starts": 4}),
    (PPO, WriterPolicy, {"n_steps": 4, "batch_size": 8}),
    (REINFORCE, WriterPolicy, {}),
]
SMALL = {
    GRUPolicy: {"hidden_dim": 4},
    GRUSACPolicy: {"hidden_dim": 4},
    WriterPolicy: {"writer": Seq2SeqConfig(4, 4), "low_precision": False},
}
every_model = pytest.mark.parametrize(
    ("cls", "policy", "kwargs"), MODELS, ids=[f"{m[0].__name__}-{m[1].__name__}" for m in MODELS]
)


def model_on(env, cls, policy, kwargs):
    return cls(policy, env, seed=0, device="cpu", policy_kwargs=SMALL[policy], **kwargs)


def kind_for(policy):
    return partial(elsewhere, kind=GenerateEnv if policy is WriterPolicy else AlignEnv)


def answers(model, policy):
    rows = np.arange(12)[:, None]
    if policy is WriterPolicy:
        rows = {"text": rows, "written": np.full((12, 40), 9)}
    return model.predict(rows, deterministic=True)[0]


@every_model
def test_a_loaded_model_finds_the_texts_of_its_environment(cls, policy, kwargs, tmp_path):
    make = kind_for(policy)
    model = model_on(DummyVecEnv([make] * NUM_ENVS), cls, policy, kwargs)
    model.save(tmp_path / "model")
    expected = answers(model, policy)
    del model
    gc.collect()
    # Without an environment there are no texts, since a saved model holds none.
    early = cls.load(tmp_path / "model", device="cpu")
    with pytest.raises(RuntimeError, match=r"load the model with an environment .*env=env"):
        answers(early, policy)
    env = DummyVecEnv([make] * NUM_ENVS)
    early.set_env(env)
    np.testing.assert_array_equal(answers(early, policy), expected)
    early.learn(8)
    loaded = cls.load(tmp_path / "model", env=env, device="cpu")
    np.testing.assert_array_equal(answers(loaded, policy), expected)
    loaded.learn(8)


def test_a_loaded_model_refuses_other_texts(tmp_path):
    model = model_on(elsewhere(), *MODELS[0])
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        PPO.load(tmp_path / "model", env=elsewhere(seed=12), device="cpu")


def record_calls(env):
    """The names that the environment's `get_attr` is asked for from now on."""
    asked, ask = [], env.get_attr
    env.get_attr = lambda name, *args: asked.append(name) or ask(name, *args)
    return asked


@pytest.mark.parametrize(
    ("cls", "policy", "kwargs"),
    [MODELS[0], MODELS[-1], *(pytest.param(*one, marks=pytest.mark.slow) for one in MODELS[1:-1])],
)
def test_a_model_learns_the_same_on_texts_of_workers(cls, policy, kwargs):
    make, learned = kind_for(policy), []
    for kind in (partial(SubprocVecEnv, start_method="spawn"), DummyVecEnv):
        gc.collect()  # so that the worker's texts are the only ones
        env = kind([make] * NUM_ENVS)
        model = model_on(env, cls, policy, kwargs)
        asked = record_calls(env)
        model.set_env(env)
        model.learn(16)
        learned.append(model.policy.state_dict())
        env.close()
        del model, env
        assert not {"mdp", "vocabulary", "unwrapped"} & set(asked)
    for name, weights in learned[1].items():
        torch.testing.assert_close(learned[0][name], weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "observation", ["index", pytest.param("embeddings", marks=pytest.mark.slow)]
)
def test_reinforce_notices_a_worker_with_another_vocabulary(observation):
    makers = [partial(elsewhere, observation, GenerateEnv, seed) for seed in (11, 12)]
    vocabulary = makers[0]().mdp.vocabulary
    vec_env = SubprocVecEnv(makers, start_method="spawn")
    with pytest.raises(ValueError, match="but the environment reads with"):
        REINFORCE(WriterPolicy, vec_env, device="cpu", policy_kwargs={"vocabulary": vocabulary})
    vec_env.close()


@every_model
def test_an_unpickled_environment_has_its_texts(cls, policy, kwargs):
    sent = pickle.dumps(kind_for(policy)())
    gc.collect()
    env = pickle.loads(sent)
    if policy is WriterPolicy:
        assert env.observation_space["text"].texts is env.mdp.corpus.source
        assert env.observation_space["written"].vocabulary is env.mdp.vocabulary
    else:
        assert env.observation_space.texts is env.mdp.corpus.source
    one = {"baseline": "none"} if cls is REINFORCE else {}
    model_on(env, cls, policy, kwargs | one).learn(8)


def test_only_a_worker_sends_the_texts_of_a_space():
    space = elsewhere().observation_space
    assert space.texts.table.tobytes() not in bytes(ForkingPickler.dumps(space))
    with get_context("spawn").Pool(1) as pool:
        received = pool.apply(space_of_a_worker)
        assert received.texts.fingerprint == received.fingerprint
        np.testing.assert_array_equal(received.texts.table, space_of_a_worker().texts.table)


def test_the_adapter_reads_what_gymnasiums_workers_have(words):
    makers = [partial(AlignEnv, data=words, num_vectors=1 + i // 9) for i in range(NUM_ENVS)]
    env = GymVecEnv(AsyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP))
    prints = {"texts": words.source.fingerprint}
    assert env.get_attr("fingerprints") == [prints] * NUM_ENVS
    assert env.get_attr("render_mode", indices=1) == [None]
    assert not env.has_attr("group_size")
    with pytest.raises(AttributeError, match="group_size"):
        env.get_attr("group_size")
    assert env.get_attr("num_envs") == [NUM_ENVS] * NUM_ENVS  # of the vector environment itself
    env.set_attr("label", [1, 2])
    assert env.get_attr("label") == [[1, 2]] * NUM_ENVS
    states = env.env_method("get_state")
    assert [state["running"] for state in states] == [False] * NUM_ENVS
    with pytest.raises(ValueError, match="leave out indices"):
        env.env_method("get_state", indices=[0])
    with pytest.raises(AttributeError, match="missing"):
        env.env_method("missing")
    env.reset()  # the workers are alive
    REINFORCE(GRUPolicy, env, device="cpu", policy_kwargs={"hidden_dim": 4}).learn(4)
    env.close()

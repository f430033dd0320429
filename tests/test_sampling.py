import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy

from agents import REINFORCE, GRUPolicy, WriterPolicy, make_vec_env
from agents.policies.sampling import (
    HasNoiseScale,
    IndependentSampling,
    LogsScalars,
    SamplingPolicy,
    begin_sampling,
    group_representatives,
)

ALIGN = {"observation": "index", "group_size": 4}


class Remembering(ActorCriticPolicy):
    """A policy of a user's own: it says how it samples, and REINFORCE has never heard of it."""

    def bind(self, env):
        self.bound = env

    def begin(self, observations, group_size=1, *, entropy=False):
        self.begun = (np.array(observations), group_size, entropy)
        return IndependentSampling(self, entropy=entropy)


def plain_policy(action_space):
    space = spaces.Box(-1.0, 1.0, (3,))
    return ActorCriticPolicy(space, action_space, lambda _: 0.1, net_arch=[])


def test_who_keeps_which_protocol():
    env = make_vec_env("LLMAR/Align-v0", 4, env_kwargs=ALIGN)
    ours = GRUPolicy(env.observation_space, env.action_space, lambda _: 0.1)
    assert isinstance(ours, SamplingPolicy)
    assert isinstance(ours, HasNoiseScale)
    assert isinstance(ours, LogsScalars)
    stock = plain_policy(spaces.Discrete(3))
    assert not isinstance(stock, SamplingPolicy | HasNoiseScale | LogsScalars)


@pytest.mark.parametrize("entropy", [False, True])
def test_a_stock_policy_is_sampled_step_by_step(entropy):
    policy = plain_policy(spaces.Discrete(5))
    observations = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(np.float32)
    state = begin_sampling(policy, observations[0], entropy=entropy)
    actions = [state.act(one, np.ones(6, np.bool_)) for one in observations]
    log_prob, entropies = state.evaluate()
    for step, one in enumerate(observations):
        _, expected, spread = policy.evaluate_actions(torch.as_tensor(one), actions[step])
        torch.testing.assert_close(log_prob[step], expected)
        if entropy:
            torch.testing.assert_close(entropies[step], spread)
    assert log_prob.requires_grad
    assert (entropies is None) is not entropy


def test_a_group_is_read_once_and_sampled_like_its_members():
    env = make_vec_env("LLMAR/Align-v0", 8, env_kwargs=ALIGN, seed=0)
    policy = GRUPolicy(env.observation_space, env.action_space, lambda _: 0.1)
    observations = env.reset()
    state = policy.begin(observations, 4)
    actions = state.act(observations, np.ones(8, np.bool_))
    log_prob, _ = state.evaluate()
    _, expected, _ = policy.evaluate_actions(torch.as_tensor(observations), actions)
    torch.testing.assert_close(log_prob[0], expected)


def test_representatives_are_the_first_members():
    rows = np.repeat([5, 2, 9], 4)[:, None]
    assert group_representatives(rows, 4).tolist() == [[5], [2], [9]]
    assert group_representatives(rows, 1) is not rows
    assert (group_representatives(rows, 1) == rows).all()
    with pytest.raises(RuntimeError, match="a group of 3 observe different texts"):
        group_representatives(rows, 3)


def test_reinforce_lets_a_policy_say_how_it_samples():
    env = make_vec_env("CartPole-v1", 4, seed=0)
    model = REINFORCE(Remembering, env, seed=0, ent_coef=0.01, device="cpu")
    model.learn(1)
    assert model.policy.bound is model.env
    observations, group_size, entropy = model.policy.begun
    assert observations.shape == (4, 4)
    assert (group_size, entropy) == (1, True)
    assert model._n_updates == 1


@pytest.mark.parametrize("policy", [GRUPolicy, WriterPolicy])
def test_policies_of_this_package_go_by_their_names(policy):
    name = "Align" if policy is GRUPolicy else "Generate"
    env = make_vec_env(f"LLMAR/{name}-v0", 4, env_kwargs={"observation": "index"})
    assert type(REINFORCE(policy.__name__, env, device="cpu").policy) is policy
    for other in ("NoPolicy", "gru", "attach_texts", "GRUSACPolicy"):
        with pytest.raises(ValueError, match=f"{other} unknown"):
            REINFORCE(other, env, device="cpu")

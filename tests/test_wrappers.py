import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import iterate

from llmar_env.wrappers import FlattenAction, VectorFlattenAction, VectorFlattenObservation

EVERY = pytest.mark.parametrize(
    ("env_id", "kwargs", "shape"),
    [
        ("llmar_env:LLMAR/Align-v0", {"num_vectors": 3}, (3, 64)),
        ("llmar_env:LLMAR/Align-v0", {}, (64,)),
        ("llmar_env:LLMAR/Refine-v0", {"draft": "random"}, (2, 64)),
    ],
)


class Bounded(gymnasium.Env):
    """Returns what it is given; its bounds differ from number to number."""

    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space = spaces.Box(
        np.arange(-6, 0, dtype=np.float32).reshape(2, 3),
        np.arange(1, 7, dtype=np.float32).reshape(2, 3),
    )

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 0.0, False, False, {"action": action}


@EVERY
def test_a_flat_action_does_what_the_shaped_one_does(env_id, kwargs, shape):
    env, flat = gymnasium.make(env_id, **kwargs), FlattenAction(gymnasium.make(env_id, **kwargs))
    assert flat.action_space == spaces.Box(-1.0, 1.0, (int(np.prod(shape)),))
    assert flat.env.action_space.shape == shape
    env.reset(seed=4)
    flat.reset(seed=4)
    flat.action_space.seed(0)
    for _ in range(5):
        action = flat.action_space.sample()
        one, other = env.step(action.reshape(shape)), flat.step(action)
        assert one[1:4] == other[1:4]
        assert one[4]["row"] == other[4]["row"]
        if one[2] or one[3]:
            env.reset()
            flat.reset()


@EVERY
@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
def test_the_vector_wrapper_does_what_single_ones_do(env_id, kwargs, shape, mode):
    envs = gymnasium.make_vec(env_id, num_envs=4, autoreset_mode=mode, **kwargs)
    flat = VectorFlattenAction(envs)
    size = int(np.prod(shape))
    assert flat.single_action_space == spaces.Box(-1.0, 1.0, (size,))
    assert flat.action_space.shape == (4, size)
    assert flat.metadata["autoreset_mode"] == mode
    singles = [FlattenAction(gymnasium.make(env_id, **kwargs)) for _ in range(4)]
    flat.reset(seed=2)
    for i, one in enumerate(singles):
        one.reset(seed=2 + i)
    actions = flat.action_space.sample()
    _, rewards, terminated, truncated, _ = flat.step(actions)
    for i, one in enumerate(singles):
        _, reward, *ended, _ = one.step(actions[i])
        assert reward == rewards[i]
        assert ended == [terminated[i], truncated[i]]


def test_bounds_and_order_are_kept():
    env = FlattenAction(Bounded())
    assert env.action_space.low.tolist() == [-6, -5, -4, -3, -2, -1]
    assert env.action_space.high.tolist() == [1, 2, 3, 4, 5, 6]
    assert env.action_space.dtype == np.float32
    env.reset()
    given = np.arange(6, dtype=np.float32)
    assert env.step(given)[4]["action"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")
def test_gymnasiums_checker_passes():
    env = gymnasium.make("llmar_env:LLMAR/Align-v0", num_vectors=2, disable_env_checker=True)
    check_env(FlattenAction(env), skip_render_check=True)


def test_it_is_part_of_the_spec():
    env = FlattenAction(gymnasium.make("llmar_env:LLMAR/Align-v0", num_vectors=2))
    again = gymnasium.make(pickle.loads(pickle.dumps(env.spec)))
    assert again.action_space == env.action_space
    assert "FlattenAction" in str(again)


def test_other_actions_are_refused():
    single, vector = gymnasium.make("CartPole-v1"), gymnasium.make_vec("CartPole-v1", num_envs=2)
    with pytest.raises(TypeError, match=r"action space that is a Box, found Discrete\(2\)"):
        FlattenAction(single)
    with pytest.raises(TypeError, match=r"action space that is a Box, found Discrete\(2\)"):
        VectorFlattenAction(vector)


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        ("llmar_env:LLMAR/Align-v0", {}),
        ("llmar_env:LLMAR/Generate-v0", {"observation": "index", "max_new_tokens": 3}),
        ("llmar_env:LLMAR/Generate-v0", {"max_new_tokens": 3}),
    ],
)
def test_flat_observations_are_those_of_single_environments(env_id, kwargs, mode):
    envs = gymnasium.make_vec(env_id, num_envs=3, autoreset_mode=mode, **kwargs)
    flat = VectorFlattenObservation(envs)
    space = envs.single_observation_space
    assert flat.single_observation_space == spaces.flatten_space(space)
    found, _ = flat.reset(seed=5)
    shaped, _ = gymnasium.make_vec(env_id, num_envs=3, autoreset_mode=mode, **kwargs).reset(seed=5)
    assert found in flat.observation_space
    for i, one in enumerate(iterate(envs.observation_space, shaped)):
        np.testing.assert_array_equal(found[i], spaces.flatten(space, one))
    flat.action_space.seed(1)
    ended = 0
    for _ in range(4):
        found, _, terminated, truncated, infos = flat.step(flat.action_space.sample())
        assert found in flat.observation_space
        done = terminated | truncated
        if mode == AutoresetMode.SAME_STEP and done.any():
            assert infos["final_obs"].shape == found.shape
            ended += 1
        if mode == AutoresetMode.DISABLED and done.any():
            found, _ = flat.reset(options={"reset_mask": done})
    assert ended or mode == AutoresetMode.DISABLED


def test_flat_observations_of_gymnasiums_own_environments():
    makers = [lambda: gymnasium.make("CartPole-v1", max_episode_steps=2)] * 2
    flat = VectorFlattenObservation(SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP))
    flat.reset(seed=0)
    flat.step(np.zeros(2, np.int64))
    *_, infos = flat.step(np.zeros(2, np.int64))
    assert [one.shape for one in infos["final_obs"]] == [(4,), (4,)]


def test_observations_that_cannot_be_flattened():
    env = gymnasium.make_vec("Blackjack-v1", num_envs=1, vectorization_mode="sync")
    with pytest.raises(TypeError, match="a Box, or a Dict of Boxes"):
        VectorFlattenObservation(env)

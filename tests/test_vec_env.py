import warnings
from copy import deepcopy

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from agents.vec_env import GymVecEnv, make_vec_env

SAME, NEXT, DISABLED = AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED
IMMEDIATE = [SAME, DISABLED]
TASKS = [
    ("CartPole-v1", {}),
    ("CartPole-v1", {"max_episode_steps": 12}),  # both ways to end
    ("Pendulum-v1", {"max_episode_steps": 25}),
    ("MountainCarContinuous-v0", {"max_episode_steps": 30}),
]
N, SEED = 3, 11


class Talker(gym.Env):
    """Dict observations, and infos of every kind that come and go."""

    observation_space = spaces.Dict(
        {"a": spaces.Box(-1, 1, (2,)), "b": spaces.Box(0, 255, (1, 2), np.uint8)}
    )
    action_space = spaces.Discrete(3)
    render_mode = None

    def __init__(self, odd=1):
        self.odd = odd

    def _seen(self):
        self.t = getattr(self, "t", -1) + 1
        noise = self.np_random.random(2).astype(np.float32)
        info = {"t": self.t, "vector": noise * 2, "name": f"step {self.t}", "_hidden": 1.5}
        if self.t % 2 == self.odd:
            info["odd"] = {"deep": {"x": 0.5 * self.t}, "flag": True}
        return {"a": noise, "b": np.full((1, 2), self.t % 256, np.uint8)}, info

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        obs, info = self._seen()
        return obs, {**info, "options": options}

    def step(self, action):
        obs, info = self._seen()
        ends = self.np_random.random() < 0.2, self.np_random.random() < 0.2
        return obs, 0.1 * float(action), *ends, info


def sync(mode, env_id, num_envs=N, **kwargs):
    fns = [lambda: gym.make(env_id, **kwargs) if isinstance(env_id, str) else env_id()] * num_envs
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*one step late")
        return GymVecEnv(SyncVectorEnv(fns, autoreset_mode=mode))


def dummy(env_id, num_envs=N, **kwargs):
    def make():
        return Monitor(gym.make(env_id, **kwargs) if isinstance(env_id, str) else env_id())

    return DummyVecEnv([make] * num_envs)


def timeless(infos):
    """Infos without the seconds that an episode took."""
    infos = deepcopy(infos)
    for info in infos:
        if "episode" in info:
            assert info["episode"].pop("t") >= 0
    return infos


def actions_for(env, steps, seed=0):
    env.action_space.seed(seed)
    return [
        np.array([env.action_space.sample() for _ in range(env.num_envs)]) for _ in range(steps)
    ]


def quiet_native(num_envs=N, **kwargs):
    with pytest.warns(UserWarning, match="one step late"):
        return GymVecEnv(gym.make_vec("CartPole-v1", num_envs, **kwargs))


class TestAgainstDummyVecEnv:
    @pytest.mark.parametrize("mode", IMMEDIATE)
    @pytest.mark.parametrize(("env_id", "kwargs"), [*TASKS, (Talker, {})])
    def test_same_trajectories(self, env_id, kwargs, mode):
        ours, reference = sync(mode, env_id, **kwargs), dummy(env_id, **kwargs)
        for env in (ours, reference):
            env.seed(SEED)
        assert data_equivalence(ours.reset(), dict_or_array(reference.reset()), exact=True)
        ended = 0
        for actions in actions_for(ours, 120):
            found, expected = ours.step(actions), reference.step(actions)
            assert data_equivalence(found[0], dict_or_array(expected[0]), exact=True)
            assert data_equivalence(found[1], expected[1], exact=True)
            assert data_equivalence(found[2], expected[2], exact=True)
            assert data_equivalence(timeless(found[3]), timeless(expected[3]), exact=True)
            ended += found[2].sum()
        assert ended > N
        assert ours.reset_steps == 0

    @pytest.mark.parametrize("mode", IMMEDIATE)
    def test_same_reset_infos(self, mode):
        ours, reference = sync(mode, Talker), dummy(Talker)
        for env in (ours, reference):
            env.seed(SEED)
            env.set_options({"level": 3})
            env.reset()
        assert ours.reset_infos[0]["options"] == {"level": 3}
        assert data_equivalence(ours.reset_infos, reference.reset_infos, exact=True)
        for actions in actions_for(ours, 40):
            ours.step(actions)
            reference.step(actions)
            for info in (*ours.reset_infos, *reference.reset_infos):
                info.pop("options", None)  # SyncVectorEnv turns no options into {} at a mask
            assert data_equivalence(ours.reset_infos, reference.reset_infos, exact=True)

    @pytest.mark.parametrize(("env_id", "kwargs"), [*TASKS, (Talker, {})])
    def test_next_step_adds_reset_steps_only(self, env_id, kwargs):
        """Each sub-environment is compared with one that is reset when its reset step comes."""
        ours = sync(NEXT, env_id, **kwargs)
        singles = [env for one in range(N) for env in dummy(env_id, 1, **kwargs).envs]
        ours.seed(SEED)
        batch = ours.reset()
        last = [single.reset(seed=SEED + i)[0] for i, single in enumerate(singles)]
        waiting, reset_steps = [False] * N, 0
        for actions in actions_for(ours, 120):
            batch, rewards, dones, infos = ours.step(actions)
            for i, single in enumerate(singles):
                if waiting[i]:
                    reset_steps += 1
                    obs, began = single.reset()
                    expected = {
                        "reset_step": True,
                        "TimeLimit.truncated": True,
                        "terminal_observation": last[i],
                    }
                    assert rewards[i] == 0
                    assert dones[i]
                    found_began = {k: v for k, v in ours.reset_infos[i].items() if k != "options"}
                    began.pop("options", None)
                    assert data_equivalence(found_began, began, exact=True)
                    waiting[i] = False
                else:
                    obs, reward, terminated, truncated, expected = single.step(actions[i])
                    expected["TimeLimit.truncated"] = truncated and not terminated
                    waiting[i] = terminated or truncated
                    if waiting[i]:
                        expected["terminal_observation"] = obs
                    assert rewards[i] == np.float32(reward)
                    assert dones[i] == waiting[i]
                assert data_equivalence(row(batch, i), obs, exact=True)
                assert data_equivalence(*timeless([infos[i], expected]), exact=True)
                last[i] = obs
            assert ours.waiting.tolist() == waiting
        assert ours.reset_steps == reset_steps > N

    def test_rewards_are_float32_and_the_learner_s_own(self):
        ours = sync(SAME, "Pendulum-v1")
        ours.reset()
        rewards = ours.step(actions_for(ours, 1)[0])[1]
        assert rewards.dtype == np.float32
        rewards += 1.0

    def test_reused_buffers_are_copied(self):
        fns = [lambda: gym.make("Pendulum-v1")] * N
        ours = GymVecEnv(SyncVectorEnv(fns, copy=False, autoreset_mode=SAME))
        first = ours.reset()
        kept = first.copy()
        ours.step(actions_for(ours, 1)[0])
        assert np.array_equal(first, kept)


def dict_or_array(obs):
    return dict(obs) if isinstance(obs, dict) else obs


def row(batch, i):
    return {key: value[i] for key, value in batch.items()} if isinstance(batch, dict) else batch[i]


class TestNativeCartPole:
    def test_reset_steps_by_hand(self):
        """Episodes of 3 steps: every fourth step of each sub-environment is a reset step."""
        env = quiet_native(num_envs=2, max_episode_steps=3)
        env.seed(SEED)
        last = env.reset()
        told = []
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # warned about once, at construction
            for t in range(1, 13):
                obs, rewards, dones, infos = env.step(np.array([0, 1]))
                assert env.reset_steps == 2 * (t // 4)
                assert env.waiting.all() == (t % 4 == 3)
                assert dones.all() == (t % 4 in (3, 0))
                for i, info in enumerate(infos):
                    assert info["TimeLimit.truncated"] == (t % 4 in (3, 0))
                    if t % 4 == 0:
                        assert info["reset_step"] is True
                        assert rewards[i] == 0
                        assert np.array_equal(info["terminal_observation"], last[i])
                        assert not np.array_equal(obs[i], last[i])
                    elif t % 4 == 3:
                        assert np.array_equal(info["terminal_observation"], obs[i])
                    told.append(info.get("episode"))
                last = obs
        assert [(one["r"], one["l"]) for one in told if one] == [(3.0, 3)] * 6

    def test_termination_is_no_time_limit(self):
        env = quiet_native(num_envs=1)
        env.seed(SEED)
        env.reset()
        dones = [False]
        while not dones[0]:
            _, _, dones, infos = env.step(np.array([0]))
        assert infos[0]["TimeLimit.truncated"] is False
        assert "reset_step" not in infos[0]
        _, _, dones, infos = env.step(np.array([0]))
        assert dones[0]
        assert infos[0]["TimeLimit.truncated"] is True

    def test_reset_ends_the_waiting(self):
        env = quiet_native(max_episode_steps=1)
        env.reset()
        env.step(np.zeros(N, int))
        assert env.waiting.all()
        env.reset()
        _, rewards, _, _ = env.step(np.zeros(N, int))
        assert rewards.tolist() == [1.0] * N
        assert env.reset_steps == 0

    @pytest.mark.parametrize(("algorithm", "gamma"), [(PPO, 1.0), (PPO, 0.9), (A2C, 1.0)])
    def test_what_the_rollout_buffer_sees(self, algorithm, gamma):
        """A reset row's advantage is (gamma - 1) V(s), and no row before it feels that."""
        marks = []

        class Mark(BaseCallback):
            def _on_step(self):
                marks.append(["reset_step" in info for info in self.locals["infos"]])
                return True

        model = algorithm(
            "MlpPolicy", quiet_native(), n_steps=64, gamma=gamma, gae_lambda=0.95, seed=0
        )
        _, callback = model._setup_learn(64, Mark())
        model.collect_rollouts(model.env, callback, model.rollout_buffer, 64)
        buffer, reset = model.rollout_buffer, np.array(marks)
        assert reset.sum() > N
        expected = (gamma - 1) * buffer.values[reset]
        np.testing.assert_allclose(buffer.advantages[reset], expected, atol=1e-6)
        last_rows = np.roll(reset, -1, 0)
        last_rows[-1] = False
        np.testing.assert_allclose(
            buffer.advantages[last_rows], 1 - buffer.values[last_rows], atol=1e-5
        )  # reward 1, terminated


class TestStatistics:
    @pytest.mark.parametrize("mode", list(AutoresetMode))
    def test_arrays_tell_the_same_as_dicts(self, mode):
        by_dicts, by_arrays = (sync(mode, "CartPole-v1") for _ in range(2))
        for env in (by_dicts, by_arrays):
            env.seed(SEED)
            env.reset()
        told, returns, lengths = [], [], []
        for t, actions in enumerate(actions_for(by_dicts, 200)):
            obs, rewards, dones, infos = by_dicts.step(actions)
            told += [info["episode"] for info in infos if "episode" in info]
            obs2, rewards2, terminated, truncated, arrays = by_arrays.step_arrays(actions)
            assert np.array_equal(obs, obs2)
            assert np.array_equal(rewards, rewards2)
            assert np.array_equal(dones, terminated | truncated)
            assert np.array_equal(arrays.get("_final_obs", np.zeros(N, bool)), dones)
            for i in np.flatnonzero(dones):
                final = infos[i]["terminal_observation"]
                assert np.array_equal(arrays["final_obs"][i], final)
            marks = arrays.get("reset_step", np.zeros(N, bool))
            assert marks.tolist() == ["reset_step" in info for info in infos]
            if t % 50 == 49:  # any number of steps between two calls
                for column, more in zip(
                    (returns, lengths), by_arrays.episode_statistics()[1:], strict=True
                ):
                    column += more.tolist()
        assert len(told) > 20
        assert [one["r"] for one in told] == returns
        assert [one["l"] for one in told] == lengths
        assert by_arrays.reset_steps == by_dicts.reset_steps
        for env in (by_dicts, by_arrays):  # handed over once
            assert [column.size for column in env.episode_statistics()] == [0, 0, 0]

    def test_reset_begins_anew(self):
        env = sync(SAME, "CartPole-v1", max_episode_steps=5)
        env.reset()
        env.step_arrays(np.zeros(N, int))
        env.reset()
        for _ in range(5):
            env.step_arrays(np.zeros(N, int))
        _, returns, lengths = env.episode_statistics()
        assert returns.tolist() == [5.0] * N
        assert lengths.tolist() == [5] * N


class TestInSB3:
    @pytest.mark.parametrize("mode", list(AutoresetMode))
    def test_ppo_trains(self, mode):
        env = sync(mode, "CartPole-v1")
        model = PPO("MlpPolicy", env, n_steps=64, batch_size=48, n_epochs=1, seed=0).learn(384)
        assert len(model.ep_info_buffer) > 3
        assert all(one["l"] > 1 for one in model.ep_info_buffer)

    def test_ppo_trains_on_dict_observations(self):
        model = PPO("MultiInputPolicy", sync(SAME, Talker), n_steps=8, batch_size=8, n_epochs=1)
        model.learn(24)

    def test_off_policy(self):
        DQN("MlpPolicy", sync(NEXT, "CartPole-v1"), learning_starts=32).learn(96)

    def test_same_learning_as_on_dummy_vec_env(self):
        """Equal rollouts make equal weights."""
        weights = []
        for env in (sync(SAME, "CartPole-v1"), dummy("CartPole-v1")):
            model = PPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, seed=3).learn(192)
            weights.append(model.policy.parameters_to_vector())
        assert np.array_equal(*weights)

    @pytest.mark.parametrize("mode", list(AutoresetMode))
    def test_evaluate_policy_trusts_the_statistics(self, mode):
        env = sync(mode, "CartPole-v1", max_episode_steps=20)
        model = PPO("MlpPolicy", env, n_steps=8, batch_size=8)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            returns, lengths = evaluate_policy(model, env, 8, return_episode_rewards=True)
        assert len(returns) == 8
        assert returns == lengths
        assert min(lengths) > 5  # no reset step is among them

    @pytest.mark.parametrize("mode", list(AutoresetMode))
    def test_vec_normalize_on_top(self, mode):
        ours, reference = (
            VecNormalize(env)
            for env in (sync(mode, "Pendulum-v1", max_episode_steps=9), dummy("Pendulum-v1"))
        )
        ours.seed(SEED)
        reference.seed(SEED)
        assert np.array_equal(ours.reset(), reference.reset())
        for actions in actions_for(ours, 8):
            for found, expected in zip(
                ours.step(actions)[:3], reference.step(actions), strict=False
            ):
                assert np.array_equal(found, expected)
        _, _, dones, infos = ours.step(actions)
        assert dones.all()
        assert all(np.abs(info["terminal_observation"]).max() <= 10 for info in infos)

    def test_vec_monitor_on_top(self):
        env = sync(SAME, "CartPole-v1")
        with pytest.warns(UserWarning, match="already wrapped"):
            env = VecMonitor(env)
        env.reset()
        for actions in actions_for(env, 60):
            for info in env.step(actions)[3]:
                if "episode" in info:
                    assert info["episode"]["r"] == info["episode"]["l"] > 1
        assert env.episode_count > 0


class Layer(VectorWrapper):
    """A wrapper that changes nothing."""

    own = 7


class TestAttributes:
    def test_of_sub_environments(self):
        env = sync(SAME, "Pendulum-v1")
        assert env.get_attr("g") == [10.0] * N
        env.set_attr("g", 1.5, indices=[0, 2])
        assert env.get_attr("g") == [1.5, 10.0, 1.5]
        assert env.get_attr("g", 1) == [10.0]
        assert env.env_method("has_wrapper_attr", "g", indices=[1]) == [True]
        assert not env.has_attr("group_size")
        with pytest.raises(AttributeError):
            env.get_attr("group_size")

    def test_of_a_native_vector_environment(self):
        with pytest.warns(UserWarning, match="one step late"):
            env = GymVecEnv(Layer(gym.make_vec("CartPole-v1", N)))
        assert env.get_attr("gravity") == [9.8] * N
        assert env.get_attr("gravity", [0]) == [9.8]
        assert env.get_attr("own", 1) == [7]
        env.set_attr("gravity", 5.0)
        assert env.vector_env.unwrapped.gravity == 5.0
        assert env.env_method("__repr__") == [repr(env.vector_env)] * N
        for call in (
            lambda: env.set_attr("gravity", 1.0, indices=0),
            lambda: env.env_method("reset", indices=[1]),
        ):
            with pytest.raises(ValueError, match="leave out indices"):
                call()
        with pytest.raises(AttributeError, match="no attribute 'levity'"):
            env.get_attr("levity")

    def test_env_is_wrapped(self):
        env = sync(SAME, "Pendulum-v1")
        assert env.env_is_wrapped(Monitor) == [True] * N
        assert env.env_is_wrapped(gym.wrappers.TimeLimit, [0]) == [True]
        assert env.env_is_wrapped(gym.wrappers.ClipAction) == [False] * N
        with pytest.warns(UserWarning, match="one step late"):
            native = GymVecEnv(Layer(gym.make_vec("CartPole-v1", N)))
        assert native.env_is_wrapped(Layer) == [True] * N
        assert native.env_is_wrapped(gym.wrappers.vector.ClipAction) == [False] * N

    def test_images(self):
        env = GymVecEnv(Silent(render_mode="rgb_array"))
        assert [image.shape for image in env.get_images()] == [(4, 6, 3)] * 2
        assert env.render().size == 2 * 4 * 6 * 3  # tiled
        assert [image.sum() for image in env.env_method("render")] == [0, 72]
        with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
            assert sync(SAME, "Pendulum-v1").get_images() == [None] * N

    def test_close_twice(self):
        env = sync(SAME, "Pendulum-v1")
        env.close()
        env.close()
        assert env.vector_env.closed


class Silent(VectorEnv):
    """Ends every step; `told` chooses what its infos say of it."""

    metadata = {"autoreset_mode": SAME}  # noqa: RUF012 - Gymnasium's own form
    num_envs = 2

    def __init__(self, told=(), observation_space=None, render_mode=None):
        self.told = dict(told)
        self.render_mode = render_mode
        self.single_observation_space = observation_space or spaces.Box(0, 9, (1,))
        self.single_action_space = spaces.Discrete(2)
        self.observation_space = batch_space(self.single_observation_space, 2)
        self.action_space = batch_space(self.single_action_space, 2)
        self.seeds = []

    def reset(self, *, seed=None, options=None):
        self.seeds.append((seed, options))
        return np.zeros((2, 1), np.float32), {}

    def step(self, actions):
        ended = np.ones(2, bool)
        return np.ones((2, 1), np.float32), np.ones(2), ended, ~ended, dict(self.told)

    def render(self):
        return np.zeros((4, 6, 3), np.uint8), np.ones((4, 6, 3), np.uint8)


class TestForms:
    def test_batched_final_obs_and_infos_without_masks(self):
        told = {
            "final_obs": np.full((2, 1), 5, np.float32),
            "_final_obs": np.ones(2, bool),
            "final_info": {"x": np.array([1, 2]), "all": "same"},
        }
        env = GymVecEnv(Silent(told))
        env.reset()
        _, _, _, infos = env.step(np.zeros(2, int))
        assert [info["x"] for info in infos] == [1, 2]
        assert [info["all"] for info in infos] == ["same", "same"]
        assert [info["terminal_observation"].tolist() for info in infos] == [[5.0], [5.0]]

    def test_final_obs_is_missing(self):
        env = GymVecEnv(Silent({"score": np.ones(2)}))
        env.reset()
        with pytest.raises(ValueError, match=r"no 'final_obs'.*found \['score'\]"):
            env.step(np.zeros(2, int))

    def test_mode_is_missing(self):
        class Old(Silent):
            metadata = {}  # noqa: RUF012

        with pytest.warns(UserWarning, match="one step late"):
            assert GymVecEnv(Old()).autoreset_mode is NEXT

    def test_seeds_and_options(self):
        inner = Silent()
        env = GymVecEnv(inner)
        env.reset()
        env.seed(5)
        env.set_options({"low": np.zeros(2)})
        env.reset()
        env._seeds = [5, 5]
        env.set_options([{"a": np.zeros(2)}, {"a": np.zeros(2)}])
        env.reset()
        env.reset()
        assert [seed for seed, _ in inner.seeds] == [None, 5, [5, 5], None]
        assert [sorted(options or []) for _, options in inner.seeds] == [[], ["low"], ["a"], []]
        env.set_options([{"a": 1}, {"a": 2}])
        with pytest.raises(ValueError, match="same reset options"):
            env.reset()

    @pytest.mark.parametrize(
        "space",
        [
            spaces.Tuple([spaces.Box(0, 1, (2,))]),
            spaces.Dict({"a": spaces.Dict({"b": spaces.Box(0, 1, (2,))})}),
            spaces.Text(4),
        ],
    )
    def test_spaces_without_a_form(self, space):
        with pytest.raises(TypeError, match="or a Dict of those"):
            GymVecEnv(Silent(observation_space=space))

    def test_no_vector_env(self):
        with pytest.raises(TypeError, match="found TimeLimit"):
            GymVecEnv(gym.make("CartPole-v1"))


class TestMakeVecEnv:
    def test_native_where_there_is_one(self):
        with pytest.warns(UserWarning, match="one step late"):
            env = make_vec_env("CartPole-v1", 2, seed=4, env_kwargs={"sutton_barto_reward": True})
        assert type(env.vector_env).__name__ == "CartPoleVectorEnv"
        env.reset()
        assert env.step(np.zeros(2, int))[1].tolist() == [0.0, 0.0]

    @pytest.mark.parametrize("env_id", ["Pendulum-v1", "gymnasium.envs:Pendulum-v1"])
    def test_same_step_elsewhere(self, env_id):
        env = make_vec_env(env_id, 2, seed=4, env_kwargs={"g": 2.0})
        assert env.autoreset_mode is SAME
        assert env.get_attr("g") == [2.0, 2.0]
        expected = [gym.make("Pendulum-v1").reset(seed=4 + i)[0] for i in range(2)]
        assert np.array_equal(env.reset(), expected)

    def test_of_a_spec_and_of_a_function(self):
        for maker in (gym.spec("Pendulum-v1"), lambda g: gym.make("Pendulum-v1", g=g)):
            env = make_vec_env(maker, 2, env_kwargs={"g": 3.0})
            assert env.autoreset_mode is SAME
            assert env.get_attr("g") == [3.0, 3.0]
        assert make_vec_env(Talker, 2, env_kwargs={"odd": 0}).get_attr("odd") == [0, 0]

    def test_function_that_makes_one_environment_only(self):
        one = Talker()
        with pytest.raises(ValueError, match="the same environment"):
            make_vec_env(lambda: one, 2)

    def test_unknown(self):
        with pytest.raises(gym.error.Error, match="Pendulum"):
            make_vec_env("Pendulummm-v1")


@pytest.mark.parametrize(
    ("env_id", "credit", "bootstraps"),
    [
        ("LLMAR/Generate-v0", "dense", False),
        ("LLMAR/Generate-v0", "sparse", False),
        ("LLMAR/Refine-v0", "sparse", False),
        ("LLMAR/Refine-v0", "dense", True),  # what is left to gain is worth something
    ],
)
def test_sb3_adds_no_value_to_a_score_that_is_paid_at_the_end(words, env_id, credit, bootstraps):
    env_kwargs = {"data": words, "credit": credit, "max_new_tokens": 3, "observation": "index"}
    if "Refine" in env_id:
        env_kwargs |= {"episode_length": 3, "threshold": 1.0}
    env = make_vec_env(env_id, 8, env_kwargs=env_kwargs, seed=0)
    env.reset()
    rng = np.random.default_rng(0)
    cut = []
    for _ in range(6):
        actions = rng.standard_normal((8, *env.action_space.shape)).astype(np.float32)
        _, _, dones, infos = env.step(actions)
        cut += [
            info["TimeLimit.truncated"] for info, done in zip(infos, dones, strict=True) if done
        ]
    assert len(cut) >= 8
    assert any(cut) is bootstraps

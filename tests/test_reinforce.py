import math

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from scipy.integrate import quad
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy

from agents import (
    REINFORCE,
    GRUPolicy,
    GymVecEnv,
    NonFiniteLossError,
    advantages,
    make_vec_env,
)
from agents.distributions import DirectionalGaussian
from agents.networks.seq2seq import Seq2SeqConfig
from agents.training.cross_entropy import TargetTexts
from agents.training.regularizers import CrossEntropy
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.vocabulary import Vocabulary

REWARDS = np.array([1.0, 0.2, -0.5])
BASELINES = ("none", "leave_one_out", "mean", "group")


class Bandit(gymnasium.Env):
    """Three arms, and nothing to see."""

    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space = spaces.Discrete(3)

    def __init__(self, rewards=REWARDS):
        self.rewards = rewards

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), float(self.rewards[action]), True, False, {}


class Countdown(gymnasium.Env):
    """Rewards 1, 2, 3, ... in an episode of a length of its own."""

    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space = spaces.Discrete(2)

    def __init__(self, length):
        self.length = length

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.steps += 1
        return np.zeros(1, np.float32), float(self.steps), False, self.steps >= self.length, {}


class Updates(BaseCallback):
    """Keeps what each update saw, and the gradient that it took."""

    def __init__(self):
        super().__init__()
        self.actions, self.rewards, self.gradients = [], [], []

    def _on_step(self):
        self.actions.append(self.locals["actions"].clone().numpy())
        self.rewards.append(np.array(self.locals["rewards"]))
        return True

    def _on_rollout_start(self):
        self.keep()

    def _on_training_end(self):
        self.keep()

    def keep(self):
        net = self.model.policy.action_net
        if net.bias.grad is not None:
            self.gradients.append(net.bias.grad.clone().numpy())


def bandit_model(baseline, num_envs=8, **kwargs):
    policy_kwargs = {"net_arch": []}
    env = make_vec_env(Bandit, num_envs)
    settings = {"learning_rate": 0.0, "max_grad_norm": math.inf, "device": "cpu", "seed": 0}
    settings |= kwargs
    return REINFORCE("MlpPolicy", env, baseline=baseline, policy_kwargs=policy_kwargs, **settings)


def bandit_gradients(baseline, updates, num_envs=8):
    model = bandit_model(baseline, num_envs)
    with torch.no_grad():
        model.policy.action_net.bias += torch.tensor([0.3, -0.4, 0.1])
    probability = torch.softmax(model.policy.action_net.bias, 0).detach().numpy()
    seen = Updates()
    model.learn(updates * num_envs, seen)
    return seen, probability


# ---------------------------------------------------------------------------- the estimator


@pytest.mark.parametrize(
    ("baseline", "shrunk"),
    [
        ("leave_one_out", 1.0),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in (("none", 1.0), ("mean", 7 / 8))),
    ],
)
def test_the_expected_gradient_is_the_analytic_one_within_its_standard_error(baseline, shrunk):
    seen, p = bandit_gradients(baseline, 1500)
    expected = -p * (REWARDS - p @ REWARDS) * shrunk  # of the loss, -E[r]
    gradients = np.array(seen.gradients)
    error = gradients.std(0) / math.sqrt(len(gradients))
    assert (np.abs(gradients.mean(0) - expected) < 4 * error).all()
    assert (4 * error < 0.2 * np.abs(expected).max()).all()  # or the test would pass whatever came


def test_equal_rewards_prefer_no_action_of_a_group():
    generator = torch.Generator().manual_seed(0)
    returns = torch.rand(1000, 1, generator=generator).expand(-1, 16)
    assert (returns - returns.sum(-1, keepdim=True) / 16).any()  # by rounding
    assert not advantages(returns, "group").any()
    mask = torch.rand(returns.shape, generator=generator) < 0.7
    assert not advantages(returns, "group", mask).any()
    # What differs by more than rounding is still told apart.
    one = torch.tensor([[0.5, 0.5, 0.5, 0.5001]])
    assert advantages(one, "group")[0, 3] == pytest.approx(math.sqrt(3), rel=1e-2)


@pytest.mark.parametrize("baseline", BASELINES)
def test_each_gradient_follows_the_baselines_formula(baseline):
    seen, p = bandit_gradients(baseline, 20)
    for actions, r, gradient in zip(seen.actions, seen.rewards, seen.gradients, strict=True):
        advantage = {
            "none": r,
            "leave_one_out": r - (r.sum() - r) / (len(r) - 1),
            "mean": r - r.mean(),
            "group": (r - r.mean()) / (r.std() + 1e-8),
        }[baseline]
        score = np.eye(3)[actions] - p  # grad of log softmax
        expected = -(advantage[:, None] * score).mean(0)
        np.testing.assert_allclose(gradient, expected, atol=1e-5)


class Constant(gymnasium.Env):
    """Nothing changes, whatever is done; a reward by chance ends each episode."""

    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space = observation_space, action_space

    def observe(self):
        if isinstance(self.observation_space, spaces.Dict):
            return {name: np.ones(1, np.float32) for name in self.observation_space}
        return np.ones(1, np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observe(), {}

    def step(self, action):
        return self.observe(), float(self.np_random.normal()), True, False, {}


def score_of_bias(space, policy, actions):
    """d log p / d bias of the layer of parameters, (N, parameters), in closed form."""
    bias = policy.action_net.bias.detach().numpy()
    if isinstance(space, spaces.Box):  # Gaussian, whose mean is the layer's output
        return (actions - bias) / np.exp(2 * policy.log_std.detach().numpy())
    if isinstance(space, spaces.MultiBinary):
        return actions - 1 / (1 + np.exp(-bias))
    parts = [space.n] if isinstance(space, spaces.Discrete) else space.nvec
    columns, first = [], 0
    for column, size in zip(actions.reshape(len(actions), -1).T, parts, strict=True):
        logits = bias[first : first + size]
        p = np.exp(logits) / np.exp(logits).sum()
        columns.append(np.eye(size)[column.astype(int)] - p)
        first += size
    return np.concatenate(columns, axis=1)


@pytest.mark.parametrize(
    "action_space",
    [
        spaces.Box(-5.0, 5.0, (3,)),
        spaces.Discrete(4),
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(3),
    ],
    ids=str,
)
@pytest.mark.parametrize("observation", ["box", "dict"])
def test_stock_policies_learn_from_the_score_on_every_action_space(observation, action_space):
    box = spaces.Box(-1.0, 1.0, (1,))
    observation_space = box if observation == "box" else spaces.Dict(one=box, two=box)
    model = REINFORCE(
        "MlpPolicy" if observation == "box" else "MultiInputPolicy",
        make_vec_env(lambda: Constant(observation_space, action_space), 16),
        learning_rate=0.0,
        max_grad_norm=math.inf,
        policy_kwargs={"net_arch": []},
        seed=0,
        device="cpu",
    )
    with torch.no_grad():
        net = model.policy.action_net
        net.weight.zero_()  # the parameters of the distribution are the bias, whatever is seen
        net.bias += 0.3 * torch.arange(len(net.bias))
    seen = Updates()
    model.learn(16 * 3, seen)
    assert len(seen.gradients) == 3
    for actions, r, gradient in zip(seen.actions, seen.rewards, seen.gradients, strict=True):
        advantage = r - (r.sum() - r) / (len(r) - 1)
        expected = -(advantage[:, None] * score_of_bias(action_space, model.policy, actions)).mean(
            0
        )
        np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_pendulum_is_learned_on_with_a_stock_policy():
    env = make_vec_env("Pendulum-v1", 4, seed=0)
    model = REINFORCE("MlpPolicy", env, seed=0, device="cpu")
    model.learn(1)
    assert model._n_updates == 1


def one_text_corpus(dim=3):
    generator = np.random.default_rng(3)
    table = generator.standard_normal((4, dim)).astype(np.float32)
    texts = EmbeddedTexts.from_ids(table, [[0, 1, 2]])
    target = EmbeddedTexts.from_ids(table, [[3]])
    return Corpus(texts, target, {"train": range(1)})


@pytest.mark.parametrize(
    ("baseline", "group"), [("leave_one_out", 4), pytest.param("none", 4, marks=pytest.mark.slow)]
)
def test_the_gru_policys_gradient_is_that_of_the_expected_cosine(baseline, group):
    # By symmetry around the direction u, E[cos(a, t)] = E[cos(a, u)] cos(u, t), for Gaussian a.
    corpus, noise_scale = one_text_corpus(), 0.5
    kwargs = {"data": corpus, "observation": "index", "group_size": group}
    env = make_vec_env("LLMAR/Align-v0", 16 * group, env_kwargs=kwargs)
    model = REINFORCE(
        GRUPolicy,
        env,
        learning_rate=0.0,
        max_grad_norm=math.inf,
        baseline=baseline,
        policy_kwargs={"hidden_dim": 4, "noise_scale": noise_scale},
        seed=0,
        device="cpu",
    )
    seen = Updates()
    model.learn(800 * 16 * group, seen)
    direction = model.policy.get_distribution(torch.zeros(1, 1, dtype=torch.long)).center[0]
    target = torch.as_tensor(corpus.target.unit_means)
    (along,) = torch.autograd.grad(
        torch.cosine_similarity(direction, target).mean(), model.policy.action_net.bias
    )
    expected = -_mean_cosine_with_center(noise_scale) * along.numpy()
    gradients = np.array(seen.gradients)
    error = gradients.std(0) / math.sqrt(len(gradients))
    assert (np.abs(gradients.mean(0) - expected) < 4 * error).all()
    assert (4 * error < 0.4 * np.abs(expected).max()).all()


def _mean_cosine_with_center(noise_scale):
    """E[cos(u + noise_scale * e, u)] in three dimensions, e standard Gaussian."""

    def along(x):
        def across(rho):
            weight = rho / noise_scale**2 * math.exp(-(rho**2) / (2 * noise_scale**2))
            return weight * x / math.hypot(x, rho)

        density = math.exp(-((x - 1) ** 2) / (2 * noise_scale**2)) / (
            noise_scale * math.sqrt(2 * math.pi)
        )
        return density * quad(across, 0, 10 * noise_scale)[0]

    return quad(along, 1 - 8 * noise_scale, 1 + 8 * noise_scale, points=[0.0])[0]


def test_the_learned_noise_scales_gradient_is_that_of_the_expected_cosine():
    noise_scale, group, step = 0.5, 4, 1e-3
    torch.manual_seed(0)
    directions = torch.randn(1, 3).repeat(64, 1)
    log_noise_scale = torch.tensor(math.log(noise_scale), requires_grad=True)
    target = torch.tensor([1.0, 0.2, -0.3])
    estimates = []
    for _ in range(1500):
        distribution = DirectionalGaussian(1, 3).proba_distribution(
            directions, log_noise_scale, group
        )
        actions = distribution.sample()
        returns = torch.cosine_similarity(actions, target, dim=-1).view(1, -1, group)
        score = ((actions - distribution.mode()) / (0.5 * noise_scale)).square().sum(1) - 3
        estimates.append((advantages(returns, "leave_one_out").flatten() * score).mean().item())
    up, down = (_mean_cosine_with_center(noise_scale * math.exp(h)) for h in (step, -step))
    cosine = torch.cosine_similarity(directions[0], target, dim=0).item()
    expected = (up - down) / (2 * step) * cosine
    error = np.std(estimates) / math.sqrt(len(estimates))
    assert abs(np.mean(estimates) - expected) < 4 * error
    assert 4 * error < 0.3 * abs(expected)


# ---------------------------------------------------------------------------- advantages

RETURNS = torch.tensor([[[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]]])  # one step, two groups of three


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ("none", [[1, 2, 6], [4, 4, 4]]),
        ("leave_one_out", [[-3, -1.5, 4.5], [0, 0, 0]]),
        ("mean", [[-2.5, -1.5, 2.5], [0.5, 0.5, 0.5]]),
        (
            "group",
            [[-2 / (14 / 3) ** 0.5, -1 / (14 / 3) ** 0.5, 3 / (14 / 3) ** 0.5], [0, 0, 0]],
        ),
    ],
)
def test_advantages_by_hand(baseline, expected):
    torch.testing.assert_close(
        advantages(RETURNS, baseline), torch.tensor([expected]).float(), atol=1e-6, rtol=1e-6
    )


@pytest.mark.parametrize("baseline", BASELINES)
def test_steps_after_an_episodes_end_take_no_part_in_any_baseline(baseline):
    mask = torch.tensor([[[True, True, False]]])
    returns = torch.tensor([[[1.0, 3.0, 0.0]]])
    expected = {
        "none": [1.0, 3.0, 0.0],
        "leave_one_out": [-2.0, 2.0, 0.0],
        "mean": [-1.0, 1.0, 0.0],
        "group": [-1.0, 1.0, 0.0],
    }[baseline]
    torch.testing.assert_close(
        advantages(returns, baseline, mask), torch.tensor([[expected]]), atol=1e-6, rtol=1e-6
    )


def test_returns_are_discounted_rewards_to_go_and_late_steps_are_discarded():
    lengths = iter([3, 1])
    env = make_vec_env(lambda: Countdown(next(lengths)), 2)
    model = REINFORCE("MlpPolicy", env, gamma=0.5, baseline="none", seed=0, device="cpu")
    model.learn(6)
    batch = model.rollout_buffer
    assert torch.stack(batch.returns).T.tolist() == [[1 + 1 + 0.75, 2 + 1.5, 3], [1, 0, 0]]
    assert torch.stack(batch.masks).T.tolist() == [[True] * 3, [True, False, False]]
    assert batch.discarded == 2
    assert model.num_timesteps == 6


def test_n_steps_asks_for_more_rounds():
    model = bandit_model("mean", n_steps=3)
    seen = Updates()
    model.learn(48, seen)
    assert model._n_updates == 2
    assert len(seen.actions) == 6
    assert model.rollout_buffer.rounds == 3


# ---------------------------------------------------------------------------- learning


def test_it_learns_the_best_arm():
    model = bandit_model("leave_one_out", learning_rate=0.05)
    model.learn(3000)
    probability = torch.softmax(model.policy.action_net.bias, 0)
    assert probability[0] > 0.9


def test_cartpole_through_the_adapter():
    with pytest.warns(UserWarning, match="NEXT_STEP"):
        env = GymVecEnv(gymnasium.make_vec("CartPole-v1", 8))
    model = REINFORCE(
        "MlpPolicy", env, learning_rate=1e-2, gamma=0.99, baseline="mean", seed=0, device="cpu"
    )
    model.learn(15_000)
    lengths = [episode["l"] for episode in model.ep_info_buffer]
    assert np.mean(lengths[-50:]) > 60  # a random policy lasts 22 steps
    assert env.reset_steps > 0


def test_a_reset_step_is_no_episode():
    with pytest.warns(UserWarning, match="NEXT_STEP"):
        env = GymVecEnv(gymnasium.make_vec("CartPole-v1", 1))
    model = REINFORCE("MlpPolicy", env, baseline="none", n_steps=60, seed=0, device="cpu")
    model.learn(60)
    ends = torch.stack(model.rollout_buffer.rewards)[:, 0]
    assert (ends == 1).all()  # a reset step's reward is 0
    assert model.rollout_buffer.rounds == len(model.ep_info_buffer)


def test_episodes_of_the_discarded_stretch_are_no_statistics():
    lengths = iter([6, 1])
    env = make_vec_env(lambda: Countdown(next(lengths)), 2)
    model = REINFORCE("MlpPolicy", env, baseline="none", seed=0, device="cpu").learn(12)
    assert sorted(episode["l"] for episode in model.ep_info_buffer) == [1, 6]


def test_callbacks_see_infos_as_in_sb3(corpus):
    class Watch(BaseCallback):
        def _on_step(self):
            infos = self.locals["infos"]
            assert len(infos) == 16
            seen.extend(info["episode"]["l"] for info in infos)
            return True

    seen = []
    align_model(corpus).learn(32, Watch())
    assert seen == [1] * 32


def test_a_prediction_in_a_callback_leaves_the_training_in_train_mode(corpus):
    class Predict(BaseCallback):
        def _on_rollout_start(self):
            self.model.predict(np.zeros((1, 1), np.int64))
            assert not self.model.policy.training

        def _on_step(self):
            modes.append(self.model.policy.training)
            return True

    modes = []
    align_model(corpus).learn(48, Predict())
    assert modes == [True] * 3


def align_env(corpus, num_envs=16, group_size=4, **kwargs):
    kwargs = {"data": corpus, "observation": "index", "group_size": group_size} | kwargs
    return make_vec_env("LLMAR/Align-v0", num_envs, env_kwargs=kwargs)


def align_model(corpus, seed=0, **kwargs):
    settings = {"policy_kwargs": {"hidden_dim": 8}, "seed": seed, "device": "cpu"} | kwargs
    return REINFORCE(GRUPolicy, align_env(corpus), **settings)


def weights(model):
    return {name: weight.clone() for name, weight in model.policy.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_seed_gives_the_same_run_and_another_one_another(corpus):
    runs = [weights(align_model(corpus, seed).learn(320)) for seed in (0, 0, 1)]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_both_observations_give_the_same_run(corpus):
    runs = []
    for observation in ("index", "embeddings"):
        env = align_env(corpus, observation=observation)
        model = REINFORCE(GRUPolicy, env, policy_kwargs={"hidden_dim": 8}, seed=0, device="cpu")
        runs.append(weights(model.learn(160)))
    for name, weight in runs[0].items():
        torch.testing.assert_close(weight, runs[1][name], atol=1e-5, rtol=1e-4)


def test_it_learns_to_echo(corpus):
    echo = Corpus(corpus.source, corpus.source, corpus.splits)
    env = align_env(echo, 64, 8)
    settings = {"policy_kwargs": {"hidden_dim": 32}, "seed": 0, "device": "cpu"}
    model = REINFORCE(GRUPolicy, env, learning_rate=1e-2, **settings)
    model.learn(64 * 5)
    early = np.mean([episode["r"] for episode in model.ep_info_buffer])
    model.learn(64 * 150)
    late = np.mean([episode["r"] for episode in model.ep_info_buffer])
    assert late > early + 0.15
    assert late > 0.85


# ---------------------------------------------------------------------------- as in SB3


def test_save_and_load_give_the_same_answers_and_go_on_learning(corpus, tmp_path):
    model = align_model(corpus).learn(160)
    model.save(tmp_path / "model")
    loaded = REINFORCE.load(tmp_path / "model", env=align_env(corpus), device="cpu")
    assert (loaded.baseline, loaded.gamma) == (model.baseline, model.gamma)
    obs = np.arange(8)[:, None]
    for one, other in zip(
        model.predict(obs, deterministic=True), loaded.predict(obs, deterministic=True), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    loaded.learn(160, reset_num_timesteps=False)
    assert loaded.num_timesteps == 320


def test_a_loaded_policy_without_its_store_says_what_to_do(corpus, tmp_path):
    align_model(corpus).save(tmp_path / "model")
    loaded = REINFORCE.load(tmp_path / "model", device="cpu")
    with pytest.raises(RuntimeError, match="attach"):
        loaded.predict(np.zeros((1, 1), np.int64))


def test_set_parameters_takes_anothers_weights(corpus):
    one, other = align_model(corpus, 0), align_model(corpus, 1)
    other.set_parameters(one.get_parameters())
    assert same(weights(one), weights(other))


def test_schedules_logger_and_statistics(corpus):
    model = align_model(corpus, learning_rate=lambda remaining: 0.1 * remaining)
    rates = []

    class Watch(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_start(self):
            rates.append(self.model.policy.optimizer.param_groups[0]["lr"])
            values.update(self.model.logger.name_to_value)

    values = {}
    model.learn(16 * 4, Watch(), log_interval=100)
    np.testing.assert_allclose(rates, [0.1, 0.075, 0.05, 0.025], atol=1e-9)
    named = ("train/grad_norm", "train/noise_scale", "rollout/group_reward_std")
    assert set(named) < set(values)
    assert values["rollout/clipped_fraction"] == 0
    assert values["train/noise_scale"] == pytest.approx(0.2)
    assert len(model.ep_info_buffer) == 64
    assert {episode["l"] for episode in model.ep_info_buffer} == {1}


def test_the_clipped_fraction_is_counted():
    env = align_env(one_text_corpus(), 2048, 1)
    settings = {"policy_kwargs": {"hidden_dim": 4, "noise_scale": 4.0}, "seed": 0, "device": "cpu"}
    model = REINFORCE(GRUPolicy, env, **settings)
    model.learn(2048)
    noise = torch.distributions.Normal(0, 2.0)  # radius 0.5 times noise scale 4
    about = 2 * noise.cdf(torch.tensor(-1.0)).item()  # were the mean 0
    assert model.logger.name_to_value["rollout/clipped_fraction"] == pytest.approx(about, abs=0.05)


def test_a_callback_that_says_stop_ends_the_training_and_learn_can_go_on(corpus):
    class Stop(BaseCallback):
        def _on_step(self):
            return self.n_calls < 3

    model = align_model(corpus)
    model.learn(16 * 100, Stop())
    assert model.num_timesteps == 48
    model.learn(16 * 2, reset_num_timesteps=False)
    assert model.num_timesteps == 80


def test_the_entropy_bonus_widens_the_noise(corpus):
    noise_scales = []
    for weight in (0.0, 1.0):
        kwargs = {"hidden_dim": 8, "learn_noise_scale": True}
        model = align_model(corpus, policy_kwargs=kwargs, ent_coef=weight, learning_rate=1e-2)
        noise_scales.append(model.learn(16 * 20).policy.action_dist.noise_scale.item())
    assert noise_scales[1] > noise_scales[0] + 0.02


# ---------------------------------------------------------------------------- faults


def test_a_loss_that_is_not_finite_stops_the_training_and_leaves_the_weights():
    env = make_vec_env(Bandit, 4, env_kwargs={"rewards": [math.nan] * 3})
    model = REINFORCE("MlpPolicy", env, seed=0, device="cpu")
    before = weights(model)
    with pytest.raises(NonFiniteLossError, match=r"the loss is nan in update 1, after 4 steps"):
        model.learn(40)
    assert same(before, weights(model))


def test_a_gradient_that_is_not_finite_is_no_better():
    model = bandit_model("none")
    before = weights(model)
    model.policy.action_net.bias.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(NonFiniteLossError, match="gradient"):
        model.learn(8)
    assert same(before, weights(model))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"baseline": "rloo"}, "none, leave_one_out, mean, group"),
        ({"device": "cuda:7"}, "available: cpu"),
    ],
)
def test_unknown_settings_list_what_there_is(corpus, kwargs, message):
    with pytest.raises(ValueError, match=message):
        REINFORCE(GRUPolicy, align_env(corpus), **kwargs)


def test_one_environment_has_nothing_to_compare_with():
    with pytest.raises(ValueError, match="baseline='none'"):
        bandit_model("leave_one_out", num_envs=1)
    bandit_model("none", num_envs=1).learn(3)


def test_an_environment_on_another_store_is_an_error(corpus):
    model = align_model(corpus)
    other = Corpus(corpus.source.truncate(1)[0], corpus.target, corpus.splits)
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        model.set_env(align_env(other))


def test_schedules_do_not_become_negative_where_a_rollout_exceeds_the_limit(corpus):
    seen = []
    model = align_model(corpus, ent_coef=lambda progress: seen.append(progress) or 0.0)
    model.learn(1)
    assert seen
    assert min(seen) >= 0


def test_an_environment_without_end_is_an_error(monkeypatch):
    monkeypatch.setattr("agents.algorithms.reinforce._MAX_EPISODE_STEPS", 5)
    env = make_vec_env(lambda: Countdown(10), 2)
    with pytest.raises(RuntimeError, match="time limit"):
        REINFORCE("MlpPolicy", env, seed=0, device="cpu").learn(100)


@pytest.mark.gpu
def test_it_learns_on_cuda(corpus):
    model = align_model(corpus, device="cuda").learn(1600)
    assert next(model.policy.parameters()).is_cuda
    assert all(torch.isfinite(weight).all() for weight in weights(model).values())


# ---------------------------------------------------------------------------- writers


def writing_model(words, seed=0, reward="mean", num_envs=8, **kwargs):
    options = {"data": words, "observation": "index", "max_new_tokens": 5, "credit": "sparse"}
    env = make_vec_env(
        "LLMAR/Generate-v0",
        num_envs,
        env_kwargs=options | {"group_size": 4, "reward": reward},
    )
    writer = Seq2SeqConfig(encoder_dim=8, decoder_dim=12, dropout=0.0)
    policy_kwargs = {"writer": writer, "low_precision": False} | kwargs.pop("policy_kwargs", {})
    return REINFORCE("WriterPolicy", env, seed=seed, policy_kwargs=policy_kwargs, **kwargs)


def last_batch(model, steps=1):
    batches = []
    model.regularizers = (lambda _, batch: batches.append(batch) or torch.zeros(()),)
    model.learn(steps)
    return batches


def test_a_writers_gradient_follows_the_formula(words):
    model = writing_model(words, learning_rate=0.0)
    (batch,) = last_batch(model)
    found = [w.grad for w in model.policy.parameters() if w.grad is not None]
    mask, returns = torch.stack(batch.masks), torch.stack(batch.returns)
    # The reward comes at the end, so a text's return is the same at each of its words, and others
    # of its group are compared with it whether they are longer or not.
    total = torch.stack(batch.rewards).mul(mask).sum(0).view(-1, 4)
    others = (total.sum(-1, keepdim=True) - total) / 3
    advantage = (total - others).flatten() * mask
    groups = (len(returns), -1, 4)
    advantage = advantage.view(groups)
    batch.evaluate()
    loss = -(advantage * batch.log_prob.view(groups)).sum() / 8
    model.policy.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.policy.parameters(), 1.0)
    assert norm > 0
    expected = [w.grad for w in model.policy.parameters() if w.grad is not None]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_groups_that_ended_at_different_steps_come_together_on_new_texts(words):
    model, shown, lengths = writing_model(words), [], []

    def note(_, batch):
        shown.append(tuple(batch.states[0].text[:, 0].tolist()))
        lengths.extend(torch.stack(batch.masks).sum(0).tolist())
        return torch.zeros(())

    model.regularizers = (note,)
    model.learn(8 * 5 * 6)
    assert len(shown) > 2
    assert len(set(shown)) == len(shown)
    assert len(set(lengths)) > 1  # they did end at different steps


def test_a_constant_reward_teaches_a_writer_nothing(words):
    model = writing_model(words, reward=lambda written: np.ones(len(written)), num_envs=32)
    with torch.no_grad():
        # An empty text scores 0: EOS must not come first, but soon after.
        policy = model.policy
        policy.log_noise_scale.fill_(0.0)
        policy.action_net.bias.zero_()
        policy.action_net.bias[:-1] -= torch.as_tensor(policy.vocabulary.directions[-1]) * 0.2
    lengths, scores = [], []

    def note(_, batch):
        lengths.extend(torch.stack(batch.masks).sum(0).tolist())
        scores.extend(torch.stack(batch.returns)[0].tolist())
        return torch.zeros(())

    model.regularizers = (note,)
    while not scores or min(scores) < 1:  # until no text of a round is empty
        scores.clear()
        lengths.clear()
        model.learn(1)
    assert len(set(lengths)) > 1
    grads = [w.grad for w in model.policy.parameters() if w.grad is not None]
    assert grads
    assert all((grad == 0).all() for grad in grads)


def test_a_model_with_regularizers_can_be_saved(words, tmp_path):
    model = writing_model(words)
    texts = TargetTexts(words, Vocabulary.of(words))
    model.regularizers = (CrossEntropy(texts, 0.5, 6),)
    model.learn(1)
    model.save(tmp_path / "model")
    loaded = REINFORCE.load(tmp_path / "model", model.get_env())
    loaded.learn(1)
    assert loaded.regularizers[0].batches.pending


def test_a_writer_with_another_vocabulary_than_the_environments_is_refused(words):
    other = Vocabulary(words.target_embedder.table[:50], np.arange(50), words.target_embedder)
    options = {"data": words, "observation": "embeddings"}
    env = make_vec_env("LLMAR/Generate-v0", 4, env_kwargs=options)
    with pytest.raises(ValueError, match=f"{other.fingerprint}, but the environment reads with"):
        REINFORCE("WriterPolicy", env, policy_kwargs={"vocabulary": other})


@pytest.mark.parametrize(("distribution", "noise_scale"), [("tokens", 1.0), ("gaussian", 0.3)])
def test_a_writer_learns_to_say_what_is_rewarded(words, distribution, noise_scale):
    vocabulary = Vocabulary.of(words)
    wanted = int(vocabulary.encode(["dog"])[0][0])

    def says_dog(written):
        return (written.tokens == wanted).mean(axis=1)

    model = writing_model(
        words,
        reward=says_dog,
        num_envs=64,
        learning_rate=5e-3,
        policy_kwargs={"distribution": distribution, "noise_scale": noise_scale},
    )
    model.learn(64 * 5 * 80)
    returns = [info["r"] for info in model.ep_info_buffer]
    assert np.mean(returns) > 0.5  # a random word would be it once in a hundred


def test_the_same_seed_gives_the_same_writer_and_another_one_another(words):
    weights = []
    for seed in (0, 0, 1):
        model = writing_model(words, seed=seed)
        model.learn(8 * 5 * 3)
        weights.append(model.policy.action_net.weight.detach().clone())
    torch.testing.assert_close(weights[0], weights[1], atol=0, rtol=0)
    assert (weights[0] != weights[2]).any()


def test_a_writers_entropy_bonus_follows_its_schedule(words):
    progress = []

    def schedule(remaining):
        progress.append(remaining)
        return 0.5

    model = writing_model(words, reward=lambda w: np.ones(len(w)), ent_coef=schedule)
    (batch,) = last_batch(model)
    entropy = batch.mean_entropy()
    assert progress
    distribution = batch.states[0].policy.action_dist
    assert entropy.item() == pytest.approx(distribution.entropy().mean().item(), rel=1e-4)
    assert model.logger.name_to_value["train/entropy"] == pytest.approx(entropy.item())


def test_the_noise_scale_follows_its_schedule(words):
    fixed = {"noise_scale": 0.3, "learn_noise_scale": False}
    model = writing_model(words, policy_kwargs=fixed, noise_scale=lambda remaining: 0.1 + remaining)
    model.learn(8 * 5 * 4)
    assert 0.1 < model.policy.action_dist.noise_scale.item() < 1.1
    with pytest.raises(ValueError, match="learn_noise_scale=False"):
        writing_model(words, noise_scale=lambda _: 0.1)


# ---------------------------------------------------------------------------- interruptions


class Interrupt(BaseCallback):
    """Breaks learning off at a step in the middle of a round."""

    def __init__(self, how, after):
        super().__init__()
        self.how, self.after = how, after

    def _on_step(self):
        if self.n_calls < self.after:
            return True
        if self.how == "callback":
            return False
        raise {"keyboard": KeyboardInterrupt, "error": RuntimeError}[self.how]("stop")


@pytest.mark.parametrize("how", ["callback", "keyboard", "error"])
@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("kind", ["writer", "gru", "stock"])
def test_learning_goes_on_after_an_interruption(words, corpus, kind, how, again):
    if kind == "writer":
        model, steps, after = writing_model(words), 8 * 5, 4
        # All words are about as likely, so some texts have ended by then.
        model.policy.set_noise_scale(1.0)
    elif kind == "gru":
        env_kwargs = {"data": corpus, "observation": "index", "group_size": 4}
        env = make_vec_env("LLMAR/Align-v0", 8, env_kwargs=env_kwargs)
        model, steps, after = REINFORCE(GRUPolicy, env, n_steps=4, device="cpu"), 8 * 4, 2
    else:
        model = REINFORCE("MlpPolicy", make_vec_env("CartPole-v1", 4), device="cpu")
        steps, after = 4, 3
    if how == "callback":
        model.learn(steps, Interrupt(how, after))
    else:
        with pytest.raises((KeyboardInterrupt, RuntimeError), match="stop"):
            model.learn(steps, Interrupt(how, after))
    updates = model._n_updates
    model.learn(3 * steps, reset_num_timesteps=again)
    assert model._n_updates > updates


def test_a_writer_learns_again_after_its_environments_were_used_otherwise(words):
    model = writing_model(words)
    model.policy.set_noise_scale(1.0)  # texts of different lengths
    model.learn(8 * 5)
    evaluate_policy(model, model.env, n_eval_episodes=60, deterministic=False, warn=False)
    updates = model._n_updates
    model.learn(8 * 5 * 2)
    assert model._n_updates > updates


def test_a_loaded_model_goes_on_counting_and_drawing_seeds(words, tmp_path):
    model = writing_model(words)
    model.learn(8 * 5 * 3)
    assert model._n_updates > 0
    model.save(tmp_path / "model")
    loaded = REINFORCE.load(tmp_path / "model", env=model.env)
    assert loaded._n_updates == model._n_updates
    assert loaded._seeds.integers(2**31) == model._seeds.integers(2**31)

import inspect
import json
import math
import sys

import numpy as np
import pytest
import torch
from conftest import flat_config
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import kl_divergence
from stable_baselines3.common.torch_layers import FlattenExtractor
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector

import train
from agents import (
    ALGORITHMS,
    LLMAR,
    Config,
    GRUFeatures,
    GRUPolicy,
    GRUSACPolicy,
    GRUTD3Policy,
    answer,
    attach_texts,
    make_vec_env,
)
from agents.algorithms.ranges import RANGES
from agents.algorithms.settings import (
    _Declared,
    _parameters,
    find_algorithm,
    policy_class,
    tuned,
)
from agents.distributions import DISTRIBUTIONS, DirectionalGaussian, FreeGaussian
from agents.inference.evaluation import evaluate
from agents.networks.encoder import GRUEncoder
from agents.training.clock import Clock
from llmar_env.text.corpus import Corpus

CONTRIB = {"trpo", "recurrent_ppo", "tqc", "crossq", "ars"}
OFF_POLICY = {"sac", "td3", "ddpg", "tqc", "crossq"}
# What keeps a run on 36 texts short.
SMALL = {"hidden_dim": 8, "num_texts": 8, "supervised": False, "progress": False, "device": "cpu"}
_OFF_POLICY = {
    "learning_starts": 64,
    "batch_size": 32,
    "buffer_size": 512,
    "gradient_steps": 1,
    "policy.net_arch": {"pi": [], "qf": [16]},
}
SETTINGS = {
    "ppo": {"batch_size": 16},
    "trpo": {"batch_size": 16},
    "recurrent_ppo": {"batch_size": 16, "policy.lstm_hidden_size": 8},
    "ars": {"n_eval_episodes": 8, "n_delta": 2},
    **dict.fromkeys(OFF_POLICY, _OFF_POLICY),
}


# Those that explore around a direction.
DIRECTIONS = ("reinforce", "ppo", "a2c", "trpo")


def config(name, group_size=4, **kwargs):
    if name in CONTRIB:
        pytest.importorskip("sb3_contrib", reason='needs the extra "contrib"')
    given = kwargs.pop("settings", {})
    settings = tuple((SETTINGS.get(name, {}) | given).items())
    group_size = 1 if name == "ars" else group_size
    return flat_config(algo=name, group_size=group_size, settings=settings, **SMALL | kwargs)


def echo_of(corpus):
    return Corpus(corpus.source, corpus.source, corpus.splits, corpus.sources, corpus.sources)


def align_env(corpus, **kwargs):
    kwargs = {"data": corpus, "observation": "index"} | kwargs
    return make_vec_env("LLMAR/Align-v0", 8, env_kwargs=kwargs)


# ---------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("vectors", [1, 2])
@pytest.mark.parametrize("observation", ["index", "embeddings"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_trains_answers_and_comes_back(
    corpus, name, observation, vectors, tmp_path
):
    llmar = LLMAR(config(name, total_steps=200, observation=observation, num_vectors=vectors))
    trained = llmar.train(corpus)
    assert trained.timings["steps"] >= 200
    assert any(isinstance(module, GRUFeatures) for module in llmar.policy.modules())
    answers = answer(llmar.policy, corpus.source)
    assert answers.shape == (36, vectors, 4)
    np.testing.assert_allclose(np.linalg.norm(answers, axis=-1), 1, atol=1e-5)
    llmar.save(tmp_path)
    loaded = LLMAR.load(tmp_path, device="cpu")
    np.testing.assert_array_equal(answer(loaded.policy, corpus.source), answers)
    assert loaded.config == llmar.config


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_moves_its_gru_and_its_answer(corpus, name):
    llmar = LLMAR(config(name, total_steps=600))
    model = llmar.trainer._make_agent(corpus, Clock(), None)
    before = {key: value.clone() for key, value in model.policy.named_parameters()}
    model.learn(600)
    after = dict(model.policy.named_parameters())
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert any("gru" in key for key in moved)
    assert any("action_net" in key or "mu" in key for key in moved)
    assert all(value.isfinite().all() for value in after.values())


@pytest.mark.parametrize("name", [*ALGORITHMS])
def test_every_algorithm_follows_its_seed(corpus, name):
    answers = []
    for seed in (3, 3, 4):
        llmar = LLMAR(config(name, total_steps=150, seed=seed))
        llmar.train(corpus)
        answers.append(answer(llmar.policy, corpus.source))
    np.testing.assert_array_equal(answers[0], answers[1])
    assert np.abs(answers[0] - answers[2]).max() > 1e-3


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_is_scored_beside_its_supervised_baseline(corpus, name):
    llmar = LLMAR(config(name, total_steps=200, supervised=True))
    trained = llmar.train(corpus)
    assert trained.scores["test"].keys() >= {"trained", "supervised", "untrained", "constant"}
    assert trained.curves["supervised"][-1].seconds > 0


def test_the_supervised_baseline_is_the_agents_network_with_its_first_weights(corpus, monkeypatch):
    seen = {}

    def spy(policy, *args, **kwargs):
        seen.update(policy.state_dict())
        raise KeyboardInterrupt

    def marked(self, *args):
        model = make_model(self, *args)
        with torch.no_grad():
            for weight in model.policy.state_dict().values():
                weight.fill_(0.25)
        return model

    cls = type(LLMAR(config("ppo")).trainer)
    make_model = cls._make_model
    monkeypatch.setattr("agents.trainers.align.train_supervised", spy)
    monkeypatch.setattr(cls, "_make_model", marked)
    settings = {"policy.net_arch": [5], "policy.features_extractor_kwargs": {"features_dim": 6}}
    # At such a rate the weights stay the first ones.
    given = {"supervised": True, "learning_rate": 1e-30, "total_steps": 1, "settings": settings}
    llmar = LLMAR(config("ppo", **given))
    with pytest.warns(UserWarning, match="interrupted"):
        llmar.train(corpus)
    agents = llmar.policy.state_dict()
    assert seen.keys() == agents.keys()
    # None of them is what a new network would begin with.
    assert all((weight == 0.25).all() for weight in agents.values())
    assert all(torch.equal(seen[key], weight) for key, weight in agents.items())


@pytest.mark.gpu
@pytest.mark.parametrize("observation", ["index", "embeddings"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_trains_and_answers_on_cuda(corpus, name, observation, tmp_path):
    llmar = LLMAR(config(name, total_steps=200, observation=observation, device="cuda"))
    llmar.train(corpus)
    assert {weight.device.type for weight in llmar.policy.parameters()} == {"cuda"}
    answers = answer(llmar.policy, corpus.source)
    llmar.save(tmp_path)
    on_cpu = LLMAR.load(tmp_path, device="cpu").policy
    np.testing.assert_allclose(answer(on_cpu, corpus.source), answers, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sac", "td3", "crossq", "trpo"])
def test_they_learn_to_echo(corpus, name):
    steps = {"trpo": 1500}.get(name, 5000)
    settings = {"gradient_steps": 4, "policy.net_arch": {"pi": [], "qf": [64]}}
    settings = settings if name in OFF_POLICY else {"target_kl": 0.5}
    echo = echo_of(corpus)
    llmar = LLMAR(
        config(name, hidden_dim=32, learning_rate=3e-3, total_steps=steps, settings=settings)
    )
    scores = llmar.train(echo).scores["valid"]
    assert scores["trained"].alignment > scores["untrained"].alignment + 0.25
    assert scores["trained"].alignment > scores["constant"].alignment + 0.1


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_time_limit_ends_every_algorithm(corpus, name):
    llmar = LLMAR(config(name, total_steps=1e12, time_limit=0.3))
    trained = llmar.train(corpus)
    assert trained.timings["steps"] < 1e9
    seconds = [record.seconds for record in trained.curves["trained"]]
    assert seconds == sorted(seconds)
    assert seconds[-1] >= 0.3  # validated once more at the end


# ---------------------------------------------------------------------------- policies


@pytest.mark.parametrize(("cls", "policy"), [(SAC, GRUSACPolicy), (TD3, GRUTD3Policy)])
def test_the_mean_answer_of_an_actor_is_a_direction_of_fixed_length(corpus, cls, policy):
    env = align_env(corpus, num_vectors=3)
    kwargs = {"hidden_dim": 8, "rms": 0.2}
    model = cls(policy, env, seed=0, device="cpu", policy_kwargs=kwargs, buffer_size=64)
    obs = torch.arange(36)[:, None]
    mean = model.actor(obs, deterministic=True) if cls is SAC else model.actor(obs)
    mean = torch.atanh(mean) if cls is SAC else mean  # SAC squashes it
    lengths = mean.view(36, 3, 4).norm(dim=-1)
    torch.testing.assert_close(lengths, torch.full((36, 3), 0.2 * math.sqrt(4)))
    features = model.actor.features_extractor(obs)
    linear = model.actor.mu[0](features).view(36, 3, 4)
    torch.testing.assert_close(
        F.normalize(linear, dim=-1), F.normalize(mean.view(36, 3, 4), dim=-1)
    )


def test_stock_policies_read_texts_by_the_features_extractor(corpus, tmp_path):
    env = align_env(corpus)
    kwargs = {"features_extractor_class": GRUFeatures, "net_arch": [8]}
    model = SAC("MlpPolicy", env, learning_starts=16, seed=0, device="cpu", policy_kwargs=kwargs)
    model.learn(64)
    model.save(tmp_path / "sac")
    loaded = SAC.load(tmp_path / "sac", device="cpu")
    with pytest.raises(RuntimeError, match=r"agents\.attach_texts"):
        loaded.predict(np.array([[1]]))
    attach_texts(loaded.policy, corpus.source)
    obs = np.array([[1], [30]])
    np.testing.assert_array_equal(
        loaded.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0]
    )
    # The same answers for the same texts, whether by number or as vectors.
    expected = model.predict(np.arange(36)[:, None], deterministic=True)[0]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(answer(model.policy, corpus.source)[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("mode", [True, False])
def test_answering_leaves_the_policys_mode_as_it_was(corpus, mode, monkeypatch):
    model = PPO(GRUPolicy, align_env(corpus), n_steps=2, batch_size=16, device="cpu")
    model.policy.set_training_mode(mode)
    evaluate(model.policy, corpus, "valid")
    assert model.policy.training == mode
    monkeypatch.setattr(model.policy, "_predict", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        answer(model.policy, corpus.source)
    assert model.policy.training == mode


@pytest.mark.parametrize("cls", [DirectionalGaussian, FreeGaussian])
def test_kl_of_directions_is_that_of_their_gaussians(cls):
    torch.manual_seed(0)
    first, second = torch.randn(2, 5, 6)
    noise_scale = torch.tensor(0.3).log()
    p = cls(2, 3, radius=0.5).proba_distribution(first, noise_scale)
    q = cls(2, 3, radius=0.5).proba_distribution(second, noise_scale)
    # KL(N(m, s^2 I), N(n, s^2 I)) = |m - n|^2 / 2 s^2, with s = 0.5 * 0.3.
    gap = 0.5 * (first - second)
    if cls is DirectionalGaussian:
        gap = 0.5 * (p.center - q.center).flatten(1)
    expected = gap.square().sum(1) / (2 * 0.15**2)
    torch.testing.assert_close(kl_divergence(p, q), expected)


def test_the_twice_differentiable_encoder_is_the_same_and_has_a_second_derivative():
    torch.manual_seed(0)
    slow, fast = GRUEncoder(3, 4, twice_differentiable=True), GRUEncoder(3, 4)
    fast.load_state_dict(slow.state_dict())
    vectors, lengths = torch.randn(5, 7, 3), torch.tensor([3, 7, 1, 7, 2])
    torch.testing.assert_close(slow(vectors, lengths), fast(vectors, lengths))
    slow.double()
    small = torch.randn(2, 3, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: slow(x, torch.tensor([3, 2])), (small,))
    loss = fast(vectors, lengths).square().sum()
    with pytest.raises(RuntimeError, match=r"features_extractor_kwargs.*twice_differentiable"):
        torch.autograd.grad(loss, list(fast.parameters()), create_graph=True)


@pytest.fixture
def ars(corpus):
    """ARS of six candidates, each of which answers once in each of eight environments."""
    contrib = pytest.importorskip("agents.contrib", reason='needs the extra "contrib"')
    return contrib.ARS(
        contrib.GRUSearchPolicy,
        align_env(corpus),
        n_delta=3,
        n_eval_episodes=8,
        zero_policy=False,
        seed=0,
        policy_kwargs={"hidden_dim": 4},
    )


def test_ars_counts_each_step_of_each_environment_once(ars):
    assert ars.learn(1).num_timesteps == 6 * 8


def test_ars_ends_where_a_callback_says_so_with_the_weights_of_its_last_update(ars):
    class Stop(BaseCallback):
        ends = 0

        def _on_step(self):
            if self.num_timesteps == 6 * 8 + 1:  # the first after an update
                self.after = parameters_to_vector(self.model.policy.parameters()).detach().clone()
            return self.num_timesteps < 6 * 8 + 10

        def _on_training_end(self):
            self.ends += 1

    before, callback = ars.weights.clone(), Stop()
    assert ars.learn(10_000, callback) is ars
    assert ars.num_timesteps == 6 * 8 + 10
    assert callback.ends == 1
    assert not torch.equal(callback.after, before)
    assert torch.equal(parameters_to_vector(ars.policy.parameters()), callback.after)


# ---------------------------------------------------------------------------- names and settings


@pytest.mark.parametrize("name", ["SAC", "Recurrent-PPO", "RecurrentPPO", "recurrent_ppo"])
def test_names_are_forgiving(name):
    found = find_algorithm(name)
    assert found.path.rpartition(":")[2].lower() == name.lower().replace("-", "").replace("_", "")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"unknown algorithm 'pop'; choose one of reinforce, ppo, .*ars"
    ):
        find_algorithm("pop")


@pytest.mark.parametrize("name", ["dqn", "QR-DQN", "MaskablePPO"])
def test_an_algorithm_for_numbered_actions_says_why_it_cannot_be_used(name):
    message = rf"{name} needs discrete actions .*Discrete.* are reinforce, ppo, .*sac"
    with pytest.raises(ValueError, match=message):
        find_algorithm(name)


def test_settings_reach_the_algorithm_and_its_policy(corpus):
    given = (("n_epochs", 2), ("clip_range", 0.3), ("policy.net_arch", [7]))
    llmar = LLMAR(flat_config(algo="ppo", learning_rate=0.5, settings=given, **SMALL))
    model = llmar.trainer._make_agent(corpus, Clock(), None)
    assert model.n_epochs == 2
    assert model.clip_range(1.0) == 0.3
    assert model.learning_rate(1.0) == 0.5
    assert model.policy.net_arch == [7]
    assert ALGORITHMS["ppo"].settings["n_epochs"] != 2  # the table stays as it is


def test_noise_of_an_action_has_a_deviation_in_each_coordinate(corpus):
    llmar = LLMAR(config("td3", settings={"action_noise": 0.25}, num_vectors=2))
    model = llmar.trainer._make_agent(corpus, Clock(), None)
    drawn = np.stack([model.action_noise() for _ in range(2000)])
    assert drawn.shape == (2000, 2, 4)
    np.testing.assert_allclose(drawn.std(axis=0), 0.25, atol=0.02)
    assert abs(np.corrcoef(drawn[:, 0, 0], drawn[:, 1, 3])[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("algo", "setting", "message"),
    [
        (
            "ppo",
            ("n_step", 4),
            "unknown setting 'n_step'; did you mean n_steps.* The settings are batch_size",
        ),
        ("ppo", ("xyzzy", 4), r"unknown setting 'xyzzy'\. The settings are"),
        ("ppo", ("policy.net_arc", [4]), "did you mean net_arch"),
        ("ppo", ("n_steps", "many"), "n_steps must be an integer, found 'many'; the default is 8"),
        ("ppo", ("normalize_advantage", 3), "normalize_advantage must be true or false, found 3"),
        ("ppo", ("n_epochs", 2.5), "n_epochs must be an integer, found 2.5; the default is 10"),
        ("ppo", ("n_epochs", True), "n_epochs must be an integer, found True; the default is 10"),
        ("ppo", ("n_epochs", 0), "n_epochs must be at least 1, found 0; the default is 10"),
        ("ppo", ("batch_size", -5), "batch_size must be at least 1, found -5; the default is 256"),
        ("ppo", ("gamma", 1.5), r"gamma must lie in \[0, 1\], found 1.5"),
        ("ppo", ("max_grad_norm", math.inf), "max_grad_norm must be above 0 and finite, found inf"),
        ("ppo", ("policy.net_arch", 64), "policy.net_arch must be a list of integers or a mapping"),
        ("ppo", ("policy.net_arch", [0]), "policy.net_arch must have widths of at least 1"),
        ("sac", ("policy.net_arch", {"pi": [4]}), "those of both of pi and qf"),
        ("sac", ("ent_coef", "automatic"), 'ent_coef must be at least 0, or "auto"'),
        ("sac", ("train_freq", [0, "episode"]), "train_freq must be at least 1"),
        ("sac", ("train_freq", [2, "weeks"]), "train_freq must be at least 1"),
        ("sac", ("gradient_steps", -2), "gradient_steps must be at least 1, or -1"),
        ("td3", ("action_noise", "loud"), "action_noise must be a number"),
        ("ars", ("n_top", 9), "n_top must be at most n_delta=8, found 9"),
        ("tqc", ("top_quantiles_to_drop_per_net", 25), "at most 24 with policy.n_quantiles=25"),
        ("a2c", ("use_sde", True), "explores around a direction, without gSDE"),
        ("ppo", ("monitor_wrapper", False), "unknown setting 'monitor_wrapper'"),
        ("ddpg", ("policy_delay", 3), "unknown setting 'policy_delay'"),
        ("sac", ("learning_rate", 1.0), "give --learning-rate"),
        ("sac", ("env", 1), "give --env"),
        ("reinforce", ("baseline", "mean"), "give --baseline"),
        ("reinforce", ("regularizers", []), "give --ce-weight and --kl-weight"),
        ("reinforce", ("policy.noise_scale", 0.1), "give --noise-scale"),
    ],
)
def test_a_typo_in_a_setting_is_an_error(algo, setting, message):
    with pytest.raises(ValueError, match=message):
        tuned(find_algorithm(algo), flat_config(settings=(setting,)).algorithm)


def test_a_setting_given_twice_is_an_error():
    with pytest.raises(ValueError, match="given twice"):
        flat_config(settings=(("gamma", 0.5), ("gamma", 0.9)))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"noise_scale": 0.3}, "noise_scale is a setting of"),
        ({"distribution": "power_spherical"}, "distribution is a setting of"),
        ({"baseline": "group"}, "baseline is a setting of reinforce"),
    ],
)
def test_what_an_algorithm_would_ignore_is_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        LLMAR(flat_config(algo="sac", **kwargs))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_takes_a_distribution_or_refuses_it_in_one_line(name, distribution):
    options = config(name, distribution=distribution)
    if distribution in find_algorithm(name).distributions and name in DIRECTIONS:
        LLMAR(options)
    else:
        with pytest.raises(ValueError, match="distribution"):
            LLMAR(options)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_setting_that_is_offered_is_an_argument(name):
    algorithm = find_algorithm(config(name).algorithm.algo)
    for cls in (algorithm.cls, policy_class(algorithm)):
        offered = _parameters(cls)
        own = inspect.signature(cls).parameters
        assert offered.keys() >= own.keys() - {"kwargs"}
        if "kwargs" not in own:
            assert offered.keys() == own.keys()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_setting_that_is_a_number_has_a_range(name):
    algorithm = find_algorithm(name)
    for declared in (_Declared.by_algorithm(algorithm), _Declared.by_policy(algorithm)):
        for setting, parameter in declared.parameters.items():
            default = declared.values(declared.defaults)[setting]
            is_number = isinstance(default, int | float) and not isinstance(default, bool)
            if is_number and setting not in declared.refused:
                assert setting in RANGES, setting
                declared.check(setting, default)  # which lies in its range
                with pytest.raises(ValueError, match=f"{setting} must "):
                    declared.check(setting, -(10**9) if parameter.annotation is int else math.nan)


def test_options_of_writing_are_refused_by_a_model_that_answers_with_vectors(words):
    llmar = LLMAR(config("reinforce", total_steps=64))
    llmar.train(words)
    with pytest.raises(ValueError, match="answers with vectors, and has no option method"):
        llmar.generate("ein Hund", method="beam")


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        (
            "trpo",
            {"distribution": "power_spherical"},
            "with trpo, distribution must be one of gaussian, free_gaussian, found",
        ),
        (
            "td3",
            {"settings": {"action_noise": "much"}},
            "action_noise must be a number or none, found 'much'",
        ),
        ("sac", {"settings": {"n_steps": 3}}, "replay_buffer_class=none"),
        ("ppo", {"settings": {"target_kl": PPO}}, "a setting must be plain"),
    ],
)
def test_what_cannot_work_is_said_before_it_is_tried(corpus, name, kwargs, message):
    with pytest.raises(ValueError, match=message):
        LLMAR(config(name, total_steps=1, **kwargs)).train(corpus)


def test_another_distribution_comes_with_settings_of_its_own(corpus):
    def policy(**kwargs):
        return LLMAR(config("ppo", **kwargs)).trainer._make_agent(corpus, Clock(), None).policy

    assert (policy().distribution, policy().radius, policy().noise_scale) == (
        "free_gaussian",
        1 / 16,
        4,
    )
    for other in ("gaussian", "power_spherical"):
        found = policy(distribution=other)
        assert (found.distribution, found.radius, found.noise_scale) == (other, 0.5, 0.5)
    assert policy(distribution="gaussian", noise_scale=0.7).noise_scale == 0.7
    # The noise of a free mean stays within the bounds, whatever its noise scale.
    assert policy(distribution="free_gaussian", noise_scale=2.0).radius == 1 / 8
    assert policy(noise_scale=2.0).radius == 1 / 8
    given = {"policy.radius": 0.3}
    for one in ("gaussian", "free_gaussian"):
        assert policy(distribution=one, noise_scale=2.0, settings=given).radius == 0.3


@pytest.mark.slow
@pytest.mark.parametrize("distribution", find_algorithm("ppo").distributions)
def test_ppo_learns_with_each_distribution(corpus, distribution):
    settings = {"batch_size": 64}
    given = {"num_texts": 32, "total_steps": 8000, "hidden_dim": 16, "settings": settings}
    llmar = LLMAR(config("ppo", distribution=distribution, **given))
    trained = llmar.train(echo_of(corpus))
    assert trained.scores["test"]["trained"].alignment > 0.6


def test_a_writers_policy_takes_no_settings():
    with pytest.raises(ValueError, match=r"leave out policy\.net_arch"):
        LLMAR(flat_config(env="LLMAR/Generate-v0", settings=(("policy.net_arch", [4]),)))


def test_a_writers_entropy_bonus_is_an_option_of_its_own():
    with pytest.raises(ValueError, match=r"ent_coef for a writer: give --entropy"):
        LLMAR(flat_config(env="LLMAR/Generate-v0", settings=(("ent_coef", 0.1),)))


def test_stock_replay_and_returns_of_several_steps(corpus):
    settings = {"replay_buffer_class": None, "n_steps": 3, "train_freq": (2, "step")}
    llmar = LLMAR(config("sac", total_steps=200, settings=settings))
    assert llmar.train(corpus).timings["steps"] >= 200
    again = Config.from_json(json.loads(json.dumps(llmar.config.as_json())))
    assert again == llmar.config


def test_settings_of_the_features_extractor_add_to_those_of_the_table(corpus):
    given = {"policy.features_extractor_kwargs": {"features_dim": 5}}
    for name in ("trpo", "recurrent_ppo"):
        llmar = LLMAR(config(name, settings=given, total_steps=1))
        llmar.train(corpus)
        features = llmar.policy.features_extractor
        assert features.features_dim == 5
        assert features.encoder.twice_differentiable == (name == "trpo")
        assert (features.norm is not None) == (name == "recurrent_ppo")


def test_another_features_extractor_gets_no_arguments_of_ours(corpus):
    env = align_env(corpus, observation="embeddings")
    kwargs = {"features_extractor_class": FlattenExtractor}
    for cls, policy in ((PPO, GRUPolicy), (SAC, GRUSACPolicy)):
        model = cls(policy, env, device="cpu", policy_kwargs=kwargs)
        assert model.predict(env.reset())[0].shape == (8, 4)


@pytest.mark.parametrize("name", sorted(CONTRIB))
def test_without_sb3_contrib_the_extra_is_named(monkeypatch, name):
    for module in [one for one in sys.modules if one.startswith("sb3_contrib")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "agents.contrib", raising=False)
    monkeypatch.setitem(sys.modules, "sb3_contrib", None)
    with pytest.raises(ImportError, match=r'pip install "llmar\[contrib\]"'):
        LLMAR(flat_config(algo=name))


def test_the_command_line_sets_what_it_says(tmp_path, capsys):
    arguments = ["--algo", "ppo", "--total-steps", "64", "--hidden-dim", "8", "--num-texts", "8"]
    arguments += ["--group-size", "4", "--no-supervised", "--no-progress", "--device", "cpu"]
    arguments += ["--set", "n_epochs=1", "--set", "normalize_advantage=false"]
    train.cli([*arguments, "--set", "policy.net_arch=[4]", "--runs", str(tmp_path), "--name", "x"])
    llmar = LLMAR.load(tmp_path / "x", device="cpu")
    assert dict(llmar.config.algorithm.settings) == {
        "n_epochs": 1,
        "normalize_advantage": False,
        "policy.net_arch": [4],
    }
    assert llmar.algorithm.settings["normalize_advantage"] is False
    with pytest.raises(SystemExit) as caught:
        train.cli(["--algo", "dqn"])
    assert "discrete actions" in caught.value.code
    with pytest.raises(SystemExit):
        train.cli([*arguments, "--set", "n_epochs"])
    assert "NAME=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ppo", "a2c"])
def test_stock_algorithms_log_the_noise_scale_and_no_deviation_that_is_not(corpus, name):
    env_kwargs = {"data": corpus, "observation": "index"}
    env = make_vec_env("LLMAR/Align-v0", 8, env_kwargs=env_kwargs)
    kwargs = {"noise_scale": 4.0, "radius": 0.0625, "distribution": "free_gaussian"}
    cls = ALGORITHMS[name].cls
    model = cls(GRUPolicy, env, n_steps=8, policy_kwargs=kwargs, device="cpu")
    model.learn(64)
    assert "train/std" not in model.logger.name_to_value  # exp(log_std), which would be 4
    assert model.policy.scalars() == {"train/noise_scale": pytest.approx(4.0)}
    deviation = model.policy.action_dist.distribution.base_dist.scale
    assert deviation.unique().item() == pytest.approx(0.25)


def test_an_off_policy_algorithm_says_that_it_has_learned_nothing(corpus):
    options = config("sac", total_steps=64, supervised=False, settings={"learning_starts": 1000})
    with pytest.warns(UserWarning, match=r"SAC has learned nothing.* first 1,000 steps"):
        LLMAR(options).train(corpus)

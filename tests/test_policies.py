import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn
from torch.nn import functional as F

from agents import REINFORCE, GRUFeatures, GRUPolicy, answer, make_vec_env
from agents.distributions import DISTRIBUTIONS
from llmar_env.spaces import TextIndex
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts

both_observations = pytest.mark.parametrize("observation", ["index", "embeddings"])


def policy_for(corpus, observation, seed=0, vectors=1, **kwargs):
    torch.manual_seed(seed)
    texts, dim = corpus.source, corpus.target.dim
    space = TextIndex(texts)
    if observation == "embeddings":
        space = spaces.Box(-9.0, 9.0, (texts.max_length, texts.dim))
    action = spaces.Box(-1.0, 1.0, (dim,) if vectors == 1 else (vectors, dim))
    return GRUPolicy(space, action, lambda _: 1e-3, **{"hidden_dim": 8} | kwargs)


def align_env(corpus, observation, num_envs=8, **kwargs):
    return make_vec_env(
        "LLMAR/Align-v0", num_envs, env_kwargs={"data": corpus, "observation": observation} | kwargs
    )


def test_the_answer_is_a_linear_map_of_the_grus_last_state(corpus):
    policy = policy_for(corpus, "index", vectors=2)
    gru = policy.features_extractor.encoder.gru
    answers = answer(policy, corpus.source, range(36))
    assert answers.shape == (36, 2, 4)
    for row in range(36):
        vectors, lengths = corpus.source.gather(np.array([row]))
        _, last = gru(torch.as_tensor(vectors[:, : lengths[0]]))  # torch's own
        expected = F.normalize(policy.action_net(last[0]).view(2, 4), dim=-1)
        np.testing.assert_allclose(answers[row], expected.detach().numpy(), atol=1e-6)


def test_both_observations_give_the_same_distribution_values_and_gradients(corpus):
    rows = torch.tensor([[3], [7], [3], [0], [30]])  # with a text that comes twice
    vectors, _ = corpus.source.gather(rows[:, 0].numpy())
    found = []
    for observation, obs in (("index", rows), ("embeddings", torch.as_tensor(vectors))):
        policy = policy_for(corpus, observation)
        actions = 0.5 * torch.ones(5, 4)
        values, log_prob, entropy = policy.evaluate_actions(obs, actions)
        (values.sum() + log_prob.sum()).backward()
        grads = [w.grad for w in policy.parameters() if w.requires_grad]
        found.append([policy.get_distribution(obs).center, values, log_prob, entropy, *grads])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@both_observations
@pytest.mark.parametrize("vectors", [1, 3])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("cls", [PPO, A2C])
def test_sb3s_algorithms_train_it(corpus, cls, distribution, vectors, observation):
    env = align_env(corpus, observation, num_vectors=vectors)
    kwargs = {"n_steps": 4} | ({"batch_size": 16, "n_epochs": 2} if cls is PPO else {})
    policy_kwargs = {"hidden_dim": 8, "distribution": distribution}
    model = cls(GRUPolicy, env, seed=0, device="cpu", policy_kwargs=policy_kwargs, **kwargs)
    before = {name: weight.clone() for name, weight in model.policy.state_dict().items()}
    model.learn(64)
    after = model.policy.state_dict()
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert {"action_net.weight", "value_net.weight"} < set(moved)
    assert any("gru" in name for name in moved)
    assert "log_noise_scale" not in moved  # the noise scale is learned on request alone
    action, _ = model.predict(env.reset())
    assert action.shape == (8, 4) if vectors == 1 else (8, 3, 4)


def test_ppo_learns_to_echo(corpus):
    echo = Corpus(corpus.source, corpus.source, corpus.splits)
    env = align_env(echo, "index", 32)
    model = PPO(
        GRUPolicy,
        env,
        learning_rate=5e-3,
        n_steps=4,
        batch_size=64,
        n_epochs=4,
        gamma=0.0,
        seed=0,
        device="cpu",
        policy_kwargs={"hidden_dim": 32},
    )
    before, _ = evaluate_policy(model, align_env(echo, "index", 4), 100)
    model.learn(5000)
    after, _ = evaluate_policy(model, align_env(echo, "index", 4), 100)
    assert after > 0.85
    assert after > before + 0.3


def test_callbacks_of_sb3_evaluate_it(corpus, tmp_path):
    env, held_out = (align_env(corpus, "index", split=split) for split in ("train", "valid"))
    callback = EvalCallback(
        held_out, n_eval_episodes=6, eval_freq=2, best_model_save_path=str(tmp_path), verbose=0
    )
    model = PPO(GRUPolicy, env, n_steps=4, batch_size=16, device="cpu", seed=0)
    model.learn(64, callback)
    assert -1 < callback.best_mean_reward < 1
    best = PPO.load(tmp_path / "best_model", device="cpu")
    best.policy.attach(corpus.source)
    assert best.predict(np.array([[1]]))[0].shape == (1, 4)


def test_saved_models_hold_no_texts(corpus, tmp_path):
    model = PPO(GRUPolicy, align_env(corpus, "index"), n_steps=4, batch_size=16, device="cpu")
    model.save(tmp_path / "model")
    names = PPO.load(tmp_path / "model", device="cpu").policy.state_dict()
    assert not any("lookup" in name for name in names)
    loaded = PPO.load(tmp_path / "model", env=align_env(corpus, "index"), device="cpu")
    loaded.policy.attach(corpus.source)
    obs = np.array([[2], [5]])
    np.testing.assert_array_equal(
        loaded.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0]
    )


def test_features_serve_a_stock_policy_of_an_algorithm_with_critics(corpus):
    from stable_baselines3 import SAC

    env = align_env(corpus, "embeddings", 1)
    kwargs = {"features_extractor_class": GRUFeatures, "net_arch": [8]}
    kwargs["features_extractor_kwargs"] = {"features_dim": 8}
    model = SAC("MlpPolicy", env, learning_starts=8, device="cpu", seed=0, policy_kwargs=kwargs)
    model.learn(16)
    assert model.predict(env.reset())[0].shape == (1, 4)


def test_a_large_answer_batch_equals_small_ones(corpus):
    policy = policy_for(corpus, "index")
    rows = np.arange(1300) % 36
    answers = answer(policy, corpus.source, rows)
    np.testing.assert_allclose(answers, answer(policy, corpus.source)[rows], atol=1e-6)


def test_no_architecture_or_one_of_the_users(corpus):
    assert policy_for(corpus, "index").mlp_extractor.latent_dim_pi == 8
    policy = policy_for(corpus, "index", net_arch=[5], activation_fn=nn.ReLU, ortho_init=True)
    assert policy.mlp_extractor.latent_dim_pi == 5
    assert answer(policy, corpus.source).shape == (36, 1, 4)


# ---------------------------------------------------------------------------- residual


def residual_policy(corpus, observation="index", **kwargs):
    """A policy whose answers have the dimension of the texts, and their mean vectors."""
    own = Corpus(corpus.source, corpus.source, corpus.splits)
    return policy_for(own, observation, residual=True, **kwargs)


@both_observations
@pytest.mark.parametrize("kwargs", [{}, {"net_arch": [6, 5]}, {"vectors": 2}])
def test_a_residual_policy_starts_at_the_texts_own_mean_vector(corpus, observation, kwargs):
    answers = answer(residual_policy(corpus, observation, **kwargs), corpus.source)
    for row in range(len(corpus.source)):
        vectors, lengths = corpus.source.gather(np.array([row]))
        mean = vectors[0, : lengths[0]].astype(np.float64).mean(axis=0)
        for found in answers[row]:
            np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-6)


@pytest.mark.parametrize("net_arch", [[], [5]])
def test_a_residual_policy_adds_a_linear_map_to_the_unit_mean(corpus, net_arch):
    policy = residual_policy(corpus, net_arch=net_arch)
    with torch.no_grad():
        policy.action_net.linear.weight.normal_()
    rows = torch.arange(36)[:, None]
    features = policy.features_extractor(rows)
    state, mean = features[:, :8], torch.as_tensor(corpus.source.unit_means)
    torch.testing.assert_close(features[:, 8:], mean)
    for layer in policy.mlp_extractor.layers.policy_net:
        state = layer(state)
    expected = F.normalize(mean + policy.action_net.linear(state), dim=-1)
    torch.testing.assert_close(policy.get_distribution(rows).center[:, 0], expected)
    values = policy.value_net(policy.mlp_extractor.forward_critic(features))
    torch.testing.assert_close(policy.predict_values(rows), values)
    latent = policy.mlp_extractor(features)
    assert latent[0].shape == (36, (net_arch or [8])[-1] + corpus.source.dim)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("cls", [A2C, PPO])
def test_a_residual_policy_learns_and_is_saved(corpus, cls, distribution, tmp_path):
    own = Corpus(corpus.source, corpus.source, corpus.splits)
    kwargs = {"hidden_dim": 8, "residual": True, "distribution": distribution}
    model = cls(GRUPolicy, align_env(own, "index"), n_steps=4, policy_kwargs=kwargs, device="cpu")
    before = answer(model.policy, own.source)
    model.learn(64)
    after = answer(model.policy, own.source)
    assert np.abs(after - before).max() > 1e-4
    model.policy.save(tmp_path / "policy.pt")
    loaded = GRUPolicy.load(tmp_path / "policy.pt", device="cpu")
    np.testing.assert_array_equal(answer(loaded, own.source), after)


def test_a_residual_needs_one_dimension_and_gru_features(corpus):
    with pytest.raises(ValueError, match=r"dimension 6, but answers have dimension 4"):
        policy_for(corpus, "index", residual=True)
    with pytest.raises(ValueError, match="GRUFeatures"):
        policy_for(corpus, "index", residual=True, features_extractor_class=FlattenExtractor)


# ---------------------------------------------------------------------------- faults


@both_observations
@pytest.mark.parametrize("cls", [PPO, A2C, REINFORCE])
def test_normalized_observations_are_refused_with_the_way_out(corpus, cls, observation):
    wrap = {"norm_obs": True}
    kwargs = {"policy_kwargs": {"hidden_dim": 8}, "device": "cpu"}
    kwargs |= {} if cls is REINFORCE else {"n_steps": 4}
    with pytest.raises(ValueError, match=r"VecNormalize\(env, norm_obs=False\)"):
        cls(GRUPolicy, VecNormalize(align_env(corpus, observation), **wrap), **kwargs).learn(64)
    wrap["norm_obs"] = False
    cls(GRUPolicy, VecNormalize(align_env(corpus, observation), **wrap), **kwargs).learn(64)


def test_a_stock_mlp_policy_on_rows_is_warned_about(corpus):
    with pytest.warns(UserWarning, match=r"agents\.GRUPolicy"):
        PPO("MlpPolicy", align_env(corpus, "index"), n_steps=4, batch_size=16, device="cpu")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"distribution": "cauchy"}, "gaussian, free_gaussian, power_spherical"),
        ({"use_sde": True}, "use_sde"),
    ],
)
def test_settings_it_does_not_take(corpus, kwargs, message):
    with pytest.raises(ValueError, match=message):
        policy_for(corpus, "index", **kwargs)


def test_spaces_it_does_not_take(corpus):
    box, action = spaces.Box(-1, 1, (5,)), spaces.Box(-1, 1, (4,))
    with pytest.raises(ValueError, match="embeddings"):
        GRUPolicy(box, action, lambda _: 1e-3)
    with pytest.raises(ValueError, match="Box"):
        GRUPolicy(TextIndex(corpus.source), spaces.Discrete(3), lambda _: 1e-3)


def test_the_store_of_another_environment_is_refused(corpus):
    other = EmbeddedTexts(corpus.source.table + 1, corpus.source.ids, corpus.source.offsets)
    policy = policy_for(corpus, "index")
    with pytest.raises(ValueError, match="rows of another store are different texts"):
        policy.attach(other)
    with pytest.raises(ValueError, match="observes embeddings and needs no text store"):
        policy_for(corpus, "embeddings").attach(corpus.source)
    model = PPO(GRUPolicy, align_env(corpus, "index"), n_steps=4, batch_size=16, device="cpu")
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        model.set_env(align_env(Corpus(other, corpus.target, corpus.splits), "index"))


def test_rows_that_float32_would_round_are_refused():
    class Huge(TextIndex):
        n = 2**24 + 1

    store = EmbeddedTexts.from_ids(np.ones((1, 2), np.float32), [[0]])
    features = GRUFeatures(Huge(store), 4)
    with pytest.raises(ValueError, match="GRUPolicy"):
        features(torch.zeros(1, 1))
    assert features(torch.zeros(1, 1, dtype=torch.long)).shape == (1, 4)


@pytest.mark.gpu
def test_logits_on_cuda_equal_those_on_the_cpu(corpus):
    policy = policy_for(corpus, "index")
    expected = answer(policy, corpus.source)
    np.testing.assert_allclose(answer(policy.cuda(), corpus.source), expected, atol=1e-4)

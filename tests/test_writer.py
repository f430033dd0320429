import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.vec_env import VecNormalize
from torch.utils._python_dispatch import TorchDispatchMode

from agents import REINFORCE, make_vec_env
from agents.distributions import TokenSoftmax
from agents.networks.packing import pack
from agents.networks.seq2seq import Seq2SeqConfig, Writer
from agents.policies.writer import WriterPolicy
from llmar_env.envs.generate import GenerateMDP
from llmar_env.text.vocabulary import Vocabulary

SMALL = Seq2SeqConfig(encoder_dim=5, decoder_dim=7, dropout=0.3)
LENGTH = 9


def policy_for(corpus, observation="index", seed=0, **kwargs):
    torch.manual_seed(seed)
    mdp = GenerateMDP(corpus, observation=observation, max_new_tokens=LENGTH)
    if observation == "embeddings":
        kwargs["vocabulary"] = mdp.vocabulary
    return WriterPolicy(
        mdp.observation_space,
        mdp.action_space,
        lambda _: 1e-3,
        **{"writer": SMALL, "low_precision": False} | kwargs,
    )


def observed(corpus, observation, rows, tokens):
    """Observations of texts and of what is written about them."""
    mdp = GenerateMDP(corpus, observation=observation, max_new_tokens=LENGTH)
    state = mdp.init(np.zeros(len(rows), np.int64))
    state = mdp.reset(state, np.ones(len(rows), np.bool_))
    filled = np.full((len(rows), LENGTH), mdp.vocabulary.eos)
    for row, words in zip(filled, tokens, strict=True):
        row[: len(words)] = words
    fields = {**vars(state), "row": np.array(rows), "tokens": filled}
    obs = mdp.observe(type(state)(**fields))
    return {name: torch.as_tensor(value) for name, value in obs.items()}


ROWS, ENTRIES = [3, 7, 3, 40], [[], [5, 1, 2], [4], [0, 0, 3, 2, 6, 1]]


class TestWriter:
    def network(self):
        torch.manual_seed(0)
        return Writer(6, 4, SMALL).eval()

    def test_what_stands_behind_a_texts_end_has_no_effect(self):
        network = self.network()
        vectors, previous = torch.randn(2, 5, 6), torch.randn(2, 3, 4)
        lengths = torch.tensor([5, 3])
        found = []
        for filling in (0.0, 9.0):
            vectors[1, 3:] = filling
            memory = network.read(pack(vectors, lengths))
            found.append(network.write(memory, previous, network.begin_states(memory))[0])
        torch.testing.assert_close(*found)
        alone = network.read(pack(vectors[1:, :3], lengths[1:]))
        features, _ = network.write(alone, previous[1:], network.begin_states(alone))
        torch.testing.assert_close(features, found[0][1:])

    def test_both_ends_of_a_text_are_read(self):
        network = self.network()
        vectors = torch.randn(1, 5, 6, requires_grad=True)
        memory = network.read(pack(vectors, torch.tensor([5])))
        for place in (0, 4):  # each place knows of all others
            (grad,) = torch.autograd.grad(
                memory.blocks[0].keys[0, place].sum(), vectors, retain_graph=True
            )
            assert (grad.abs().sum(-1) > 0).all()

    def test_features_depend_on_the_words_before_and_on_no_later_one(self):
        network = self.network()
        memory = network.read(pack(torch.randn(1, 5, 6), torch.tensor([5])))
        previous = torch.randn(1, 4, 4, requires_grad=True)
        features, _ = network.write(memory, previous, network.begin_states(memory))
        (grad,) = torch.autograd.grad(features[0, 2].sum(), previous)
        assert (grad[0, :3].abs().sum(-1) > 0).all()
        assert (grad[0, 3] == 0).all()

    def test_step_by_step_is_the_same_as_at_once(self):
        network = self.network()
        memory = network.read(pack(torch.randn(3, 5, 6), torch.tensor([5, 2, 4])))
        previous = torch.randn(3, 4, 4)
        whole, last = network.write(memory, previous, network.begin_states(memory))
        states = network.begin_states(memory)
        for step in range(4):
            features, states = network.write(memory, previous[:, step : step + 1], states)
            torch.testing.assert_close(features[:, 0], whole[:, step])
        torch.testing.assert_close(states, last)

    def test_dropout_drops_the_same_features_at_every_place(self):
        network = self.network().train()
        dropped = network._drop(torch.ones(4, 50, 6), dim=1)
        assert (dropped == dropped[:, :1]).all()
        torch.testing.assert_close(dropped.unique(), torch.tensor([0.0, 1 / 0.7]))

    def test_memory_repeats_and_takes_texts(self):
        memory = self.network().read(pack(torch.randn(2, 5, 6), torch.tensor([5, 2])))
        repeated, taken = memory.repeat(2), memory.take(torch.tensor([0, 0, 1, 1]))
        torch.testing.assert_close(repeated.mean, taken.mean)
        for one, other in zip(repeated.blocks, taken.blocks, strict=True):
            torch.testing.assert_close(list(vars(one).values()), list(vars(other).values()))

    @pytest.mark.parametrize("kwargs", [{"encoder_dim": 0}, {"decoder_dim": -1}, {"dropout": 1.0}])
    def test_impossible_sizes_are_refused(self, kwargs):
        with pytest.raises(ValueError, match="found"):
            Seq2SeqConfig(**kwargs)


class TestPolicy:
    def test_both_observations_give_the_same_distributions_values_and_gradients(self, words):
        found = []
        for observation in ("index", "embeddings"):
            policy = policy_for(words, observation).train(False)
            obs = observed(words, observation, ROWS, ENTRIES)
            actions = torch.as_tensor(policy.vocabulary.directions[[1, 2, 3, 4]])
            values, log_prob, entropy = policy.evaluate_actions(obs, actions)
            (values.sum() + log_prob.sum()).backward()
            grads = [w.grad for w in policy.parameters() if w.grad is not None]
            found.append([policy.get_distribution(obs).center, values, log_prob, entropy, *grads])
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other)

    def test_a_decoding_state_chooses_by_what_the_observation_gives(self, words):
        policy = policy_for(words).train(False)
        rows, group, steps = [3, 40], 2, 4
        torch.manual_seed(1)
        state = policy.begin({"text": np.repeat(rows, group)[:, None]}, group)
        tokens, log_probs = [[] for _ in range(4)], torch.zeros(steps, 4)
        running = torch.ones(4, dtype=torch.bool)
        for step in range(steps):
            obs = observed(words, "index", np.repeat(rows, group), tokens)
            before = running.clone()
            actions = state.act(obs, before.numpy())
            expected = policy.get_distribution(obs).log_prob(actions)
            log_probs[step] = torch.where(before, expected, 0.0)
            chosen = policy.action_dist.nearest(actions).tolist()
            for i in range(4):
                if before[i] and step + i < 4:  # as if those further down had ended early
                    tokens[i].append(chosen[i])
                else:
                    running[i] = False
        torch.testing.assert_close(state.log_prob(), log_probs)
        torch.testing.assert_close(state.evaluate(), (log_probs, None))

    def test_a_step_does_not_wait_for_the_device(self, words):
        # What would: `item`, `bool` and `nonzero`, whose results the CPU has to know.
        class Count(TorchDispatchMode):
            waits = 0

            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                self.waits += func.name() in ("aten::_local_scalar_dense", "aten::nonzero")
                return func(*args, **(kwargs or {}))

        policy = policy_for(words)
        obs = observed(words, "index", [0, 1, 2], [[], [], []])
        state = policy.begin(obs)
        with Count() as count:
            for running in ([True] * 3, [True, False, True], [True, False, False]):
                state.act(obs, np.array(running))
        assert len(state._live) == 1
        assert count.waits == 0

    def test_ended_texts_get_eos(self, words):
        policy = policy_for(words)
        state = policy.begin({"text": np.array([[3], [4]])})
        obs = observed(words, "index", [3, 4], [[], []])
        actions = state.act(obs, np.array([True, False]))
        assert policy.action_dist.nearest(actions)[1] == policy.vocabulary.eos

    @pytest.mark.parametrize("algorithm", [PPO, A2C])
    @pytest.mark.parametrize("observation", ["index", "embeddings"])
    def test_it_learns_under_stock_sb3(self, words, algorithm, observation):
        kwargs = {"data": words, "observation": observation, "max_new_tokens": 4}
        env = make_vec_env("LLMAR/Generate-v0", 4, env_kwargs=kwargs)
        policy_kwargs = {"writer": SMALL, "low_precision": False}
        if observation == "embeddings":
            policy_kwargs["vocabulary"] = env.vector_env.unwrapped.mdp.vocabulary
        model = algorithm(WriterPolicy, env, n_steps=4, policy_kwargs=policy_kwargs, device="cpu")
        before = model.policy.action_net.weight.clone()
        model.learn(16)
        assert (model.policy.action_net.weight != before).any()

    @pytest.mark.parametrize("algorithm", [PPO, REINFORCE])
    def test_normalized_observations_are_refused_with_the_way_out(self, words, algorithm):
        kwargs = {"data": words, "observation": "index", "max_new_tokens": 4}
        env = VecNormalize(make_vec_env("LLMAR/Generate-v0", 4, env_kwargs=kwargs))
        policy_kwargs = {"writer": SMALL, "low_precision": False}
        with pytest.raises(ValueError, match=r"VecNormalize\(env, norm_obs=False\)"):
            algorithm(WriterPolicy, env, n_steps=4, policy_kwargs=policy_kwargs).learn(16)

    def test_save_and_load_give_the_same_actions(self, words, tmp_path):
        env = make_vec_env(
            "LLMAR/Generate-v0", 2, env_kwargs={"data": words, "observation": "index"}
        )
        model = PPO(WriterPolicy, env, n_steps=2, batch_size=2, policy_kwargs={"writer": SMALL})
        model.save(tmp_path / "model")
        loaded = PPO.load(tmp_path / "model", env)
        loaded.policy.attach(words.source, Vocabulary.of(words))
        obs = env.reset()
        for one, other in zip(
            model.predict(obs, deterministic=True)[:1],
            loaded.predict(obs, deterministic=True)[:1],
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)

    def test_data_of_another_corpus_are_refused(self, words):
        policy = policy_for(words)
        other = Vocabulary(words.target_embedder.table[:50], np.arange(50), words.target_embedder)
        with pytest.raises(ValueError, match=f"the Vocabulary .* found {other.fingerprint}"):
            policy.attach(words.source, other)
        with pytest.raises(ValueError, match="made for the EmbeddedTexts"):
            policy.attach(words.source.truncate(1)[0], Vocabulary.of(words))

    def test_what_cannot_be_written_with_is_said(self, words):
        with pytest.raises(ValueError, match="pass policy_kwargs"):
            WriterPolicy(
                GenerateMDP(words).observation_space,
                GenerateMDP(words).action_space,
                lambda _: 1e-3,
            )
        with pytest.raises(ValueError, match='a Dict of "text" and "written"'):
            WriterPolicy(
                spaces.Box(-1, 1, (3, 16)),
                spaces.Box(-1, 1, (16,)),
                lambda _: 1e-3,
                vocabulary=Vocabulary.of(words),
            )
        with pytest.raises(ValueError, match="distribution must be one of tokens, gaussian"):
            policy_for(words, distribution="power_spherical")

    def test_sharpening_raises_probabilities_to_a_power(self, words):
        policy = policy_for(words).train(False)
        obs = observed(words, "index", [3], [[1, 2]])
        before = policy.get_distribution(obs).log_probs()
        policy.scale_temperature(0.5)
        after = policy.get_distribution(obs).log_probs()
        torch.testing.assert_close(after, (2 * before).log_softmax(-1))

    def test_gaussian_vectors_are_written_in_low_precision(self, words):
        policy = policy_for(words, distribution="gaussian", low_precision=True)
        state = policy.begin({"text": np.array([[3], [4]])})
        obs = observed(words, "index", [3, 4], [[], []])
        assert state.act(obs, np.ones(2, np.bool_)).isfinite().all()

    @pytest.mark.parametrize("credit", ["dense", "sparse"])
    def test_it_does_not_refine(self, words, credit):
        env_kwargs = {"data": words, "observation": "index", "credit": credit}
        env = make_vec_env("LLMAR/Refine-v0", 4, env_kwargs=env_kwargs)
        with pytest.raises(ValueError, match="There is no policy for LLMAR/Refine-v0 yet"):
            PPO(WriterPolicy, env, n_steps=4, device="cpu")

    def test_the_value_function_may_have_a_network_of_its_own(self, words):
        policy = policy_for(words, share_features_extractor=False)
        obs = observed(words, "index", ROWS, ENTRIES)
        assert policy.predict_values(obs).shape == (4, 1)

    def test_gaussian_vectors_are_written_too(self, words):
        policy = policy_for(words, distribution="gaussian")
        torch.manual_seed(0)
        state = policy.begin({"text": np.array([[3], [3], [4], [4]])}, group_size=2)
        obs = observed(words, "index", [3, 3, 4, 4], [[], [], [], []])
        actions = state.act(obs, np.ones(4, np.bool_))
        expected = policy.train(False).get_distribution(obs).log_prob(actions)
        torch.testing.assert_close(state.log_prob()[0], expected)


class TestTokenSoftmax:
    def distribution(self, group_size=1, batch=2):
        torch.manual_seed(0)
        tokens = torch.nn.functional.normalize(torch.randn(6, 4), dim=-1)
        parameters = torch.randn(batch, 5)
        log_noise_scale = torch.tensor(-1.0)
        distribution = TokenSoftmax(4, tokens).proba_distribution(
            parameters, log_noise_scale, group_size
        )
        unit = torch.nn.functional.normalize(parameters[:, :4], dim=-1)
        scale = (parameters[:, 4:] + 1).exp()
        return distribution, torch.softmax(scale * (unit @ tokens.t()), dim=-1)

    def test_samples_come_as_often_as_the_probabilities_say(self):
        distribution, p = self.distribution(group_size=20_000)
        found = distribution.choose().view(2, -1)
        counts = torch.stack([row.bincount(minlength=6) for row in found]) / 20_000
        torch.testing.assert_close(counts, p, atol=0.015, rtol=0)

    @pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
    def test_tempered_choices_come_as_often_as_the_sharpened_probabilities_say(self, temperature):
        distribution, p = self.distribution(group_size=20_000)
        expected = p.pow(1 / temperature)
        expected /= expected.sum(-1, keepdim=True)
        tempered = distribution.tempered(temperature)
        found = tempered.choose(torch.Generator().manual_seed(1)).view(2, -1)
        counts = torch.stack([row.bincount(minlength=6) for row in found]) / 20_000
        torch.testing.assert_close(counts, expected, atol=0.015, rtol=0)
        torch.testing.assert_close(tempered.log_probs().exp(), expected)
        torch.testing.assert_close(distribution.log_probs().exp(), p)  # is left as it was

    @pytest.mark.parametrize("temperature", [0.5, 0.01])
    @pytest.mark.parametrize("smoothing", [0.0, 0.2])
    def test_tempered_probabilities_are_those_of_the_softmax(self, temperature, smoothing):
        distribution, p = self.distribution(group_size=2)
        log_p = (p.double().log() / temperature).log_softmax(-1).repeat_interleave(2, dim=0)
        chosen = torch.tensor([0, 5, 2, 1])
        expected = (1 - smoothing) * log_p[torch.arange(4), chosen] + smoothing * log_p.mean(-1)
        tempered = distribution.tempered(temperature)
        found = tempered.log_prob_of(chosen, smoothing)
        torch.testing.assert_close(found, expected.float(), rtol=1e-4, atol=1e-4)
        actions = tempered.actions_of(chosen)
        torch.testing.assert_close(tempered.log_prob(actions), tempered.log_prob_of(chosen))

    def test_tempered_scales_beyond_the_bound_choose_still(self):
        distribution, p = self.distribution(group_size=100)
        found = distribution.tempered(1e-4).choose().view(2, -1)
        assert (found == p.argmax(-1, keepdim=True)).all()

    def test_a_smoothed_label_is_partly_every_token(self):
        distribution, p = self.distribution()
        chosen = torch.tensor([3, 1])
        found = distribution.log_prob_of(chosen, 0.3)
        expected = 0.7 * p[torch.arange(2), chosen].log() + 0.3 * p.log().mean(-1)
        torch.testing.assert_close(found, expected)

    def test_the_slope_is_the_change_of_log_probability_with_the_cosine(self):
        distribution, p = self.distribution()
        cosines = distribution.center[:, 0] @ distribution.tokens.t()
        gap = (p[:, 0] / p[:, 1]).log() / (cosines[:, 0] - cosines[:, 1])
        torch.testing.assert_close(distribution.cosine_slope, gap)

    def test_an_action_is_its_nearest_token(self):
        distribution, p = self.distribution(group_size=3)
        chosen = torch.tensor([0, 5, 2, 1, 1, 4])
        actions = 3 * distribution.tokens[chosen] + 0.01 * torch.randn(6, 4)
        expected = p.repeat_interleave(3, dim=0)[torch.arange(6), chosen].log()
        torch.testing.assert_close(distribution.log_prob(actions), expected)
        torch.testing.assert_close(distribution.log_probs().exp(), p)

    def test_samples_are_tokens_at_the_radius(self):
        distribution, _ = self.distribution(group_size=50)
        actions = distribution.sample()
        assert (0.5 * distribution.tokens[distribution.nearest(actions)] == actions).all()

    def test_entropy(self):
        distribution, p = self.distribution(group_size=2)
        expected = -(p * p.log()).sum(-1).repeat_interleave(2)
        torch.testing.assert_close(distribution.entropy(), expected)

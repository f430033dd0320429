"""LLMAR on Ray's RLlib: learns, resumes, survives a killed runner, and shares its memory."""

import os
import signal
import sys
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from llmar_env.envs.align import AlignVectorEnv
from llmar_env.text.corpus import Corpus

ray = pytest.importorskip("ray", reason='needs Ray: pip install "llmar[rllib]"')
pytest.importorskip("ray.rllib", reason='needs RLlib: pip install "llmar[rllib]"')

from rllib_memory import in_object_store, shared_arrays  # noqa: E402
from test_examples import stated  # noqa: E402

from agents.policies.gru import GRUPolicy  # noqa: E402
from agents.rllib import (  # noqa: E402
    GRUModule,
    NextStepReset,
    evaluate,
    make_env,
    ppo_config,
    share,
)
from examples.rllib import main  # noqa: E402

pytestmark = pytest.mark.examples


@pytest.fixture(scope="module", autouse=True)
def _ray():
    # Runners do not import the tests, so what runs in them is sent as it is.
    for module in (sys.modules[__name__], sys.modules["rllib_memory"]):
        ray.cloudpickle.register_pickle_by_value(module)
    ray.init(
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        # Ray's workers give way to every other process: on a busy machine they never begin.
        _system_config={"worker_niceness": 0},
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def corpus():
    return Corpus.load("phrasebook:en")


@pytest.fixture(scope="module")
def shared(corpus):
    return share(corpus)


def small(shared, num_env_runners):
    """A configuration that is done in no time."""
    config = ppo_config(shared, num_env_runners=num_env_runners, hidden_dim=16)
    return config.training(train_batch_size_per_learner=512, minibatch_size=256, num_epochs=1)


def weights_of(module):
    return {name: np.array(value) for name, value in module.get_state().items()}


def moments_of(algo):
    """Adam's running means of the gradient, one for each parameter."""
    optimizers = algo.learner_group._learner.get_state()["optimizer"]
    states = optimizers["default_policy_default_optimizer"]["state"]["state"]
    return [np.array(state["exp_avg"]) for state in states.values()]


def assert_equal(weights, others):
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        np.testing.assert_array_equal(value, others[name], err_msg=name)


def test_the_example_learns_and_goes_on_where_it_ended(tmp_path):
    _, _, margin, _ = stated("rllib")
    untrained, trained = main(save=tmp_path / "a")
    assert abs(untrained) < 0.1
    assert trained >= untrained + float(margin)
    again, _ = main(iterations=0, restore=tmp_path / "a", save=tmp_path / "b")
    assert again == trained


def test_a_checkpoint_brings_back_weights_count_and_optimizer(shared, tmp_path):
    first = small(shared, 0).build_algo()
    first.train()
    first.save_to_path(tmp_path)
    second = small(shared, 0).debugging(seed=1).build_algo()
    assert not np.array_equal(
        weights_of(first.get_module())["direction.weight"],
        weights_of(second.get_module())["direction.weight"],
    )
    second.restore_from_path(tmp_path)
    assert second.training_iteration == first.training_iteration == 1
    assert_equal(weights_of(first.get_module()), weights_of(second.get_module()))
    assert len(moments_of(first)) == len(list(first.get_module().parameters()))
    for one, other in zip(moments_of(first), moments_of(second), strict=True):
        np.testing.assert_array_equal(one, other)
    second.train()
    assert second.training_iteration == 2
    first.stop()
    second.stop()


def _die_once(mark, env_runner, episode, **_):
    """Kill the first runner's process while it gathers the second iteration's experience."""
    if env_runner.worker_index == 1 and episode.t == 6 and not mark.exists():
        mark.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)


def test_training_survives_a_runner_killed_amid_its_work(shared, tmp_path):
    mark = tmp_path / "killed"
    algo = small(shared, 2).callbacks(on_episode_step=partial(_die_once, mark)).build_algo()
    group = algo.env_runner_group
    pids = group.foreach_env_runner(lambda _: os.getpid(), local_env_runner=False)
    algo.train()  # 512 steps: 4 in each of 64 environments of 2 runners
    assert not mark.exists()
    algo.train()
    assert int(mark.read_text()) in pids
    for _ in range(50):  # a new process takes a while to start, and training goes on
        algo.train()
        if group.num_healthy_remote_workers() == 2:
            break
    now = group.foreach_env_runner(lambda _: os.getpid(), local_env_runner=False)
    assert len(now) == 2
    assert int(mark.read_text()) not in now
    assert len(set(now) & set(pids)) == 1
    algo.train()
    runners = group.foreach_env_runner(
        lambda runner: weights_of(runner.module), local_env_runner=False
    )
    learned = weights_of(algo.learner_group._learner.module["default_policy"])
    for weights in runners:
        assert_equal(weights, learned)
    algo.stop()


def test_runners_read_the_embeddings_where_ray_keeps_them(shared):
    algo = small(shared, 2).build_algo()
    found = algo.env_runner_group.foreach_env_runner(shared_arrays, local_env_runner=False)
    assert len(found) == 2
    for arrays in found:
        assert {"source.padded_table", "source.ids", "target.unit_means"} <= set(arrays)
        assert {"module.padded_table", "module.ids", "module.offsets"} <= set(arrays)
        assert all(one.in_store for one in arrays.values()), arrays
        assert not any(one.writeable for name, one in arrays.items() if "module" not in name)
    private = algo.env_runner_group.foreach_env_runner(
        lambda runner: in_object_store(runner.env.unwrapped.mdp.corpus.source.table.copy()),
        local_env_runner=False,
    )
    assert private == [False, False]
    algo.stop()


def test_what_is_shared_has_the_vectors_and_not_the_strings(corpus, shared):
    lean = ray.get(shared)
    assert (len(lean.sources), len(lean.targets)) == (0, 0)
    assert lean.source_embedder is lean.target_embedder is None
    assert lean.splits == corpus.splits
    assert lean.source.fingerprint == corpus.source.fingerprint
    np.testing.assert_array_equal(lean.target.unit_means, corpus.target.unit_means)


def test_the_module_answers_as_the_policy_of_the_same_weights(corpus, shared):
    envs = make_env({"corpus": shared, "num_envs": 2})
    observed, acted = envs.single_observation_space, envs.single_action_space
    module = GRUModule(
        observation_space=observed,
        action_space=acted,
        model_config={"corpus": shared, "hidden_dim": 16, "noise_scale": 0.3},
    )
    policy = GRUPolicy(observed, acted, lambda _: 1.0, hidden_dim=16, noise_scale=0.3)
    policy.features_extractor.load_state_dict(module.features.state_dict())
    policy.action_net.load_state_dict(module.direction.state_dict())
    policy.value_net.load_state_dict(module.value.state_dict())
    rows = torch.tensor([[3], [0], [3], [7]])
    output = module.forward_train({"obs": rows})
    noise = module.get_exploration_action_dist_cls().from_logits(output["action_dist_inputs"])
    actions = torch.randn(4, *acted.shape, generator=torch.Generator().manual_seed(0))
    values, log_prob, entropy = policy.evaluate_actions(rows, actions)
    torch.testing.assert_close(noise.logp(actions), log_prob)
    torch.testing.assert_close(noise.entropy(), entropy)
    torch.testing.assert_close(module.compute_values({"obs": rows}), values[:, 0])
    torch.testing.assert_close(
        module.compute_values({"obs": rows}, embeddings=output["embeddings"]), values[:, 0]
    )


def test_a_module_has_one_vector_to_answer_with(shared):
    envs = make_env({"corpus": shared, "num_envs": 1, "num_vectors": 2})
    with pytest.raises(
        ValueError, match=r"answers with one vector, Box \(D,\), found Box.*\(2, 64\)"
    ):
        GRUModule(
            observation_space=envs.single_observation_space,
            action_space=envs.single_action_space,
            model_config={"corpus": shared},
        )


def test_ddp_leaves_the_shared_memory_alone(shared, tmp_path):
    envs = make_env({"corpus": shared, "num_envs": 1})
    module = GRUModule(
        observation_space=envs.single_observation_space,
        action_space=envs.single_action_space,
        model_config={"corpus": shared},
    )
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        wrapped = torch.nn.parallel.DistributedDataParallel(module)
        assert len(list(module.named_buffers())) > 1
        assert wrapped.modules_buffers == []
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("advance", ["always", "alignment"])
def test_episodes_begin_anew_at_the_step_after_their_end(corpus, shared, advance):
    options = {"advance": advance, "episode_length": 3}
    envs = make_env({"corpus": shared, "num_envs": 2, **options})
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    # The peer: Gymnasium's own NEXT_STEP over single environments.
    single = partial(
        gym.make, "llmar_env:LLMAR/Align-v0", data=corpus, observation="index", **options
    )
    peer = gym.vector.SyncVectorEnv([single] * 2, autoreset_mode=AutoresetMode.NEXT_STEP)
    generator = np.random.default_rng(0)
    np.testing.assert_array_equal(envs.reset(seed=5)[0], peer.reset(seed=5)[0])
    for _ in range(12):
        actions = generator.standard_normal(envs.action_space.shape, dtype=np.float32)
        moved, expected = envs.step(actions), peer.step(actions)
        for one, other in zip(moved[:4], expected[:4], strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(moved[4]["row"], expected[4]["row"])
    # A reset in between forgets that the episodes had ended.
    envs.reset(seed=6)
    assert envs.step(actions)[1].any()


def test_episodes_that_end_apart_are_refused(corpus):
    class OneEnds(gym.vector.VectorWrapper):
        def step(self, actions):
            moved = self.env.step(actions)
            self.env._ended[:] = moved[2][:] = [True, False]
            return moved

    envs = AlignVectorEnv(2, data=corpus, autoreset_mode="Disabled")
    wrapped = NextStepReset(OneEnds(envs))
    wrapped.reset(seed=0)
    actions = np.ones(envs.action_space.shape, np.float32)
    wrapped.step(actions)
    with pytest.raises(ResetNeeded, match="1 episodes have ended"):
        wrapped.step(actions)


def test_a_missing_ray_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "agents.rllib")
    with pytest.raises(ImportError, match=r'pip install "llmar\[rllib\]"'):
        __import__("agents.rllib")


def test_evaluation_is_of_the_answers_without_noise(corpus, shared):
    algo = small(shared, 0).build_algo()
    module = algo.get_module()
    rows = corpus.rows("test")
    states = module.features(torch.arange(rows.start, rows.stop)[:, None])
    answers = torch.nn.functional.normalize(module.direction(states))
    means = torch.as_tensor(corpus.target.means[rows.start : rows.stop])
    expected = torch.cosine_similarity(answers, means).mean().item()
    assert evaluate(module, corpus, "test").alignment == pytest.approx(expected, abs=1e-6)
    algo.stop()

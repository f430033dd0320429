import itertools

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import ReplayBuffer, RolloutBuffer
from stable_baselines3.common.utils import set_random_seed

from agents import GroupedReplayBuffer, GroupedRolloutBuffer, GRUPolicy, make_vec_env
from llmar_env.spaces import TextIndex
from llmar_env.text.embedded import EmbeddedTexts

ACTION = spaces.Box(-1.0, 1.0, (4,))
STEPS, GROUPS, SIZE = 3, 5, 4
ENVS = GROUPS * SIZE


def rollout(corpus, cls=GroupedRolloutBuffer, space=None):
    """A full rollout, in which action, value and so on are the number of the step and row."""
    buffer = cls(STEPS, space or TextIndex(corpus.source), ACTION, "cpu", n_envs=ENVS)
    rng = np.random.default_rng(5)
    for step in range(STEPS):
        texts = rng.choice(36, GROUPS, replace=False)
        obs = np.repeat(texts, SIZE)[:, None]
        if not isinstance(buffer.observation_space, TextIndex):
            obs = np.broadcast_to(obs[:, :, None], (ENVS, *buffer.obs_shape))
        number = np.arange(ENVS) + step * ENVS
        value = torch.as_tensor(number, dtype=torch.float32)
        buffer.add(obs, np.repeat(number[:, None], 4, 1), number, number, value, value)
    buffer.compute_returns_and_advantage(torch.zeros(ENVS), np.ones(ENVS))
    return buffer


def epoch(buffer, batch_size):
    return [
        (batch.observations[:, 0].tolist(), batch.old_values.tolist())
        for batch in buffer.get(batch_size)
    ]


def test_minibatches_hold_whole_texts_and_an_epoch_every_row_once(corpus):
    buffer = rollout(corpus)
    stored = {
        float(number): int(text)
        for text, number in zip(
            buffer.observations.ravel(), np.arange(STEPS * ENVS).ravel(), strict=True
        )
    }
    for batch_size in (SIZE, 2 * SIZE, 7, None):
        batches = epoch(buffer, batch_size)
        rows = [
            (text, number)
            for texts, numbers in batches
            for text, number in zip(texts, numbers, strict=True)
        ]
        assert sorted(number for _, number in rows) == list(range(STEPS * ENVS))
        assert all(stored[number] == text for text, number in rows)
        # Each text is one run of rows, whatever the size of a minibatch.
        texts = [text for text, _ in rows]
        runs = 1 + sum(one != other for one, other in itertools.pairwise(texts))
        assert runs == len(set(texts))


def test_epochs_differ_and_follow_the_seed(corpus):
    buffer = rollout(corpus)
    set_random_seed(3)
    first, second = epoch(buffer, 8), epoch(buffer, 8)
    assert first != second
    set_random_seed(3)
    assert epoch(rollout(corpus), 8) == first


def test_embeddings_come_as_in_sb3s_own_buffer(corpus):
    space = spaces.Box(-40.0, 40.0, (5, 6))
    found = []
    for cls in (GroupedRolloutBuffer, RolloutBuffer):
        buffer = rollout(corpus, cls, space)
        set_random_seed(1)
        found.append([batch.old_values.tolist() for batch in buffer.get(8)])
    assert found[0] == found[1]


def test_ppo_encodes_each_text_once_a_minibatch(corpus):
    env = make_vec_env(
        "LLMAR/Align-v0",
        16,
        env_kwargs={"data": corpus, "observation": "index", "group_size": 8},
    )
    counts = {}
    for cls in (GroupedRolloutBuffer, RolloutBuffer):
        model = PPO(
            GRUPolicy,
            env,
            n_steps=4,
            batch_size=16,
            n_epochs=1,
            seed=0,
            device="cpu",
            rollout_buffer_class=cls,
            policy_kwargs={"hidden_dim": 4},
        )
        sizes = []
        model.policy.features_extractor.lookup.register_forward_hook(
            lambda _, inputs, __, sizes=sizes: sizes.append(len(inputs[0]))
        )
        model.learn(64)
        counts[cls] = sizes[-4:]  # the four minibatches
    assert max(counts[GroupedRolloutBuffer]) <= 3  # 16 rows: two groups, or the ends of two more
    assert min(counts[RolloutBuffer]) > 3


# ---------------------------------------------------------------------------- replay


def replay(corpus, cls=GroupedReplayBuffer, steps=STEPS, **kwargs):
    """A replay buffer whose rewards are the numbers of its transitions."""
    if cls is GroupedReplayBuffer:
        kwargs["group_size"] = SIZE
    buffer = cls(STEPS * ENVS, TextIndex(corpus.source), ACTION, "cpu", ENVS, **kwargs)
    for step in range(steps):
        number = np.arange(ENVS) + step * ENVS
        obs = np.repeat(np.arange(GROUPS) + step, SIZE)[:, None]
        actions = np.repeat(number[:, None], 4, 1).astype(np.float32)
        infos = [{"TimeLimit.truncated": i % 3 == 0} for i in range(ENVS)]
        buffer.add(obs, obs + 1, actions, number, number % 2, infos)
    return buffer


def test_a_batch_is_whole_groups_of_one_text_each(corpus):
    set_random_seed(0)
    batch = replay(corpus).sample(6 * SIZE)
    numbers = batch.rewards[:, 0].view(6, SIZE)
    assert torch.equal(numbers, numbers[:, :1] + torch.arange(SIZE))
    assert torch.equal(numbers[:, 0] % SIZE, torch.zeros(6))
    texts = batch.observations[:, 0].view(6, SIZE)
    assert torch.equal(texts, texts[:, :1].expand_as(texts))


def test_a_transition_is_what_sb3s_buffer_would_give(corpus):
    set_random_seed(0)
    ours, theirs = replay(corpus).sample(400), replay(corpus, ReplayBuffer).sample(4000)
    stored = {}
    for i, number in enumerate(theirs.rewards[:, 0].tolist()):
        stored[number] = [part[i].tolist() for part in theirs[:5]]
    assert len(stored) == STEPS * ENVS
    for i, number in enumerate(ours.rewards[:, 0].tolist()):
        assert [part[i].tolist() for part in ours[:5]] == stored[number]
    assert [part.dtype for part in ours[:5]] == [part.dtype for part in theirs[:5]]
    assert [part.shape[1:] for part in ours[:5]] == [part.shape[1:] for part in theirs[:5]]


def test_every_transition_is_as_likely_as_any_other(corpus):
    set_random_seed(0)
    buffer = replay(corpus)
    counts = np.zeros(STEPS * ENVS)
    for _ in range(300):
        np.add.at(counts, buffer.sample(40).rewards[:, 0].numpy().astype(int), 1)
    expected = 300 * 40 / len(counts)
    # Groups are drawn independently: a count is binomial, of deviation sqrt(expected).
    assert np.abs(counts - expected).max() < 4.5 * np.sqrt(expected)


def test_only_what_was_stored_is_drawn_and_the_last_group_may_be_cut(corpus):
    set_random_seed(0)
    batch = replay(corpus, steps=1).sample(3 * SIZE + 1)
    assert batch.rewards.shape == (3 * SIZE + 1, 1)
    assert batch.rewards.max() < ENVS


def test_a_million_transitions_take_less_than_700_mb():
    table = np.ones((3, 64), np.float32)
    texts = EmbeddedTexts.from_ids(table, [[0, 1, 2] * 8])
    action = spaces.Box(-1.0, 1.0, (64,))
    buffer = GroupedReplayBuffer(10**6, TextIndex(texts), action, "cpu", 500, group_size=10)
    arrays = [value for value in vars(buffer).values() if isinstance(value, np.ndarray)]
    assert len(arrays) == 6
    size = sum(array.nbytes for array in arrays)
    # Rows now and next (int64), 64 coordinates, reward, end, cut (float32).
    assert size == 10**6 * (8 + 8 + 4 * 64 + 3 * 4)
    assert size < 700e6


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"group_size": 3}, "group_size=3 must divide the number of environments, 20"),
        (
            {"optimize_memory_usage": True, "handle_timeout_termination": False},
            "does not support optimize_memory_usage",
        ),
    ],
)
def test_what_the_replay_buffer_refuses(corpus, kwargs, message):
    with pytest.raises(ValueError, match=message):
        GroupedReplayBuffer(100, TextIndex(corpus.source), ACTION, "cpu", ENVS, **kwargs)

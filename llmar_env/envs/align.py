"""LLMAR/Align: one text, one answer, rewarded by its alignment with the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from array_api_compat import array_namespace
from gymnasium import spaces

from llmar_env.alignment.pools import AlignReward, TargetRanks, make_align_reward
from llmar_env.alignment.reward_spec import checked, reward_name
from llmar_env.alignment.scores import cosine_to_unit
from llmar_env.arrays import Array, check_finite, hash_counters, hash_to_unit
from llmar_env.envs.core import Transition, check_choice, check_count, select_states
from llmar_env.envs.single import SingleEnv
from llmar_env.envs.texts import (
    DEFAULT_DATA,
    Observation,
    TextStream,
    check_elapsed,
    make_over_texts,
    score_line,
)
from llmar_env.envs.vector import BatchedEnv
from llmar_env.text.corpus import Corpus, CorpusLike

__all__ = [
    "Advance",
    "AlignEnv",
    "AlignMDP",
    "AlignState",
    "AlignVectorEnv",
    "Observation",
    "align_mdp",
]

Advance = Literal["always", "alignment"]


@dataclass(frozen=True)
class AlignState:
    """The position in each of N streams of texts."""

    key: Array  # (N,) int64, the key of the stream
    text: Array  # (N,) int64, the index in the stream of the text shown
    elapsed: Array  # (N,) int64, steps taken in this episode
    row: Array  # (N,) int64, the corpus row of the text shown; derived from key and text


class AlignMDP:
    """The state is a text, the action is an answer, the reward is how well they align.

    Their alignment is cos(mean of the target's vectors, mean of the action's vectors), in [-1, 1],
    and the reward r(s, a) by default.

    With `advance="always"` each text is an episode of one step. With `advance="alignment"` an
    episode is a stream of texts: P(next text | s, a) = max(alignment, 0), otherwise the text
    stays the same; the episode is truncated after `episode_length` steps. `info` has the reward,
    "score", and under another reward than the cosine also the "alignment".

    Args:
        corpus: the texts, embedded.
        split: the part of the corpus that texts are drawn from.
        num_vectors: T, the number of vectors in an answer.
        observation: "embeddings", (L, D) float32 with zero rows after the text's end, or "index",
            the row of the text in the corpus, (1,) int64.
        advance: when the next text comes, as above.
        episode_length: steps in an episode; used only with `advance="alignment"`.
        reward: "cosine"; "p_at_1", "mrr", "ndcg_at_10" or "recall_at_10", by the rank of the right
            target among `pool` others (`TargetRanks`); a weighted sum of these or another form that
            `parse_reward` accepts; or a function of the mean answers (N, D) and the rows of their
            texts (N,), which returns (N,) finite numbers.
        pool: number of distinct targets of the split among which a rank is taken.
        device: where torch computes the products for ranks; by default NumPy does.
        info_texts: whether `info` includes the texts as strings, besides their rows.

    Raises:
        ValueError: an option has a value other than those above.
    """

    observation_space: spaces.Box
    action_space: spaces.Box

    def __init__(
        self,
        corpus: Corpus,
        split: str = "train",
        *,
        num_vectors: int = 1,
        observation: Observation = "embeddings",
        advance: Advance = "always",
        episode_length: int = 16,
        reward: AlignReward = "cosine",
        pool: int = 1024,
        device: str | None = None,
        info_texts: bool = False,
    ) -> None:
        check_choice("advance", advance, get_args(Advance))
        check_count("pool", pool)
        check_count("num_vectors", num_vectors)
        check_count("episode_length", episode_length)
        self.texts = TextStream(corpus, split, observation, info_texts)
        self.corpus = corpus
        self.num_vectors = num_vectors
        self.advance = advance
        self.episode_length = episode_length
        # None: the alignment itself, which is computed in any case.
        self.reward = (
            None
            if isinstance(reward, str) and reward == "cosine"
            else make_align_reward(reward, TargetRanks(corpus, split, pool, device))
        )
        dim = corpus.target.dim
        self.action_space = spaces.Box(
            -1.0, 1.0, (dim,) if num_vectors == 1 else (num_vectors, dim), np.float32
        )
        self.observation_space = self.texts.space

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of the texts."""
        return self.texts.fingerprints

    def init(
        self,
        key: Array,
        member: Array | None = None,  # noqa: ARG002 - groups share all chance
    ) -> AlignState:
        """States before the first episode of the streams `key`, (N,) int64."""
        return self._at(key, key * 0 - 1, key * 0)

    def reset(self, state: AlignState, mask: Array) -> AlignState:
        """Go to the next text of the stream where `mask`, (N,) bool, is true; keep the others."""
        started = self._at(state.key, state.text + 1, state.elapsed * 0)
        return select_states(mask, started, state)

    def _at(self, key: Array, text: Array, elapsed: Array) -> AlignState:
        return AlignState(key, text, elapsed, self.texts.draw(key, text))

    def observe(self, state: AlignState) -> Array:
        """(N, L, D) embeddings or (N, 1) rows of the texts shown, newly allocated."""
        return self.texts.observe(state.row)

    def describe(self, state: AlignState) -> dict[str, Array]:
        """The rows of the texts shown, and with `info_texts` their strings."""
        return self.texts.describe(state.row)

    def step(self, state: AlignState, action: Array) -> Transition[AlignState]:
        """Score the answers (N, D) or (N, T, D), and move on to the next texts.

        Raises:
            ValueError: an action is NaN or infinite; the message names the first.
        """
        xp = array_namespace(action, state.row)
        if self.num_vectors > 1:
            # Divided before summing, so that no finite action overflows.
            action = xp.sum(action / self.num_vectors, axis=1)
        aligned = cosine_to_unit(action, xp.take(self.corpus.target.unit_means, state.row, axis=0))
        # The cosine is NaN exactly where the action is not finite, and it is the smaller array.
        check_finite(aligned, "the action of sub-environment")
        score = aligned = xp.astype(aligned, xp.float64)
        info = {}
        if self.reward is not None:
            score = checked(self.reward, self.reward(action, state.row), state.row)
            info["alignment"] = aligned
        info["score"] = score + 0
        never = xp.zeros_like(score, dtype=xp.bool)
        if self.advance == "always":
            return Transition(state, score, ~never, never, info)
        chance = hash_to_unit(hash_counters(state.key, state.text, state.elapsed))
        moved = xp.astype(chance < aligned, xp.int64)
        state = self._at(state.key, state.text + moved, state.elapsed + 1)
        ended = state.elapsed >= self.episode_length
        return Transition(state, score, never, ended, info)

    def dump(self, state: AlignState) -> dict[str, Any]:
        """The states as JSON-serializable data."""
        return self.texts.dump(state)

    def restore(self, data: Mapping[str, Any], size: int) -> AlignState:
        """Restore what `dump` returned for N = `size`.

        Raises:
            ValueError: a field is missing or has the wrong size, or the texts differ.
        """
        key, text, elapsed = self.texts.restore(data, size)
        check_elapsed(elapsed, elapsed >= 0, "at least 0")
        return self._at(key, text, elapsed)

    def render(self, state: AlignState, position: int, last: Mapping[str, Any] | None) -> str:
        """Render the text shown by one sub-environment and the score of its last answer."""
        lines = self.texts.lines(int(state.row[position]))
        if last is not None:
            name = "alignment" if self.reward is None else reward_name(self.reward)
            lines.append(score_line(f"last answer: {name}", float(last["score"][position])))
        return "\n".join(lines) + "\n"


class AlignEnv(SingleEnv[AlignState]):
    """LLMAR/Align-v0, one environment; takes the options of `SingleEnv` and `align_mdp`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(align_mdp, **options)


class AlignVectorEnv(BatchedEnv[AlignState]):
    """LLMAR/Align-v0, N environments; takes the options of `BatchedEnv` and `align_mdp`.

    Raises:
        ValueError: an option has an invalid value, or `group_size` is above 1 with
            `advance="alignment"`, where the members of a group would soon see different texts.
    """

    def __init__(self, num_envs: int = 1, *, group_size: int = 1, **options: Any) -> None:
        if group_size != 1 and options.get("advance") == "alignment":
            raise ValueError(
                'groups need advance="always": with advance="alignment" the members of a group '
                "would soon see different texts"
            )
        super().__init__(align_mdp, num_envs, group_size=group_size, **options)


def align_mdp(data: CorpusLike = DEFAULT_DATA, **options: Any) -> AlignMDP:
    """Make the MDP of LLMAR/Align-v0.

    Args:
        data: anything `Corpus.load` accepts; by default the built-in corpus, German to English.
        **options: options of `make_over_texts` and of `AlignMDP`.
    """
    return make_over_texts(AlignMDP, data, **options)

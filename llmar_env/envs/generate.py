"""LLMAR/Generate: a text written word by word, rewarded by its score against the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llmar_env.alignment.rewards import REWARDS
from llmar_env.alignment.scores import cosine_to_unit
from llmar_env.arrays import check_finite
from llmar_env.envs.core import Transition, select_states
from llmar_env.envs.single import SingleEnv
from llmar_env.envs.texts import DEFAULT_DATA, check_elapsed, make_over_texts
from llmar_env.envs.vector import BatchedEnv
from llmar_env.envs.writing import WritingMDP, WritingState
from llmar_env.text.corpus import Corpus, CorpusLike
from llmar_env.text.decoding import nearest_tokens

__all__ = ["GenerateEnv", "GenerateMDP", "GenerateState", "GenerateVectorEnv", "generate_mdp"]


@dataclass(frozen=True)
class GenerateState(WritingState):
    """The position in each of N streams of texts, and the text written so far."""

    total: NDArray[np.float32]  # (N, D) sum of the written words' vectors; derived from tokens


class GenerateMDP(WritingMDP[GenerateState]):
    """Each action is a vector, read as the nearest token of the vocabulary, which is appended.

    EOS ends a text, and so does the M-th word. Both are `terminated`, not `truncated`: the words
    are observed, and so is M, so that a full text has no value beyond its reward. A text that has
    ended no longer changes, so a batch can be stepped until its last text has ended.

    With the reward "mean" the score is `alignment_score` of the written words with the target:
    r = cos(mean of the words' vectors, mean of the target's), in O(D) per step. Other rewards score
    the whole text at each step, or only at its end with `credit="sparse"`.

    Args:
        corpus: the texts, embedded.
        split: the part of the corpus that texts are drawn from.
        **options: options of `WritingMDP`.

    Raises:
        ValueError: as in `WritingMDP`.
    """

    def __init__(self, corpus: Corpus, split: str = "train", **options: Any) -> None:
        super().__init__(corpus, split, **options)
        self.action_space = spaces.Box(-1.0, 1.0, (self.vocabulary.dim,), np.float32)

    def init(
        self,
        key: NDArray[np.int64],
        member: NDArray[np.int64] | None = None,  # noqa: ARG002 - groups share all chance
    ) -> GenerateState:
        """States before the first episode of the streams `key`, (N,) int64."""
        return self._blank(key, key * 0 - 1)

    def reset(self, state: GenerateState, mask: NDArray[np.bool_]) -> GenerateState:
        """Go to the next text of the stream where `mask`, (N,) bool, is true; keep the others."""
        return select_states(mask, self._blank(state.key, state.text + 1), state)

    def _blank(self, key: NDArray[np.int64], text: NDArray[np.int64]) -> GenerateState:
        n = len(key)
        total = np.zeros((n, self.vocabulary.dim), np.float32)
        row = self.texts.draw(key, text)
        return GenerateState(key, text, key * 0, row, self.empty(n), np.zeros(n), total)

    def step(self, state: GenerateState, action: NDArray[np.float32]) -> Transition[GenerateState]:
        """Append the token nearest to each of the actions (N, D).

        Raises:
            ValueError: an action is NaN or infinite, or the reward returns invalid scores.
        """
        check_finite(action, "the action of sub-environment")
        vocabulary = self.vocabulary
        length = vocabulary.lengths(state.tokens)
        running = (state.elapsed == length) & (length < self.max_new_tokens)
        token = np.where(running, nearest_tokens(action, vocabulary), vocabulary.eos)
        grows = token != vocabulary.eos
        tokens = state.tokens.copy()
        tokens[np.flatnonzero(grows), length[grows]] = token[grows]
        elapsed, length = state.elapsed + running, length + grows
        total = state.total + vocabulary.padded_table[token]
        # EOS takes a step and writes nothing.
        terminated = (elapsed > length) | (length == self.max_new_tokens)
        scored = grows if self.credit == "dense" else running & terminated
        score = np.where(scored, self._score(state.row, tokens, total, scored), state.score)
        after = GenerateState(state.key, state.text, elapsed, state.row, tokens, score, total)
        # With sparse credit the score is 0 until the end, so the gain is the score.
        info = {"token": token, "score": score + 0}
        return Transition(after, score - state.score, terminated, np.zeros_like(terminated), info)

    def _score(
        self,
        row: NDArray[np.int64],
        tokens: NDArray[np.int64],
        total: NDArray[np.float32],
        where: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        if self.reward is not REWARDS["mean"]:
            return self.score(row, tokens, where)
        means: NDArray[np.float32] = self.corpus.target.unit_means[row]
        # The cosine ignores length, so the sum can stand in for the mean.
        score: NDArray[np.float64] = cosine_to_unit(total, means).astype(np.float64)
        return score

    def restore(self, data: Mapping[str, Any], size: int) -> GenerateState:
        """Restore what `dump` returned for N = `size`.

        Raises:
            ValueError: a field is missing or has the wrong shape, or the texts or the vocabulary
                differ.
        """
        written = self.restore_written(data, size)
        length, elapsed = self.vocabulary.lengths(written.tokens), written.elapsed
        ended = (elapsed == length + 1) & (length < self.max_new_tokens)
        expected = "the number of words, or one more after EOS"
        check_elapsed(elapsed, (elapsed == length) | ended, expected)
        # Summed in the order of the steps, so that the result is bit-identical.
        sums = self.vocabulary.padded_table[written.tokens].cumsum(axis=1)
        return GenerateState(**vars(written), total=sums[:, -1])


class GenerateEnv(SingleEnv[GenerateState]):
    """LLMAR/Generate-v0, one environment; takes the options of `SingleEnv` and `generate_mdp`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(generate_mdp, **options)


class GenerateVectorEnv(BatchedEnv[GenerateState]):
    """LLMAR/Generate-v0, N environments; takes the options of `BatchedEnv` and `generate_mdp`.

    The members of a group get the same texts in the same order, at their own pace.
    """

    def __init__(self, num_envs: int = 1, **options: Any) -> None:
        super().__init__(generate_mdp, num_envs, **options)


def generate_mdp(data: CorpusLike = DEFAULT_DATA, **options: Any) -> GenerateMDP:
    """Make the MDP of LLMAR/Generate-v0.

    Args:
        data: anything `Corpus.load` accepts; by default the built-in corpus, German to English.
        **options: options of `make_over_texts` and of `WritingMDP`.
    """
    return make_over_texts(GenerateMDP, data, **options)

"""LLMAR/Refine: a draft, corrected one word at a time until it aligns with the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llmar_env.alignment.scores import reaches
from llmar_env.arrays import check_finite, hash_counters, unit
from llmar_env.envs.core import Transition, check_count, check_threshold, select_states
from llmar_env.envs.single import SingleEnv
from llmar_env.envs.texts import DEFAULT_DATA, check_elapsed, make_over_texts
from llmar_env.envs.vector import BatchedEnv
from llmar_env.envs.writing import WritingMDP, WritingState
from llmar_env.text.corpus import Corpus, CorpusLike
from llmar_env.text.decoding import nearest_tokens
from llmar_env.text.tokens import correct

__all__ = ["Draft", "RefineEnv", "RefineMDP", "RefineState", "RefineVectorEnv", "refine_mdp"]

Draft = Literal["empty", "random"] | Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""The initial text: empty, random, or a function from corpus rows (n,) to tokens (n, M)."""

# An extra counter for random drafts, since (key, text) alone already draws the text itself.
_DRAFT_LANE = 1


@dataclass(frozen=True)
class RefineState(WritingState):
    """The position in each of N streams of texts, and the text written so far."""


class RefineMDP(WritingMDP[RefineState]):
    """Each action is two vectors: which word of the draft to change, and what to put there.

    The first selects the word of the draft that is nearest to it by cosine, at its first position,
    or the position after the last word if EOS is nearer than all words. The second is read as the
    nearest token of the vocabulary. It replaces the selected word, or is appended after the last
    one; EOS deletes the word, and later words move up. An impossible correction changes nothing: a
    draft of M words does not grow, and there is nothing to delete after its end.

    An episode ends when the score reaches `threshold` (`terminated`), or after `episode_length`
    steps: `truncated`, or with `credit="sparse"`, which pays then, `terminated`; the share of the
    steps that are used is then observed as "elapsed", (1,) float32 in [0, 1]. A draft that reaches
    the threshold is final: if the initial draft does, the first action changes nothing and ends the
    episode.

    Args:
        corpus: the texts, embedded.
        split: the part of the corpus that texts are drawn from.
        draft: the initial text: "empty"; "random", 1 to M random words; or a function that
            returns (n, M) tokens for the corpus rows (n,) int64.
        threshold: the score at which a draft is good enough, in (0, 1].
        episode_length: the maximum number of steps in an episode.
        **options: options of `WritingMDP`.

    Raises:
        ValueError: an option has a value other than those above; or as in `WritingMDP`.
    """

    def __init__(
        self,
        corpus: Corpus,
        split: str = "train",
        *,
        draft: Draft = "empty",
        threshold: float = 0.9,
        episode_length: int = 32,
        **options: Any,
    ) -> None:
        if not callable(draft) and draft not in ("empty", "random"):
            raise ValueError(f"draft must be empty, random or a function, found {draft!r}")
        check_threshold(threshold)
        check_count("episode_length", episode_length)
        super().__init__(corpus, split, **options)
        self.draft = draft
        self.threshold = threshold
        self.episode_length = episode_length
        self.action_space = spaces.Box(-1.0, 1.0, (2, self.vocabulary.dim), np.float32)
        if self.credit == "sparse":
            used = spaces.Box(0.0, 1.0, (1,), np.float32)
            self.observation_space = spaces.Dict({**self.observation_space, "elapsed": used})

    def init(
        self,
        key: NDArray[np.int64],
        member: NDArray[np.int64] | None = None,  # noqa: ARG002 - groups share all chance
    ) -> RefineState:
        """States before the first episode of the streams `key`, (N,) int64."""
        n, text = len(key), key * 0 - 1
        row = self.texts.draw(key, text)
        return RefineState(key, text, key * 0, row, self.empty(n), np.zeros(n))

    def reset(self, state: RefineState, mask: NDArray[np.bool_]) -> RefineState:
        """Go to the next text of the stream where `mask`, (N,) bool, is true; keep the others.

        Raises:
            ValueError: the draft function returns invalid tokens, or the reward invalid scores.
        """
        text = state.text + 1
        row = self.texts.draw(state.key, text)
        tokens = self.empty(len(row))
        # A draft may be expensive, so drafts are made only where they are used.
        tokens[mask] = self._drafts(state.key[mask], text[mask], row[mask])
        score = self.score(row, tokens, mask)
        started = RefineState(state.key, text, state.elapsed * 0, row, tokens, score)
        return select_states(mask, started, state)

    def _drafts(
        self, key: NDArray[np.int64], text: NDArray[np.int64], row: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        if callable(self.draft):
            drafts = self.draft(row.copy())
            return self.vocabulary.check_tokens("the drafts", drafts, len(row), self.max_new_tokens)
        drafts = self.empty(len(row))
        if self.draft == "random":
            places = np.arange(self.max_new_tokens + 1)
            lane = np.full_like(places, _DRAFT_LANE)
            chance = hash_counters(key[:, None], text[:, None], lane, places)  # (n, M + 1)
            length = 1 + chance[:, -1:] % self.max_new_tokens
            words = chance[:, :-1] % self.vocabulary.eos
            drafts = np.where(places[:-1] < length, words, drafts)
        return drafts

    def describe(self, state: RefineState) -> dict[str, NDArray[Any]]:
        """The rows of the texts shown, the drafts' scores, and with `info_texts` all strings."""
        return super().describe(state) | {"score": state.score + 0}

    def step(self, state: RefineState, action: NDArray[np.float32]) -> Transition[RefineState]:
        """Apply the corrections that the actions (N, 2, D) encode.

        Raises:
            ValueError: an action is NaN or infinite, or the reward returns invalid scores.
        """
        check_finite(action, "the action of sub-environment")
        place = self._places(state.tokens, action[:, 0])
        token = nearest_tokens(action[:, 1], self.vocabulary)
        corrected = correct(state.tokens, place, token, self.vocabulary.eos)
        done = reaches(state.score, self.threshold)
        tokens = np.where(done[:, None], state.tokens, corrected)
        changed = (tokens != state.tokens).any(1)
        scored = self.score(state.row, tokens, changed)
        score = np.where(changed, scored, state.score)
        after = replace(state, elapsed=state.elapsed + 1, tokens=tokens, score=score)
        terminated = reaches(score, self.threshold)
        truncated = ~terminated & (after.elapsed >= self.episode_length)
        if self.credit == "dense":
            reward = score - state.score
        else:
            # The last step pays for the draft, and nothing follows from it.
            terminated, truncated = terminated | truncated, np.zeros_like(truncated)
            reward = np.where(terminated, score, 0.0)
        return Transition(after, reward, terminated, truncated, {"changed": changed})

    def observe(self, state: RefineState) -> dict[str, NDArray[Any]]:
        """The texts shown and the drafts, and with sparse credit the time used."""
        observation = super().observe(state)
        if self.credit == "sparse":
            used = (state.elapsed / self.episode_length).astype(np.float32)
            observation["elapsed"] = used[:, None]
        return observation

    def _places(self, tokens: NDArray[np.int64], vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """(N,) positions in [0, M] that vectors (N, D) select in the drafts (N, M).

        Of equally near words the lowest token is taken, at its first position.
        """
        n, eos = len(tokens), self.vocabulary.eos
        words = np.concatenate([tokens, np.full((n, 1), eos)], axis=1)  # (N, M + 1)
        nearest = nearest_tokens(vectors, self.vocabulary)
        # The nearest token of the vocabulary is also the nearest in a draft that contains it.
        absent = np.flatnonzero(~(words == nearest[:, None]).any(1))
        directions = self.vocabulary.directions.take(words[absent], axis=0)  # (absent, M + 1, D)
        cosines = np.vecdot(directions, unit(vectors[absent])[:, None])
        best = cosines == cosines.max(1, keepdims=True)
        nearest[absent] = np.where(best, words[absent], eos).min(1)
        places: NDArray[np.int64] = (words == nearest[:, None]).argmax(1)
        return places

    def restore(self, data: Mapping[str, Any], size: int) -> RefineState:
        """Restore what `dump` returned for N = `size`.

        Raises:
            ValueError: a field is missing or has the wrong shape, or the texts or the vocabulary
                differ.
        """
        written = self.restore_written(data, size)
        elapsed, limit = written.elapsed, self.episode_length
        check_elapsed(elapsed, (elapsed >= 0) & (elapsed <= limit), f"0 to {limit}")
        return RefineState(**vars(written))


class RefineEnv(SingleEnv[RefineState]):
    """LLMAR/Refine-v0, one environment; takes the options of `SingleEnv` and `refine_mdp`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(refine_mdp, **options)


class RefineVectorEnv(BatchedEnv[RefineState]):
    """LLMAR/Refine-v0, N environments; takes the options of `BatchedEnv` and `refine_mdp`.

    The members of a group get the same texts and drafts in the same order, at their own pace.
    """

    def __init__(self, num_envs: int = 1, **options: Any) -> None:
        super().__init__(refine_mdp, num_envs, **options)


def refine_mdp(data: CorpusLike = DEFAULT_DATA, **options: Any) -> RefineMDP:
    """Make the MDP of LLMAR/Refine-v0.

    Args:
        data: anything `Corpus.load` accepts; by default the built-in corpus, German to English.
        **options: options of `make_over_texts`, `RefineMDP` and `WritingMDP`.
    """
    return make_over_texts(RefineMDP, data, **options)

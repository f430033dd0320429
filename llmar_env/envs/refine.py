"""LLMAR/Refine: a draft, corrected place by place until it aligns with the target."""

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
from llmar_env.envs.texts import DEFAULT_DATA, make_over_texts
from llmar_env.envs.vector import BatchedEnv
from llmar_env.envs.writing import WritingMDP, WritingState
from llmar_env.text.corpus import Corpus, CorpusLike
from llmar_env.text.decoding import nearest_tokens
from llmar_env.text.tokens import correct

__all__ = ["Draft", "RefineEnv", "RefineMDP", "RefineState", "RefineVectorEnv", "refine_mdp"]

Draft = Literal["empty", "random"] | Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""The text at the start: empty, random, or made for rows (n,) of a corpus, as (n, M) tokens."""

# A further counter for random drafts, beside (key, text), which draw the text itself.
_DRAFT_LANE = 1


@dataclass(frozen=True)
class RefineState(WritingState):
    """Where each of N streams of texts stands, and what is written."""


class RefineMDP(WritingMDP[RefineState]):
    """Each action is two vectors: which word of the draft to change, and what to put there.

    The first is read as the word of the draft that is nearest to it by cosine, at its first place,
    or, where EOS is nearer than all of them, as the place behind the last word. The
    second is read as the nearest token of the vocabulary. It replaces the word, or is appended
    behind the last; EOS deletes the word, and later words move up. What cannot be done
    changes nothing: a draft of M words does not grow, and there is nothing to delete behind its
    end.

    An episode ends when the score reaches `threshold` (`terminated`), or after `episode_length`
    steps (`truncated`). A draft that reaches the threshold is done: where it does so from the
    start, the first action changes nothing and ends the episode.

    Args:
        corpus: the texts, embedded.
        split: the part of the corpus that texts are drawn from.
        draft: what a text is at the start: "empty"; "random", 1 to M random words; or a
            function that gives (n, M) tokens for the rows (n,) int64 of texts in the corpus.
        threshold: the score that is good enough, in (0, 1].
        episode_length: the most steps of an episode.
        **options: of `WritingMDP`.

    Raises:
        ValueError: an option has a value that is not among those above; as in `WritingMDP`.
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

    def init(self, key: NDArray[np.int64]) -> RefineState:
        """States before the first episode of the streams `key`, (N,) int64."""
        n, text = len(key), key * 0 - 1
        row = self.texts.draw(key, text)
        return RefineState(key, text, key * 0, row, self.empty(n), np.zeros(n))

    def reset(self, state: RefineState, mask: NDArray[np.bool_]) -> RefineState:
        """States at the next text of their streams where `mask`, (N,) bool; the others as given.

        Raises:
            ValueError: the draft is not what it should be, or the reward gives no numbers.
        """
        text = state.text + 1
        row = self.texts.draw(state.key, text)
        tokens = self.empty(len(row))
        # A draft may be expensive to make, so only those that are used are made.
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
        """The rows of the texts shown, the scores of the drafts, and on request all strings."""
        return super().describe(state) | {"score": state.score + 0}

    def step(self, state: RefineState, action: NDArray[np.float32]) -> Transition[RefineState]:
        """Correct the drafts by the actions (N, 2, D).

        Raises:
            ValueError: an action is NaN or infinite, or the reward gives no numbers.
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
            reward = np.where(terminated | truncated, score, 0.0)
        return Transition(after, reward, terminated, truncated, {"changed": changed})

    def _places(self, tokens: NDArray[np.int64], vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """(N,) the places in the drafts (N, M) that vectors (N, D) point to, in [0, M].

        Of words that are equally near, the lower token is taken, and of its places the first.
        """
        n, eos = len(tokens), self.vocabulary.eos
        words = np.concatenate([tokens, np.full((n, 1), eos)], axis=1)  # (N, M + 1)
        nearest = nearest_tokens(vectors, self.vocabulary)
        # A token that is the nearest of all is the nearest in the draft, if it is there.
        absent = np.flatnonzero(~(words == nearest[:, None]).any(1))
        directions = self.vocabulary.directions.take(words[absent], axis=0)  # (absent, M + 1, D)
        cosines = np.vecdot(directions, unit(vectors[absent])[:, None])
        best = cosines == cosines.max(1, keepdims=True)
        nearest[absent] = np.where(best, words[absent], eos).min(1)
        places: NDArray[np.int64] = (words == nearest[:, None]).argmax(1)
        return places

    def restore(self, data: Mapping[str, Any], size: int) -> RefineState:
        """What `dump` wrote for N = `size`.

        Raises:
            ValueError: a field is missing or of another shape, or the texts or the vocabulary are
                others.
        """
        return RefineState(**vars(self.restore_written(data, size)))


class RefineEnv(SingleEnv[RefineState]):
    """LLMAR/Refine-v0, one environment; options of `SingleEnv` and `refine_mdp`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(refine_mdp, **options)


class RefineVectorEnv(BatchedEnv[RefineState]):
    """LLMAR/Refine-v0, N environments in one batch; options of `BatchedEnv` and `refine_mdp`.

    The members of a group get the same texts and drafts in the same order, each in its own time.
    """

    def __init__(self, num_envs: int = 1, **options: Any) -> None:
        super().__init__(refine_mdp, num_envs, **options)


def refine_mdp(data: CorpusLike = DEFAULT_DATA, **options: Any) -> RefineMDP:
    """Make the MDP of LLMAR/Refine-v0.

    Args:
        data: what `Corpus.load` takes; by default the built-in corpus, German to English.
        **options: of `make_over_texts`, `RefineMDP` and `WritingMDP`.
    """
    return make_over_texts(RefineMDP, data, **options)

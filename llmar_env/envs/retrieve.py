"""LLMAR/Retrieve: a query, a vector to search with, rewarded by the documents that are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llmar_env.alignment.reward_spec import checked, parse_reward
from llmar_env.arrays import check_finite
from llmar_env.envs.core import Transition, check_choice, check_count, require_keys, select_states
from llmar_env.envs.single import SingleEnv
from llmar_env.envs.texts import Observation, TextStream, score_line
from llmar_env.envs.vector import BatchedEnv
from llmar_env.metrics.ranking import Measure, find_measure
from llmar_env.retrieval import Collection
from llmar_env.retrieval.clicks import clicks
from llmar_env.retrieval.collection import CollectionLike
from llmar_env.retrieval.judgments import Judgments
from llmar_env.text.embedders import Embedder

__all__ = [
    "Feedback",
    "RetrieveEnv",
    "RetrieveMDP",
    "RetrieveReward",
    "RetrieveState",
    "RetrieveVectorEnv",
    "check_reward",
    "ranking_reward",
    "retrieve_mdp",
]

DEFAULT_COLLECTION = "phrasebook:en"
"""The built-in collection: English sentences, and those about the same deed."""

Feedback = Literal["judgments", "clicks"]

RetrieveReward = Callable[
    [NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]], NDArray[np.float64]
]
"""Scores N answers by the documents found (N, k), best first, their cosines (N, k), and the rows of
the queries (N,): (N,) finite numbers, the higher the better."""


@dataclass(frozen=True)
class RetrieveState:
    """The position in each of N streams of queries."""

    key: NDArray[np.int64]  # (N,) the key of the stream
    text: NDArray[np.int64]  # (N,) the index in the stream of the query shown
    elapsed: NDArray[np.int64]  # (N,) 0: an episode has one step
    member: NDArray[np.int64]  # (N,) the place in a group, which shares a stream
    row: NDArray[np.int64]  # (N,) the row of the query shown; derived from key and text


class RetrieveMDP:
    """The state is a query, the action is the vector searched with, one step is an episode.

    The index stays as it is: only the query's vector is chosen. `info` has the documents found,
    "found", (k,), and the clicks, "clicked", (k,), under `feedback="clicks"`.

    Args:
        collection: queries, documents and judgments.
        split: the part of the queries that are drawn.
        top_k: k, the number of documents found.
        reward: a measure of the k documents, "ndcg_at_10" by default, "recall_at_10", "mrr_at_10",
            "p_at_1" or of another cutoff up to k; a weighted sum, or another form that
            `parse_reward` accepts; or a `RetrieveReward`. Not with clicks.
        feedback: "judgments", which `reward` scores; or "clicks": nothing is known but the clicks
            of a simulated user on the documents found (`llmar_env.retrieval.clicks`), and the
            reward is their share, clicks / k. The clicks of the members of a group are independent.
        observation: "embeddings", (L, D) float32 with zero rows after the query's end, or "index",
            the row of the query, (1,) int64.
        info_texts: whether `info` includes the query and its best document as strings.

    Raises:
        ValueError: an option has a value other than those above.
    """

    observation_space: spaces.Box
    action_space: spaces.Box

    def __init__(
        self,
        collection: Collection,
        split: str = "train",
        *,
        top_k: int = 10,
        reward: str | RetrieveReward | Mapping[str, float] | None = None,
        feedback: Feedback = "judgments",
        observation: Observation = "embeddings",
        info_texts: bool = False,
    ) -> None:
        check_choice("feedback", feedback, get_args(Feedback))
        check_count("top_k", top_k)
        if top_k > len(collection.index):
            raise ValueError(f"top_k={top_k}, but there are {len(collection.index)} documents")
        if feedback == "clicks" and reward is not None:
            raise ValueError('feedback="clicks" is the reward: leave reward out')
        self.texts = TextStream(collection, split, observation, info_texts)
        self.collection = collection
        self.top_k = top_k
        self.feedback = feedback
        self.reward: RetrieveReward | None = None
        if feedback == "judgments":
            name = "ndcg_at_10" if reward is None else reward
            self.reward = ranking_reward(name, collection.judgments, top_k)
        self.action_space = spaces.Box(-1.0, 1.0, (collection.index.dim,), np.float32)
        self.observation_space = self.texts.space

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of the queries."""
        return self.texts.fingerprints

    def init(self, key: NDArray[np.int64], member: NDArray[np.int64]) -> RetrieveState:
        """States before the first episode of the streams `key`, (N,) int64."""
        return self._at(key, key * 0 - 1, member)

    def reset(self, state: RetrieveState, mask: NDArray[np.bool_]) -> RetrieveState:
        """Go to the next query of the stream where `mask`, (N,) bool, is true; keep the others."""
        return select_states(mask, self._at(state.key, state.text + 1, state.member), state)

    def _at(
        self, key: NDArray[np.int64], text: NDArray[np.int64], member: NDArray[np.int64]
    ) -> RetrieveState:
        return RetrieveState(key, text, key * 0, member, self.texts.draw(key, text))

    def observe(self, state: RetrieveState) -> NDArray[Any]:
        """(N, L, D) embeddings or (N, 1) rows of the queries shown, newly allocated."""
        observed: NDArray[Any] = self.texts.observe(state.row)
        return observed

    def describe(self, state: RetrieveState) -> dict[str, NDArray[Any]]:
        """The rows of the queries shown, and with `info_texts` their strings."""
        return self.texts.describe(state.row)

    def step(self, state: RetrieveState, action: NDArray[np.float32]) -> Transition[RetrieveState]:
        """Search with the vectors (N, D), and score what is found.

        Raises:
            ValueError: an action is NaN or infinite; the message names the first.
        """
        check_finite(action, "the action of sub-environment")
        found, cosines = self.collection.index.search(action, self.top_k)
        info: dict[str, NDArray[Any]] = {"found": found}
        if self.reward is None:
            relevant = self.collection.judgments.grades_of(state.row, found) > 0
            clicked = clicks(relevant, state.key, state.text, state.member)
            info["clicked"] = clicked & (found >= 0)  # nobody clicks where nothing was found
            reward = info["clicked"].mean(axis=1)
        else:
            reward = checked(self.reward, self.reward(found, cosines, state.row), found)
        ended = np.ones(len(reward), np.bool_)
        return Transition(state, reward, ended, ~ended, info | {"score": reward + 0})

    def dump(self, state: RetrieveState) -> dict[str, Any]:
        """The states as JSON-serializable data."""
        return self.texts.dump(state) | {"member": state.member.tolist()}

    def restore(self, data: Mapping[str, Any], size: int) -> RetrieveState:
        """Restore what `dump` returned for N = `size`.

        Raises:
            ValueError: a field is missing or has the wrong size, or the queries differ.
        """
        require_keys(data, ("member",))
        key, text, elapsed = self.texts.restore(data, size)
        member = np.asarray(data["member"], np.int64)
        if member.shape != (size,) or (member < 0).any() or elapsed.any():
            raise ValueError(
                f"the state has elapsed {elapsed.tolist()} and member {member.tolist()}; an "
                f"episode has one step, and members are ({size},) numbers of at least 0"
            )
        return self._at(key, text, member)

    def render(self, state: RetrieveState, position: int, last: Mapping[str, Any] | None) -> str:
        """Render a query, and the documents that its last answer found, relevant ones marked."""
        row = int(state.row[position])
        lines = self.texts.lines(row)[:2]
        if last is None:
            return "\n".join(lines) + "\n"
        found = last["found"][position]
        grades = self.collection.judgments.grades_of(np.array([row]), found[None])[0]
        texts = self.collection.documents
        for rank, (document, grade) in enumerate(zip(found.tolist(), grades.tolist(), strict=True)):
            clicked = "clicked " if "clicked" in last and last["clicked"][position, rank] else ""
            text = texts[document] if texts and document >= 0 else f"document {document}"
            lines.append(f"{rank + 1:3d}. {'*' * grade or '-':3} {clicked}{text}")
        lines.append(score_line("last answer: score", float(last["score"][position])))
        return "\n".join(lines) + "\n"


class RetrieveEnv(SingleEnv[RetrieveState]):
    """LLMAR/Retrieve-v0, one environment; takes the options of `SingleEnv` and `retrieve_mdp`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(retrieve_mdp, **options)


class RetrieveVectorEnv(BatchedEnv[RetrieveState]):
    """LLMAR/Retrieve-v0, N environments; takes the options of `BatchedEnv` and `retrieve_mdp`."""

    def __init__(self, num_envs: int = 1, *, group_size: int = 1, **options: Any) -> None:
        super().__init__(retrieve_mdp, num_envs, group_size=group_size, **options)


def ranking_reward(
    reward: str | RetrieveReward | Mapping[str, float], judgments: Judgments, top_k: int
) -> RetrieveReward:
    """Make the reward of a search.

    Args:
        reward: as in `RetrieveMDP`.
        judgments: of the queries.
        top_k: number of documents found.

    Raises:
        ValueError: there is no such reward, or it needs more documents.
    """

    def find(name: str) -> RetrieveReward:
        measure, k = _measure_within(name, top_k)

        def score(
            found: NDArray[np.int64],
            cosines: NDArray[np.float32],  # noqa: ARG001 - a measure needs the order alone
            rows: NDArray[np.int64],
        ) -> NDArray[np.float64]:
            return measure(judgments, rows, found[:, :k])

        score.__name__ = name
        return score

    return parse_reward(reward, find)


def check_reward(reward: str, top_k: int) -> None:
    """Check that a reward's name can be used with `top_k` documents.

    Raises:
        ValueError: it cannot; the message says why.
    """
    parse_reward(reward, lambda name: _measure_within(name, top_k)[0])


def _measure_within(name: str, top_k: int) -> tuple[Measure, int]:
    """The measure of a name, and its cutoff, which is at most `top_k`."""
    measure, k = find_measure(name)
    if k > top_k:
        raise ValueError(f"the reward {name} needs {k} documents, but top_k={top_k}")
    return measure, k


def retrieve_mdp(
    data: CollectionLike = DEFAULT_COLLECTION,
    *,
    embedder: Embedder | str | None = None,
    max_length: int | None = None,
    device: str | None = None,
    **options: Any,
) -> RetrieveMDP:
    """Make the MDP of LLMAR/Retrieve-v0.

    Args:
        data: anything `Collection.load` accepts; by default the built-in collection, English.
        embedder: fitted, for queries and documents, or a string for
            `llmar_env.text.embedders.embedder`; by default word vectors.
        max_length: L, the length to which queries are truncated; by default none is.
        device: where torch computes the similarities; by default NumPy does.
        **options: options of `RetrieveMDP`.
    """
    collection = Collection.load(data, embedder=embedder, max_length=max_length, device=device)
    return RetrieveMDP(collection, **options)

"""Shared by the writing environments: a text made of tokens, and its score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_args

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llmar_env.alignment.rewards import Reward, Written, make_reward, score_written
from llmar_env.envs.core import check_choice, check_count, require_keys
from llmar_env.envs.texts import Observation, TextStream, score_line
from llmar_env.spaces import TokenIndex
from llmar_env.text.corpus import Corpus
from llmar_env.text.vocabulary import Vocabulary

__all__ = ["Credit", "WritingMDP", "WritingState"]

Credit = Literal["dense", "sparse"]


@dataclass(frozen=True)
class WritingState:
    """The position in each of N streams of texts, and the text written so far."""

    key: NDArray[np.int64]  # (N,) the key of the stream
    text: NDArray[np.int64]  # (N,) the index in the stream of the text shown
    elapsed: NDArray[np.int64]  # (N,) steps taken in this episode
    row: NDArray[np.int64]  # (N,) the corpus row of the text shown; derived from key and text
    tokens: NDArray[np.int64]  # (N, M) the text written, padded with EOS
    score: NDArray[np.float64]  # (N,) of the text written, as far as rewards have counted it


WritingT = TypeVar("WritingT", bound=WritingState)


class WritingMDP(Generic[WritingT]):
    """A text is shown, and another is written and scored by how well it matches the target.

    The observation is a dict with the text shown, "text", and the text written so far, "written".

    Args:
        corpus: the texts, embedded.
        split: the part of the corpus that texts are drawn from.
        vocabulary: the tokens to write with; by default the words of the targets of "train".
        max_new_tokens: M, the maximum number of words in a text.
        reward: the score, in any form that `make_reward` accepts. An empty text scores 0.
        credit: "dense" rewards each step with the gain in score, so that an episode's rewards sum
            to its total gain; "sparse" rewards only the last step, with the score.
        observation: "embeddings", the vectors of the text, (L, D), and of what is written, (M, D),
            float32 with zero rows after the ends; or "index", the row of the text in the corpus,
            (1,), and the tokens written, (M,), int64, padded with EOS.
        info_texts: whether `info` includes the texts as strings, besides their rows.

    Raises:
        ValueError: an option has a value other than those above, or the vocabulary's
            vectors are not those of the targets.
    """

    action_space: spaces.Box

    def __init__(
        self,
        corpus: Corpus,
        split: str = "train",
        *,
        vocabulary: Vocabulary | None = None,
        max_new_tokens: int = 40,
        reward: str | Reward | Mapping[str, float] = "mean",
        credit: Credit = "dense",
        observation: Observation = "embeddings",
        info_texts: bool = False,
    ) -> None:
        check_choice("credit", credit, get_args(Credit))
        check_count("max_new_tokens", max_new_tokens)
        self.texts = TextStream(corpus, split, observation, info_texts)
        self.corpus = corpus
        self.vocabulary = Vocabulary.of(corpus) if vocabulary is None else vocabulary
        _require_same_vectors(self.vocabulary, corpus)
        self.max_new_tokens = max_new_tokens
        self.reward = make_reward(reward)
        self.credit = credit
        self.observation_space = spaces.Dict(
            {"text": self.texts.space, "written": self._written_space()}
        )

    def _written_space(self) -> spaces.Box:
        length, vocabulary = self.max_new_tokens, self.vocabulary
        if self.texts.observation == "index":
            return TokenIndex(vocabulary, length)
        bound = float(np.abs(vocabulary.table).max())
        return spaces.Box(-bound, bound, (length, vocabulary.dim), np.float32)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Give the space, whose pickle leaves the vocabulary out, that of the MDP."""
        self.__dict__.update(state)
        written = self.observation_space["written"]
        if isinstance(written, TokenIndex):
            written.attach(self.vocabulary)

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprints of the texts and of the vocabulary."""
        return self.texts.fingerprints | {"vocabulary": self.vocabulary.fingerprint}

    def observe(self, state: WritingT) -> dict[str, NDArray[Any]]:
        """Observations of the texts shown and written, newly allocated."""
        if self.texts.observation == "index":
            written: NDArray[Any] = state.tokens.copy()
        else:
            written = self.vocabulary.padded_table.take(state.tokens, axis=0)
        return {"text": self.texts.observe(state.row), "written": written}

    def describe(self, state: WritingT) -> dict[str, NDArray[Any]]:
        """The rows of the texts shown, and with `info_texts` all strings."""
        info = self.texts.describe(state.row)
        if self.texts.info_texts:
            info["written"] = np.array(self.vocabulary.decode(state.tokens), object)
        return info

    def empty(self, size: int) -> NDArray[np.int64]:
        """(size, M) tokens of empty texts."""
        return np.full((size, self.max_new_tokens), self.vocabulary.eos)

    def score(
        self, row: NDArray[np.int64], tokens: NDArray[np.int64], where: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """(N,) scores of the texts where `where`, (N,) bool, is true; 0 elsewhere.

        Raises:
            ValueError: the reward returns the wrong shape, NaN or infinity.
        """
        scores = np.zeros(len(row))
        chosen = np.flatnonzero(where & (tokens[:, 0] != self.vocabulary.eos))
        if len(chosen):
            written = Written(self.corpus, self.vocabulary, row[chosen], tokens[chosen])
            scores[chosen] = score_written(self.reward, written)
        return scores

    def render(self, state: WritingT, position: int, last: Mapping[str, Any] | None) -> str:  # noqa: ARG002 - the state has it all
        """Render the text shown by one sub-environment, the text written and its score."""
        one = slice(position, position + 1)
        row, tokens = state.row[one], state.tokens[one]
        score = float(self.score(row, tokens, np.ones(1, np.bool_))[0])
        lines = self.texts.lines(int(row[0]))
        lines.append(f"draft: {self.vocabulary.decode(tokens)[0]}".rstrip())
        return "\n".join([*lines, score_line("score:", score)]) + "\n"

    def dump(self, state: WritingT) -> dict[str, Any]:
        """The states as JSON-serializable data."""
        return self.texts.dump(state) | {
            "tokens": state.tokens.tolist(),
            "score": state.score.tolist(),
            "vocabulary": self.vocabulary.fingerprint,
        }

    def restore_written(self, data: Mapping[str, Any], size: int) -> WritingState:
        """Restore what `dump` returned for N = `size`.

        Raises:
            ValueError: a field is missing or has the wrong shape, or the texts or the vocabulary
                differ.
        """
        require_keys(data, ("tokens", "score", "vocabulary"))
        key, text, elapsed = self.texts.restore(data, size)
        if data["vocabulary"] != self.vocabulary.fingerprint:
            raise ValueError(
                f"the state was written with the vocabulary {data['vocabulary']}, but this "
                f"environment has {self.vocabulary.fingerprint}"
            )
        tokens = self.vocabulary.check_tokens(
            "tokens in the state", data["tokens"], size, self.max_new_tokens
        )
        score = np.asarray(data["score"], np.float64)
        if score.shape != (size,):
            raise ValueError(f"score in the state has shape {score.shape}, not ({size},)")
        if not np.isfinite(score).all():
            raise ValueError("score in the state holds NaN or infinity; a score must be finite")
        return WritingState(key, text, elapsed, self.texts.draw(key, text), tokens, score)


def _require_same_vectors(vocabulary: Vocabulary, corpus: Corpus) -> None:
    """Reject a vocabulary that was made for other targets."""
    texts = corpus.target
    if (
        texts.ids is None
        or vocabulary.ids.max() >= len(texts.table)
        or not np.array_equal(texts.table[vocabulary.ids], vocabulary.table)
    ):
        raise ValueError(
            f"{vocabulary} does not fit the data: its vectors are not those of the targets, "
            f"{texts}; make it with Vocabulary.of(corpus), or embed the data with its embedder"
        )

"""LLMAR/Align: one text, one answer, rewarded by its alignment with the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from array_api_compat import array_namespace
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from llmar_env.alignment.scores import cosine_to_unit
from llmar_env.arrays import Array, hash_counters, hash_to_unit
from llmar_env.envs.core import Transition, check_count, require_keys
from llmar_env.envs.single import SingleEnv
from llmar_env.envs.vector import BatchedEnv
from llmar_env.spaces import TextIndex
from llmar_env.text.corpus import Corpus, CorpusLike
from llmar_env.text.embedded import gather_padded
from llmar_env.text.embedders import Embedder

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
Observation = Literal["embeddings", "index"]


@dataclass(frozen=True)
class AlignState:
    """Where each of N streams of texts stands."""

    key: Array  # (N,) int64, which stream
    text: Array  # (N,) int64, how many texts of the stream came before the one shown
    elapsed: Array  # (N,) int64, steps taken in this episode
    row: Array  # (N,) int64, the text shown, in the corpus; follows from key and text


class AlignMDP:
    """The state is a text, the action is an answer, the reward is how well they align.

    r(s, a) = cos(mean of the target's vectors, mean of the action's vectors), in [-1, 1].

    With `advance="always"` each text is an episode of one step. With `advance="alignment"` an
    episode is a stream of texts: P(next text | s, a) = max(r(s, a), 0), else the same text stays;
    the stream is truncated after `episode_length` steps.

    Args:
        corpus: the texts, embedded.
        split: the part of the corpus that texts are drawn from.
        num_vectors: T, the vectors of one answer.
        observation: "embeddings", (L, D) float32 with zero rows after the text's end, or "index",
            the row of the text in the corpus, (1,) int64.
        advance: when the next text comes.
        episode_length: steps in an episode; used with `advance="alignment"` alone.
        info_texts: whether `info` carries the strings of the texts beside their rows.

    Raises:
        ValueError: an option has a value that is not among those above.
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
        info_texts: bool = False,
    ) -> None:
        _require("observation", observation, get_args(Observation))
        _require("advance", advance, get_args(Advance))
        check_count("num_vectors", num_vectors)
        check_count("episode_length", episode_length)
        if info_texts and not corpus.sources:
            raise ValueError("info_texts=True, but this corpus holds vectors and no strings")
        self.corpus = corpus
        self.rows = corpus.rows(split)
        self.num_vectors = num_vectors
        self.observation = observation
        self.advance = advance
        self.episode_length = episode_length
        self.info_texts = info_texts
        dim = corpus.target.dim
        self.action_space = spaces.Box(
            -1.0, 1.0, (dim,) if num_vectors == 1 else (num_vectors, dim), np.float32
        )
        self.observation_space = self._observation_space()

    def _observation_space(self) -> spaces.Box:
        texts = self.corpus.source
        if self.observation == "index":
            return TextIndex(texts)
        # The bound belongs to the store, not to the split, so that all splits share one space.
        bound = float(np.abs(texts.table).max())
        return spaces.Box(-bound, bound, (texts.max_length, texts.dim), np.float32)

    def begin(self, key: Array) -> AlignState:
        """States before the first episode of the streams `key`, (N,) int64."""
        return self._at(key, key * 0 - 1, key * 0)

    def reset(self, state: AlignState) -> AlignState:
        """States at the start of the next episode of each stream: its next text."""
        return self._at(state.key, state.text + 1, state.elapsed * 0)

    def _at(self, key: Array, text: Array, elapsed: Array) -> AlignState:
        row = self.rows.start + hash_counters(key, text) % len(self.rows)
        return AlignState(key, text, elapsed, row)

    def observe(self, state: AlignState) -> Array:
        """(N, L, D) embeddings or (N, 1) rows of the texts shown, in fresh memory."""
        if self.observation == "index":
            return state.row[:, None] + 0
        texts = self.corpus.source
        vectors, _ = gather_padded(
            texts.padded_table, texts.ids, texts.offsets, state.row, texts.max_length
        )
        return array_namespace(vectors).astype(vectors, np.float32, copy=False)

    def describe(self, state: AlignState) -> dict[str, Array]:
        """The rows of the texts shown, and on request their strings."""
        info = {"row": state.row + 0}  # fresh memory: a caller may write to it
        if self.info_texts:
            rows = state.row.tolist()
            info["source"] = np.array([self.corpus.sources[row] for row in rows], object)
            info["target"] = np.array([self.corpus.targets[row] for row in rows], object)
        return info

    def step(self, state: AlignState, action: Array) -> Transition[AlignState]:
        """Score the answers (N, D) or (N, T, D), and let the texts advance.

        Raises:
            ValueError: an action is NaN or infinite; names the first.
        """
        xp = array_namespace(action, state.row)
        if self.num_vectors > 1:
            # Divided before it is summed, so that no finite action overflows.
            action = xp.sum(action / self.num_vectors, axis=1)
        score = cosine_to_unit(action, xp.take(self.corpus.target.unit_means, state.row, axis=0))
        if not bool(xp.all(xp.isfinite(score))):
            first = int(xp.argmin(xp.astype(xp.isfinite(score), xp.int8)))
            raise ValueError(
                f"the action of sub-environment {first} holds NaN or infinity; "
                "an action is finite real numbers"
            )
        score = xp.astype(score, xp.float64)
        never = xp.zeros_like(score, dtype=xp.bool)
        if self.advance == "always":
            return Transition(state, score, ~never, never, {"score": score + 0})
        chance = hash_to_unit(hash_counters(state.key, state.text, state.elapsed))
        moved = xp.astype(chance < score, xp.int64)
        state = self._at(state.key, state.text + moved, state.elapsed + 1)
        ended = state.elapsed >= self.episode_length
        return Transition(state, score, never, ended, {"score": score + 0})

    def select(self, mask: Array, chosen: AlignState, other: AlignState) -> AlignState:
        """States of `chosen` where `mask`, (N,) bool, is true, and of `other` elsewhere."""
        xp = array_namespace(mask)
        fields = ((getattr(chosen, name), getattr(other, name)) for name in _FIELDS)
        return AlignState(*(xp.where(mask, one, two) for one, two in fields))

    def dump(self, state: AlignState) -> dict[str, Any]:
        """States as plain JSON-able data."""
        fields = {name: getattr(state, name).tolist() for name in _FIELDS[:-1]}
        return fields | {"texts": self.corpus.source.fingerprint}

    def restore(self, data: Mapping[str, Any], size: int) -> AlignState:
        """What `dump` wrote for N = `size`.

        Raises:
            ValueError: a field is missing or of another size, or the texts are others.
        """
        require_keys(data, (*_FIELDS[:-1], "texts"))
        if data["texts"] != self.corpus.source.fingerprint:
            raise ValueError(
                f"the state is one on the texts {data['texts']}, and these are "
                f"{self.corpus.source.fingerprint}"
            )
        fields = [np.asarray(data[name], np.int64) for name in _FIELDS[:-1]]
        for name, field in zip(_FIELDS, fields, strict=False):
            if field.shape != (size,):
                raise ValueError(f"{name} in the state has shape {field.shape}, not ({size},)")
        return self._at(*fields)

    def render(self, state: AlignState, position: int, last: Mapping[str, Any] | None) -> str:
        """The text that one sub-environment shows, and how its last answer scored."""
        lines = self._lines(int(state.row[position]))
        if last is not None:
            score = float(last["score"][position])
            bar = "#" * round(20 * max(score, 0.0))
            lines.append(f"last answer: alignment {score:+.3f} [{bar:<20}]")
        return "\n".join(lines) + "\n"

    def _lines(self, row: int) -> list[str]:
        if not self.corpus.sources:
            return [f"row: {row}"]
        source, target = self.corpus.sources[row], self.corpus.targets[row]
        return [f"row: {row}", f"source: {source}", f"target: {target}"]


_FIELDS = ("key", "text", "elapsed", "row")


class AlignEnv(SingleEnv[AlignState]):
    """LLMAR/Align-v0, one environment.

    Args:
        render_mode: "ansi" or "rgb_array".
        group_size: 1; groups are for the vector environment.
        **options: of `align_mdp`.

    Raises:
        ValueError: an option has a value that it does not take; the message lists those it does.
    """

    def __init__(
        self, *, render_mode: str | None = None, group_size: int = 1, **options: Any
    ) -> None:
        if group_size != 1:
            raise ValueError(
                f"group_size={group_size} needs several environments: use gym.make_vec, "
                "whose native vector environment groups them"
            )
        super().__init__(align_mdp(**options), render_mode)


class AlignVectorEnv(BatchedEnv[AlignState]):
    """LLMAR/Align-v0, N environments in one batch.

    Args:
        num_envs: N.
        render_mode: "ansi" or "rgb_array".
        group_size: K, divides N; sub-environment i follows the stream of key i // K.
        autoreset_mode: SAME_STEP or DISABLED.
        **options: of `align_mdp`.

    Raises:
        ValueError: an option has a value that it does not take, or groups are asked for with
            `advance="alignment"`, where the members of a group would soon see different texts.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        render_mode: str | None = None,
        group_size: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        **options: Any,
    ) -> None:
        mdp = align_mdp(**options)
        if group_size != 1 and mdp.advance == "alignment":
            raise ValueError(
                'groups need advance="always": with advance="alignment" the members of a group '
                "would soon see different texts"
            )
        super().__init__(mdp, num_envs, group_size, autoreset_mode, render_mode)


def align_mdp(
    data: CorpusLike = "phrasebook:de-en",
    *,
    source_embedder: Embedder | None = None,
    target_embedder: Embedder | None = None,
    max_length: int | None = None,
    **settings: Any,
) -> AlignMDP:
    """Make the MDP of LLMAR/Align-v0.

    Args:
        data: what `Corpus.load` takes; by default the built-in corpus, German to English.
        source_embedder: fitted, for the input texts; by default word vectors, fitted on "train".
        target_embedder: likewise for the targets.
        max_length: L, to which input texts are cut; by default none is cut.
        **settings: of `AlignMDP`.
    """
    corpus = Corpus.load(
        data,
        source_embedder=source_embedder,
        target_embedder=target_embedder,
        max_length=max_length,
    )
    return AlignMDP(corpus, **settings)


def _require(name: str, value: str, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ValueError(f"{name} must be one of {', '.join(accepted)}, found {value!r}")

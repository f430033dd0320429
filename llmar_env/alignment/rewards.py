"""Rewards that score written texts, chosen by name or given as a function."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llmar_env.alignment import scores
from llmar_env.alignment.reward_spec import (
    MODEL_PREFIX,
    Weighted,
    checked,
    parse_reward,
    read_number,
    reward_name,
)
from llmar_env.alignment.text_alignment import ModelReward
from llmar_env.text.corpus import Corpus
from llmar_env.text.scripts import HAN
from llmar_env.text.vocabulary import Vocabulary

if TYPE_CHECKING:  # loaded by the two rewards that need it, not by every environment that writes
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

__all__ = [
    "REWARDS",
    "LengthPenalty",
    "Reward",
    "Weighted",
    "Written",
    "WrittenModelReward",
    "bleu",
    "chrf",
    "make_reward",
    "mean",
    "ordered",
    "reward_name",
    "rouge_l",
    "score_written",
    "token_f1",
]

# Targets whose n-grams are cached across batches: about 40 kB each for chrF, 10 kB for BLEU.
_TARGETS_KEPT = 1024

_CHINESE = re.compile(f"[{HAN}]")


@dataclass(frozen=True, eq=False)
class Written:
    """A batch of n written texts, and the rows of the targets that they are compared with.

    Quantities that several rewards need are computed once, on first use.

    Attributes:
        corpus: holds the targets.
        vocabulary: the tokens that the texts are written with.
        rows: (n,) int64 rows of the corpus.
        tokens: (n, M) int64 in [0, V), padded with `vocabulary.eos` after a text's end.

    Raises:
        ValueError: the arrays have wrong shapes or ranges, a text continues after EOS, or the
            vocabulary belongs to another corpus.
    """

    corpus: Corpus
    vocabulary: Vocabulary
    rows: NDArray[np.int64]  # (n,)
    tokens: NDArray[np.int64]  # (n, M)

    def __post_init__(self) -> None:
        """Check that rows, tokens, corpus and vocabulary fit together."""
        rows, tokens, size = self.rows, self.tokens, len(self.vocabulary)
        if tokens.ndim != 2 or not tokens.shape[1] or rows.shape != tokens.shape[:1]:
            raise ValueError(
                "written texts must be tokens (n, M), M at least 1, and rows (n,), found shapes "
                f"{tokens.shape} and {rows.shape}"
            )
        if self.corpus.target.ids is None or self.vocabulary.dim != self.corpus.target.dim:
            raise ValueError(
                f"the vocabulary has words of dimension {self.vocabulary.dim}, but the targets do "
                f"not consist of such words: {self.corpus.target!r}"
            )
        for name, array, n in (("rows", rows, len(self.corpus.target)), ("tokens", tokens, size)):
            if array.size and not 0 <= array.min() <= array.max() < n:
                raise ValueError(
                    f"{name} must lie in 0 to {n - 1}, found {array.min()} to {array.max()}"
                )
        ended = tokens == self.vocabulary.eos
        if (ended[:, :-1] > ended[:, 1:]).any():
            text = int((ended[:, :-1] > ended[:, 1:]).any(1).argmax())
            raise ValueError(f"text {text} continues after EOS; pad it with EOS")

    def __len__(self) -> int:
        """Count the texts."""
        return len(self.rows)

    def describe(self, place: int) -> str:
        """Describe a text, for messages."""
        return f"text {place}, {self.strings[place]!r}, whose target is row {self.rows[place]}"

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) number of tokens before EOS in each text, in [0, M]."""
        return self.vocabulary.lengths(self.tokens)

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """(n, M, D) vectors of the texts, zero rows after their ends."""
        return self.vocabulary.padded_table[self.tokens]

    @cached_property
    def means(self) -> NDArray[np.float32]:
        """(n, D) mean vector of each text; zero for an empty text."""
        words = np.maximum(self.lengths, 1).astype(np.float32)
        means: NDArray[np.float32] = self.vectors.sum(axis=1) / words[:, None]
        return means

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """(n, M) the texts as embedder ids, like `target_ids`; -1 after their ends."""
        return np.append(self.vocabulary.ids, -1)[self.tokens]

    @cached_property
    def strings(self) -> list[str]:
        """The n texts, decoded; an empty text is the empty string."""
        return self.vocabulary.decode(self.tokens)

    @cached_property
    def target_lengths(self) -> NDArray[np.int64]:
        """(n,) number of tokens in each target, at least 1."""
        return self.corpus.target.lengths[self.rows]

    @cached_property
    def target_ids(self) -> NDArray[np.int64]:
        """(n, L) embedder ids of the targets, -1 after their ends; L is the longest one's length.

        They include ids outside the vocabulary, which no written text can contain.
        """
        texts = self.corpus.target
        assert texts.ids is not None  # for mypy: checked above
        step = np.arange(self.target_lengths.max(initial=1))
        place = np.minimum(texts.offsets[self.rows][:, None] + step, len(texts.ids) - 1)
        return np.where(step < self.target_lengths[:, None], texts.ids[place], -1)

    @cached_property
    def target_vectors(self) -> NDArray[np.float32]:
        """(n, L, D) vectors of the targets, zero rows after their ends."""
        # Id -1 selects the last row of the padded table, which is zero.
        return self.corpus.target.padded_table[self.target_ids].astype(np.float32, copy=False)

    @cached_property
    def target_unit_means(self) -> NDArray[np.float32]:
        """(n, D) mean vector of each target, scaled to unit length."""
        return self.corpus.target.unit_means[self.rows]

    @cached_property
    def target_strings(self) -> list[str]:
        """The n targets, as strings of the corpus.

        Raises:
            ValueError: the corpus has no strings.
        """
        if not self.corpus.targets:
            raise ValueError(
                "this reward needs strings, and this corpus holds no strings of its targets"
            )
        return [self.corpus.targets[row] for row in self.rows.tolist()]


Reward = Callable[[Written], NDArray[np.float64]]
"""Scores n written texts: (n,) finite numbers, the higher the better."""


def mean(written: Written) -> NDArray[np.float64]:
    """Cosine of the mean vectors of text and target, in [-1, 1]: LLMAR's default reward."""
    cosines = scores.cosine_to_unit(written.means, written.target_unit_means)
    return np.asarray(cosines, np.float64)


def token_f1(written: Written) -> NDArray[np.float64]:
    """`scores.token_f1` of text and target, BERTScore over the environment's vectors, in [0, 1]."""
    return _over_vectors(scores.token_f1, written)


def ordered(written: Written) -> NDArray[np.float64]:
    """`scores.ordered_f1` of text and target, a soft ROUGE-L that keeps word order, in [0, 1]."""
    return _over_vectors(scores.ordered_f1, written)


def rouge_l(written: Written) -> NDArray[np.float64]:
    """ROUGE-L F1 of the tokens of text and target, in [0, 1]; case-sensitive."""
    ids = written.ids[:, : _longest(written)]
    found = scores.lcs_f1(written.target_ids, ids, written.target_lengths, written.lengths)
    return np.asarray(found, np.float64)


def bleu(written: Written) -> NDArray[np.float64]:
    """Sentence BLEU of text and target by sacrebleu, in [0, 1].

    Texts are lowercased and tokenized by 13a, or by zh, which separates Chinese characters, if the
    target has any. N-gram orders longer than the text are left out (`effective_order`). The
    smoothing is sacrebleu's default, "exp" (method 3 of Chen and Cherry 2014, NIST's): the k-th
    order without a match counts as 2^-k matches. Without smoothing, every text that shares no
    4-gram with its target would score 0, and a policy that writes such texts could not learn.
    """
    return _over_strings(_bleu_against, written)


def chrf(written: Written) -> NDArray[np.float64]:
    """Sentence chrF of text and target by sacrebleu (Popović 2015), in [0, 1]; case-sensitive."""
    return _over_strings(_chrf_against, written)


REWARDS: dict[str, Reward] = {
    "mean": mean,
    "token_f1": token_f1,
    "ordered": ordered,
    "bleu": bleu,
    "chrf": chrf,
    "rouge_l": rouge_l,
}
"""The built-in rewards, by name."""


@dataclass(frozen=True)
class LengthPenalty:
    """A reward times exp(1 - max/min of the two lengths)^alpha (Wieting et al. 2019).

    Similarity alone rewards long, repetitive text. Lengths count the tokens of the written
    text and of the target; an empty text scores 0. Meant for rewards that are not negative: the
    penalty moves negative rewards toward 0 too.

    Attributes:
        reward: the reward to penalize.
        alpha: strength of the penalty; 0 penalizes only empty texts.

    Raises:
        ValueError: alpha is negative or not finite.
    """

    reward: Reward
    alpha: float

    def __post_init__(self) -> None:
        """Reject an alpha that is negative or not finite."""
        if not 0 <= self.alpha < math.inf:
            raise ValueError(f"alpha of a length penalty must be at least 0, found {self.alpha}")

    def __call__(self, written: Written) -> NDArray[np.float64]:
        """(n,) penalized scores."""
        shorter = np.minimum(written.lengths, written.target_lengths)
        longer = np.maximum(written.lengths, written.target_lengths)
        penalty = np.exp(self.alpha * (1.0 - longer / np.maximum(shorter, 1)))
        return np.where(shorter > 0, score_written(self.reward, written) * penalty, 0.0)

    def __str__(self) -> str:
        name = reward_name(self.reward)
        return f"({name})@{self.alpha}" if " " in name else f"{name}@{self.alpha}"


class WrittenModelReward(ModelReward):
    """The score of an alignment model for written texts, which needs no reference."""

    def __call__(self, written: Written) -> NDArray[np.float64]:
        """(n,) scores in [-1, 1]."""
        return self.of_texts(written.corpus, written.rows, written.strings)


def make_reward(spec: str | Reward | Mapping[str, float]) -> Reward:
    """Make a reward of written texts from a specification.

    Args:
        spec: as in `parse_reward`, with the names of `REWARDS`, also with a length penalty of
            strength alpha after an @: "bleu", "mean@0.25", "0.7*bleu + 0.3*mean@0.25",
            "package.module:function" or a function; or "model:FOLDER", an alignment model.

    Raises:
        ValueError: a name is unknown (the message lists the known ones), or a number is malformed
            or out of range.
    """
    return parse_reward(spec, _read_named)


def score_written(reward: Reward, written: Written) -> NDArray[np.float64]:
    """Call a reward, and check what it returns.

    Returns:
        (n,) float64, all finite.

    Raises:
        ValueError: the reward returned something else; the message names it.
    """
    return checked(reward, reward(written), written)


def _read_named(text: str) -> Reward:
    """Read a reward, such as "mean@0.25"."""
    if text.startswith(MODEL_PREFIX):
        return WrittenModelReward(text.removeprefix(MODEL_PREFIX))
    name, at, alpha = (part.strip() for part in text.partition("@"))
    if name not in REWARDS:
        raise ValueError(f"no reward {name!r}; there are {', '.join(REWARDS)}, and model:FOLDER")
    return LengthPenalty(REWARDS[name], read_number(alpha, text)) if at else REWARDS[name]


def _longest(written: Written) -> int:
    """The number of positions to compare: the longest text's length, at least 1."""
    return int(written.lengths.max(initial=1))


def _over_vectors(
    score: Callable[..., NDArray[np.float32]], written: Written
) -> NDArray[np.float64]:
    vectors = written.vectors[:, : _longest(written)]
    found = score(written.target_vectors, vectors, written.target_lengths, written.lengths)
    return np.asarray(found, np.float64)


def _over_strings(against: Callable[[str], BLEU | CHRF], written: Written) -> NDArray[np.float64]:
    """Sentence scores in [0, 1]; equal pairs of text and target are scored once."""
    pairs = list(zip(written.strings, written.target_strings, strict=True))
    found = {
        (text, target): against(target).corpus_score([text], None).score
        for text, target in dict.fromkeys(pairs)
    }
    percent = np.array([found[pair] for pair in pairs], np.float64)
    return np.minimum(percent / 100, 1.0)  # sacrebleu rounds some to just above 100


# sacrebleu scores a sentence as a corpus of one. A metric that is made with its target caches the
# target's n-grams, which all samples for one text share.
@lru_cache(maxsize=_TARGETS_KEPT)
def _bleu_against(target: str) -> BLEU:
    from sacrebleu.metrics.bleu import BLEU

    tokenize = "zh" if _CHINESE.search(target) else "13a"
    return BLEU(lowercase=True, effective_order=True, tokenize=tokenize, references=[[target]])


@lru_cache(maxsize=_TARGETS_KEPT)
def _chrf_against(target: str) -> CHRF:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(references=[[target]])

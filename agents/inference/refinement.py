"""Refinement: a policy corrects drafts word by word, to raise their estimated alignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional as F

from llmar_env.alignment.scores import reaches
from llmar_env.envs.core import check_count, check_threshold
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.tokens import correct

from ..networks.seq2seq import Memory
from ..policies.writer import WriterPolicy
from .decoding import decode, estimated_alignment, read_blocks

__all__ = ["Refined", "check_refinement", "refine"]

# Number of texts corrected at a time; each of their places is compared with all tokens.
_BLOCK = 64


@dataclass(frozen=True, eq=False)
class Refined:
    """Texts after rounds of correction.

    Attributes:
        tokens: (n, M) int64, filled with EOS after each text's end.
        scores: (rounds + 1, n) estimated alignment, in [-1, 1], of the drafts and after each round.
        threshold: the score to reach.
    """

    tokens: NDArray[np.int64]  # (n, M)
    scores: NDArray[np.float64]  # (rounds + 1, n)
    threshold: float

    @property
    def reached(self) -> NDArray[np.bool_]:
        """(rounds + 1, n) whether a text had reached the threshold, up to six decimals."""
        reached: NDArray[np.bool_] = reaches(self.scores, self.threshold)
        return reached


@torch.no_grad()
def refine(
    policy: WriterPolicy,
    texts: EmbeddedTexts,
    rows: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    threshold: float,
    max_rounds: int,
    draft: ArrayLike | None = None,
    candidates: int = 8,
    margin: float = 0.5,
    max_new_tokens: int = 40,
) -> Refined:
    """Correct the drafts of many texts until their estimated alignment reaches a threshold.

    The targets are unknown: a draft's score is its alignment with the target that the policy
    predicts (`estimated_alignment`). Each round applies to each text below the threshold the
    single-word correction that raises its score most. A correction is an action of
    LLMAR/Refine-v0: it replaces a word at its first place, deletes it, or appends one. If no
    correction raises a text's score, the text is unchanged, so a round never lowers a score.

    Only corrections that the policy finds likely are tried; others would improve a text's meaning
    at the cost of its grammar. A word must be among the `candidates` most likely ones at its place,
    given the words before it, and at least e^-margin times as likely as the most likely one. If a
    word is deleted, the next word, which moves into its place, must be that likely too. One pass
    over a draft compares the words at all places, and a correction only changes the sum of the
    draft's vectors; nothing is decoded.

    Args:
        policy: the policy; left in evaluation mode.
        texts: a store of texts in the language that the policy reads.
        rows: the rows of the texts to answer, in order; all of them if None.
        threshold: the estimated alignment to reach, in (0, 1].
        max_rounds: maximum number of rounds, at least 0.
        draft: (n, M) tokens to start from; by default greedy decoding.
        candidates: number of words tried at each place.
        margin: in nats, at least 0. A wider margin gives higher scores but lower BLEU: words that
            the policy finds unlikely are mostly wrong, even if they raise the score. The default
            admits words that are 0.6 times as likely as the most likely one.
        max_new_tokens: M, maximum length of the policy's draft.

    Returns:
        The texts, with the scores of each round. It ends early when nothing is left to correct.

    Raises:
        ValueError: an option or the draft is not as described above, or the texts' vectors have a
            dimension other than the policy's input.
        IndexError: a row is not in the store.
    """
    check_refinement(threshold, max_rounds)
    check_count("candidates", candidates)
    if not margin >= 0:
        raise ValueError(f"margin must be at least 0, found {margin!r}")
    index = np.arange(len(texts)) if rows is None else np.asarray(rows, np.int64)
    if draft is None:
        tokens = decode(policy, texts, index, max_new_tokens=max_new_tokens)
    else:
        assert policy.vocabulary is not None
        tokens = policy.vocabulary.check_tokens("the drafts", draft, len(index))
    by_block = []  # places (B,), and scores (rounds + 1, B), as many rounds as the block took
    directions = policy.directions
    corrector = _Corrector(policy, directions, threshold, candidates, margin)
    for places, memory in read_blocks(policy, texts, index, _BLOCK):
        drafts = torch.as_tensor(tokens[places], device=policy.device)
        corrected, by_round = corrector.run(memory, drafts, max_rounds)
        tokens[places] = corrected.cpu().numpy()
        by_block.append((places, by_round.cpu().numpy()))
    scores = np.empty((max((len(found) for _, found in by_block), default=1), len(index)))
    for places, found in by_block:
        scores[: len(found), places] = found
        scores[len(found) :, places] = found[-1]
    return Refined(tokens, scores, threshold)


def check_refinement(threshold: float, max_rounds: int) -> None:
    """Check that the threshold is in (0, 1], and `max_rounds` an integer of at least 0."""
    check_threshold(threshold)
    if not isinstance(max_rounds, int) or max_rounds < 0:
        raise ValueError(f"max_rounds must be an integer of at least 0, found {max_rounds!r}")


@dataclass(frozen=True)
class _Corrector:
    """Corrects drafts for encoded texts; the attributes are the options of `refine`."""

    policy: WriterPolicy
    directions: Tensor  # (V, D) unit vectors of the tokens
    threshold: float
    candidates: int
    margin: float

    def run(self, memory: Memory, tokens: Tensor, max_rounds: int) -> tuple[Tensor, Tensor]:
        """Correct drafts (B, M) for up to `max_rounds` rounds.

        Returns:
            The texts (B, M), and their scores (rounds + 1, B).
        """
        predicted = self.policy.reader.network.predicted(memory)
        score = estimated_alignment(self._vectors(tokens).sum(1), predicted)
        scores, tokens = [score], tokens.clone()
        live = torch.arange(len(tokens), device=tokens.device)
        for _ in range(max_rounds):
            live = live[~reaches(score[live], self.threshold)]
            if not len(live):
                break
            after = self._correct(memory.take(live), tokens[live], predicted[live])
            found = estimated_alignment(self._vectors(after).sum(1), predicted[live])
            better = found > score[live]
            # For the others, another round would find no improvement either.
            live = live[better]
            tokens[live] = after[better]
            score = score.index_copy(0, live, found[better])
            scores.append(score)
        return tokens, torch.stack(scores)

    def _correct(self, memory: Memory, tokens: Tensor, predicted: Tensor) -> Tensor:
        """(B, M) drafts, each with its best correction; unchanged if none is likely."""
        words, likely = self._corrections(memory, tokens)
        shown = tokens[:, : words.shape[1]]
        without = self._vectors(tokens).sum(1)[:, None] - self._vectors(shown)  # (B, T, D)
        scores = estimated_alignment(without[:, :, None] + self._vectors(words), predicted)
        best, which = scores.masked_fill(~likely, -torch.inf).flatten(1).max(1)
        place, word = which // words.shape[2], words.flatten(1).gather(1, which[:, None])
        corrected = correct(tokens, place, word[:, 0], eos=len(self.directions) - 1)
        return torch.where(best.isfinite()[:, None], corrected, tokens)

    def _corrections(self, memory: Memory, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Possible corrections at the first T places of drafts (B, M), one more than the longest.

        Returns:
            (B, T, C + 1) tokens: the most likely words, and EOS, which deletes. And
            (B, T, C + 1) bool: whether the correction is likely enough, and the place is the first
            one of its word or the one after the last word.
        """
        eos = len(self.directions) - 1
        longest = int((tokens != eos).sum(1).max())
        shown = tokens[:, : longest + 1]  # (B, T)
        with self.policy.precision():
            distribution = self.policy.distributions_at(
                memory, self._vectors(shown[:, :-1]), torch.ones_like(shown, dtype=torch.bool)
            )
        cosines = distribution.center[:, 0] @ self.directions.t()  # (B * T, V)
        nearest, words = cosines[:, :eos].topk(min(self.candidates, eos))
        moves_up = F.pad(tokens, (0, 1), value=eos)[:, 1 : shown.shape[1] + 1]
        moved = cosines.gather(1, moves_up.reshape(-1, 1))
        gap = cosines.amax(1, keepdim=True) - torch.cat([nearest, moved], dim=1)
        likely = gap * distribution.cosine_slope[:, None] <= self.margin  # (B * T, C + 1)
        words = F.pad(words, (0, 1), value=eos)
        again = (shown[:, :, None] == shown[:, None]).tril(-1).any(2)  # (B, T)
        shape = (*shown.shape, -1)
        return words.view(shape), likely.view(shape) & ~again[..., None]

    def _vectors(self, tokens: Tensor) -> Tensor:
        """(..., D) vectors of tokens (...); zero for EOS."""
        return self.policy.reader.padded_table[tokens]

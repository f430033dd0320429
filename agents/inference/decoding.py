"""Decode texts from a policy: greedily, with CSLS, as the best of samples, or by beam search."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from llmar_env.envs.core import check_choice, check_count
from llmar_env.text.decoding import csls_scores, hubness
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.tokens import up_to_eos

from ..distributions import DirectionDistribution
from ..names import Method
from ..networks.packing import pack
from ..networks.seq2seq import Memory
from ..policies.writer import WriterPolicy

__all__ = ["Method", "decode", "estimated_alignment", "read_blocks"]

# Number of texts written at a time.
_BLOCK = 512
# Number of texts whose directions CSLS uses as queries, and of nearest queries for each token.
_BANK = 1000
_NEIGHBOURS = 10

_Choose = Callable[[DirectionDistribution], Tensor]  # (B,) tokens


@torch.no_grad()
def decode(
    policy: WriterPolicy,
    texts: EmbeddedTexts,
    rows: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    method: Method = "greedy",
    num_samples: int = 8,
    temperature: float = 0.4,
    beam_size: int = 4,
    length_power: float = 0.7,
    max_new_tokens: int = 40,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Write an answer to each of many texts, without an environment.

    "greedy" takes the token nearest to each direction, as LLMAR/Generate-v0 does with the policy's
    deterministic actions. "csls" chooses by cross-domain similarity local scaling, which penalises
    tokens that are near many directions (`llmar_env.text.decoding`). It estimates this from the
    directions of greedy answers to up to 1,000 of the same texts, so it needs many texts.
    "best_of" writes the greedy answer and `num_samples` sampled ones, and keeps the one with the
    highest estimated alignment. "beam" searches for the most probable answer: at every step it
    keeps the `beam_size` best hypotheses for each text, until that many have ended or no other can
    become better.

    The answer to a text depends on the other texts only with "csls" and "best_of".

    Args:
        policy: the policy; left in evaluation mode.
        texts: a store of texts in the language that the policy reads.
        rows: the rows of the texts to answer, in order; all of them if None.
        method: one of those above.
        num_samples: number of samples for "best_of".
        temperature: temperature of the samples, relative to the policy's noise scale. Label
            smoothing makes that scale large: at 1, most samples would contain unrelated words.
        beam_size: number of hypotheses per text for "beam".
        length_power: "beam" compares log-probabilities divided by length ** `length_power`, EOS
            included; without it, short texts would win (Wu et al. 2016).
        max_new_tokens: M, maximum length. Texts without an EOS by then are cut; a warning gives
            their number.
        seed: seed of the samples.

    Returns:
        (n, M) tokens, filled with EOS after each text's end.

    Raises:
        ValueError: an option is not as described above; the texts' vectors have a dimension other
            than the policy's input; or the method is "beam", but the policy gives words no
            probabilities.
        IndexError: a row is not in the store.
    """
    counts = {"num_samples": num_samples, "beam_size": beam_size, "max_new_tokens": max_new_tokens}
    _check(policy, method, counts, temperature, length_power)
    index = np.arange(len(texts)) if rows is None else np.asarray(rows, np.int64)
    nearest = _Nearest(policy.directions)
    if method == "csls" and len(index):
        nearest = _Nearest(nearest.directions, _hubness(policy, texts, index, max_new_tokens))
    generator = torch.Generator(policy.device).manual_seed(seed)
    sample = _Sample(nearest.directions, temperature, generator)
    width = {"best_of": num_samples, "beam": beam_size}.get(method, 1)
    tokens = np.empty((len(index), max_new_tokens), np.int64)
    for places, memory in read_blocks(policy, texts, index, max(1, _BLOCK // width)):
        if method == "beam":
            written = _beam_search(policy, memory, beam_size, length_power, max_new_tokens)
        else:
            written = _write(policy, memory, nearest, max_new_tokens)
        if method == "best_of":
            samples = _write(policy, memory.repeat(num_samples), sample, max_new_tokens)
            written = _most_aligned(policy, memory, written, samples)
        tokens[places] = written.cpu().numpy()
    cut = int((tokens[:, -1] != _eos(policy)).sum())
    if cut:
        warnings.warn(
            f"{cut} of {len(tokens)} texts reached max_new_tokens={max_new_tokens} without an EOS",
            stacklevel=3,  # skips torch's decorator
        )
    return tokens


def read_blocks(
    policy: WriterPolicy, texts: EmbeddedTexts, rows: NDArray[np.int64], size: int
) -> Iterator[tuple[NDArray[np.int64], Memory]]:
    """Encode texts in blocks of similar length, with the policy in evaluation mode.

    Args:
        policy: the policy that reads.
        texts: the store.
        rows: (n,) rows of the texts to read.
        size: maximum number of texts in a block.

    Yields:
        Places (B,) in `rows`, and the memory of the texts there; each place once.

    Raises:
        ValueError: the texts' vectors have a dimension other than the policy's input.
        IndexError: a row is not in the store.
    """
    network = policy.reader.network
    dim = network.encoder.w_ih.shape[2]
    if texts.dim != dim:
        raise ValueError(
            f"this policy reads vectors of dimension {dim}, but these texts have {texts.dim}"
        )
    policy.set_training_mode(False)
    for places, vectors, lengths in texts.blocks(rows, size):
        with policy.precision():
            padded = (torch.as_tensor(one, device=policy.device) for one in (vectors, lengths))
            memory = network.read(pack(*padded))
        yield places, memory


def estimated_alignment(sums: Tensor, predicted: Tensor) -> Tensor:
    """Estimate the alignment of written texts with unknown targets, which the policy predicts.

    Args:
        sums: (B, ..., D) sums of each text's word vectors; the cosine is the same as for means.
        predicted: (B, D) directions of the targets' mean vectors, from `Writer.predicted`.

    Returns:
        (B, ...) cosines, in [-1, 1]; 0 for a text without a word.
    """
    shape = (len(predicted), *[1] * (sums.ndim - 2), predicted.shape[1])
    return F.cosine_similarity(sums, predicted.view(shape), dim=-1).clamp(-1, 1)


def _check(
    policy: WriterPolicy,
    method: str,
    counts: dict[str, int],
    temperature: float,
    length_power: float,
) -> None:
    check_choice("method", method, get_args(Method))
    for name, value in counts.items():
        check_count(name, value)
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be above 0 and finite, found {temperature}")
    if not 0 <= length_power < math.inf:
        raise ValueError(f"length_power must be at least 0 and finite, found {length_power}")
    if method == "beam" and policy.distribution != "tokens":
        raise ValueError(
            'beam search needs word probabilities, so distribution="tokens", found '
            f"distribution={policy.distribution!r}; use greedy, csls or best_of"
        )


def _eos(policy: WriterPolicy) -> int:
    return len(policy.reader.padded_table) - 1


@dataclass(frozen=True)
class _Nearest:
    """Chooses the token nearest to the direction, by cosine or by CSLS."""

    directions: Tensor  # (V, D)
    hubness: Tensor | float = 0.0  # (V,)

    def __call__(self, distribution: DirectionDistribution) -> Tensor:
        """(B,) tokens."""
        cosines = distribution.center[:, 0] @ self.directions.t()
        tokens: Tensor = csls_scores(cosines, self.hubness).argmax(-1)
        return tokens


@dataclass(frozen=True)
class _Sample:
    """Samples a token from the policy's distribution, with noise scaled by the temperature."""

    directions: Tensor  # (V, D)
    temperature: float
    generator: torch.Generator

    def __call__(self, distribution: DirectionDistribution) -> Tensor:
        """(B,) tokens."""
        choices = distribution.tempered(self.temperature).choose(self.generator)
        if choices.ndim == 1:
            return choices
        return (choices @ self.directions.t()).argmax(-1)


def _next_word(
    policy: WriterPolicy, memory: Memory, previous: Tensor, states: Tensor
) -> tuple[DirectionDistribution, Tensor]:
    """The distributions of the words after (B, D) words, and the decoder's states after those."""
    with policy.precision():
        features, states = policy.reader.network.write(memory, previous[:, None], states)
    return policy.distribution_of(features[:, 0].float()), states


def _write(policy: WriterPolicy, memory: Memory, choose: _Choose, max_new_tokens: int) -> Tensor:
    """(B, M) tokens, written word by word; ended texts are no longer computed."""
    reader, eos = policy.reader, _eos(policy)
    live = torch.arange(len(memory.mean), device=policy.device)
    tokens = torch.full((len(live), max_new_tokens), eos, device=policy.device)
    states = reader.network.begin_states(memory)
    previous = reader.network.bos.expand(len(live), -1)
    for place in range(max_new_tokens):
        distribution, states = _next_word(policy, memory, previous, states)
        chosen = choose(distribution)
        tokens[live, place] = chosen
        going = (chosen != eos).nonzero().squeeze(1)
        if not len(going):
            break
        if len(going) < len(live):
            live, chosen, memory = live[going], chosen[going], memory.take(going)
            states = states.index_select(1, going)
        previous = reader.padded_table[chosen]
    return tokens


def _hubness(
    policy: WriterPolicy, texts: EmbeddedTexts, rows: NDArray[np.int64], max_new_tokens: int
) -> Tensor:
    """(V,) hubness of the tokens with respect to the directions of greedy answers."""
    assert policy.vocabulary is not None
    reader, nearest = policy.reader, _Nearest(policy.directions)
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _BANK)).astype(np.int64)]
    bank = []
    for _, memory in read_blocks(policy, texts, some, _BLOCK):
        tokens = _write(policy, memory, nearest, max_new_tokens)
        asked = up_to_eos(tokens, _eos(policy))
        with policy.precision():
            said = policy.distributions_at(memory, reader.padded_table[tokens[:, :-1]], asked)
        bank.append(said.center[:, 0].cpu().numpy())
    directions = np.concatenate(bank)
    found = hubness(directions, policy.vocabulary, min(_NEIGHBOURS, len(directions)))
    return torch.as_tensor(found, device=policy.device)


def _most_aligned(policy: WriterPolicy, memory: Memory, first: Tensor, others: Tensor) -> Tensor:
    """(B, M) the best-aligned among answers (B, M) and K others to each text, (B * K, M)."""
    drafts = torch.cat([first[:, None], others.view(len(first), -1, first.shape[1])], dim=1)
    sums = policy.reader.padded_table[drafts].sum(2)  # (B, K + 1, D)
    scores = estimated_alignment(sums, policy.reader.network.predicted(memory))
    return drafts[torch.arange(len(drafts), device=drafts.device), scores.argmax(1)]


def _beam_search(
    policy: WriterPolicy,
    memory: Memory,
    beam_size: int,
    length_power: float,
    max_new_tokens: int,
) -> Tensor:
    """(B, M) tokens of the best ended hypotheses; of the best cut one if none has ended."""
    reader, eos = policy.reader, _eos(policy)
    beams = _Beams.start(len(memory.mean), beam_size, max_new_tokens, eos, policy.device)
    found = _Ended.start(len(memory.mean), max_new_tokens, eos, policy.device)
    repeated = memory.repeat(beam_size)
    states = reader.network.begin_states(repeated)
    previous = reader.network.bos.expand(len(repeated.mean), -1)
    for place in range(max_new_tokens):
        distribution, states = _next_word(policy, repeated, previous, states)
        origin, chosen = beams.extend(distribution.log_probs(), place)
        ended = chosen == eos
        scores = beams.totals.masked_fill(~ended, -torch.inf) / (place + 1) ** length_power
        found.add(beams.texts, beams.tokens, scores)
        beams.totals = beams.totals.masked_fill(ended, -torch.inf)
        # An upper bound: totals can only fall, and the divisor is largest at maximum length.
        hope = beams.totals.amax(1) / max_new_tokens**length_power
        open_ = (found.count[beams.texts] < beam_size) & (hope > found.score[beams.texts])
        going = open_.nonzero().squeeze(1)
        if len(going) < len(open_):
            memory = memory.take(going)
            repeated = memory.repeat(beam_size)
        beams.keep(going)
        if not len(going):
            break
        grouped = states.view(len(states), -1, beam_size, states.shape[2])
        states = grouped[:, going[:, None], origin[going]].flatten(1, 2)
        previous = reader.padded_table[chosen[going].flatten()]
    none = found.count[beams.texts] == 0
    found.tokens[beams.texts[none]] = beams.tokens[none, 0]  # the first has the highest total
    return found.tokens


@dataclass
class _Beams:
    """The K best hypotheses for each of b texts whose search continues, best first."""

    texts: Tensor  # (b,) indices of the texts, among all n
    tokens: Tensor  # (b, K, M)
    totals: Tensor  # (b, K) log-probabilities; -inf where a hypothesis has ended

    @classmethod
    def start(
        cls, n: int, size: int, max_new_tokens: int, eos: int, device: torch.device
    ) -> _Beams:
        """Empty hypotheses for n texts; only the first of each K starts with a finite total."""
        totals = torch.full((n, size), -torch.inf, device=device)
        totals[:, 0] = 0.0
        tokens = torch.full((n, size, max_new_tokens), eos, device=device)
        return cls(torch.arange(n, device=device), tokens, totals)

    def extend(self, log_probs: Tensor, place: int) -> tuple[Tensor, Tensor]:
        """Write the next words, and keep the K best of all continuations.

        Args:
            log_probs: (b * K, V) log-probabilities of the words at `place`, for each hypothesis.
            place: the place of the new words.

        Returns:
            (b, K) the hypothesis that each new one continues, and (b, K) its new word.
        """
        size, words = self.totals.shape[1], log_probs.shape[1]
        continued = self.totals[..., None] + log_probs.view(-1, size, words)
        self.totals, best = continued.flatten(1).topk(size)
        origin, chosen = best // words, best % words
        self.tokens = self.tokens.gather(1, origin[..., None].expand_as(self.tokens))
        self.tokens[..., place] = chosen
        return origin, chosen

    def keep(self, index: Tensor) -> None:
        """Continue with some of the texts only; `index` (m,) holds positions in `texts`."""
        self.texts, self.tokens, self.totals = (
            self.texts[index],
            self.tokens[index],
            self.totals[index],
        )


@dataclass(frozen=True)
class _Ended:
    """The best ended hypothesis for each of n texts, and the number of ended ones."""

    tokens: Tensor  # (n, M)
    score: Tensor  # (n,) -inf if none has ended
    count: Tensor  # (n,)

    @classmethod
    def start(cls, n: int, max_new_tokens: int, eos: int, device: torch.device) -> _Ended:
        """The state for n texts before any hypothesis has ended."""
        tokens = torch.full((n, max_new_tokens), eos, device=device)
        score = torch.full((n,), -torch.inf, device=device)
        return cls(tokens, score, torch.zeros(n, dtype=torch.int64, device=device))

    def add(self, texts: Tensor, tokens: Tensor, scores: Tensor) -> None:
        """Add hypotheses (b, K, M) for texts (b,); those with score -inf have not ended."""
        self.count[texts] += scores.isfinite().sum(1)
        best, which = scores.max(1)
        better = (best > self.score[texts]).nonzero().squeeze(1)
        self.score[texts[better]] = best[better]
        self.tokens[texts[better]] = tokens[better, which[better]]

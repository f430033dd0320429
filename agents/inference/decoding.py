"""From a policy to texts: greedy, by CSLS, the best of several samples, or by beam search."""

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
from ..networks.seq2seq import Memory
from ..policies.writer import WriterPolicy
from .methods import Method

__all__ = ["Method", "decode", "estimated_alignment", "read_blocks", "token_directions"]

# Texts that are written at a time.
_BLOCK = 512
# Texts whose directions are the bank of CSLS, and how many directions count for each token.
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
    """Write a text about each of many, without an environment.

    "greedy" takes the token nearest to each direction, which is what LLMAR/Generate-v0 makes of
    the policy's noiseless actions. "csls" chooses by cross-domain similarity local scaling, which
    penalises tokens that lie near everything (`llmar_env.text.decoding`). It measures that by the
    directions of greedy texts about up to 1,000 of the same texts, so it needs many. "best_of"
    writes the greedy text and `num_samples` sampled ones, and keeps the one whose estimated
    alignment is highest. "beam" searches for the most probable text: of each text's hypotheses it
    keeps the `beam_size` best at every step, until that many have ended or no other could still be
    better.

    A text's result depends on the other texts only with "csls" and "best_of".

    Args:
        policy: left in evaluation mode.
        texts: a store of texts in the language that the policy reads.
        rows: which of them, in which order; all of them if None.
        method: one of those above.
        num_samples: of "best_of".
        temperature: of its samples, relative to the policy's own noise scale. Label smoothing
            makes that scale wide: at 1, most samples would have words that do not belong there.
        beam_size: hypotheses of "beam" for each text.
        length_power: "beam" compares log-probabilities over length ** `length_power`, EOS
            counted; without it, short texts would win (Wu et al. 2016).
        max_new_tokens: M, where a text is cut that has no EOS by then; a warning counts them.
        seed: of the samples.

    Returns:
        (n, M) tokens, filled with EOS behind each text's end.

    Raises:
        ValueError: an option is not as described above; the texts' vectors have another dimension
            than those that the policy reads; or the method is "beam", and the policy's words have
            no probabilities.
        IndexError: a row is not in the store.
    """
    counts = {"num_samples": num_samples, "beam_size": beam_size, "max_new_tokens": max_new_tokens}
    _check(policy, method, counts, temperature, length_power)
    index = np.arange(len(texts)) if rows is None else np.asarray(rows, np.int64)
    nearest = _Nearest(token_directions(policy))
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
            stacklevel=3,  # past torch's decorator
        )
    return tokens


def read_blocks(
    policy: WriterPolicy, texts: EmbeddedTexts, rows: NDArray[np.int64], size: int
) -> Iterator[tuple[NDArray[np.int64], Memory]]:
    """Read texts, those of like length together, with the policy in evaluation mode.

    Args:
        policy: reads.
        texts: the store.
        rows: (n,) which of its texts.
        size: the most texts of a block.

    Yields:
        Places (B,) in `rows`, and what was read there; each place once.

    Raises:
        ValueError: the texts' vectors have another dimension than those that the policy reads.
        IndexError: a row is not in the store.
    """
    network = policy.reader.network
    dim = network.encoder.w_ih.shape[2]
    if texts.dim != dim:
        raise ValueError(
            f"this policy reads vectors of dimension {dim}, and these texts have {texts.dim}"
        )
    policy.set_training_mode(False)
    for places, vectors, lengths in texts.blocks(rows, size):
        with policy.precision():
            memory = network.read(
                torch.as_tensor(vectors, device=policy.device),
                torch.as_tensor(lengths, device=policy.device),
            )
        yield places, memory


def estimated_alignment(sums: Tensor, predicted: Tensor) -> Tensor:
    """Alignment of written texts with unknown targets, as the policy predicts them.

    Args:
        sums: (B, ..., D) of the word vectors of each text; a cosine needs no division by lengths.
        predicted: (B, D) the directions of the targets' mean vectors, by `Writer.alignment`.

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
            'beam search needs probabilities of words, which distribution="tokens" gives and '
            f"distribution={policy.distribution!r} does not; use greedy, csls or best_of"
        )


def _eos(policy: WriterPolicy) -> int:
    return len(policy.reader.padded_table) - 1


def token_directions(policy: WriterPolicy) -> Tensor:
    """(V, D) unit vectors of the tokens."""
    assert policy.vocabulary is not None
    return torch.as_tensor(policy.vocabulary.directions, device=policy.device)


@dataclass(frozen=True)
class _Nearest:
    """Chooses the token nearest to the direction: by cosine, or by CSLS."""

    directions: Tensor  # (V, D)
    hubness: Tensor | float = 0.0  # (V,)

    def __call__(self, distribution: DirectionDistribution) -> Tensor:
        """(B,) tokens."""
        cosines = distribution.center[:, 0] @ self.directions.t()
        tokens: Tensor = csls_scores(cosines, self.hubness).argmax(-1)
        return tokens


@dataclass(frozen=True)
class _Sample:
    """Samples a token from the policy's distribution, narrowed by the temperature."""

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
    """The distribution of the words behind (B, D) others, and the decoder's states after those."""
    with policy.precision():
        features, states = policy.reader.network.write(memory, previous[:, None], states)
    return policy.distribution_of(features[:, 0].float()), states


def _write(policy: WriterPolicy, memory: Memory, choose: _Choose, max_new_tokens: int) -> Tensor:
    """(B, M) tokens, written word by word; texts that have ended take no further work."""
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
    """(V,) hubness of the tokens among the directions that greedy texts are written by."""
    assert policy.vocabulary is not None
    reader, nearest = policy.reader, _Nearest(token_directions(policy))
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
    """(B, M) of texts (B, M) and K others about each, (B * K, M), those that align best."""
    drafts = torch.cat([first[:, None], others.view(len(first), -1, first.shape[1])], dim=1)
    sums = policy.reader.padded_table[drafts].sum(2)  # (B, K + 1, D)
    scores = estimated_alignment(sums, policy.reader.network.alignment(memory))
    return drafts[torch.arange(len(drafts), device=drafts.device), scores.argmax(1)]


def _beam_search(
    policy: WriterPolicy,
    memory: Memory,
    beam_size: int,
    length_power: float,
    max_new_tokens: int,
) -> Tensor:
    """(B, M) tokens of the best hypotheses; the best that was cut where none has ended."""
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
        # A total can only fall, and what divides it grows no further than to the last word.
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
    """The K best hypotheses about each of b texts that are still searched, best first."""

    texts: Tensor  # (b,) which of the n texts
    tokens: Tensor  # (b, K, M)
    totals: Tensor  # (b, K) log-probabilities; -inf where a hypothesis has ended

    @classmethod
    def start(
        cls, n: int, size: int, max_new_tokens: int, eos: int, device: torch.device
    ) -> _Beams:
        """Empty hypotheses about n texts; the K of each text begin as one."""
        totals = torch.full((n, size), -torch.inf, device=device)
        totals[:, 0] = 0.0
        tokens = torch.full((n, size, max_new_tokens), eos, device=device)
        return cls(torch.arange(n, device=device), tokens, totals)

    def extend(self, log_probs: Tensor, place: int) -> tuple[Tensor, Tensor]:
        """Write the next words: keep the K best of all continuations.

        Args:
            log_probs: (b * K, V) of the words at `place`, behind each hypothesis.
            place: where they are written.

        Returns:
            (b, K) which hypothesis each one continues, and (b, K) its new word.
        """
        size, words = self.totals.shape[1], log_probs.shape[1]
        continued = self.totals[..., None] + log_probs.view(-1, size, words)
        self.totals, best = continued.flatten(1).topk(size)
        origin, chosen = best // words, best % words
        self.tokens = self.tokens.gather(1, origin[..., None].expand_as(self.tokens))
        self.tokens[..., place] = chosen
        return origin, chosen

    def keep(self, index: Tensor) -> None:
        """Search on about some of the texts alone; `index` (m,) is in the order of `texts`."""
        self.texts, self.tokens, self.totals = (
            self.texts[index],
            self.tokens[index],
            self.totals[index],
        )


@dataclass(frozen=True)
class _Ended:
    """The best hypothesis that has ended about each of n texts, and how many have."""

    tokens: Tensor  # (n, M)
    score: Tensor  # (n,) -inf where none has
    count: Tensor  # (n,)

    @classmethod
    def start(cls, n: int, max_new_tokens: int, eos: int, device: torch.device) -> _Ended:
        """Of n texts about which none has ended."""
        tokens = torch.full((n, max_new_tokens), eos, device=device)
        score = torch.full((n,), -torch.inf, device=device)
        return cls(tokens, score, torch.zeros(n, dtype=torch.int64, device=device))

    def add(self, texts: Tensor, tokens: Tensor, scores: Tensor) -> None:
        """Count hypotheses (b, K, M) about texts (b,); -inf scores have not ended."""
        self.count[texts] += scores.isfinite().sum(1)
        best, which = scores.max(1)
        better = (best > self.score[texts]).nonzero().squeeze(1)
        self.score[texts[better]] = best[better]
        self.tokens[texts[better]] = tokens[better, which[better]]

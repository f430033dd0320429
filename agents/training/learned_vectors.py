"""Vectors of texts and words that are learned with a writer, and then stay fixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from llmar_env.arrays import unit
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import Embedder, WordVectors
from llmar_env.text.vocabulary import Vocabulary

from ..policies.writer import WriterPolicy

__all__ = ["LearnedVectors", "in_learned_vectors"]

_NAME = "learned_vectors"  # of the module within the policy


class LearnedVectors(nn.Module):
    """The vectors of a corpus' tokens, learned with the weights of the policy that writes.

    While it has joined a policy, they are parameters of it: of its gradient, its optimizer and its
    saved weights. `corpus` gives the corpus with the vectors so far. What is learned are unit
    vectors. Those of words are then centered like those of `WordVectors`: the mean over the
    training targets of their mean vectors is subtracted. Words are read and written by the same
    vectors. The direction of EOS stays as it is.

    Only vectors of `WordVectors` are learned. Those of other embedders keep what they are, and so
    do tokens that no training text uses.

    Args:
        corpus: the texts, whose vectors are learned from.
        vocabulary: the tokens of the targets.

    Attributes:
        words: (V - 1, D) the words' vectors before they are scaled and centered.
        texts: (Vs, Ds) the input tokens' vectors before they are scaled; None if they stay.
    """

    words: Tensor  # (V - 1, D)
    texts: Tensor | None  # (Vs, Ds)
    shares: Tensor  # (V - 1,) mean share of each word in the training targets
    eos_direction: Tensor  # (1, D)

    def __init__(self, corpus: Corpus, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._corpus, self._vocabulary = corpus, vocabulary
        self.words = nn.Parameter(torch.from_numpy(unit(vocabulary.table)))
        learns_texts = isinstance(corpus.source_embedder, WordVectors)
        self.texts = (
            nn.Parameter(torch.from_numpy(unit(corpus.source.table))) if learns_texts else None
        )
        self.register_buffer("shares", _shares(corpus, vocabulary), persistent=False)
        eos = torch.from_numpy(vocabulary.directions[-1:])
        self.register_buffer("eos_direction", eos, persistent=False)

    @staticmethod
    def possible(corpus: Corpus) -> bool:
        """Whether the vectors of a corpus' words can be learned."""
        return isinstance(corpus.target_embedder, WordVectors)

    def join(self, policy: WriterPolicy) -> None:
        """Become part of a policy and of its optimizer."""
        self.to(policy.device)
        policy.add_module(_NAME, self)
        policy.optimizer.add_param_group({"params": list(self.parameters())})

    def leave(self, policy: WriterPolicy) -> None:
        """Leave the policy and its optimizer."""
        delattr(policy, _NAME)
        for parameter in policy.optimizer.param_groups.pop()["params"]:
            policy.optimizer.state.pop(parameter, None)

    def use(self, policy: WriterPolicy) -> None:
        """Let the policy read and write with the present vectors, with gradient."""
        words, texts = self._centered(), self._unit_texts()
        directions = torch.cat([F.normalize(words, dim=-1), self.eos_direction])
        policy.use_vectors(
            None if texts is None else F.pad(texts, (0, 0, 0, 1)),
            F.pad(words, (0, 0, 0, 1)),
            directions,
        )

    def _centered(self) -> Tensor:
        words = F.normalize(self.words, dim=-1)
        return words - self.shares @ words

    def _unit_texts(self) -> Tensor | None:
        return None if self.texts is None else F.normalize(self.texts, dim=-1)

    @torch.no_grad()
    def corpus(self) -> tuple[Corpus, Vocabulary]:
        """The corpus and the vocabulary with the vectors as they are now."""
        corpus, vocabulary = self._corpus, self._vocabulary
        of_target, of_source = corpus.target_embedder, corpus.source_embedder
        assert isinstance(of_target, WordVectors)
        table = of_target.table.copy()
        table[vocabulary.ids] = self._centered().cpu().numpy()
        of_target = of_target.in_space(table, "")
        target = replace(corpus.target, table=of_target.table)
        changed = replace(corpus, target=target, target_embedder=of_target)
        texts = self._unit_texts()
        if texts is not None:
            assert isinstance(of_source, WordVectors)
            space = of_target.space if corpus.shared_space else ""
            of_source = of_source.in_space(texts.cpu().numpy(), space)
            source = replace(corpus.source, table=of_source.table)
            changed = replace(changed, source=source, source_embedder=of_source)
        return changed, Vocabulary(of_target.table[vocabulary.ids], vocabulary.ids, of_target)


def in_learned_vectors(corpus: Corpus, source: Embedder | None, target: Embedder | None) -> Corpus:
    """A corpus in the vectors that a writer has learned for the same tokens.

    Args:
        corpus: a corpus.
        source: the writer's embedder of inputs.
        target: its embedder of targets.

    Returns:
        The corpus with these embedders; as it is, if they have other tokens.
    """
    others = corpus.source_embedder, corpus.target_embedder
    if not all(map(_same_tokens, others, (source, target))):
        return corpus
    sides = {
        side: replace(getattr(corpus, side), table=embedder.table)
        for side, embedder in (("source", source), ("target", target))
        if isinstance(embedder, WordVectors)
    }
    return replace(corpus, **sides, source_embedder=source, target_embedder=target)


def _same_tokens(one: Embedder | None, other: Embedder | None) -> bool:
    if not (isinstance(one, WordVectors) and isinstance(other, WordVectors)):
        return one is other
    return one.tokenizer is other.tokenizer or one.tokenizer.to_str() == other.tokenizer.to_str()


def _shares(corpus: Corpus, vocabulary: Vocabulary) -> Tensor:
    """(V - 1,) the mean over the training targets of each word's share of the target."""
    rows = corpus.rows("train")
    texts = corpus.target
    assert texts.ids is not None
    lengths = texts.lengths[rows.start : rows.stop]
    ids = texts.ids[texts.offsets[rows.start] : texts.offsets[rows.stop]]
    weights: NDArray[np.float64] = np.repeat(1 / (len(rows) * lengths), lengths)
    shares = np.bincount(ids, weights, len(texts.table))[vocabulary.ids]
    return torch.from_numpy(shares.astype(np.float32))

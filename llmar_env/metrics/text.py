"""Metrics of written texts: BLEU, chrF, ROUGE-L, and the alignment of their vectors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from llmar_env.alignment.scores import cosine, lcs_f1
from llmar_env.metrics.intervals import Difference
from llmar_env.metrics.resampling import PerText, score_difference
from llmar_env.metrics.retrieval import ranks
from llmar_env.text.characters import as_read
from llmar_env.text.embedders import Embedder
from llmar_env.text.scripts import HAN

__all__ = [
    "TextScores",
    "bleu_difference",
    "rouge_measures",
    "score_texts",
    "split_words",
    "text_alignment",
    "text_measures",
]

# Texts whose tokens are compared at a time; bounds the memory of the comparison.
_BLOCK = 128

# Options of BLEU for text in tokens; `force` accepts it without a warning.
_TOKENIZED: dict[str, Any] = {"lowercase": True, "tokenize": "none", "force": True}

_LETTER = rf"[^\W{HAN}]"
_WORD = re.compile(
    rf"""
    [{HAN}]                           # a Chinese character
    | {_LETTER}+? (?=n['’]t\b)        # do of don't
    | n['’]t\b                        # n't of don't
    | (?:(?<=\w)|(?<!\S))             # 's of it's, also as a separate word
      ['’](?:s|m|d|re|ve|ll)\b
    | \d+ (?:[.,:]\d+)+               # 3,000.5 and 10:30
    | {_LETTER}+                      # a word
    | \.{{2,}}                        # ...
    | [^\w\s]                         # any other mark by itself
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class TextScores:
    """Scores of the written texts of a split. BLEU and chrF are in [0, 100], as in sacrebleu."""

    bleu_13a: float
    """Corpus BLEU by sacrebleu: raw text, 13a tokens; 13a does not split Chinese characters."""
    bleu_tok: float
    """Corpus BLEU of lowercased text in the tokens of `split_words`."""
    chrf: float
    """Corpus chrF by sacrebleu: raw text."""
    rouge_l: float
    """Mean ROUGE-L F1 over the texts, in the tokens of `bleu_tok`, in [0, 1]."""
    alignment: float
    """Mean cosine of a text's mean vector with its target's, in [-1, 1]; 0 for an empty one."""
    p_at_1: float
    """Share of texts whose nearest target is their own; an empty text never counts."""
    signatures: Mapping[str, str]
    """sacrebleu's signatures of `bleu_13a`, `bleu_tok` and `chrf`, for comparisons with others."""
    cross_entropy: float | None = None
    """Of the targets, as the writer gives them probabilities, in nats per token, EOS included; None
    where no writer did."""
    alignment_unlearned: float | None = None
    """`alignment` in the vectors as they were before the writer learned its own, if it did."""
    reward: float | None = field(default=None, kw_only=True)
    """Mean reward that was trained on, where that is an alignment model's score: the proxy, beside
    which the other scores are the truth."""


def split_words(text: str) -> list[str]:
    """Lowercase a text and split it into words, clitics and punctuation marks.

    Follows spaCy's English rules: "Isn't it John's T-shirt?" gives is n't it john 's t - shirt ?
    Of the captions of Multi30k, 2 in 1,000 are split differently, most because of an abbreviation
    such as "mr.". Chinese characters are split one by one.
    """
    return _WORD.findall(text.lower())


def score_texts(written: Sequence[str], targets: Sequence[str], embedder: Embedder) -> TextScores:
    """Score n written texts, which may be empty, against their n targets.

    Both are compared as the tokenizer reads them: composed (NFC), without blanks around them.

    Args:
        written: what was written.
        targets: the reference for each text.
        embedder: fitted; gives the vectors that alignment and P@1 compare.

    Raises:
        ValueError: the two differ in number, there are no texts, or a target yields no vector.
    """
    texts = _Texts.of(written, targets)
    metrics = texts.corpus_metrics()
    means, target_means = _means(texts.written, embedder), embedder.embed(texts.targets).means
    first = (ranks(means, target_means) == 1) & means.any(axis=1)
    return TextScores(
        **{
            name: metric.corpus_score(hypotheses, [references]).score
            for name, (metric, hypotheses, references) in metrics.items()
        },
        rouge_l=float(_rouge_l(texts.words, texts.target_words).mean()),
        alignment=float(cosine(means, target_means).mean()),
        p_at_1=float(first.mean()),
        signatures={name: str(metric.get_signature()) for name, (metric, *_) in metrics.items()},
    )


def bleu_difference(
    ours: Sequence[Sequence[str]],
    theirs: Sequence[Sequence[str]],
    targets: Sequence[str],
    *,
    level: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
) -> Difference:
    """Paired bootstrap of a difference in corpus BLEU (Koehn 2004), `TextScores.bleu_tok`.

    Each side is one system or several, such as seeds, whose BLEU is averaged.

    Args:
        ours: (systems, n) what our systems wrote.
        theirs: (systems, n) what the others wrote for the same texts.
        targets: (n,) the reference for each text.
        level: the interval's confidence level, in (0, 1).
        samples: number of resampled sets of texts.
        seed: seeds the resampling.

    Raises:
        ValueError: a side has no system, or a system has another number of texts than the targets.
    """
    found = [[len(one) for one in side] for side in (ours, theirs)]
    if not ours or not theirs or {*found[0], *found[1]} != {len(targets)}:
        raise ValueError(f"expected systems of {len(targets)} texts, found {found[0]}, {found[1]}")
    joined = [" ".join(split_words(as_read(text))) for text in targets]
    metric = _bleu_for(joined, **_TOKENIZED)

    def measured(written: Sequence[str]) -> PerText:
        texts = [" ".join(split_words(as_read(text))) for text in written]
        return _per_text(metric, texts, joined)

    sides = ([measured(one) for one in side] for side in (ours, theirs))
    return score_difference(*sides, level=level, samples=samples, seed=seed)


def text_measures(
    written: Sequence[str], targets: Sequence[str], embedder: Embedder
) -> dict[str, PerText]:
    """The scores of `score_texts` by text, for intervals and comparisons.

    Args:
        written: what was written.
        targets: the reference for each text.
        embedder: fitted; gives the vectors that alignment and P@1 compare.

    Raises:
        ValueError: as in `score_texts`.
    """
    texts = _Texts.of(written, targets)
    means, target_means = _means(texts.written, embedder), embedder.embed(texts.targets).means
    first = (ranks(means, target_means) == 1) & means.any(axis=1)
    return {
        **{name: _per_text(*one) for name, one in texts.corpus_metrics().items()},
        "rouge_l": PerText.mean(_rouge_l(texts.words, texts.target_words)),
        "alignment": PerText.mean(np.asarray(cosine(means, target_means))),
        "p_at_1": PerText.mean(first),
    }


def rouge_measures(written: Sequence[str], targets: Sequence[str]) -> dict[str, PerText]:
    """F1 of ROUGE-1, ROUGE-2 and ROUGE-L by rouge-score (Lin 2004), in the words of `split_words`.

    The library's own words are those of a to z alone. Nothing is stemmed.

    Args:
        written: n texts.
        targets: n references.

    Raises:
        ImportError: rouge-score is not installed; it comes with the extra `rouge`.
    """
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ModuleNotFoundError:
        raise ImportError('ROUGE needs rouge-score: pip install "llmar[rouge]"') from None
    names = {"rouge1": "rouge_1", "rouge2": "rouge_2", "rougeL": "rouge_l"}
    scorer = RougeScorer([*names], tokenizer=_Words())
    found = [scorer.score(target, text) for text, target in zip(written, targets, strict=True)]
    return {
        name: PerText.mean(np.array([one[key].fmeasure for one in found]))
        for key, name in names.items()
    }


class _Words:
    """The words of a text without marks, as rouge-score asks for them."""

    def tokenize(self, text: str) -> list[str]:
        """Lower-cased words."""
        return [word for word in split_words(as_read(text)) if any(map(str.isalnum, word))]


@dataclass(frozen=True)
class _Texts:
    """Texts and their targets, as metrics read them."""

    written: list[str]
    targets: list[str]
    words: list[list[str]]
    target_words: list[list[str]]

    @classmethod
    def of(cls, written: Sequence[str], targets: Sequence[str]) -> _Texts:
        if len(written) != len(targets):
            raise ValueError(f"{len(written)} written texts, but {len(targets)} targets")
        if not written:
            raise ValueError("there is no text to score")
        ours, theirs = ([as_read(text) for text in texts] for texts in (written, targets))
        words, target_words = ([split_words(text) for text in texts] for texts in (ours, theirs))
        return cls(ours, theirs, words, target_words)

    def corpus_metrics(self) -> dict[str, tuple[BLEU | CHRF, list[str], list[str]]]:
        """The metrics of sacrebleu, each with the texts and references that it compares."""
        joined, target_joined = (
            [" ".join(text) for text in texts] for texts in (self.words, self.target_words)
        )
        return {
            "bleu_13a": (_bleu_for(self.targets), self.written, self.targets),
            "bleu_tok": (_bleu_for(target_joined, **_TOKENIZED), joined, target_joined),
            "chrf": (CHRF(), self.written, self.targets),
        }


def _per_text(metric: BLEU | CHRF, texts: Sequence[str], references: Sequence[str]) -> PerText:
    """A corpus metric by what it counts in each text; sacrebleu's own bootstrap works like this."""
    counts = np.array(metric._extract_corpus_statistics(texts, [references]), np.float64)
    return PerText(counts, lambda sums: metric._compute_score_from_stats(sums.tolist()).score)


def text_alignment(written: Sequence[str], targets: Sequence[str], embedder: Embedder) -> float:
    """`TextScores.alignment` of n written texts, which may be empty, with their n targets."""
    written, targets = ([as_read(text) for text in texts] for texts in (written, targets))
    return float(cosine(_means(written, embedder), embedder.embed(targets).means).mean())


def _bleu_for(targets: Sequence[str], **options: Any) -> BLEU:
    """Corpus BLEU, with which texts that equal their targets score 100.

    If no target has as many tokens as the longest n-grams, sacrebleu's default would score every
    text 0; then the orders that do not occur are left out, and the signature says so (eff:yes).
    """
    metric = BLEU(**options)
    longest = max(len(metric.tokenizer(text).split()) for text in targets)
    return BLEU(effective_order=longest < metric.max_ngram_order, **options)


def _means(texts: Sequence[str], embedder: Embedder) -> NDArray[np.float32]:
    """(n, D) mean vectors; zero for texts without a token, which embedders reject."""
    means = np.zeros((len(texts), embedder.dim), np.float32)
    some = [i for i, text in enumerate(texts) if text.strip()]
    if not some:
        return means
    try:
        means[some] = embedder.embed([texts[i] for i in some]).means
    except ValueError:  # of one text: embedders of known words reject those that have none
        for i in some:
            with suppress(ValueError):
                means[i] = embedder.embed([texts[i]]).means[0]
    return means


def _rouge_l(words: Sequence[list[str]], target_words: Sequence[list[str]]) -> NDArray[np.float64]:
    """(n,) F1 of the longest common subsequences."""
    numbers: dict[str, int] = {}
    found = np.empty(len(words))
    for first in range(0, len(words), _BLOCK):
        block = slice(first, first + _BLOCK)
        ids, lengths = _numbered(words[block], numbers)
        target_ids, target_lengths = _numbered(target_words[block], numbers)
        found[block] = lcs_f1(target_ids, ids, target_lengths, lengths)
    return found


def _numbered(
    texts: Sequence[list[str]], numbers: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n, L) words as numbers, and (n,) lengths of the texts; new words are added to `numbers`."""
    lengths = np.array([len(text) for text in texts], np.int64)
    ids = np.zeros((len(texts), max(1, int(lengths.max()))), np.int64)
    flat = [numbers.setdefault(word, len(numbers)) for text in texts for word in text]
    ids[np.arange(ids.shape[1]) < lengths[:, None]] = flat
    return ids, lengths

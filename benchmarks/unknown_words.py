"""Measure how well a model names the words that training never saw.

Fresh sentences of the phrasebook, which no split has, have words that training saw, rare forms
among them: one that is flagged is a false alarm. In another copy, one word of each sentence has a
letter changed, and is none that the grammar writes: one that is not flagged is a miss.

    python benchmarks/unknown_words.py --pair de-en
"""

from __future__ import annotations

import random
import string
from dataclasses import dataclass

import tyro
from rich.console import Console
from rich.progress import track

from agents.inference.confidence import KnownWords
from llmar_env.metrics import split_words
from llmar_env.text.phrasebook import Phrasebook


@dataclass(frozen=True)
class Options:
    """Measure flags of unknown words."""

    pair: str = "de-en"
    """Languages of the phrasebook; sources are read."""
    sentences: int = 5_000
    """Number of fresh sentences."""
    lexicon: int = 100_000
    """Number of sentences whose words count as words of the grammar."""
    seed: int = 1
    """Seed of the fresh sentences; the training texts have seed 0."""


def misspelled(sentence: str, words: KnownWords, rng: random.Random) -> str:
    """The sentence with a letter of one word changed, so that it is none of the words."""
    letters = string.ascii_lowercase
    tokens = sentence.split()
    while True:
        place = rng.randrange(len(tokens))
        token = tokens[place]
        alphabetic = [i for i, letter in enumerate(token) if letter.isalpha()]
        if not alphabetic:
            continue
        i = rng.choice(alphabetic)
        changed = token[:i] + rng.choice(letters) + token[i + 1 :]
        if words.unknown(changed):
            return " ".join([*tokens[:place], changed, *tokens[place + 1 :]])


def main(options: Options) -> None:
    """Print the shares of flagged sentences."""
    book = Phrasebook.from_name(f"phrasebook:{options.pair}")
    known = KnownWords.of(book.sentences("train")[0])
    other = Phrasebook(book.source, book.target, seed=options.seed)
    fresh = other.sentences("test", options.sentences)[0]
    lexicon = KnownWords.of([*other.sentences("train", options.lexicon)[0], *fresh])
    rng = random.Random(options.seed)
    odd = [misspelled(one, lexicon, rng) for one in track(fresh, "misspelling", transient=True)]
    false = [one for one in fresh if known.unknown(one)]
    flagged = sum(bool(known.unknown(one)) for one in odd)
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{options.pair}: {len(known):,} words known; of {len(odd):,} sentences with an unknown "
        f"word {flagged / len(odd):.2%} are flagged, of those without "
        f"{len(false) / len(fresh):.2%}"
    )
    rare = {word for one in false for word in known.unknown(one)}
    if rare:
        console.print(f"words of the grammar that training lacks: {', '.join(sorted(rare)[:20])}")
    console.print(f"longest sentence: {max(len(split_words(one)) for one in fresh)} tokens")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

"""Make the word vectors and the token ids that ship with the phrasebook.

    python -m llmar_env.text.phrasebook.make_vectors --folder FOLDER --languages es

Another processor rounds differently, so vectors made again are close to the shipped ones, not
equal. Scores of a `-v0` environment can be compared because everyone has the same files; a change
to them, or to the phrasebook, requires a new version of the environments. To add a language, make
its vectors alone, in llmar_env/text/data. Ids are the same on every processor: where nothing but
sentences or source code has changed, make them again with `--keep-vectors`.
"""

from __future__ import annotations

from pathlib import Path

import tyro

from llmar_env.text.embedders import WordVectors, WordVectorsConfig
from llmar_env.text.phrasebook import LANGUAGES, SIZES, Phrasebook, Sentences, meanings
from llmar_env.text.phrasebook.shipped import (
    DEEDS,
    SUMS,
    TOKENS,
    VECTORS,
    digest,
    save_deeds,
    save_tokens,
)

__all__ = ["main"]

# The corpus has some two thousand words a language; each should become one token.
_CONFIG = WordVectorsConfig(dim=64, vocab_size=4000, epochs=20, seed=0)


def main(
    folder: Path, languages: tuple[str, ...] = LANGUAGES, *, keep_vectors: bool = False
) -> None:
    """Make vectors (float16), token ids and deeds, and list the checksums of all files.

    Args:
        folder: where the files go; those of the package are in llmar_env/text/data.
        languages: whose files are made; those of others stay as they are.
        keep_vectors: make the ids alone, of the tokens that go with the vectors in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for language in languages:
        vectors = folder / (language + VECTORS)
        if not keep_vectors:
            sentences, _ = Phrasebook(language, language).sentences("train")
            WordVectors(_CONFIG).fit(sentences).save(vectors, half=True)
        save_tokens(folder, language, WordVectors.load(vectors).embed(Sentences(language)))
    drawn = [one for split, size in SIZES.items() for one in meanings(size, split=split)]
    save_deeds(folder, drawn)
    files = [folder / DEEDS]
    files += [path for ending in (VECTORS, TOKENS) for path in folder.glob(f"*{ending}")]
    sums = [f"{digest(path)}  {path.name}\n" for path in sorted(files)]
    (folder / SUMS).write_text("".join(sums), "utf-8")


if __name__ == "__main__":
    tyro.cli(main)

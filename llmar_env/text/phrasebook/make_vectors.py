"""Make the word vectors that ship with the phrasebook.

    python -m llmar_env.text.phrasebook.make_vectors --folder FOLDER

Another processor rounds differently, so vectors made again are close to the shipped ones, not
equal. Scores of a `-v0` environment can be compared because everyone has the same files; a change
to them, or to the phrasebook, requires a new version of the environments. To add a language, make
the vectors in another folder, and take only the new file and its line of SHA256SUMS from there.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import tyro

from llmar_env.text.embedders import WordVectors, WordVectorsConfig
from llmar_env.text.phrasebook import LANGUAGES, Phrasebook

__all__ = ["main"]

# The corpus has a few hundred words a language; each should become one token.
_CONFIG = WordVectorsConfig(dim=64, vocab_size=1200, epochs=20, seed=0)


def main(folder: Path) -> None:
    """Train, round to float16, write, and list the checksums.

    Args:
        folder: where the files go; those of the package are in llmar_env/text/data.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sums = []
    for language in LANGUAGES:
        sentences, _ = Phrasebook(language, language).sentences("train")
        path = folder / f"{language}.safetensors"
        WordVectors(_CONFIG).fit(sentences).save(path, half=True)
        sums.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")


if __name__ == "__main__":
    tyro.cli(main)

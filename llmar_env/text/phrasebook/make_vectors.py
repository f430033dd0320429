"""Make the word vectors that ship with the phrasebook.

    python -m llmar_env.text.phrasebook.make_vectors --folder FOLDER --languages es

Another processor rounds differently, so vectors made again are close to the shipped ones, not
equal. Scores of a `-v0` environment can be compared because everyone has the same files; a change
to them, or to the phrasebook, requires a new version of the environments. To add a language, make
its vectors alone, in llmar_env/text/data.
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


def main(folder: Path, languages: tuple[str, ...] = LANGUAGES) -> None:
    """Train, round to float16, write, and list the checksums of all vectors in the folder.

    Args:
        folder: where the files go; those of the package are in llmar_env/text/data.
        languages: whose vectors are made; those of others stay as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for language in languages:
        sentences, _ = Phrasebook(language, language).sentences("train")
        WordVectors(_CONFIG).fit(sentences).save(folder / f"{language}.safetensors", half=True)
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.glob("*.safetensors"))
    ]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")


if __name__ == "__main__":
    tyro.cli(main)

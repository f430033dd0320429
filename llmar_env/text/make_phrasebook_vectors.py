"""Make the word vectors that ship with the phrasebook; run it with `python -m`.

Scores of a `-v0` environment can be compared because everyone has these very files; a change to
them, or to the phrasebook, asks for a new version of the environments.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from llmar_env.text.embedders import WordVectors, WordVectorsConfig
from llmar_env.text.phrasebook import LANGUAGES, Phrasebook

__all__ = ["main"]

_DATA = Path(__file__).parent / "data"
# The corpus has a few hundred words a language; each should become one token.
_CONFIG = WordVectorsConfig(dim=64, vocab_size=1200, epochs=20, seed=0)


def main() -> None:
    """Train, round to float16, write, and list the checksums."""
    _DATA.mkdir(exist_ok=True)
    sums = []
    for language in LANGUAGES:
        sentences, _ = Phrasebook(language, language).sentences("train")
        path = _DATA / f"{language}.safetensors"
        WordVectors(_CONFIG).fit(sentences).save(path, half=True)
        sums.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    (_DATA / "SHA256SUMS").write_text("".join(sums), "utf-8")


if __name__ == "__main__":
    main()

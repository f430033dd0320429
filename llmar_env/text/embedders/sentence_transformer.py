"""`st:PATH_OR_NAME`: models of sentence-transformers; needs the extra "st"."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmar_env.text.embedders.base import Encoded
from llmar_env.text.embedders.model_files import missing_extra, quiet_loading

__all__ = ["SentenceTransformerEncoder"]

# Texts between two steps of the progress bar, and texts that the model reads at a time.
_STEP, _BATCH = 256, 32


class SentenceTransformerEncoder:
    """One vector for each text, or with the option `tokens` one for each token.

    A vector of a text is what `SentenceTransformer.encode` gives. Those of its tokens are what
    that is the mean of, in models that take the mean; markers such as [CLS] are left out.

    Args:
        spec: the string that names the embedder.
        folder: the folder of the model.
        revision: the hash of its files.
        tokens: whether there is a vector for each token.
        half: whether vectors are stored as float16.
        device: the device of the model, or "auto".
    """

    def __init__(
        self,
        spec: str,
        folder: Path,
        revision: str,
        *,
        tokens: bool = False,
        half: bool = False,
        device: str = "auto",
    ) -> None:
        self.spec = spec
        self.revision = revision
        self.settings: Mapping[str, Any] = {"kind": "st", "tokens": tokens, "half": half}
        self._folder = folder
        self._device = None if device == "auto" else device

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the model, which is loaded again."""
        return {name: value for name, value in vars(self).items() if name != "_model"}

    @cached_property
    def _model(self) -> Any:
        """The model, loaded when it is first needed.

        Raises:
            ImportError: sentence-transformers is not installed.
        """
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise missing_extra(self.spec, "sentence-transformers", "st") from error
        with quiet_loading():
            return SentenceTransformer(
                str(self._folder),
                device=self._device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors."""
        vectors, _, _ = self.encode(["text"], lambda _: None)
        return int(vectors.shape[1])

    def encode(self, texts: Sequence[str], advance: Callable[[int], object]) -> Encoded:
        """The vectors of texts, in order; see `Encoder`."""
        vectors, lengths = [], []
        options = {"batch_size": _BATCH, "show_progress_bar": False}
        for first in range(0, len(texts), _STEP):
            block = list(texts[first : first + _STEP])
            if self.settings["tokens"]:
                outputs = self._model.encode(block, output_value=None, **options)
                found = [self._tokens_of(output) for output in outputs]
                lengths += [len(one) for one in found]
                vectors += found
            else:
                vectors.append(self._model.encode(block, **options))
                lengths += [1] * len(block)
            advance(len(block))
        offsets = np.cumsum([0, *lengths], dtype=np.int64)
        return Encoded(np.concatenate(vectors), offsets, self._cut(texts))

    def _tokens_of(self, output: Mapping[str, Any]) -> NDArray[np.float32]:
        """(length, D) the vectors of the tokens of one text, without markers and padding."""
        ids = output["input_ids"].cpu().numpy()
        kept = output["attention_mask"].cpu().numpy().astype(bool)
        kept &= ~np.isin(ids, self._model.tokenizer.all_special_ids)
        vectors: NDArray[np.float32] = output["token_embeddings"].float().cpu().numpy()[kept]
        return vectors

    def _cut(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """(n,) whether a text has more tokens than the model reads."""
        limit = self._model.max_seq_length
        cut = np.zeros(len(texts), bool)
        if limit is None:
            return cut
        prompt = self._model.prompts.get(self._model.default_prompt_name) or ""
        # Most texts are too short to need counting: a token has at least one byte or character.
        longest = [i for i, text in enumerate(texts) if _most_tokens(prompt + text) + 2 > limit]
        if longest:
            tokens = self._model.tokenizer(
                [prompt + texts[i] for i in longest], truncation=False, verbose=False
            )["input_ids"]
            cut[longest] = [len(one) > limit for one in tokens]
        return cut


def _most_tokens(text: str) -> int:
    """An upper bound of the number of tokens of a text."""
    return max(len(text.encode("utf-8", "replace")), len(unicodedata.normalize("NFKD", text)))

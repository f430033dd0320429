"""`hf:PATH_OR_NAME`: any encoder or decoder of transformers; needs the extra "hf"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmar_env.text.embedded import like_length
from llmar_env.text.embedders.base import Encoded
from llmar_env.text.embedders.model_files import missing_extra, quiet_loading

__all__ = ["HuggingFaceEncoder"]

# Texts that the model reads at a time.
_BATCH = 32


class HuggingFaceEncoder:
    """One vector for each word: the mean of the hidden states of its subwords.

    Words are those of the fast tokenizer (`word_ids`); markers such as [CLS] are left out. Of a
    model with encoder and decoder, the encoder alone is used.

    Args:
        spec: the string that names the embedder.
        folder: the folder of the model.
        revision: the hash of its files.
        layer: which hidden states: 0 are the input embeddings, -1 the last ones.
        half: whether vectors are stored as float16.
        device: the device of the model, or "auto".
    """

    def __init__(
        self,
        spec: str,
        folder: Path,
        revision: str,
        *,
        layer: int = -1,
        half: bool = False,
        device: str = "auto",
    ) -> None:
        self.spec = spec
        self.revision = revision
        self.settings: Mapping[str, Any] = {"kind": "hf", "layer": layer, "half": half}
        self._folder = folder
        self._device = device

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the model and its tokenizer, which are loaded again."""
        return {name: v for name, v in vars(self).items() if name not in ("_model", "_tokenizer")}

    @cached_property
    def _tokenizer(self) -> Any:
        """The tokenizer.

        Raises:
            ImportError: transformers is not installed.
            ValueError: the model has no fast tokenizer, which knows what a word is.
        """
        try:
            from transformers import AutoTokenizer
        except ImportError as error:
            raise missing_extra(self.spec, "transformers", "hf") from error
        tokenizer = AutoTokenizer.from_pretrained(
            str(self._folder), use_fast=True, trust_remote_code=False, local_files_only=True
        )
        if not tokenizer.is_fast:
            raise ValueError(
                f"{self.spec}: the model has no fast tokenizer (tokenizer.json), which is needed "
                "to tell which subwords are one word"
            )
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        """The model, on its device.

        Raises:
            ImportError: transformers or torch is not installed.
            ValueError: the model has no such layer.
        """
        try:
            import torch
            from transformers import AutoModel
        except ImportError as error:
            raise missing_extra(self.spec, "transformers", "hf") from error
        with quiet_loading():
            model = AutoModel.from_pretrained(
                str(self._folder),
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
            )
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
        layer, count = self.settings["layer"], model.config.num_hidden_layers
        if not -count - 1 <= layer <= count:
            raise ValueError(
                f"{self.spec}: layer must lie in {-count - 1} to {count}, found {layer}"
            )
        device = self._device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        return model.eval().to(device)

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors."""
        return int(self._model.config.hidden_size)

    @cached_property
    def max_length(self) -> int | None:
        """The number of tokens that the model reads, markers included; None if it has no limit."""
        limits = []
        if self._tokenizer.model_max_length < 1 << 30:  # transformers writes 10^30 for no limit
            limits.append(int(self._tokenizer.model_max_length))
        positions = getattr(self._model.config, "max_position_embeddings", None)
        if positions:
            table = getattr(getattr(self._model, "embeddings", None), "position_embeddings", None)
            padding = getattr(table, "padding_idx", None)
            # In RoBERTa and its like, positions count from the one after padding.
            limits.append(positions if padding is None else positions - padding - 1)
        return min(limits, default=None)

    def encode(self, texts: Sequence[str], advance: Callable[[int], object]) -> Encoded:
        """The vectors of texts, in order; see `Encoder`."""
        limit = self.max_length
        inputs = self._tokenizer(
            list(texts), truncation=limit is not None, max_length=limit, verbose=False
        ).encodings
        lengths = np.array([len(one.ids) for one in inputs], np.int64)
        found: list[NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(texts)
        for places in reversed(like_length(lengths, _BATCH)):
            states = self._hidden_states([inputs[i].ids for i in places])
            for i, rows in zip(places, states, strict=True):
                found[i] = _pooled(rows, inputs[i].word_ids)
            advance(len(places))
        offsets = np.cumsum([0, *map(len, found)], dtype=np.int64)
        cut = np.array([bool(one.overflowing) for one in inputs])
        return Encoded(np.concatenate(found), offsets, cut)

    def _hidden_states(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(b, longest, D) the hidden states of token ids, padded on the right."""
        import torch

        longest = max(1, max(map(len, ids)))
        padding = self._tokenizer.pad_token_id
        padded = np.full((len(ids), longest), 0 if padding is None else padding, np.int64)
        mask = np.zeros_like(padded)
        for row, tokens in enumerate(ids):
            padded[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        layer = self.settings["layer"]
        device = self._model.device
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.as_tensor(padded, device=device),
                attention_mask=torch.as_tensor(mask, device=device),
                output_hidden_states=layer != -1,
            )
        states = output.last_hidden_state if layer == -1 else output.hidden_states[layer]
        result: NDArray[np.float32] = states.float().cpu().numpy()
        return result


def _pooled(states: NDArray[np.float32], words: Sequence[int | None]) -> NDArray[np.float32]:
    """The mean hidden state of each word.

    Args:
        states: (longest, D) of the tokens, and then of padding.
        words: the word of each token, ascending; None for markers.

    Returns:
        (number of words, D).
    """
    inside = np.array([word is not None for word in words], bool)
    word_of = np.array([word for word in words if word is not None], np.int64)
    begins = np.flatnonzero(np.diff(word_of, prepend=-1))
    if not len(begins):
        return np.zeros((0, states.shape[1]), np.float32)
    sums = np.add.reduceat(states[: len(words)][inside], begins, axis=0)
    counts = np.diff(begins, append=len(word_of))
    return np.asarray(sums / counts[:, None], np.float32)

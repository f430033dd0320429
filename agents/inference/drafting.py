"""Drafts from elsewhere: a language model writes several, the best aligned one is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from llmar_env.text.embedders.model_files import missing_extra

__all__ = ["Drafter", "Ranked", "rank_drafts"]

_PREFIX = "hf:"


@dataclass(frozen=True)
class Ranked:
    """The drafts of one text, best first, with their scores."""

    texts: Sequence[str]
    scores: Sequence[float]
    """Alignment with the unknown right answer, as a model estimates it, in [-1, 1]."""


def rank_drafts(drafts: Sequence[str], scores: Sequence[float]) -> Ranked:
    """Put drafts in the order of their scores, NaN last; equal ones keep their order."""
    order = sorted(range(len(drafts)), key=lambda i: (math.isnan(scores[i]), -scores[i]))
    return Ranked([drafts[place] for place in order], [scores[place] for place in order])


class Drafter:
    """Samples drafts from a causal or sequence-to-sequence model of transformers.

    Args:
        spec: "hf:" and the folder or name of the model.
        prompt: what the model reads, with the text in place of {text}. A causal model goes on from
            there.
        max_new_tokens: most tokens of a draft.
        temperature: of sampling.
        device: the model's device.
        seed: seeds the samples.

    Raises:
        ValueError: the string is not of this form, or the prompt has no {text}.
    """

    def __init__(
        self,
        spec: str,
        *,
        prompt: str = "{text}",
        max_new_tokens: int = 60,
        temperature: float = 1.0,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        if not spec.startswith(_PREFIX) or spec == _PREFIX:
            raise ValueError(f"a drafter is hf:PATH_OR_NAME, found {spec!r}")
        if "{text}" not in prompt:
            raise ValueError(f"a prompt needs {{text}}, where the text is put, found {prompt!r}")
        self.spec, self.prompt = spec, prompt
        self.max_new_tokens, self.temperature = max_new_tokens, temperature
        self.device = torch.device(device)
        self.seed = seed

    @cached_property
    def _loaded(self) -> tuple[Any, Any, bool]:
        """The model, its tokenizer, and whether it has an encoder.

        Raises:
            ImportError: transformers is not installed.
            FileNotFoundError: there is no such model.
        """
        try:
            from transformers import (
                AutoConfig,
                AutoModelForCausalLM,
                AutoModelForSeq2SeqLM,
                AutoTokenizer,
            )
        except ImportError as error:
            raise missing_extra(self.spec, "transformers", "hf") from error
        name = self.spec.removeprefix(_PREFIX)
        local = {"local_files_only": Path(name).exists(), "trust_remote_code": False}
        try:
            config = AutoConfig.from_pretrained(name, **local)
        except (OSError, ValueError) as error:
            raise FileNotFoundError(f"{self.spec}: no such model: {error}") from None
        reads = bool(config.is_encoder_decoder)
        kind = AutoModelForSeq2SeqLM if reads else AutoModelForCausalLM
        tokenizer = AutoTokenizer.from_pretrained(name, padding_side="left", **local)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
        return kind.from_pretrained(name, **local).to(self.device).eval(), tokenizer, reads

    @torch.no_grad()
    def draft(self, texts: Sequence[str], num_drafts: int) -> list[list[str]]:
        """Sample drafts of answers to n texts.

        Returns:
            n lists of distinct drafts, at most `num_drafts` each; blank ones are left out.

        Raises:
            ImportError: transformers is not installed.
            FileNotFoundError: there is no such model.
            ValueError: a prompt is longer than the model reads.
        """
        model, tokenizer, reads = self._loaded
        prompts = [self.prompt.replace("{text}", text) for text in texts]
        inputs = tokenizer(prompts, return_tensors="pt", padding=True).to(self.device)
        inputs.pop("token_type_ids", None)
        length = self._length(model, inputs["input_ids"].shape[1], reads)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.seed)
            found = model.generate(
                **inputs,
                do_sample=True,
                temperature=self.temperature,
                top_k=0,
                num_return_sequences=num_drafts,
                max_new_tokens=length,
                pad_token_id=tokenizer.pad_token_id,
            )
        if not reads:
            found = found[:, inputs["input_ids"].shape[1] :]
        drafts = [text.strip() for text in tokenizer.batch_decode(found, skip_special_tokens=True)]
        groups = (drafts[i * num_drafts : (i + 1) * num_drafts] for i in range(len(texts)))
        return [[text for text in dict.fromkeys(group) if text] for group in groups]

    def _length(self, model: Any, prompt: int, reads: bool) -> int:
        """The most tokens that a model can write for a prompt of so many.

        A model with an encoder has as many places for what it writes as for what it `reads`.

        Raises:
            ValueError: the prompt does not fit, or no place is left after it.
        """
        positions: int | None = getattr(model.config, "max_position_embeddings", None)
        if positions is None:
            return self.max_new_tokens
        if prompt > positions - (not reads):
            raise ValueError(
                f"{self.spec} has {positions} places, and a prompt has {prompt} tokens"
            )
        # A model with an encoder writes a start before all else.
        return min(self.max_new_tokens, positions - (1 if reads else prompt))

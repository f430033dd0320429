"""What the settings of the algorithms and of their policies accept, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..options import Accepted, Range

__all__ = ["AUTOMATIC", "RANGES", "TYPES", "NetArch"]


class _TrainFreq:
    """How often to train: a number of steps, or of steps or episodes."""

    def __contains__(self, value: Any) -> bool:
        """Whether it is at least one step or episode."""
        number, unit = value if isinstance(value, list | tuple) else (value, "step")
        return number >= 1 and unit in ("step", "episode")

    def __str__(self) -> str:
        """The condition, as it follows "must"."""
        return 'be at least 1, or such a number and "step" or "episode"'


class _GradientSteps:
    """How many gradient steps to take each time."""

    def __contains__(self, value: int) -> bool:
        """Whether it is at least one, or -1."""
        return value >= 1 or value == -1

    def __str__(self) -> str:
        """The condition, as it follows "must"."""
        return "be at least 1, or -1 for as many as steps were taken"


@dataclass(frozen=True)
class NetArch:
    """Widths of layers, for all networks or by network.

    Attributes:
        names: the networks that can be named.
        needs_all: whether all of them must be.
    """

    names: tuple[str, ...]
    needs_all: bool

    def __contains__(self, value: list[int] | dict[str, list[int]]) -> bool:
        """Whether networks and widths are possible."""
        layers = value if isinstance(value, dict) else {self.names[0]: value}
        missing = set(self.names) - set(layers) if isinstance(value, dict) else set()
        widths = [width for one in layers.values() for width in one]
        named = set(layers) <= set(self.names) and not (self.needs_all and missing)
        return named and all(width >= 1 for width in widths)

    def __str__(self) -> str:
        """The condition, as it follows "must"."""
        how = "both of" if self.needs_all else "one or both of"
        return f"have widths of at least 1, if by network those of {how} {' and '.join(self.names)}"


TYPES: Mapping[str, Any] = {
    # The trainer makes SB3's noise of it.
    "action_noise": float | None,
}
"""Types that differ from the annotation of the constructor."""


@dataclass(frozen=True)
class _OrString:
    """A number in a range, or a string of a form.

    Attributes:
        numbers: the range.
        strings: the form, which the whole string must have.
        words: the form in words.
    """

    numbers: Range
    strings: str
    words: str

    def __contains__(self, value: float | str) -> bool:
        """Whether a number lies in the range, or a string has the form."""
        if isinstance(value, str):
            return re.fullmatch(self.strings, value) is not None
        return value in self.numbers

    def __str__(self) -> str:
        """The condition, as it follows "must"."""
        return f"{self.numbers}, or {self.words}"


_FINITE = Range()
_COUNT = Range(1)
_AT_LEAST_0 = Range(0)
_ABOVE_0 = Range(0, with_low=False)
_UNIT = Range(0, 1, with_high=True)
_FRACTION = Range(0, 1, with_low=False, with_high=True)

AUTOMATIC: Mapping[str, Accepted] = {
    "ent_coef": _OrString(
        _AT_LEAST_0,
        r"auto(_(\d*\.)?\d*[1-9]\d*(\.\d*)?(e[+-]?\d+)?)?",
        '"auto", or "auto_" and a first value above 0',
    ),
    "target_entropy": _OrString(_FINITE, "auto", '"auto"'),
}
"""The range of settings of which an algorithm also accepts a string."""

RANGES: Mapping[str, Accepted] = {
    **dict.fromkeys(("n_steps", "batch_size", "n_epochs", "buffer_size"), _COUNT),
    **dict.fromkeys(("target_update_interval", "policy_delay", "stats_window_size"), _COUNT),
    **dict.fromkeys(("cg_max_steps", "line_search_max_iter", "n_critic_updates"), _COUNT),
    **dict.fromkeys(("sub_sampling_factor", "n_delta", "n_top", "n_eval_episodes"), _COUNT),
    **dict.fromkeys(("n_critics", "n_quantiles", "lstm_hidden_size", "n_lstm_layers"), _COUNT),
    **dict.fromkeys(("learning_starts", "top_quantiles_to_drop_per_net"), _AT_LEAST_0),
    **dict.fromkeys(("ent_coef", "vf_coef", "action_noise", "cg_damping"), _AT_LEAST_0),
    **dict.fromkeys(("target_policy_noise", "target_noise_clip", "clip_mean"), _AT_LEAST_0),
    **dict.fromkeys(("renorm_warmup_steps",), _AT_LEAST_0),
    **dict.fromkeys(("max_grad_norm", "clip_range", "clip_range_vf", "target_kl"), _ABOVE_0),
    **dict.fromkeys(("rms_prop_eps", "batch_norm_eps", "delta_std"), _ABOVE_0),
    **dict.fromkeys(("radius", "rms"), _ABOVE_0),
    **dict.fromkeys(("gamma", "gae_lambda"), _UNIT),
    **dict.fromkeys(("tau", "batch_norm_momentum"), _FRACTION),
    "line_search_shrinking_factor": Range(0, 1, with_low=False),
    "sde_sample_freq": Range(-1),
    **dict.fromkeys(("target_entropy", "log_std_init", "alive_bonus_offset"), _FINITE),
    "train_freq": _TrainFreq(),
    "gradient_steps": _GradientSteps(),
}
"""The range of every setting that is a number."""

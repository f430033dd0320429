"""The average of a policy's weights over its training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage:
    """An exponential moving average of a module's parameters (Polyak and Juditsky 1992).

    At step n, the average moves by 1 - min(decay, (1 + n) / (10 + n)) of the way to the parameters,
    so that the first steps are soon forgotten.

    Args:
        module: the module, whose parameters are trained in place.
        decay: share of the average that a step keeps, in [0, 1); 0 averages nothing.
    """

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must lie in [0, 1), found {decay}")
        self.decay = decay
        self.steps = 0
        self._parameters: list[Tensor] = [one.data for one in module.parameters()]
        self._average = [one.clone() for one in self._parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters after a step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self._average, self._parameters, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the module has the averaged parameters."""
        trained = [one.clone() for one in self._parameters]
        torch._foreach_copy_(self._parameters, self._average)
        try:
            yield
        finally:
            torch._foreach_copy_(self._parameters, trained)

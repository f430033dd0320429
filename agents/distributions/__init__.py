"""Action distributions around a direction, as SB3 `Distribution`s."""

from .directional import (
    DISTRIBUTIONS,
    FREE_NOISE,
    DirectionalGaussian,
    DirectionDistribution,
    DistributionName,
    FreeGaussian,
    PowerSpherical,
)
from .token_softmax import TokenSoftmax

__all__ = [
    "DISTRIBUTIONS",
    "FREE_NOISE",
    "DirectionDistribution",
    "DirectionalGaussian",
    "DistributionName",
    "FreeGaussian",
    "PowerSpherical",
    "TokenSoftmax",
]

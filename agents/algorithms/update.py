"""One step of an optimizer, refused where it is not finite."""

from __future__ import annotations

__all__ = ["NonFiniteLossError"]


class NonFiniteLossError(FloatingPointError):
    """The loss or its gradient became NaN or infinite; the weights are those before the update."""

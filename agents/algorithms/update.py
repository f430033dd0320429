"""One step of an optimizer, refused where it is not finite."""

from __future__ import annotations

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

__all__ = ["NonFiniteLossError", "descend"]


class NonFiniteLossError(FloatingPointError):
    """The loss or its gradient became NaN or infinite; the weights are those before the update."""


def descend(policy: BasePolicy, loss: Tensor, max_grad_norm: float, when: str) -> Tensor:
    """Take one step of the policy's optimizer down the gradient of a loss.

    Args:
        policy: whose weights move.
        loss: () scalar, with gradient.
        max_grad_norm: the gradient is scaled down to this norm.
        when: says in an error how far the training had come.

    Returns:
        () the norm of the gradient before it was scaled.

    Raises:
        NonFiniteLossError: the loss or its gradient is NaN or infinite; no weight has moved.
    """
    policy.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch's has no annotations
    norm = torch.nn.utils.clip_grad_norm_(policy.parameters(), max_grad_norm)
    # One question to the device, not two.
    if not bool(loss.detach().isfinite() & norm.isfinite()):
        what, value = ("gradient", norm) if bool(loss.detach().isfinite()) else ("loss", loss)
        raise NonFiniteLossError(
            f"the {what} is {value.item()} {when}; the weights are those before it. A lower "
            "learning rate, or a reward without extreme values, may help"
        )
    policy.optimizer.step()
    return norm

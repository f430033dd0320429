"""One optimizer step, which raises an error if the loss or its gradient is not finite."""

from __future__ import annotations

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = ["NonFiniteLossError", "descend", "step_down"]


class NonFiniteLossError(FloatingPointError):
    """The loss or its gradient is NaN or infinite; the update was not applied."""


def descend(policy: BasePolicy, loss: Tensor, max_grad_norm: float, when: str) -> Tensor:
    """`step_down` of a policy, by its own optimizer."""
    return step_down(policy, policy.optimizer, loss, max_grad_norm, when)


def step_down(
    network: nn.Module, optimizer: Optimizer, loss: Tensor, max_grad_norm: float, when: str
) -> Tensor:
    """Take one step of an optimizer down the gradient of a loss.

    Args:
        network: the network to update.
        optimizer: the optimizer of its parameters.
        loss: () scalar, with gradient.
        max_grad_norm: maximum norm of the gradient, for clipping.
        when: progress of the training, for the error message.

    Returns:
        () norm of the gradient before clipping.

    Raises:
        NonFiniteLossError: the loss or its gradient is NaN or infinite; no weight was changed.
    """
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch's has no annotations
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), max_grad_norm)
    # One synchronization with the device, not two.
    if not bool(loss.detach().isfinite() & norm.isfinite()):
        what, value = ("gradient", norm) if bool(loss.detach().isfinite()) else ("loss", loss)
        raise NonFiniteLossError(
            f"the {what} is {value.item()} {when}; the update was not applied. A lower learning "
            "rate, or a reward without extreme values, may help"
        )
    optimizer.step()
    return norm

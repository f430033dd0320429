"""Advantages: returns compared with a baseline."""

from __future__ import annotations

import torch
from torch import Tensor

from ..names import Baseline

__all__ = ["advantages"]


def advantages(returns: Tensor, baseline: Baseline, mask: Tensor | None = None) -> Tensor:
    """Advantages of actions, from their returns.

    With the returns R_1 .. R_K of a group, of which the mask selects n:

    - "none": A_k = R_k. Unbiased.
    - "leave_one_out": A_k = R_k - sum_{j != k} R_j / (n - 1), RLOO (Kool et al. 2019; Ahmadian et
      al. 2024). Unbiased, since the baseline does not depend on action k. In a group of one, the
      baseline is 0.
    - "mean": A_k = R_k - mean of all returns in the batch. Scales the expected gradient by
      1 - 1 / (batch size), since each return is part of its own baseline.
    - "group": A_k = (R_k - mean_j R_j) / (std_j R_j + 1e-8), with the biased standard deviation,
      GRPO (Shao et al. 2024, eq. 3); 0 where all R_j are equal up to rounding. Biased; invariant
      to the scale of the reward.

    Args:
        returns: (..., K), with groups along the last axis.
        baseline: one of the above.
        mask: (..., K) bool, the returns to use; all of them if None.

    Returns:
        (..., K) advantages, 0 where the mask is False.
    """
    if mask is None:
        mask = torch.ones_like(returns, dtype=torch.bool)
    returns = returns * mask
    if baseline == "none":
        return returns
    if baseline == "mean":
        return (returns - returns.sum() / mask.sum().clamp_min(1)) * mask
    size = mask.sum(-1, keepdim=True)
    total = returns.sum(-1, keepdim=True)
    if baseline == "leave_one_out":
        return (returns - (total - returns) / (size - 1).clamp_min(1)) * mask
    centered = (returns - total / size.clamp_min(1)) * mask
    deviation = (centered.square().sum(-1, keepdim=True) / size.clamp_min(1)).sqrt()
    # Equal returns differ from their mean by rounding errors, which must not become advantages.
    rounding = size * torch.finfo(returns.dtype).eps * returns.abs().amax(-1, keepdim=True)
    return torch.where(deviation > rounding, centered / (deviation + 1e-8), 0.0)

"""The choices that options name, apart from what implements them, which takes long to import."""

from __future__ import annotations

from typing import Literal

__all__ = ["Baseline", "DistributionName", "Method"]

Baseline = Literal["none", "leave_one_out", "mean", "group"]
"""Baselines of REINFORCE, computed by `agents.algorithms.baselines`."""

DistributionName = Literal["gaussian", "free_gaussian", "power_spherical"]
"""Distributions of answers; `agents.distributions.DISTRIBUTIONS` has their classes."""

Method = Literal["greedy", "csls", "best_of", "beam"]
"""Decoding methods of `agents.decode`."""

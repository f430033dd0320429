"""Devices, and tensors that share memory with arrays."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["as_shared_tensor", "resolve_device"]


def resolve_device(name: torch.device | str) -> torch.device:
    """Find an available device by name.

    SB3 would silently fall back to the CPU if the device is not available.

    Args:
        name: "auto" (CUDA if available, else the CPU), "cpu", "cuda", "cuda:1", or a device.

    Raises:
        ValueError: the device is not available; the message lists those that are.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    present = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    wanted = "cuda:0" if str(device) == "cuda" else str(device)
    if device is None or wanted not in present:
        raise ValueError(
            f"no device {str(name)!r} on this machine; available: {', '.join(present)}"
        )
    return device


def as_shared_tensor(array: NDArray[Any], device: torch.device | str = "cpu") -> Tensor:
    """A read-only array as a tensor, which shares its memory if the device is the CPU.

    Processes share texts, and nothing writes to them. This suppresses torch's warning that it does
    not support read-only tensors.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
        return torch.as_tensor(array, device=device)

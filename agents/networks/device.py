"""Where tensors live."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["as_shared_tensor", "resolve_device"]


def resolve_device(name: torch.device | str) -> torch.device:
    """The device of a name, present on this machine.

    Args:
        name: "auto" (CUDA if there is any, else the CPU), "cpu", "cuda", "cuda:1", or a device.

    Raises:
        ValueError: the device is not there; the message lists those that are. SB3 would go on
            on the CPU without a word.
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
        raise ValueError(f"no device {str(name)!r} on this machine; there are {', '.join(present)}")
    return device


def as_shared_tensor(array: NDArray[Any], device: torch.device | str = "cpu") -> Tensor:
    """A read-only array as a tensor, in the same memory where the device is the CPU.

    Texts are shared by processes, and nothing writes to them; torch, which knows no read-only
    tensors, would warn.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
        return torch.as_tensor(array, device=device)

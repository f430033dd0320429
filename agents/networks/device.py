"""Devices, and tensors that share memory with arrays."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..names import Precision

__all__ = ["as_shared_tensor", "has_fast_bfloat16", "resolve_device", "resolve_precision"]


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


@cache
def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are much faster than in float32: CUDA, and CPUs with AMX."""
    if device.type == "cuda":
        return _computes_bfloat16(device)
    # A private function that not every torch version has; without it, use float32.
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return device.type == "cpu" and bool(has_amx())


def resolve_precision(name: Precision, device: torch.device) -> Literal["float32", "bfloat16"]:
    """The precision of matrix products on a device.

    Args:
        name: "float32", "bfloat16", or "auto", which is bfloat16 where that is much faster.
        device: an available device.

    Raises:
        ValueError: the device is a GPU that only emulates bfloat16.
    """
    if name == "auto":
        return "bfloat16" if has_fast_bfloat16(device) else "float32"
    if name == "bfloat16" and device.type == "cuda" and not _computes_bfloat16(device):
        raise ValueError(
            f"{device} does not compute in bfloat16, and would emulate it, slower than float32: "
            "choose precision auto or float32"
        )
    return name


def _computes_bfloat16(device: torch.device) -> bool:
    """Whether a GPU has instructions for bfloat16; torch counts emulation by default."""
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))

"""A device as a kernel's caller sees it: memory, compiled text, launches. CUDA's driver is one; the tests have one on the CPU."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from backends.types import Array


@dataclass(frozen=True)
class Memory:
    """An array as it lies in a device's memory: `strides` in bytes, `dtype` NumPy's."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]


class Module(Protocol):
    """Compiled text: `origin` is "memory", "disk" or "compiled", `seconds` what compiling took."""

    @property
    def origin(self) -> str:
        """The origin."""

    @property
    def seconds(self) -> float:
        """Seconds of compiling; 0 where nothing was compiled."""


class Device(Protocol):
    """One device and the stream on which it works now: launches and copies run in the order in which they are asked for."""

    name: str

    def compile(self, source: str) -> Module:
        """Compile a kernel's text, through caches. Raises ToolchainError."""

    def launch(self, module: Module, kernel: str, blocks: int, threads: int, shared_bytes: int, task: ctypes.Structure) -> None:
        """Launch a kernel by its name, with one argument by value; does not wait."""

    def resident(self, module: Module, kernel: str, threads: int, shared_bytes: int) -> int:
        """How many blocks of a kernel the device runs at once."""

    def full(self, shape: tuple[int, ...], dtype: str, value: float | None) -> Array:
        """An array in the device's memory; `None`: of any numbers."""

    def upload(self, array: np.ndarray) -> Array:
        """A copy of NumPy's array in the device's memory."""

    def pack(self, parts: Sequence[Array], dtype: str) -> Array:
        """Arrays one after the other in a flat one of the working dtype, integers and truths in the room of a float."""

    def download(self, array: Array) -> np.ndarray:
        """A copy on the host; waits for what was launched."""

    def memory(self, array: Array) -> Memory:
        """The place of an array, the user's or the device's own."""

    def busy(self) -> bool:
        """Whether what was launched still runs; does not wait."""

    def peek(self, array: Array) -> np.ndarray:
        """An array as it is now, while kernels run."""

    def poke(self, array: Array, index: int, value: int) -> None:
        """Write one number of an int64 array while kernels run."""

"""Arrays of all lanes as they lie in memory, for kernels to read in place. Needs NumPy, and `lanes.h` on the other side.

Any strides (negative, zero, no multiple of the number's size), several lane axes, other numeric types, the other byte
order and read-only memory are the kernel's to read: nothing is copied, and nothing is ever written.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

Long = ctypes.c_long
Pointer = ctypes.c_void_p

KINDS = "float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()
"""Types that a kernel converts to its own as it loads them; their places are those of `number` in lanes.h."""


class Lanes:
    """An array of all lanes: the first `axes` axes of `array` are the lanes', read as one, the last one fastest.

    `dtype` is torch's name of the type that the numbers have for the kernel.

    >>> two = Lanes(np.arange(12.0)[::-1].reshape(2, 2, 3), 2, torch.float64)
    >>> two.shape, two[3]
    ((4, 3), tensor([2., 1., 0.], dtype=torch.float64))
    """

    def __init__(self, array: np.ndarray, axes: int, dtype: torch.dtype) -> None:
        self.array, self.axes, self.dtype = array, axes, dtype
        self.shape = (math.prod(array.shape[:axes]), *array.shape[axes:])

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, lane: int) -> Tensor:
        """A copy of one lane."""
        one = self.array[np.unravel_index(lane, self.array.shape[: self.axes])]
        return torch.from_numpy(np.array(one, str(self.dtype).removeprefix("torch.")))

    def new_zeros(self, shape: tuple[int, ...]) -> Tensor:
        """Zeros of the numbers' type, as torch's."""
        return torch.zeros(shape, dtype=self.dtype)


def in_place(array: Any) -> Lanes:
    """Lanes, or a tensor with a lane axis in front, as Lanes."""
    return array if isinstance(array, Lanes) else Lanes(host_view(array), 1, array.dtype)


def host_view(array: Any) -> np.ndarray:
    """The same memory as a NumPy array."""
    view: np.ndarray = array.resolve_neg().numpy() if isinstance(array, Tensor) else np.asarray(array)
    return view


def for_kernel(a: Tensor, dtype: torch.dtype) -> Tensor:
    """Floats as they are; integers in the size of a float, truth as -1 and 0.

    >>> for_kernel(torch.tensor([True, False]), torch.float32)
    tensor([-1,  0], dtype=torch.int32)
    """
    if a.is_floating_point():
        return a
    whole = a.to(torch.int64 if dtype == torch.float64 else torch.int32)
    return -whole if a.dtype == torch.bool else whole


class Input(ctypes.Structure):
    """`Input` of lanes.h."""

    _fields_ = [("first", Pointer), ("axes", Pointer), ("offset", Pointer), ("kind", Long), ("dense", Long)]


class Table:
    """The inputs of one call, and what their pointers point to."""

    def __init__(self, arrays: Sequence[Lanes]) -> None:
        self.arrays = arrays
        self.numbers = [
            (_axes(lanes), *_offsets(lanes.array.shape[lanes.axes :], lanes.array.strides[lanes.axes :], lanes.array.itemsize))
            for lanes in arrays
        ]
        self.inputs = (Input * max(1, len(arrays)))(
            *(
                Input(address(lanes.array), axes.ctypes.data, offsets.ctypes.data, _kind(lanes.array.dtype, lanes.dtype), dense)
                for lanes, (axes, offsets, dense) in zip(arrays, self.numbers, strict=True)
            )
        )

    @property
    def first(self) -> int:
        """Where the inputs stand."""
        return ctypes.addressof(self.inputs)


def empty(shape: Sequence[int], dtype: str) -> Tensor:
    """A new tensor whose numbers are not set. NumPy asks the system for large pages where it is large, torch does not.

    >>> empty((2, 3), "float32").shape
    torch.Size([2, 3])
    """
    return torch.from_numpy(np.empty(shape, dtype))


def address(array: np.ndarray) -> int:
    """Where the first number stands: of a reversed array, not the lowest address."""
    return int(array.__array_interface__["data"][0])


def _axes(lanes: Lanes) -> np.ndarray:
    """The number of lane axes, then size and stride of each, the last first; axes that follow on each other are one."""
    found: list[tuple[int, int]] = []
    for size, stride in zip(lanes.array.shape[: lanes.axes][::-1], lanes.array.strides[: lanes.axes][::-1], strict=True):
        if found and found[-1][0] * found[-1][1] == stride:
            found[-1] = (found[-1][0] * size, found[-1][1])
        elif size != 1:
            found.append((size, stride))
    found = found or [(1, 0)]
    return np.array([len(found), *(number for axis in found for number in axis)], Long)


@lru_cache(maxsize=32)
def _offsets(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> tuple[np.ndarray, bool]:
    """Bytes from a lane's first number to each of its numbers, and whether they follow one another."""
    table = np.zeros(1, Long)
    for size, stride in zip(shape, strides, strict=True):
        table = np.add.outer(table, np.arange(size, dtype=Long) * stride).reshape(-1)
    return table, bool((np.diff(table) == itemsize).all())


@lru_cache
def _kind(found: np.dtype[Any], dtype: torch.dtype) -> int:
    if found.isnative and found.name == str(dtype).removeprefix("torch."):
        return 0
    kind = 1 + KINDS.index(found.name)
    return kind if found.isnative else -kind

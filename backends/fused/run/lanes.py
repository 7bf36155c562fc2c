"""Arrays of all lanes as they lie in memory, for kernels to read in place. Needs NumPy, and `input.h` on the other side.

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

from backends.arrays import dtype_name, library

Long = ctypes.c_long
Pointer = ctypes.c_void_p

KINDS = "float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()
"""Types that a kernel converts to its own as it loads them; their places are those of `number` in input.h."""


class Lanes:
    """An array of all lanes: the first `axes` axes of `array` are the lanes', read as one, the last one fastest.

    `dtype` is the name of the type that the numbers have for the kernel.

    >>> two = Lanes(np.arange(12.0)[::-1].reshape(2, 2, 3), 2, "float64")
    >>> two.shape, two[3]
    ((4, 3), array([2., 1., 0.]))
    """

    def __init__(self, array: np.ndarray, axes: int, dtype: str) -> None:
        self.array, self.axes, self.dtype = array, axes, dtype
        self.shape = (math.prod(array.shape[:axes]), *array.shape[axes:])

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, lane: int) -> np.ndarray:
        """A copy of one lane."""
        return np.array(self.array[np.unravel_index(lane, self.array.shape[: self.axes])], self.dtype)


def in_place(array: Any) -> Lanes:
    """Lanes, or an array with a lane axis in front, as Lanes."""
    return array if isinstance(array, Lanes) else Lanes(host_view(array), 1, dtype_name(array))


def host_view(array: Any) -> np.ndarray:
    """The same memory as a NumPy array."""
    if type(array) is np.ndarray:
        return array
    view: np.ndarray = array.resolve_neg().numpy() if library(array) == "torch" else np.asarray(array)
    return view


def for_kernel(array: np.ndarray, dtype: str) -> np.ndarray:
    """Floats as they are; integers in the size of a float, truth as -1 and 0.

    >>> for_kernel(np.array([True, False]), "float32")
    array([-1,  0], dtype=int32)
    """
    if array.dtype.kind == "f":
        return array
    whole = array.astype("int64" if dtype == "float64" else "int32")
    return -whole if array.dtype.kind == "b" else whole


class Input(ctypes.Structure):
    """`Input` of input.h."""

    _fields_ = [("first", Pointer), ("axes", Pointer), ("offset", Pointer), ("kind", Long), ("dense", Long)]


class Table:
    """The inputs of one call, and what their pointers point to."""

    def __init__(self, arrays: Sequence[Lanes]) -> None:
        self.arrays = arrays
        self.maps = [
            lane_map(lanes.array.shape, lanes.array.strides, lanes.axes, lanes.array.dtype, lanes.dtype) for lanes in arrays
        ]
        self.inputs = (Input * max(1, len(arrays)))(
            *(Input(address(lanes.array), *where.fields) for lanes, where in zip(arrays, self.maps, strict=True))
        )

    @property
    def first(self) -> int:
        """Address of the inputs."""
        return ctypes.addressof(self.inputs)


class LaneMap:
    """Strides of the lane axes and offsets of a lane's numbers from its first: the fields of `Input` behind the address."""

    def __init__(self, shape: tuple[int, ...], strides: tuple[int, ...], axes: int, found: np.dtype[Any], dtype: str) -> None:
        self.axes = _axes(shape[:axes], strides[:axes])
        self.offsets, dense = _offsets(shape[axes:], strides[axes:], found.itemsize)
        self.fields = self.axes.ctypes.data, self.offsets.ctypes.data, _kind(found, dtype), dense


lane_map = lru_cache(maxsize=64)(LaneMap)


def address(array: np.ndarray) -> int:
    """Address of the first number: of a reversed array, not the lowest one."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]  # thrice as fast
    except (TypeError, ValueError):  # of strides, read-only, or without a number
        return int(array.__array_interface__["data"][0])


def _axes(shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    """The number of lane axes, then size and stride of each, the last first; axes that follow on each other are one."""
    found: list[tuple[int, int]] = []
    for size, stride in zip(shape[::-1], strides[::-1], strict=True):
        if found and found[-1][0] * found[-1][1] == stride:
            found[-1] = (found[-1][0] * size, found[-1][1])
        elif size != 1:
            found.append((size, stride))
    found = found or [(1, 0)]
    return np.array([len(found), *(number for axis in found for number in axis)], Long)


def _offsets(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> tuple[np.ndarray, bool]:
    """Bytes from a lane's first number to each of its numbers, and whether they follow one another."""
    table = np.zeros(1, Long)
    for size, stride in zip(shape, strides, strict=True):
        table = np.add.outer(table, np.arange(size, dtype=Long) * stride).reshape(-1)
    return table, bool((np.diff(table) == itemsize).all())


def _kind(found: np.dtype[Any], dtype: str) -> int:
    if found.isnative and found.name == dtype:
        return 0
    kind = 1 + KINDS.index(found.name)
    return kind if found.isnative else -kind

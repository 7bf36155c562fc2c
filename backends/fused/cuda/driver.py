"""Calls of the CUDA driver through `cuda-bindings`, within the context of a device that torch computes in.

Modules stay loaded until the process ends: a captured graph launches their kernels whenever it is replayed, and tells nobody.
"""

from __future__ import annotations

import ctypes
import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from backends.fused.build.nvrtc import REMEDY, Built
from backends.fused.build.target import ToolchainError

KERNEL = re.compile(r'^extern "C" __global__ void\s(?:__launch_bounds__\([^)]*\) )?(\w+)\(', re.MULTILINE)
"""The name of a kernel in a text."""

STATIC_SHARED = 48 * 1024
"""Bytes of shared memory that a block may have unasked."""

OLD_DRIVER = ("CUDA_ERROR_NO_BINARY_FOR_GPU", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "CUDA_ERROR_INVALID_IMAGE")


class DriverError(RuntimeError):
    """A call of the CUDA driver that failed; the text has its name for the error."""


@dataclass(frozen=True)
class Loaded:
    """A module on one device: its functions by name; origin, seconds and note of `built`, its code."""

    built: Built
    functions: dict[str, Any]

    @property
    def origin(self) -> str:
        """Source of the code: "memory", "disk" or "compiled"."""
        return self.built.origin

    @property
    def seconds(self) -> float:
        """Seconds of compiling."""
        return self.built.seconds


@cache
def bindings() -> Any:
    """The driver's functions. Raises ToolchainError where the package or the driver is missing."""
    try:
        api: Any = importlib.import_module("cuda.bindings.driver")
    except ImportError as error:
        raise ToolchainError(
            f"kernels on CUDA need the package cuda-bindings, which cannot be imported ({error}): {REMEDY}"
        ) from None
    checked(api.cuInit(0))
    return api


def checked(result: tuple[Any, ...]) -> Any:
    """The values that a function of the driver returned behind its code. Raises DriverError."""
    code, *values = result
    if int(code):
        raise DriverError(f"the CUDA driver says {code.name}")
    return values[0] if len(values) == 1 else tuple(values)


@cache
def _primary(index: int) -> Any:
    """The context that torch, as the CUDA runtime, has on a device; retained for good."""
    api = bindings()
    return checked(api.cuDevicePrimaryCtxRetain(checked(api.cuDeviceGet(index))))


@contextmanager
def on(index: int) -> Iterator[Any]:
    """The driver's functions, with the context of a device current in this thread as long as it lasts."""
    api = bindings()
    checked(api.cuCtxPushCurrent(_primary(index)))
    try:
        yield api
    finally:
        checked(api.cuCtxPopCurrent())


def load(index: int, source: str, built: Built) -> Loaded:
    """A module on a device with all kernels of its text, so that no launch has to load one: a capture would forbid it.

    Raises ToolchainError where the driver is too old for the code.
    """
    names, functions = KERNEL.findall(source), dict[str, Any]()
    with on(index) as api:
        for piece in built.module.codes:
            code, module = api.cuModuleLoadData(piece)
            if code.name in OLD_DRIVER:
                raise ToolchainError(
                    f"the CUDA driver does not take code of this NVRTC ({code.name}): update the driver, or install the "
                    "nvidia-cuda-nvrtc of the CUDA version that torch was built for"
                )
            checked((code, module))
            found = {name: api.cuModuleGetFunction(module, name.encode()) for name in names}
            functions |= {name: function for name, (code, function) in found.items() if not int(code)}
    if missing := [name for name in names if name not in functions]:
        raise DriverError(f"the code of a kernel's text has no {', '.join(missing)}")
    return Loaded(built, functions)


def resident(index: int, function: Any, threads: int, shared_bytes: int) -> int:
    """Blocks of a kernel that one multiprocessor holds at once; shared memory is asked for where it is more than usual."""
    with on(index) as api:
        if shared_bytes > STATIC_SHARED:
            most = api.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            checked(api.cuFuncSetAttribute(function, most, shared_bytes))
        return int(checked(api.cuOccupancyMaxActiveBlocksPerMultiprocessor(function, threads, shared_bytes)))


def launch(index: int, function: Any, blocks: int, threads: int, shared_bytes: int, stream: int, task: ctypes.Structure) -> None:
    """A kernel with one argument, which is copied before this returns, on a stream of the device."""
    arguments = (ctypes.c_void_p * 1)(ctypes.addressof(task))
    with on(index) as api:
        where = ctypes.addressof(arguments)
        checked(api.cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, shared_bytes, stream, where, 0))

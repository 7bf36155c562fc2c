"""The fused backend, a lane compiler: one-lane functions become native kernels in which a SIMD element, or a GPU's thread, is a lane.

    pipeline    every pass from a traced function to C++ text, in order
    ir          what a lane computes: the graph, pointwise operations
    lowering    ATen operations to the IR
    passes      deferred selects, lane branches, loops, memory
    codegen     C++ text; `native` has the headers
    build       text to a loaded library, through caches
    run         a library over many lanes, read where they lie
    cuda        kernels on a GPU, over lanes that lie there

Derivatives are the torch backend's. Neither it nor torch is loaded for a kernel that is found on disk.

A new operation is one entry in `lowering.aten` (and one in `ir.ops`, if it is pointwise and new).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backends.base import Backend, Executable, Program, too_large
from backends.errors import CompilerMissing, Unsupported
from backends.fused.build import disk_cache
from backends.fused.build.target import NoCompiler, ToolchainError
from backends.fused.run.iterate import FusedExecutable
from backends.fused.run.lanes import Lanes, host_view
from backends.stopwatch import span
from backends.types import Array


class Borrowed:
    """An operation of the torch backend, which is loaded when it is asked for."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, backend: object, owner: type) -> Any:
        with span("import"):
            torch = importlib.import_module("backends.torch").BACKEND
        return getattr(torch, self.name)


class FusedBackend(Backend):
    """torch.func's transforms, and native kernels where the arrays are: on the host, NumPy's or torch's, or torch's on a CUDA device."""

    name = "fused"
    library = "torch"
    closures = True

    load = Borrowed()
    grad = Borrowed()
    value_and_grad = Borrowed()
    jvp = Borrowed()
    vjp = Borrowed()
    jacfwd = Borrowed()
    jacrev = Borrowed()
    hessian = Borrowed()
    vmap = Borrowed()
    jit = Borrowed()
    once = Borrowed()
    examine = Borrowed()
    declared = Borrowed()
    meaning = Borrowed()

    def describe(self) -> str:
        """Vectors of lanes, each lane for itself."""
        return "one native kernel: a SIMD element is a lane, the loop over steps inside, done lanes replaced at once"

    def load_shared(self, array: Array | float, dtype: str | None, device: Any = None) -> Any:
        """An array where it is, on the host or on a CUDA device; a number as it is."""
        if type(array) in (int, float):
            return array
        if _is_cuda(device) and _is_cuda(getattr(array, "device", None)):
            tensor: Any = array
            return tensor if dtype is None else tensor.to(getattr(importlib.import_module("torch"), dtype))
        return np.asarray(host_view(array), dtype)

    def load_lanes(self, array: Array, batch: tuple[int, ...], rank: int, dtype: str, device: Any = None) -> Lanes:
        """The lanes where they lie, whatever their strides, type and byte order."""
        given: Any = array
        wide = given.resolve_neg() if _is_cuda(device) else host_view(given)
        if tuple(wide.shape[: wide.ndim - rank]) != batch:
            shape = (*batch, *wide.shape[wide.ndim - rank :])
            wide = np.broadcast_to(wide, shape) if isinstance(wide, np.ndarray) else wide.expand(shape)
        return Lanes(wide, len(batch), dtype)

    def unload(self, array: Array, library: str) -> Array:
        """The array, or one of the other library on the same memory."""
        if library == "numpy":
            return host_view(array)
        return importlib.import_module("torch").from_numpy(array) if isinstance(array, np.ndarray) else array

    def map_lanes(
        self, f: Callable[..., Any], in_axes: int | tuple[int | None, ...] | None = 0, out_axes: int | tuple[int, ...] = 0
    ) -> Callable[..., Any]:
        """vmap as a native kernel; a call raises Unsupported or TraceError where there is none for its arguments."""
        mapped: Callable[..., Any] = importlib.import_module("backends.fused.run.mapped").Mapped(f, in_axes, out_axes)
        return mapped

    def lookup(self, key: str) -> Any:
        """From the disk."""
        return disk_cache.lookup(key)

    def keep(self, key: str, value: object) -> None:
        """On disk, private to the user."""
        disk_cache.keep(key, value)

    def prepare(self, program: Program, example: Mapping[str, Array], shared: frozenset[str], device: Any = None) -> Executable:
        """Trace, lower and compile for the device of the data."""
        kind = "cpu" if device is None else device.type
        if kind not in ("cpu", "cuda"):
            raise Unsupported(f"native kernels run on the CPU and on CUDA devices, the data is on {kind}")
        if reason := too_large(program):
            raise Unsupported(reason)
        try:
            return FusedExecutable(program, example, shared) if kind == "cpu" else _on_cuda(program, example, shared, device)
        except NoCompiler as error:
            raise CompilerMissing(str(error)) from error
        except ToolchainError as error:
            raise Unsupported(str(error)) from error


def _is_cuda(device: Any) -> bool:
    """Whether a device, of torch or none, is a GPU of CUDA."""
    return getattr(device, "type", "cpu") == "cuda"


def _on_cuda(program: Program, example: Mapping[str, Array], shared: frozenset[str], device: Any) -> Executable:
    """Kernels for a CUDA device. Raises ToolchainError where NVRTC, its bindings or the driver are missing."""
    with span("import"):
        executable: Any = importlib.import_module("backends.fused.cuda.executable")
        torch_device: Any = importlib.import_module("backends.fused.cuda.torch_device")
    made: Executable = executable.CudaExecutable(program, example, shared, torch_device.cuda_device(device.index))
    return made


BACKEND: Any = FusedBackend()
__all__ = ["BACKEND", "FusedBackend"]

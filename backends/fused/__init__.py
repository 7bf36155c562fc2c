"""The fused backend, a lane compiler: one-lane functions become native kernels in which a SIMD element is a lane.

    pipeline    every pass from a traced function to C++ text, in order
    ir          what a lane computes: the graph, pointwise operations
    lowering    ATen operations to the IR
    passes      what is carried, rare, in which loop, in which room
    codegen     C++ text; `native` has the headers
    build       text to a loaded library, through caches
    run         a library over many lanes, read where they lie

A new operation is one entry in `lowering.meanings` (and one in `ir.ops`, if it is pointwise and new).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from backends.base import Array, Executable, Program, too_large
from backends.errors import Unsupported
from backends.fused.build import notes
from backends.fused.build.toolchain import ToolchainError
from backends.fused.run.iterate import FusedExecutable
from backends.fused.run.lanes import Lanes, host_view
from backends.torch import TorchBackend


class FusedBackend(TorchBackend):
    """torch.func's transforms, and native kernels on the CPU."""

    name = "fused"

    def describe(self) -> str:
        """Vectors of lanes, each lane for itself."""
        return "one native kernel: a SIMD element is a lane, the loop over steps inside, done lanes replaced at once"

    def load_lanes(self, array: Array, batch: tuple[int, ...], rank: int, dtype: str, device: Any = None) -> Array:
        """The lanes where they lie, whatever their strides, type and byte order."""
        if getattr(getattr(array, "device", None), "type", "cpu") != "cpu":
            return super().load_lanes(array, batch, rank, dtype, device)  # `prepare` says why not
        wide = host_view(array)
        wide = np.broadcast_to(wide, (*batch, *wide.shape[wide.ndim - rank :]))
        return Lanes(wide, len(batch), getattr(torch, dtype))

    def map_lanes(self, f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
        """vmap as a native kernel; a call raises Unsupported or TraceError where there is none for its arguments."""
        from backends.fused.run.mapped import Mapped

        return Mapped(f, in_axes, out_axes)

    def remembered(self, key: str, make: Callable[[], Any]) -> Any:
        """Kept on disk, private to the user."""
        return notes.remembered(key, make)

    def prepare(self, program: Program, example: Mapping[str, Array], shared: frozenset[str]) -> Executable:
        """Trace, lower and compile."""
        elsewhere = {array.device.type for array in example.values()} - {"cpu"}
        if elsewhere:
            raise Unsupported(f"native kernels run on the CPU, the data is on {elsewhere.pop()}")
        if reason := too_large(program):
            raise Unsupported(reason)
        try:
            return FusedExecutable(program, dict(example), shared)
        except ToolchainError as error:
            raise Unsupported(str(error)) from error


BACKEND: Any = FusedBackend()
__all__ = ["BACKEND", "FusedBackend"]

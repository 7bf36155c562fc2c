"""A CUDA device: memory and streams are torch's, code and launches the driver's. Needs `nvrtc` and `driver`.

All that a call launches goes on torch's current stream of the device, in order, and nothing waits but `download`, `peek` and `poke`.
Memory is torch's, so that a graph that is captured gets its own, and a neighbour on the same stream may have it next.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.errors import Unsupported
from backends.fused.build import nvrtc
from backends.fused.cuda import driver
from backends.fused.cuda.device import Memory
from backends.fused.cuda.driver import Loaded
from backends.fused.run.lanes import for_kernel, host_view
from backends.types import Array

CHUNK = 3968
"""Bytes that one launch uploads: a kernel's arguments are 4 KiB at most."""

BY_VALUE = 2**16
"""Bytes up to which host arrays travel as arguments of kernels."""

UPLOAD = f"""
struct Upload {{ unsigned char *to; long long count; unsigned char bytes[{CHUNK}]; }};
extern "C" __global__ void upload(const __grid_constant__ Upload t) {{
  for (int k = threadIdx.x; k < t.count; k += blockDim.x) t.to[k] = t.bytes[k];
}}
"""


class Upload(ctypes.Structure):
    """`Upload` of the text."""

    _fields_ = [("to", ctypes.c_void_p), ("count", ctypes.c_longlong), ("bytes", ctypes.c_ubyte * CHUNK)]


class CudaDevice:
    """The device of that number; see `device.Device` for what each method promises."""

    def __init__(self, index: int) -> None:
        about = torch.cuda.get_device_properties(index)
        self.index, self.device = index, torch.device("cuda", index)
        self.capability, self.processors = (about.major, about.minor), about.multi_processor_count
        self.name = f"{about.name}, sm_{about.major}{about.minor}"
        self._loaded: dict[str, Loaded] = {}
        self._resident: dict[tuple[Any, ...], int] = {}

    def compile(self, source: str) -> Loaded:
        """The text for this device, loaded. Raises ToolchainError."""
        if source not in self._loaded:
            self._loaded[source] = driver.load(self.index, source, nvrtc.build(source, self.capability))
        return self._loaded[source]

    def launch(self, module: Loaded, kernel: str, blocks: int, threads: int, shared_bytes: int, task: ctypes.Structure) -> None:
        """On torch's current stream."""
        stream = torch.cuda.current_stream(self.device).cuda_stream
        driver.launch(self.index, module.functions[kernel], blocks, threads, shared_bytes, stream, task)

    def resident(self, module: Loaded, kernel: str, threads: int, shared_bytes: int) -> int:
        """Multiprocessors times the blocks that one holds. Raises Unsupported where none fits."""
        function = module.functions[kernel]
        key = (id(function), threads, shared_bytes)
        if key not in self._resident:
            self._resident[key] = self.processors * driver.resident(self.index, function, threads, shared_bytes)
        if not self._resident[key]:
            raise Unsupported(
                f"{self.name} has no room for a block of {threads} threads and {shared_bytes:,} bytes of shared memory"
            )
        return self._resident[key]

    def full(self, shape: tuple[int, ...], dtype: str, value: float | None) -> Tensor:
        """Memory of torch's allocator."""
        kind = getattr(torch, dtype)
        if value is None:
            return torch.empty(shape, dtype=kind, device=self.device)
        return torch.full(shape, value, dtype=kind, device=self.device)

    def upload(self, array: np.ndarray) -> Tensor:
        """A copy on the device. Small arrays travel as arguments of kernels: no host memory is read later, by a replay neither.

        Raises Unsupported for a large one while a graph is captured.
        """
        dense = np.ascontiguousarray(array)
        if dense.nbytes <= BY_VALUE:
            found = torch.empty(dense.shape, dtype=getattr(torch, dense.dtype.name), device=self.device)
            self._send(found.data_ptr(), dense.tobytes())
            return found
        if torch.cuda.is_current_stream_capturing():
            raise Unsupported(
                f"a graph is captured, and {dense.nbytes:,} bytes of shared data lie on the host: move them to {self.device}"
            )
        pinned = torch.empty(dense.shape, dtype=getattr(torch, dense.dtype.name), pin_memory=True)
        pinned.numpy()[...] = dense
        return pinned.to(self.device, non_blocking=True)

    def _send(self, address: int, content: bytes) -> None:
        for first in range(0, len(content), CHUNK):
            piece = content[first : first + CHUNK]
            task = Upload(address + first, len(piece))
            ctypes.memmove(task.bytes, piece, len(piece))
            self.launch(self._upload, "upload", 1, 128, 0, task)

    @cached_property
    def _upload(self) -> Loaded:
        return self.compile(UPLOAD)

    def pack(self, parts: Sequence[Array], dtype: str) -> Tensor:
        """One upload of all that is on the host, and copies on the device of the rest."""
        pieces = [self._flat(part, dtype) if isinstance(part, Tensor) and part.is_cuda else flat(part, dtype) for part in parts]
        sent = self.upload(np.concatenate([*(piece for piece in pieces if isinstance(piece, np.ndarray)), np.empty(0, dtype)]))
        found, first = [], 0
        for piece in pieces:
            if isinstance(piece, Tensor):
                found.append(piece)
            else:
                found.append(sent[first : first + len(piece)])
                first += len(piece)
        return sent if len(sent) == sum(map(len, pieces)) else torch.cat(found)

    def _flat(self, array: Tensor, dtype: str) -> Tensor:
        """The numbers of a tensor in a row, as `flat` has them of a host array. Raises Unsupported for one that is elsewhere."""
        self.memory(array)
        kind, whole = getattr(torch, dtype), torch.int64 if dtype == "float64" else torch.int32
        if array.is_floating_point():
            return array.to(kind).reshape(-1)
        numbers = -array.to(whole) if array.dtype == torch.bool else array.to(whole)
        return numbers.reshape(-1).view(kind)

    def download(self, array: Tensor) -> np.ndarray:
        """A copy on the host, when all that was launched before is done."""
        found: np.ndarray = array.cpu().numpy()
        return found

    def memory(self, array: Tensor) -> Memory:
        """An array as a kernel reads it. Raises Unsupported for one that is elsewhere."""
        if array.device != self.device:
            raise Unsupported(
                f"an array on {array.device} among those on {self.device}: nothing moves silently; use .to({self.device})"
            )
        strides = tuple(stride * array.element_size() for stride in array.stride())
        return Memory(array.data_ptr(), tuple(array.shape), strides, np.dtype(str(array.dtype).removeprefix("torch.")))

    def busy(self) -> bool:
        """Whether the current stream has work left."""
        return not torch.cuda.current_stream(self.device).query()

    @cached_property
    def _aside(self) -> torch.cuda.Stream:
        """A stream for copies while kernels run: a kernel would find no room beside persistent blocks."""
        return torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]

    def peek(self, array: Tensor) -> np.ndarray:
        """The numbers of an array now, whatever runs."""
        pinned = torch.empty(array.shape, dtype=array.dtype, pin_memory=True)
        with torch.cuda.stream(self._aside):
            pinned.copy_(array, non_blocking=True)
        self._aside.synchronize()
        return pinned.numpy()

    def poke(self, array: Tensor, index: int, value: int) -> None:
        """One number of an array of one axis now, whatever runs."""
        pinned = torch.full((1,), value, dtype=array.dtype, pin_memory=True)
        with torch.cuda.stream(self._aside):
            array[index : index + 1].copy_(pinned, non_blocking=True)
        self._aside.synchronize()


def flat(array: Array, dtype: str) -> np.ndarray:
    """The numbers of a host array in a row in the working dtype; integers in the room of a float, truths as -1 and 0.

    >>> flat(np.array([[True, False]]), "float32").view("int32")
    array([-1,  0], dtype=int32)
    """
    numbers = for_kernel(host_view(array), dtype).reshape(-1)
    return numbers.astype(dtype) if numbers.dtype.kind == "f" else numbers.view(dtype)


@cache
def cuda_device(index: int) -> CudaDevice:
    """The device of that number, once a process."""
    return CudaDevice(index)

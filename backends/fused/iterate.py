"""A compiled kernel over many lanes: arrays in place, results in new ones, an interrupt between chunks of steps.

Needs `kernel` for the source and its layouts, `toolchain` for the library.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from backends.base import Inputs, Outcome, Program, Run
from backends.fused.kernel import Kernel, Leaf, build
from backends.fused.notes import remembered
from backends.fused.toolchain import build as compile_library
from backends.fused.toolchain import host_target
from backends.torch.iterate import random_lane
from backends.tree import unflatten

Long = ctypes.c_long
Pointer = ctypes.c_void_p

PATIENT = 2e7
"""Estimated flops of a call beyond which it runs in a thread of its own, so that an interrupt gets through."""

POLL = 0.05
"""Seconds between two looks at the progress of such a call."""


class Task(ctypes.Structure):
    """`Task` of runtime.h."""

    _fields_ = [
        *((name, Pointer) for name in ("inputs", "stride", "offset", "shared", "outputs", "history")),
        *((name, Long) for name in ("lanes", "max_steps", "rows", "keep", "threads")),
        *((name, Pointer) for name in ("stop", "done", "lane_steps")),
    ]


class FusedExecutable:
    """A program compiled for the shapes of one example lane."""

    def __init__(self, program: Program, example: dict[str, Tensor], shared: frozenset[str]) -> None:
        target = host_target()
        like = [(name, tuple(a.shape), str(a.dtype), name in shared) for name, a in example.items()]
        key = program.key and repr((program.key, target.name, target.vector_bytes, like))
        self.kernel = Kernel.from_fields(
            remembered(key, lambda: asdict(build(program, [random_lane(example, seed) for seed in (1, 2)], shared, target)))
        )
        self.library = compile_library(self.kernel.source, target)
        built = (
            f"compiled in {self.library.seconds:.2g} s"
            if self.library.origin == "compiled"
            else f"from the {self.library.origin} cache"
        )
        self.about = (
            f"native, {target.name}, {self.kernel.width} lanes a vector, {self.kernel.flops:,} flops a lane-step, "
            f"{len(self.kernel.source) // 1024:,} KiB of source, {self.kernel.working_set // 1024:,} KiB a thread, {built}"
            f"{'; ' + self.library.note if self.library.note else ''}"
        )

    def iterate(self, inputs: Inputs, run: Run) -> Outcome:
        """Run all lanes; see `backends.base`."""
        kernel = self.kernel
        given = [inputs[leaf.name] for leaf in kernel.lane_inputs]
        shared = self._shared(inputs)
        outputs = [torch.empty((run.lanes, *leaf.shape), dtype=getattr(torch, leaf.dtype)) for leaf in kernel.results]
        rows = -(-run.max_steps // run.history) if run.history else 0
        dtype = getattr(torch, kernel.dtype)
        history = torch.full((run.lanes, rows), torch.nan, dtype=dtype) if run.history else None
        counters = (Long * 4)()  # stop, done, next, lane steps
        threads = max(1, min(torch.get_num_threads(), -(-run.lanes // kernel.width)))
        offsets = [_offsets(leaf, array) for leaf, array in zip(kernel.lane_inputs, given, strict=True)]
        base = ctypes.addressof(counters)
        size = ctypes.sizeof(Long)
        tables = [
            _array(Pointer, [array.data_ptr() for array in given]),
            _array(Long, [array.stride(0) * array.element_size() for array in given]),
            _array(Pointer, [ctypes.addressof(table) for table in offsets]),
            _array(Pointer, [array.data_ptr() for array in outputs]),
        ]
        first, stride, offset, results_at = (ctypes.addressof(table) for table in tables)
        task = Task(
            first, stride, offset, shared.data_ptr(), results_at, history.data_ptr() if history is not None else None,
            run.lanes, run.max_steps, rows, max(1, run.history), threads,
            base, base + size, base + 3 * size,
        )  # fmt: skip
        if run.lanes:
            self._call(task, counters, run)
        results = unflatten(kernel.form, outputs)
        if history is not None:
            longest = int(results["steps"].max()) if run.lanes else 0
            history = history[:, : -(-longest // run.history)]
        return Outcome(results, history, int(counters[3]), kernel=self.about)

    def _call(self, task: Task, counters: Any, run: Run) -> None:
        """The call, in a thread of its own where it may take long."""
        failed: list[int] = []

        def call() -> None:
            failed.append(self.library.handle.solve(ctypes.byref(task)))

        if self.kernel.flops * run.lanes * run.max_steps < PATIENT:
            call()
        else:
            worker = threading.Thread(target=call, daemon=True)
            worker.start()
            try:
                while worker.is_alive():
                    worker.join(POLL)
                    if run.progress is not None:
                        run.progress(int(counters[1]))
            except BaseException:
                counters[0] = 1
                worker.join()
                raise
        if failed != [0]:
            raise MemoryError("a block of lanes found no memory")

    def _shared(self, inputs: Inputs) -> Tensor:
        """Inputs that all lanes share, one after the other; integers in the space of a float."""
        kernel = self.kernel
        dtype = getattr(torch, kernel.dtype)
        whole = torch.int64 if kernel.dtype == "float64" else torch.int32
        parts = [
            inputs[leaf.name].to(dtype).reshape(-1)
            if leaf.dtype.startswith("float")
            else inputs[leaf.name].to(whole).reshape(-1).view(dtype)
            for leaf in kernel.shared_inputs
        ]
        return torch.cat(parts) if parts else torch.zeros(1, dtype=dtype)


def _array(kind: Any, values: list[int]) -> Any:
    return (kind * max(1, len(values)))(*values)


def _offsets(leaf: Leaf, array: Tensor) -> Any:
    """Bytes from a lane's first number to each of its numbers, by the array's own strides."""
    return _table(leaf.shape, array.stride()[1:], array.element_size())


@lru_cache(256)
def _table(shape: tuple[int, ...], strides: tuple[int, ...], width: int) -> Any:
    table = [0]
    for size, stride in zip(shape, strides, strict=True):
        table = [start + k * stride * width for start in table for k in range(size)]
    return _array(Long, table)

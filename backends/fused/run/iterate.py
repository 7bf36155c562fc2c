"""A compiled kernel over many lanes: arrays in place, results in new ones, an interrupt between chunks of steps.

Needs `kernel` for the source and its layouts, `toolchain` for the library.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.base import Inputs, Outcome, Program, Run
from backends.fused.build.notes import remembered
from backends.fused.build.toolchain import Library, host_target
from backends.fused.build.toolchain import build as compile_library
from backends.fused.codegen.kernel import Kernel, build, headers
from backends.fused.run.lanes import Long, Pointer, Table, empty, for_kernel, host_view, in_place
from backends.torch.iterate import random_lane
from backends.tree import unflatten

PATIENT = 2e7
"""Estimated flops of a call beyond which it runs in a thread of its own, so that an interrupt gets through."""

POLL = 0.05
"""Seconds between two looks at the progress of such a call."""

SHARE = 2e5
"""Estimated flops that are worth a thread of their own: it takes some 20 microseconds to start one."""


class Task(ctypes.Structure):
    """`Task` of runtime.h."""

    _fields_ = [
        *((name, Pointer) for name in ("inputs", "shared", "outputs", "history")),
        *((name, Long) for name in ("lanes", "max_steps", "rows", "keep", "threads")),
        *((name, Pointer) for name in ("stop", "done", "lane_steps")),
    ]


class FusedExecutable:
    """A program compiled for the shapes of one example lane."""

    def __init__(self, program: Program, example: dict[str, Tensor], shared: frozenset[str]) -> None:
        target = host_target()
        like = [(name, tuple(a.shape), str(a.dtype), name in shared) for name, a in example.items()]
        name = program.key()
        key = name and repr((name, headers(), target.name, target.vector_bytes, like))
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
        given = Table([in_place(inputs[leaf.name]) for leaf in kernel.lane_inputs])
        shared = self._shared(inputs)
        outputs = [empty((run.lanes, *leaf.shape), leaf.dtype) for leaf in kernel.results]
        rows = -(-run.max_steps // run.history) if run.history else 0
        dtype = getattr(torch, kernel.dtype)
        history = torch.full((run.lanes, rows), torch.nan, dtype=dtype) if run.history else None
        counters = (Long * 4)()  # stop, done, next, lane steps
        results_at = pointers(outputs)
        base = ctypes.addressof(counters)
        size = ctypes.sizeof(Long)
        task = Task(
            given.first, shared.ctypes.data, ctypes.addressof(results_at), history.data_ptr() if history is not None else None,
            run.lanes, run.max_steps, rows, max(1, run.history), threads(run.lanes, kernel.width, self._work(run)),
            base, base + size, base + 3 * size,
        )  # fmt: skip
        if run.lanes:
            self._call(task, counters, run, (inputs, given, shared, outputs, results_at, history))
        results = unflatten(kernel.form, outputs)
        if history is not None:
            longest = int(results["steps"].max()) if run.lanes else 0
            history = history[:, : -(-longest // run.history)]
        return Outcome(results, history, int(counters[3]), kernel=self.about)

    def _work(self, run: Run) -> float:
        """Estimated flops of a call."""
        return float(run.lanes) * (self.kernel.once + self.kernel.flops * run.max_steps)

    def _call(self, task: Task, counters: Any, run: Run, memory: tuple[Any, ...]) -> None:
        """The call, in a thread of its own where it may take long.

        The thread owns the memory that the kernel reads and writes, and the library: a second interrupt, while the thread is
        on its way to its next look at `stop`, ends the waiting but frees nothing that it uses.
        """
        failed: list[int] = []
        if self._work(run) < PATIENT:
            _solve(self.library, task, counters, memory, failed)
        else:
            worker = threading.Thread(target=_solve, args=(self.library, task, counters, memory, failed), daemon=True)
            try:
                worker.start()
                while worker.is_alive():
                    worker.join(POLL)
                    if run.progress is not None:
                        run.progress(int(counters[1]))
            except BaseException:
                counters[0] = 1
                with contextlib.suppress(RuntimeError):  # of a thread that had not begun
                    worker.join()
                raise
        if run.progress is not None:
            run.progress(int(counters[1]))
        if failed != [0]:
            raise MemoryError("a block of lanes found no memory")

    def _shared(self, inputs: Inputs) -> np.ndarray:
        """Inputs that all lanes share, one after the other; integers in the space of a float."""
        leaves = self.kernel.shared_inputs
        numbers = np.zeros(max(1, sum(leaf.size for leaf in leaves)), self.kernel.dtype)
        whole = numbers.view("int64" if self.kernel.dtype == "float64" else "int32")
        for leaf in leaves:
            into = numbers if leaf.dtype.startswith("float") else whole
            given = for_kernel(inputs[leaf.name], getattr(torch, self.kernel.dtype))
            into[leaf.offset : leaf.offset + leaf.size] = host_view(given).reshape(-1)
        return numbers


def _solve(library: Library, task: Task, counters: Any, memory: tuple[Any, ...], failed: list[int]) -> None:
    """The kernel's loop. The arguments keep alive what the task points to."""
    failed.append(library.handle.solve(ctypes.byref(task)))


def pointers(tensors: Sequence[Tensor]) -> ctypes.Array[Pointer]:
    """Where tensors stand."""
    return (Pointer * max(1, len(tensors)))(*(tensor.data_ptr() for tensor in tensors))


def threads(lanes: int, width: int, work: float) -> int:
    """As many threads as torch has, but no more than have a vector of lanes, and work that is worth a thread's start."""
    return max(1, min(torch.get_num_threads(), -(-lanes // width), int(work / SHARE)))

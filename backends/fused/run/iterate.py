"""A compiled kernel over many lanes: arrays in place, results in new ones, an interrupt between chunks of steps.

Needs `layout` for what a kernel reads and gives, `toolchain` for the library, and NumPy. A kernel whose text is on disk loads
neither torch nor the compiler that wrote it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from backends.alone import ALONE, loaded_torch
from backends.arrays import dtype_name
from backends.base import Executable, Inputs, Outcome, Program, Run
from backends.fused.build.disk_cache import cached
from backends.fused.build.toolchain import Library, Parts, Target, build, host_target, processors
from backends.fused.codegen.layout import Field, Kernel
from backends.fused.native import headers
from backends.fused.run.lanes import Long, Pointer, Table, address, for_kernel, in_place
from backends.stopwatch import span
from backends.tree import unflatten
from backends.types import Array

WRITER = "backends.fused.codegen.kernel"
"""The module that writes kernels, loaded when there is one to write."""

ASYNC_FLOPS = 2e7
"""Estimated flops of a call beyond which it runs in a thread of its own, so that an interrupt gets through."""

POLL = 0.05
"""Seconds between two looks at the progress of such a call."""

FLOPS_PER_THREAD = 2e5
"""Estimated flops that are worth a thread of their own: it takes some 20 microseconds to start one."""


def _written(
    program: Program, example: Mapping[str, Array], shared: frozenset[str], target: Target, begin: Callable[[str], None]
) -> dict[str, Any]:
    """The fields of a new kernel."""
    with span("import"):
        writer = importlib.import_module(WRITER)
    return asdict(writer.build(program, example, shared, target, begin))


class Task(ctypes.Structure):
    """`Task` of runtime.h."""

    _fields_ = [
        *((name, Pointer) for name in ("inputs", "shared", "outputs", "history")),
        *((name, Long) for name in ("lanes", "max_steps", "rows", "keep", "threads")),
        *((name, Pointer) for name in ("stop", "done", "lane_steps")),
    ]


class FusedExecutable(Executable):
    """A program compiled for the shapes of one example lane."""

    def __init__(self, program: Program, example: Mapping[str, Array], shared: frozenset[str]) -> None:
        target = host_target()
        like = [(name, tuple(a.shape), dtype_name(a), name in shared) for name, a in example.items()]
        with Parts(target) as parts:
            make = partial(_written, program, example, shared, target, parts.begin)
            with ALONE:
                name = program.key()
                key = name and repr((name, headers(), target.name, target.vector_bytes, like))
                self.kernel = Kernel.from_fields(cached(key, make, lambda: program.key() == name))
            self.library = build(self.kernel.source, target, parts)
        self.shared = Shared(self.kernel.shared_inputs, self.kernel.dtype)
        self.results = [(leaf.shape, np.dtype(leaf.dtype)) for leaf in self.kernel.results]
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
        shared = self.shared.packed(inputs)
        outputs = [np.empty((run.lanes, *shape), dtype) for shape, dtype in self.results]
        rows = -(-run.max_steps // run.history) if run.history else 0
        history = np.full((run.lanes, rows), np.nan, kernel.dtype) if run.history else None
        counters = (Long * 4)()  # stop, done, next, lane steps
        results_at = pointers(outputs)
        base = ctypes.addressof(counters)
        size = ctypes.sizeof(Long)
        task = Task(
            given.first, ctypes.addressof(shared), ctypes.addressof(results_at), None if history is None else address(history),
            run.lanes, run.max_steps, rows, max(1, run.history), threads(run.lanes, kernel.width, self._work(run)),
            base, base + size, base + 3 * size,
        )  # fmt: skip
        if run.lanes:
            self._call(task, counters, run, (inputs, given, shared, outputs, results_at, history))
        results = unflatten(kernel.form, outputs)
        if history is not None:
            longest = int(results["steps"].max()) if run.lanes else 0
            history = history[:, : -(-longest // run.history)]
        return Outcome(results, history, int(counters[3]))

    def _work(self, run: Run) -> float:
        """Estimated flops of a call."""
        return float(run.lanes) * (self.kernel.once + self.kernel.flops * run.max_steps)

    def _call(self, task: Task, counters: Any, run: Run, memory: tuple[Any, ...]) -> None:
        """The call, in a thread of its own where it may take long.

        The thread owns the memory that the kernel reads and writes, and the library: a second interrupt, while the thread is
        on its way to its next look at `stop`, ends the waiting but frees nothing that it uses.
        """
        failed: list[int] = []
        if self._work(run) < ASYNC_FLOPS:
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


class Shared:
    """Inputs that all lanes share, packed as a kernel reads them: one after the other, integers in the space of a float."""

    def __init__(self, leaves: Sequence[Field], dtype: str) -> None:
        self.leaves, self.dtype = leaves, dtype
        floating, whole = ("d", "q") if dtype == "float64" else ("f", "i")
        size = 8 if dtype == "float64" else 4
        kinds = [floating if leaf.dtype.startswith("float") else whole for leaf in leaves]
        self.form = struct.Struct(
            "=" + "".join(f"{n.size * size}s" if n.shape else kind for n, kind in zip(leaves, kinds, strict=True))
        )

    def packed(self, inputs: Inputs) -> ctypes.Array[ctypes.c_char]:
        """The numbers of a call."""
        found = ctypes.create_string_buffer(self.form.size + 1)
        self.form.pack_into(found, 0, *[self._one(leaf, inputs[leaf.name]) for leaf in self.leaves])
        return found

    def _one(self, leaf: Field, value: Any) -> Any:
        """A number; the bytes of an array."""
        if type(value) not in (int, float):
            value = for_kernel(value, self.dtype)
            return value.tobytes() if leaf.shape else value.item()
        return value if self.dtype == "float64" or type(value) is int else float(np.float32(value))


def _solve(library: Library, task: Task, counters: object, memory: tuple[Any, ...], failed: list[int]) -> None:
    """The kernel's loop. The arguments keep alive what the task points to."""
    failed.append(library.handle.solve(ctypes.byref(task)))


def pointers(arrays: Sequence[np.ndarray]) -> ctypes.Array[Pointer]:
    """Addresses of arrays."""
    return (Pointer * max(1, len(arrays)))(*map(address, arrays))


def threads(lanes: int, width: int, work: float) -> int:
    """As many threads as torch has, but no more than have a vector of lanes, and work that is worth a thread's start."""
    most = min(-(-lanes // width), int(work / FLOPS_PER_THREAD))
    return min(_torch_threads(), most) if most > 1 else 1


def _torch_threads() -> int:
    """The threads that torch has been given, or would start with."""
    torch = loaded_torch()
    if torch is not None:
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return min(int(asked), processors()) if asked.isdecimal() and int(asked) else processors()

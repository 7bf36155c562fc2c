"""A program as CUDA kernels over many lanes: inputs in place, results in new arrays of the device, a wave of lanes at a time.

Needs `device` for memory and launches, `codegen.kernel` for the text. Nothing waits for the device but a call with `progress` or
`history`.
"""

from __future__ import annotations

import ctypes
import importlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from backends.arrays import dtype_name
from backends.base import Executable, Inputs, Outcome, Program, Run
from backends.fused.build.disk_cache import cached
from backends.fused.build.target import cuda_target
from backends.fused.codegen.layout import CudaKernel
from backends.fused.cuda.device import Device
from backends.fused.native import cuda_headers
from backends.fused.run.iterate import POLL, WRITER
from backends.fused.run.lanes import Input, LaneMap, Long, Pointer, in_place, lane_map
from backends.stopwatch import span
from backends.tree import unflatten
from backends.types import Array

WAVE_BYTES = 1 << 28
"""Memory for the inputs and states of a wave of lanes."""

TILE = 32
"""Lanes whose numbers stand together; `TILE` of block.cuh."""

COLD_THREADS = 128
"""Threads of a block of the kernels that run once a lane."""


class Task(ctypes.Structure):
    """`Task` of runtime.cuh."""

    _fields_ = [
        *((name, Pointer) for name in "inputs_table outputs shared history inputs states scratch counters next".split()),
        *((name, Long) for name in "first count max_steps rows keep".split()),
    ]


def _written(program: Program, example: Mapping[str, Array], shared: frozenset[str]) -> dict[str, Any]:
    """The fields of a new kernel."""
    with span("import"):
        writer = importlib.import_module(WRITER)
    return asdict(writer.build(program, example, shared, cuda_target(), lambda text: None))


class CudaExecutable(Executable):
    """A program compiled for the shapes of one example lane, and a device.

    Raises NotLowered where the program has no kernel, ToolchainError where the device's compiler fails.
    """

    def __init__(self, program: Program, example: Mapping[str, Array], shared: frozenset[str], device: Device) -> None:
        self.device = device
        like = [(name, tuple(a.shape), dtype_name(a), name in shared) for name, a in example.items()]
        name = program.key()
        key = name and repr((name, cuda_headers(), "cuda", like))
        make = partial(_written, program, example, shared)
        self.kernel = CudaKernel.from_fields(cached(key, make, lambda: program.key() == name))
        with span("compile"):
            self.module = device.compile(self.kernel.source)
        self.item = np.dtype(self.kernel.dtype).itemsize
        self.lane_numbers = self.kernel.sizes["N_INPUT"] + self.kernel.sizes["N_STATE"]
        built = (
            f"compiled in {self.module.seconds:.2g} s"
            if self.module.origin == "compiled"
            else f"from the {self.module.origin} cache"
        )
        place = "registers" if self.kernel.mapping == "registers" else f"{self.kernel.mapping} memory"
        self.about = (
            f"native, {device.name}, a thread a lane, its numbers in {place}, {self.kernel.lanes} threads a block, "
            f"{self.kernel.flops:,} flops a lane-step, {len(self.kernel.source) // 1024:,} KiB of source, {built}"
        )

    def iterate(self, inputs: Inputs, run: Run) -> Outcome:
        """Run all lanes; see `backends.base`."""
        kernel, device = self.kernel, self.device
        outputs = [device.full((run.lanes, *leaf.shape), leaf.dtype, None) for leaf in kernel.results]
        rows = -(-run.max_steps // run.history) if run.history else 0
        history = device.full((run.lanes, rows), kernel.dtype, math.nan) if run.history else None
        counters = self._solved(inputs, run, outputs, history, rows)
        results = unflatten(kernel.form, outputs)
        if history is not None:
            longest = int(device.download(results["steps"]).max()) if run.lanes else 0
            history = history[:, : -(-longest // run.history)]
        return Outcome(results, history, counters[2])

    def _solved(self, inputs: Inputs, run: Run, outputs: Sequence[Array], history: Array | None, rows: int) -> Array:
        """Launch all kernels of a call; the counters: stop, lanes done, lane-steps, and how far each wave is."""
        kernel, device = self.kernel, self.device
        # kept until all is launched: freed memory is the next array's, which is written first
        tables = self._tables(inputs, outputs)
        room = [device.full((kernel.sizes["N_HOISTED"],), kernel.dtype, 0.0)] if kernel.sizes["N_HOISTED"] else []
        shared = device.pack([*self._shared(inputs), *room, np.zeros(1)], kernel.dtype)
        blocks = self._blocks(run.lanes)
        wave = self._wave(run.lanes, blocks["lw_solve"] * kernel.lanes)
        waves = -(-run.lanes // wave)
        counters = device.full((3 + waves,), "int64", 0)
        scratch = device.full((self._scratch(blocks),), kernel.dtype, None)
        states = device.full((wave * (self.lane_numbers),), kernel.dtype, None)
        if run.progress is not None:
            device.download(counters)  # or a peek would see what the memory held before
        table_at, counters_at, states_at = (device.memory(array).address for array in (tables[0], counters, states))
        task = Task(
            table_at, table_at + len(kernel.lane_inputs) * ctypes.sizeof(Input), device.memory(shared).address,
            None if history is None else device.memory(history).address,
            states_at, states_at + wave * kernel.sizes["N_INPUT"] * self.item, device.memory(scratch).address, counters_at, 0,
            0, 0, run.max_steps, rows, max(1, run.history),
        )  # fmt: skip
        if kernel.sizes["N_HOISTED"] and run.lanes:
            device.launch(self.module, "lw_hoist", 1, 1, 0, task)
        for k in range(waves):
            task.first, task.count, task.next = k * wave, min(wave, run.lanes - k * wave), counters_at + 8 * (3 + k)
            for name, count in blocks.items():
                device.launch(self.module, name, count, *self._block(name), task)
        if run.progress is not None:
            self._watch(counters, run.progress)
        return counters

    def _watch(self, counters: Array, progress: Callable[[int], None]) -> None:
        """Wait for a call, and tell how many lanes are done."""
        try:
            while self.device.busy():
                time.sleep(POLL)
                progress(int(self.device.peek(counters)[1]))
        except BaseException:
            while self.device.busy():  # a poke before the counters are zeros would be lost
                self.device.poke(counters, 0, 1)
                time.sleep(POLL)
            raise

    def _tables(self, inputs: Inputs, outputs: Sequence[Array]) -> tuple[Array, Array]:
        """The inputs' table, with the outputs' addresses behind it, and the array of strides and offsets that it points into.

        Both are made in every call: what an upload writes while a graph is captured is there only when the graph runs.
        """
        own = [in_place(inputs[leaf.name]) for leaf in self.kernel.lane_inputs]
        places = [self.device.memory(lanes.array) for lanes in own]
        found = [lane_map(m.shape, m.strides, lanes.axes, m.dtype, lanes.dtype) for m, lanes in zip(places, own, strict=True)]
        maps, starts = self._maps(found)
        at = self.device.memory(maps).address
        numbers = [
            number
            for where, lane, (axes, offsets) in zip(places, found, starts, strict=True)
            for number in (where.address, at + 8 * axes, at + 8 * offsets, *lane.fields[2:])
        ]
        numbers += [self.device.memory(array).address for array in outputs]
        return self.device.upload(np.array([*numbers, 0], np.int64)), maps

    def _maps(self, maps: Sequence[LaneMap]) -> tuple[Array, list[tuple[int, int]]]:
        """Strides and offsets of all inputs in the device's memory, and where each input's begin."""
        parts = [part for lane in maps for part in (lane.axes, lane.offsets)]
        starts = np.cumsum([0, *(part.size for part in parts)]).tolist()
        array = self.device.upload(np.concatenate([*parts, np.zeros(1, np.int64)]))
        return array, list(zip(starts[:-1:2], starts[1::2], strict=True))

    def _shared(self, inputs: Inputs) -> list[Array]:
        """The shared inputs, Python's numbers as arrays."""
        given: list[tuple[Any, str]] = [(inputs[leaf.name], leaf.dtype) for leaf in self.kernel.shared_inputs]
        return [np.asarray(value, dtype) if type(value) in (int, float) else value for value, dtype in given]

    def _block(self, name: str) -> tuple[int, int]:
        """Threads and bytes of shared memory of a block of a kernel."""
        return (self.kernel.lanes, self.kernel.shared_bytes) if name == "lw_solve" else (COLD_THREADS, 0)

    def _blocks(self, lanes: int) -> dict[str, int]:
        """The kernels of a wave in order, and the blocks of each: as many as run at once, for threads go on to other lanes."""
        found = {}
        for name in ("lw_init", "lw_solve", "lw_postprocess"):
            threads, shared_bytes = self._block(name)
            most = self.device.resident(self.module, name, threads, shared_bytes)
            found[name] = max(1, min(most, -(-lanes // threads)))
        return found

    def _scratch(self, blocks: Mapping[str, int]) -> int:
        """Numbers of scratch for all threads of the largest kernel."""
        sizes = self.kernel.sizes
        threads = max(count * self._block(name)[0] for name, count in blocks.items())
        return max(threads * (sizes["N_SCRATCH"] + sizes["N_RESULT"]), sizes["N_HOISTED"] + sizes["N_HOIST"]) + 1

    def _wave(self, lanes: int, threads: int) -> int:
        """Lanes of a wave, of whole tiles: what `WAVE_BYTES` holds, but one for every thread of `lw_solve`."""
        most = max(threads, WAVE_BYTES // (self.lane_numbers * self.item))
        return max(1, -(-min(lanes, most) // TILE)) * TILE

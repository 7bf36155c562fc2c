"""A function of one lane over many lanes, as a native kernel without a loop of steps. Needs `kernel`, `iterate`, `toolchain`.

    run = Mapped(f, in_axes, out_axes)      the fused form of vmap(f, in_axes, out_axes)
    run(*args)                              raises Unsupported or TraceError where there is none

A kernel serves one structure of arguments: shapes of a lane, dtypes, which are shared. The number of lanes is free.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.alone import ALONE
from backends.errors import Unsupported
from backends.fused.build.toolchain import ToolchainError, build, host_target
from backends.fused.codegen.emit import Emitter
from backends.fused.codegen.kernel import SOURCE_LIMIT
from backends.fused.codegen.layout import Field, layout, packed
from backends.fused.codegen.operands import Address, ConstantPool
from backends.fused.codegen.source import Part, assembled, function_text, loader, storer
from backends.fused.ir.graph import View
from backends.fused.lowering.lower import NotLowered, dtype_name
from backends.fused.native import header
from backends.fused.pipeline import written
from backends.fused.run.iterate import pointers, threads
from backends.fused.run.lanes import Long, Pointer, Table, address, for_kernel, host_view, in_place
from backends.torch.iterate import random_lane
from backends.torch.trace import Traced
from backends.tree import Tree, leaves, unflatten


class Task(ctypes.Structure):
    """`Task` of map.h."""

    _fields_ = [
        *((name, Pointer) for name in ("inputs", "shared", "outputs")),
        *((name, Long) for name in ("lanes", "threads")),
    ]


class MapKernel:
    """A compiled one-lane function for the shapes and dtypes of one example."""

    def __init__(self, function: Callable[..., Tree], example: Sequence[Tensor], shared: frozenset[int]) -> None:
        self.dtype = _working(example)
        if self.dtype == torch.float32 and any(a.dtype == torch.int64 for a in example):
            raise NotLowered("int64 beside float32")
        names = [f"x{k}" for k in range(len(example))]
        lanes = [list(random_lane(dict(zip(names, example, strict=True)), seed).values()) for seed in (1, 2)]
        traced = Traced(function, [tuple(lane) for lane in lanes], for_torch_kernels=False)
        tables, given = ConstantPool(dtype_name(self.dtype)), layout(names, list(example))
        own = packed([leaf for k, leaf in enumerate(given) if k not in shared])
        common = packed([leaf for k, leaf in enumerate(given) if k in shared])
        places = {leaf.name: Address("in", leaf.offset) for leaf in own} | {
            leaf.name: Address("sh", leaf.offset, True) for leaf in common
        }

        def results(outputs: list[View]) -> list[tuple[Field, Address]]:
            found = _roomy(layout([f"r{k}" for k in range(len(outputs))], outputs), self.dtype)
            return [(leaf, Address("r", leaf.offset)) for leaf in found]

        made = written(traced, [(leaf, places[leaf.name]) for leaf in given], results, tables, (2, 2))
        self.form, self.shared = traced.output, shared
        self.emitter, self.results = made.emitter, [leaf for leaf, _ in made.results]
        self.leaves = own
        target = host_target()
        self.width = target.width(dtype_name(self.dtype))
        self.source = _source(self.emitter, own, self.results, tables, self.dtype, self.width)
        if len(self.source) > SOURCE_LIMIT:
            raise NotLowered("a kernel", f"its source has {len(self.source):,} characters, more than {SOURCE_LIMIT:,}")
        self.work = self.emitter.flops() + sum(leaf.size for leaf in (*own, *self.results))
        self.library = build(self.source, target)

    def __call__(self, arrays: Sequence[Tensor], lanes: int) -> Tree:
        """The results, with a leading lane axis. Lane arrays have theirs in front."""
        dtype = dtype_name(self.dtype)
        native = [for_kernel(host_view(a), dtype) for a in arrays]
        own = [a for k, a in enumerate(native) if k not in self.shared]
        parts = [a.reshape(-1).view(dtype) for k, a in enumerate(native) if k in self.shared]
        common = np.concatenate(parts) if parts else np.zeros(1, dtype)
        outputs = [np.empty((lanes, *leaf.shape), leaf.dtype) for leaf in self.results]
        given, results_at = Table([in_place(a) for a in own]), pointers(outputs)
        count = threads(lanes, self.width, lanes * self.work)
        task = Task(given.first, address(common), ctypes.addressof(results_at), lanes, count)
        if self.library.handle.map(ctypes.byref(task)):
            raise MemoryError("a block of lanes found no memory")
        return unflatten(self.form, [torch.from_numpy(array) for array in outputs])


class Mapped:
    """vmap of a one-lane function through kernels that are made as they are needed."""

    def __init__(
        self, function: Callable[..., Tree], in_axes: int | tuple[int | None, ...] | None = 0, out_axes: int | tuple[int, ...] = 0
    ) -> None:
        self.function, self.in_axes, self.out_axes = function, in_axes, out_axes
        self.kernels: dict[Any, MapKernel | Exception] = {}

    def __call__(self, *args: Tree) -> Tree:
        """The results for all lanes.

        Raises Unsupported or TraceError where this function, or these arguments, have no kernel.
        """
        arrays, axes = leaves(list(args)), self._axes(args)
        if not isinstance(self.out_axes, int) or not all(_is_plain(a) for a in arrays):
            raise Unsupported("a kernel takes plain arrays on the CPU, and one output axis")
        sizes = {a.shape[axis] for a, axis in zip(arrays, axes, strict=True) if axis is not None and -a.ndim <= axis < a.ndim}
        if len(sizes) != 1 or any(
            axis is not None and not -a.ndim <= axis < a.ndim for a, axis in zip(arrays, axes, strict=True)
        ):
            raise Unsupported("the arguments have no lane axis of one size")  # vmap says so in its own words
        (lanes,) = sizes
        lanes_first = [a if axis is None else a.movedim(axis, 0) for a, axis in zip(arrays, axes, strict=True)]
        shared = frozenset(k for k, axis in enumerate(axes) if axis is None)
        example = [a if k in shared else a.new_zeros(a.shape[1:]) for k, a in enumerate(lanes_first)]
        key = (repr(unflatten(list(args), list(range(len(arrays))))), shared, tuple((tuple(e.shape), e.dtype) for e in example))
        if key not in self.kernels:
            with ALONE:
                if key not in self.kernels:
                    self.kernels[key] = self._kernel(args, example, shared)
        kernel = self.kernels[key]
        if isinstance(kernel, Exception):
            raise kernel
        found = kernel(lanes_first, lanes)
        if self.out_axes == 0:
            return found
        return unflatten(found, [a.movedim(0, self.out_axes) for a in leaves(found)])

    def _kernel(self, args: tuple[Tree, ...], example: list[Tensor], shared: frozenset[int]) -> MapKernel | Exception:
        form = list(args)
        try:
            return MapKernel(lambda *tensors: self.function(*unflatten(form, list(tensors))), example, shared)
        except ToolchainError as error:
            return Unsupported(str(error))
        except Exception as error:  # a mistake of the function shows in its own words where it runs next
            return error if isinstance(error, Unsupported) else Unsupported(str(error))

    def _axes(self, args: tuple[Tree, ...]) -> list[int | None]:
        axes = self.in_axes if isinstance(self.in_axes, tuple | list) else [self.in_axes] * len(args)
        if len(axes) != len(args) or not all(axis is None or isinstance(axis, int) for axis in axes):
            raise Unsupported("in_axes is not one number an argument")
        return [axis for axis, arg in zip(axes, args, strict=True) for _ in leaves(arg)]


def _is_plain(a: Any) -> bool:
    return (
        isinstance(a, Tensor)
        and a.device.type == "cpu"
        and a.layout is torch.strided
        and not a.requires_grad
        and not torch._C._functorch.is_functorch_wrapped_tensor(a)
    )


def _working(example: Sequence[Tensor]) -> torch.dtype:
    found = {a.dtype for a in example if a.is_floating_point() or a.is_complex()}
    if len(found) != 1 or not found <= {torch.float32, torch.float64}:
        raise NotLowered("arguments of no, of several or of other float dtypes")
    return found.pop()


def _roomy(results: list[Field], dtype: torch.dtype) -> list[Field]:
    """Doubles take two places where the others are floats."""
    found, offset = [], 0
    for leaf in results:
        wide = leaf.dtype == "float64" and dtype == torch.float32
        offset += offset % 2 if wide else 0
        found.append(Field(leaf.name, leaf.shape, leaf.dtype, offset))
        offset += leaf.size * (2 if wide else 1)
    return found


def _source(
    emitter: Emitter, own: list[Field], results: list[Field], tables: ConstantPool, dtype: torch.dtype, width: int
) -> str:
    postprocess = function_text("postprocess", emitter.body(), False, emitter.has_interleaved_chains)
    room = [sum(leaf.size for leaf in own), sum(2 * leaf.size + 1 for leaf in results), emitter.scratch + 1]
    runtime = [
        "\n".join(
            f"constexpr long {name} = {value};" for name, value in zip(("N_INPUT", "N_RESULT", "N_SCRATCH"), room, strict=True)
        ),
        header("input.h"),
        header("lane_io.h"),
        header("map.h"),
        loader(own),
        storer(results),
    ]
    parts = [Part("\n".join([postprocess, *runtime]), 1)]
    return assembled(dtype_name(dtype), width, tables, [], parts)

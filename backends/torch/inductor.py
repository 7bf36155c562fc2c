"""The inductor backend: the batched one-lane step through torch.compile's compiler.

Needs `trace` for the graph and `iterate` for the loop over the lanes. The lane axis is a symbol of the compiled
code, so one compile serves every batch of two or more lanes; dynamo and its guards are not in the way. Which
inputs all lanes share is part of the code: they come without a lane axis and are read once.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._inductor import standalone_compile
from torch._inductor.cpu_vec_isa import pick_vec_isa
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

from backends.alone import ALONE
from backends.base import Executable, Inputs, Outcome, Program, Run, too_large
from backends.errors import Unsupported
from backends.torch import TorchBackend
from backends.torch.iterate import Batched, TorchExecutable, eager
from backends.torch.trace import Traced
from backends.tree import Tree, unflatten
from backends.types import Array

KERNEL = (
    "one-lane step and test traced to ATen operations, batched by torch.vmap, compiled by Inductor; done lanes compacted away"
)
EAGER = "eager, as on backend 'torch', because compiling failed: "
TYPICAL_LANES = 4096
"""Size of a batch by which the compiler weighs loops; any other size runs too."""

GROUP = 16
"""Rows of a pack are a multiple of it, the most floats of a vector: a loop's last few elements go through scalar code, which rounds
differently, and which lanes those are would depend on how many others are still at work."""

DYNAMIC_THREADS = {"cpp.dynamic_threads": True}  # the count of threads is the user's, at every call

Flat = Callable[..., Sequence[Tensor]]


class Compiler:
    """Compiles batched graphs, counts them and takes the time; after a failure everything runs eagerly."""

    def __init__(self) -> None:
        self.compiled, self.seconds, self.failure = 0, 0.0, ""

    def __call__(self, traced: Traced) -> Batched:
        """A one-lane graph over a leading lane axis of every argument, compiled at its first call."""
        kernels: dict[tuple[bool, ...], Kernel] = {}
        slow = eager(traced)

        def batched(*arguments: Tree) -> Tree:
            tensors = traced.flat(arguments)
            shared = tuple(tensor.stride(0) == 0 for tensor in tensors)
            if shared not in kernels and not self.failure:
                self._build(kernels, shared, traced, tensors)
            if self.failure or not kernels[shared].fits(len(tensors[0])):
                return slow(*arguments)
            given = [tensor[0] if once else tensor for tensor, once in zip(tensors, shared, strict=True)]
            return unflatten(traced.output, [found.contiguous() for found in kernels[shared].run(*given)])

        return batched

    def _build(
        self, kernels: dict[tuple[bool, ...], Kernel], shared: tuple[bool, ...], traced: Traced, like: list[Tensor]
    ) -> None:
        """Add the kernel for that choice of shared inputs, or say why there is none."""
        began = time.perf_counter()
        try:
            with ALONE:
                kernels[shared] = Kernel(traced, shared, like)
            self.compiled += 1
        except Exception as error:  # whatever a compiler or its tool chain may raise
            self.failure = _first_words(error)
        self.seconds += time.perf_counter() - began


class Kernel:
    """Native code for a one-lane graph over two or more lanes; `run` takes and gives flat lists of tensors."""

    def __init__(self, traced: Traced, shared: tuple[bool, ...], like: list[Tensor]) -> None:
        self.shapes = ShapeEnv()
        mode = FakeTensorMode(shape_env=self.shapes, allow_non_fake_inputs=True)
        examples = [_fake(mode, tensor, once) for tensor, once in zip(like, shared, strict=True)]
        axes = tuple(None if once else 0 for once in shared)
        flat = torch.vmap(lambda *tensors: tuple(traced.graph(*tensors)), in_dims=axes)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about its own internals
            graph = make_fx(flat, tracing_mode="symbolic", _allow_non_fake_inputs=True)(*examples)
            self._check(TYPICAL_LANES + 1)
            self.run: Flat = standalone_compile(graph, [*examples], dynamic_shapes="from_graph", options=_options())
        self.fits = cache(self._fits)

    def _fits(self, lanes: int) -> bool:
        """Whether what the compiler assumed of the lane axis holds for so many lanes."""
        return all(g.expr.xreplace(dict.fromkeys(g.expr.free_symbols, lanes)) == True for g in self.shapes.guards)  # noqa: E712

    def _check(self, lanes: int) -> None:
        if not self._fits(lanes):
            raise RuntimeError("an operation fixes the length of the lane axis")


def _options() -> dict[str, Any]:
    """The compiler's settings, the width of its vectors among them.

    torch keeps code by its settings: of one home on two machines, or with ATEN_CPU_CAPABILITY changed, it would run code for
    vectors of another width, which leaves results unwritten.
    """
    return {"config_patches": DYNAMIC_THREADS | {"cpp.simdlen": pick_vec_isa().bit_width()}}


def _fake(mode: FakeTensorMode, tensor: Tensor, shared: bool) -> Tensor:
    """A stand-in without numbers: one lane's static shape, behind a symbolic lane axis unless shared."""
    lane = list(tensor.shape[1:])
    axis = [] if shared else [TYPICAL_LANES]
    sizes = [DimDynamic.DUCK] * len(axis) + [DimDynamic.STATIC] * len(lane)
    like = tensor.new_empty(axis + lane)
    return mode.from_tensor(like, symbolic_context=StatelessSymbolicContext(dynamic_sizes=sizes))


def _first_words(error: BaseException) -> str:
    """The cause in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}{': ' + text[0][:200] if text else ''}"


class InductorExecutable(TorchExecutable):
    """A traced program whose four functions are compiled when lanes first come."""

    def __init__(self, program: Program, example: Mapping[str, Tensor]) -> None:
        self.compiler = Compiler()
        super().__init__(program, example, self.compiler)

    def width(self, lanes: int) -> int:
        """Whole vectors."""
        return -(-lanes // GROUP) * GROUP

    def iterate(self, inputs: Inputs, run: Run) -> Outcome:
        """As on torch, with the time that compiling took told apart."""
        before = self.compiler.seconds
        outcome = super().iterate(inputs, run)
        kernel = EAGER + self.compiler.failure if self.compiler.failure else KERNEL
        return replace(outcome, compile_s=self.compiler.seconds - before, kernel=kernel)


class InductorBackend(TorchBackend):
    """torch.func for derivatives, torch.compile for programs."""

    name = "inductor"
    compiles = True

    def describe(self) -> str:
        """Whole packs of lanes by compiled code."""
        return KERNEL

    def prepare(self, program: Program, example: Mapping[str, Array], shared: frozenset[str], device: Any = None) -> Executable:
        """Trace the program on lanes of the example's shapes, dtypes and device."""
        if reason := too_large(program):
            raise Unsupported(reason)
        return InductorExecutable(program, {name: self.load(array, device=device) for name, array in example.items()})


BACKEND = InductorBackend()
__all__ = ["BACKEND", "InductorBackend"]

"""The torch backend: eager torch.func on CPU or CUDA, wherever the data is.

One-lane functions are traced once into ATen operations (`trace`) and batched by vmap (`iterate`).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np
import torch

from backends.alone import ALONE
from backends.base import Anatomy, Backend, Executable, Program
from backends.derived import from_the_front
from backends.torch import numpy_dispatch
from backends.torch.anatomy import examine
from backends.torch.iterate import TorchExecutable
from backends.torch.no_dynamo import RULES, forward, no_dynamo
from backends.torch.scalars import keeping
from backends.types import Array, Axes, ScalarFunction

Function = Callable[..., Any]


def _load_forward_mode() -> None:
    """torch loads its forward rules at the first use and warns about its own internals, which no user can mend."""
    if RULES not in sys.modules:
        _forward_mode()


@cache
def _forward_mode() -> None:
    with ALONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.func.jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))


class TorchBackend(Backend):
    """torch.func under JAX's names and signatures."""

    name = "torch"
    library = "torch"
    closures = True

    def describe(self) -> str:
        """Whole packs of lanes, operation by operation."""
        return "one-lane step traced to ATen operations, batched by torch.vmap, run eagerly; done lanes compacted away"

    def load(self, array: Array | float, dtype: str | None = None, device: Any = None) -> torch.Tensor:
        """A tensor of an array or number, without a copy where dtype, strides and device allow."""
        if isinstance(array, np.ndarray):
            array = _fit_for_torch(array)
        return torch.as_tensor(array, dtype=getattr(torch, dtype) if dtype else None, device=device)

    def unload(self, array: torch.Tensor, library: str) -> Array:
        """The tensor, or a NumPy view of it."""
        return array if library == "torch" else array.cpu().numpy()

    def grad(self, f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        return torch.func.grad(f, argnums=argnums, has_aux=has_aux)

    def value_and_grad(self, f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        both = torch.func.grad_and_value(f, argnums=argnums, has_aux=has_aux)
        return lambda *args, **kwargs: both(*args, **kwargs)[::-1]

    def jvp(self, f: Function, primals: Sequence[object], tangents: Sequence[object], has_aux: bool = False) -> Any:
        _load_forward_mode()
        return forward(lambda: torch.func.jvp(keeping(f), tuple(primals), tuple(tangents), has_aux=has_aux))

    def vjp(self, f: Function, *primals: object, has_aux: bool = False) -> Any:
        return torch.func.vjp(f, *primals, has_aux=has_aux)

    def jacfwd(self, f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        _load_forward_mode()
        kept = keeping(f)

        def jacobian(*args: object) -> Any:
            places = from_the_front(argnums, len(args))  # torch gives zeros for those that count from the end
            return forward(lambda: torch.func.jacfwd(kept, argnums=places, has_aux=has_aux)(*args))

        return jacobian

    def jacrev(self, f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        return torch.func.jacrev(f, argnums=argnums, has_aux=has_aux)

    def hessian(self, f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        _load_forward_mode()
        kept = keeping(f)

        def hessian(*args: object) -> Any:
            places = from_the_front(argnums, len(args))
            rows = torch.func.jacrev(kept, argnums=places, has_aux=has_aux)
            return forward(lambda: torch.func.jacfwd(rows, argnums=places, has_aux=has_aux)(*args))

        return hessian

    def vmap(self, f: Function, in_axes: Axes = 0, out_axes: Axes = 0) -> Function:
        return torch.vmap(f, in_dims=in_axes, out_dims=out_axes)  # type: ignore[arg-type]  # trees of axes, too

    def jit(self, f: Function) -> Function:
        """torch.compile of a function of tensors; run as it is where it cannot be compiled (no C++ compiler, say)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about its own internals
            compiled = torch.compile(f, dynamic=True)
        usable = [True]

        def run(*args: object, **kwargs: object) -> Any:
            if usable[0]:
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        return compiled(*args, **kwargs)
                except _uncompiled():
                    found = f(*args, **kwargs)  # a mistake in f shows here, in its own words
                    usable[0] = False
                    return found
            return f(*args, **kwargs)

        return run

    def once(self) -> AbstractContextManager[None]:
        return no_dynamo()

    def examine(self, f: Function, x: torch.Tensor) -> Anatomy | None:
        return examine(f, x)

    def declared(self, inputs: Iterable[Array]) -> AbstractContextManager[None]:
        return numpy_dispatch.declared(inputs)

    def meaning(self, function: Function) -> Function | None:
        return numpy_dispatch.meaning(function)

    def prepare(self, program: Program, example: Mapping[str, Array], shared: frozenset[str], device: Any = None) -> Executable:
        """Trace the program on lanes of the example's shapes, dtypes and device."""
        return TorchExecutable(program, {name: self.load(array, device=device) for name, array in example.items()})


class _Writable:
    """A read-only array's memory, for torch, whose tensors are all writable; no backend writes to an input."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        where, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (where, False)}


def _fit_for_torch(array: np.ndarray) -> np.ndarray:
    """The array, copied where torch has no such strides or byte order."""
    if not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        return array.copy()
    return array if array.flags.writeable else np.asarray(_Writable(array))


def _uncompiled() -> tuple[type[Exception], ...]:
    """Errors of torch.compile; not imported before something was raised, which takes a second."""
    from torch._dynamo.exc import TorchDynamoException
    from torch._inductor.exc import InductorError

    return TorchDynamoException, InductorError


BACKEND = TorchBackend()
__all__ = ["BACKEND", "TorchBackend"]

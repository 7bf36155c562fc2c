"""The torch backend: eager torch.func on CPU or CUDA, wherever the data is.

One-lane functions are traced once into ATen operations (`trace`) and batched by vmap (`iterate`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import torch

from backends.base import Array, Executable, Program
from backends.torch.iterate import TorchExecutable
from backends.torch.lean import lean

Function = Callable[..., Any]


@cache
def _load_forward_mode() -> None:
    """torch loads its forward rules at the first use and warns about its own internals, which no user can mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.func.jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))


class TorchBackend:
    """torch.func under JAX's names and signatures."""

    name = "torch"
    library = "torch"

    def load(self, array: Array, dtype: str | None = None, device: Any = None) -> torch.Tensor:
        """A tensor of an array or number, without a copy where dtype and device allow."""
        if hasattr(array, "flags") and not (array.flags.writeable and all(s >= 0 for s in array.strides)):
            array = array.copy()  # torch has neither read-only nor negative strides
        return torch.as_tensor(array, dtype=getattr(torch, dtype) if dtype else None, device=device)

    def unload(self, array: torch.Tensor, library: str) -> Array:
        """The tensor, or a NumPy view of it."""
        return array if library == "torch" else array.cpu().numpy()

    def grad(self, f: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
        return torch.func.grad(f, argnums=argnums, has_aux=has_aux)

    def value_and_grad(self, f: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
        both = torch.func.grad_and_value(f, argnums=argnums, has_aux=has_aux)
        return lambda *args, **kwargs: both(*args, **kwargs)[::-1]

    def jvp(self, f: Function, primals: Any, tangents: Any, has_aux: bool = False) -> Any:
        _load_forward_mode()
        return torch.func.jvp(f, tuple(primals), tuple(tangents), has_aux=has_aux)

    def vjp(self, f: Function, *primals: Any, has_aux: bool = False) -> Any:
        return torch.func.vjp(f, *primals, has_aux=has_aux)

    def jacfwd(self, f: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
        _load_forward_mode()
        return torch.func.jacfwd(f, argnums=argnums, has_aux=has_aux)

    def jacrev(self, f: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
        return torch.func.jacrev(f, argnums=argnums, has_aux=has_aux)

    def hessian(self, f: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
        _load_forward_mode()
        if has_aux:
            inner = torch.func.jacrev(f, argnums=argnums, has_aux=True)
            return torch.func.jacfwd(inner, argnums=argnums, has_aux=True)
        return torch.func.hessian(f, argnums=argnums)

    def vmap(self, f: Function, in_axes: Any = 0, out_axes: Any = 0) -> Function:
        return torch.vmap(f, in_dims=in_axes, out_dims=out_axes)

    def jit(self, f: Function) -> Function:
        """torch.compile of a function of tensors; run as it is where it cannot be compiled (no C++ compiler, say)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about its own internals
            compiled = torch.compile(f, dynamic=True)
        usable = [True]

        def run(*args: Any, **kwargs: Any) -> Any:
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
        return lean()

    def remembered(self, key: str, make: Callable[[], Any]) -> Any:
        """Made anew in every process."""
        return make()

    def prepare(self, program: Program, example: Mapping[str, Array], shared: frozenset[str]) -> Executable:
        """Trace the program on lanes of the example's shapes, dtypes and device."""
        return TorchExecutable(program, dict(example))


def _uncompiled() -> tuple[type[Exception], ...]:
    """What torch.compile raises; not imported before something was raised, which takes a second."""
    from torch._dynamo.exc import TorchDynamoException
    from torch._inductor.exc import InductorError

    return TorchDynamoException, InductorError


BACKEND = TorchBackend()
__all__ = ["BACKEND", "TorchBackend"]

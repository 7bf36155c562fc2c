"""The reference backend: loops over lanes, complex-step derivatives. Slow and obviously right.

    context       where declared functions run: no warnings, NumPy's refusals in plain words
    lane          the real arrays that declared functions see; `real`, `linalg` have their rules
    complex_step  the arrays that carry a derivative; `rules`, `functions`, `matrices` have their rules (`dual`)
    stencil       derivatives of derivatives
    transforms    grad, jvp, vjp, ... of a function at a `point`; `batching` has vmap
    iterate       a program over many lanes
    special       functions of SciPy
    reroute       what of array_api_compat bypasses NumPy's protocols

`import numpy as np` is the library here as everywhere: imports are absolute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from backends.base import Backend, Executable, Program
from backends.numpy import array_api_patches, batching, lane_array, special, transforms
from backends.numpy.iterate import NumpyExecutable
from backends.types import Array, Axes, ScalarFunction

Function = Callable[..., Any]


class NumpyBackend(Backend):
    """JAX's transforms on NumPy arrays."""

    name = "numpy"
    library = "numpy"

    def describe(self) -> str:
        """One lane after the other."""
        return "plain Python loop over lanes; complex-step derivatives"

    def load(self, array: Any, dtype: str | None = None, device: Any = None) -> Array:
        """A NumPy array of an array, number, list or CPU tensor, without a copy where the dtype allows.

        Raises ValueError for a tensor on another device.
        """
        where = getattr(getattr(array, "device", None), "type", "cpu")
        if where != "cpu":
            raise ValueError(
                f"backend 'numpy': the data is on {array.device}; nothing moves to the host silently; "
                "use backend='torch' or data.cpu()"
            )
        if not isinstance(array, np.ndarray) and callable(getattr(array, "numpy", None)):
            array = array.numpy()
        return np.asarray(array, dtype)

    def unload(self, array: Array, library: str) -> Array:
        """The array, or a tensor that shares its memory."""
        if library == "numpy":
            return array
        import torch

        return torch.from_numpy(np.ascontiguousarray(array).reshape(np.shape(array)))

    def grad(self, f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        return transforms.grad(f, argnums, has_aux)

    def value_and_grad(self, f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        return transforms.value_and_grad(f, argnums, has_aux)

    def jvp(self, f: Function, primals: Sequence[object], tangents: Sequence[object], has_aux: bool = False) -> Any:
        return transforms.jvp(f, primals, tangents, has_aux)

    def vjp(self, f: Function, *primals: object, has_aux: bool = False) -> Any:
        return transforms.vjp(f, *primals, has_aux=has_aux)

    def jacfwd(self, f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        return transforms.jacobian(f, argnums, has_aux, "jacfwd")

    def jacrev(self, f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        return transforms.jacobian(f, argnums, has_aux, "jacrev")

    def vmap(self, f: Function, in_axes: Axes = 0, out_axes: Axes = 0) -> Function:
        return batching.vmap(f, in_axes, out_axes)

    def declared(self, inputs: Iterable[Array]) -> AbstractContextManager[None]:
        return lane_array.declared(inputs)

    def meaning(self, function: Function) -> Function | None:
        return special.meaning(function)

    def prepare(
        self, program: Program, example: Mapping[str, Array], shared: frozenset[str] = frozenset(), device: Any = None
    ) -> Executable:
        """Check the program on the example lane."""
        return NumpyExecutable(program, example)


array_api_patches.install()
BACKEND = NumpyBackend()
__all__ = ["BACKEND", "NumpyBackend"]

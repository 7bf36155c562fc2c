"""grad, vmap, jit, ... with JAX's signatures, by the arrays that they are given.

torch tensors go to torch.func; NumPy arrays and Python numbers to the reference's complex-step derivatives.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import backends
from backends import Backend
from backends.arrays import is_array, library_or_none
from backends.tree import leaves, tree_map
from backends.types import Axes, ScalarFunction
from engine.closures import freeze
from engine.errors import ArgumentError, TraceError, Unsupported

Function = Callable[..., Any]


@runtime_checkable
class Vmapped(Protocol):
    """A function that `vmap` made: it says of what, so that `jit` can make one kernel of it."""

    of_one_lane: tuple[Function, Any, Any]
    """The function of one lane, `in_axes` and `out_axes`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


def grad(f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """The gradient of a scalar function with respect to some of its arguments.

    Args:
        f: a function of arrays, or of dicts, tuples and lists of them, that returns a scalar (and an auxiliary
            output with `has_aux`).
        argnums: which arguments; a tuple gives a tuple.

    Returns:
        A function of the same arguments that returns the gradient, of the argument's shape and dtype.

    Raises:
        TypeError, RuntimeError: for an output that is no scalar, by the backend.

    Example:
        >>> tuple(float(g) for g in grad(lambda x, y: x * y**5, argnums=(0, 1))(3.0, 7.0))
        (16807.0, 36015.0)
    """
    return _deferred(lambda b: b.grad(f, argnums, has_aux), f)


def value_and_grad(f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """The value and the gradient of a scalar function, in that order; arguments as for `grad`.

    Example:
        >>> tuple(float(v) for v in value_and_grad(lambda x: x**2)(3.0))
        (9.0, 6.0)
    """
    return _deferred(lambda b: b.value_and_grad(f, argnums, has_aux), f)


def jvp(f: Function, primals: Sequence[object], tangents: Sequence[object], has_aux: bool = False) -> Any:
    """The value of f at `primals` and its derivative J t along `tangents`, tuples of one form.

    Example:
        >>> tuple(float(v) for v in jvp(lambda x: x**2, (3.0,), (2.0,)))
        (9.0, 12.0)
    """
    return _backend(primals).jvp(f, primals, tangents, has_aux=has_aux)


def vjp(f: Function, *primals: object, has_aux: bool = False) -> Any:
    """The value of f at `primals` and the function w -> J' w, which returns a tuple, one entry per primal.

    Example:
        >>> value, pullback = vjp(lambda x: x**2, 3.0)
        >>> float(pullback(1.0)[0])
        6.0
    """
    return _backend(primals).vjp(f, *primals, has_aux=has_aux)


def jacfwd(f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """The Jacobian, column by column (forward): shape (*output, *argument).

    Example:
        >>> import numpy as np
        >>> jacfwd(lambda x: x * x)(np.array([1.0, 2.0])).tolist()
        [[2.0, 0.0], [0.0, 4.0]]
    """
    return _deferred(lambda b: b.jacfwd(f, argnums, has_aux), f)


def jacrev(f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """The Jacobian, row by row (reverse): shape (*output, *argument).

    Example:
        >>> import numpy as np
        >>> jacrev(lambda x: x * x)(np.array([1.0, 2.0])).tolist()
        [[2.0, 0.0], [0.0, 4.0]]
    """
    return _deferred(lambda b: b.jacrev(f, argnums, has_aux), f)


def hessian(f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """The second derivatives of a scalar function: shape (*argument, *argument).

    Example:
        >>> round(float(hessian(lambda x: x**3)(2.0)), 9)
        12.0
    """
    return _deferred(lambda b: b.hessian(f, argnums, has_aux), f)


def vmap(f: Function, in_axes: Axes = 0, out_axes: Axes = 0) -> Function:
    """A function of one lane, applied to every lane of its arguments.

    Args:
        in_axes: the lane axis of each argument, None for a shared one; an int, or a tuple per argument.
        out_axes: where the lane axis goes in the outputs.

    Example:
        >>> import numpy as np
        >>> vmap(lambda a, b: a @ b, in_axes=(0, None))(np.eye(2), np.array([3.0, 4.0])).tolist()
        [3.0, 4.0]
    """
    batched = _deferred(lambda b: b.vmap(f, in_axes, out_axes), f)
    batched.of_one_lane = (f, in_axes, out_axes)  # type: ignore[attr-defined]
    return batched


def jit(f: Function) -> Function:
    """A compiled function, the same answers.

    `jit(vmap(f))` of a function of small arrays on the CPU is one native kernel, for NumPy arrays too, for any number
    of lanes; torch.compile takes other functions of tensors, and other functions of NumPy arrays run as they are.
    Numbers that f captures are fixed by jit; arrays are read at every call. The function's attribute `plan` says how its
    last call ran, and why not as a native kernel where one was asked for.

    Example:
        >>> import numpy as np
        >>> jit(lambda x: x + 1)(np.zeros(2)).tolist()
        [1.0, 1.0]
        >>> f = jit(vmap(lambda x: x @ x))
        >>> f(np.ones((3, 2, 2))).shape, f.plan
        ((3, 2, 2), 'fused: one native kernel')
    """
    made: dict[str, Function] = {}
    fused = _fused(f)

    @functools.wraps(f, updated=())
    def compiled(*args: Any, **kwargs: Any) -> Any:
        backend = _backend((args, kwargs))
        plan, why = {"torch": "inductor: torch.compile"}.get(backend.name, f"{backend.name}: as it is"), ""
        if fused is not None and not kwargs:
            try:
                found = fused(backend.library, args)
            except (Unsupported, TraceError) as error:
                why = f"; fused cannot: {error}"  # as any other function
            else:
                compiled.plan = "fused: one native kernel"  # type: ignore[attr-defined]
                return found
        elif fused is not None:
            why = "; fused cannot: arguments by keyword"
        compiled.plan = plan + why  # type: ignore[attr-defined]
        if backend.name not in made:
            made[backend.name] = backend.jit(f)
        return made[backend.name](*args, **kwargs)

    compiled.plan = "not called yet"  # type: ignore[attr-defined]
    return compiled


def _fused(f: Function) -> Callable[[str, Any], Any] | None:
    """The native kernel of a vmapped function; arrays that the function captures are read at every call."""
    if not isinstance(f, Vmapped):
        return None
    function, in_axes, out_axes = f.of_one_lane
    frozen = freeze(function)
    made: list[Function] = []

    def run(library: str, args: Any) -> Any:
        native = backends.get("fused")
        try:
            held = frozen.arrays()
        except TypeError as error:
            raise Unsupported(str(error)) from error
        arrays = [*held, *leaves(list(args))]
        if not all(is_array(a) for a in arrays) or {library_or_none(a) for a in arrays} - {library}:
            raise Unsupported("arguments and captured arrays of one library are needed")
        axes = in_axes if isinstance(in_axes, tuple | list) else (in_axes,) * len(args)
        if not made:
            made.append(native.map_lanes(lambda given, *own: frozen.rebuild(given)(*own), (None, *axes), out_axes))
        given = tree_map(native.load, [held, *args]) if library == "numpy" else [held, *args]
        found = made[0](*given)
        return tree_map(lambda a: native.unload(a, "numpy"), found) if library == "numpy" else found

    return run


def _deferred(make: Callable[[Backend], Function], f: Function) -> Function:
    """A function that finds its backend when its arguments come."""

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        return make(_backend((args, kwargs)))(*args, **kwargs)

    return transformed


def _backend(arguments: Any) -> Backend:
    """The backend of the arrays among the arguments; numbers alone go to the reference.

    Raises TypeError when arrays of several libraries come.
    """
    found = {library_or_none(leaf) for leaf in leaves(arguments)} - {None}
    if len(found) > 1:
        raise ArgumentError(f"got arrays of {sorted(map(str, found))}; expected one library: convert them first")
    return backends.get("torch" if found == {"torch"} else "numpy")

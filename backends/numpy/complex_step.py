"""`Perturbed`: real arrays x that carry a derivative t, as the complex numbers x + i h t.

f(x + i h t) = f(x) + i h f'(x) t + O(h^2), without cancellation, for any f that is analytic. h = 2**-300: h^2
vanishes beside every number, and products with a power of two are exact.

The complex numbers hide in a structured dtype of two reals, in which NumPy can store, index and reshape but not
compute: what bypasses the rules of `rules` and `functions` is an error, never a lost derivative. `.dtype` shows
the real dtype, so that declared functions make constants of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backends.errors import TraceError
from backends.numpy import functions, rules
from backends.numpy.context import FIELD, words
from backends.numpy.lane_array import LaneArray, inner_dtype, wrapped
from backends.refusals import VALUES

H = 2.0**-300

_FLOAT64 = np.dtype(np.float64)
_HIDDEN = {np.dtype(c): np.dtype([("value", r), (FIELD, r)]) for c, r in (("D", "d"), ("G", "g"))}
_SEEN = {hidden: numbers for numbers, hidden in _HIDDEN.items()}
_VALUE = (
    "it drops the derivative of an array that is being differentiated",
    "np.where, and arrays built with np.stack and np.concatenate",
)


def perturb(x: np.ndarray, t: np.ndarray, long: bool = False) -> Perturbed:
    """x + i h t, in double or long double."""
    z = np.empty(np.shape(x), np.clongdouble if long else np.complex128)
    z.real, z.imag = x, t
    z.imag *= H
    return hide(z)


def hide(z: np.ndarray | np.generic) -> Perturbed:
    """Complex numbers as a perturbed real array."""
    z = np.asarray(z)
    hidden: Perturbed = z.view(_HIDDEN[z.dtype]).view(Perturbed)
    return hidden


def numbers(value: object) -> Any:
    """The complex numbers of perturbed arrays, plain arrays of Lanes; of nested lists and tuples, item by item.

    Raises TraceError for complex numbers and for arrays of objects.
    """
    if isinstance(value, np.ndarray):
        dtype = inner_dtype(value)
        plain = value if type(value) is np.ndarray else value.view(np.ndarray)
        if dtype.kind in "fbi":
            return plain
        if dtype in _SEEN:
            return plain.view(_SEEN[dtype])
        if dtype.kind in "cO":
            raise TraceError(
                f"mixes an array of dtype {dtype} with one that is being differentiated", "derivatives are of real numbers",
                "np.stack and np.concatenate for np.array",
            )  # fmt: skip
        return plain
    if isinstance(value, list | tuple):
        return type(value)(map(numbers, value))
    if isinstance(value, complex):
        raise TraceError("mixes a complex number with an array that is being differentiated; expected real numbers")
    return value


def result(value: object) -> Any:
    """Perturbed arrays of the complex ones in a result, Lanes of the real ones."""
    if isinstance(value, np.ndarray | np.generic):
        return hide(value) if value.dtype.kind == "c" else wrapped(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(result, value))
    if isinstance(value, tuple | list):
        return type(value)(map(result, value))
    return value


def value_and_derivative(array: object) -> tuple[Any, Any]:
    """x and t of x + i h t; t is 0.0 of a constant."""
    z = numbers(np.asarray(array))
    return (z.real, z.imag / H) if z.dtype.kind == "c" else (z, 0.0)


def is_perturbed(value: object) -> bool:
    """True for arrays that carry a derivative, also behind np.asarray."""
    return isinstance(value, np.ndarray) and (isinstance(value, Perturbed) or value.dtype in _SEEN)


class Perturbed(LaneArray):
    """A real array with its derivative. Raises TraceError for everything that would drop the derivative."""

    is_perturbed = True

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the real array that this stands for."""
        return _FLOAT64

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        found = rules.apply(ufunc, method, [numbers(value) for value in inputs], _real_dtype(kwargs))
        return result(found) if out is None else _into(out[0], found, ufunc.__name__)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        kwargs = {name: numbers(value) if name != "out" else value for name, value in kwargs.items()}
        out = kwargs.pop("out", None)
        found = functions.apply(func, numbers(args), _real_dtype(kwargs))
        return result(found) if out is None else _into(out, found, func.__name__)

    def __setitem__(self, index: object, value: object) -> None:
        numbers(self)[index] = numbers(value)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """Itself for a float dtype; the value, without derivative, for integers and bool."""
        kind = np.dtype(dtype).kind
        if kind == "c":
            raise TraceError("converts an array that is being differentiated to complex; expected real numbers")
        return self.copy() if kind == "f" else wrapped(numbers(self).real.astype(dtype))

    @property  # type: ignore[misc]
    def real(self) -> Any:
        """Itself."""
        return self

    @property  # type: ignore[misc]
    def imag(self) -> Any:
        """Zeros."""
        return np.zeros(self.shape).view(LaneArray)

    def conj(self) -> Any:
        """Itself."""
        return self

    conjugate = conj

    def __eq__(self, other: object) -> Any:
        return np.equal(self, other)  # type: ignore[call-overload]

    def __ne__(self, other: object) -> Any:
        return np.not_equal(self, other)  # type: ignore[call-overload]

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(np.ndarray.view(numbers(self).real, LaneArray))

    def __repr__(self) -> str:
        value, derivative = value_and_derivative(self)
        return f"Perturbed(value={value}, derivative={derivative})"

    __str__ = __repr__


def _into(out: object, found: object, name: str) -> Any:
    """Write a result where it was asked for, if its derivative fits there."""
    if isinstance(out, tuple):
        (out,) = out
    if not isinstance(out, Perturbed):
        raise TraceError(
            f"writes the result of {name} into a plain array (out= or in place)",
            "it would drop the derivative",
            "a new name for the result",
        )
    numbers(out)[...] = found
    return out


def _real_dtype(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Leave out a float dtype, which a perturbed array has anyway."""
    dtype = kwargs.pop("dtype", None)
    if dtype is not None and np.dtype(dtype).kind != "f":
        raise TraceError(f"asks for dtype {np.dtype(dtype)} of an array that is being differentiated: use astype")
    return kwargs


def _refused(name: str) -> Callable[..., Any]:
    def method(self: object, *args: object, **kwargs: object) -> Any:
        if words_of_all := VALUES.get(name if name in VALUES else f"__{name.removesuffix('()')}__"):
            raise TraceError(*words_of_all)
        raise TraceError(f"calls {name} on an array", *_VALUE)

    method.__name__ = name
    return method


for _name in words("__float__ __int__ __index__ __complex__ item tolist tobytes sort partition argpartition fill put"):
    setattr(Perturbed, _name, _refused(_name.strip("_") + ("()" if _name.startswith("_") else "")))
Perturbed.flat = property(_refused("flat"))  # type: ignore[assignment]

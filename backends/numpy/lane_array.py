"""`LaneArray`: the real arrays that declared functions are given.

An ndarray whose NumPy functions never raise or warn for what the numbers do (`real` has the rules), and whose
elements stay arrays: `A[0, 0]` is a 0-d LaneArray, as it is a 0-d tensor in torch. `Perturbed` derives from it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from backends.errors import TraceError
from backends.numpy import real
from backends.numpy.context import evaluating, words
from backends.refusals import VALUES, WRITES

_FLOAT64 = np.dtype(np.float64)
_ROUTED = words(
    "all any argmax argmin argsort clip cumprod cumsum diagonal dot max mean min nonzero prod ptp round "
    "searchsorted std sum take trace var"
)


class _Inside(threading.local):
    value = False


_inside = _Inside()


@contextmanager
def declared(inputs: Iterable[Any]) -> Iterator[None]:
    """While a declared function runs on these arrays, Lanes do not tell their values, and these cannot be written to."""
    before, _inside.value = _inside.value, True
    sealed = [array for array in inputs if isinstance(array, LaneArray) and array.flags.writeable]
    try:
        for array in sealed:
            array.flags.writeable = False
        with evaluating():
            yield
    except ValueError as error:
        if not isinstance(error, TraceError) and "read-only" in str(error):
            raise TraceError(*WRITES).with_traceback(error.__traceback__) from error
        raise
    finally:
        for array in sealed:
            array.flags.writeable = True
        _inside.value = before


def stripped(value: object) -> Any:
    """The plain arrays in nested lists and tuples of arguments."""
    if isinstance(value, LaneArray):
        return value.view(np.ndarray)
    if isinstance(value, list):
        return [stripped(item) for item in value]
    if isinstance(value, tuple):
        return tuple(stripped(item) for item in value)
    return value


def wrapped(value: object) -> Any:
    """Lanes of the plain arrays and NumPy scalars in a result; the other way of `stripped`."""
    if isinstance(value, LaneArray):
        return value
    if isinstance(value, np.ndarray):
        return value.view(LaneArray)
    if isinstance(value, np.generic):
        return np.asarray(value).view(LaneArray)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(wrapped, value))
    if isinstance(value, (tuple, list)):
        return type(value)(map(wrapped, value))
    return value


def inner_dtype(array: np.ndarray) -> np.dtype[Any]:
    """The dtype that is really stored, where `.dtype` shows a long double as float64."""
    found: np.dtype[Any] = np.ndarray.dtype.__get__(array)
    return found


class LaneArray(np.ndarray[Any, Any]):
    """A real array in a declared function. Raises TraceError when a perturbed value is assigned into it."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype; float64 for the long doubles of nested derivatives, of which no other code need know."""
        found = inner_dtype(self)
        return _FLOAT64 if found.char == "g" else found

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        for item in (*args, *kwargs.values(), *(item for value in args if isinstance(value, (list, tuple)) for item in value)):
            if type(item) is not LaneArray and hasattr(item, "is_perturbed"):  # NumPy asks some arguments alone, and no list's
                return item.__array_function__(func, types, args, kwargs)
        plain = {name: stripped(value) for name, value in kwargs.items()} if kwargs else kwargs
        return wrapped(real.RULES.get(func, func)(*map(stripped, args), **plain))

    def __getitem__(self, index: Any) -> Any:
        found = np.ndarray.__getitem__(self, index)
        if isinstance(found, np.ndarray):
            return found
        index = index if isinstance(index, tuple) else (index,)
        return np.ndarray.__getitem__(self, (*index, ...))

    def __setitem__(self, index: Any, value: Any) -> None:
        if (isinstance(value, np.ndarray) and value.dtype.kind == "V") or hasattr(value, "is_perturbed"):
            raise TraceError(
                "assigns an array that is being differentiated into a plain one",
                "it would drop the derivative",
                "np.stack, np.concatenate or np.where",
            )
        np.ndarray.__setitem__(self, index, value)

    def __iter__(self) -> Iterator[Any]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(len(self)))

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """A copy with another dtype; long doubles stay so where a float is asked for."""
        keep = inner_dtype(self).char == "g" and np.dtype(dtype).kind == "f"
        return np.ndarray.astype(self, np.longdouble if keep else dtype, *args, **kwargs)


def _routed(name: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def method(self: object, *args: object, **kwargs: object) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"np.{name} of this array: the method of ndarray knows no rules, and returns scalars."
    return method


for _name in _ROUTED:
    setattr(LaneArray, _name, _routed(_name))


def _told(name: str, refusal: tuple[str, str, str]) -> Callable[..., Any]:
    own = getattr(np.ndarray, name)

    def method(self: LaneArray, *args: object) -> Any:
        if _inside.value:
            raise TraceError(*refusal)
        return own(self, *args)

    method.__name__ = name
    return method


for _name, _refusal in VALUES.items():
    setattr(LaneArray, _name, _told(_name, _refusal))

"""While a user's function runs: NumPy's functions on tensors are torch's, `np.exp(x)` is `torch.exp(x)`.

NumPy asks the class of an argument for `__array_ufunc__` and `__array_function__`. `torch.Tensor` gets both as descriptors
that are there inside of `declared` alone, in the thread that is inside: elsewhere NumPy finds what it always found. The
tensors stay torch's own, so that nothing is paid where NumPy is not called. Needs `numpy_functions`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import array_api_compat.torch
import numpy as np
import torch
from torch import Tensor

from backends.errors import TraceError
from backends.refusals import HIDDEN, MEANING, REMEDIES, REMEDY
from backends.torch.levels import is_wrapped
from backends.torch.numpy_functions import OPERATORS, find, outer_call
from backends.tree import leaves, tree_map

REDUCTIONS = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any",
}  # fmt: skip
ACCUMULATIONS = {"add": "cumsum", "multiply": "cumprod"}


class Stop(Exception):
    """A refusal on its way out of torch, which takes a TypeError within an operator for an operator that is not there."""


@contextmanager
def stopping() -> Iterator[None]:
    """Raises TraceError for a `Stop`, from the line of the user's that it came from."""
    try:
        yield
    except Stop as stop:
        raise TraceError(*stop.args).with_traceback(stop.__traceback__) from None


class _Inside(threading.local):
    inputs: tuple[Tensor, ...] | None = None


_inside = _Inside()


@contextmanager
def declared(inputs: Iterable[Any]) -> Iterator[None]:
    """NumPy's functions work on tensors inside; `is_input` knows these ones."""
    before, _inside.inputs = _inside.inputs, tuple(inputs)
    _enter()
    try:
        with stopping():
            yield
    finally:
        _leave()
        _inside.inputs = before


def is_input(tensor: Tensor) -> bool:
    """Whether a tensor is one that was given to the user's function that runs, or a view of it."""
    given = [value for value in _inside.inputs or () if isinstance(value, Tensor)]
    return bool(given) and _memory(tensor) in map(_memory, given)


def lane_dtype() -> torch.dtype:
    """The float dtype of the lane whose function runs, or torch's default."""
    given = [value.dtype for value in _inside.inputs or () if isinstance(value, Tensor) and value.is_floating_point()]
    return given[0] if given else torch.get_default_dtype()


def _memory(tensor: Tensor) -> int:
    """An identity that all views of one tensor share, within transforms too."""
    while is_wrapped(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return int(tensor.untyped_storage()._cdata)


def meaning(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """A function of SciPy's that is no universal one, on tensors."""
    if isinstance(function, np.ufunc):
        return function  # which asks its arguments
    found = find(str(getattr(function, "__name__", "")))
    return None if found is None else lambda *args, **kwargs: found(*map(_number, args), **kwargs)


def hidden(name: str) -> Stop:
    """The refusal of a NumPy array that meets tensors in a call of that name."""
    return Stop(f"mixes a NumPy array that it did not capture as a variable with the lane's arrays ({name})", *HIDDEN)


def _ufunc(self: Tensor, ufunc: np.ufunc, method: str, *inputs: object, **kwargs: object) -> Any:
    name = ufunc.__name__
    owner = "np" if hasattr(np, name) else "scipy.special"
    call = f"{owner}.{name}" if method == "__call__" else f"{owner}.{name}.{method}"
    if method == "__call__" and kwargs:
        raise _meaningless(f"{call} with {', '.join(kwargs)}", "the plain function, and np.where")
    if method == "reduce" and name in REDUCTIONS:
        return _function(self, REDUCTIONS[name], call, inputs, {"axis": 0, **kwargs})
    if method == "accumulate" and name in ACCUMULATIONS:
        return _function(self, ACCUMULATIONS[name], call, inputs, {"axis": 0, **kwargs})
    found = OPERATORS.get(name) or find(name, universal=True)
    if found is None or method not in ("__call__", "outer"):
        raise _meaningless(call)
    given = [_plain(value, call) for value in inputs]
    if name not in OPERATORS:
        given = [_tensor(value, self) for value in given]
    return found(*given) if method == "__call__" else outer_call(found, *given)


def _array_function(self: Tensor, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
    module = str(func.__module__).removeprefix("numpy").lstrip("._")
    name = f"{module}.{func.__name__}" if module in ("linalg", "fft") else func.__name__
    return _function(self, name, f"np.{name}", args, kwargs)


def _function(self: Tensor, name: str, call: str, args: Any, kwargs: dict[str, Any]) -> Any:
    found = find(name)
    if found is None:
        raise _meaningless(call, REMEDIES.get(name, REMEDY))
    args = [_plain(value, call) for value in args]
    kwargs = {key: _plain(value, call) for key, value in kwargs.items() if value is not np._NoValue}
    if name in ("stack", "concatenate", "concat", "hstack", "vstack", "column_stack", "dstack") and args:
        args[0] = tuple(_tensor(value, self) for value in args[0])
    try:
        return found(*args, **kwargs)
    except TypeError as error:
        unknown = [key for key in kwargs if f"'{key}'" in str(error) and "unexpected keyword" in str(error)]
        if unknown:
            raise _meaningless(f"{call} with {unknown[0]}", "the function without it") from error
        raise


def _meaningless(call: str, remedy: str = REMEDY) -> TraceError:
    return TraceError(f"calls {call}", MEANING, remedy)


def _plain(value: object, call: str) -> Any:
    """An argument with NumPy's numbers as Python's. Raises TraceError for NumPy's arrays."""
    if isinstance(value, tuple | list):
        return (
            tree_map(_number, list(value)) if not any(isinstance(v, np.ndarray) for v in leaves(list(value))) else _refuse(call)
        )
    return _refuse(call) if isinstance(value, np.ndarray) else _number(value)


def _refuse(call: str) -> Any:
    raise hidden(call)


def _number(value: object) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _tensor(value: object, like: Tensor) -> Any:
    """A number as a tensor beside others."""
    if not isinstance(value, bool | int | float):
        return value
    whole = not isinstance(value, float) and not like.is_floating_point()
    return torch.as_tensor(value, dtype=None if whole else like.dtype, device=like.device)


def _namespace(self: Tensor, api_version: str | None = None) -> Any:
    return array_api_compat.torch


class _Protocol:
    """A method of tensors for the threads in which a user's function runs."""

    def __init__(self, name: str, method: Callable[..., Any]) -> None:
        self.name, self.method = name, method

    def __get__(self, tensor: Tensor | None, owner: object = None) -> Any:
        if _inside.inputs is None:
            raise AttributeError(f"type object {getattr(owner, '__name__', 'Tensor')!r} has no attribute {self.name!r}")
        return self.method if tensor is None else self.method.__get__(tensor)


_PROTOCOLS = {
    name: _Protocol(name, method)
    for name, method in (
        ("__array_ufunc__", _ufunc),
        ("__array_function__", _array_function),
        ("__array_namespace__", _namespace),
    )
}
_LOCK = threading.Lock()
_RUNNING = [0]
"""How many users' functions run, in all threads: torch's compiler reads every attribute that tensors have, so that none is left."""


def _enter() -> None:
    with _LOCK:
        _RUNNING[0] += 1
        if _RUNNING[0] == 1:
            for name, protocol in _PROTOCOLS.items():
                setattr(Tensor, name, protocol)


def _leave() -> None:
    with _LOCK:
        _RUNNING[0] -= 1
        if _RUNNING[0] == 0:
            for name in _PROTOCOLS:
                delattr(Tensor, name)

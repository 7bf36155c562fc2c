"""NumPy's functions on arrays of another library: `np.exp(x)` of a traced tensor is that library's exp.

`Spoken` wraps an array and answers NumPy's protocols (`__array_ufunc__`, `__array_function__`), torch's and the
array-API's, so that a function written in any of them runs on the wrapped array, operation by operation. NumPy's own
arrays need no wrapper. Needs `array_api_compat` for the namespace.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from backends.errors import TraceError
from backends.tree import tree_map

NAMES = {
    "absolute": "abs", "fabs": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
    "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "concatenate": "concat", "amax": "max", "amin": "min",
    "around": "round", "conjugate": "conj", "deg2rad": "deg2rad", "radians": "deg2rad", "degrees": "rad2deg",
}  # fmt: skip
"""NumPy's names for what the array-API calls otherwise."""

OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv,
    "true_divide": operator.truediv, "floor_divide": operator.floordiv, "remainder": operator.mod, "mod": operator.mod,
    "power": operator.pow, "float_power": operator.pow, "matmul": operator.matmul, "negative": operator.neg,
    "positive": operator.pos, "less": operator.lt, "less_equal": operator.le, "equal": operator.eq,
    "not_equal": operator.ne, "greater": operator.gt, "greater_equal": operator.ge, "bitwise_and": operator.and_,
    "bitwise_or": operator.or_, "bitwise_xor": operator.xor, "invert": operator.invert,
}  # fmt: skip
"""Universal functions that are operators, which take Python numbers as they are."""

AXIS_SECOND = frozenset({"sum", "prod", "mean", "std", "var", "max", "min", "all", "any", "cumsum", "argmax", "argmin"})
"""Functions whose second argument NumPy takes by place, the array-API by name."""


class Spoken:
    """An array that understands NumPy's functions; `Spoken.of(array)` leaves NumPy's own as they are.

    Raises TraceError, on use, for a NumPy function that the array's library does not have.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, array: Any) -> None:
        self._array = array

    @classmethod
    def of(cls, value: Any) -> Any:
        """A wrapper of an array of another library than NumPy; of the arrays in lists and tuples too."""
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(cls.of, value))
        if isinstance(value, tuple | list):
            return type(value)(map(cls.of, value))
        foreign = hasattr(value, "shape") and not isinstance(value, np.ndarray | np.generic | cls)
        return cls(value) if foreign and not isinstance(value, tuple) else value

    @classmethod
    def plain(cls, value: Any) -> Any:
        """What is inside of wrappers, also in containers."""
        return tree_map(lambda leaf: leaf._array if isinstance(leaf, cls) else leaf, value)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            extra = ", ".join(kwargs) if kwargs else method
            raise TraceError(f"calls np.{ufunc.__name__} with {extra} on a traced array: use the plain function, and where()")
        known = OPERATORS.get(ufunc.__name__)
        if known is not None:
            return self._call(known, inputs, {}, numbers=True)
        return self._call(self._find(ufunc.__name__), inputs, {})

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = func.__name__
        if name in AXIS_SECOND and len(args) > 1:
            args, kwargs = args[:1], {"axis": args[1], **kwargs}
        return self._call(self._find(name), args, kwargs, numbers=True)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return cls.of(func(*cls.plain(args), **cls.plain(kwargs or {})))

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return _Namespace(array_namespace(self._array))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self._array.__array__(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_array":
            raise AttributeError(name)
        found = getattr(self._array, name)
        return _wrapped(found) if callable(found) else self.of(found)

    def __getitem__(self, index: Any) -> Any:
        return self.of(self._array[self.plain(index)])

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        return map(self.of, self._array)

    def __bool__(self) -> bool:
        return bool(self._array)

    def __float__(self) -> float:
        return float(self._array)

    def __int__(self) -> int:
        return int(self._array)

    def _find(self, name: str) -> Callable[..., Any]:
        """The library's function of NumPy's name."""
        xp = array_namespace(self._array)
        for place in (xp, getattr(xp, "linalg", None), getattr(xp, "special", None)):
            found = getattr(place, NAMES.get(name, name), None)
            if found is not None:
                return found  # type: ignore[no-any-return]
        raise TraceError(
            f"calls np.{name} on a traced array; expected a function that {xp.__name__.rpartition('.')[2]} has too: write it "
            "with where(), operators and the array namespace (array_api_compat.array_namespace(x))"
        )

    def _call(self, function: Any, args: Any, kwargs: Any, numbers: bool = False) -> Any:
        """The function of what is inside; NumPy's constants, and bare numbers where it takes none, as arrays like this."""
        xp = array_namespace(self._array)

        def inside(value: Any) -> Any:
            if isinstance(value, np.generic):
                value = value.item()
            if isinstance(value, np.ndarray):
                floating = value.dtype.kind == "f"
                return xp.asarray(value.tolist(), dtype=self._array.dtype if floating else None, device=device(self._array))
            if not numbers and isinstance(value, int | float):
                return xp.asarray(value, dtype=self._array.dtype, device=device(self._array))
            return value._array if isinstance(value, Spoken) else value

        return self.of(function(*tree_map(inside, list(args)), **tree_map(inside, kwargs)))


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of wrapped arrays that returns wrapped ones."""
    return lambda *args, **kwargs: Spoken.of(function(*Spoken.plain(list(args)), **Spoken.plain(kwargs)))


class _Namespace:
    """A library's namespace for wrapped arrays."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if isinstance(found, type) or not callable(found):
            return _Namespace(found) if type(found).__name__ == "module" else found
        return _wrapped(found)


def _operator(function: Callable[..., Any], reverse: bool) -> Callable[..., Any]:
    def method(self: Spoken, *others: Any) -> Any:
        args = (*others, self) if reverse else (self, *others)
        return self._call(function, args, {}, numbers=True)

    return method


for _name in "add sub mul truediv floordiv mod pow matmul and or xor".split():
    _function = getattr(operator, f"__{_name}__")
    setattr(Spoken, f"__{_name}__", _operator(_function, False))
    setattr(Spoken, f"__r{_name}__", _operator(_function, True))
for _name in "lt le eq ne gt ge neg pos abs invert".split():
    setattr(Spoken, f"__{_name}__", _operator(getattr(operator, f"__{_name}__"), False))

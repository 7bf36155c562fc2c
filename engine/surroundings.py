"""The world as a declared function sees it: NumPy and SciPy that work on one lane's arrays, and nothing that changes by itself.

`closures` rebuilds a declared function for each call; `Surroundings.see` says what stands there for a module, a function of
NumPy, a source of random numbers or a builtin. What NumPy makes of numbers alone (`np.eye(3)`) becomes an array like the
lane's; what reads files or draws is refused when it is called. Everything else is the same object.
"""

from __future__ import annotations

import builtins
import functools
import random
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

from backends import Backend
from backends.arrays import dtype_name, is_array, library_or_none
from backends.errors import TraceError
from backends.refusals import MEANING, NUMPY, RANDOM, REMEDIES, REMEDY
from backends.tree import leaves, tree_map
from backends.types import Array

FILE = (
    "it would be read when the function is traced and frozen in, whatever the file holds later",
    "a datum, or an array that the function captures: read the file before",
)
READS = frozenset("load loadtxt genfromtxt fromfile memmap fromregex save savez savetxt open input loadmat savemat".split())
"""Functions of NumPy, SciPy and Python that open files, by name."""

TO_ARRAYS = frozenset("array asarray asanyarray ascontiguousarray asfortranarray asarray_chkfinite require fromiter".split())
"""Functions that make a NumPy array of whatever they are given, and ask no protocol."""

LIBRARIES = ("numpy", "scipy", "random")


class Names:
    """A module, or a source of random numbers, whose attributes are seen from a declared function."""

    def __init__(self, value: object, see: Callable[[Any, str], Any], name: str) -> None:
        self._value, self._see, self.__name__ = value, see, name

    def __getattr__(self, name: str) -> Any:
        seen = self._see(getattr(self._value, name), f"{self.__name__}.{name}")
        if not name.startswith("_"):
            setattr(self, name, seen)
        return seen

    def __repr__(self) -> str:
        return repr(self._value)


class Universal(Names):
    """A universal function of NumPy: `np.log([1, 2])` of numbers alone is an array like the lane's; `np.add.reduce` is as ever."""

    def __init__(self, value: object, see: Callable[[Any, str], Any], name: str, call: Callable[..., Any]) -> None:
        super().__init__(value, see, name)
        self._call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function."""
        return self._call(*args, **kwargs)


class Surroundings:
    """The surroundings of declared functions on one backend's arrays; `like` is an array of the lane that runs.

    Raises TraceError, when the user's function calls it, for what reads a file, draws, or has no meaning on the arrays.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.like: Array | None = None
        self._seen: dict[int, tuple[Any, Any]] = {}

    def see(self, value: Any, name: str = "") -> Any:
        """The stand-in that a declared function sees for a value that it refers to."""
        kind = type(value)
        if isinstance(value, types.ModuleType):
            top = value.__name__.partition(".")[0]
            return self._once(value, lambda: Names(value, self.see, _short(value.__name__))) if top in LIBRARIES else value
        owner = getattr(value, "__self__", None)
        if _draws(kind) and not isinstance(value, type):
            return self._once(value, lambda: Names(value, self.see, kind.__name__))
        if owner is not None and _draws(type(owner)):
            return _refusing(f"draws random numbers with {name or value.__name__}", RANDOM)
        module = str(getattr(value, "__module__", None) or "")
        if value is builtins.open or value is builtins.input:
            return _refusing(f"calls {value.__name__}()", FILE)
        if kind.__name__ == "vectorize" and kind.__module__.partition(".")[0] == "numpy":
            return _refusing(
                f"calls a function of np.vectorize, {getattr(value, '__name__', 'f')}", (MEANING, REMEDIES["vectorize"])
            )
        if kind.__name__ == "ufunc":
            own = getattr(sys.modules["numpy"], value.__name__, None) is value
            return self._library(value, f"{'np' if own else 'scipy.special'}.{value.__name__}")
        if module.partition(".")[0] in ("numpy", "scipy"):
            return self._library(value, name or f"{_short(module)}.{getattr(value, '__name__', '')}")
        return value

    def builtins(self, known: object) -> dict[str, Any]:
        """The builtins of a function: `open`, and modules by `import`, as they are seen."""
        found: dict[str, Any] = self._once(known, lambda: self._builtins(known))
        return found

    def _builtins(self, known: object) -> dict[str, Any]:
        own: dict[str, Any] = dict(known if isinstance(known, Mapping) else vars(known))
        for name in {"open", "input"} & own.keys():
            own[name] = self.see(own[name])
        if load := own.get("__import__"):
            own["__import__"] = lambda *args, **kwargs: self.see(load(*args, **kwargs))
        return own

    def _library(self, value: object, name: str) -> Any:
        """A function or class of NumPy or SciPy."""
        last = name.rpartition(".")[2]
        if last in READS:
            return _refusing(f"opens a file with {name}()", FILE)
        if ".random." in f".{name}":
            return _refusing(f"draws random numbers with {name}", RANDOM)
        if last == "vectorize":
            return _refusing(f"calls {name}", (MEANING, REMEDIES["vectorize"]))
        universal = type(value).__name__ == "ufunc"
        if isinstance(value, type) or not callable(value):
            return value
        if universal and name.startswith("np."):
            return self._once(value, lambda: Universal(value, self.see, name, self._wrapped(value, name, last)))
        return self._once(value, lambda: self._wrapped(value, name, last))

    def _wrapped(self, function: Callable[..., Any], name: str, last: str) -> Callable[..., Any]:
        scipy = name.startswith("scipy.")

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            given = leaves([list(args), kwargs])
            if any(map(_is_traced, given)):
                if last in TO_ARRAYS:
                    raise TraceError(f"calls {name}, which {NUMPY[0]}", *NUMPY[1:])
                if not scipy:
                    return function(*args, **kwargs)
                meaning = self.backend.meaning(function) if name.startswith("scipy.special.") else None
                if meaning is None:
                    raise TraceError(f"calls {name}", MEANING, REMEDY)
                return meaning(*args, **kwargs)
            found = function(*args, **kwargs)
            return found if any(map(is_array, given)) else tree_map(self._constant, found)

        return call

    def _constant(self, value: Any) -> Any:
        """An array that was made of numbers alone, like the lane's arrays."""
        if not is_array(value) or value.dtype.kind not in "fiub" or self.like is None:
            return value
        floating = dtype_name(self.like) if value.dtype.kind == "f" else None
        device = getattr(self.like, "device", None) if library_or_none(self.like) == "torch" else None
        return self.backend.load(value, floating, device)

    def _once(self, value: Any, make: Callable[[], Any]) -> Any:
        """One stand-in for one value; the value is kept, so that its id stays its own."""
        if id(value) not in self._seen:
            self._seen[id(value)] = value, make()
        return self._seen[id(value)][1]


def _is_traced(value: object) -> bool:
    """Whether a value is an array of the lane: not one of NumPy's own, which a function holds unseen."""
    return is_array(value) and type(value).__module__.partition(".")[0] != "numpy"


def _draws(kind: type) -> bool:
    module = getattr(kind, "__module__", "") or ""
    return issubclass(kind, random.Random) or (
        module.startswith("numpy.random") and kind.__name__ in ("Generator", "RandomState")
    )


def _refusing(what: str, words: tuple[str, str]) -> Callable[..., Any]:
    def refuse(*args: object, **kwargs: object) -> Any:
        raise TraceError(what, *words)

    return refuse


def _short(module: str) -> str:
    """A module's public name, NumPy's as np."""
    parts = [part for part in module.split(".") if not part.startswith("_")]
    return ".".join(["np" if part == "numpy" and k == 0 else part for k, part in enumerate(parts)])

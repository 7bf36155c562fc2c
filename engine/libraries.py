"""Which objects are a library's own: by the names under which the library holds them, never by what an object says of itself."""

from __future__ import annotations

import os
import sys
import sysconfig
import types
from collections.abc import Mapping
from functools import cache
from typing import Any

from backends.pristine import PACKAGES

LIBRARIES = frozenset({"array_api_compat", "einops", "numpy", "scipy", "torch", *sys.stdlib_module_names})
"""Packages whose functions and classes count by name. A backend that keeps anything on disk adds the versions of those that this
project uses; `fingerprint.users` adds those of the others."""

BUILTIN = (
    types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType,
    types.GetSetDescriptorType, types.MemberDescriptorType,
)  # fmt: skip
"""Functions and attributes that compiled code alone can make."""

HEAP = 1 << 9
"""The flag of classes that Python code can make, `Py_TPFLAGS_HEAPTYPE`."""

BY_TEXT = (
    "__future__._Feature", "_ctypes.CField", "dataclasses._HAS_DEFAULT_FACTORY_CLASS", "torch.Tag", "torch._ops.OpOverload", "torch._ops._OpNamespace", "torch.dtype",
    "torch.library.Library", "typing.", "types.GenericAlias", "types.UnionType", "collections.abc.", "numpy.dtype",
)  # fmt: skip
"""How the names of classes begin whose objects do not change and are told apart by their `repr`."""


class Unhashable(Exception):
    """A value that cannot be hashed completely."""


def package(value: object) -> str:
    """The package of a function or class by its own word, which may be wrong or missing."""
    return str(getattr(value, "__module__", None)).partition(".")[0]


def is_library(module: object) -> bool:
    """Whether a loaded module of this name belongs to Python or to an installed library, not to a file of the user's."""
    top, _, _ = str(module).partition(".")
    return top in LIBRARIES and module in sys.modules and top in sys.modules and is_installed(_origin(top))


def has_project_code(function: types.FunctionType) -> bool:
    """Whether a function was compiled from a file of this project."""
    return function.__code__.co_filename.startswith(_own_homes())


def has_library_code(function: types.FunctionType) -> bool:
    """Whether a function was compiled from a file of Python's, of `LIBRARIES` or of this project; other installed code is not."""
    return _is_library_file(function.__code__.co_filename) or has_project_code(function)


@cache
def _is_library_file(file: str) -> bool:
    if file.startswith("<frozen "):
        return True
    home = max((home for home in _homes() if os.path.realpath(file).startswith(home)), key=len, default=None)
    top = "" if home is None else os.path.realpath(file)[len(home) :].partition(os.sep)[0].removesuffix(".py")
    return top in LIBRARIES or top == "typing_extensions"  # which mends `typing`


@cache
def _own_homes() -> tuple[str, ...]:
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return tuple(os.path.join(root, name, "") for name in sorted(PACKAGES))


def owns(names: Mapping[str, Any]) -> bool:
    """Whether a dict is the namespace of a loaded library module."""
    module = sys.modules.get(str(names.get("__name__")))
    return module is not None and vars(module) is names and is_library(module.__name__)


def at(module: object, path: str) -> Any:
    """The object at a dotted path of a loaded module, by its name; None where there is none."""
    found: Any = sys.modules.get(str(module))
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def holds(value: object) -> str:
    """The name under which a library holds a function, class or other object; empty where none does under its own name."""
    path = str(getattr(value, "__qualname__", getattr(value, "__name__", "")))
    for module in (getattr(value, "__module__", None), "numpy"):  # universal functions do not say where they are
        if at(module, path) is value and is_library(module):
            return f"{module}.{path}"
    return ""


def text(value: Any) -> str:
    """A library's object by name, or by all that is to be said of it. Raises Unhashable."""
    kind = type(value)
    if isinstance(value, BUILTIN):
        owner = getattr(value, "__objclass__", None) or getattr(value, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType | type):
            return f"{getattr(owner, '__module__', '')} {getattr(owner, '__name__', '')} {value.__qualname__}"
    if isinstance(value, type) and not value.__flags__ & HEAP:
        return f"{value.__module__}.{value.__qualname__}"
    full = f"{kind.__module__}.{kind.__qualname__}"
    if full.startswith(BY_TEXT) and (holds(kind) or not kind.__flags__ & HEAP):
        return repr(value)
    if full.startswith("numpy.") and hasattr(value, "tobytes") and not value.dtype.hasobject:
        return f"{value.dtype} {value.shape} {value.tobytes()!r}"
    if name := holds(value):
        return name
    raise Unhashable(f"{value!r} of {kind!r}")


@cache
def is_installed(origin: str | None) -> bool:
    """Whether a file of this name is Python's own or an installed package's."""
    return origin in ("built-in", "frozen") or (origin is not None and os.path.realpath(origin).startswith(_homes()))


@cache
def _homes() -> tuple[str, ...]:
    found = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(os.path.realpath(path) + os.sep for path in sorted(found))


def _origin(top: str) -> str | None:
    return getattr(getattr(sys.modules[top], "__spec__", None), "origin", None)

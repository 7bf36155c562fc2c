"""Whether libraries hold what is theirs: a user may have replaced `np.exp`, a method of `torch.Tensor` or a helper of either.

Needs `pure` for the names that functions may use, `libraries` for where installed code lies. Nothing is loaded: what is not
loaded yet has not been replaced.
"""

from __future__ import annotations

import builtins
import functools
import sys
import types
from collections.abc import Callable
from functools import cache
from typing import Any

from backends.alone import loaded_torch
from engine.fingerprint.pure import ALIASES, BUILTINS, MODULES, NAMES
from engine.libraries import BUILTIN, HEAP, LIBRARIES, Unhashable, has_library_code

BENEATH = ("numpy._core.", "numpy.lib.", "numpy.linalg.", "array_api_compat.", "torch._tensor", "torch.overrides", "einops.")
"""How the names of modules begin of which those of `MODULES` are made."""

KINDS = frozenset(
    """
    builtins.type builtins.function builtins.builtin_function_or_method builtins.method_descriptor builtins.property numpy._DTypeMeta
    builtins.wrapper_descriptor builtins.getset_descriptor numpy.ufunc numpy._ArrayFunctionDispatcher torch._C._TensorMeta typing.TypeVar
    """.split()
)
"""Types of what libraries hold under the names of `NAMES`, beside constants and modules."""

CONSTANTS = {"pi": 3.141592653589793, "tau": 6.283185307179586, "e": 2.718281828459045, "inf": float("inf"), "newaxis": None}

OPERATORS = frozenset(
    [f"__{prefix}{name}__" for name in "add sub mul truediv floordiv mod pow matmul and or xor".split() for prefix in ("", "r")]
    + [f"__{name}__" for name in "neg pos abs invert lt le gt ge eq ne getitem setitem".split()]
)


def check() -> None:
    """Raises Unhashable where a loaded library holds a function or an object of the user's, or torch is told to do otherwise."""
    torch = loaded_torch()
    if torch is not None and (torch._C._len_torch_function_stack() or torch._C._len_torch_dispatch_stack()):
        raise Unhashable("calls of torch that a mode of the user's sees")
    held = [vars(module) for name, module in sys.modules.copy().items() if name in MODULES or name.startswith(BENEATH)]
    if torch is not None:
        held.append(vars(torch.Tensor).copy())
    good: set[str] = set()
    kinds: set[Any] = set()
    for names in held:
        for name, value in names.copy().items():  # a list of items may run another thread as it is made
            kind = type(value)
            if kind in HOLDERS:
                value = HOLDERS[kind](value)
                kind = type(value)
            if kind is types.FunctionType and value.__code__.co_filename in good:
                continue
            if kind is types.FunctionType and has_library_code(value):
                good.add(value.__code__.co_filename)
            elif kind is types.FunctionType or (kind is types.ModuleType and not _is_loaded(value)):
                raise Unhashable(f"{name!r} of a library, which is {value!r}")
            else:
                kinds.add(kind)
    for kind in kinds:
        if kind is types.SimpleNamespace or not _is_installed(kind):
            raise Unhashable(f"an object of {kind!r} in a library")


HOLDERS: dict[type, Callable[[Any], Any]] = {
    classmethod: lambda value: value.__func__,
    staticmethod: lambda value: value.__func__,
    property: lambda value: value.fget,
    functools.partial: lambda value: value.func,
    functools.partialmethod: lambda value: value.func,
    types.MethodType: lambda value: value.__func__,
}
"""Objects that hold a function."""


def _is_loaded(module: types.ModuleType) -> bool:
    """Whether a module is in its place, or none is under that name: libraries drop some of their own."""
    known = sys.modules.get(module.__name__)
    return known is module or (known is None and module.__name__.partition(".")[0] in LIBRARIES)


def check_names() -> None:
    """Raises Unhashable where a library holds one of its functions under the name of another."""
    torch = loaded_torch()
    for module in MODULES & sys.modules.keys():
        held = vars(sys.modules[module])
        for name in NAMES & held.keys():
            _check_name(module, name, held[name])
    if torch is not None:
        for name in (NAMES | OPERATORS) & vars(torch.Tensor).keys():
            _check_name("torch.Tensor", name, vars(torch.Tensor)[name])


def check_builtins() -> None:
    """Raises Unhashable where one of Python's own functions was replaced."""
    for name in BUILTINS:
        value = getattr(builtins, name, None)
        ours = isinstance(value, BUILTIN) or (isinstance(value, type) and not value.__flags__ & HEAP)
        if (isinstance(value, type) or callable(value)) and not (ours and getattr(value, "__name__", "") == name):
            raise Unhashable(f"{name!r} of Python's own, which is {value!r}")


def _check_name(module: str, name: str, value: object) -> None:
    kind = type(value)
    if isinstance(value, types.ModuleType):
        fine = (
            value.__name__ in {*MODULES, f"{module}.{name}"}
            and value.__name__.rpartition(".")[2] == name
            and sys.modules.get(value.__name__) is value
        )
    elif value is None or kind is float:
        fine = value != value if name == "nan" else name in CONSTANTS and value == CONSTANTS[name]
    elif kind.__module__ == "torch":  # a dtype
        fine = str(value) in (f"torch.{name}", f"torch.{DTYPES.get(name)}")
    else:
        known = str(getattr(value, "__name__", name))
        plain = name.strip("_")
        fine = f"{kind.__module__}.{kind.__qualname__}" in KINDS
        fine = fine and (
            known == name
            or known.removeprefix("linalg_").removeprefix("special_") == name
            or f"{name}:{known}" in ALIASES
            or known.strip("_") == plain
        )
        if isinstance(value, type) and value.__flags__ & HEAP:
            functions = [member for member in vars(value).values() if isinstance(member, types.FunctionType)]
            fine = fine and all(map(has_library_code, functions))
    if not fine:
        raise Unhashable(f"{module}.{name}, which is {value!r}")


DTYPES = {"float": "float32", "double": "float64", "int": "int32"}


@cache
def _is_installed(kind: type) -> bool:
    """Whether a class has no methods of the user's, but perhaps some that a library wrote for it (`dataclass`)."""
    functions = [member for base in kind.__mro__ for member in vars(base).values() if isinstance(member, types.FunctionType)]
    written = kind.__module__.partition(".")[0] in LIBRARIES
    return all(has_library_code(function) or (written and function.__code__.co_filename == "<string>") for function in functions)

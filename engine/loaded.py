"""Descriptions of loaded code for a `Hasher`: functions, classes, objects and whole modules of this project."""

from __future__ import annotations

import builtins
import dataclasses
import enum
import functools
import re
import sys
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from engine import libraries
from engine.bytecode import code_digest, global_names
from engine.libraries import PACKAGES, Unhashable, package

if TYPE_CHECKING:
    from engine.fingerprint import Hasher

STATE = frozenset({
    "backends._LOADED", "backends.fused.lowering.lower.BODIES", "backends.torch.repeat.BODIES", "backends.fused.build.toolchain._loaded",
    "backends.fused.build.toolchain._locks", "engine.bytecode._KNOWN", "backends.fused.build.toolchain._guard",
})  # fmt: skip
"""Variables that a process fills as it runs: what the code did, no part of the code."""


def describe(hasher: Hasher, value: Any) -> None:
    """Describe a value that is no plain number or text. Raises Unhashable."""
    handler = HANDLERS.get(type(value))
    if handler is not None:
        handler(hasher, value)
    elif isinstance(value, type):
        _class(hasher, value)
    elif package(type(value)) not in PACKAGES:
        hasher.lines.append(libraries.text(value))
    elif isinstance(value, enum.Enum):
        hasher.add("member", type(value), value.name, value.value)
    else:
        _instance(hasher, value)


def namespace(hasher: Hasher, owner: str, names: Mapping[str, Any]) -> None:
    """What a module or class of this project holds, except what Python itself adds to it."""
    for name in sorted(names):
        value = names[name]
        if name[:2] == "__" and not _is_method(name, value):
            continue
        if f"{owner}.{name}" in STATE or name == "_abc_impl" or not name.isidentifier():
            continue  # no source holds a name that is no identifier: a test runner puts them beside the assertions that it rewrites
        if isinstance(value, types.ModuleType) and sys.modules.get(f"{owner}.{name}") is value:
            continue  # a package holds its modules as soon as they are loaded, used or not
        hasher.lines.append(name)
        hasher.add(value)


def _is_method(name: str, value: Any) -> bool:
    return name != "__annotate_func__" and (value is None or isinstance(value, (types.FunctionType, *WRAPPERS)))


def _function(hasher: Hasher, function: types.FunctionType) -> None:
    if not (_is_reached(hasher, function.__globals__) or _needs_content(hasher, function)):
        return
    hasher.lines.append(code_digest(function.__code__))
    if function.__defaults__ or function.__kwdefaults__:
        hasher.add(function.__defaults__, function.__kwdefaults__)
    if function.__closure__:
        hasher.add([_content(cell) for cell in function.__closure__])
    if more := vars(function):
        hasher.add(more)


def _is_reached(hasher: Hasher, names: dict[str, Any]) -> bool:
    """Whether these are the globals of a module of this project, which then count as a whole."""
    module = sys.modules.get(str(names.get("__name__")))
    if module is None or vars(module) is not names or module.__name__.partition(".")[0] not in PACKAGES:
        return False
    hasher.reach(module)
    return True


def _needs_content(hasher: Hasher, function: types.FunctionType) -> bool:
    """Describe where a function comes from; False for a library's own function, which its name tells completely."""
    names, code = function.__globals__, function.__code__
    module = sys.modules.get(str(names.get("__name__")))
    if libraries.owns(names):
        hasher.add("library", names["__name__"], code.co_qualname, code.co_firstlineno)
        return not libraries.holds(function)
    if package(function) not in PACKAGES or (module is not None and vars(module) is names):
        raise Unhashable(f"{function!r} of the user's")
    if names.get("__builtins__", builtins) not in (builtins, vars(builtins)):
        raise Unhashable(f"{function!r} with builtins of its own")
    # rebuilt by `captures` on copies of the names that it reads
    hasher.add({name: names[name] for name in sorted(global_names(code)) if name in names})
    return True


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return ...


def _class(hasher: Hasher, value: type) -> None:
    if package(value) not in PACKAGES:
        hasher.lines.append(libraries.text(value))
        return
    hasher.add("class", value.__module__, value.__qualname__, type(value), value.__bases__)
    if value.__module__ in sys.modules:
        hasher.reach(sys.modules[value.__module__])
    namespace(hasher, value.__qualname__, vars(value))


def _instance(hasher: Hasher, value: Any) -> None:
    """An object of this project by its fields."""
    if not hasattr(value, "__dict__"):
        raise Unhashable(f"{value!r}, which hides its fields")
    names = [f.name for f in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else sorted(vars(value))
    hasher.add("object", type(value), {name: getattr(value, name) for name in names})


def _module(hasher: Hasher, module: types.ModuleType) -> None:
    name = module.__name__
    if sys.modules.get(name) is not module:
        raise Unhashable(f"{module!r} in the place of the loaded one")
    hasher.lines.append(f"import {name}")
    if name.partition(".")[0] in PACKAGES:
        hasher.reach(module)
    elif not libraries.is_library(name):
        raise Unhashable(f"{module!r} is the user's")


def _set(hasher: Hasher, value: Any) -> None:
    parts = []
    for member in value:
        alone = type(hasher)().add(member)
        parts.append("\n".join(alone.lines))
        for module in alone.modules.values():
            hasher.reach(module)
    hasher.add("set", sorted(parts))


def _dict(hasher: Hasher, value: Mapping[Any, Any]) -> None:
    hasher.lines.append(f"dict {len(value)}")
    for key, member in value.items():
        hasher.add(key, member)


def _wrapper(hasher: Hasher, value: Any) -> None:
    hasher.lines.append(type(value).__name__)
    hasher.add(*(getattr(value, name) for name in WRAPPERS[type(value)]))


WRAPPERS: Mapping[type, tuple[str, ...]] = {
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    functools.cached_property: ("func",),
    functools.partial: ("func", "args", "keywords"),
    functools.partialmethod: ("func", "args", "keywords"),
    type(functools.cache(len)): ("__wrapped__",),
    types.MethodType: ("__func__", "__self__"),
    types.SimpleNamespace: ("__dict__",),
    re.Pattern: ("pattern", "flags"),
}
"""Objects of Python's own that count by what they hold."""

HANDLERS: Mapping[type, Callable[[Hasher, Any], None]] = {
    types.FunctionType: _function,
    types.ModuleType: _module,
    types.CodeType: lambda hasher, code: hasher.lines.append(code_digest(code)),
    dict: _dict,
    types.MappingProxyType: _dict,
    set: _set,
    frozenset: _set,
    **dict.fromkeys(WRAPPERS, _wrapper),
}

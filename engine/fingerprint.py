"""A digest of values and of all loaded code behind them: what runs is hashed, not what names or files on disk say.

A function counts by its bytecode, constants, defaults and closure, a class by its attributes, an object of this project by
its fields (`loaded`). As soon as one of them belongs to a module of this project, everything that the loaded module holds
counts, and so do the modules that it imports. Functions and classes of libraries count by name, once the library itself is
found to hold them under that name (`libraries`). Values that cannot be hashed completely raise `Unhashable`.
"""

from __future__ import annotations

import hashlib
import types
from typing import Any

from engine import loaded

PLAIN = frozenset({type(None), type(...), bool, int, float, complex, str, bytes})


class Hasher:
    """Collects the description of values; an object that was described before counts by its place.

    >>> one, two = (Hasher().add([1, {"a": 2.0}]).digest() for _ in range(2))
    >>> one == two != Hasher().add([1, {"a": 2}]).digest()
    True
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.modules: dict[str, types.ModuleType] = {}
        self._places: dict[int, int] = {}
        self._kept: list[Any] = []  # an object that is gone would leave its id to another

    def add(self, *values: Any) -> Hasher:
        """Describe values. Raises Unhashable."""
        for value in values:
            kind = type(value)
            if kind in PLAIN:
                self.lines.append(f"{kind.__name__} {value!r}")
            elif kind in (tuple, list):
                self.lines.append(f"{kind.__name__} {len(value)}")
                self.add(*value)
            elif id(value) in self._places:
                self.lines.append(f"again {self._places[id(value)]}")
            else:
                self._places[id(value)] = len(self._places)
                self._kept.append(value)
                loaded.describe(self, value)
        return self

    def reach(self, module: types.ModuleType) -> Hasher:
        """Have a module of this project described when the digest is taken."""
        self.modules.setdefault(module.__name__, module)
        return self

    def digest(self) -> str:
        """The digest of all that was added, and of the modules of this project behind it. Raises Unhashable."""
        described = 0
        while described < len(self.modules):  # a module's description reaches others
            name, module = list(self.modules.items())[described]
            self.lines.append(f"module {name}")
            loaded.namespace(self, name, vars(module))
            described += 1
        return hashlib.sha256("\n".join(self.lines).encode(errors="surrogatepass")).hexdigest()

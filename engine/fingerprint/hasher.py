"""A digest of values, line by line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

PLAIN = frozenset({type(None), type(...), bool, int, float, complex, str, bytes})


class Hasher:
    """Collects the description of values; an object that was described before counts by its place.

    Args:
        describe: describes a value that is no plain number or text, nor a tuple or list of them, by more calls of `add`; raises
            Unhashable for one that cannot be hashed completely.
        name: of this hasher, by which its places are told from those of another one.
        lines: where to, if another hasher writes there too.

    >>> one, two = (Hasher(lambda hasher, value: hasher.add(*value.items())).add([1, {"a": 2.0}]).digest() for _ in range(2))
    >>> one == two != Hasher(lambda hasher, value: hasher.add(*value.items())).add([1, {"a": 2}]).digest()
    True
    """

    def __init__(self, describe: Callable[[Hasher, Any], None], name: str = "", lines: list[str] | None = None) -> None:
        self.lines: list[str] = [] if lines is None else lines
        self._describe, self._name = describe, name
        self._places: dict[int, int] = {}
        self._kept: list[Any] = []  # an object that is gone would leave its id to another

    def add(self, *values: Any) -> Hasher:
        """Describe values. Raises Unhashable."""
        for value in values:
            kind = type(value)
            if kind in PLAIN:
                self.lines.append(f"{kind.__name__} {value!r}")
            elif kind is not tuple and id(value) in self._places:
                self.lines.append(f"again {self._name} {self._places[id(value)]}")
            else:
                self._places[id(value)] = len(self._places)
                self._kept.append(value)
                if kind in (tuple, list):
                    self.lines.append(f"{kind.__name__} {len(value)}")
                    self.add(*value)
                else:
                    self._describe(self, value)
        return self

    def digest(self) -> str:
        """The digest of all that was added."""
        return hashlib.sha256("\n".join(self.lines).encode(errors="surrogatepass")).hexdigest()

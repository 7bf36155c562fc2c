"""Records: frozen dataclasses that are trees of arrays, such as the state of a solver. Needs nothing.

@dataclass(frozen=True, eq=False)
class DescentState(Record):
    params: Params
    velocity: Params
    loss: Scalar
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

R = TypeVar("R", bound="Record")


class Record:
    """A frozen dataclass as a tree: every field is an entry under its name, in order; a field that is None is no entry.

    Entries are read as those of a dict, too. `record | changes` is a copy with other entries: a record of the same class, or
    a dict where a name is that of no field.
    """

    @classmethod
    def of(cls: type[R], state: Record | Mapping[str, Any]) -> R:
        """A state of this class as it is; one of the entries of another, or of a dict. Raises KeyError for one that lacks a field."""
        if isinstance(state, cls):
            return state
        optional = {field.name for field in dataclasses.fields(cls) if "None" in str(field.type)}  # type: ignore[arg-type]
        return cls(**{name: state.get(name) if name in optional else state[name] for name in cls._names()})

    def keys(self) -> list[str]:
        """The names of the entries."""
        return [name for name in self._names() if getattr(self, name) is not None]

    def items(self) -> list[tuple[str, Any]]:
        """Names and entries."""
        return [(name, getattr(self, name)) for name in self.keys()]

    def get(self, name: str, default: Any = None) -> Any:
        """An entry, or another value where there is none of that name."""
        found = getattr(self, name) if name in self._names() else None
        return default if found is None else found

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return getattr(self, name)

    def __setitem__(self, name: str, value: object) -> None:
        raise TypeError(
            f"{type(self).__name__}: entry {name!r} was assigned; records do not change: write state | {{{name!r}: value}}"
        )

    def __or__(self, changes: Record | Mapping[str, Any]) -> Any:
        if all(name in self._names() for name in changes):
            return dataclasses.replace(self, **changes)  # type: ignore[type-var]
        return {**self, **changes}

    def __ror__(self, entries: Mapping[str, Any]) -> dict[str, Any]:
        return {**entries, **self}

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        """All fields, in order."""
        return tuple(cls.__dataclass_fields__)  # type: ignore[attr-defined]

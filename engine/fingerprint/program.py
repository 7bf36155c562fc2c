"""A fingerprint of a program: a name that is the same in every process in which the same would be computed.

A solve is traced once per installation: what was worked out is kept on disk under this name. The name is a digest of the declaration
as it was frozen, of this project's source files and of users' functions with all that they read (`fingerprint`), so that a process in
which a function, class or constant is another one neither finds the kernels of others nor leaves its own to them. What cannot be
hashed completely gets no name, and nor does anything where this project's code or a library's was replaced: nothing is kept of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends import pristine
from backends.arrays import dtype_name, to_host
from engine.fingerprint import genuine
from engine.fingerprint.own import hashers
from engine.libraries import Unhashable
from engine.problem import Param, Problem


@dataclass(frozen=True)
class Slot:
    """The place of a captured array, which is an input: its dtype and shape, and its numbers where they may be indices."""

    place: int
    dtype: str
    shape: tuple[int, ...]
    indices: str

    @classmethod
    def of(cls, place: int, array: Any) -> Slot:
        """The slot of an array. Raises TypeError for one that is no input."""
        whole = dtype_name(array).startswith(("int", "uint", "bool"))
        indices = hashlib.sha256(to_host(array).tobytes()).hexdigest() if whole else ""
        return cls(place, dtype_name(array), tuple(array.shape), indices)


def fingerprint(problem: Problem, *rest: object) -> str:
    """A digest of a problem's declaration, of other values and of the code behind them; empty where one cannot be hashed.

    >>> import problems
    >>> fingerprint(problems.inverse()) == fingerprint(problems.inverse())
    True
    """
    own, users = hashers()
    sources = pristine.sources()
    if not sources:
        return ""
    try:
        genuine.check()
        genuine.check_names()
        genuine.check_builtins()
        own.add(sources, *_declaration(problem), *rest)
        users.finish()
    except (Unhashable, ValueError, RecursionError):
        return ""
    return own.digest()


def _declaration(problem: Problem) -> tuple[Any, ...]:
    """The parts of a problem that make its program; starts and weights that are numbers are inputs of it."""
    if type(problem) is not Problem or any(type(param) is not Param for param in problem.params.values()):
        raise Unhashable("a class of the user's")
    functions = {
        role: frozen.rebuild([Slot.of(place, array) for place, array in enumerate(frozen.arrays())])
        for role, frozen in problem.frozen.items()
    }
    params = {name: (p.axes, p.domain) for name, p in problem.params.items()}
    starts = [id(param.start) for param in problem.params.values() if callable(param.start)]
    shared = [starts.index(start) for start in starts]  # params that share a function share one call
    weights = tuple(problem.weights) if isinstance(problem.weights, Mapping) else problem.weights is None
    return (problem.name, dict(problem.data), params, problem.exact, weights, shared, functions)

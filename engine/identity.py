"""A name for a program that is the same in every process, for problems made of this project's own functions.

A solve of the catalogue is traced once per installation: what was worked out is kept on disk under this name. The name is a
digest of the declaration as it was frozen and of all code that is loaded (`fingerprint`), so that a process in which a
function, class or constant of this project was replaced neither finds the kernels of others nor leaves its own to them.
User functions and solvers, arrays and other objects that cannot be hashed completely get no name: nothing is kept of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from engine.fingerprint import Hasher
from engine.libraries import Unhashable
from engine.problem import Param, Problem

MAKER = "engine.plan"
"""The module that makes programs: it and all modules that it imports count."""


def identity(problem: Problem, *rest: Any) -> str:
    """A digest of a problem's declaration, of other values and of the code behind them; empty where one cannot be hashed.

    >>> import problems
    >>> identity(problems.inverse()) == identity(problems.inverse()) != identity(problems.svd())
    True
    """
    try:
        return Hasher().add(*_declaration(problem), *rest).reach(sys.modules[MAKER]).digest()
    except (Unhashable, ValueError, RecursionError):
        return ""


def _declaration(problem: Problem) -> tuple[Any, ...]:
    """What of a problem is part of a program; starts and weights that are numbers are inputs of it."""
    if any(frozen.readers for frozen in problem.frozen.values()):
        raise Unhashable("a captured array")
    functions = {role: frozen.bind([]) for role, frozen in problem.frozen.items()}
    params = {name: (p.axes, p.domain) for name, p in problem.params.items() if isinstance(p, Param)}
    weights = tuple(problem.weights) if isinstance(problem.weights, Mapping) else problem.weights is None
    return (problem.name, dict(problem.data), params, problem.exact, weights, functions)

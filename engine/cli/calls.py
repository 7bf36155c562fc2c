"""Names and calls in Python's own notation, `inverse(side="right")`, without evaluating anything; and the catalogue."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from engine import Problem, solvers

LONGEST = 1000
"""Characters of a call: a parser takes long for a long one."""

CATALOGUE = "problems"
"""The package of the catalogue, found by name when a command runs. The catalogue is built on the engine, so the
engine cannot import it: to the engine it is one set of declarations among others. Only this command line, an
application on top of both that lives here for the sake of `python -m engine`, has to find it."""


def catalogue() -> Mapping[str, Callable[..., Problem]]:
    """All problems by name."""
    found: Mapping[str, Callable[..., Problem]] = importlib.import_module(CATALOGUE).catalogue()
    return found


def solver_classes() -> dict[str, Callable[..., Any]]:
    """All solvers by name."""
    found = {name: getattr(solvers, name) for name in solvers.__all__ if name != "Solver"}
    return {name: value for name, value in found.items() if inspect.isclass(value) and hasattr(value, "step")}


def problem(text: str) -> Problem:
    """The problem that a word or call of the command line names.

    >>> problem("inverse(side='right')").name
    'inverse[right]'
    """
    return made(text, catalogue(), "problem")  # type: ignore[no-any-return]


def solver(text: str) -> Any:
    """The solver that a word or call of the command line names.

    >>> solver("adam(learning_rate=0.01)").learning_rate
    0.01
    """
    return made(text, solver_classes(), "solver")


def made(text: str, known: Mapping[str, Callable[..., Any]], kind: str) -> Any:
    """`name` or `name(literals)`, made by the function of that name; upper and lower case are the same.

    Raises:
        ValueError: no call of literals, one of unreasonable length, an unknown name, settings that the function does not take.
    """
    if len(text) > LONGEST:
        raise ValueError(
            f"{kind}: got a text of {len(text):,} characters, {text[:40]!r}...; expected at most {LONGEST:,}: shorten it"
        )
    try:
        tree: ast.expr = ast.parse(text.strip(), mode="eval").body
        call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
        if not isinstance(call.func, ast.Name):
            raise ValueError
        arguments = [ast.literal_eval(value) for value in call.args]
        settings = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
        if len(settings) < len(call.keywords):
            raise ValueError
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise ValueError(
            f"{kind}: got {text[:80]!r}; expected a name, or a call of literals such as name(0.9, word='x')"
        ) from None
    folded = {name.lower(): make for name, make in known.items()}
    make = folded.get(call.func.id.lower())
    if make is None:
        raise ValueError(f"{kind}: there is no {call.func.id[:80]!r}; expected one of {', '.join(sorted(known))}")
    try:
        inspect.signature(make).bind(*arguments, **settings)
    except TypeError as error:
        raise ValueError(f"{kind} {call.func.id}: {error}; expected {call.func.id}{called(make)}") from None
    return make(*arguments, **settings)


def called(make: Callable[..., Any]) -> str:
    """A signature as it is called: names and defaults, no types; without settings' names of an earlier version.

    >>> called(solver_classes()["GradientDescent"])
    '(learning_rate, momentum=0.0, nesterov=False)'
    """
    signature = inspect.signature(make)
    now = (argument for argument in signature.parameters.values() if not str(argument.annotation).startswith("InitVar"))
    bare = [argument.replace(annotation=inspect.Parameter.empty) for argument in now]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))

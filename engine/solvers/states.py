"""The state that a solver returns, checked when a program is prepared: entries, shapes and dtypes. Needs `contract`.

A solver of this project is not looked at again: its tests hold it to the same.
"""

from __future__ import annotations

from typing import Any

from backends.record import Record
from backends.tree import leaves, names, tree_map, unflatten
from engine.errors import ExtensionError
from engine.libraries import package
from engine.objective import Objective, Params
from engine.solvers.base import Solver, State, said

JUDGED = ("optimality", "halving", "stuck")
FIT = ("rate", "reference")
"""Entries of the state of a solver with `OWN_OPTIMALITY`, and more of one that is given a residual that need not vanish."""


def first_state(solver: Solver, objective: Objective, params: Params) -> State:
    """The state before the first step. Raises ExtensionError."""
    who, state = _returned(solver, "init"), solver.init(objective, params)
    if package(type(solver)) == "engine":
        return state
    _check_entries(who, state, _needed(solver, objective))
    for name, leaf in zip(names(state), leaves(state), strict=True):
        if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype"):
            raise ExtensionError(
                f"{who} {type(leaf).__name__} for {name!r}; expected arrays alone: make it of another array, "
                "as 0 * objective.loss(params) + number"
            )
    _check_alike(who, state["params"], params, "the params of the start", "params.")
    for name in {*state.keys()} & {"loss", *_needed(solver, objective)} - {"params"}:
        if tuple(getattr(state[name], "shape", (...,))) != ():
            raise ExtensionError(f"{who} {name!r} of shape {_shape(state[name])}; expected a scalar of one lane: reduce it")
    return state


def next_state(solver: Solver, objective: Objective, state: State) -> State:
    """The state after a step, its entries in the order of those before it. Raises ExtensionError."""
    if package(type(solver)) == "engine":
        return solver.step(objective, state)
    who, after = _returned(solver, "step"), solver.step(objective, tree_map(lambda leaf: leaf, state))
    _check_entries(who, after, ())
    _check_alike(who, after, state, "the state of init")
    found = dict(zip(names(after), leaves(after), strict=True))
    return unflatten(state, [found[name] for name in names(state)])  # type: ignore[no-any-return]


def _returned(solver: Solver, method: str) -> str:
    return f"solver {type(solver).__name__}: {method} returned"


def _needed(solver: Solver, objective: Objective) -> tuple[str, ...]:
    if not said(solver, "OWN_OPTIMALITY"):
        return ("params", "loss")
    is_fit = objective.problem.residual is not None and not objective.problem.exact
    return ("params", "loss", *JUDGED, *(FIT if is_fit else ()))


def _check_entries(who: str, state: object, needed: tuple[str, ...]) -> None:
    if not isinstance(state, dict | Record):
        raise ExtensionError(
            f"{who} {type(state).__name__}; expected a dict with at least 'params' and 'loss': "
            'return {"params": params, "loss": loss}'
        )
    if missing := [name for name in needed if name not in state]:
        why = " of a solver with OWN_OPTIMALITY" if missing[0] in JUDGED + FIT else ""
        raise ExtensionError(f"{who} the entries {sorted(map(str, state))}; expected {missing[0]!r} among them{why}: add it")
    twice = [name for name in names(state) if names(state).count(name) > 1]
    if twice:
        raise ExtensionError(f"{who} two entries {twice[0]!r}; expected one: rename the key that has a dot in it")


def _check_alike(who: str, came: object, before: object, words: str, prefix: str = "") -> None:
    """Refuse a tree that has not the entries of another, with their shapes and kinds of dtype."""
    entries, expected = (dict(zip(names(tree), leaves(tree), strict=True)) for tree in (came, before))
    if entries.keys() != expected.keys():
        raise ExtensionError(
            f"{who} the entries {[prefix + name for name in sorted(entries)]}; expected {words}, "
            f"{[prefix + name for name in sorted(expected)]}: return every entry, changed or not"
        )
    for name, leaf in entries.items():
        if _shape(leaf) != _shape(expected[name]):
            raise ExtensionError(
                f"{who} {prefix + name!r} of shape {_shape(leaf)}; expected shape {_shape(expected[name])} as in {words}: keep its shape"
            )
        if _kind(leaf) != _kind(expected[name]):
            raise ExtensionError(
                f"{who} {prefix + name!r} of dtype {_dtype(leaf)}; expected {_dtype(expected[name])} as in {words}: "
                "convert it with astype, or begin with that dtype in init"
            )


def _shape(leaf: Any) -> Any:
    return tuple(leaf.shape) if hasattr(leaf, "shape") else type(leaf).__name__


def _dtype(leaf: Any) -> str:
    return str(getattr(leaf, "dtype", type(leaf).__name__)).removeprefix("torch.")


def _kind(leaf: Any) -> str:
    """Floats of several widths are one kind: a lane's state keeps its own."""
    return _dtype(leaf).lstrip("u").rstrip("0123456789")

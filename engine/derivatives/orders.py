"""The derivatives that are taken of a call's tensors: how many, one inside of the other, and whether a solution has them.

Needs `levels` of the torch backend, which counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backends import arrays as _arrays
from backends.torch import levels
from backends.types import Array
from engine import bind as _bind
from engine.errors import ArgumentError
from engine.run import Asked

LIMITS = {1: 1, 2: 3}
"""`derivatives` -> the highest order that is exact."""


def tensors_of(inputs: Mapping[str, Array]) -> dict[str, Any]:
    """The torch tensors among inputs."""
    return {name: array for name, array in inputs.items() if _arrays.library(array) == "torch"}


def settle(asked: Asked, bound: _bind.Bound, captured: dict[str, Array]) -> tuple[Asked, _bind.Bound, dict[str, Array], str]:
    """The call with the `derivatives` that it needs, inputs that raise where too many are taken, and one that is mapped.

    Raises:
        TypeError, ValueError: more orders of derivatives than were asked for; `tol=0`, whose last iterate has none; a tensor that
            is differentiated or mapped beside NumPy data.
    """
    inputs = tensors_of({**bound.arrays, **captured})
    moving = {name: a for name, a in inputs.items() if not name.startswith(("start.", "capture.start."))}
    orders = {name: levels.orders(a) for name, a in moving.items()}
    derivatives = asked.options["derivatives"] if max(orders.values(), default=0) else 0
    mapped = next((name for name, array in inputs.items() if levels.is_wrapped(array)), "")
    _check(asked, bound, orders, mapped)
    if derivatives == 1:
        again = _words(asked, "a second derivative")
        held = {name: levels.raise_twice(a, again) for name, a in moving.items() if orders[name] and not levels.is_wrapped(a)}
        bound = replace(bound, arrays={name: held.get(name, a) for name, a in bound.arrays.items()})
        captured = {name: held.get(name, a) for name, a in captured.items()}
    return replace(asked, options={**asked.options, "derivatives": derivatives}), bound, captured, mapped


def _check(asked: Asked, bound: _bind.Bound, orders: Mapping[str, int], mapped: str) -> None:
    name, most = max(orders.items(), key=lambda item: item[1], default=("", 0))
    derivatives = asked.options["derivatives"]
    if bound.signature.library != "torch" and (mapped or (most and derivatives)):
        raise ArgumentError(
            f"problem {asked.problem.name!r}: {_spoken(mapped or name)} is differentiated or mapped, and the data came as NumPy "
            "arrays, which carry no derivative; expected tensors: convert the data, or pass it with .detach()"
        )
    if not most or not derivatives:
        return
    if most > LIMITS[derivatives]:
        raise ArgumentError(_words(asked, f"derivative {most} by {_spoken(name)}"))
    if asked.options["tol"] == 0:
        raise ArgumentError(
            f"problem {asked.problem.name!r}: tol came as 0 with {_spoken(name)}, which is differentiated; expected a tol above 0: "
            "the last iterate of a fixed number of steps is no solution and has no derivative here; derivatives=0 detaches it"
        )


def _words(asked: Asked, what: str) -> str:
    derivatives = asked.options["derivatives"]
    remedy = "pass derivatives=2, which is exact through third order" if derivatives == 1 else "there is no higher one"
    return f"problem {asked.problem.name!r}: {what} was taken of a solution with derivatives={derivatives}: {remedy}"


def _spoken(name: str) -> str:
    kind, _, own = name.partition(".")
    if kind == "start":
        return f"the start of {own!r}"
    return f"datum {own!r}" if kind == "data" else f"a tensor that {own.rpartition('.')[0]} captures"

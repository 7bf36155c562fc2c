"""The one public boundary: a problem and a user's arrays become checked inputs of a batch of lanes.

Needs `problem` and `axes` for what was declared, `backends.arrays` for what came. Everything wrong with a call
is found here, before anything is traced or compiled; the code behind it trusts.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends import arrays as _arrays
from engine import axes as _axes
from engine.errors import ArgumentError
from engine.objective import weights_of
from engine.problem import Param, Problem
from engine.solvers.base import Solver, numbers

Array = Any


@dataclass(frozen=True)
class Bound:
    """A checked call: arrays by input name with one leading lane axis unless shared, and what they came as."""

    arrays: dict[str, Array]
    shared: frozenset[str]
    batch: tuple[int, ...]
    shapes: dict[str, tuple[int, ...]]
    dtype: str
    library: str
    device: Any

    @property
    def lanes(self) -> int:
        """How many lanes the batch has."""
        return math.prod(self.batch)


def bind(problem: Problem, data: Any, start: Mapping[str, Any] | None, seed: int) -> Bound:
    """Check data and start against the declaration; flatten the batch axes into one lane axis.

    Raises:
        TypeError, ValueError: naming the datum or parameter, what came, what was expected, and a remedy.
    """
    given = _data(problem, data)
    library, device = _home(problem, given)
    sizes: dict[str, int] = {}
    origin: dict[str, str] = {}
    batches = {
        f"data.{name}": _axes.read(f"datum {name!r}", problem.axes[name], tuple(array.shape), sizes, origin)
        for name, array in given.items()
    }
    _axes.derive(problem.sizes, sizes, problem.name)
    shapes = {name: _axes.shape_of(problem.axes[name], sizes, f"param {name!r}") for name in problem.params}
    named = {f"data.{name}": array for name, array in given.items()}
    starts = _starts(problem, {} if start is None else start, shapes, seed)
    _check_home(problem, {name: a for name, a in starts.items() if _arrays.is_array(a)}, library, device, start or {})
    for name, value in starts.items():
        array = _arrays.as_array(value)
        named[f"start.{name}"] = array
        batches[f"start.{name}"] = _axes.read(f"start of {name!r}", problem.axes[name], tuple(array.shape), dict(sizes), origin)
    batch = _broadcast(batches)
    dtype = _arrays.common_float(given.values(), library)
    # without a batch axis the one lane's data are its own, as in a batch: the same compiled code serves both
    shared = frozenset(n for n in named if not batches[n] and (batch or not n.startswith("data.")))
    return Bound(named, shared, batch, shapes, dtype, library, device)


def runtime_numbers(problem: Problem, solver: Solver, tol: float, max_steps: int) -> dict[str, Any]:
    """Inputs that are numbers: another value compiles nothing."""
    inputs: dict[str, Any] = {f"weight.{name}": value for name, value in weights_of(problem).items()}
    inputs |= {f"setting.{k}": value for k, value in enumerate(numbers(solver))}
    return inputs | {"tol": tol, "max_steps": max_steps}


def captured_arrays(problem: Problem) -> dict[str, Array]:
    """Inputs that are arrays which declared functions captured, as they are now."""
    found = {f"capture.{role}.{k}": array for role in problem.frozen for k, array in enumerate(_captured(problem, role))}
    for name, array in found.items():
        reason = _arrays.refusal(array)
        if reason:
            raise ArgumentError(f"problem {problem.name!r}: an array that {name.split('.')[1]} captures: {reason}")
    return found


def _captured(problem: Problem, role: str) -> list[Array]:
    try:
        return problem.frozen[role].arrays()
    except TypeError as error:
        raise ArgumentError(f"problem {problem.name!r}: {role} captures {error}") from None


def _data(problem: Problem, data: Any) -> dict[str, Array]:
    """The data by name, as arrays."""
    where = f"problem {problem.name!r}"
    if not isinstance(data, Mapping):
        if len(problem.data) != 1:
            raise ArgumentError(
                f"{where}: data came as {type(data).__name__}; expected a mapping with {sorted(problem.data)}, "
                f"such as {{{', '.join(f'{n!r}: ...' for n in problem.data)}}}"
            )
        data = {next(iter(problem.data)): data}
    missing, unknown = set(problem.data) - set(data), set(data) - set(problem.data)
    if missing or unknown:
        wrong = f"datum {min(missing)!r} is missing" if missing else f"datum {min(map(str, unknown))!r} is not declared"
        raise ArgumentError(f"{where}: {wrong}; got {sorted(map(str, data))}, expected {sorted(problem.data)}: give just these")
    return {name: _array(f"{where}: datum {name!r}", data[name]) for name in problem.data}


def _array(owner: str, value: Any) -> Array:
    try:
        _arrays.library(value)
        array = _arrays.as_array(value)
        reason = _arrays.refusal(array)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{owner}: {error}: convert it to an array") from error
    if reason:
        raise ArgumentError(f"{owner}: {reason}")
    return array


def _home(problem: Problem, given: dict[str, Array]) -> tuple[str, Any]:
    """The library and device that all data share; lists and numbers go along with any."""
    homes = {name: (_arrays.library(array), _arrays.device(array)) for name, array in given.items()}
    if len(set(homes.values())) > 1:
        came = ", ".join(f"{name} in {lib}{f' on {dev}' if dev else ''}" for name, (lib, dev) in homes.items())
        raise ArgumentError(f"problem {problem.name!r}: got {came}; expected one library and device: convert the data first")
    for name, (library, _) in homes.items():
        if library == "jax":
            raise ArgumentError(
                f"problem {problem.name!r}: datum {name!r} is a jax array; expected NumPy or torch: use numpy.asarray"
            )
    return next(iter(homes.values()), ("numpy", None))  # type: ignore[return-value]


def _check_home(problem: Problem, starts: dict[str, Array], library: str, device: Any, given: Mapping[str, Any]) -> None:
    for name, array in starts.items():
        home = _arrays.library(array), _arrays.device(array)
        if name in given and home != (library, device) and problem.data:
            raise ArgumentError(
                f"problem {problem.name!r}: start of {name!r} is in {home[0]}{f' on {home[1]}' if home[1] else ''}, the data in "
                f"{library}{f' on {device}' if device else ''}; expected one library and device: convert the start"
            )


def _starts(problem: Problem, given: Mapping[str, Any], shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
    """Where each parameter starts: as given, or as declared; a declared function of the data gives no input."""
    if not isinstance(given, Mapping):
        raise ArgumentError(
            f"problem {problem.name!r}: start came as {type(given).__name__}; expected a mapping from param names, "
            f"such as {{{min(problem.params)!r}: ...}}"
        )
    seed = _whole(f"problem {problem.name!r}: seed", seed)
    unknown = set(given) - set(problem.params)
    if unknown:
        raise ArgumentError(
            f"problem {problem.name!r}: start names {min(map(str, unknown))!r}; expected some of {sorted(problem.params)}: rename it"
        )
    found: dict[str, Any] = {}
    for name, param in problem.params.items():
        assert isinstance(param, Param)
        if name in given:
            found[name] = _fill(_array(f"problem {problem.name!r}: start of {name!r}", given[name]), shapes[name])
        elif _arrays.is_array(param.start):
            found[name] = _array(f"problem {problem.name!r}: start of {name!r}", param.start)
        elif 0 in shapes[name]:
            found[name] = _arrays.start("zeros", shapes[name], seed, name)  # there is nothing to start from
        elif isinstance(param.start, int | float):
            found[name] = _fill(_arrays.as_array(float(param.start)), shapes[name])
        elif isinstance(param.start, str):
            found[name] = _arrays.start(param.start, shapes[name], seed, name)
    return found


def _whole(owner: str, value: Any) -> int:
    """A whole number of any size, NumPy's included; a truth is none.

    Raises TypeError naming the owner.
    """
    try:
        if isinstance(value, bool) or "bool" in str(getattr(value, "dtype", "")):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise ArgumentError(f"{owner} came as {repr(value)[:60]}; expected a whole number, such as 0") from None


def _fill(array: Array, shape: tuple[int, ...]) -> Array:
    """A number stands for an array full of it."""
    return _arrays.full(array, shape) if array.shape == () and shape else array


def _broadcast(batches: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The common batch shape.

    Raises ValueError naming two inputs that do not fit.
    """
    batch: tuple[int, ...] = ()
    source = ""
    for name, shape in batches.items():
        rank = max(len(batch), len(shape))
        a, b = ((1,) * (rank - len(s)) + tuple(s) for s in (batch, shape))
        if any(x != y and 1 not in (x, y) for x, y in zip(a, b, strict=True)):
            raise ArgumentError(
                f"{name.replace('.', ' ')}: batch axes {tuple(shape)} do not broadcast with {batch} from "
                f"{source.replace('.', ' ')}: give both the same leading axes, or none"
            )
        batch, source = tuple(y if x == 1 else x for x, y in zip(a, b, strict=True)), source if batch else name
    return batch

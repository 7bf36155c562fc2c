"""The one public boundary: a problem and a user's arrays become checked inputs of a batch of lanes.

Needs `problem` and `axes` for what was declared, `backends.arrays` for what came. Everything wrong with a call
is found here, before anything is traced or compiled; the code behind it trusts.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from backends import arrays as _arrays
from backends.base import Backend
from backends.types import Array
from engine import axes as _axes
from engine.errors import ArgumentError
from engine.objective import weights_of
from engine.problem import Problem


@dataclass(frozen=True, eq=False)
class Signature:
    """All that the shapes, dtypes and libraries of a call say; kept with the problem, for the next call like it.

    Fields:
        lane: input -> the shape that it has for one lane.
        shared: inputs without a lane axis.
        batch: the common batch shape.
        shapes: parameter -> its shape.
        dtype: the working dtype.
        library, device: of the data.
        memory: what was worked out for such calls.
    """

    lane: Mapping[str, tuple[int, ...]]
    shared: frozenset[str]
    batch: tuple[int, ...]
    shapes: dict[str, tuple[int, ...]]
    dtype: str
    library: str
    device: Any
    memory: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def lanes(self) -> int:
        """How many lanes the batch has."""
        return math.prod(self.batch)


@dataclass(frozen=True)
class Bound:
    """A checked call: arrays by input name, as they came, and its signature."""

    arrays: dict[str, Array]
    signature: Signature


SIGNATURES = 64
"""Signatures that a problem keeps; one more takes the place of the oldest."""


def bind(problem: Problem, data: Any, start: Mapping[str, Any] | None, seed: int) -> Bound:
    """Check data and start against the declaration.

    Raises:
        TypeError, ValueError: naming the datum or parameter, what came, what was expected, and a remedy.
    """
    given = _data(problem, data)
    seed = seed if type(seed) is int else _whole(f"problem {problem.name!r}: seed", seed)
    chosen = _chosen(problem, start)
    held = {name: param.start for name, param in problem.params.items() if _arrays.is_array(param.start)}
    key = (*map(_arrays.kind, given.values()), *((name, _arrays.kind(a)) for name, a in (held | chosen).items()), *chosen)
    known = problem.memory.setdefault("signatures", {})
    signature = known.get(key)
    if signature is None:
        signature = _signature(problem, given, chosen)
        while len(known) >= SIGNATURES:
            known.pop(next(iter(known)), None)
        known[key] = signature
    starts = _starts(problem, chosen, signature, seed)
    return Bound({f"data.{name}": array for name, array in given.items()} | starts, signature)


def _signature(problem: Problem, given: dict[str, Array], chosen: dict[str, Array]) -> Signature:
    library, device = _home(problem, given)
    if str(device) == "meta":
        raise ArgumentError(
            f"problem {problem.name!r}: the data came on the device meta, which has no numbers; expected one that has"
        )
    sizes: dict[str, int] = {}
    origin: dict[str, str] = {}
    batches = {
        f"data.{name}": _axes.read(f"datum {name!r}", problem.axes[name], tuple(array.shape), sizes, origin)
        for name, array in given.items()
    }
    _axes.derive(problem.sizes, sizes, problem.name)
    shapes = {name: _axes.shape_of(problem.axes[name], sizes, f"param {name!r}") for name in problem.params}
    declared = {name: _declared(problem, name, shapes[name], 0) for name in problem.params if name not in chosen}
    both = {name: chosen.get(name, declared.get(name)) for name in problem.params}
    starts = {name: array for name, array in both.items() if array is not None}
    _check_home(problem, starts, library, device, chosen)
    for name, array in starts.items():
        shape = tuple(array.shape) or shapes[name]  # a number stands for an array full of it
        batches[f"start.{name}"] = _axes.read(f"start of {name!r}", problem.axes[name], shape, dict(sizes), origin)
    batch = _broadcast(batches)
    # without a batch axis the one lane's data are its own, as in a batch: the same compiled code serves both
    shared = frozenset(n for n in batches if not batches[n] and (batch or not n.startswith("data.")))
    lane = {f"data.{n}": _axes.shape_of(problem.axes[n], sizes, f"datum {n!r}") for n in given}
    lane |= {f"start.{name}": shapes[name] for name in starts}
    return Signature(lane, shared, batch, shapes, _arrays.common_float(given.values(), library), library, device)


def runtime_numbers(problem: Problem, settings: list[float], tol: float, max_steps: int) -> dict[str, Any]:
    """Inputs that are numbers: another value compiles nothing."""
    inputs: dict[str, Any] = {f"weight.{name}": value for name, value in weights_of(problem).items()}
    inputs |= {f"setting.{k}": value for k, value in enumerate(settings)}
    return inputs | {"tol": tol, "max_steps": max_steps}


def common_inputs(
    signature: Signature, captured: dict[str, Array], numbers: dict[str, Any]
) -> Iterator[tuple[str, Any, str | None]]:
    """Captured arrays and numbers, which all lanes share, each with the dtype that it goes to a backend in; None for its own."""
    for name, array in captured.items():
        yield name, array, signature.dtype if _arrays.dtype_name(array) in _arrays.FLOATS else None
    for name, value in numbers.items():
        yield name, value, "int32" if name == "max_steps" else signature.dtype


def unloaded(backend: Backend, signature: Signature, array: Any) -> Any:
    """An array of all lanes in the batch shape and in the library of the data."""
    if len(signature.batch) != 1:
        array = array.reshape((*signature.batch, *array.shape[1:]))
    return backend.unload(array, signature.library)


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
    if _arrays.is_plain(data) or not isinstance(data, Mapping):
        if len(problem.data) != 1:
            raise ArgumentError(
                f"{where}: data came as {type(data).__name__}; expected a mapping with {sorted(problem.data)}, "
                f"such as {{{', '.join(f'{n!r}: ...' for n in problem.data)}}}"
            )
        data = {next(iter(problem.data)): data}
    if data.keys() != problem.data.keys():
        missing, unknown = set(problem.data) - set(data), set(data) - set(problem.data)
        wrong = f"datum {min(missing)!r} is missing" if missing else f"datum {min(map(str, unknown))!r} is not declared"
        raise ArgumentError(f"{where}: {wrong}; got {sorted(map(str, data))}, expected {sorted(problem.data)}: give just these")
    return {name: _array(f"{where}: datum {name!r}", data[name]) for name in problem.data}


def _array(owner: str, value: Any) -> Array:
    if _arrays.is_plain(value):
        plain: Array = value
        return plain
    try:
        _arrays.library(value)
        array = _arrays.as_array(value)
        reason = _arrays.refusal(array)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{owner}: {error}: convert it to an array") from error
    if reason:
        raise ArgumentError(f"{owner}: {reason}")
    found: Array = array
    return found


def _home_of(array: Array) -> tuple[str, Any]:
    """Library and device."""
    return _arrays.library(array), _arrays.device(array)  # type: ignore[return-value]


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
        home = _home_of(array)
        if name in given and home != (library, device) and problem.data:
            raise ArgumentError(
                f"problem {problem.name!r}: start of {name!r} is in {home[0]}{f' on {home[1]}' if home[1] else ''}, the data in "
                f"{library}{f' on {device}' if device else ''}; expected one library and device: convert the start"
            )


def _chosen(problem: Problem, given: Mapping[str, Any] | None) -> dict[str, Array]:
    """The starts that a caller gives."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ArgumentError(
            f"problem {problem.name!r}: start came as {type(given).__name__}; expected a mapping from param names, "
            f"such as {{{min(problem.params)!r}: ...}}"
        )
    unknown = set(given) - set(problem.params)
    if unknown:
        raise ArgumentError(
            f"problem {problem.name!r}: start names {min(map(str, unknown))!r}; expected some of {sorted(problem.params)}: rename it"
        )
    return {name: _array(f"problem {problem.name!r}: start of {name!r}", value) for name, value in given.items()}


def _starts(problem: Problem, chosen: dict[str, Array], signature: Signature, seed: int) -> dict[str, Array]:
    """Inputs for where each parameter starts; a declared function of the data gives none."""
    known: tuple[Any, dict[str, Array]] = signature.memory.get("starts", (None, {}))
    declared = known[1]
    if known[0] != seed:
        found = {name: _declared(problem, name, signature.shapes[name], seed) for name in problem.params if name not in chosen}
        declared = {f"start.{name}": array for name, array in found.items() if array is not None}
        if sum(math.prod(array.shape) for array in declared.values()) <= _arrays.SMALL:
            signature.memory["starts"] = seed, declared
    if not chosen:
        return declared
    given = {f"start.{name}": _fill(array, signature.shapes[name]) for name, array in chosen.items()}
    return {name: (given if name in given else declared)[name] for name in signature.lane if name in given or name in declared}


def _declared(problem: Problem, name: str, shape: tuple[int, ...], seed: int) -> Array | None:
    """The declared start of a parameter; None for a function of the data."""
    start = problem.params[name].start
    if _arrays.is_array(start):
        return _array(f"problem {problem.name!r}: start of {name!r}", start)
    if 0 in shape:
        return _arrays.start("zeros", shape, seed, name)  # there is nothing to start from
    if isinstance(start, int | float):
        return _fill(_arrays.as_array(float(start)), shape)
    return problem.params[name].domain.oriented(_arrays.start(start, shape, seed, name)) if isinstance(start, str) else None


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

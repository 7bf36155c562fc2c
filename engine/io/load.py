"""A Solution from a file that `Solution.save` or the command line wrote, by somebody whom nobody vouches for.

Needs `archive` for what such a file holds, `npz_read` to read it. Nothing is unpickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends.arrays import in_library
from engine import solvers
from engine.answers import Array, Call
from engine.errors import ArgumentError, FileError, LanewiseError
from engine.io import npz_read
from engine.objective import Objective, Params
from engine.plan import Plan
from engine.solution import Solution
from engine.solvers.base import Solver, State
from engine.sparsity.structure import Structure

KINDS = {"status": "i", "steps": "i", "loss": "f", "residual": "f"}
"""Figure of a lane -> the kind of its dtype."""


def load(path: str | os.PathLike[str]) -> Solution:
    """The Solution that `Solution.save`, or `lanewise solve`, wrote: the same bits, in the same library, on the host.

    The file holds no problem and no data: `retry` and the figures that a problem derives (`covariance()`) raise an error
    that says so.

    Args:
        path: of the npz file.

    Raises:
        FileError: no such file, a damaged one, one that holds no solution, or one of an earlier version.

    Example:
        >>> import numpy as np, engine, problems, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     engine.solve(problems.inverse(), np.eye(2)).save(f"{folder}/inverse.npz")
        ...     print(engine.load(f"{folder}/inverse.npz").plan.problem)
        inverse
    """
    name = os.fspath(path)
    saved = npz_read.read(name)
    try:
        return _solution(saved)
    except FileError as error:
        raise FileError(f"{name}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, LanewiseError) as error:
        words = f"its description is damaged ({repr(error)[:80]}); expected a file of Solution.save: write it again"
        raise FileError(f"{name}: {words}") from error


def _solution(saved: Mapping[str, Array]) -> Solution:
    if "about" not in saved or "status" not in saved:
        raise FileError("is no saved solution; expected the output of Solution.save or `lanewise solve`")
    about = json.loads(str(saved["about"][()]))
    if "plan" not in about:
        raise FileError("was written by an earlier version, without its plan; expected a file of this one: solve and save again")
    shape = saved["status"].shape
    history = saved.get("history")
    for name, kind in KINDS.items():
        if saved[name].shape != shape or saved[name].dtype.kind != kind:
            raise FileError(
                f"has a {name} of shape {saved[name].shape} and {saved[name].dtype}, a status of shape {shape}; "
                "expected one number for each lane: write it again"
            )
    params = {name: saved[name] for name in about["params"]}
    measures = {name: saved[f"measures.{name}"] for name in about["measures"]}
    for name, array in [*params.items(), *measures.items(), *([] if history is None else [("history", history)])]:
        if array.shape[: len(shape)] != shape:
            raise FileError(f"has {name!r} of shape {array.shape}, a status of shape {shape}; expected one of it for each lane")

    def placed(array: Array) -> Array:
        return in_library(array, about["library"])

    return Solution(
        params={name: placed(array) for name, array in params.items()},
        measures={name: placed(array) for name, array in measures.items()},
        history=None if history is None else placed(history),
        **{name: placed(saved[name]) for name in KINDS},
        lane_steps=int(saved["lane_steps"]),
        plan=_plan(about),
        timings={str(name): float(seconds) for name, seconds in about["timings"].items()},
        call=_call(about, shape),
    )


def _plan(about: Mapping[str, Any]) -> Plan:
    own = about["plan"]
    words = {name: str(about[name]) for name in ("problem", "backend", "dtype")}
    words |= {name: str(own[name]) for name in ("why", "device", "kernel", "certificate")}
    solver = SavedSolver(str(about["solver"])) if own["settings"] is None else _solver(*own["settings"])
    return Plan(**words, solver=solver, structure=None if own["structure"] is None else _structure(own["structure"]))


def _solver(name: str, settings: Mapping[str, Any]) -> Solver:
    if name not in solvers.__all__:
        raise ValueError(f"solver {name[:40]!r}")
    made: Solver = getattr(solvers, name)(**{key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()})
    return made


def _structure(fields: Mapping[str, Any]) -> Structure:
    blocks = tuple(tuple(map(int, block)) for block in fields["blocks"])
    rows = None if fields["rows"] is None else tuple(tuple(map(int, row)) for row in fields["rows"])
    return Structure(blocks, rows, bool(fields["singular"]))


def _call(about: Mapping[str, Any], batch: tuple[int, ...]) -> Call:
    own, every = about["call"], about["history_every"]
    derived = tuple(map(str, own["derived"]))
    return Call(None, None, batch, None, {"history": int(every)}, float(own["tol"]), int(own["limit"]), derived)


@dataclass(frozen=True)
class SavedSolver(Solver):
    """A solver of a user's own by its words: a file holds no code.

    >>> SavedSolver("Mine(rate=0.1)")
    Mine(rate=0.1)
    """

    words: str

    def __repr__(self) -> str:
        return self.words

    def init(self, objective: Objective, params: Params) -> State:
        """Refuse. Raises ArgumentError."""
        raise ArgumentError(
            f"solver {self.words}: came from a file, which holds its words alone; expected the solver: make it again"
        )

    def step(self, objective: Objective, state: State) -> State:
        """Refuse. Raises ArgumentError."""
        return self.init(objective, {})

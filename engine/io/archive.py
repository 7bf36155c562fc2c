"""A Solution as named arrays for an npz file, and back to what a figure needs. `load` makes it a Solution again.

Params stand under their names, the figures of a lane under theirs (`status`, `steps`, `loss`, `residual`, and
`history` where it was kept), measures as `measures.NAME`. `about` is a JSON string: problem, solver, backend,
dtype, history_every, the words of the status codes; and, as a Solution needs them, its plan, call and timings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from operator import index
from typing import Any

from backends.arrays import library, to_host
from engine.answers import Answers
from engine.errors import ArgumentError, FileError
from engine.libraries import package
from engine.plots.convergence import Losses
from engine.status import Status

LONGEST = 1000
"""Characters of a problem's, solver's or backend's name above which a description is taken for damaged."""

FIGURES = ("status", "steps", "loss", "residual", "lane_steps", "history")


def arrays(solution: Answers) -> dict[str, Any]:
    """The arrays of a file that holds a solution.

    Raises:
        ValueError: a parameter has the name of a figure.

    Example:
        >>> import numpy as np, engine, problems
        >>> list(arrays(engine.solve(problems.inverse(), np.eye(2))))
        ['X', 'status', 'steps', 'loss', 'residual', 'lane_steps', 'about']
    """
    taken = sorted(set(solution.params) & {*FIGURES, "about"})
    if taken:
        raise ArgumentError(f"param {taken[0]!r} has the name of a figure; expected another to save it: rename it")
    found = dict(solution.params) | {f"measures.{name}": value for name, value in solution.measures.items()}
    found |= {name: getattr(solution, name) for name in FIGURES if getattr(solution, name) is not None}
    plan = solution.plan
    about: dict[str, Any] = dict(problem=plan.problem, solver=str(plan.solver), backend=plan.backend, dtype=plan.dtype)
    about |= dict(history_every=int(solution.call.options["history"]), codes={s.name: int(s) for s in Status})
    about |= dict(params=list(solution.params), measures=list(solution.measures), library=library(solution.status))
    about |= dict(plan=_plan(solution), timings=solution.timings)
    about |= dict(call=dict(tol=solution.call.tol, limit=solution.call.limit, derived=list(solution.call.derived)))
    return {name: to_host(value) for name, value in found.items()} | {"about": json.dumps(about)}


def _plan(solution: Answers) -> dict[str, Any]:
    """A plan's fields beside those that a description has on its own; the settings of a solver of this project, else None."""
    plan = solution.plan
    found = {name: getattr(plan, name) for name in ("why", "device", "kernel", "certificate")}
    structure = None if plan.structure is None else asdict(plan.structure)
    return found | {"structure": structure, "settings": _settings(plan.solver)}


def _settings(solver: object) -> list[Any] | None:
    """The class of a solver and its settings; None where a file cannot name them."""
    if package(type(solver)) != "engine" or not is_dataclass(solver):
        return None
    found = [type(solver).__name__, {field.name: getattr(solver, field.name) for field in fields(solver)}]
    try:
        json.dumps(found)
    except (TypeError, ValueError):
        return None
    return found


def losses(saved: Mapping[str, Any], path: str) -> Losses:
    """The losses for `convergence.of_one`, from the arrays of a file that nobody vouches for.

    Raises:
        FileError: naming the file, what is missing or of the wrong form.
    """
    if "about" not in saved or "status" not in saved:
        raise FileError(f"{path}: is no saved solution; expected the output of `lanewise solve`")
    if "history" not in saved:
        raise FileError(f"{path}: has no history; expected one: solve with --history")
    history, status = saved["history"], saved["status"]
    if history.dtype.kind != "f" or history.shape[:-1] != status.shape or history.ndim != status.ndim + 1:
        raise FileError(
            f"{path}: has a history of shape {history.shape} and {history.dtype}, a status of shape {status.shape}; expected one "
            "row of losses for each status: solve again with --history"
        )
    try:
        about = _about(saved["about"])
        for code in set(map(index, status.reshape(-1).tolist())):
            Status(code)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError(
            f"{path}: its description is damaged ({repr(error)[:80]}); expected the output of `lanewise solve`"
        ) from error
    return Losses(history, **about, status=status)


def _about(text: Any) -> dict[str, Any]:
    """The words of a description, and every how many steps a loss was kept. Raises what damaged ones raise."""
    about = json.loads(str(text[()]))
    every, words = about["history_every"], {word: about[word] for word in ("problem", "solver", "backend")}
    if isinstance(every, bool) or not isinstance(every, int) or not 1 <= every < 2**31:
        raise ValueError(f"history_every {repr(every)[:20]}")
    for word, value in words.items():
        if not isinstance(value, str) or len(value) > LONGEST:
            raise ValueError(f"{word} {repr(value)[:20]}")
    return {"every": every, **words}

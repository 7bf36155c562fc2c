"""A Solution as named arrays for an npz file, and back to what a figure needs. Needs `solution`, `backends` for files.

Params stand under their names, the figures of a lane under theirs (`status`, `steps`, `loss`, `residual`, and
`history` where it was kept), measures as `measures.NAME`. `about` is a JSON string: problem, solver, backend,
dtype, history_every, the words of the status codes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backends import reading
from backends.arrays import to_host
from engine.figures import Losses
from engine.solution import Solution
from engine.status import Status

FIGURES = ("status", "steps", "loss", "residual", "lane_steps", "history")


def arrays(solution: Solution) -> dict[str, Any]:
    """What a file holds of a solution.

    Raises:
        ValueError: a parameter has the name of a figure.

    Example:
        >>> import numpy as np, engine, problems
        >>> list(arrays(engine.solve(problems.inverse(), np.eye(2))))
        ['X', 'status', 'steps', 'loss', 'residual', 'lane_steps', 'about']
    """
    taken = sorted(set(solution.params) & {*FIGURES, "about"})
    if taken:
        raise ValueError(f"param {taken[0]!r} has the name of a figure; expected another to save it: rename it")
    found = dict(solution.params) | {f"measures.{name}": value for name, value in solution.measures.items()}
    found |= {name: getattr(solution, name) for name in FIGURES if getattr(solution, name) is not None}
    plan = solution.plan
    about: dict[str, Any] = dict(problem=plan.problem, solver=str(plan.solver), backend=plan.backend, dtype=plan.dtype)
    about |= dict(history_every=int(solution.call.options["history"]), codes={s.name: int(s) for s in Status})
    return {name: to_host(value) for name, value in found.items()} | {"about": json.dumps(about)}


def losses(saved: Mapping[str, Any], path: str) -> Losses:
    """What `figures.convergence` draws, from the arrays of a file that nobody vouches for.

    Raises:
        FileError: naming the file, what is missing or of the wrong form.
    """
    if "about" not in saved or "status" not in saved:
        raise reading.FileError(f"{path}: is no saved solution; expected the output of `lanewise solve`")
    if "history" not in saved:
        raise reading.FileError(f"{path}: has no history; expected one: solve with --history")
    history, status = saved["history"], saved["status"]
    if history.dtype.kind != "f" or history.shape[:-1] != status.shape or history.ndim != status.ndim + 1:
        raise reading.FileError(
            f"{path}: has a history of shape {history.shape} and {history.dtype}, a status of shape {status.shape}"
        )
    try:
        about = json.loads(str(saved["about"][()]))
        every, words = int(about["history_every"]), {word: str(about[word]) for word in ("problem", "solver", "backend")}
        codes = {Status(int(code)).name: int((status == code).sum()) for code in sorted(set(status.reshape(-1).tolist()))}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise reading.FileError(
            f"{path}: its description is damaged ({error!r}); expected the output of `lanewise solve`"
        ) from error
    return Losses(history, max(every, 1), **words, counts=codes)

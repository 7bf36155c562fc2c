"""One lane's own story in plain words: start, steps, the end, the parameters that the data leaves open, and a remedy.

Needs `one_lane` for its functions, `advice` for the words of its status, `spectrum` for the curvature at the answer.
"""

from __future__ import annotations

import math
from typing import Any

from backends import arrays as _arrays
from engine import advice, dead_start, jacobian
from engine.answers import Answers
from engine.objective import Objective, Params
from engine.one_lane import OneLane, index_of, lane_words, one_lane
from engine.sparsity.detect import dense_hessian
from engine.status import Status
from engine.story import spectrum
from engine.tangent import Tangent

MOST = 256
"""Unknowns above which no curvature is formed for a story."""

LISTED = 6
"""Numbers of an array that a story shows."""


def explain(solution: Answers, lane: Any) -> str:
    """The story of a lane, in lines.

    Raises:
        IndexError: no such lane.
        ValueError: the solution was loaded from a file.
    """
    index = index_of(solution, lane)
    story = one_lane(solution, index, "explain")
    status = Status(int(_arrays.to_host(solution.status)[index]))
    steps = int(_arrays.to_host(solution.steps)[index])
    lines = [
        f"lane {lane_words(index)} of problem {solution.plan.problem!r}: {status.name} after {steps} {'step' if steps == 1 else 'steps'}"
    ]
    lines.append(f"  start:      {_shown(story.start)}")
    if status == Status.NONFINITE_INPUT:
        lines += [f"  input:      {words}" for words in _nonfinite(story)]
        return "\n".join([*lines, f"  what helps: {advice.remedy(solution, status)}"])
    loss, figure = (float(_arrays.to_host(getattr(solution, name))[index]) for name in ("loss", "residual"))
    lines.append(f"  answer:     {_shown(story.answer)}")
    lines.append(f"  loss:       {_loss(story.objective, story.start):.6g} at the start, {loss:.6g} at the answer")
    lines.append(f"  test:       {figure:.3g}, compared with tol = {solution.call.tol:g} ({solution.plan.certificate})")
    dead = math.isfinite(loss) and dead_start.is_dead(story)
    ended = "the test of tol holds" if status == Status.CONVERGED else advice.meaning(solution, status, dead)
    lines.append(f"  stopped by: {ended}")
    lines += _curvature(story, solution) if math.isfinite(loss) else []
    if status != Status.CONVERGED:
        lines.append(f"  what helps: {advice.remedy(solution, status, dead)}")
    return "\n".join(lines)


def _curvature(story: OneLane, solution: Answers) -> list[str]:
    """The condition at the answer, and the params without effect, in flat directions, or along which the loss falls."""
    tangent = Tangent(story.objective, story.answer)
    if not 0 < tangent.size <= MOST:
        return []
    eps = 1.2e-7 if solution.plan.dtype == "float32" else 2.2e-16
    found = _spectrum(tangent, eps)
    if found is None:
        return ["  condition:  not known; a derivative is not finite at the answer"]
    lines = [
        f"  condition:  {found.condition:.2g} of the {_matrix(story.objective)} at the answer, its columns scaled to one length"
    ]
    silent = _named(tangent, found.silent)
    for names, words in (
        (silent, f"{'have' if ' and ' in silent else 'has'} no effect on the loss here"),
        (_named(tangent, found.flat), "can move together, or trade against each other, without effect on the loss"),
        (_named(tangent, found.falling), "can move so that the loss falls: the answer is a maximum or a saddle"),
    ):
        if names:
            lines.append(f"  open:       {names} {words}")
    return lines


def _spectrum(tangent: Tangent, eps: float) -> spectrum.Spectrum | None:
    plain = tangent.objective.problem.residual is None
    try:
        matrix = dense_hessian(tangent)[0] if plain else _arrays.to_host(jacobian.columns(tangent)[0]).T
    except (ArithmeticError, RuntimeError, ValueError):  # a library's word for a singular matrix within a declared function
        return None
    of = spectrum.of_hessian if plain else spectrum.of_jacobian
    return None if _arrays.has_nonfinite(matrix) else of(matrix, eps)


def _matrix(objective: Objective) -> str:
    return "Hessian" if objective.problem.residual is None else "Jacobian"


def _named(tangent: Tangent, columns: list[int]) -> str:
    """The params of some coordinates; entries of those of which not all take part, where coordinates are entries."""
    words = []
    for name, own in tangent.slices.items():
        part = [k - own.start for k in columns if own.start <= k < own.stop]
        shape = tuple(tangent.params[name].shape)
        if not part:
            continue
        whole = len(part) == own.stop - own.start or len(shape) != 1 or shape[0] != own.stop - own.start
        words += [name] if whole else [f"{name}[{k}]" for k in part[:LISTED]] + [f"... of {name}"] * (len(part) > LISTED)
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"


def _shown(params: Params) -> str:
    """Small params by value, large ones by shape."""
    words = []
    for name, array in params.items():
        host = _arrays.to_host(array)
        numbers = ", ".join(f"{x:.6g}" for x in host.reshape(-1).tolist())
        shown = numbers if not host.shape else f"[{numbers}]" if host.ndim == 1 else ""
        words.append(f"{name} = {shown}" if shown and host.size <= LISTED else f"{name} of shape {tuple(host.shape)}")
    return ", ".join(words)


def _loss(objective: Objective, params: Params) -> float:
    return float(_arrays.to_host(objective.loss(params)))


def _nonfinite(story: OneLane) -> list[str]:
    """The data and starts that are not finite, with the first place."""
    named = {f"datum {name!r}": array for name, array in story.data.items()}
    named |= {f"start of {name!r}": _arrays.to_host(array) for name, array in story.start.items()}
    return [f"{name} is {words}" for name, array in named.items() if (words := _arrays.first_nonfinite(array))]

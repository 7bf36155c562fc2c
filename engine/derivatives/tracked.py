"""A call whose tensors somebody differentiates: a plain solve of detached tensors, and its answers with derivatives.

For plain autograd the answers are one node of the graph, whose backward pass is in `pullback`. Within a transform of torch.func the
solve is one opaque operation, which runs on plain tensors, and its answers are re-attached at once by ordinary operations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backends import arrays as _arrays
from backends.torch import node, opaque
from backends.torch.levels import within_dual_numbers
from backends.tree import leaves, tree_map, unflatten
from backends.types import Array
from engine import bind as _bind
from engine.derivatives.call import TrackedCall, figures_of, moved, rank_of
from engine.derivatives.condition import Matrices
from engine.derivatives.orders import settle, tensors_of
from engine.derivatives.pullback import Pullback
from engine.errors import ArgumentError
from engine.run import Asked
from engine.solution import Solution


def solve_tracked(asked: Asked, bound: _bind.Bound, captured: dict[str, Array], check: str) -> Solution:
    """The solution of a call on tensors that are differentiated or mapped, with derivatives.

    Raises:
        TypeError, ValueError: as `settle` does; `history` within a transform.
    """
    options = asked.options
    settled, bound, captured, mapped = settle(asked, bound, captured)
    call = TrackedCall(settled, bound, captured)
    inputs = tensors_of({**bound.arrays, **captured})
    detached = {name: _arrays.detached(a) for name, a in inputs.items()}
    if mapped:
        answer = moved(call, *_opaque(call, inputs, check))
    elif node.is_autograd_alone():
        call.solved(detached, check)
        answer = _as_node(call, inputs)
    else:
        with within_dual_numbers():
            figures, matrices = call.plain(detached, check)
        answer = moved(call, figures, matrices)
    solution = call.seen["solution"]
    called = replace(solution.call, data=asked.data, start=asked.start, batch=bound.signature.batch, options=options)
    found: Solution = replace(solution, **answer, call=called)
    return found


def _as_node(call: TrackedCall, inputs: dict[str, Any]) -> dict[str, Any]:
    """The figures as results of one node of autograd's graph."""
    solution = call.seen["solution"]
    figures = figures_of(solution)
    moving = {name: a for name, a in inputs.items() if not name.startswith("start.")}
    if not call.derivatives:
        return figures
    # NumPy's arrays have no version by which a change before the backward pass would show
    held = {name: a if name in moving else _arrays.to_host(a).copy() for name, a in call.captured.items()}
    three = solution.params, solution.loss, solution.measures
    still = TrackedCall(call.asked, replace(call.bound, arrays={}), held)
    pullback = Pullback(still, solution.plan, tuple(moving), tree_map(lambda _: None, three))
    found = node.attached(pullback, [*moving.values(), solution.status], leaves(three))
    return {**figures, **dict(zip(("params", "loss", "measures"), unflatten(three, found), strict=True))}


def _opaque(call: TrackedCall, inputs: dict[str, Any], check: str) -> tuple[dict[str, Any], Matrices]:
    """Figures and matrices by the opaque operation, which may be mapped."""
    if call.asked.options["history"]:
        raise ArgumentError(
            f"problem {call.asked.problem.name!r}: history came as {call.asked.options['history']!r} within a transform of torch.func; "
            "expected False: its length depends on the lanes; call solve outside"
        )
    names: list[str] = list(inputs)
    form: list[Any] = []

    def run(tensors: list[Any]) -> list[Any]:
        found = call.plain(dict(zip(names, tensors, strict=True)), check)
        form[:] = [found]
        return opaque.fresh(leaves(found))

    ranks = [rank_of(call.asked.problem, name) for name in names]
    found = opaque.solve(opaque.OpaqueCall(run, ranks, len(call.bound.signature.batch)), list(inputs.values()))
    result: tuple[dict[str, Any], Matrices] = unflatten(form[0], found)
    return result

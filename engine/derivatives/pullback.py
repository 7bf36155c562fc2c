"""The backward pass of a solve in plain autograd, of whose derivative nothing was computed before.

A pass that is not differentiated itself goes lane by lane, in a native kernel where there is one. All others go backwards through
the re-attached answers, which are ordinary operations and have derivatives themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from backends import arrays as _arrays
from backends.torch import node
from backends.tree import leaves, tree_map, unflatten
from backends.types import Inputs
from engine.answers import Array
from engine.derivatives.attach import Figures, LaneInputs, inverses, is_differentiable, reattached
from engine.derivatives.call import TrackedCall, flat
from engine.derivatives.condition import Condition
from engine.derivatives.native import by_name, kernel_cotangents
from engine.plan import Plan

Cotangents = Sequence[Array | None]


@dataclass(frozen=True, eq=False)
class Pullback:
    """Cotangents of a solve's figures to those of its inputs.

    Fields:
        call: the call without its tensors.
        names: those of the inputs that come, in order; the status comes behind them.
        form: a tree like the figures.
    """

    call: TrackedCall
    plan: Plan
    names: tuple[str, ...]
    form: Any

    def __call__(
        self, inputs: Sequence[Array], results: Sequence[Array], cotangents: Cotangents, needed: Sequence[bool]
    ) -> Cotangents:
        """The inputs' cotangents, None where none is needed."""
        *tensors, status = inputs
        if not status.numel():
            return [a.new_zeros(a.shape) if needs else None for a, needs in zip(inputs, needed, strict=True)]
        figures = unflatten(self.form, list(map(_arrays.detached, results)))
        if node.is_differentiated(cotangents):
            again = partial(self._again, figures, status)
            return [*node.pulled_back(again, tensors, cotangents, needed[:-1]), None]
        call = self._given(map(_arrays.detached, tensors))
        wanted = frozenset(name for name, needs in zip(self.names, needed, strict=False) if needs)
        weights = {k: g for k, g in by_name(unflatten(self.form, list(cotangents))).items() if g is not None}
        found = self._by_lane(call, figures, status, weights, wanted)
        return [*(self._for_input(call, name, found.get(name), a) for name, a in zip(self.names, tensors, strict=True)), None]

    def _given(self, tensors: Any) -> TrackedCall:
        return self.call.given(dict(zip(self.names, tensors, strict=True)))

    def _again(self, figures: Figures, status: Array, tensors: Sequence[Array]) -> list[Array]:
        """The figures, re-attached to the tensors."""
        call, still = self._given(tensors), self._given(map(_arrays.detached, tensors))
        condition = call.condition(self.plan)
        return leaves(call.attached(condition, figures, status, still.matrices(condition, figures[0], status)))

    def _by_lane(self, call: TrackedCall, figures: Figures, status: Array, weights: Inputs, wanted: frozenset[str]) -> Inputs:
        """Cotangents of the wanted inputs, `(lanes, *own)` or, of shared ones, `(*own,)`."""
        lanes = partial(flat, axes=len(call.bound.signature.batch))
        inputs, condition = call.lane_inputs(), call.condition(self.plan)
        figures, status, weights = tree_map(lanes, (figures, status, weights))
        good = is_differentiable(status)
        native = kernel_cotangents(self.plan.backend, condition, inputs, figures[0], good, weights, wanted)
        if native is None:
            return _through_steps(inputs, condition, figures, status, weights, wanted)
        found, right = native
        rest = (~right).nonzero()[:, 0]
        total = {name: a[right].sum(0) if name in inputs.shared else a for name, a in found.items()}
        if not len(rest):
            return total
        figures, status, weights = tree_map(lambda a: a[rest], (figures, status, weights))
        other = _through_steps(inputs.some(rest), condition, figures, status, weights, wanted)
        return {
            name: a + other[name] if name in inputs.shared else a.index_copy(0, rest, other[name]) for name, a in total.items()
        }

    def _for_input(self, call: TrackedCall, name: str, cotangent: Array | None, tensor: Array) -> Array | None:
        """A cotangent in the shape and dtype of the tensor that came, summed over the lanes that share a number."""
        if cotangent is None:
            return None
        signature = call.bound.signature
        if name in signature.lane and name not in signature.shared:
            cotangent = cotangent.reshape((*signature.batch, *cotangent.shape[1:]))
        return cotangent.sum_to_size(tensor.shape).to(tensor.dtype)


def _through_steps(
    inputs: LaneInputs, condition: Condition, figures: Figures, status: Array, weights: Inputs, wanted: frozenset[str]
) -> Inputs:
    """The same by autograd through the steps, in eager torch; those of shared inputs are summed."""
    names = sorted(wanted)
    matrices = inverses(inputs, condition, figures[0], status)

    def again(arrays: list[Array]) -> list[Array]:
        moved = inputs.replaced(dict(zip(names, arrays, strict=True)))
        found = by_name(reattached(moved, condition, 1, figures, status, matrices))
        return [found[name] for name in weights]

    tensors: list[Array] = [inputs.arrays[name] for name in names]
    cotangents: list[Array] = list(weights.values())
    found = node.pulled_back(again, tensors, cotangents, [True] * len(names))
    return {name: a for name, a in zip(names, found, strict=True) if a is not None}

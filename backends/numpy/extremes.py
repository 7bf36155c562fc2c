"""The largest and the least of an array with their derivatives, and the words for a function that has no rule. Needs `dual`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backends.errors import TraceError
from backends.numpy.dual import Axis, Rule, join
from backends.refusals import REMEDIES, REMEDY


def refusal(name: str, remedy: str = "") -> TraceError:
    """The error of a function that has no rule."""
    remedy = remedy or REMEDIES.get(name.rpartition(".")[2], f"{REMEDY}, or use backend='torch'")
    return TraceError(f"calls {name} on an array that is being differentiated", "it has no rule for that", remedy)


def _extreme(pick: Callable[..., Any], name: str) -> Rule:
    """max and min by real part; ties share the derivative evenly, as in torch and JAX."""

    def rule(z: np.ndarray, axis: Axis = None, *, keepdims: bool = False, **rest: object) -> Any:
        if any(value is not np._NoValue and value is not True for value in rest.values()):
            raise refusal(f"np.{name} with {', '.join(rest)}", "leave those arguments out, use where()")
        top = pick(z.real, axis=axis, keepdims=True)
        ties = z.real == top
        shared = np.sum(np.where(ties, z.imag, 0.0), axis=axis, keepdims=True)
        found = join(top, shared / np.sum(ties, axis=axis, keepdims=True))
        return found if keepdims else np.squeeze(found, axis=axis) if axis is not None else found.reshape(())

    return rule


LARGEST, LEAST = _extreme(np.max, "max"), _extreme(np.min, "min")

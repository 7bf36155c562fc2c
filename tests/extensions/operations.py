"""Operations of the lane compiler that are wrong in one way each: a line in `OPS`, an entry in `LOWERINGS`. Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import torch

from backends.fused.ir.graph import Graph
from backends.fused.ir.ops import Op
from backends.fused.lowering.aten import LOWERINGS
from backends.fused.lowering.lower import lower
from backends.torch.trace import Traced

AMOUNT: Any = -1


def entry(meaning: Callable[..., Any]) -> Callable[[], Any]:
    """A function with one `hardshrink`, lowered with this entry for it."""

    def hand_in() -> Any:
        traced = Traced(torch.nn.functional.hardshrink, [(torch.ones(3),)], for_torch_kernels=False)
        graph = Graph()
        with mock.patch.dict(LOWERINGS, {"hardshrink": meaning}):
            return lower(traced.graph, [graph.input("x", (3,), "float32")], graph)

    return hand_in


def line(*fields: Any) -> Callable[[], Any]:
    return lambda: Op(*fields)


WRONG: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "text without arguments": (line("lw::shrink", np.abs), ["'lw::shrink'", "{0}", "number them from 0"]),
    "arguments from one": (line("lw::shrink({1})", np.abs), ["['1']", "{0} for the first"]),
    "a name for a function": (line("lw::shrink({0})", "abs"), ["numpy came as 'abs'", "np.exp"]),
    "a result of no kind": (line("lw::shrink({0})", np.abs, "bool"), ["result came as 'bool'", "'same' or 'mask'"]),
    "less than no work": (line("lw::shrink({0})", np.abs, "same", AMOUNT), ["flops came as -1", "0 or more"]),
    "an operation that is not there": (entry(lambda c, a, lambd=0.5: c.map("shrink", a)), ["'shrink' is not in OPS", "ops.py"]),
    "another shape": (entry(lambda c, a, lambd=0.5: c.number(0.0)), ["aten.hardshrink", "shape ()", "shape (3,)", "wide"]),
    "another dtype": (
        entry(lambda c, a, lambd=0.5: c.graph.map("gt", a, c.number(lambd))),
        ["aten.hardshrink", "gave bool", "expected float32", "cast"],
    ),
    "no view": (entry(lambda c, a, lambd=0.5: lambd), ["aten.hardshrink", "gave float", "a View", "map"]),
    "several results": (entry(lambda c, a, lambd=0.5: (a, a)), ["aten.hardshrink", "gave tuple", "a View"]),
}

"""Tangents that are 0 by structure leave no trace: graphs of nested forward derivatives, against torch's own values."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from backends.torch import BACKEND
from backends.torch.recorder import Call, record_graph
from backends.torch.zero_tangents import QUERIES

C = torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64)


def _second(f: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], list[Tensor]]:
    """d/da d/db of a function of two vectors, along all ones, and its first derivatives."""

    def along(a: Tensor, b: Tensor) -> list[Tensor]:
        one = torch.ones_like(a)

        def inner(a: Tensor) -> Tensor:
            changed: Tensor = BACKEND.jvp(lambda b: f(a, b), (b,), (one,))[1]
            return changed

        first, mixed = BACKEND.jvp(inner, (a,), (one,))
        return [first, mixed]

    return along


FUNCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "product with a constant": lambda a, b: a * C + b * C,
    "sum with a constant": lambda a, b: (a + C) * (C + b),
    "difference from a constant": lambda a, b: (C - a) / (C - b),
    "difference of params": lambda a, b: (a - b) ** 3,
    "quotient of a constant": lambda a, b: C / (a * b),
    "number beside a param": lambda a, b: 2.0 - a.sum() * b.exp(),
    "broadcast constant": lambda a, b: (C[:, None] + a) @ b * (1 - b),
    "broadcast both ways": lambda a, b: ((C[:, None] + a[None]) * (b[None] - C[:, None])).sum(0),
    "stacked with a constant": lambda a, b: torch.stack([a * b, C, C * a]).sum(0),
    "where on a constant": lambda a, b: torch.where(b > 0, a * b * b, C),
    "views": lambda a, b: (a[None].T @ C[None] + b).diagonal() * b.flip(0),
    "scalar of a vector": lambda a, b: a[0] * b + C[1] * b[2],
    "copied into": lambda a, b: torch.zeros_like(a).copy_(a * b) * b,
    "written into zeros": lambda a, b: torch.zeros_like(a).index_put_((torch.tensor([1]),), (a * b)[:1]) * C,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_graph_gives_torch_s_own_derivatives(name: str) -> None:
    generator = torch.Generator().manual_seed(4)
    f, (a, b, c, d) = _second(FUNCTIONS[name]), torch.rand(4, 3, generator=generator, dtype=torch.float64) + 0.5
    graph, results = record_graph(f, [a, b])
    torch.testing.assert_close(results, f(a, b), rtol=1e-14, atol=1e-14)
    for inputs in ((a, b), (c, d)):
        for own, expected in zip(graph(*inputs), f(*inputs), strict=True):
            torch.testing.assert_close(own, expected, rtol=1e-14, atol=1e-14)


def test_nothing_is_written_down_of_them() -> None:
    """The mixed derivative of a C + b C is 0: all that is computed is the first derivative."""
    a, seen = torch.ones(3, dtype=torch.float64), list[Call]()
    graph, _ = record_graph(_second(FUNCTIONS["product with a constant"]), [a, a], seen.append)
    assert [node.target for node in graph.graph.nodes if "mul" in str(node.target)] == [torch.ops.aten.mul.Tensor]
    assert not any("zerotensor" in str(call.target) or call.target in QUERIES for call in seen)


def test_zero_times_infinity_is_no_tangent() -> None:
    """A constant has no derivative, whatever it is multiplied by."""
    a = torch.tensor([float("inf"), 1.0, 2.0], dtype=torch.float64)
    graph, results = record_graph(lambda a: [BACKEND.jvp(lambda b: b * 0 + a * C, (a,), (torch.ones_like(a),))[1]], [a])
    assert graph(a)[0].tolist() == results[0].tolist() == [0.0, 0.0, 0.0]

"""Work that only some lanes want: set apart where one truth of the lane decides on it, and of no effect on any number."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import backends.fused.codegen.emit as emit
import engine
import problems
from backends.fused.ir.graph import Graph, View
from backends.fused.passes.branches import find
from backends.fused.passes.schedule import schedule
from tests.test_mapped import draw, native


def flops(nodes: Any) -> int:
    return 1000 * len(list(nodes))


def chosen(g: Graph, truth: View, x: View) -> tuple[View, View, View]:
    """Two operations that only `truth` wants, and the choice."""
    inner = g.map("exp", x)
    outer = g.map("mul", inner, inner)
    return inner, outer, g.map("select", truth, outer, x)


def start() -> tuple[Graph, View, View]:
    g = Graph()
    x = g.input("x", (5,), "float64")
    return g, x, g.map("gt", g.reduce("sum", x, [0]), g.const(0.0))


def test_what_a_choice_alone_reads_is_rare_and_stands_together() -> None:
    g, x, truth = start()
    inner, outer, choice = chosen(g, truth, x)
    (found,) = find(g.nodes, [choice], flops)
    assert found.nodes == {inner.node, outer.node} and [view.node for view in found.predicates] == [truth.node]
    made = schedule(g.nodes, [found.nodes])
    assert [made.part(made.place[v.node]) for v in (truth, inner, outer, choice)] == [1, 2, 2, 3]


def test_what_something_else_reads_too_or_is_a_result_or_decides_is_not_rare() -> None:
    g, x, truth = start()
    inner, outer, choice = chosen(g, truth, x)
    assert not find(g.nodes, [choice, outer], flops)
    other = g.map("neg", inner)
    (found,) = find(g.nodes, [choice, other], flops)
    assert found.nodes == {outer.node}
    h, y, _ = start()
    big = h.map("exp", y)
    own = h.map("select", h.map("gt", h.reduce("sum", big, [0]), h.const(9.0)), big, y)
    assert not find(h.nodes, [own], flops)


def test_truths_of_single_entries_and_small_work_set_nothing_apart() -> None:
    g, x, truth = start()
    choice = g.map("select", g.map("gt", x, g.const(0.0)), g.map("exp", x), x)
    assert not find(g.nodes, [choice], flops)
    assert not find(g.nodes, [chosen(g, truth, x)[2]], lambda nodes: len(list(nodes)))


def test_two_works_of_which_one_rests_on_the_other_stand_apart_in_order() -> None:
    g, x, truth = start()
    inner, outer, choice = chosen(g, truth, x)
    second = g.map("lt", g.reduce("sum", choice, [0]), g.const(0.0))
    more, most, last = chosen(g, second, choice)
    early, late = find(g.nodes, [last], flops)
    assert [view.node for branch in (early, late) for view in branch.predicates] == [truth.node, second.node]
    made = schedule(g.nodes, [early.nodes, late.nodes])
    order = (truth, inner, outer, choice, second, more, most, last)
    assert [made.part(made.place[v.node]) for v in order] == [1, 2, 2, 3, 3, 4, 4, 5]


def two_truths() -> tuple[Graph, View, View, View, list[View]]:
    """An input, two truths of it, and a chain of operations on it."""
    g, x, truth = start()
    second, work = g.map("lt", g.reduce("sum", x, [0]), g.const(9.0)), [g.map("exp", x)]
    for _ in range(5):
        work.append(g.map("mul", work[-1], work[-1]))
    return g, x, truth, second, work


def test_work_inside_of_a_choice_waits_for_the_truths_of_both() -> None:
    g, x, truth, second, work = two_truths()
    choice = g.map("select", second, work[-1], x)
    last = g.map("select", truth, g.map("neg", choice), x)
    (found,) = find(g.nodes, [last], flops)
    assert found.nodes == {view.node for view in work}
    assert {view.node for view in found.predicates} == {second.node, truth.node}


def test_work_that_two_choices_share_in_part_waits_for_both() -> None:
    g, x, truth, second, work = two_truths()
    choice, other = g.map("select", second, work[-1], x), g.map("select", second, g.map("neg", x), x)
    last = g.map("select", truth, g.map("abs", choice), x)
    (found,) = find(g.nodes, [last, other], flops)
    assert found.nodes == {view.node for view in work}
    assert {view.node for view in found.predicates} == {second.node, truth.node}


def heavy(x: torch.Tensor) -> torch.Tensor:
    """A power of exp(x) where the trace is above 0, by products that nothing else reads."""
    power = x
    for _ in range(6):
        power = torch.exp(power @ x / 9)
    return torch.where(torch.trace(x) > 0, power + power.sum(), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lanes_have_the_same_bits_whether_others_want_it_or_not(dtype: torch.dtype) -> None:
    A = draw(40, 5, 5, dtype=dtype)
    A[3] = float("nan")
    together = native(heavy, A)
    wanting = torch.diagonal(A, dim1=1, dim2=2).sum(-1) > 0
    assert wanting.any() and not wanting.all()
    bits = torch.int32 if dtype == torch.float32 else torch.int64  # a NaN is equal to itself
    for lanes in (wanting, ~wanting):
        assert torch.equal(native(heavy, A[lanes]).view(bits), together[lanes].view(bits))
    assert torch.equal(together[~wanting].view(bits), A[~wanting].view(bits))
    torch.testing.assert_close(together, torch.func.vmap(heavy)(A), rtol=1e-5, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("truth, negated", [(True, False), (False, True)])
def test_one_truth_for_all_lanes_decides_as_in_torch(truth: bool, negated: bool) -> None:
    """Captured by a model, or given for all lanes: it is no float, and 1 in memory, where a lane's own is -1."""
    on, x = torch.tensor(truth), torch.linspace(0.0, 4.0, 24, dtype=torch.float64)

    def model(x: Any, a: Any, b: Any, c: Any) -> Any:
        predicate = ~on if negated else on
        return torch.where(predicate, a * torch.exp(-b * x) + c, a * x + c)

    y = (2 * torch.exp(-x * torch.tensor([[1.0], [1.5], [0.7]])) + 0.5).to(torch.float64)
    found, expected = (engine.solve(problems.curve_fit(model), {"x": x, "y": y}, backend=name) for name in ("fused", "torch"))
    for name in ("a", "b", "c"):
        torch.testing.assert_close(found[name], expected[name], rtol=1e-8, atol=1e-8)

    def chosen(A: torch.Tensor, on: torch.Tensor) -> torch.Tensor:
        return torch.where(~on if negated else on, heavy(A), A)

    A = draw(9, 5, 5)
    torch.testing.assert_close(native(chosen, A, on, in_axes=(0, None)), torch.vmap(chosen, in_dims=(0, None))(A, on))


def test_the_kernel_of_such_a_function_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    body = emit.Emitter.body
    monkeypatch.setattr(emit.Emitter, "body", lambda self: texts.append(body(self)) or texts[-1])  # type: ignore[func-returns-value]
    engine.jit(engine.vmap(heavy))(draw(3, 4, 4))
    assert any("if (any(" in text for text in texts)

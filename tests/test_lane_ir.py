"""The lane IR by itself: small graphs against a plain evaluator, and how little is left of what need not be computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends.fused.ir.graph import Graph, Node, View
from backends.fused.passes.schedule import needed

NUMPY: dict[str, Callable[..., Any]] = dict(
    add=np.add, sub=np.subtract, mul=np.multiply, div=np.divide, neg=np.negative, sqrt=np.sqrt, max=np.maximum, exp=np.exp,
    lt=np.less, select=np.where, copy=np.asarray,
)  # fmt: skip
JOINED: dict[str, Callable[..., Any]] = dict(add=np.sum, mul=np.prod, max=np.max)
X, Y = np.random.default_rng(0).uniform(0.5, 2, (2, 2, 3))


def evaluate(view: View, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """A view's numbers, node by node as the IR defines them; nothing of the IR's own folding."""
    known: dict[int, np.ndarray] = {}

    def of(v: View) -> np.ndarray:
        found: np.ndarray = node(v.node)[v.index]
        return found

    def node(n: Node) -> np.ndarray:
        if id(n) not in known:
            known[id(n)] = np.asarray(value(n)).reshape(-1)
        return known[id(n)]

    def value(n: Node) -> Any:
        if n.kind == "input":
            return inputs[n.name]
        if n.kind == "const":
            return n.value
        if n.kind == "map":
            return NUMPY[n.name](*map(of, n.args))
        if n.kind == "reduce":
            return JOINED[n.name](of(n.args[0]), axis=1)
        if n.kind == "contract":
            return np.einsum("gik,gkj->gij", *map(of, n.args))
        if n.kind == "concat":
            return np.concatenate([of(a) for a in n.args])
        return of(n.args[0])[np.arange(n.size), of(n.args[1])]  # pick

    return of(view)


def start() -> tuple[Graph, View, View]:
    g = Graph()
    return g, g.input("x", (2, 3), "float64"), g.input("y", (2, 3), "float64")


def cost(g: Graph, *outputs: View) -> list[str]:
    """The nodes that are computed for some outputs: maps by name and size, others by kind."""
    return [f"{n.name or n.kind} {n.size}" for n in needed(g.nodes, outputs) if n.kind not in ("input", "const")]


def check(view: View, expected: Any) -> None:
    np.testing.assert_allclose(evaluate(view, {"x": X, "y": Y}), expected, rtol=1e-14, atol=0)


Case = tuple[Callable[[Graph, View, View], View], Callable[[Any, Any], Any], list[str]]

SIMPLIFIED: dict[str, Case] = {
    "x times one": (lambda g, x, y: g.map("mul", x, g.const(1.0)), lambda x, y: x, []),
    "one times x": (lambda g, x, y: g.map("mul", g.const(np.ones((2, 3))), x), lambda x, y: x, []),
    "x over one": (lambda g, x, y: g.map("div", x, g.const(1.0)), lambda x, y: x, []),
    "x plus nought": (lambda g, x, y: g.map("add", x, g.const(0.0)), lambda x, y: x, []),
    "nought plus x": (lambda g, x, y: g.map("add", g.const(0.0), x), lambda x, y: x, []),
    "x minus nought": (lambda g, x, y: g.map("sub", x, g.const(0.0)), lambda x, y: x, []),
    "twice negated": (lambda g, x, y: g.map("neg", g.map("neg", x)), lambda x, y: x, []),
    "a copy": (lambda g, x, y: g.map("copy", x), lambda x, y: x, []),
    "a sum of x y over four": (
        lambda g, x, y: g.reduce("sum", g.map("mul", g.map("mul", x, g.const(0.25)), y), [1]),
        lambda x, y: (x * y).sum(1) / 4,
        ["mul 6", "add 2", "mul 2"],
    ),
    "a sum along a row of x y times a number of the row": (
        lambda g, x, y: g.reduce("sum", g.map("mul", g.map("mul", x, y.at(y.index[:, :1])), y), [1]),
        lambda x, y: (x * y[:, :1] * y).sum(1),
        ["mul 6", "add 2", "mul 2"],
    ),
    "a sum of minus x": (
        lambda g, x, y: g.reduce("sum", g.map("neg", x), [0]), lambda x, y: -x.sum(0), ["add 3", "mul 3"],
    ),
    "a sum of squares of x times one number": (
        lambda g, x, y: (lambda z: g.reduce("sum", g.map("mul", z, z), [1]))(g.map("mul", x, y.at(y.index[:1, :1]))),
        lambda x, y: (x * y[0, 0] * x * y[0, 0]).sum(1),
        ["mul 6", "mul 6", "add 2"],
    ),
    "a sum of x times two numbers, where one may undo the other": (
        lambda g, x, y: g.reduce("sum", g.map("mul", g.map("mul", x, y.at(y.index[:1, :1])), y.at(y.index[1:, 1:2])), [1]),
        lambda x, y: (x * y[0, 0] * y[1, 1]).sum(1),
        ["mul 6", "mul 6", "add 2"],
    ),
    "a sum of x over a number": (
        lambda g, x, y: g.reduce("sum", g.map("mul", x, g.map("div", g.const(1.0), y.at(y.index[:1, :1]))), [1]),
        lambda x, y: (x / y[0, 0]).sum(1),
        ["div 1", "mul 6", "add 2"],
    ),
    "a sum of x times a number that is nearly nought": (
        lambda g, x, y: g.reduce("sum", g.map("mul", x, g.const(1e-200)), [1]),
        lambda x, y: (x * 1e-200).sum(1),
        ["mul 6", "add 2"],
    ),
    "x plus x": (lambda g, x, y: g.map("add", x, x), lambda x, y: 2 * x, ["mul 6"]),
    "x plus minus y": (lambda g, x, y: g.map("add", x, g.map("neg", y)), lambda x, y: x - y, ["sub 6"]),
    "minus y plus x": (lambda g, x, y: g.map("add", g.map("neg", y), x), lambda x, y: x - y, ["sub 6"]),
    "x minus minus y": (lambda g, x, y: g.map("sub", x, g.map("neg", y)), lambda x, y: x + y, ["add 6"]),
    "over a power of two": (lambda g, x, y: g.map("div", x, g.const(4.0)), lambda x, y: x / 4, ["mul 6"]),
    "over another number": (lambda g, x, y: g.map("div", x, g.const(3.0)), lambda x, y: x / 3, ["div 6"]),
    "scaled twice": (
        lambda g, x, y: g.map("mul", g.map("mul", x, g.const(0.3)), g.const(4.0)), lambda x, y: x * 0.3 * 4, ["mul 6"],
    ),
    "scaled twice, not by a power of two": (
        lambda g, x, y: g.map("mul", g.map("mul", x, g.const(0.3)), g.const(3.0)), lambda x, y: x * 0.3 * 3, ["mul 6", "mul 6"],
    ),
    "a choice that is known": (lambda g, x, y: g.map("select", g.const(np.array(True)), x, y), lambda x, y: x, []),
    "a choice that is not": (
        lambda g, x, y: g.map("select", g.map("lt", x, y), x, y), lambda x, y: np.minimum(x, y), ["lt 6", "select 6"],
    ),
    "a sum of one": (lambda g, x, y: g.reduce("sum", x.at(x.index[:, :1]), [1]), lambda x, y: x[:, 0], []),
    "an inner product": (
        lambda g, x, y: g.contract(x.at(x.index[None, :1]), y.at(y.index[None, :1].transpose(0, 2, 1))),
        lambda x, y: (x[0] @ y[0]).reshape(1, 1, 1), ["mul 3", "add 1"],
    ),
    "an outer product": (
        lambda g, x, y: g.contract(x.at(x.index[0].reshape(1, 3, 1)), y.at(y.index[0].reshape(1, 1, 3))),
        lambda x, y: np.outer(x[0], y[0])[None], ["mul 9"],
    ),
    "a product of matrices": (
        lambda g, x, y: g.contract(x.at(x.index[None]), y.at(y.index.T[None])), lambda x, y: (x @ y.T)[None], ["contract 4"],
    ),
    "parts of one array, joined": (lambda g, x, y: g.concat([x, x], 1), lambda x, y: np.hstack([x, x]), []),
    "two arrays, joined": (lambda g, x, y: g.concat([x, y], 1), lambda x, y: np.hstack([x, y]), ["concat 12"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SIMPLIFIED)
def test_an_expression_is_computed_with_as_little_and_is_still_right(name: str) -> None:
    make, numpy, left = SIMPLIFIED[name]
    g, x, y = start()
    made = make(g, x, y)
    assert cost(g, made) == left
    check(made, numpy(X, Y))


def test_what_depends_on_constants_alone_is_folded() -> None:
    g, x, _ = start()
    two = g.map("sqrt", g.const(np.full((2, 1), 4.0)))
    six = g.reduce("sum", g.map("mul", two, g.const(np.arange(3.0))), [1])
    made = g.map("mul", x, six.at(six.index[:, None]))
    assert cost(g, made) == ["mul 6"]
    np.testing.assert_array_equal(six.constant(), [6, 6])
    check(made, 6 * X)


def test_a_constant_that_is_not_finite_stays_what_it_is() -> None:
    g, x, _ = start()
    made = g.map("mul", x, g.map("div", g.const(1.0), g.const(0.0)))
    check(made, np.full((2, 3), np.inf))
    assert cost(g, g.map("mul", x, g.const(0.0))) == ["mul 6"]  # 0 times NaN is no nought


def test_equal_expressions_are_computed_once_in_either_order_of_their_arguments() -> None:
    g, x, y = start()
    a, b = g.map("add", x, y), g.map("add", y, x)
    assert a.node is b.node
    made = g.map("mul", g.map("exp", a), g.map("exp", b))
    assert cost(g, made) == ["add 6", "exp 6", "mul 6"]
    assert g.map("sub", x, y).node is not g.map("sub", y, x).node
    check(made, np.exp(X + Y) ** 2)


def test_what_no_output_needs_is_not_computed() -> None:
    g, x, y = start()
    g.map("exp", g.map("add", x, y))
    assert cost(g, g.map("sqrt", x)) == ["sqrt 6"]


def test_views_are_indices_and_cost_nothing() -> None:
    g, x, y = start()
    turned = x.at(x.index.T[::-1])
    picked = turned.at(turned.index[[0, 0, 2]].reshape(2, 3))
    assert picked.node is x.node and cost(g, picked) == []
    check(picked, X.T[::-1][[0, 0, 2]].reshape(2, 3))
    made = g.map("add", picked, y.at(y.index[::-1]))
    assert cost(g, made) == ["add 6"]
    check(made, X.T[::-1][[0, 0, 2]].reshape(2, 3) + Y[::-1])


def test_an_expanded_array_is_computed_before_it_is_expanded() -> None:
    g, x, y = start()
    row = x.at(np.broadcast_to(x.index[:1], (2, 3)))
    wide = g.map("exp", row)
    assert cost(g, wide) == ["exp 3"] and wide.shape == (2, 3)
    made = g.map("mul", wide, y)
    assert cost(g, made) == ["exp 3", "mul 6"]
    check(made, np.exp(X[:1]) * Y)


def test_equal_rows_are_summed_once() -> None:
    g, x, _ = start()
    row = x.at(np.broadcast_to(x.index[:1], (5, 3)))
    made = g.reduce("sum", row, [1])
    assert cost(g, made) == ["add 1"] and made.shape == (5,)
    check(made, np.full(5, X[0].sum()))


@pytest.mark.parametrize(("axes", "keep"), [([0], False), ([1], True), ([0, 1], False), ([-1], False)])
@pytest.mark.parametrize("name", ["sum", "prod", "amax"])
def test_reductions_join_the_axes_they_name(name: str, axes: list[int], keep: bool) -> None:
    g, x, y = start()
    made = g.reduce(name, g.map("sub", x, y), axes, keep)
    check(made, getattr(np, name)(X - Y, axis=tuple(axes), keepdims=keep))


def test_each_row_picks_the_element_that_its_index_names() -> None:
    g = Graph()
    table, which = g.input("table", (2, 3), "float64"), g.input("which", (2,), "int64")
    np.testing.assert_array_equal(
        evaluate(g.take_along(table, which), {"table": X, "which": np.array([2, 0])}), [X[0, 2], X[1, 0]]
    )


def test_a_contraction_over_nothing_is_nought() -> None:
    g = Graph()
    made = g.contract(g.input("a", (1, 2, 0), "float64"), g.input("b", (1, 0, 3), "float64"))
    np.testing.assert_array_equal(made.constant(), np.zeros((1, 2, 3)))


def test_products_of_rows_that_loops_make_are_sums_of_those_loops() -> None:
    """J'J and J'r of joined columns: neither the columns nor the product are stored, and J'J is symmetric to the bit."""
    g = Graph()
    x, y = g.input("x", (10,), "float64"), g.input("y", (1,), "float64")
    columns = [g.map("exp", g.map("mul", x, y)), g.map("mul", x, x), g.const(np.ones(10))]
    rows = g.concat([c.at(c.index.reshape(1, 1, 10)) for c in columns], 1)
    product = g.contract(rows, rows.at(rows.index.transpose(0, 2, 1)))
    inputs = {"x": np.linspace(0.0, 1.0, 10), "y": np.array([0.5])}
    J = np.stack([np.exp(inputs["x"] * 0.5), inputs["x"] ** 2, np.ones(10)])
    found = evaluate(product, inputs)
    np.testing.assert_allclose(found[0], J @ J.T, rtol=1e-14)
    assert (found[0] == found[0].T).all()
    assert not [c for c in cost(g, product) if c.startswith(("contract", "concat 30"))]


def test_a_view_within_one_of_joined_arrays_reads_that_one() -> None:
    g, x, y = start()
    joined = g.concat([g.map("exp", x), y], 0)
    right = g.map("neg", joined.at(joined.index[2:]))
    assert cost(g, right) == ["neg 6"]
    check(right, -Y)

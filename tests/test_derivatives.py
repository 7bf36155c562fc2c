"""Derivatives of solutions against closed forms and central differences; failed lanes, and answers that are not unique."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import engine
import problems
from engine import Param, Problem
from tests.differentiable import DTYPE, NOISY, POINTS, Row, closed, draw, plain, polar


def directions(row: Row) -> list[Tensor]:
    found = [draw(*a.shape, seed=k + 5) for k, a in enumerate(row.moving.values())]
    return [(d + d.mT) / 2 for d in found] if row.symmetric else found


def along(row: Row, f: Any, changes: list[Tensor]) -> Any:
    """A figure as a function of one number, weighed with fixed numbers."""
    like = row.value(*row.moving.values()).detach()
    weights = draw(*like.shape, seed=9)
    return lambda t: (weights * f(*(a + t * d for a, d in zip(row.moving.values(), changes, strict=True)))).sum()


def error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


ZERO = torch.zeros((), dtype=DTYPE)


@pytest.mark.parametrize("name", closed())
def test_derivatives_of_three_orders_are_those_of_the_closed_form(name: str) -> None:
    row = closed()[name]
    changes = directions(row)
    ours, theirs = along(row, row.value, changes), along(row, row.oracle, changes)
    for _ in range(3):
        ours, theirs = torch.func.grad(ours), torch.func.grad(theirs)
        assert error(ours(ZERO), theirs(ZERO)) < 1e-9


@pytest.mark.parametrize("name", plain())
def test_derivatives_are_those_of_central_differences(name: str) -> None:
    row = plain()[name]
    f = along(row, lambda *moving: row.value(*moving, tol=1e-11), directions(row))
    step = 1e-3
    with torch.no_grad():
        ahead, behind, far_ahead, far_behind = torch.vmap(f)(step * torch.tensor([1.0, -1.0, 2.0, -2.0], dtype=DTYPE))
    narrow, wide = (ahead - behind) / (2 * step), (far_ahead - far_behind) / (4 * step)
    assert error(torch.func.grad(f)(ZERO), (4 * narrow - wide) / 3) < 1e-6
    before, after = torch.vmap(torch.func.grad(f))(step * torch.tensor([-1.0, 1.0], dtype=DTYPE))
    second = torch.func.grad(torch.func.grad(f))(ZERO)
    assert error(second, (after - before) / (2 * step)) < 1e-4


@pytest.mark.parametrize("name", [*closed(), *plain()])
def test_values_keep_their_bits(name: str) -> None:
    row = {**closed(), **plain()}[name]
    bare = row.solve(*row.moving.values())
    moved = row.solve(*(a.clone().requires_grad_() for a in row.moving.values()))
    for x, y in zip((bare.loss, *bare.params.values()), (moved.loss, *moved.params.values()), strict=True):
        assert y.requires_grad and not x.requires_grad
        assert torch.equal(x.view(torch.int64), y.detach().view(torch.int64))
    assert not moved.residual.requires_grad and not moved.status.requires_grad


def test_gauss_newton_is_wrong_where_a_residual_is_left() -> None:
    """-(J'J)^-1 J' (-1) is the derivative of the params by y where the residual vanishes."""
    row = plain()["noisy fit"]
    found = torch.func.jacrev(row.value)(NOISY)[0, :, 0]
    a, b, _ = row.value(NOISY)[0]
    jacobian = torch.stack([torch.exp(-b * POINTS), -a * POINTS * torch.exp(-b * POINTS), torch.ones_like(POINTS)], 1)
    step = 1e-4
    moved = NOISY[0] + step * torch.cat([torch.eye(10, dtype=DTYPE), -torch.eye(10, dtype=DTYPE)])
    ahead, behind = row.value(moved, tol=1e-11).reshape(2, 10, 3)
    expected = ((ahead - behind) / (2 * step)).mT
    assert error(torch.linalg.pinv(jacobian), expected) > 1e-2
    assert error(found, expected) < 1e-6


def test_an_active_bound_hands_its_derivative_on() -> None:
    row = plain()["bounds by data"]
    lo = row.data["lo"].clone().requires_grad_()
    c = row.solve(NOISY, lo)["c"]
    assert c[1] == lo[1] and c[0] > lo[0]
    assert torch.autograd.grad(c.sum(), lo)[0].tolist() == [0.0, 1.0]


def test_losses_and_measures_carry_derivatives() -> None:
    mean = Problem(
        "mean", {"x": "n"}, {"c": Param("", start=0.0)}, lambda c, x: c - x, measures={"square": lambda c, x: c * c + x[0]}
    )
    x = draw(2, 4).requires_grad_()
    solution = engine.solve(mean, x, backend="torch")
    loss, square = torch.autograd.grad(solution.loss.sum(), x, retain_graph=True)[0], solution.measures["square"]
    centre = x.detach().mean(1, keepdim=True)
    torch.testing.assert_close(loss, (x.detach() - centre) / 2)
    first = torch.tensor([1.0, 0, 0, 0], dtype=DTYPE)
    torch.testing.assert_close(torch.autograd.grad(square.sum(), x)[0], centre / 2 + first)


CAPTURED = draw(3, 3)


@pytest.fixture(scope="module")
def scaled() -> Problem:
    return Problem("scaled", {"A": "n n"}, {"X": Param("n n")}, lambda X, A: X @ A - CAPTURED, exact=True)


BAD = draw(5, 3, 3) + torch.eye(3) * 3
BAD[1], BAD[3] = torch.nan, 1.0
GOOD = [0, 2, 4]


@pytest.mark.parametrize("backend", ["torch", "fused"])
def test_a_failed_lane_has_derivative_zero_and_changes_no_other(scaled: Problem, backend: str) -> None:
    CAPTURED.requires_grad_()
    try:
        gradients = {}
        for name, data in {"all": BAD, "good": BAD[GOOD]}.items():
            a = data.clone().requires_grad_()
            solution = engine.solve(scaled, a, backend=backend)
            assert [int(s) for s in solution.status] == ([0, 6, 0, 4, 0] if name == "all" else [0, 0, 0])
            gradients[name] = torch.autograd.grad(solution["X"].nansum(), (a, CAPTURED))
    finally:
        CAPTURED.requires_grad_(False)
    assert not gradients["all"][0][[1, 3]].any()
    torch.testing.assert_close(gradients["all"][0][GOOD], gradients["good"][0], rtol=0, atol=0 if backend == "fused" else 1e-14)
    torch.testing.assert_close(gradients["all"][1], gradients["good"][1])
    torch.testing.assert_close(gradients["good"][1], torch.linalg.inv(BAD[GOOD]).sum((0, 2)).expand(3, 3))


def test_a_failed_lane_has_tangent_zero() -> None:
    tangent = torch.func.jvp(lambda a: engine.solve(problems.inverse(), a, backend="torch")["X"], (BAD,), (BAD * 0 + 1,))[1]
    assert not tangent[[1, 3]].any() and tangent[GOOD].isfinite().all() and tangent[GOOD].any()
    limited = engine.solve(problems.inverse(), BAD.clone().requires_grad_(), backend="torch", max_steps=1)
    assert not torch.autograd.grad(limited["X"].nansum(), limited.call.data)[0].any()


STEPS = np.arange(3.0)
DECAY = Problem(
    "decay", {"y": "3"}, {"a": Param("", start=1.0), "b": Param("", start=0.5)}, lambda a, b, y: a * np.exp(-b * STEPS) - y
)
IDLE = Problem("idle", {"y": "3"}, {"a": Param("", start=1.0), "b": Param("", start=2.0)}, lambda a, b, y: a + 0 * b - y)
SQUARE = Problem("square", {"y": "3"}, {"a": Param("", start=1.0)}, lambda a, y: a * a + y, exact=True)
LOGARITHM = Problem("logarithm", {"y": "3"}, {"a": Param("", start=1.0)}, loss=lambda a, y: np.sum(np.log(a - y)))
MEANS = torch.tensor([[1.0, 2.0, 4.0]], dtype=DTYPE)

ENDS: dict[str, tuple[Problem, Tensor, dict[str, Any]]] = {
    "MAX_STEPS": (DECAY, MEANS, {"max_steps": 1}),
    "STALLED": (problems.inverse(), torch.tensor([[[1.0, 2.0], [2.0, 4.0 + 1e-13]]], dtype=DTYPE), {}),
    "INFEASIBLE": (SQUARE, MEANS, {}),
    "NONFINITE": (LOGARITHM, MEANS, {}),
    "NONFINITE_INPUT": (DECAY, MEANS * torch.nan, {}),
}
"""Status -> a call that ends with it, of those that leave no answer."""


@pytest.mark.parametrize("status", ENDS)
def test_a_lane_without_an_answer_has_derivative_zero(status: str) -> None:
    problem, data, options = ENDS[status]
    data = data.clone().requires_grad_()
    solution = engine.solve(problem, data, backend="torch", **options)
    assert [code.name for code in solution.counts()] == [status]
    total = sum(x.sum() for x in (solution.loss, *solution.params.values()))
    (found,) = torch.autograd.grad(total, data)
    assert found.shape == data.shape and not found.any()


def test_an_undetermined_lane_has_the_derivative_of_least_norm() -> None:
    y = MEANS.clone().requires_grad_()
    solution = engine.solve(IDLE, y, backend="torch")
    assert [code.name for code in solution.counts()] == ["UNDETERMINED"]
    a, b = (torch.autograd.grad(x.sum(), y, retain_graph=True)[0] for x in solution)
    torch.testing.assert_close(a, torch.full((1, 3), 1 / 3, dtype=DTYPE))
    assert not b.any()


def test_an_ill_conditioned_lane_has_a_finite_derivative() -> None:
    turn = torch.linalg.qr(draw(3, 3, seed=2))[0]
    a = (turn @ torch.diag(torch.tensor([1.0, 0.5, 1e-7], dtype=DTYPE)) @ turn.mT)[None].float()
    start, a = {"X": torch.linalg.inv(a.double()).float()}, a.requires_grad_()
    solution = engine.solve(problems.inverse(), a, backend="torch", start=start, tol=1e-5, max_steps=0)
    assert [code.name for code in solution.counts()] == ["ILL_CONDITIONED"]
    (found,) = torch.autograd.grad(solution["X"].sum(), a)
    assert found.isfinite().all() and found.any()


EQUAL = {
    "identity": torch.eye(3, dtype=DTYPE),
    "two equal": torch.diag(torch.tensor([2.0, 2.0, 1.0], dtype=DTYPE)),
    "orthogonal": torch.linalg.qr(draw(3, 3))[0],
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_singular_values(name: str) -> None:
    a = EQUAL[name][None]

    def nuclear(a: Tensor) -> Tensor:
        total: Tensor = engine.solve(problems.svd(), a, backend="torch")["S"].sum()
        return total

    def factor(a: Tensor) -> Tensor:
        u, _, v = engine.solve(problems.svd(), a, backend="torch")
        total: Tensor = (draw(3, 3, seed=4) * (u @ v.mT)).sum()
        return total

    torch.testing.assert_close(torch.func.grad(nuclear)(a), polar(a))
    expected = torch.func.jacrev(lambda t: (draw(3, 3, seed=4) * _sylvester(a[0], t)).sum())(a[0] * 0)
    torch.testing.assert_close(torch.func.grad(factor)(a)[0], expected)


def _sylvester(a: Tensor, change: Tensor) -> Tensor:
    """The change of A's polar factor Q: Q W with W P + P W = Q'D - D'Q for the positive factor P, a linear system."""
    q, n = polar(a), len(a)
    p, eye = q.mT @ a, torch.eye(n, dtype=DTYPE)
    right = q.mT @ change - change.mT @ q
    found: Tensor = q @ torch.linalg.solve(torch.kron(eye, p) + torch.kron(p, eye), right.flatten()).reshape(n, n)
    return found


def test_least_squares_without_full_rank() -> None:
    """d(A^+ b) = A^+ db, and the fitted values A A^+ b move with A as a projector does."""
    row = closed()["least squares"]
    a, b = row.data["A"].clone(), row.data["b"]
    a[0, :, 1], a[1, :, 0] = 2 * a[0, :, 0], 0
    a, b = a.repeat(1, 1, 1), b.clone()
    found = torch.func.jacrev(lambda b: row.value(a, b))(b)
    for lane in range(2):
        torch.testing.assert_close(found[lane, :, lane], torch.linalg.pinv(a[lane]))
    scale = torch.func.grad(lambda t: (a @ row.value(a * t, b)[..., None]).sum())(ZERO + 1)
    torch.testing.assert_close(scale, -(a @ torch.linalg.pinv(a) @ b[..., None]).sum())


def test_a_first_order_alone_raises_at_the_second() -> None:
    row = closed()["inverse"]
    a = row.data["A"].clone().requires_grad_()

    def first_order(a: Tensor) -> Tensor:
        return row.value(a, derivatives=1).sum()

    first = torch.autograd.grad(first_order(a), a, create_graph=True)[0]
    torch.testing.assert_close(first, torch.func.grad(lambda a: torch.linalg.inv(a).sum())(a.detach()))
    with pytest.raises(RuntimeError, match="derivatives=2"):
        torch.autograd.grad(first.sum(), a)
    with pytest.raises(TypeError, match="derivatives=2"):
        torch.func.jacfwd(torch.func.grad(first_order))(a.detach())
    assert not row.value(a, derivatives=0).requires_grad
    with torch.no_grad():
        assert not row.value(a).requires_grad


def test_a_start_has_no_derivative() -> None:
    row = closed()["inverse"]
    start = torch.eye(3, dtype=DTYPE).requires_grad_()
    assert not row.solve(row.data["A"], start={"X": start})["X"].requires_grad


def test_shared_data_sums_over_the_lanes_of_all_axes() -> None:
    row = closed()["least squares"]
    a, b = row.data["A"][0], draw(2, 3, 4)
    found = torch.func.grad(lambda a: row.value(a, b).sum())(a)
    torch.testing.assert_close(found, torch.func.grad(lambda a: (torch.linalg.pinv(a) @ b[..., None]).sum())(a))


def test_float32_and_numpy_backends() -> None:
    row = closed()["inverse"]
    expected = torch.func.grad(lambda a: torch.linalg.inv(a).sum())(row.data["A"])
    torch.testing.assert_close(torch.func.grad(lambda a: row.value(a, backend="numpy").sum())(row.data["A"]), expected)
    single = torch.func.grad(lambda a: row.value(a).sum())(row.data["A"].float())
    torch.testing.assert_close(single, expected.float(), rtol=1e-4, atol=1e-5)


def test_nothing_is_built_for_a_call_that_nobody_differentiates(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("engine.derivatives.solve_tracked", fail)
    row = closed()["inverse"]
    assert row.solve(row.data["A"]).converged.all()
    with pytest.raises(AssertionError):
        row.solve(row.data["A"].clone().requires_grad_())


def test_backward_calls_leave_no_tensor_behind() -> None:
    """Of three rounds of calls, the first fills what is kept from call to call."""
    row = closed()["inverse"]

    def alive() -> int:
        gc.collect()
        return sum(issubclass(type(o), Tensor) for o in gc.get_objects())

    counts = []
    for _ in range(3):
        for _ in range(4):
            torch.func.grad(lambda a: row.value(a).sum())(row.data["A"])
            a = row.data["A"].clone().requires_grad_()
            torch.autograd.grad(row.value(a).sum(), a)
        counts.append(alive())
    assert counts[2] <= counts[1]

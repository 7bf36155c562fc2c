"""The backward pass as a native kernel: which lanes it serves, against closed forms and eager torch; the inverses it rests on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

import engine
import problems
from engine import Param, Problem
from engine.derivatives import pullback
from engine.derivatives.direct import direct_inverse
from engine.domains import Box
from tests.differentiable import DTYPE, draw


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lanes each backward pass left to eager torch."""
    lanes: list[int] = []
    own = pullback._through_steps

    def counted(inputs: Any, condition: Any, figures: Any, status: Tensor, *rest: Any) -> Any:
        lanes.append(len(status))
        return own(inputs, condition, figures, status, *rest)

    monkeypatch.setattr(pullback, "_through_steps", counted)
    return lanes


def test_an_inverse_goes_backwards_in_a_kernel(eager: list[int]) -> None:
    a = draw(6, 2, 2) + 2 * torch.eye(2)
    a[1], a[2], a[3] = torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.nan, 1.0
    good = [0, 1, 4, 5]
    a.requires_grad_()
    solution = engine.solve(problems.inverse(), a)
    assert solution.plan.backend == "fused" and solution.status.tolist() == [0, 0, 6, 4, 0, 0]
    weights = draw(6, 2, 2, seed=1)
    (found,) = torch.autograd.grad((weights * solution["X"]).nansum(), a)
    (expected,) = torch.autograd.grad((weights[good] * torch.linalg.inv(a[good])).sum(), a)
    assert not eager and not found[[2, 3]].any()
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    alone = a[good].detach().requires_grad_()
    (again,) = torch.autograd.grad((weights[good] * engine.solve(problems.inverse(), alone)["X"]).sum(), alone)
    assert torch.equal(again, found[good])


def test_derivatives_are_those_of_the_solution_not_of_a_loose_answer(eager: list[int]) -> None:
    """The second of the kernel's steps takes the matrix's derivative at the answer to where the first one has moved."""
    a = (draw(8, 2, 2) / 2 + 2 * torch.eye(2)).requires_grad_()
    descent = engine.solvers.GradientDescent(0.1)
    found = engine.solve(problems.inverse(), a, solver=descent, tol=1e-3, max_steps=10_000)
    inverse = torch.linalg.inv(a)
    assert found.converged.all() and (found["X"] - inverse).abs().median() > 2e-4
    ours, own = (torch.autograd.grad((x**2).sum(), a)[0] for x in (found["X"] - (found["X"] - inverse).detach(), inverse))
    assert not eager
    torch.testing.assert_close(ours, own, rtol=0, atol=3e-5)


def test_a_kernel_serves_faces_shared_data_and_all_figures(eager: list[int]) -> None:
    """The same by the torch backend, whose derivatives are tested against central differences."""
    fit = Problem(
        "bounded decay",
        {"x": "n", "y": "n", "top": ""},
        {"a": Param("", start=1.0), "b": Param("", Box(0.0, "top"), 0.5)},
        lambda a, b, x, y: a * np.exp(-b * x) - y,
        measures={"half": lambda a, b: a / (1 + b)},
    )
    x = torch.linspace(0.0, 2.0, 5, dtype=DTYPE)
    y, top = torch.exp(-x) * 2 + draw(2, 3, 5) * 0.1, torch.tensor([0.7, 9.0, 0.8], dtype=DTYPE)

    def gradients(backend: str) -> list[Tensor]:
        moving = [array.clone().requires_grad_() for array in (x, y, top)]
        solution = engine.solve(fit, dict(zip(("x", "y", "top"), moving, strict=True)), backend=backend, tol=1e-9)
        assert (solution["b"] == moving[2])[:, [0, 2]].all() and not (solution["b"] == moving[2])[:, 1].any()
        total = solution["a"].sin().sum() + (solution["b"] * solution.loss).sum() + solution.measures["half"].sum()
        return list(torch.autograd.grad(total, moving))

    native = gradients("fused")
    assert not eager
    for one, other in zip(native, gradients("torch"), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


def test_a_singular_lane_alone_leaves_the_kernel(eager: list[int]) -> None:
    fit = Problem("linear", {"A": "m n", "b": "m"}, {"x": Param("n", start="zeros")}, lambda x, A, b: A @ x - b)
    a, b = draw(3, 4, 2), draw(3, 4).requires_grad_()
    a[1, :, 1] = 2 * a[1, :, 0]
    weights = draw(3, 2, seed=1)
    (found,) = torch.autograd.grad((weights * engine.solve(fit, {"A": a, "b": b})["x"]).sum(), b)
    assert eager == [1]
    torch.testing.assert_close(found, (torch.linalg.pinv(a).mT @ weights[..., None])[..., 0])


def test_second_derivatives_beside_a_kernel() -> None:
    a = (draw(2, 2, 2) + 2 * torch.eye(2)).requires_grad_()

    def second(inverse: Any) -> Tensor:
        first = torch.autograd.grad(inverse(a).sin().sum(), a, create_graph=True)[0]
        return torch.autograd.grad((first**2).sum(), a)[0]

    torch.testing.assert_close(second(lambda a: engine.solve(problems.inverse(), a)["X"]), second(torch.linalg.inv))


def test_mapped_cotangents_and_threads_agree_with_a_kernel() -> None:
    a = (draw(2, 2, 2) + 2 * torch.eye(2)).requires_grad_()
    x = engine.solve(problems.inverse(), a)["X"]
    weights = draw(3, 2, 2, 2, seed=1)
    one = [torch.autograd.grad(x, a, w, retain_graph=True)[0] for w in weights]
    (mapped,) = torch.autograd.grad(x, a, weights, is_grads_batched=True, retain_graph=True)
    torch.testing.assert_close(mapped, torch.stack(one))
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda w: torch.autograd.grad(x, a, w, retain_graph=True)[0], weights.repeat(4, 1, 1, 1)))
    assert all(torch.equal(found, one[k % 3]) for k, found in enumerate(again))


def test_captured_arrays_are_those_of_the_solve() -> None:
    """A NumPy array may change before the backward pass; a tensor that does has a version, and raises."""
    held, kept = np.arange(1.0, 4.0), torch.arange(1.0, 4.0, dtype=DTYPE)
    y = draw(2, 3).requires_grad_()
    for scale in (held, kept):
        fit = Problem("scaled", {"y": "n"}, {"a": ""}, lambda a, y, scale=scale: a * scale - y)
        solution = engine.solve(fit, y, backend="torch")
        scale *= 2
        if scale is held:
            (found,) = torch.autograd.grad(solution["a"].sum(), y)
            torch.testing.assert_close(found[0], kept / 14)
        else:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                torch.autograd.grad(solution["a"].sum(), y)


def test_no_lanes_and_no_unknowns_have_derivatives() -> None:
    empty = torch.zeros(0, 2, 2, dtype=DTYPE).requires_grad_()
    (found,) = torch.autograd.grad(engine.solve(problems.inverse(), empty, backend="torch")["X"].sum(), empty)
    assert found.shape == (0, 2, 2)
    sign = Problem("sign", {"A": "n n"}, {"Q": Param("n n", engine.domains.Orthogonal(), "eye")}, lambda Q, A: Q - A)
    loss: Any = lambda a: engine.solve(sign, a, backend="torch").loss.sum()
    quarter = torch.full((2, 1, 1), 0.25, dtype=DTYPE)
    moving = quarter.clone().requires_grad_()
    for gradient in (torch.func.grad(loss)(quarter), torch.autograd.grad(loss(moving), moving)[0]):
        assert gradient.flatten().tolist() == [-1.5, -1.5]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_direct_inverses_are_good_or_say_that_they_are_not(dtype: torch.dtype) -> None:
    columns = draw(40, 3, 5).to(dtype)
    square, inverse = columns[..., :3], cast(Any, direct_inverse)
    for matrix, symmetric in ((columns, False), (square, False), (columns @ columns.mT, True)):
        found, good = torch.vmap(lambda m, s=symmetric: inverse(m[None], s))(matrix)
        expected = torch.linalg.pinv(matrix.double())[:, None] if symmetric else torch.linalg.pinv(matrix.double().mT)[:, None]
        error = (found - expected).norm(dim=(-2, -1)) / expected.norm(dim=(-2, -1))
        assert good.sum() > 30 and (error[good] < 30 * torch.finfo(dtype).eps ** 0.5).all()
    singular = torch.ones(1, 2, 2, dtype=dtype)
    nearly = singular + torch.diag(torch.tensor([0.0, 4 * torch.finfo(dtype).eps], dtype=dtype))
    saddle = torch.tensor([[[1.0, 2.0], [2.0, 1.0]]], dtype=dtype)
    for matrix in (singular, nearly, singular * torch.nan):
        assert not inverse(matrix, True)[1] and not inverse(matrix, False)[1]
    found, good = inverse(saddle, True)
    assert not good or torch.allclose(found, torch.linalg.inv(saddle))
    assert not inverse(torch.ones(1, 3, 2, dtype=dtype), False)[1]

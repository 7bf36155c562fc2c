"""One table: problems by transforms of torch, against the plain derivative, loops and torch's own checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import engine
import problems
from engine import Problem
from tests.differentiable import DTYPE, NOISY, Row, closed, draw, plain

ROWS = {
    "inverse": closed()["inverse"],
    "singular values": closed()["singular values"],
    "noisy fit": plain()["noisy fit"],
    "bounds by data": plain()["bounds by data"],
    "logistic": plain()["logistic"],
}
"""Exact with blocks of its own rows, exact by J'J, the full Hessian, faces, a loss."""


engine.jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))  # torch warns about itself when it loads its forward rules


def scalar(row: Row, **options: Any) -> Callable[[Tensor], Tensor]:
    """A number as a function of the first datum."""
    first, *rest = row.moving.values()
    weights = draw(*row.value(first, *rest).shape, seed=3)

    def f(x: Tensor) -> Tensor:
        found = row.value(x, *(a if x.ndim == first.ndim else a[0] for a in rest), **options)
        return (weights[: len(found)] * torch.sin(found)).sum()

    return f


def datum(row: Row) -> Tensor:
    return next(iter(row.moving.values()))


def _backward(f: Any, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x), x)[0]


def _jvps(f: Any, x: Tensor) -> Tensor:
    tangents = torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape)
    return torch.stack([torch.func.jvp(f, (x,), (t,))[1] for t in tangents[:3]])


def _duals(f: Any, x: Tensor) -> Tensor:
    tangents = torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape)
    unpack: Any = torch.autograd.forward_ad.unpack_dual
    make: Any = torch.autograd.forward_ad.make_dual
    with torch.autograd.forward_ad.dual_level():
        found = [unpack(f(make(x, t))).tangent for t in tangents[:3]]
    return torch.stack(found)


def _few(gradient: Tensor) -> Tensor:
    return gradient.flatten()[:3]


FIRST: dict[str, tuple[Callable[[Any, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "grad": (lambda f, x: torch.func.grad(f)(x), lambda g: g),
    "jacrev": (lambda f, x: torch.func.jacrev(f)(x), lambda g: g),
    "jacfwd": (lambda f, x: torch.func.jacfwd(f)(x), lambda g: g),
    "jvp": (_jvps, _few),
    "dual numbers": (_duals, _few),
    "vjp": (lambda f, x: torch.func.vjp(f, x)[1](torch.ones((), dtype=x.dtype))[0], lambda g: g),
    "vmap(grad)": (lambda f, x: torch.vmap(torch.func.grad(f))(torch.stack([x, x]))[1], lambda g: g),
    "vmap(vmap(grad))": (
        lambda f, x: torch.vmap(torch.vmap(torch.func.grad(f)))(x.expand(2, 1, *x.shape))[1, 0],
        lambda g: g,
    ),
    "engine.grad": (lambda f, x: engine.grad(f)(x), lambda g: g),
}
"""Transform -> its result, and the same from the gradient by autograd."""


@pytest.mark.parametrize("transform", FIRST)
@pytest.mark.parametrize("name", ROWS)
def test_first_derivatives(name: str, transform: str) -> None:
    row = ROWS[name]
    f, x = scalar(row), datum(row)
    take, same = FIRST[transform]
    torch.testing.assert_close(take(f, x), same(_backward(f, x)))


@pytest.mark.parametrize("name", ROWS)
def test_torch_checks_the_first_and_the_second_derivative(name: str) -> None:
    row = ROWS[name]
    x = datum(row)[:1].clone()
    rest = [a[:1] for a in list(row.moving.values())[1:]]

    def f(x: Tensor) -> Tensor:
        return row.value(x, *rest, tol=1e-11)

    x.requires_grad_()
    assert torch.autograd.gradcheck(f, x, fast_mode=True, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(f, x, fast_mode=True, atol=1e-4)


SECOND: dict[str, Callable[[Any], Any]] = {
    "hessian": torch.func.hessian,
    "jacrev(jacrev)": lambda f: torch.func.jacrev(torch.func.jacrev(f)),
    "vmap(hessian)": lambda f: lambda x: torch.vmap(torch.func.hessian(f))(x[None])[0],
}


@pytest.mark.parametrize("name", ["inverse", "noisy fit"])
def test_second_derivatives_agree(name: str) -> None:
    row = ROWS[name]
    f, x = scalar(row), datum(row)
    found = {transform: take(f)(x) for transform, take in SECOND.items()}
    columns = torch.autograd.functional.hessian(f, x)  # type: ignore[no-untyped-call]
    for hessian in found.values():
        torch.testing.assert_close(hessian, columns)


@pytest.mark.parametrize("name", ROWS)
def test_a_mapped_solve_is_a_loop(name: str) -> None:
    row = ROWS[name]
    moving = list(row.moving.values())
    mapped = torch.vmap(lambda *lane: tuple(row.solve(*lane).params.values()))(*moving)
    for k in range(2):
        for x, y in zip(row.solve(*(a[k] for a in moving)).params.values(), mapped, strict=True):
            torch.testing.assert_close(y[k], x)


def test_a_mapped_datum_that_the_lanes_share_stays_theirs() -> None:
    row = closed()["least squares"]
    a, b = row.data["A"], draw(2, 4, 4)
    mapped = torch.vmap(row.value)(a, b)
    torch.testing.assert_close(mapped, (torch.linalg.pinv(a)[:, None] @ b[..., None])[..., 0])
    gradient = torch.vmap(torch.func.grad(lambda a, b: row.value(a, b).sum()))(a, b)
    expected = torch.func.grad(lambda a: (torch.linalg.pinv(a)[:, None] @ b[..., None]).sum())(a)
    torch.testing.assert_close(gradient, expected)


SCALE = draw(2, 2)
INVERSE, GAUSS_NEWTON = problems.inverse(), engine.solvers.GaussNewton()


def test_a_mapped_captured_tensor_is_one_solve_after_the_other() -> None:
    a = draw(3, 2, 2) + torch.eye(2) * 3

    def solve(scale: Tensor) -> Tensor:
        problem = Problem("scaled", {"A": "n n"}, {"X": "n n"}, lambda X, A: X @ A - scale, exact=True)
        found: Tensor = engine.solve(problem, a, backend="torch")["X"]
        return found

    torch.testing.assert_close(torch.vmap(solve)(torch.stack([SCALE, 2 * SCALE]))[1], 2 * SCALE @ torch.linalg.inv(a))


def test_a_mapped_call_raises_for_its_lanes_and_knows_its_plan() -> None:
    singular = torch.ones(2, 2, 2, dtype=DTYPE)
    with pytest.raises(engine.SolveError, match="2 of 2 lanes"):
        torch.vmap(lambda a: engine.solve(problems.inverse(), a, backend="torch", check="raise")["X"])(singular)
    plans: list[Any] = []

    def solve(a: Tensor) -> Tensor:
        plans.append(engine.solve(problems.inverse(), a, backend="torch").plan)
        return a

    torch.vmap(solve)(singular)
    assert plans[0].backend == "torch"


COMPILED: dict[str, Any] = {
    "vmap(grad)": lambda f: lambda x: torch.vmap(torch.func.grad(f))(x[None])[0],
    "jacrev(grad)": lambda f: torch.func.jacrev(torch.func.grad(f)),
}


@pytest.mark.parametrize("transform", COMPILED)
def test_one_graph(transform: str) -> None:
    row = ROWS["inverse"]
    f: Any = COMPILED[transform](scalar(row))
    x = datum(row)
    compiled: Any = torch.compile(f, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), f(x))


@pytest.mark.filterwarnings("ignore")  # of torch about itself
def test_inductor_compiles_value_and_gradient_by_a_transform() -> None:
    f, x = torch.func.grad_and_value(scalar(ROWS["noisy fit"])), datum(ROWS["noisy fit"])
    compiled: Any = torch.compile(f, fullgraph=True)
    torch.testing.assert_close(compiled(x), f(x))


@pytest.mark.filterwarnings("ignore")  # of torch about itself
def test_inductor_compiles_value_and_gradient_by_autograd() -> None:
    f, x = scalar(ROWS["inverse"]), datum(ROWS["inverse"])
    compiled: Any = torch.compile(f, fullgraph=True)
    moving = x.clone().requires_grad_()
    value = compiled(moving)
    torch.testing.assert_close(value, f(moving))
    torch.testing.assert_close(torch.autograd.grad(value, moving)[0], _backward(f, x))


@pytest.mark.filterwarnings("ignore")  # of torch about itself
@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_inductor_compiles_the_answers_statuses_and_gradient_of_a_leaf(backend: str) -> None:
    """The answers by their statuses, of two matrices and a singular one."""
    a = draw(3, 2, 2) + torch.eye(2) * 3
    a[1] = 1.0

    def f(a: Tensor) -> Tensor:
        found = engine.solve(INVERSE, a, backend=backend)
        return torch.where(found.converged, found["X"].sum((-1, -2)), -1.0)

    compiled: Any = torch.compile(f, fullgraph=True)
    moving = a.clone().requires_grad_()
    value = compiled(moving)
    assert value[1] == -1 and (value[[0, 2]] != -1).all()
    torch.testing.assert_close(value, f(a))
    torch.testing.assert_close(torch.autograd.grad(value.sum(), moving)[0], _backward(lambda a: f(a).sum(), a))


@pytest.mark.filterwarnings("ignore")  # of torch about itself
@pytest.mark.parametrize("transform", [torch.func.jacfwd, torch.func.hessian])
def test_forward_derivatives_leave_the_graph_and_nothing_behind(transform: Any) -> None:
    f = lambda a: engine.solve(INVERSE, a, backend="torch")["X"].sum()
    a = draw(2, 2) + torch.eye(2) * 3
    compiled: Any = torch.compile(transform(f))
    torch.testing.assert_close(compiled(a), transform(f)(a))
    torch.compiler.reset()
    whole: Any = torch.compile(transform(f), fullgraph=True)
    with pytest.raises(Exception, match=r"nonstrict_trace|forward derivative"):
        whole(a)
    torch.testing.assert_close(torch.func.jvp(torch.sin, (a,), (a,))[1], torch.cos(a) * a)


def test_a_solution_of_compiled_code_says_what_it_cannot_do() -> None:
    found = _compiled(lambda a: engine.solve(INVERSE, a, backend="torch"), torch.ones(3, 2, 2))
    for method in ("summary", "raise_for_status", "hessian", "save", "explain"):
        with pytest.raises(engine.errors.ArgumentError, match=f"{method}: .* compiled code"):
            getattr(found, method)(*(["x"] if method == "save" else [0] if method == "explain" else []))


def test_one_graph_with_a_first_order_alone_raises_for_its_lanes() -> None:
    f = torch.compile(
        lambda a: engine.solve(INVERSE, a, backend="torch", check="raise", derivatives=1)["X"].sum(),
        fullgraph=True,
        backend="aot_eager",
    )
    a = draw(3, 2, 2) + torch.eye(2) * 3
    torch.testing.assert_close(_backward(f, a), torch.func.grad(lambda a: torch.linalg.inv(a).sum())(a))
    with pytest.raises(engine.SolveError, match="3 of 3 lanes"):
        f(a * 0 + 1)


def test_one_graph_with_backward_reads_what_is_captured() -> None:
    scale = draw(2, 2)
    problem = Problem("scaled", {"A": "n n"}, {"X": "n n"}, lambda X, A: X @ A - scale, exact=True)
    f = torch.compile(
        lambda a: engine.solve(problem, a, backend="torch", tol=1e-12)["X"].sum(), fullgraph=True, backend="aot_eager"
    )
    a = draw(3, 2, 2) + torch.eye(2) * 3
    expected: Callable[[], Tensor] = lambda: torch.func.grad(lambda a: (scale @ torch.linalg.inv(a)).sum())(a)
    torch.testing.assert_close(_backward(f, a), expected())
    scale *= 2
    torch.testing.assert_close(_backward(f, a), expected())


@pytest.mark.parametrize("transform", ["grad", "jacfwd", "jacrev"])
def test_numpy_arrays_within_the_transforms_of_engine(transform: str) -> None:
    row = ROWS["inverse"]
    weights = draw(2, 3, 3, seed=3).numpy()
    f = lambda a: np.sum(weights * np.sin(engine.solve(row.problem, a, backend="torch")["X"]))
    found = getattr(engine, transform)(f)(datum(row).numpy())
    assert type(found) is np.ndarray
    torch.testing.assert_close(torch.from_numpy(found), torch.func.grad(scalar(row))(datum(row)))


def test_a_second_derivative_by_a_numpy_array_is_refused() -> None:
    f = lambda a: np.sum(engine.solve(INVERSE, a, backend="torch")["X"])
    with pytest.raises(engine.errors.ArgumentError, match=r"torch\.from_numpy"):
        engine.hessian(f)(np.eye(2))


def _compiled(solve: Callable[[Tensor], Any], x: Tensor) -> Any:
    return torch.compile(solve, fullgraph=True, backend="eager")(x)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a solver": (
        lambda: _compiled(lambda a: engine.solve(INVERSE, a, solver=GAUSS_NEWTON)["X"], draw(2, 2)),
        "Problem(solver=...)",
    ),
    "a history": (lambda: _compiled(lambda a: engine.solve(INVERSE, a, history=True)["X"], draw(2, 2)), "outside"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_graph_refuses_by_name(name: str) -> None:
    call, words = REFUSED[name]
    with pytest.raises(torch._dynamo.exc.Unsupported) as caught:
        call()
    error: BaseException | None = caught.value
    while error is not None and not isinstance(error, engine.errors.ArgumentError):
        error = error.__cause__ or error.__context__
    assert words in str(error)


def test_covariances_of_tracked_fits() -> None:
    row = plain()["noisy fit"]
    tracked, bare = row.solve(NOISY.clone().requires_grad_()), row.solve(NOISY)
    torch.testing.assert_close(tracked.stderr().detach(), bare.stderr())

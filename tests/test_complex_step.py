"""The reference backend: complex-step derivatives against closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import einops
import numpy as np
import pytest

from backends.numpy import BACKEND as B
from backends.numpy.lane_array import LaneArray
from engine.errors import TraceError
from tests.points import I3, INV, SPD, M, P, V, W, xp

pytestmark = pytest.mark.filterwarnings("error")

LOWER = 2 * np.tril(np.linalg.inv(SPD)) - np.diag(np.diag(np.linalg.inv(SPD)))
"""The gradient of log det of a symmetric matrix in its lower triangle: an entry counts for both of its places."""

# name: (scalar function, point, gradient)
TABLE: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "sum of squares": (lambda x: xp(x).sum(x * x), V, 2 * V),
    "abs": (lambda x: xp(x).sum(xp(x).abs(x)), V, np.sign(V)),
    "fabs": (lambda x: np.sum(np.fabs(x) ** 3), V, 3 * V * np.abs(V)),
    "maximum": (lambda x: xp(x).sum(xp(x).maximum(x, 0.5 * x + 0.2)), V, np.where(V > 0.4, 1.0, 0.5)),
    "minimum": (lambda x: xp(x).sum(xp(x).minimum(x, 0 * x)), V, np.where(V < 0, 1.0, 0.0)),
    "where": (lambda x: xp(x).sum(xp(x).where(x > 0, x**2, -x)), V, np.where(V > 0, 2 * V, -1.0)),
    "clip": (lambda x: xp(x).sum(x * xp(x).clip(x, -0.5, 1.0)), V, [0.6, -0.5, 1.0, 1.1]),
    "max": (lambda x: xp(x).max(x**2), V, [0.0, 0.0, 3.8, 0.0]),
    "min": (lambda x: x.min() ** 2, V, [0.0, -1.4, 0.0, 0.0]),
    "sort": (lambda x: xp(x).sum(xp(x).sort(x) * xp(x).asarray([1.0, 2, 3, 4])), V, [2.0, 1.0, 4.0, 3.0]),
    "argmax as index": (lambda x: x[xp(x).argmax(x)] ** 2, V, [0.0, 0.0, 3.8, 0.0]),
    "mean": (lambda x: x.mean() ** 2, V, np.full(4, V.mean() / 2)),
    "variance": (lambda x: xp(x).var(x), V, (V - V.mean()) / 2),
    "standard deviation": (lambda x: xp(x).std(x, correction=1), V, (V - V.mean()) / 3 / V.std(ddof=1)),
    "product": (lambda x: xp(x).prod(x), V, V.prod() / V),
    "power": (lambda x: xp(x).sum(x**2.5), P, 2.5 * P**1.5),
    "number to a power": (lambda x: xp(x).sum(2**x), V, np.log(2) * 2**V),
    "negative base": (lambda x: xp(x).sum(x**3), V, 3 * V**2),
    "power of itself": (lambda x: xp(x).sum(x**x), P, P**P * (np.log(P) + 1)),
    "sine of cosine": (lambda x: xp(x).sum(xp(x).sin(xp(x).cos(x))), V, -np.cos(np.cos(V)) * np.sin(V)),
    "tangent": (lambda x: xp(x).sum(xp(x).tan(x)), V, 1 / np.cos(V) ** 2),
    "hyperbolic tangent": (lambda x: xp(x).sum(xp(x).tanh(x)), V, 1 / np.cosh(V) ** 2),
    "hyperbolic": (lambda x: xp(x).sum(xp(x).sinh(x) * xp(x).cosh(x)), V, np.cosh(2 * V)),
    "inverse trigonometric": (
        lambda x: xp(x).sum(xp(x).asin(x / 2) + xp(x).atan(x)),
        V,
        1 / np.sqrt(4 - V**2) + 1 / (1 + V**2),
    ),
    "inverse cosine": (lambda x: xp(x).sum(xp(x).acos(x / 2)), V, -1 / np.sqrt(4 - V**2)),
    "inverse hyperbolic": (
        lambda x: xp(x).sum(xp(x).asinh(x) + xp(x).atanh(x / 3)),
        V,
        1 / np.sqrt(1 + V**2) + 3 / (9 - V**2),
    ),
    "acosh": (lambda x: xp(x).sum(xp(x).acosh(x + 1)), P, 1 / np.sqrt(P * (P + 2))),
    "logarithms": (
        lambda x: xp(x).sum(xp(x).log(x) + xp(x).log2(x) + xp(x).log10(x) + xp(x).log1p(x)),
        P,
        (1 + 1 / np.log(2) + 1 / np.log(10)) / P + 1 / (1 + P),
    ),
    "exponentials": (lambda x: xp(x).sum(xp(x).exp(x) * xp(x).expm1(x)), V, 2 * np.exp(2 * V) - np.exp(V)),
    "square and cube root": (lambda x: np.sum(np.sqrt(x) + np.cbrt(x)), P, 0.5 / np.sqrt(P) + P ** (-2 / 3) / 3),
    "atan2": (lambda x: xp(x).sum(xp(x).atan2(x, x**2)), P, -1 / (1 + P**2)),
    "hypot": (lambda x: xp(x).sum(xp(x).hypot(x, xp(x).asarray(2.0))), V, V / np.hypot(V, 2)),
    "logaddexp": (lambda x: xp(x).sum(xp(x).logaddexp(x, 0 * x)), V, 1 / (1 + np.exp(-V))),
    "floor and sign": (lambda x: xp(x).sum(x * xp(x).floor(x) * xp(x).sign(x)), V, np.floor(V) * np.sign(V)),
    "remainder": (lambda x: xp(x).sum((x % 0.5) ** 2), V, 2 * (V % 0.5)),
    "cumulative sum": (lambda x: xp(x).sum(xp(x).cumulative_sum(x) ** 2), V, 2 * np.cumsum(np.cumsum(V)[::-1])[::-1]),
    "vecdot": (lambda x: xp(x).vecdot(x, x) + xp(x).linalg.vecdot(x, x), V, 4 * V),
    "vdot and dot": (lambda x: np.vdot(x, x) + x.dot(x), V, 4 * V),
    "vector norm": (lambda x: xp(x).linalg.vector_norm(x), V, V / np.linalg.norm(V)),
    "one and infinity norm": (
        lambda x: np.linalg.norm(x, 1) + xp(x).linalg.vector_norm(x, ord=np.inf),
        V,
        np.sign(V) + np.eye(4)[2],
    ),
    "stack and concat": (
        lambda x: xp(x).sum(xp(x).stack([x[0], x[3]]) ** 2) + xp(x).concat([x, x])[5],
        V,
        [2 * V[0], 1.0, 0.0, 2 * V[3]],
    ),
    "own zeros_like": (lambda x: _filled(x), V, [0.0, 2 * V[1], 0.0, 0.0]),
    "clip between its own": (lambda x: xp(x).sum(xp(x).clip(xp(x).asarray(9.0), x[3], max=x[2])), V, np.eye(4)[2]),
    "iteration": (lambda x: sum(abs(a) for a in x), V, np.sign(V)),
    "Frobenius norm": (lambda x: xp(x).linalg.matrix_norm(x), M, M / np.linalg.norm(M)),
    "column norm": (lambda x: np.linalg.norm(x, 1), np.diag([1.0, 5, 2]), np.outer([0, 1, 0], [0, 1, 0])),
    "inverse": (lambda x: xp(x).sum(xp(x).linalg.inv(x) * W), M, -(INV @ W.T @ INV).T),
    "solve": (
        lambda x: xp(x).sum(xp(x).linalg.solve(x, xp(x).asarray(W))),
        M,
        -np.outer(INV.T @ np.ones(3), (INV @ W).sum(1)),
    ),
    "determinant": (lambda x: xp(x).linalg.det(x), M, np.linalg.det(M) * INV.T),
    "log determinant": (lambda x: xp(x).linalg.slogdet(x).logabsdet, M, INV.T),
    "cholesky": (lambda x: 2 * xp(x).sum(xp(x).log(xp(x).linalg.diagonal(xp(x).linalg.cholesky(x)))), SPD, LOWER),
    "matrix power": (lambda x: xp(x).linalg.trace(np.linalg.matrix_power(x, 3)), M, 3 * (M @ M).T),
    "einsum": (lambda x: np.einsum("ij,ik,jk->", x, x, W), M, M @ (W + W.T)),
    "einops": (lambda x: einops.reduce(einops.rearrange(x, "i j -> (j i)") ** 2, "a ->", "sum"), M, 2 * M),
    "einops max": (lambda x: einops.reduce(einops.einsum(x, x, "i j, i j -> i j"), "i j -> ", "mean"), M, 2 * M / 9),
    "trace of a product": (lambda x: xp(x).linalg.trace(x @ xp(x).matrix_transpose(x)), M, 2 * M),
    "transposes": (lambda x: xp(x).sum(x.T * x.mT * xp(x).permute_dims(x, (1, 0))), M, 3 * M**2),
    "real and imaginary part": (lambda x: xp(x).sum(x.real * x.conj() + x.imag), V, 2 * V),
    "astype": (lambda x: xp(x).sum(xp(x).astype(x, xp(x).float32) * xp(x).astype(x, x.dtype)), V, 2 * V),
    "eye of its dtype": (lambda x: xp(x).sum((x - xp(x).eye(3, dtype=x.dtype)) ** 2), M, 2 * (M - I3)),
    "asarray of itself": (lambda x: xp(x).sum(xp(x).abs(xp(x).asarray(x))), V, np.sign(V)),
    "asarray of elements": (lambda x: xp(x).sum(xp(x).abs(xp(x).asarray([x[0], x[1], 2.0]))), V, [1.0, -1, 0, 0]),
    "in place on its own": (lambda x: _doubled(x), V, 8 * V),
}


def _filled(x: Any) -> Any:
    y = xp(x).zeros_like(x)
    y[1] = x[1]
    return (y * y).sum()


def _doubled(x: Any) -> Any:
    y = x * 1.0
    y += x
    y[0] = 2 * x[0]
    return (y * y).sum()


@pytest.mark.parametrize("name", TABLE)
def test_the_gradient_is_the_closed_form(name: str) -> None:
    f, x, expected = TABLE[name]
    value, found = B.value_and_grad(f)(x)
    assert type(found) is np.ndarray and found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert type(value) is np.ndarray and value.shape == ()
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(value, np.asarray(f(x.view(LaneArray))))


@pytest.mark.parametrize("name", TABLE)
def test_the_four_first_derivatives_agree(name: str) -> None:
    f, x, expected = TABLE[name]
    t = np.cos(np.arange(x.size)).reshape(x.shape)
    np.testing.assert_array_equal(B.jacfwd(f)(x), B.jacrev(f)(x))
    np.testing.assert_allclose(B.jacfwd(f)(x), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(B.jvp(f, (x,), (t,))[1], np.sum(t * np.asarray(expected)), rtol=1e-11, atol=1e-12)
    (pulled,) = B.vjp(f, x)[1](2.0)
    np.testing.assert_allclose(pulled, 2 * np.asarray(expected), rtol=1e-12, atol=1e-12)


def test_products_are_exact() -> None:
    found = B.grad(lambda x, y: x * y**5, argnums=(0, 1))(3.0, 7.0)
    assert [float(a) for a in found] == [16807.0, 36015.0]


def test_jacobians_have_output_then_input_axes() -> None:
    jacobian = B.jacfwd(lambda x: x @ W)(M)
    assert jacobian.shape == (3, 3, 3, 3)
    np.testing.assert_allclose(jacobian, np.einsum("ia,bj->ijab", I3, W), atol=1e-15)


def test_arguments_and_outputs_may_be_trees() -> None:
    def f(p: Any, data: Any) -> Any:
        return {"r": p["a"] * data["x"] + p["b"][0], "s": (p["a"] ** 2,)}

    p, data = {"a": 2.0, "b": [np.float64(3.0)]}, {"x": V}
    jacobian = B.jacrev(f)(p, data)
    np.testing.assert_array_equal(jacobian["r"]["a"], V)
    np.testing.assert_array_equal(jacobian["r"]["b"][0], np.ones(4))
    assert jacobian["s"][0]["a"] == 4.0
    value, tangent = B.jvp(lambda q: f(q, data), (p,), ({"a": 1.0, "b": [0.0]},))
    np.testing.assert_array_equal(value["r"], 2 * V + 3)
    np.testing.assert_array_equal(tangent["r"], V)
    _, pullback = B.vjp(lambda q: f(q, data), p)
    (back,) = pullback({"r": np.ones(4), "s": (0.5,)})
    assert back["a"] == pytest.approx(V.sum() + 2.0) and back["b"][0] == 4.0


def test_aux_comes_from_the_plain_evaluation() -> None:
    def f(x: Any) -> Any:
        return (x**2).sum(), {"seen": x, "word": "yes"}

    gradient, aux = B.grad(f, has_aux=True)(V)
    np.testing.assert_array_equal(gradient, 2 * V)
    assert type(aux["seen"]) is np.ndarray and aux["word"] == "yes"
    (value, aux), gradient = B.value_and_grad(f, has_aux=True)(V)
    assert value == (V**2).sum() and aux["word"] == "yes"
    assert B.jvp(f, (V,), (V,), has_aux=True)[2]["word"] == "yes"
    assert B.vjp(f, V, has_aux=True)[2]["word"] == "yes"
    assert B.jacfwd(f, has_aux=True)(V)[1]["word"] == "yes"
    hessian, aux = B.hessian(f, has_aux=True)(V)
    np.testing.assert_allclose(hessian, 2 * np.eye(4), atol=1e-13)
    assert aux["word"] == "yes"


SECOND: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "log": (np.log, lambda x: -1 / x**2),
    "sqrt": (np.sqrt, lambda x: -0.25 * x**-1.5),
    "exp": (np.exp, np.exp),
    "sin": (np.sin, lambda x: -np.sin(x)),
    "tanh": (np.tanh, lambda x: -2 * np.tanh(x) / np.cosh(x) ** 2),
    "reciprocal": (lambda x: 1 / x, lambda x: 2 / x**3),
    "power": (lambda x: x**2.5, lambda x: 3.75 * x**0.5),
    "abs": (lambda x: np.abs(x) ** 3, lambda x: 6 * np.abs(x)),
    "linear": (lambda x: 3 * x, lambda x: 0 * x),
}


@pytest.mark.parametrize("x", [0.1, 0.37, 1.0, 4.2, 10.0])
@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_are_good_to_twelve_digits(name: str, x: float) -> None:
    f, second = SECOND[name]
    np.testing.assert_allclose(B.grad(B.grad(f))(x), second(x), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(B.hessian(f)(np.array(x)), second(x), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(B.jvp(B.grad(f), (x,), (2.0,))[1], 2 * second(x), rtol=1e-12, atol=1e-15)


def test_second_derivatives_near_a_pole_or_a_kink_shrink_the_step() -> None:
    np.testing.assert_allclose(B.hessian(np.log)(np.array(1e-5)), -1e10, rtol=1e-10)
    np.testing.assert_allclose(B.hessian(lambda x: np.abs(x - 1) ** 3)(np.array(1.0005)), 0.003, rtol=1e-9)
    np.testing.assert_allclose(B.hessian(np.exp)(np.array(-30.0)), np.exp(-30.0), rtol=1e-9)


def test_the_hessian_is_the_closed_form() -> None:
    f = lambda x: np.log(np.sum(np.exp(x)))
    p = np.exp(V) / np.exp(V).sum()
    np.testing.assert_allclose(B.hessian(f)(V), np.diag(p) - np.outer(p, p), rtol=1e-12, atol=1e-15)
    g = lambda x: xp(x).linalg.slogdet(x).logabsdet
    np.testing.assert_allclose(B.hessian(g)(M), -np.einsum("li,jk->ijkl", INV, INV), rtol=1e-12, atol=1e-12)
    h = lambda x: xp(x).linalg.det(x)
    expected = np.linalg.det(M) * (np.einsum("ji,lk->ijkl", INV, INV) - np.einsum("li,jk->ijkl", INV, INV))
    np.testing.assert_allclose(B.hessian(h)(M), expected, atol=1e-9)


def test_third_derivatives_nest_once_more() -> None:
    third = B.grad(B.grad(B.grad(lambda x: np.sin(x) * x)))(0.8)
    np.testing.assert_allclose(third, -3 * np.sin(0.8) - 0.8 * np.cos(0.8), rtol=1e-9)


def test_a_vjp_inside_a_derivative_is_differentiated() -> None:
    def f(x: Any, ct: Any) -> Any:
        value, pullback = B.vjp(lambda y: y**3, x)
        return (pullback(ct)[0] + value).sum()

    np.testing.assert_allclose(B.grad(f)(V, V), 6 * V * V + 3 * V**2, rtol=1e-12)
    np.testing.assert_allclose(B.grad(f, argnums=1)(V, V), 3 * V**2, rtol=1e-12)


def test_an_inner_function_that_closes_over_an_outer_variable_is_refused() -> None:
    f = lambda x: x * B.grad(lambda y: x + y)(1.0)
    with pytest.raises(TraceError, match="pass it as an argument"):
        B.grad(f)(1.0)
    good = lambda x: x * B.grad(lambda y, x: x * y)(1.0, x)
    np.testing.assert_allclose(B.grad(good)(3.0), 6.0, rtol=1e-12)

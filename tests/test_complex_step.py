"""The reference backend: complex-step derivatives against closed forms, refusals, and lanes that never raise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import einops
import numpy as np
import pytest
from array_api_compat import array_namespace

from backends.base import RUNNING, Program, Run
from backends.numpy import BACKEND as B
from backends.numpy.complex_step import Perturbed
from backends.numpy.lane_array import LaneArray
from engine.errors import TraceError

pytestmark = pytest.mark.filterwarnings("error")

RNG = np.random.default_rng(7)
V = np.array([0.3, -0.7, 1.9, 0.55])
P = np.array([0.2, 0.7, 1.9, 5.5])
M, W = RNG.standard_normal((3, 3)) + 3 * np.eye(3), RNG.standard_normal((3, 3))
SPD = M @ M.T
INV = np.linalg.inv(M)
I3 = np.eye(3)
LOWER = 2 * np.tril(np.linalg.inv(SPD)) - np.diag(np.diag(np.linalg.inv(SPD)))
"""The gradient of log det of a symmetric matrix in its lower triangle: an entry counts for both of its places."""


def xp(a: Any) -> Any:
    return array_namespace(a)


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


GUARDED: dict[str, tuple[Callable[[Any], Any], float]] = {
    "sqrt": (np.sqrt, -1.0),
    "log": (np.log, -1.0),
    "log2": (np.log2, -1.0),
    "log10": (np.log10, -1.0),
    "log1p": (np.log1p, -2.0),
    "arcsin": (np.arcsin, 1.5),
    "arccos": (np.arccos, -1.5),
    "arctanh": (np.arctanh, 2.0),
    "arccosh": (np.arccosh, 0.5),
    "power": (lambda x: x**0.5, -2.0),
}


@pytest.mark.parametrize("name", GUARDED)
def test_outside_the_real_domain_value_and_gradient_are_nan(name: str) -> None:
    f, x = GUARDED[name]
    value, gradient = B.value_and_grad(f)(x)
    assert np.isnan(value) and np.isnan(gradient)


def test_an_infinite_slope_stays_with_its_own_entry() -> None:
    np.testing.assert_array_equal(B.grad(lambda x: np.sum(np.sqrt(x)))(np.array([0.0, 4.0])), [np.inf, 0.25])


def test_ties_share_the_derivative_as_in_torch() -> None:
    torch = pytest.importorskip("torch")
    x = np.array([2.0, 2.0, 1.0])
    for ours, theirs in (
        (lambda a: a.max(), torch.amax),
        (lambda a: np.maximum(a, 2.0).sum(), lambda a: torch.maximum(a, torch.full_like(a, 2.0)).sum()),
        (lambda a: np.abs(a - 2).sum(), lambda a: (a - 2).abs().sum()),
        (lambda a: np.clip(a, 1.0, 2.0).sum(), lambda a: a.clip(1.0, 2.0).sum()),
        (lambda a: np.linalg.norm(a - a), lambda a: torch.linalg.norm(a - a)),
    ):
        np.testing.assert_array_equal(B.grad(ours)(x), torch.func.grad(theirs)(torch.tensor(x)).numpy())


UNTRACEABLE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "eigh": (lambda x: xp(x).linalg.eigh(x).eigenvalues.sum(), r"np\.linalg\.eigh .*backend='torch'"),
    "svd": (lambda x: np.linalg.svd(x)[1].sum(), r"np\.linalg\.svd .*solve, inv"),
    "qr": (lambda x: xp(x).linalg.qr(x)[1].sum(), r"np\.linalg\.qr"),
    "pinv": (lambda x: np.linalg.pinv(x).sum(), r"np\.linalg\.pinv"),
    "lstsq": (lambda x: np.linalg.lstsq(x, x[0])[0].sum(), r"np\.linalg\.lstsq"),
    "spectral norm": (lambda x: np.linalg.norm(x, 2), "ord=2"),
    "median": (lambda x: np.median(x), r"np\.median"),
    "fft": (lambda x: np.abs(np.fft.fft(x)).sum(), r"np\.fft\.\w*fft"),
    "a ufunc without a rule": (lambda x: np.spacing(x).sum(), r"np\.spacing"),
    "float": (lambda x: float(x[0, 0]), "float"),
    "item": (lambda x: x[0, 0].item(), "item"),
    "int": (lambda x: int(x[0, 0]) * x.sum(), "int"),
    "assignment into plain zeros": (lambda x: _assigned(x), "float|stack"),
    "assignment of a row": (lambda x: _assigned_row(x), "float|stack"),
    "in place on a plain array": (lambda x: _added(x), "in place"),
    "np.asarray": (lambda x: np.abs(np.asarray(x)).sum(), "np.asarray"),
    "np.array of elements": (lambda x: np.abs(np.array([x[0, 0], x[1, 1]])).sum(), "np.array"),
    "np.array of mixed elements": (lambda x: np.exp(np.array([x[0, 0], 1.0])).sum(), "np.array"),
    "the dot method of a plain array": (lambda x: np.ones((3, 3)).dot(x).sum(), "stack"),
    "math": (lambda x: __import__("math").exp(x[0, 0]), "float"),
    "complex numbers": (lambda x: np.abs(x * 1j).sum(), "complex"),
}


def _assigned(x: Any) -> Any:
    y = xp(x).zeros((3, 3))
    y[0, 0] = x[0, 0]
    return y.sum()


def _assigned_row(x: Any) -> Any:
    y = xp(x).zeros((3, 3), dtype=x.dtype)
    y[0] = x[0]
    return y.sum()


def _added(x: Any) -> Any:
    y = xp(x).zeros((3, 3))
    y += x
    return y.sum()


@pytest.mark.parametrize("name", UNTRACEABLE)
def test_what_would_drop_a_derivative_is_refused_by_name(name: str) -> None:
    f, words = UNTRACEABLE[name]
    with pytest.raises(TraceError, match=words):
        B.grad(f)(M)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(TypeError, match=r"grad: .* int"):
        B.grad(lambda x: x * 2.0)(3)
    with pytest.raises(TypeError, match="int64"):
        B.jacfwd(lambda x: x * 2.0)(np.arange(3))
    with pytest.raises(TypeError, match=r"shape \(4,\).*jacrev"):
        B.grad(lambda x: x)(V)
    with pytest.raises(ValueError, match="argnums"):
        B.grad(lambda x: x, argnums=1)(1.0)
    with pytest.raises(ValueError, match=r"shape \(3,\); expected \(4,\)"):
        B.jvp(lambda x: x, (V,), (V[:3],))


SINGULAR = {"singular": np.ones((3, 3)), "NaN": np.full((3, 3), np.nan), "infinite": np.diag([1.0, np.inf, 1.0])}
LINALG: dict[str, Callable[[Any], Any]] = {
    "inv": lambda x: xp(x).linalg.inv(x),
    "np.linalg.inv": np.linalg.inv,
    "solve": lambda x: xp(x).linalg.solve(x, xp(x).ones((3, 2))),
    "solve a vector": lambda x: xp(x).linalg.solve(x, x[0]),
    "cholesky": lambda x: xp(x).linalg.cholesky(-x),
}


@pytest.mark.parametrize("matrix", SINGULAR)
@pytest.mark.parametrize("name", LINALG)
def test_linear_algebra_of_a_singular_matrix_is_nan_and_never_raises(name: str, matrix: str) -> None:
    f, x = LINALG[name], SINGULAR[matrix]
    value, pullback = B.vjp(f, x)
    assert value.shape == ((3, 2) if name == "solve" else (3,) if name == "solve a vector" else (3, 3))
    assert np.isnan(value).all()
    assert np.isnan(pullback(np.ones_like(value))[0]).any()
    assert np.isnan(B.jacfwd(lambda a: f(a).sum())(x)).any()


FACTORED: dict[str, tuple[Callable[[Any], Any], list[tuple[int, ...]]]] = {
    "eigh": (lambda x: list(xp(x).linalg.eigh(x)), [(3,), (3, 3)]),
    "svd": (lambda x: list(xp(x).linalg.svd(x, full_matrices=False)), [(3, 3), (3,), (3, 3)]),
    "svdvals": (lambda x: [xp(x).linalg.svdvals(x)], [(3,)]),
    "qr": (lambda x: list(xp(x).linalg.qr(x)), [(3, 3), (3, 3)]),
    "lstsq": (lambda x: [np.linalg.lstsq(x, x[0])[0]], [(3,)]),
    "pinv": (lambda x: [xp(x).linalg.pinv(x)], [(3, 3)]),
    "eigvalsh": (lambda x: [xp(x).linalg.eigvalsh(x)], [(3,)]),
    "det": (lambda x: [xp(x).linalg.det(x)], [()]),
    "spectral norm": (lambda x: [xp(x).linalg.matrix_norm(x, ord=2)], [()]),
}


@pytest.mark.parametrize("name", FACTORED)
def test_factorisations_of_nan_are_nan_of_the_right_shape(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    f, shapes = FACTORED[name]
    found = B.vmap(f)(np.stack([np.full((3, 3), np.nan), SPD]))
    for array, shape in zip(found, shapes, strict=True):
        assert array.shape == (2, *shape)
        assert np.isnan(array[0]).all() and np.isfinite(array[1]).all()
    assert capfd.readouterr().err == ""


def test_wrong_shapes_still_raise() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        B.vmap(lambda x: xp(x).linalg.inv(x))(np.ones((2, 3, 2)))


def test_array_api_compat_is_itself_for_others() -> None:
    compat: Any = array_namespace(M)

    with pytest.raises(np.linalg.LinAlgError):
        compat.linalg.solve(np.ones((2, 2)), np.ones(2))
    np.testing.assert_allclose(compat.linalg.solve(M, M), I3, atol=1e-12)
    assert compat.asarray([1, 2]).dtype.kind == "i" and compat.linalg.trace(M) == np.trace(M)
    np.testing.assert_array_equal(compat.clip(V, 0.0, 1.0), np.clip(V, 0, 1))


def test_no_floating_point_warning_surfaces() -> None:
    def f(x: Any) -> Any:
        a = xp(x)
        return a.mean(x[:0]) + a.std(x[:1], correction=1) + a.exp(1e4 * x[0]) + a.log(x[1] - x[1]) / a.sum(x * 0)

    value, gradient = B.value_and_grad(f)(np.array([1.0, 2.0]))
    assert np.isnan(value) and np.isnan(gradient).any()
    assert np.isnan(B.vmap(lambda x: np.median(x[:0]))(np.ones((2, 3)))).all()


def test_float32_values_are_float32_and_derivatives_are_cast_back() -> None:
    x = P.astype(np.float32)
    value, gradient = B.value_and_grad(lambda x: xp(x).sum(xp(x).log(x) ** 2))(x)
    assert value.dtype == gradient.dtype == np.float32
    wide = x.astype(np.float64)
    np.testing.assert_array_equal(gradient, (2 * np.log(wide) / wide).astype(np.float32))
    np.testing.assert_array_equal(value, np.sum(np.log(x) ** 2))
    assert B.jacfwd(lambda x: x**2)(x).dtype == np.float32
    assert B.hessian(lambda x: (x**3).sum())(x).dtype == np.float32
    assert [a.dtype for a in B.jvp(lambda x: x**2, (x,), (x,))] == [np.float32, np.float32]


def test_branches_and_sizes_follow_the_real_part() -> None:
    def f(x: Any) -> Any:
        return (x**2 if x[0] > 0 and x.any() else -x).sum()

    np.testing.assert_array_equal(B.grad(f)(V), 2 * V)
    np.testing.assert_array_equal(B.grad(lambda x: f(-x))(V), np.ones(4))


def test_vmap_maps_the_axes_it_is_told() -> None:
    a, b = RNG.standard_normal((5, 2, 3)), RNG.standard_normal((3, 5))
    product = B.vmap(lambda a, b: a @ b, in_axes=(0, 1))(a, b)
    np.testing.assert_allclose(product, np.einsum("kij,jk->ki", a, b))
    np.testing.assert_array_equal(B.vmap(lambda a, b: a @ b, in_axes=(0, -1), out_axes=1)(a, b), product.T)
    shared = B.vmap(lambda a, b: a @ b[:, 0], in_axes=(0, None))(a, b)
    np.testing.assert_allclose(shared, a @ b[:, 0])
    tree = B.vmap(
        lambda p, s: {"sum": p["a"] + p["b"], "s": s},
        in_axes=({"a": 0, "b": None}, None),
        out_axes={"sum": 1, "s": None},
    )
    found = tree({"a": a[:, 0], "b": b[:, 0]}, 2.0)
    np.testing.assert_array_equal(found["sum"], (a[:, 0] + b[:, 0]).T)
    assert found["s"] == 2.0 and type(found["sum"]) is np.ndarray
    assert B.vmap(lambda a: a @ a.T)(a[:0]).shape == (0, 2, 2)


def test_vmap_and_derivatives_nest() -> None:
    a = RNG.standard_normal((5, 3))
    loss = lambda x: (x**3).sum()
    np.testing.assert_allclose(B.vmap(B.grad(loss))(a), 3 * a**2, rtol=1e-14)
    np.testing.assert_allclose(B.grad(lambda a: B.vmap(loss)(a).sum())(a), 3 * a**2, rtol=1e-14)
    np.testing.assert_allclose(B.vmap(B.hessian(loss))(a)[2], np.diag(6 * a[2]), rtol=1e-12, atol=1e-14)


def test_vmap_names_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="different sizes"):
        B.vmap(lambda a, b: a)(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="no axis"):
        B.vmap(lambda a: a)(1.0)
    with pytest.raises(ValueError, match="in_axes"):
        B.vmap(lambda a: a, in_axes=(0, 0))(np.ones(2))


def test_declared_functions_see_lanes_and_users_do_not() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append((type(x), x.dtype, type(x[0])))
        return (x**2).sum()

    B.grad(f)(V)
    assert seen[0] == (LaneArray, np.float64, LaneArray)
    assert seen[1] == (Perturbed, np.float64, Perturbed)


def test_arrays_come_in_and_go_out() -> None:
    torch = pytest.importorskip("torch")
    assert B.load([1, 2], "float32").dtype == np.float32
    tensor = torch.ones(2, 3)
    loaded = B.load(tensor)
    assert isinstance(loaded, np.ndarray) and loaded.shape == (2, 3)
    assert B.load(V) is V and B.unload(V, "numpy") is V
    assert torch.equal(B.unload(M.T, "torch"), torch.tensor(M.T))
    assert B.unload(np.array(1.0), "torch").shape == ()

    class Remote:
        device = torch.device("cuda", 0)

    with pytest.raises(ValueError, match="cuda:0; nothing moves to the host silently"):
        B.load(Remote())


def _halving(fault: float = np.inf) -> Program:
    """x halves until it is below tol; the loss is x."""

    def code(value: int) -> Any:
        return np.asarray(value, np.int8)

    def step(inputs: Any, state: Any) -> Any:
        loss = np.where(state["steps"] + 1 > fault * inputs["bad"], np.nan, state["x"])
        fine = np.isfinite(loss) & (state["status"] == RUNNING)
        return {
            "x": np.where(fine, state["x"] / 2, state["x"]),
            "loss": loss,
            "steps": np.where(fine, state["steps"] + 1, state["steps"]),
            "status": np.where(np.isfinite(loss), state["status"], code(5)),
        }

    def check(inputs: Any, state: Any) -> Any:
        status = np.where(state["steps"] >= inputs["max_steps"], code(2), code(RUNNING))
        status = np.where(state["x"] <= inputs["tol"], code(0), status)
        return state | {"status": np.where(state["status"] == RUNNING, status, state["status"])}

    return Program(
        init=lambda inputs: {"x": inputs["x"], "loss": inputs["x"], "steps": np.asarray(0), "status": code(RUNNING)},
        step=step,
        terminate=check,
        postprocess=lambda inputs, state: {"params": {"x": state["x"]}, "status": state["status"], "steps": state["steps"]},
        every=4,
    )


def _inputs(x: list[float], bad: list[float], max_steps: int) -> dict[str, Any]:
    shared = {"tol": np.asarray(1.0), "max_steps": np.asarray(max_steps)}
    return {"x": np.array(x), "bad": np.array(bad), **shared}


SHARED = frozenset({"tol", "max_steps"})


def _prepared(program: Program) -> Any:
    one = {name: a[0] if a.ndim else a for name, a in _inputs([3.0], [1.0], 100).items()}
    return B.prepare(program, one)


def test_every_lane_runs_until_it_is_done() -> None:
    done: list[int] = []
    run = Run(3, SHARED, 100, history=1, progress=done.append)
    outcome = _prepared(_halving()).iterate(_inputs([16.0, 0.5, 1024.0], [1.0] * 3, 100), run)
    np.testing.assert_array_equal(outcome.results["params"]["x"], [1.0, 0.5, 0.25])
    np.testing.assert_array_equal(outcome.results["status"], [0, 0, 0])
    assert outcome.lane_steps == 4 + 0 + 12 and done == [1, 2, 3]
    assert outcome.history.shape == (3, 12)
    np.testing.assert_array_equal(outcome.history[0, :5], [16.0, 8.0, 4.0, 2.0, np.nan])
    assert np.isnan(outcome.history[1]).all() and np.isfinite(outcome.history[2]).all()


def test_the_history_keeps_every_kth_loss_and_ends_at_a_fault() -> None:
    executable = _prepared(_halving(fault=3))
    outcome = executable.iterate(_inputs([1024.0, 1024.0], [1.0, np.inf], 100), Run(2, SHARED, 100, history=2))
    np.testing.assert_array_equal(outcome.results["steps"], [3, 12])
    np.testing.assert_array_equal(outcome.results["status"], [5, 0])
    assert outcome.history.shape == (2, 6)
    np.testing.assert_array_equal(outcome.history[0], [1024.0, 256.0, *[np.nan] * 4])


def test_no_step_goes_beyond_the_limit() -> None:
    outcome = _prepared(_halving()).iterate(_inputs([1e9], [1.0], 6), Run(1, SHARED, 6))
    assert outcome.lane_steps == 6 and outcome.results["status"] == [2] and outcome.history is None


def test_no_lanes_give_empty_results() -> None:
    outcome = _prepared(_halving()).iterate(_inputs([], [], 100), Run(0, SHARED, 100, history=1))
    assert outcome.results["params"]["x"].shape == (0,) and outcome.results["status"].dtype == np.int8
    assert outcome.history.shape == (0, 0) and outcome.lane_steps == 0


def test_randomness_is_refused() -> None:
    program = _halving()
    random = dataclasses.replace(program, init=lambda i: program.init(i) | {"x": i["x"] + np.random.rand()})
    with pytest.raises(TraceError, match="random"):
        _prepared(random)

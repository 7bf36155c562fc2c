"""Transforms against closed forms, on both backends, and against JAX where it is installed; the posts' derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import engine

X = np.array([0.3, 0.9, 1.7, 2.6])
S = 1 / (1 + np.exp(-X))
SOFT = np.exp(X) / np.exp(X).sum()
BACKENDS: dict[str, Callable[[Any], Any]] = {"numpy": np.asarray, "torch": torch.as_tensor}


def xp(a: Any) -> Any:
    return array_namespace(a)


# name: (scalar function of a vector, its gradient at X)
TABLE: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "cube": (lambda x: xp(x).sum(x**3), 3 * X**2),
    "square root": (lambda x: xp(x).sum(xp(x).sqrt(x)), 0.5 / np.sqrt(X)),
    "exponential": (lambda x: xp(x).sum(xp(x).exp(-x)), -np.exp(-X)),
    "logarithm": (lambda x: xp(x).sum(xp(x).log(x)), 1 / X),
    "log1p": (lambda x: xp(x).sum(xp(x).log1p(x)), 1 / (1 + X)),
    "expm1": (lambda x: xp(x).sum(xp(x).expm1(x)), np.exp(X)),
    "sine": (lambda x: xp(x).sum(xp(x).sin(x)), np.cos(X)),
    "cosine": (lambda x: xp(x).sum(xp(x).cos(x)), -np.sin(X)),
    "tangent": (lambda x: xp(x).sum(xp(x).tan(x / 2)), 0.5 / np.cos(X / 2) ** 2),
    "arctangent": (lambda x: xp(x).sum(xp(x).atan(x)), 1 / (1 + X**2)),
    "arcsine": (lambda x: xp(x).sum(xp(x).asin(x / 3)), 1 / np.sqrt(9 - X**2)),
    "hyperbolic tangent": (lambda x: xp(x).sum(xp(x).tanh(x)), 1 / np.cosh(X) ** 2),
    "hyperbolic cosine": (lambda x: xp(x).sum(xp(x).cosh(x)), np.sinh(X)),
    "logistic": (lambda x: xp(x).sum(1 / (1 + xp(x).exp(-x))), S * (1 - S)),
    "reciprocal": (lambda x: xp(x).sum(1 / x), -1 / X**2),
    "absolute value": (lambda x: xp(x).sum(xp(x).abs(x - 1)), np.sign(X - 1)),
    "where": (lambda x: xp(x).sum(xp(x).where(x > 1, x * x, 3 * x)), np.where(X > 1, 2 * X, 3.0)),
    "maximum": (lambda x: xp(x).sum(xp(x).maximum(x, 2 - x)), np.where(X > 1, 1.0, -1.0)),
    "largest": (lambda x: xp(x).max(x * x), 2 * X * (X.max() == X)),
    "product": (lambda x: xp(x).prod(x), X.prod() / X),
    "log of a sum of exponentials": (lambda x: xp(x).log(xp(x).sum(xp(x).exp(x))), SOFT),
    "mean of squares": (lambda x: xp(x).mean(x * x), X / 2),
    "determinant": (lambda x: xp(x).linalg.det(xp(x).reshape(x, (2, 2))), X[::-1] * [1, -1, -1, 1]),
    "length": (lambda x: xp(x).linalg.vector_norm(x), X / np.linalg.norm(X)),
}


def host(a: Any) -> np.ndarray:
    return np.asarray(a)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", TABLE)
def test_every_derivative_is_the_closed_form(name: str, backend: str) -> None:
    f, expected = TABLE[name]
    x = BACKENDS[backend](X.copy())
    close: dict[str, Any] = dict(rtol=1e-12, atol=1e-12)
    gradient = engine.grad(f)(x)
    assert type(gradient) is type(x) and gradient.shape == x.shape and gradient.dtype == x.dtype
    np.testing.assert_allclose(host(gradient), expected, **close)
    value, again = engine.value_and_grad(f)(x)
    np.testing.assert_allclose(host(value), host(f(x)), **close)
    np.testing.assert_array_equal(host(again), host(gradient))
    np.testing.assert_allclose(host(engine.jacfwd(f)(x)), expected, **close)
    np.testing.assert_allclose(host(engine.jacrev(f)(x)), expected, **close)
    t = BACKENDS[backend](np.array([1.0, -2.0, 0.5, 3.0]))
    np.testing.assert_allclose(host(engine.jvp(f, (x,), (t,))[1]), np.dot(expected, host(t)), **close)
    pulled = engine.vjp(f, x)[1](BACKENDS[backend](np.array(2.0)))
    np.testing.assert_allclose(host(pulled[0]), 2 * np.asarray(expected), **close)


def test_the_table_has_twenty_functions() -> None:
    assert len(TABLE) >= 20


@pytest.mark.parametrize("name", TABLE)
def test_jax_says_the_same(name: str) -> None:
    jax = pytest.importorskip("jax")
    f, expected = TABLE[name]
    with jax.enable_x64(True):
        theirs = np.asarray(jax.grad(f)(jax.numpy.asarray(X)))
    np.testing.assert_allclose(theirs, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(host(engine.grad(f)(X)), theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("number", [float, np.float64, lambda v: torch.tensor(v, dtype=torch.float64), torch.tensor])
def test_the_derivative_of_a_product_is_exact(number: Any) -> None:
    z = engine.grad(lambda x, y: x * y**5, argnums=(0, 1))
    assert tuple(float(g) for g in z(number(3.0), number(7.0))) == (16807.0, 36015.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_derivative_of_sin_is_cos_by_both_routes_of_the_first_post(backend: str) -> None:
    grid = np.linspace(0, 2 * np.pi, 100)
    x = BACKENDS[backend](grid)
    y, pull = engine.vjp(lambda x: xp(x).sin(x), x)
    (first,) = pull(xp(y).ones_like(y))
    target = xp(x).zeros_like(x)
    second = engine.grad(lambda x: xp(x).sum(xp(x).sin(x) - target))(x)
    np.testing.assert_allclose(host(first), np.cos(grid), rtol=0, atol=1e-15)
    np.testing.assert_allclose(host(second), np.cos(grid), rtol=0, atol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_second_derivatives_aux_axes_and_batches_have_the_signatures_of_jax(backend: str) -> None:
    make = BACKENDS[backend]
    H = host(engine.hessian(lambda x: xp(x).sum(x**3))(make(X)))
    np.testing.assert_allclose(H, np.diag(6 * X), atol=1e-11)
    gradient, aux = engine.grad(lambda x: (xp(x).sum(x * x), {"twice": 2 * x}), has_aux=True)(make(X))
    np.testing.assert_array_equal(host(gradient), host(aux["twice"]))
    A, b = make(np.arange(24.0).reshape(2, 3, 4)), make(X)
    found = engine.vmap(lambda a, b: a @ b, in_axes=(1, None), out_axes=1)(A, b)
    np.testing.assert_allclose(host(found), host(A) @ X, rtol=1e-15)
    each = engine.vmap(engine.grad(lambda x: xp(x).sum(x**2)))(A)
    np.testing.assert_array_equal(host(each), 2 * host(A))


def test_libraries_do_not_mix_in_a_transform() -> None:
    with pytest.raises(TypeError, match=r"numpy.*torch.*one library"):
        engine.grad(lambda x, y: (x * y).sum())(X, torch.ones(4))

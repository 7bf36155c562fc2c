"""The reference backend at its limits: domains, refusals, singular matrices, dtypes; lanes never raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

from backends.numpy import BACKEND as B
from engine.errors import TraceError
from tests.points import I3, SPD, M, P, V, xp

pytestmark = pytest.mark.filterwarnings("error")

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
    "nanmedian": (lambda x: np.nanmedian(x), r"np\.nanmedian"),
    "nansum of some": (lambda x: np.nansum(x, where=np.eye(3) > 0), r"np\.nansum with where"),
    "quantile by a method": (lambda x: np.quantile(x, 0.3, method="lower"), r"np\.quantile with method"),
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

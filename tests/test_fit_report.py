"""The report of a fit against scipy.optimize.curve_fit and the formulas of lmfit, written out here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize

import engine
import problems

RNG = np.random.default_rng(5)
X = np.linspace(0, 2, 15)
SIGMA = RNG.uniform(0.5, 2.0, X.shape) * 0.05
COVARIANCE = np.diag(SIGMA**2) + 0.0004
Y = 3 * np.exp(-1.2 * X) + 0.5 + 0.05 * RNG.standard_normal((2, 3, 15))


def model(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * x) + c


def fitted(y: Any = Y, data: Any = None, **options: Any) -> engine.Solution:
    return engine.solve(problems.curve_fit(model, **options), {"x": X, "y": y, **(data or {})}, tol=1e-12, backend="numpy")


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("sigma", [None, SIGMA, COVARIANCE, "s"], ids=["none", "sigma", "covariance", "datum"])
def test_a_report_has_scipy_s_figures(sigma: Any, absolute: bool) -> None:
    named = isinstance(sigma, str)
    solution = fitted(data={"s": SIGMA} if named else None, sigma=sigma, absolute_sigma=absolute)
    theirs = SIGMA if named else sigma
    y = Y[1, 2]
    values, covariance = scipy.optimize.curve_fit(
        model, X, y, p0=[3, 1, 0.5], sigma=theirs, absolute_sigma=absolute, ftol=1e-14, xtol=1e-14
    )
    for lane in (5, -1, (1, 2), (-1, -1)):
        report = solution.report(lane)
        np.testing.assert_allclose([*report.values.values()], values, rtol=1e-6)
        np.testing.assert_allclose([*report.stderr.values()], np.sqrt(np.diag(covariance)), rtol=1e-5)
    scale = np.sqrt(np.diag(covariance))
    for (a, b), value in report.correlations.items():
        i, j = "abc".index(a), "abc".index(b)
        np.testing.assert_allclose(value, covariance[i, j] / scale[i] / scale[j], rtol=1e-5)
    assert len(report.correlations) == 3
    inverse = np.eye(15) if theirs is None else np.linalg.inv(theirs if theirs.ndim > 1 else np.diag(theirs**2))
    gap, n, p = y - model(X, *values), 15, 3
    level = (inverse.sum(0) @ y) / inverse.sum()
    chi = gap @ inverse @ gap
    np.testing.assert_allclose(report.chi_square, chi, rtol=1e-6)
    np.testing.assert_allclose(report.reduced_chi_square, chi / (n - p), rtol=1e-6)
    np.testing.assert_allclose(report.r_squared, 1 - chi / ((y - level) @ inverse @ (y - level)), rtol=1e-9)
    np.testing.assert_allclose(report.aic, n * np.log(chi / n) + 2 * p, rtol=1e-6)
    np.testing.assert_allclose(report.bic, n * np.log(chi / n) + np.log(n) * p, rtol=1e-6)


def test_masked_points_do_not_count() -> None:
    mask = np.ones(15)
    mask[[2, 7]] = 0
    y = Y[0, 0].copy()
    y[2] = np.nan
    masked = fitted(y, {"mask": mask}).report()
    on = mask > 0
    plain = engine.solve(problems.curve_fit(model), {"x": X[on], "y": y[on]}, tol=1e-12, backend="numpy").report()
    assert (masked.points, masked.variables) == (13, 3)
    for name in ("chi_square", "reduced_chi_square", "r_squared", "aic", "bic"):
        np.testing.assert_allclose(getattr(masked, name), getattr(plain, name), rtol=1e-6)
    np.testing.assert_allclose([*masked.stderr.values()], [*plain.stderr.values()], rtol=1e-5)


def test_a_fixed_param_has_no_error_and_the_others_are_those_of_the_smaller_model() -> None:
    fixed = fitted(bounds=([0, 1.2, -9], [9, 1.2, 9])).report((0, 1))
    values, covariance = scipy.optimize.curve_fit(lambda x, a, c: model(x, a, 1.2, c), X, Y[0, 1], p0=[3, 0.5])
    assert fixed.values["b"] == 1.2 and fixed.stderr["b"] == 0 and fixed.variables == 2 and fixed.fixed == {"b"}
    np.testing.assert_allclose([fixed.values["a"], fixed.values["c"]], values, rtol=1e-6)
    np.testing.assert_allclose([fixed.stderr["a"], fixed.stderr["c"]], np.sqrt(np.diag(covariance)), rtol=1e-5)
    assert list(fixed.correlations) == [("a", "c")]
    assert "b  1.2 (fixed)" in str(fixed)


def test_all_fixed_and_undetermined_fits_have_reports_too() -> None:
    none = fitted(bounds=([3, 1.2, 0.5], [3, 1.2, 0.5])).report(0)
    assert none.variables == 0 and set(none.stderr.values()) == {0.0} and none.correlations == {}
    twin = problems.curve_fit(lambda x, a, b, c: (a + b) * x + c)
    report = engine.solve(twin, {"x": X, "y": Y[0, 0]}, backend="numpy").report()
    assert np.isinf(report.stderr["a"]) and np.isfinite(report.chi_square) and "+/- inf" in str(report)


def test_the_words_and_the_refusals() -> None:
    solution = fitted()
    text = str(solution.report((1, 0)))
    assert text.startswith("curve_fit, lane (1, 0): CONVERGED after") and "C(a, b) = " in text and "reduced-chi-square" in text
    for lane in (6, -7, (2, 0), (0, 0, 0), 1.5, "a"):
        with pytest.raises(IndexError, match="lane came as"):
            solution.report(lane)
    with pytest.raises(AttributeError, match="report"):
        engine.solve(problems.inverse(), np.eye(2), backend="numpy").report()

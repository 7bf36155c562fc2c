"""The report of one fit, as lmfit's users know it: values, standard errors, correlations, and how well the model fits.

Needs NumPy; the solution of a `curve_fit` has the covariance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from backends.arrays import to_host
from engine import Solution, Status
from engine.one_lane import entry, index_of, lane_words


@dataclass(frozen=True)
class FitReport:
    """Figures of one fit of n points by p variables (params that are not fixed); printable.

    Fields:
        values, stderr: by param; 0 is the standard error of a fixed one.
        correlations: by pair of variables, the covariance over the product of the standard errors.
        chi_square: the sum of squares of (model - y) / sigma; `reduced_chi_square` over n - p.
        r_squared: 1 less chi_square over that of the best constant.
        aic, bic: n ln(chi_square / n) + 2 p, and + p ln n in its place.

    Source:
        Newville et al., lmfit, "Goodness-of-fit statistics" and "Akaike and Bayesian information criteria".
    """

    title: str
    points: int
    variables: int
    chi_square: float
    reduced_chi_square: float
    r_squared: float
    aic: float
    bic: float
    values: Mapping[str, float]
    stderr: Mapping[str, float]
    correlations: Mapping[tuple[str, str], float]
    fixed: frozenset[str]

    def __str__(self) -> str:
        named = ("points", "variables", "chi_square", "reduced_chi_square", "r_squared", "aic", "bic")
        lines = [self.title, *(f"    {name.replace('_', '-'):<20}{getattr(self, name):.6g}" for name in named)]
        width = max(map(len, self.values))
        for name, value in self.values.items():
            share = f" ({100 * self.stderr[name] / abs(value):.2f}%)" if value and math.isfinite(self.stderr[name]) else ""
            error = "(fixed)" if name in self.fixed else f"+/- {self.stderr[name]:.3g}{share}"
            lines.append(f"    {name:<{width}}  {value:.8g} {error}")
        return "\n".join([*lines, *(f"    C({a}, {b}) = {value:+.4f}" for (a, b), value in self.correlations.items())])


def fit_report(solution: Solution, fixed: frozenset[str], whitening: Any, sigma: str, lane: Any = 0) -> FitReport:
    """The report of a lane, given flat or as an index of the batch.

    Args:
        fixed: params that cannot move.
        whitening: 1 / sigma, `(n,)` or a number; a matrix `(n, n)` that makes the errors independent; None.
        sigma: the datum that has sigma, or empty.

    Raises:
        IndexError: for a lane that there is not.

    Example:
        >>> import engine, problems
        >>> x = np.arange(5.0)
        >>> line = problems.curve_fit(lambda x, a, b: a * x + b)
        >>> fit = engine.solve(line, {"x": x, "y": np.array([[1.1, 2.9, 5.2, 6.8, 9.0]])}, backend="numpy")
        >>> found = fit.report(0)
        >>> found.variables, round(found.values["a"], 3), round(found.stderr["a"], 3), round(found.r_squared, 4)
        (2, 1.97, 0.055, 0.9977)
    """
    index = index_of(solution, lane)
    data = {name: entry(array, 1, index) for name, array in solution.call.named.items() if name != "x"}
    y = data["y"].astype(float)
    on = data.get("mask", np.ones(y.shape)) != 0
    weights = 1 / data[sigma].astype(float) if sigma else 1.0 if whitening is None else to_host(whitening)
    covariance = to_host(solution.covariance())[index].astype(float)
    values = {name: float(to_host(array)[index]) for name, array in solution.params.items()}
    free = [name for name in values if name not in fixed]
    n, p, chi_square = int(on.sum()), len(free), float(to_host(solution.loss)[index]) * y.size
    errors = dict(zip(values, np.sqrt(np.diagonal(covariance)).tolist(), strict=True))
    at = {name: k for k, name in enumerate(values)}
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.log(chi_square / n) * n if n else math.nan
        return FitReport(
            title=f"curve_fit, lane {lane_words(index)}: {Status(int(to_host(solution.status)[index])).name} after "
            f"{int(to_host(solution.steps)[index])} steps",
            points=n,
            variables=p,
            chi_square=chi_square,
            reduced_chi_square=chi_square / (n - p) if n > p else math.nan,
            r_squared=float(1 - np.float64(chi_square) / _of_constant(y, weights, on)),
            aic=float(spread + 2 * p),
            bic=float(spread + p * np.log(n)) if n else math.nan,
            values=values,
            stderr=errors,
            correlations={
                (a, b): float(covariance[at[a], at[b]] / np.float64(errors[a] * errors[b])) for a, b in combinations(free, 2)
            },
            fixed=fixed,
        )


def _of_constant(y: np.ndarray, weights: Any, on: np.ndarray) -> np.float64:
    """The chi-square of the constant that fits best."""

    def whitened(values: np.ndarray) -> np.ndarray:
        values = np.where(on, values, 0.0)
        return np.asarray(np.where(on, weights @ values if np.ndim(weights) > 1 else weights * values, 0.0))

    one, of_y = whitened(np.ones(y.shape)), whitened(y)
    level = (one @ of_y) / (one @ one)
    return np.float64(((of_y - level * one) ** 2).sum())

"""Nonlinear least squares with SciPy's models, and the covariance of what was fitted.

Needs `smalllinalg` for the covariance.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from array_api_compat import device

import engine
from backends.arrays import as_array, is_array, to_host
from backends.types import Array, array_namespace
from engine import Param, Problem, Solution, smalllinalg
from engine.domains import Box, Domain, Real
from engine.errors import DeclarationError, DeclaredFunctionError
from engine.inputs import refuse_masked
from engine.portable import Kept
from engine.signatures import is_compiled, parameters, wrapping
from engine.solvers.evaluate import Evaluate
from problems.fit_plot import plot_fit
from problems.fit_report import FitReport, fit_report

Data = Mapping[str, Any]
Model = Callable[..., Any]


def curve_fit(model: Model, *, sigma: Any = None, absolute_sigma: bool = False, bounds: object = None) -> Problem:
    r"""The parameters a, b, ... with which `model(x, a, b, ...)` comes closest to y in the mean of squares.

    Data `x`, `(..., n)`, or `(..., k, n)` for a model of k variables, `y` `(..., n)`, and if given `mask` `(..., n)`:
    points where it is 0 do not count, and may hold NaN. One `x` at its own rank is shared by all lanes; x has one axis
    more than y, or leading axes that do not fit those of y, when it has k variables; where both readings fit the shapes, the
    one counts by which the model gives a number for each point. Params are the model's arguments after the first, scalars that
    start at 1, or with bounds where SciPy does; `solve(start=...)` overrides. Loss mean(((model - y) / sigma)^2) over all n points.

    The solution's `covariance()`, `(..., p, p)`, in the units of the params, is (J'J)^-1 of the residuals over sigma,
    times their sum of squares over n - p unless `absolute_sigma`; inf where J has not full rank or no point is left
    over. `stderr()`, `(..., p)`, has the roots of its diagonal; `print(solution.report(lane))` shows one fit as lmfit does,
    `plot_fit(lanes)` draws some, points and curve.

    Args:
        model: written with operators, `np.*` or an array namespace; pure, for one lane.
        sigma: standard deviation of y: a number, an array `(n,)`, a covariance `(n, n)`, or the name of a further
            datum `(..., n)`.
        absolute_sigma: whether sigma is in y's units; if not, only its ratios count.
        bounds: `(lo, hi)`, each a number or one for each param; closed. lo = hi fixes a param, whose standard error is 0; a tie
            between params is written in the model, `lambda x, a, b: f(x, a, 2 * a, b)`.

    Raises:
        TypeError, ValueError: a model without named params, or with one that is called as a datum; bounds or sigma
            that make no sense.

    Source:
        scipy.optimize.curve_fit (meanings); Bates and Watts, Nonlinear Regression Analysis, section 2.2.

    Example:
        >>> import numpy as np, engine
        >>> x = np.arange(4.0)
        >>> line = engine.solve(curve_fit(lambda x, a, b: a * x + b), {"x": x, "y": [0.0, 3.0, 4.0, 7.0]})
        >>> line["a"].round(6).tolist(), line.stderr().round(6).tolist()
        (2.2, [0.282843, 0.52915])
    """
    names = _names(model, {"x", "y", "mask", sigma if isinstance(sigma, str) else "x"})
    domains, starts = _bounds(names, bounds)
    spread = sigma if sigma is None or isinstance(sigma, str) else _whitening(sigma)

    def residual(**named: Array) -> Array:
        y = named["y"]
        found = model(*(named[name] for name in ("x", *names)))
        if tuple(getattr(found, "shape", ())) not in ((), tuple(y.shape)):
            raise DeclaredFunctionError(
                f"the model returned shape {tuple(found.shape)}; expected one number for each point, {tuple(y.shape)}"
            )
        gap: Array = found - y
        if isinstance(spread, str):
            gap = gap / named[spread]
        elif spread is not None:
            gap = _whitened(spread, gap)
        return gap * named["mask"] if "mask" in named else gap

    @Kept
    def declared(axes: str, masked: bool) -> Problem:
        data = {"x": axes, "y": "n"} | ({"mask": "n"} if masked else {}) | ({sigma: "n"} if isinstance(sigma, str) else {})
        params = {name: Param("", domains[name], starts[name]) for name in names}
        fit = Problem("curve_fit", data, params, residual)
        figure = partial(_covariance, residual, _free(domains), absolute_sigma)
        measured = replace(fit, measures={"covariance": lambda **named: figure(named)})

        def covariance(solution: Solution) -> Array:
            solution.call.declared("covariance")
            options: dict[str, Any] = {"solver": Evaluate(), "tol": 0, "max_steps": 0, "derivatives": 0}
            again = engine.solve(measured, solution.call.data, start=solution.params, backend=solution.plan.backend, **options)
            found: Array = again.measures["covariance"]
            return found

        stderr = lambda solution: _roots(covariance(solution))
        derived: dict[str, Any] = {"covariance": covariance, "stderr": stderr, "report": _report(domains, spread)}
        derived["plot_fit"] = _plot(model, _deviations(sigma) if absolute_sigma else None)
        return replace(fit, derived=derived)

    def specialise(data: Any) -> tuple[Problem, Any]:
        if not isinstance(data, Mapping) or not {"x", "y"} <= data.keys():
            return declared("n", False), data
        data = {name: as_array(value) for name, value in data.items()}
        return declared(axes := _axes(model, len(names), data["x"].shape, data["y"].shape), "mask" in data), _filled(data, axes)

    return replace(declared("n", False), specialise=specialise)


def _report(domains: Mapping[str, Domain], spread: Any) -> Callable[..., FitReport]:
    """The function of a solution and a lane that reports one fit."""
    fixed = frozenset(name for name, moves in _free(domains).items() if not moves)
    whitening, datum = (None, spread) if isinstance(spread, str) else (spread, "")

    def report(solution: Solution, lane: Any = 0) -> FitReport:
        solution.call.declared("report")
        return fit_report(solution, fixed, whitening, datum, lane)

    return report


def _deviations(sigma: Any) -> Any:
    """The standard deviations of the points; of a covariance the roots of its diagonal."""
    return sigma if isinstance(sigma, str) or getattr(sigma, "ndim", 0) < 2 else _roots(sigma)


def _plot(model: Model, sigma: Any) -> Callable[..., Any]:
    """The function of a solution and lanes that draws fits."""

    def drawn(solution: Solution, lanes: Any = (), *, title: str = "", dark: bool = False) -> Any:
        return plot_fit(model, sigma, solution, lanes, title, dark)

    return drawn


def _names(model: Model, taken: set[str]) -> tuple[str, ...]:
    """The names of the model's params."""
    known = parameters(model, "curve_fit: model(x, a, b, ...)", ("x", "a", "b"))
    if is_compiled(model):
        remedy = wrapping(model, ("x", "a", "b"))
        raise DeclarationError(f"curve_fit: model came as {model!r}; expected Python code, model(x, a, b, ...): {remedy}")
    arguments = [p for p in known.values() if p.kind is not p.KEYWORD_ONLY]
    if len(arguments) < 2 or any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in arguments):
        came = ", ".join(map(str, arguments))
        raise DeclarationError(f"curve_fit: the model takes ({came}); expected model(x, a, b, ...): name each parameter")
    names = tuple(p.name for p in arguments[1:])
    for name in taken.intersection(names):
        raise DeclarationError(f"curve_fit: the model's parameter {name!r} is called as a datum: rename it")
    return names


def _bounds(names: tuple[str, ...], bounds: Any) -> tuple[dict[str, Domain], dict[str, float]]:
    """Domains and SciPy's starts: the middle of two finite bounds, one away from a single one, else 1."""
    if bounds is None:
        return {name: Real() for name in names}, dict.fromkeys(names, 1.0)
    ends = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds
    if not isinstance(ends, tuple) or len(ends) != 2:
        raise DeclarationError(
            f"curve_fit: bounds came as {bounds!r}; expected a tuple (lo, hi), each a number or one for each of {names}: pairs, "
            "one for each param, become that by tuple(zip(*pairs))"
        )
    lo, hi = ends
    refuse_masked("curve_fit: bounds", (lo, hi))
    domains: dict[str, Domain] = {}
    starts = {}
    for k, name in enumerate(names):
        numbers = [to_host(end).astype(float) for end in (lo, hi)]
        if any(end.shape not in ((), (len(names),)) for end in numbers):
            raise DeclarationError(
                f"curve_fit: bounds came with shapes {[end.shape for end in numbers]}; expected numbers or one for each of {names}"
            )
        low, high = (float(end if end.ndim == 0 else end[k]) for end in numbers)
        if not low <= high:
            raise DeclarationError(f"curve_fit: bounds of {name!r} came as {low}, {high}; expected lo <= hi")
        free = math.isinf(low) and math.isinf(high)
        domains[name] = Real() if free else Box(low, high)
        middle = low + (high - low) / 2 if math.isfinite(high - low) else low + 1 if math.isfinite(low) else high - 1
        starts[name] = 1.0 if free else middle
    return domains, starts


def _whitening(sigma: Any) -> Array:
    """The factor of the gaps: 1 / sigma, or the inverse of the Cholesky factor of a covariance."""
    refuse_masked("curve_fit: sigma", sigma)
    value = to_host(sigma).astype(float)
    if value.ndim > 2 or (value.ndim == 2 and value.shape[0] != value.shape[1]):
        raise DeclarationError(
            f"curve_fit: sigma came with shape {value.shape}; expected a number, (n,), (n, n) or a datum's name"
        )
    xp = array_namespace(value)
    if value.ndim < 2:
        if not (value > 0).all():
            raise DeclarationError("curve_fit: sigma has entries that are not above 0; expected standard deviations")
        return 1 / value
    try:
        found: Array = xp.linalg.inv(xp.linalg.cholesky(value))
        return found
    except ValueError as error:
        raise DeclarationError("curve_fit: sigma is no covariance; expected a positive definite matrix") from error


def _whitened(spread: Array, gap: Array) -> Array:
    """The gaps over their standard deviations."""
    if spread.shape and tuple(spread.shape)[-1:] != tuple(gap.shape):
        raise DeclaredFunctionError(
            f"sigma came with shape {tuple(spread.shape)}, beside {gap.shape[0]} points; expected one for each, or the name of a datum"
        )
    found: Array = spread @ gap if len(spread.shape) > 1 else spread * gap
    return found


def _axes(model: Model, params: int, x: tuple[int, ...], y: tuple[int, ...]) -> str:
    """The axes of one lane's x by the shapes that came."""
    fits = all(1 in (a, b) or a == b for a, b in zip(x[-2::-1], y[-2::-1], strict=False))
    if len(x) == len(y) + 1 or (len(x) == 2 and not fits):
        return "k n"
    of_variables = len(x) == 2 and _returned(model, params, x) == x[-1:] != _returned(model, params, x[-1:])
    return "k n" if of_variables else "n"


def _returned(model: Model, params: int, x: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of what a model returns for NumPy's x of a shape; None where it takes none such."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tuple(model(np.ones(x), *[np.ones(())] * params).shape)
        except Exception:  # whatever a model may raise: it tells in its own words when it is called in earnest
            return None


def _filled(data: dict[str, Array], axes: str) -> dict[str, Array]:
    """Data whose masked points repeat one that counts, so that nothing there is NaN."""
    if "mask" not in data:
        return data
    on = data["mask"] != 0
    xp = array_namespace(on)
    if 0 in on.shape[-1:]:
        return data | {"mask": xp.astype(on, data["y"].dtype)}
    first = xp.argmax(xp.astype(on, xp.int8), axis=-1, keepdims=True)
    filled = {}
    for name, array in data.items():
        at, keep = first, on
        if name != "mask" and array.shape and is_array(array):
            if name == "x" and axes == "k n":
                at, keep = first[..., None, :], on[..., None, :]
            shape = tuple(
                map(
                    max, zip(*((1,) * (max(array.ndim, keep.ndim) - a.ndim) + tuple(a.shape) for a in (array, keep)), strict=True)
                )
            )
            wide, keep = xp.broadcast_to(array, shape), xp.broadcast_to(keep, shape)
            point = xp.take_along_axis(wide, xp.broadcast_to(at, (*shape[:-1], 1)), axis=-1)
            array = xp.where(keep, wide, point)
        filled[name] = array
    return filled | {"mask": xp.astype(on, data["y"].dtype)}


def _free(domains: Mapping[str, Domain]) -> dict[str, bool]:
    """Param -> whether it can move: one whose bounds are one number is fixed."""
    return {name: not isinstance(domain, Box) or domain.lo < domain.hi for name, domain in domains.items()}


def _covariance(residual: Model, free: Mapping[str, bool], absolute: bool, named: dict[str, Array]) -> Array:
    """The covariance of one lane, by QR of the columns scaled to length 1; 0 for what is fixed."""
    names = [name for name in free if free[name]]
    if not names:
        y = named["y"]
        return array_namespace(y).zeros((len(free), len(free)), dtype=y.dtype, device=device(y))
    found = _of_free(residual, names, absolute, named)
    if len(names) == len(free):
        return found
    xp, zero = array_namespace(found), array_namespace(found).zeros_like(found[0, 0])
    at = {name: k for k, name in enumerate(names)}
    cells = [found[at[a], at[b]] if free[a] and free[b] else zero for a in free for b in free]
    return xp.reshape(xp.stack(cells), (len(free), len(free)))


def _of_free(residual: Model, names: list[str], absolute: bool, named: dict[str, Array]) -> Array:
    """The covariance of the params that can move."""
    theta = [named[name] for name in names]
    xp = array_namespace(*theta)
    p, gap = len(names), residual(**named)

    def gaps(values: Array) -> Array:
        found: Array = residual(**{**named, **{name: values[k] for k, name in enumerate(names)}})
        return found

    jacobian = engine.jacfwd(gaps)(xp.stack(theta))
    n = xp.sum(named["mask"]) if "mask" in named else gap.shape[0]
    if gap.shape[0] < p:
        return xp.full((p, p), math.inf, dtype=gap.dtype, device=device(gap))
    lengths = xp.sqrt(xp.sum(jacobian * jacobian, axis=0))
    _, up = smalllinalg.qr(jacobian / lengths)
    half = smalllinalg.solve_upper(up, xp.eye(p, dtype=gap.dtype, device=device(gap))) / lengths[:, None]
    rounding = float(xp.finfo(gap.dtype).eps) * max(gap.shape[0], p)
    full = xp.min(xp.linalg.diagonal(up)) > rounding
    scale: Any = 1.0
    if not absolute:
        freedom = xp.asarray(n - p, dtype=gap.dtype, device=device(gap)) if isinstance(n, int) else n - p
        full = full & (freedom > 0)
        scale = xp.sum(gap * gap) / xp.where(freedom > 0, freedom, xp.ones_like(freedom))
    return xp.where(full, half @ xp.matrix_transpose(half) * scale, xp.full_like(half, math.inf))


def _roots(covariance: Array) -> Array:
    xp = array_namespace(covariance)
    return xp.sqrt(xp.linalg.diagonal(covariance))

"""The verdict on some params, against oracles in long double: affine, blind to rounding, and fooled by nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st

import backends
import engine
from engine import Param, Problem, certificate
from engine.certificate import Verdict
from engine.curvature import least_squares
from engine.domains import Box
from engine.objective import Objective
from tests.strd import relative_offset

Array = Any
RNG = np.random.default_rng(4)
T = np.linspace(0.0, 3.0, 30)


def judge(
    problem: Problem, data: dict[str, Array], params: dict[str, Array], first: float = 1.0, dtype: str = "float64"
) -> Verdict:
    """The verdict on one lane, as numbers."""
    torch = backends.get("torch")
    objective = Objective(problem, torch, {n: torch.load(np.asarray(a), dtype) for n, a in data.items()})
    point = {n: torch.load(np.asarray(a), dtype) for n, a in params.items()}
    found = certificate.verdict(objective, point, torch.load(np.asarray(first), dtype))
    return Verdict(*(np.asarray(part)[()] for part in (found.optimality, found.determined, found.digits)))


def fit(model: Callable[..., Array], *names: str, domain: Any = None) -> Problem:
    """A fit of y over t by a model of scalar params."""
    from engine.domains import Real

    return Problem(
        name="fit",
        data={"t": "m", "y": "m"},
        params={name: Param("", start=1.0, domain=domain or Real()) for name in names},
        residual=lambda t, y, **p: model(array_namespace(t), t, *(p[name] for name in names)) - y,
    )


def decay(xp: Any, t: Array, a: Array, b: Array, c: Array) -> Array:
    return a * xp.exp(-b * t) + c


DECAY = fit(decay, "a", "b", "c")
Y = 2 * np.exp(-1.3 * T) + 0.5 + 0.05 * RNG.standard_normal(30)
QUIET = 2 * np.exp(-1.3 * T) + 0.5 + 1e-4 * RNG.standard_normal(30)
"""Of so little noise that the model's second derivatives, in the figure and not in this oracle, do not count."""


def decay_offset(a: float, b: float, c: float) -> float:
    e = np.exp(-np.longdouble(b) * T)
    return relative_offset(np.stack([e, -a * T * e, np.ones(30)]), a * e + c - QUIET)


def decay_minimum() -> np.ndarray:
    """By Gauss and Newton in long double."""
    theta = np.array([2.0, 1.3, 0.5], np.longdouble)
    for _ in range(30):
        a, b, c = theta
        e = np.exp(-b * T)
        columns, r = np.stack([e, -a * T * e, np.ones(30)]), a * e + c - QUIET
        theta = theta - np.linalg.solve((columns @ columns.T).astype(float), (columns @ r).astype(float))
    return theta


@settings(max_examples=25, deadline=None)
@given(st.floats(-10.0, -4.0), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))
def test_a_fit_is_judged_by_the_offset_of_bates_and_watts(order: float, u: float, v: float, w: float) -> None:
    a, b, c = (float(x) for x in decay_minimum() + 10.0**order * np.array([u, v, w]))
    found, right = judge(DECAY, {"t": T, "y": QUIET}, {"a": a, "b": b, "c": c}), decay_offset(a, b, c)
    assert found.determined
    np.testing.assert_allclose(found.optimality, right, rtol=1e-3 if right < 0.03 else 0.1, atol=1e-11)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e7, 1e12])
def test_the_figure_is_the_same_in_any_units(scale: float) -> None:
    """Of time, of y, and of the params with them."""
    point = (2.01, 1.29, 0.49)
    plain = judge(DECAY, {"t": T, "y": Y}, dict(zip("abc", point, strict=True)))
    a, b, c = point
    for data, params in (
        ({"t": T * scale, "y": Y}, (a, b / scale, c)),
        ({"t": T, "y": Y * scale}, (a * scale, b, c * scale)),
    ):
        found = judge(DECAY, data, dict(zip("abc", params, strict=True)))
        np.testing.assert_allclose(found.optimality, plain.optimality, rtol=1e-4)
        assert found.determined


@pytest.mark.parametrize("mix", [1e-3, 1e3, 1e6])
def test_the_figure_is_the_same_in_skewed_coordinates(mix: float) -> None:
    """A line over far offsets: intercept and slope are nearly one parameter."""
    line = fit(lambda xp, t, a, b: a * t + b, "a", "b")
    y = 3 * T + 1 + 0.1 * RNG.standard_normal(30)
    near = judge(line, {"t": T, "y": y}, {"a": 3.02, "b": 1.01})
    far = judge(line, {"t": T + mix, "y": y}, {"a": 3.02, "b": 1.01 - 3.02 * mix})
    np.testing.assert_allclose(far.optimality, near.optimality, rtol=1e-2)
    assert near.determined and far.determined


def test_the_minimum_passes_however_small_the_misfit_and_a_small_misfit_alone_does_not() -> None:
    line = fit(lambda xp, t, a, b: a * t + b, "a", "b")
    for noise in (1e-2, 1e-6, 1e-9):
        y = 1e3 + 5 * T + noise * np.sin(40 * T)
        a, b = np.polynomial.polynomial.polyfit(T, y - 1e3, 1)[::-1]
        assert judge(line, {"t": T, "y": y}, {"a": a, "b": b + 1e3}).optimality < 1e-3
        moved = judge(line, {"t": T, "y": y}, {"a": a + noise / 10, "b": b + 1e3})
        assert moved.optimality > 1e-2


def test_a_residual_of_rounding_is_an_exact_fit() -> None:
    y = 1e6 * np.exp(-0.7 * T) - 3e5
    assert judge(DECAY, {"t": T, "y": y}, {"a": 1e6, "b": 0.7, "c": -3e5}).optimality < 1e-6
    wrong = judge(DECAY, {"t": T, "y": y}, {"a": 1e6 * (1 + 1e-9), "b": 0.7, "c": -3e5})
    assert wrong.optimality > 1e-2


def test_rounding_of_the_data_counts_as_nothing() -> None:
    """a t + s - y with s of 1e9 as data: y is rounded to 1e-7, far above what a t of order one could be off by."""
    shifted = Problem(
        name="shifted", data={"t": "m", "s": "m", "y": "m"}, params={"a": Param("", start=1.0)},
        residual=lambda a, t, s, y: a * t + s - y,
    )  # fmt: skip
    s = 1e9 + np.cos(T)
    y = s + np.spacing(1e9) * RNG.choice([-1.0, 0.0, 1.0], 30) + 1.7 * T
    assert judge(shifted, {"t": T, "s": s, "y": y}, {"a": 1.7}).optimality <= 1e-6
    assert judge(shifted, {"t": T, "s": s, "y": y}, {"a": 1.7 + 1e-4}).optimality > 1e-2


def test_a_maximum_whose_columns_are_not_zero_is_no_minimum() -> None:
    """3 + t p - 2 p^2 for t = -1 and 1: J'r = 0 at p = 0, and the loss falls on both sides."""
    bent = fit(lambda xp, t, p: t * p - 2 * p * p, "p")
    assert judge(bent, {"t": np.array([-1.0, 1.0]), "y": np.full(2, -3.0)}, {"p": 0.0}).optimality > 1e-2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [0.14, 0.12])
def test_a_spike_on_one_datum_hides_what_the_others_tell(width: float, dtype: str) -> None:
    """With one datum under a peak, columns by height, middle and width are alike but for the small entries of its tails."""
    peak = fit(lambda xp, t, a, m, s, c: a * xp.exp(-(((t - m) / s) ** 2) / 2) + c, "a", "m", "s", "c")
    t = np.arange(-4.0, 5.0)
    y = np.array([1.0, 0.9, 1.2, 2.0, 9.0, 3.0, 1.0, 1.1, 0.8])
    floor = np.delete(y, 4).mean()
    height = (9 - floor) * np.exp((0.02 / width) ** 2 / 2)
    found = judge(peak, {"t": t, "y": y}, {"a": height, "m": 0.02, "s": width, "c": floor}, dtype=dtype)
    assert found.optimality > 1e-2


def test_a_rate_without_an_amplitude_is_undetermined() -> None:
    """a exp(-b t) + c with a of 1e-20 at the minimum: b's column is short, not 0, and any b would do."""
    basis = np.linalg.qr(np.stack([np.exp(-T), np.ones(30)], axis=1))[0]
    noise = RNG.standard_normal(30)
    y = 2.0 + noise - basis @ (basis.T @ noise)
    found = judge(DECAY, {"t": T, "y": y}, {"a": 1e-20, "b": 1.0, "c": 2.0})
    assert found.optimality <= 1e-6 and not found.determined


def test_the_solvers_step_keeps_its_digits_where_normal_equations_lose_them() -> None:
    torch = backends.get("torch")
    t, y = T + 1e7, 3 * T + 0.1 * RNG.standard_normal(30)
    line = fit(lambda xp, t, a, b: a * t + b, "a", "b")
    objective = Objective(line, torch, {"t": torch.load(t, "float64"), "y": torch.load(y, "float64")})
    point = {name: torch.load(np.array(0.0), "float64") for name in "ab"}
    model = least_squares(objective, point, None, torch.load(np.array(False)))
    slope = np.polynomial.polynomial.polyfit(t - t.mean(), y, 1)[1]
    assert bool(model["ill"])
    np.testing.assert_allclose(float(model["newton"][0]), slope, rtol=1e-6)


@pytest.mark.parametrize("a", [0.0, 1e-30])
def test_a_param_without_effect_is_undetermined(a: float) -> None:
    c = float(Y.mean())
    found = judge(DECAY, {"t": T, "y": Y}, {"a": a, "b": 800.0, "c": c})
    assert not (found.optimality <= 1e-6 and found.determined)


def test_two_params_of_which_only_the_sum_counts_are_a_gauge() -> None:
    """The figure sees the loss alone; the coordinate along which nothing changes is not one that a Newton step moves."""
    sums = fit(lambda xp, t, a, b: (a + b) + 0 * t, "a", "b")
    found = judge(sums, {"t": T, "y": Y}, {"a": 1.0, "b": float(Y.mean()) - 1.0})
    assert found.optimality < 1e-9


def test_a_saddle_of_a_fit_is_no_minimum() -> None:
    """a b = y from a = b = 0: J is 0 there."""
    product = fit(lambda xp, t, a, b: a * b + 0 * t, "a", "b")
    found = judge(product, {"t": T, "y": np.ones(30) + 0.1 * np.sin(T)}, {"a": 0.0, "b": 0.0})
    assert not (found.optimality <= 1e-6 and found.determined)


def test_a_bound_takes_its_coordinate_out() -> None:
    boxed = fit(lambda xp, t, a, b: a * t + b, "a", "b", domain=Box(0.0, 10.0))
    y = -2 * T + 4
    b = float(y.mean())  # a wants to be negative: the best b beside a = 0
    assert judge(boxed, {"t": T, "y": y}, {"a": 0.0, "b": b}).optimality < 1e-9
    assert judge(boxed, {"t": T, "y": -y + 8}, {"a": 0.0, "b": b}).optimality > 0.1


@pytest.mark.parametrize("size", [1e200, 1e-200, 1e160])
def test_what_overflows_or_underflows_on_its_way_is_right_or_never_passes(size: float) -> None:
    line = fit(lambda xp, t, a, b: a * t + b, "a", "b")
    right = judge(line, {"t": T, "y": size * (T + 1)}, {"a": 2 * size, "b": size})
    assert not right.optimality <= 1e-6
    broken = judge(line, {"t": T, "y": T}, {"a": np.inf, "b": 0.0})
    assert not broken.optimality <= 1e-6


def plain(loss: Callable[..., Array], size: int = 2) -> Problem:
    """A plain loss of a vector."""
    return Problem(name="plain", data={"d": ""}, params={"p": Param(str(size), start=1.0)}, loss=loss)


def bowl(p: Array, d: Array) -> Array:
    return d * ((p - 1) ** 2).sum() + 1.0


@pytest.mark.parametrize("scale", [1e-10, 1.0, 1e10])
def test_a_plain_loss_is_judged_by_what_a_newton_step_removes(scale: float) -> None:
    """d (p - 1)^2 + 1 from 2 d + 1: d e^2 is still to go, of 1 + d e^2 that is left, or of 2 d that were, if that is less."""
    first = 2 * scale + 1
    for e in (1e-1, 1e-3):
        found = judge(plain(bowl), {"d": scale}, {"p": [1 + e, 1.0]}, first).optimality
        left, removed = 1 + scale * e * e, scale * (2 - e * e)
        vanishing = 1 / left < 10 * scale * e * e / removed  # to 1 from so far above that it may be 0
        whole = max(removed if vanishing else min(left, removed), np.finfo(float).eps ** 0.5 * left)
        np.testing.assert_allclose(found, np.sqrt(scale * e * e / whole), rtol=1e-3)
    assert judge(plain(bowl), {"d": scale}, {"p": [1.0, 1.0]}, first).optimality <= 1e-6


@pytest.mark.parametrize("signs", [(-1.0, -1.0), (1.0, -1.0), (-1e-9, 1.0)])
def test_a_maximum_or_a_saddle_of_a_plain_loss_never_passes(signs: tuple[float, float]) -> None:
    u, v = signs
    saddle = plain(lambda p, d: d + u * p[0] ** 2 + v * p[1] ** 2)
    assert not judge(saddle, {"d": 1.0}, {"p": [0.0, 0.0]}, 2.0).optimality <= 1e-6


def test_a_param_without_effect_on_a_plain_loss_is_undetermined() -> None:
    flat = plain(lambda p, d: d * (p[0] - 1) ** 2 + 0 * p[1])
    found = judge(flat, {"d": 1.0}, {"p": [1.0, 5.0]}, 1.0)
    assert found.optimality <= 1e-6 and not found.determined


def test_a_loss_that_falls_without_end_never_passes() -> None:
    falling = plain(lambda p, d: d * array_namespace(p).exp(-p[0]) + (p[1] - 1) ** 2)
    found = judge(falling, {"d": 1.0}, {"p": [40.0, 1.0]}, 1.0)
    assert not (found.optimality <= 1e-6 and found.determined)


def test_a_loss_that_has_vanished_beside_the_start_feels_no_param() -> None:
    falling = plain(lambda p, d: d * array_namespace(p).exp(p[1] - p[0]))
    found = judge(falling, {"d": 1.0}, {"p": [2500.0, 2000.0]}, 1.0)  # Newton's step is small beside the params
    assert not found.determined


def test_a_minimum_along_an_orbit_is_one_where_the_gradient_is_not_zero_to_all_digits() -> None:
    """|p|^2 = 1 is a circle of minima; a little outside of it the loss is flat along a circle, and bends down along its tangent."""
    ring = plain(lambda p, d: d * (p[0] ** 2 + p[1] ** 2 - 1) ** 2)
    for turn, out in ((0.3, 1e-9), (1.0, -1e-9), (2.5, -1e-9)):
        p = [(1 + out) * np.cos(turn), (1 + out) * np.sin(turn)]
        found = judge(ring, {"d": 1.0}, {"p": p}, 1.0)
        assert found.optimality <= 1e-6 and found.determined


@pytest.mark.parametrize("depth", [1.0, 1e-2, 1e-5])
def test_a_flat_saddle_beside_a_small_gradient_never_passes(depth: float) -> None:
    """The gradient is along the other axis of the saddle, and nothing is to be removed by Newton's step along this one."""
    saddle = plain(lambda p, d: d * (p[0] + p[1] - 2) ** 2 - depth * (p[0] - p[1]) ** 2)
    found = judge(saddle, {"d": 1.0}, {"p": [1 + 1e-8, 1 + 1e-8]}, 1.0)
    assert not (found.optimality <= 1e-6 and found.determined)


@pytest.mark.parametrize(("x", "y"), [(0.0, 1.0), (1e-17, 1.0), (0.0, 1 + 1e-9)])
def test_a_minimum_at_zero_is_determined(x: float, y: float) -> None:
    found = judge(plain(lambda p, d: d * p[0] ** 2 + (p[1] - 1) ** 2), {"d": 1.0}, {"p": [x, y]}, 1.0)
    assert found.optimality <= 1e-6 and found.determined


def test_many_unknowns_are_judged_by_the_gradient_and_the_plan_says_so() -> None:
    many = plain(bowl, 100)
    assert "estimate" in certificate.described(many, 100, 0) and "Newton" in certificate.described(many, 2, 0)
    assert judge(many, {"d": 1.0}, {"p": np.ones(100)}, 50.0).optimality <= 1e-6
    assert judge(many, {"d": 1.0}, {"p": np.ones(100) + 0.01}, 50.0).optimality > 1e-6


def test_a_figure_that_no_tolerance_is_compared_with_is_an_estimate_of_many_unknowns_and_the_plan_says_so() -> None:
    """Dense derivatives of 48 unknowns took twenty times as long as 300 steps of descent."""
    low_rank = Problem(
        name="low_rank", data={"A": "m n"}, params={"B": Param("m r"), "C": Param("r n")}, sizes={"r": 2},
        residual=lambda B, C, A: B @ C - A,
    )  # fmt: skip
    A = np.random.default_rng(0).normal(size=(3, 4, 5))
    steps: Any = {"solver": engine.solvers.GradientDescent(0.1), "backend": "torch", "max_steps": 3}
    free, compared = (engine.solve(low_rank, {"A": A}, **steps, tol=tol) for tol in (0.0, 1e-6))
    assert "estimate" in free.plan.certificate and "Bates" in compared.plan.certificate
    np.testing.assert_array_equal(free["B"], compared["B"])
    # A cosine is the share of one column, at most that of all.
    assert (np.asarray(free.residual) <= np.asarray(compared.residual) * (1 + 1e-9)).all() and (
        np.asarray(free.residual) > 0
    ).all()


@pytest.mark.parametrize("tol", [1e-6, 0.0])
def test_a_descent_to_an_exact_fit_ends_at_a_figure_of_nothing(tol: float) -> None:
    line = Problem(
        name="line", data={"x": "m", "y": "m"}, params={name: Param("", start="zeros") for name in "ab"},
        residual=lambda a, b, x, y: a * x + b - y,
    )  # fmt: skip
    x = np.linspace(0, 1, 9)
    solver = engine.solvers.GradientDescent(0.3, momentum=0.9)
    data = {"x": x, "y": np.stack([2 * x + 1, -x, 3 * x + 0.1])}
    found = engine.solve(line, data, solver=solver, backend="torch", max_steps=2000, tol=tol)
    assert (np.asarray(found.residual) <= 1e-12).all()
    assert tol == 0 or found.converged.all()

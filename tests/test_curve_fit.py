"""curve_fit against SciPy and against certified values, on every backend."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from scipy.optimize import curve_fit as reference

import engine
import problems
from engine import Status
from engine.bind import bind
from tests import strd

RNG = np.random.default_rng(6)
X = np.linspace(0.0, 4.0, 24)
TRUTH = RNG.uniform([1.0, 0.5, 0.1], [3.0, 2.0, 1.0], (3, 3))
SIGMA = RNG.uniform(0.5, 2.0, 24)


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * x) + np.abs(c)


def decay_in_the_namespace(x: Any, a: Any, b: Any, c: Any) -> Any:
    xp = array_namespace(x)
    return a * xp.exp(-b * x) + xp.abs(c)


def decay_in_torch(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * torch.exp(-b * x) + torch.abs(c)


Y = np.stack([decay(X, *theta) for theta in TRUTH]) + 0.02 * RNG.standard_normal((3, 24))


def columns(model: Any) -> Any:
    """The Jacobian for SciPy, by complex steps, so that its covariance is not one of finite differences."""

    def jacobian(x: np.ndarray, *theta: float) -> np.ndarray:
        steps = np.array(theta) + 1e-30j * np.eye(len(theta))
        return np.stack([model(x, *step).imag / 1e-30 for step in steps], axis=-1)

    return jacobian


def smooth(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * x) + c


def scipy_fits(y: np.ndarray, x: np.ndarray = X, model: Any = smooth, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    found = [reference(model, x, row, jac=columns(model), ftol=1e-15, xtol=1e-15, gtol=1e-15, **options) for row in y]
    return np.stack([theta for theta, _ in found]), np.stack([covariance for _, covariance in found])


def answers(solution: engine.Solution) -> np.ndarray:
    return np.stack([np.asarray(value) for value in solution], axis=-1)


@pytest.mark.parametrize("backend", ["fused", "torch", "numpy"])
def test_params_covariance_and_errors_are_scipys_to_1e_6(backend: str) -> None:
    problem = problems.curve_fit(decay, sigma=SIGMA, absolute_sigma=True)
    solution = engine.solve(problem, {"x": X, "y": Y}, backend=backend)
    theta, covariance = scipy_fits(Y, sigma=SIGMA, absolute_sigma=True)
    assert solution.converged.all()
    np.testing.assert_allclose(answers(solution), theta, rtol=1e-6)
    np.testing.assert_allclose(solution.covariance(), covariance, rtol=1e-6)
    np.testing.assert_allclose(solution.stderr(), np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), rtol=1e-6)


@pytest.mark.parametrize("model", [decay_in_the_namespace, decay_in_torch])
def test_a_model_may_speak_the_array_namespace_or_torch(model: Any) -> None:
    solution = engine.solve(problems.curve_fit(model), {"x": X, "y": Y}, backend="torch")
    np.testing.assert_allclose(answers(solution), scipy_fits(Y)[0], rtol=1e-6)


def test_relative_sigma_as_a_covariance_or_as_a_datum_is_scaled_as_scipy_does() -> None:
    theta, covariance = scipy_fits(Y, sigma=SIGMA)
    for sigma, more in ((np.diag(SIGMA**2), {}), ("spread", {"spread": SIGMA})):
        solution = engine.solve(problems.curve_fit(smooth, sigma=sigma), {"x": X, "y": Y, **more}, backend="numpy")
        np.testing.assert_allclose(answers(solution), theta, rtol=1e-6)
        np.testing.assert_allclose(solution.covariance(), covariance, rtol=1e-6)


def test_masked_points_may_be_nan_and_count_for_nothing() -> None:
    mask = np.ones((3, 24))
    mask[0, [0, 5]] = mask[2, 20:] = 0
    y, x = np.where(mask, Y, np.nan), np.where(mask[0], X, np.nan)
    y[1, [0, 5]], mask[1, [0, 5]], mask[2, [0, 5]] = np.nan, 0, 0
    solution = engine.solve(problems.curve_fit(decay), {"x": x, "y": y, "mask": mask})
    assert solution.converged.all()
    for lane, keep in enumerate(mask.astype(bool)):
        theta, covariance = scipy_fits(Y[lane : lane + 1, keep], X[keep])
        np.testing.assert_allclose(answers(solution)[lane], theta[0], rtol=1e-6)
        np.testing.assert_allclose(solution.covariance()[lane], covariance[0], rtol=1e-6)


def test_bounds_hold_and_start_where_scipys_do() -> None:
    bounds = ([0.0, 0.0, 0.5], [np.inf, 1.0, 0.9])
    solution = engine.solve(problems.curve_fit(smooth, bounds=bounds), {"x": X, "y": Y}, backend="numpy")
    found = answers(solution)
    theta = np.stack([reference(smooth, X, row, bounds=bounds, ftol=1e-14, xtol=1e-14, gtol=1e-14)[0] for row in Y])
    assert ((found >= bounds[0]) & (found <= bounds[1])).all()
    np.testing.assert_allclose(found, theta, rtol=1e-5)
    begun = engine.solve(problems.curve_fit(smooth, bounds=bounds), {"x": X, "y": Y}, backend="numpy", max_steps=0)
    np.testing.assert_array_equal(answers(begun), np.broadcast_to([1.0, 0.5, 0.7], (3, 3)))


def plane_wave(x: Any, a: Any, b: Any) -> Any:
    u, v = x
    return a * np.sin(u) + b * np.hypot(u, v)


def test_x_of_several_variables_is_shared_or_a_lanes_own() -> None:
    grid = np.stack([np.repeat(np.arange(4.0), 5), np.tile(np.arange(5.0), 4)])
    theta = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]])
    y = np.stack([plane_wave(grid, *row) for row in theta])
    for x in (grid, np.broadcast_to(grid, (3, 2, 20))):
        solution = engine.solve(problems.curve_fit(plane_wave), {"x": x, "y": y}, backend="torch")
        np.testing.assert_allclose(answers(solution), theta, rtol=1e-9)
    one = engine.solve(problems.curve_fit(plane_wave), {"x": grid, "y": y[0]}, backend="numpy")
    np.testing.assert_allclose(answers(one), theta[0], rtol=1e-9)


def test_a_shared_x_is_passed_once() -> None:
    problem, data = problems.curve_fit(decay).specialise({"x": X, "y": Y})  # type: ignore[misc]
    bound = bind(problem, data, None, 0)
    assert "data.x" in bound.signature.shared and bound.arrays["data.x"].shape == (24,)


def test_arrays_that_a_model_captures_speak_numpy_too() -> None:
    knots = np.array([0.5, 1.5])

    def bumps(x: Any, a: Any, b: Any) -> Any:
        return a * np.exp(-((x - knots[0]) ** 2)) + b * np.sum(np.cos(knots)) * x

    y = bumps(X, 2.0, 3.0)
    solution = engine.solve(problems.curve_fit(bumps), {"x": X, "y": y}, backend="torch")
    np.testing.assert_allclose(answers(solution), [2.0, 3.0], rtol=1e-9)


def test_what_the_points_do_not_determine_has_an_infinite_covariance() -> None:
    twin = problems.curve_fit(lambda x, a, b: (a + b) * x)
    assert np.isinf(engine.solve(twin, {"x": X, "y": Y}, backend="numpy").covariance()).all()
    tight = problems.curve_fit(lambda x, a, b: a * x + b)
    two = engine.solve(tight, {"x": np.arange(2.0), "y": np.arange(2.0)}, backend="numpy")
    assert np.isinf(two.covariance()).all()


def test_a_start_overrides_the_ones() -> None:
    began = engine.solve(problems.curve_fit(decay), {"x": X, "y": Y}, start={"b": 0.25}, max_steps=0, backend="numpy")
    np.testing.assert_array_equal(answers(began), np.broadcast_to([1.0, 0.25, 1.0], (3, 3)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: problems.curve_fit(lambda x: x), "expected model"),
        (lambda: problems.curve_fit(lambda x, *a: x), "name each"),
        (lambda: problems.curve_fit(lambda x, y: x), "rename"),
        (lambda: problems.curve_fit(decay, bounds=(1.0, 0.0)), "lo <= hi"),
        (lambda: problems.curve_fit(decay, bounds=([0.0, 0.0], 1.0)), "one for each"),
        (lambda: problems.curve_fit(lambda x, a, b: a * x + b, bounds=[(0, 1), (0, 1)]), "zip"),
        (lambda: problems.curve_fit(decay, bounds=[(0, 1), (0, 1), (0, 1)]), "zip"),
        (lambda: problems.curve_fit(decay, sigma=-1.0), "above 0"),
        (lambda: problems.curve_fit(decay, sigma=-np.eye(3)), "positive definite"),
    ],
)
def test_bad_usage_is_refused_in_words(make: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_a_model_that_returns_another_shape_or_calls_what_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="one number for each point"):
        engine.solve(problems.curve_fit(lambda x, a: a * x[:, None]), {"x": X, "y": Y}, backend="torch")
    with pytest.raises(TypeError, match=r"np\.unwrap"):
        engine.solve(problems.curve_fit(lambda x, a: a * np.unwrap(x)), {"x": X, "y": Y}, backend="torch")


FAR = {("MGH10", 0)}
"""(dataset, start) from which the default number of steps does not lead to the answer."""

ROUNDED = {"Lanczos1"}
"""Its residuals are the rounding of its 14 digits: no standard error to 4 digits in double precision."""


def groups() -> list[list[str]]:
    """Datasets of one model are lanes of one batch."""
    found: dict[Any, list[str]] = defaultdict(list)
    for name, model in strd.MODELS.items():
        found[model].append(name)
    return list(found.values())


def lanes_of(names: list[str]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Both starts of some datasets as lanes `(datasets, 2)`; shorter ones padded with NaN that is masked."""
    data = [strd.fit_data(name) for name in names]
    longest = max(d["y"].shape[-1] for d in data)

    def padded(a: np.ndarray, fill: float = np.nan) -> np.ndarray:
        return np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, longest - a.shape[-1])], constant_values=fill)

    wide = {k: np.stack([padded(d[k]) for d in data])[:, None] for k in ("x", "y")}
    if len(names) > 1:
        wide["mask"] = np.stack([padded(np.ones_like(d["y"]), 0.0) for d in data])[:, None]
    starts = [strd.both_starts(name) for name in names]
    return wide, {k: np.stack([start[k] for start in starts]) for k in starts[0]}


# Which minimum the far start of MGH17 finds rests on rounding.
@pytest.mark.parametrize(
    "names",
    [pytest.param(names, marks=pytest.mark.optimised if "MGH17" in names else ()) for names in groups()],
    ids=lambda names: "-".join(names),
)
def test_certified_regressions_come_out_from_both_starts(names: list[str]) -> None:
    data, start = lanes_of(names)
    solution = engine.solve(problems.curve_fit(strd.MODELS[names[0]]), data, start=start, backend="fused")
    found, errors = answers(solution), solution.stderr()
    for row, name in enumerate(names):
        known = strd.CERTIFIED[name]
        for lane in range(2):
            if solution.status[row, lane] == Status.CONVERGED:
                assert strd.offset(name, found[row, lane]) <= 1.01e-6
            if (name, lane) in FAR:
                assert solution.status[row, lane] == Status.MAX_STEPS
                continue
            assert strd.digits(found[row, lane], np.array(known["certified"])) >= 4
            assert strd.digits(errors[row, lane], np.array(known["deviation"])) >= (3 if name in ROUNDED else 4)


@pytest.mark.parametrize("power", [-300, -100, -44, -20, 44, 100, 300])
def test_a_far_start_is_left_in_any_units(power: int) -> None:
    """By the same steps: a column is damped, and a bend short beside the step, in the units of J, whatever those of y are."""
    data, start = lanes_of(["Eckerle4"])
    problem = problems.curve_fit(strd.MODELS["Eckerle4"])
    far = {"y": np.ldexp(data["y"], power)}, {"b1": np.ldexp(start["b1"], power)}
    here, there = (engine.solve(problem, data | own[0], start=start | own[1], backend="fused") for own in (({}, {}), far))
    assert there.converged.all() and (there.steps == here.steps).all()
    np.testing.assert_allclose(np.ldexp(there["b1"], -power), here["b1"], rtol=1e-13)


@pytest.mark.parametrize("backend", ["fused", "torch"])
@pytest.mark.parametrize(("along", "up"), [(0, -60), (0, 60), (-60, 0), (60, 60)])
def test_a_fit_takes_the_same_steps_in_any_units(along: int, up: int, backend: str) -> None:
    """Seconds or attoseconds, volts or exavolts: powers of two, so that nothing rounds otherwise."""
    problem, powers = problems.curve_fit(smooth), {"a": up, "b": -along, "c": up}
    here = engine.solve(problem, {"x": X, "y": Y}, start=dict.fromkeys(powers, 1.0), backend=backend)
    units = {name: 2.0**power for name, power in powers.items()}
    there = engine.solve(problem, {"x": np.ldexp(X, along), "y": np.ldexp(Y, up)}, start=units, backend=backend)
    assert there.converged.all() and (there.steps == here.steps).all()
    for name, power in powers.items():
        np.testing.assert_allclose(np.ldexp(there[name], -power), here[name], rtol=1e-12)


@pytest.mark.parametrize("up", [-44, 0, 44])
def test_a_parameter_that_changes_nothing_does_not_lead_the_others_astray(up: int) -> None:
    """Its column is rounding, which says to go far; in any units of y."""

    def redundant(x: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        return a * np.exp(-b * x) * (np.cos(d * x) ** 2 + np.sin(d * x) ** 2) + c

    start = {"a": 2.0**up, "b": 1.0, "c": 2.0**up, "d": 1.0}
    found = engine.solve(problems.curve_fit(redundant), {"x": X, "y": np.ldexp(Y, up)}, start=start, backend="fused")
    theta, _ = scipy_fits(Y)
    np.testing.assert_allclose(answers(found)[:, :3] * [2.0**-up, 1, 2.0**-up], theta, rtol=1e-6)
    assert (found.steps < 100).all()


@pytest.mark.parametrize("up", [-30, -20, -10])
def test_ones_are_a_start_for_small_numbers_too(up: int) -> None:
    """A column that shrinks with the amplitude, by 2^30, is still moved along."""
    found = engine.solve(problems.curve_fit(smooth), {"x": X, "y": np.ldexp(Y, up)}, backend="fused")
    theta, _ = scipy_fits(Y)
    assert found.converged.all()
    np.testing.assert_allclose(answers(found) * [2.0**-up, 1, 2.0**-up], theta, rtol=1e-6)


def test_certified_regressions_come_out_on_eager_torch_too() -> None:
    data, start = lanes_of(["Rat43"])
    solution = engine.solve(problems.curve_fit(strd.MODELS["Rat43"]), data, start=start, backend="torch")
    assert (strd.digits(answers(solution)[0], np.array(strd.CERTIFIED["Rat43"]["certified"])) >= 4).all()


def test_standard_errors_compile_no_judgement(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked of a fit that is judged already."""
    fit = engine.solve(problems.curve_fit(smooth), {"x": X, "y": Y}, backend="torch")

    def refuse(*_: object) -> None:
        raise AssertionError("judged again")

    monkeypatch.setattr("engine.certificate.verdict", refuse)
    assert np.isfinite(fit.stderr()).all()


@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_a_model_of_as_many_variables_as_lanes_has_its_variables(lanes: int, masked: bool) -> None:
    """x of `(2, 12)` beside y of `(2, 12)`: what the model returns tells that these are no lanes."""
    x = np.linspace(-2, 2, 12)
    x = np.stack([x, x**2])
    y = 3 * x[0] + 2 * x[1] + np.zeros((lanes, 1))
    data = {"x": x, "y": y} | ({"mask": np.ones((lanes, 12))} if masked else {})
    found = engine.solve(problems.curve_fit(lambda x, a, b: a * x[0] + b * x[1]), data)
    np.testing.assert_allclose([found["a"], found["b"]], [[3.0] * lanes, [2.0] * lanes], rtol=1e-9)


def test_x_of_each_lane_is_of_each_lane_for_a_model_of_one_variable_and_for_a_constant() -> None:
    x = np.stack([np.linspace(0, 1, 9), np.linspace(1, 2, 9)])
    line = engine.solve(problems.curve_fit(lambda x, a, b: a * x + b), {"x": x, "y": 2 * x + 1})
    level = engine.solve(problems.curve_fit(lambda x, a: a), {"x": x, "y": 2 * x})
    np.testing.assert_allclose([line["a"], line["b"], level["a"]], [[2, 2], [1, 1], [1, 3]], rtol=1e-9)

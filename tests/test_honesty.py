"""No lane called CONVERGED is wrong: LAPACK's ratios in extended precision, over families, spectra and sizes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import engine
import problems
from bench import fitted, honesty, lanes
from engine import Status
from tests import families

LANES = 4000
SVD_SHAPES = [(4, 4), (3, 5), (6, 3)]


def certified(solution: Any, ratio: np.ndarray, most: float, share: float = 0.98) -> None:
    """All lanes called CONVERGED are within the bound, and enough are called so."""
    converged = solution.status == Status.CONVERGED
    assert converged.mean() >= share, np.bincount(solution.status)
    assert (ratio[converged] < most).all(), ratio[converged].max()


@pytest.mark.parametrize("n", [2, 5, 8])
def test_inverses_of_families_and_of_set_condition_numbers(n: int) -> None:
    a = families.invertible(np.random.default_rng(n), LANES, n, 1e4)
    solution = engine.solve(problems.inverse(), a)
    certified(solution, families.inverse_ratio(a, solution["X"], 2.0**-53), 30)


def test_inverses_in_single_precision_of_any_size() -> None:
    rng = np.random.default_rng(0)
    a = (families.invertible(rng, LANES, 4, 1e3) * 10 ** rng.uniform(-3, 3, (LANES, 1, 1))).astype(np.float32)
    solution = engine.solve(problems.inverse(), a)
    certified(solution, families.inverse_ratio(a, solution["X"], 2.0**-24), 30)


def test_inverses_of_far_sizes() -> None:
    rng = np.random.default_rng(0)
    a = families.invertible(rng, 1000, 2, 1e4) * 10 ** rng.uniform(-200, 200, (1000, 1, 1))
    solution = engine.solve(problems.inverse(), a)
    certified(solution, families.inverse_ratio(a, solution["X"], 2.0**-53), 30)


def test_the_order_24_is_solved_by_the_lane_compiler() -> None:
    a = families.invertible(np.random.default_rng(0), 100, 24, 1e4)
    solution = engine.solve(problems.inverse(), a, backend="fused")
    certified(solution, families.inverse_ratio(a, solution["X"], 2.0**-53), 30)


@pytest.mark.parametrize("m, n", SVD_SHAPES)
def test_svds_of_set_spectra(m: int, n: int) -> None:
    a = families.spectra(np.random.default_rng(m), families.SPECTRA, LANES, m, n)
    solution = engine.solve(problems.svd(), a)
    u, s, v = solution
    assert (s >= 0).all() and (np.diff(s) <= 0).all()
    certified(solution, families.svd_ratios(a, u, s, v, 2.0**-52), 50)


@pytest.mark.parametrize("n", [4, 6])
def test_eigendecompositions_of_set_spectra(n: int) -> None:
    a = families.symmetric(np.random.default_rng(n), families.SPECTRA, LANES, n)
    solution = engine.solve(problems.eigh(), a)
    w, v = solution
    assert (np.diff(w) >= 0).all()
    certified(solution, families.svd_ratios(a, v, w, v, 2.0**-52), 50)


def test_close_eigenvalues_come_apart_in_as_many_steps_whatever_the_size_of_the_matrix() -> None:
    rng = np.random.default_rng(0)
    a = families.symmetric(rng, ("close",), 1000, 4)
    skew = 0.1 * rng.standard_normal(a.shape)
    v = np.linalg.eigh(a)[1] @ np.linalg.qr(np.eye(4) + skew - skew.swapaxes(1, 2))[0]
    w = np.einsum("bij,bik,bkj->bj", v, a, v)
    large, small = (engine.solve(problems.eigh(), a * size, start={"w": w * size, "V": v}).steps for size in (1.0, 2.0**-20))
    assert abs(np.mean(large) - np.mean(small)) < 0.1 * np.mean(large)


def test_a_fit_whose_peak_underflowed_is_not_called_converged() -> None:
    curve = fitted.CURVES["Gaussian"]
    y = np.stack([curve.model(curve.x, 2.0, 1.5, 0.5, 1.0)] * 2)
    start = {"height": 1.0, "middle": np.array([1.0, -30.0]), "width": np.array([0.6, 0.1]), "floor": 0.0}
    solution = engine.solve(problems.curve_fit(curve.model), {"x": curve.x, "y": y}, start=start)
    assert solution.status.tolist() == [Status.CONVERGED, Status.ILL_CONDITIONED]


def test_terms_that_overflow_do_not_make_a_fit_exact() -> None:
    curve = fitted.CURVES["logistic"]
    theta = np.array([[1.45882644, -250.68936353, 1.19071249]])
    y = curve.model(curve.x, 3.0, 1.5, 0.5)
    start = dict(zip(("top", "rate", "middle"), theta.T, strict=True))
    solution = engine.solve(problems.curve_fit(curve.model), {"x": curve.x, "y": y[None]}, start=start, max_steps=0)
    assert fitted.slope_ratio(curve, {"x": curve.x, "y": y[None]}, theta, 1e-8)[0] > 1
    assert solution.status.tolist() == [Status.MAX_STEPS]


def test_a_point_that_is_not_stationary_has_a_large_slope() -> None:
    curve = fitted.CURVES["exponential"]
    data, _ = curve.lanes(np.random.default_rng(0), 8)
    solution = engine.solve(problems.curve_fit(curve.model), data)
    theta = np.stack(list(solution), axis=1)
    assert (solution.status == Status.CONVERGED).all() and (fitted.slope_ratio(curve, data, theta, 1e-8) < 1).all()
    assert (fitted.slope_ratio(curve, data, theta * (1 + 1e-4), 1e-8) > 1).all()


def outcome(*codes: Status, wrong: bool) -> lanes.Judged:
    status = np.array(codes)
    return lanes.Judged(status, np.ones(len(codes)), np.array([wrong] + [False] * (len(codes) - 1)), np.full(len(codes), ""))


@pytest.mark.parametrize(
    "codes, wrong, share, code",
    [
        ([Status.CONVERGED] * 8, False, 0.98, 0),
        ([Status.CONVERGED] * 8, True, 0.98, 1),
        ([Status.CONVERGED, Status.STALLED] * 4, False, 0.98, 1),
        ([Status.CONVERGED, Status.STALLED] * 4, False, 0.0, 0),
    ],
)
def test_the_command_fails_on_a_broken_promise(
    codes: list[Status], wrong: bool, share: float, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = lanes.Group("kind", 8, 50, share, lambda rng, count: outcome(*codes, wrong=wrong))
    monkeypatch.setattr(honesty, "groups", lambda: [group])
    found = CliRunner().invoke(honesty.main, [])
    assert found.exit_code == code and f"8 lanes, {code} violations" in found.output


def test_singular_matrices_are_infeasible_at_their_best_loss() -> None:
    judged = lanes.singular(3, np.random.default_rng(0), 300)
    assert set(judged.family) == {"rank 0", "rank 1", "rank 2"} and not judged.wrong.any()


@pytest.mark.parametrize(
    "run", [partial(lanes.one_step_inverses, 4), partial(lanes.one_step_svds, 4), partial(lanes.one_step_fits, "exponential")]
)
def test_one_step_does_not_raise_the_loss(run: Any) -> None:
    judged = run(np.random.default_rng(0), 400)
    assert (judged.status == Status.MAX_STEPS).all() and not judged.wrong.any() and (judged.ratio < 1).mean() > 0.5


def test_a_wrong_answer_has_a_large_ratio() -> None:
    a = families.spectra(np.random.default_rng(0), families.SPECTRA, 8, 4, 4)
    u, s, v = np.linalg.svd(a)
    v = v.swapaxes(1, 2)
    assert (families.svd_ratios(a, u, s, v, 2.0**-52) < 50).all()
    assert (families.svd_ratios(a, u, s * (1 + 1e-13), v, 2.0**-52) > 50).all()
    x = np.linalg.inv(families.invertible(np.random.default_rng(0), 8, 4, 10))
    assert (families.inverse_ratio(np.linalg.inv(x), x + 1e-13, 2.0**-53) > 30).all()

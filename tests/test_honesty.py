"""The judge of statuses sees every kind of wrong answer and passes right ones; and a few kinds of lanes are honest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import engine
import problems
from bench.honesty import (
    bounded,
    classical,
    fits,
    inverses,
    kinds,
    likelihoods,
    linear,
    matrices,
    ratios,
    regressions,
    robust,
    starts,
    surfaces,
)
from bench.honesty.__main__ import main
from bench.honesty.descent import descend
from bench.honesty.manifolds import Rotations, Sphere, Symmetric
from bench.honesty.objective import Objective
from bench.honesty.solved import UNDETERMINED, Judged, Kind, Lanes, verdicts
from bench.honesty.spaces import Box, Free, Positive, Product, Simplex, Space
from engine import Status
from tests import families, strd

Array = Any
LANES = 12


def draw(name: str) -> Lanes:
    """Some lanes of a kind of fits."""
    return fits.DRAWS[name][1](np.random.default_rng(0), LANES)


def rng() -> np.random.Generator:
    """The same draws for every test."""
    return np.random.default_rng(0)


def minimum(lanes: Lanes) -> Array:
    """The point that the judge's optimiser finds from the generating params, in the working precision."""
    z, _ = descend(lanes.objective(), lanes.truth.astype(np.longdouble))
    return z.astype(lanes.dtype).astype(float)


def called(lanes: Lanes, answer: Array, status: int = Status.CONVERGED) -> Judged:
    """The outcome if all lanes had this answer and this status."""
    return verdicts(lanes, np.full(len(answer), int(status)), np.asarray(answer, float))


def one_error(lanes: Lanes, answer: Array) -> Array:
    """A move that takes the first param one standard error off and the others along, `(lanes, p)`; by LAPACK.

    Bates and Watts, section 2.2: on the profile of a param, k standard errors raise the sum of squares by k^2 of its share by
    degree of freedom.
    """
    objective = lanes.objective()
    jacobian = objective.jacobian(answer.astype(np.longdouble)).astype(float)
    variance = objective.value(answer.astype(np.longdouble)).astype(float) / (jacobian.shape[1] - jacobian.shape[2])
    first = np.linalg.inv(jacobian.swapaxes(1, 2) @ jacobian)[:, :, 0]
    return first * np.sqrt(variance / first[:, 0])[:, None]


RIGHT = ["decay float32", "decay, odd units", "two decays 1000 : 4 float32", "line over an offset", "line over an offset float32",
         "peak, active bounds", "redundant params", "yields, guarded", "saturation"]  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_minima_pass(name: str) -> None:
    lanes = draw(name)
    judged = called(lanes, minimum(lanes))
    assert not judged.wrong.any() and judged.minimum.all(), judged.notes


@pytest.mark.parametrize("name", ["growth", "line over dates in days"])
def test_a_loss_2e_4_above_the_minimum_is_false(name: str) -> None:
    lanes = draw(name)
    answer = minimum(lanes)
    freedom = lanes.data["y"].shape[1] - answer.shape[1]
    judged = called(lanes, answer + np.sqrt(2e-4 * freedom) * one_error(lanes, answer))
    noisy = np.arange(LANES) % 8 > 0
    assert judged.wrong[noisy].all() and (np.abs(judged.fall[noisy] - 2e-4) < 2e-5).all()


@pytest.mark.parametrize("name", ["growth", "line over dates in days"])
def test_a_param_may_be_off_by_a_hundredth_of_its_standard_error(name: str) -> None:
    lanes = draw(name)
    answer = minimum(lanes)
    over, under = (called(lanes, answer + share * one_error(lanes, answer)) for share in (0.02, 0.005))
    noisy = np.arange(LANES) % 8 > 0
    assert over.wrong[noisy].all() and (np.abs(over.move[noisy] - 0.02) < 2e-3).all() and (over.fall < 1e-4).all()
    assert not under.wrong.any()


def test_an_answer_in_a_nearly_collinear_valley_is_false() -> None:
    lanes = draw("line over an offset")
    x, y = lanes.data["x"], lanes.data["y"]
    slope = lanes.truth[:, 0].astype(float) * 0.9
    answer = np.stack([slope, y.mean(axis=1) - slope * x.mean(axis=1)], axis=1)
    assert called(lanes, answer).wrong.all()


def test_maxima_saddles_and_dead_points_are_false() -> None:
    planted: list[tuple[Lanes, Array]] = []
    for name in ("from a maximum", "from a saddle", "from a saddle of a product", "from the top of a hill"):
        lanes = surfaces.surface_lanes(name, "float64", rng(), LANES)
        planted.append((lanes, lanes.start))
    for lanes in (starts.squares("float64", rng(), LANES), starts.rank_ones(rng(), LANES)):
        planted.append((lanes, np.zeros_like(lanes.start)))
    dead = starts.rectifiers(rng(), LANES)
    planted.append((dead, np.full_like(dead.start, -1.0)))
    for lanes, answer in planted:
        false = called(lanes, answer).wrong
        assert false[::2].all() and false.mean() >= 0.5, lanes.problem.name


def test_a_param_without_effect_is_false_unless_it_is_called_undetermined() -> None:
    lanes = draw("peak")
    answer = minimum(lanes)
    answer[:, 1:3] = [-30.0, 0.1]
    assert called(lanes, answer).wrong.all()
    flat = np.arange(LANES) % 3 == 0
    lanes = draw("a param without effect")
    answer = minimum(lanes)
    assert called(lanes, answer).wrong.tolist() == flat.tolist()
    assert called(lanes, answer, UNDETERMINED).failed.tolist() == (~flat).tolist()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_minima_of_plain_losses_pass(dtype: str) -> None:
    drawn = [
        likelihoods.logistic_lanes(False, dtype, rng(), LANES), likelihoods.poisson_lanes(dtype, rng(), LANES),
        likelihoods.student_lanes(dtype, rng(), LANES), robust.robust_lanes("Huber", dtype, rng(), LANES),
        surfaces.surface_lanes("from a maximum", dtype, rng(), LANES),
    ]  # fmt: skip
    for lanes in drawn:
        answer = minimum(lanes)
        objective = lanes.objective()
        slope = np.abs(objective.gradient(answer.astype(np.longdouble)) * objective.typical).max()
        judged = called(lanes, answer)
        assert slope < 1e-5 and not judged.wrong.any() and judged.minimum.all(), (lanes.problem.name, judged.notes)
        assert called(lanes, answer * 1.2).wrong.all(), lanes.problem.name


def test_another_local_minimum_passes() -> None:
    lanes = classical.draw("Freudenstein-Roth", rng(), 3)
    answer = np.tile([11.412778981, -0.896805273], (3, 1))
    assert not called(lanes, answer).wrong.any() and not called(lanes, answer, Status.STALLED).minimum.any()


def test_certified_values_pass() -> None:
    for name in ("Misra1a", "Thurber", "MGH09"):
        lanes = regressions.draw(name, rng(), 2)
        judged = called(lanes, np.tile(strd.CERTIFIED[name]["certified"], (2, 1)))
        assert not judged.wrong.any(), judged.notes


def test_minima_at_infinity_are_false() -> None:
    lanes = likelihoods.logistic_lanes(True, "float64", rng(), LANES)
    for size in (40.0, 1e15, 1e300):
        assert called(lanes, lanes.truth * size).wrong.all(), size


def test_least_absolute_deviations_are_false_away_from_their_vertex() -> None:
    lanes = robust.robust_lanes("L1", "float64", rng(), LANES)
    assert not called(lanes, lanes.truth).wrong.any()
    assert called(lanes, lanes.truth + 1e-2).wrong.all()


def test_a_large_constant_excuses_nothing() -> None:
    lanes = robust.robust_lanes("constant of 1e6", "float64", rng(), LANES)
    z, _ = descend(lanes.objective(), lanes.truth.astype(np.longdouble), 1.0)
    answer = z.astype(float)
    assert not called(lanes, answer).wrong.any() and called(lanes, answer * 1.02).wrong.all()


def test_faces_of_closed_sets() -> None:
    lanes = bounded.boxes(False, rng(), LANES)
    answer = minimum(lanes)
    faces = (answer == 0) | (answer == 1)
    assert faces.any() and not called(lanes, answer).wrong.any()
    assert called(lanes, np.where(faces, 1 - answer, answer)).wrong[faces.any(axis=1)].all()
    lanes = bounded.mixtures("float64", rng(), LANES)
    answer = minimum(lanes)
    assert (answer == 0).any() and not called(lanes, answer).wrong.any()
    assert called(lanes, np.roll(answer, 1, axis=1)).wrong.all()


def test_singular_vectors_that_are_not_the_last_are_saddles() -> None:
    lanes = matrices.circles(rng(), LANES)
    vectors = np.linalg.svd(lanes.data["M"])[2]
    assert not called(lanes, vectors[:, -1]).wrong.any() and called(lanes, vectors[:, -2]).wrong.all()


def test_half_turns_away_from_the_best_rotation_are_saddles() -> None:
    lanes = matrices.rotations(rng(), LANES)
    answer = minimum(lanes)
    turned = np.diag([1.0, -1.0, -1.0]) @ answer.reshape(-1, 3, 3)
    assert not called(lanes, answer).wrong.any() and called(lanes, turned.reshape(answer.shape)).wrong.all()


def test_rounding_is_no_fault() -> None:
    for name in ("decay", "decay float32"):
        lanes = draw(name)
        answer, step = minimum(lanes), 4 * np.finfo(lanes.dtype).eps
        assert not called(lanes, answer * (1 + step)).wrong[::8].any()
        assert called(lanes, answer * (1 + 1000 * step)).wrong[::8].all()


def test_failures_at_the_minimum_are_counted() -> None:
    lanes = draw("growth")
    answer = minimum(lanes)
    assert called(lanes, answer, Status.STALLED).failed.all() and not called(lanes, answer).failed.any()
    assert not called(lanes, answer * 1.1, Status.STALLED).minimum.any()
    assert not called(lanes, np.full_like(answer, np.nan), Status.NONFINITE_INPUT).minimum.any()


def test_a_success_with_nan_is_false() -> None:
    lanes = draw("growth")
    assert called(lanes, np.full_like(lanes.start, np.nan)).wrong.all()


SPACES: list[Space] = [
    Free(3), Box(np.zeros(3), np.ones(3)), Positive(3), Simplex(3), Sphere(3), Rotations(3), Symmetric(2),
    Product((Free(2), Sphere(3), Simplex(3))),
]  # fmt: skip


@pytest.mark.parametrize("space", SPACES, ids=lambda space: type(space).__name__)
def test_curves_stay_in_their_set_to_second_order(space: Space) -> None:
    z = space.project(rng().uniform(0.2, 0.8, (5, space.size)).astype(np.longdouble))
    u = rng().standard_normal((5, space.dimension)).astype(np.longdouble)
    u /= np.abs(u).max()
    far, near = (np.abs(space.project(c) - c).max() for c in (space.curve(z, h * u) for h in (1e-3, 5e-4)))
    assert near <= max(far / 7, 1e-17) and np.abs(space.curve(z, 0 * u) - z).max() == 0
    assert all(limit.shape == u.shape for limit in space.limits(z)) and space.scale(z, np.ones(space.size)).shape == u.shape


@pytest.mark.parametrize("space", [Free(3), Sphere(3), Simplex(3)], ids=lambda space: type(space).__name__)
def test_derivatives_agree_with_differences(space: Space) -> None:
    def function(z: Array, data: dict[str, Array]) -> Array:
        return np.stack([np.exp(z[:, 0] * z[:, 1]), np.sin(z[:, 2]) / (1 + z[:, 0] ** 2)], axis=1) - data["y"]

    objective = Objective(function, True, {"y": np.full((1, 2), 0.3, np.longdouble)}, space, np.ones((4, 3)), "float64")
    z = space.project(rng().uniform(0.2, 0.8, (4, 3)).astype(np.longdouble))
    unit = np.eye(space.dimension, dtype=np.longdouble)
    h = np.longdouble(1e-5)

    def half(u: Array) -> Array:
        return objective.value(space.curve(z, np.tile(u, (4, 1)))) / 2

    gradient = np.stack([(half(h * e) - half(-h * e)) / (2 * h) for e in unit], axis=1)
    assert np.abs(objective.gradient(z) - gradient).max() < 1e-9
    hessian = [
        [(half(h * (e + f)) - half(h * (e - f)) - half(h * (f - e)) + half(-h * (e + f))) / (4 * h * h) for f in unit]
        for e in unit
    ]
    found = objective.hessian(z, objective.jacobian(z))
    assert np.abs(found - np.moveaxis(np.array(hessian), 2, 0)).max() < 1e-7


def test_factorisations_of_graded_and_singular_matrices() -> None:
    a = rng().standard_normal((20, 6, 4)).astype(np.longdouble) * 10.0 ** -np.arange(4)
    a[0, :, 3], a[1] = a[0, :, 2], 0
    b = rng().standard_normal((20, 6)).astype(np.longdouble)
    triangle, _, order = linear.reduced(a, b)
    left, right = linear.singular(triangle)
    columns = np.take_along_axis(a, order[:, None, :], axis=2)
    exact = np.linalg.svd(a.astype(float), compute_uv=False)
    assert np.abs(np.sort(linear.norm(left, axis=1), axis=1)[:, ::-1] - exact).max() < 1e-14
    assert np.abs(np.einsum("bki,bkj->bij", triangle, triangle) - np.einsum("bki,bkj->bij", columns, columns)).max() < 1e-16
    assert np.abs(np.einsum("bki,bkj->bij", right, right) - np.eye(4)).max() < 1e-17
    square = np.einsum("bki,bkj->bij", a, a)
    values, vectors = linear.eigen(square)
    assert np.abs(np.einsum("bij,bjk->bik", square, vectors) - vectors * values[:, None, :]).max() < 1e-16
    x = linear.least_squares(a[2:], b[2:]).astype(float)
    known = np.stack([np.linalg.lstsq(a[k].astype(float), b[k].astype(float), rcond=None)[0] for k in range(2, 20)])
    assert np.abs(x / known - 1).max() < 1e-10


def test_wrong_decompositions_and_inverses_have_large_ratios() -> None:
    a = families.spectra(rng(), families.SPECTRA, 8, 4, 4)
    u, s, v = np.linalg.svd(a)
    v = v.swapaxes(1, 2)
    assert (families.svd_ratios(a, u, s, v, 2.0**-52) < 50).all()
    assert (families.svd_ratios(a, u, s * (1 + 1e-13), v, 2.0**-52) > 50).all()
    x = np.linalg.inv(families.invertible(rng(), 8, 4, 10))
    assert (families.inverse_ratio(np.linalg.inv(x), x + 1e-13, 2.0**-53) > 30).all()
    assert np.abs(inverses.long_inverse(x) @ x - np.eye(4)).max() < 1e-16


def test_exact_problems_are_judged_by_their_ratios() -> None:
    status = np.array([Status.CONVERGED, Status.CONVERGED, Status.ILL_CONDITIONED, Status.STALLED, Status.STALLED])
    judged = ratios.judged(status, np.array([1.0, np.nan, 40.0, 1.0, 40.0]), 30)
    assert judged.wrong.tolist() == [False, True, True, False, False] and judged.failed.tolist() == [
        False,
        False,
        False,
        True,
        False,
    ]
    judged = ratios.impossible(np.array([Status.INFEASIBLE, Status.CONVERGED, Status.STALLED]), np.zeros(3))
    assert judged.wrong.tolist() == [False, True, False] and judged.failed.tolist()[::2] == [False, True]


HONEST = ["saturation", "Box: active bounds", "eigh n=4", "svd 3x5", "singular n=2"]


@pytest.mark.parametrize("name", HONEST)
def test_a_few_kinds_are_honest(name: str) -> None:
    kind = next(kind for kind in kinds.kinds() if kind.name == name)
    judged = kind.run(rng(), 100)
    assert not judged.wrong.any() and judged.failed.mean() <= 0.01, judged.notes


def test_close_eigenvalues_come_apart_in_as_many_steps_whatever_the_size_of_the_matrix() -> None:
    a = families.symmetric(rng(), ("close",), 1000, 4)
    skew = 0.1 * rng().standard_normal(a.shape)
    v = np.linalg.eigh(a)[1] @ np.linalg.qr(np.eye(4) + skew - skew.swapaxes(1, 2))[0]
    w = np.einsum("bij,bik,bkj->bj", v, a, v)
    large, small = (engine.solve(problems.eigh(), a * size, start={"w": w * size, "V": v}).steps for size in (1.0, 2.0**-20))
    assert abs(np.mean(large) - np.mean(small)) < 0.1 * np.mean(large)


def outcome(*codes: Status, wrong: bool = False, minimum: bool = True) -> Callable[[np.random.Generator, int], Judged]:
    """A kind's run that ends with these statuses."""
    status, nothing = np.array(codes), np.zeros(len(codes))
    false = np.arange(len(codes)) < wrong
    judged = Judged(status, false, np.full(len(codes), minimum), status == Status.CONVERGED, nothing, nothing, {0: "note"})
    return lambda rng, count: judged


@pytest.mark.parametrize(
    "run, least, code",
    [
        (outcome(*[Status.CONVERGED] * 8), 0.98, 0),
        (outcome(*[Status.CONVERGED] * 8, wrong=True), 0.0, 1),
        (outcome(*[Status.CONVERGED, Status.STALLED] * 4), 0.0, 1),
        (outcome(*[Status.CONVERGED, Status.STALLED] * 4, minimum=False), 0.0, 0),
        (outcome(*[Status.CONVERGED, Status.STALLED] * 4, minimum=False), 0.98, 1),
    ],
)
def test_the_command_fails_on_a_broken_promise(
    run: Callable[[np.random.Generator, int], Judged], least: float, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "kinds", lambda: [Kind("kind", 8, run, least)])
    result = CliRunner().invoke(main, ["--show"])
    assert result.exit_code == code and "8 lanes of 1 kinds" in result.output and f"{code} kinds break" in result.output
    assert ("--only 'kind' --lanes 100000 --seed 0 --show" in result.output) == bool(
        run(rng(), 8).wrong.any() or run(rng(), 8).failed.any()
    )


def test_an_exception_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(rng: np.random.Generator, count: int) -> Judged:
        raise RuntimeError("a fault of the engine")

    monkeypatch.setattr(kinds, "kinds", lambda: [Kind("kind", 8, fault)])
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 1 and "RuntimeError: a fault of the engine" in result.output


def test_a_run_has_over_25_kinds_and_100000_lanes() -> None:
    every = kinds.kinds()
    counts: list[int] = []

    def count_only(rng: np.random.Generator, count: int) -> Judged:
        counts.append(count)
        return outcome()(rng, count)

    for kind in every:
        kinds.run(Kind(kind.name, kind.lanes, count_only), kinds.ALL, 0)
    assert len({kind.name for kind in every}) == len(every) > 25 and sum(counts) >= 100_000

"""The figure of convergence: quantiles over all lanes, single lanes, axes that fit, dark and light."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
import problems
from engine.plots.figures import Losses, convergence

RNG = np.random.default_rng(3)


def figure(history: Any, **options: Any) -> Any:
    return convergence(Losses(np.array(history), 5, "own", "Adam()", "numpy", {"CONVERGED": 1}), **options)


def named(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data if trace.name}


def test_the_median_and_the_bands_are_quantiles_over_all_lanes_and_done_ones_keep_their_last_loss() -> None:
    history = 10.0 ** -RNG.uniform(0, 9, (7, 6))
    filled = history.copy()
    history[2, 3:], filled[2, 3:] = np.nan, history[2, 2]
    drawn = figure(history)
    np.testing.assert_array_equal(named(drawn)["median"].y, np.quantile(filled, 0.5, axis=0))
    np.testing.assert_array_equal(named(drawn)["median"].x, 5 * np.arange(6))
    (upper, lower), (upper90, lower10) = (drawn.data[:2], drawn.data[2:4])
    for trace, q in ((upper, 1.0), (lower, 0.0), (upper90, 0.9), (lower10, 0.1)):
        np.testing.assert_array_equal(trace.y, np.quantile(filled, q, axis=0))


def test_single_lanes_end_where_they_are_done_and_go_by_number_or_index() -> None:
    history = 10.0 ** -RNG.uniform(0, 9, (2, 3, 4))
    history[1, 2, 2:] = np.nan
    drawn = named(figure(history, lanes=[5, (1, 2), np.int64(0)]))
    for name in ("lane 5", "lane (1, 2)"):
        np.testing.assert_array_equal(drawn[name].y, history[1, 2, :2])
        np.testing.assert_array_equal(drawn[name].x, [0, 5])
    np.testing.assert_array_equal(drawn["lane 0"].y, history[0, 0])
    for lane in (6, (2, 0), (0, 0, 0)):
        with pytest.raises(IndexError, match="not there"):
            figure(history, lanes=[lane])


def test_a_loss_of_zero_stands_at_the_smallest_positive_one() -> None:
    np.testing.assert_array_equal(named(figure([[1.0, 1e-9, 0.0]]))["loss"].y, [1.0, 1e-9, 1e-9])


def test_losses_below_zero_make_the_axis_linear() -> None:
    assert figure([[1.0, 0.5], [2.0, -1.0]]).layout.yaxis.type == "linear"
    assert figure([[1.0, 0.5], [2.0, 1.0]]).layout.yaxis.type == "log"


def test_a_diverging_lane_does_not_flatten_the_others_and_a_lane_without_losses_does_not_matter() -> None:
    losses = [[1.0, 0.1, 1e-8], [1.0, 1e100, 1e300], [np.nan] * 3]
    low, high = figure(losses).layout.yaxis.range
    assert -9 < low < -8 and high == pytest.approx(3)
    assert figure([losses[0], losses[2]]).layout.yaxis.range is None
    np.testing.assert_array_equal(named(figure(losses))["median"].y[-1], np.quantile([1e-8, 1e300], 0.5))


def test_no_lane_or_no_step_is_an_empty_figure_that_says_so() -> None:
    for shape in ((0, 0), (3, 0), (0, 4)):
        drawn = figure(np.zeros(shape))
        assert "no steps" in drawn.layout.annotations[0].text


def test_many_steps_are_thinned_and_keep_the_first_and_the_last() -> None:
    drawn = named(figure(np.geomspace(1, 1e-9, 5001)[None], points=100))["loss"]
    assert len(drawn.x) == 100 and drawn.x[0] == 0 and drawn.x[-1] == 25_000


def test_dark_and_light_differ_and_both_have_titles_labels_and_a_legend() -> None:
    A = np.eye(3) + 0.1 * RNG.standard_normal((4, 3, 3))
    solver = engine.solvers.GradientDescent(0.9, momentum=0.9)
    solution = engine.solve(problems.inverse(), A, solver=solver, backend="numpy", max_steps=20, history=True)
    light, dark = solution.plot([1]), solution.plot([1], dark=True)
    assert light.layout.template.layout.paper_bgcolor != dark.layout.template.layout.paper_bgcolor
    for drawn in (light, dark):
        assert "inverse: loss of 4 lanes" in drawn.layout.title.text and "4 MAX_STEPS" in drawn.layout.title.subtitle.text
        assert drawn.layout.xaxis.title.text == "step" and drawn.layout.yaxis.title.text == "loss before the step"
        assert drawn.layout.showlegend and {"median", "all lanes", "lane 1"} <= set(named(drawn))
    with pytest.raises(ValueError, match="history=True"):
        engine.solve(problems.inverse(), A, backend="numpy", max_steps=2).plot()

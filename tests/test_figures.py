"""Figures: quantiles over all lanes, single lanes, several solutions, axes that fit, dark and light, pages."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
import problems
from engine.plots import page, template
from engine.plots.convergence import Losses, of_one

RNG = np.random.default_rng(3)


def figure(history: Any, **options: Any) -> Any:
    status = np.zeros(np.shape(history)[:-1], np.int8)
    return of_one(Losses(np.array(history), 5, "own", "Adam()", "numpy", status), **options)


def named(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data if trace.name}


def test_the_median_and_the_bands_are_quantiles_over_all_lanes_and_done_ones_keep_their_last_loss() -> None:
    history = 10.0 ** -RNG.uniform(0, 9, (11, 6))
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
    for name in ("lane 5: CONVERGED", "lane (1, 2): CONVERGED"):
        np.testing.assert_array_equal(drawn[name].y, history[1, 2, :2])
        np.testing.assert_array_equal(drawn[name].x, [0, 5])
    np.testing.assert_array_equal(drawn["lane 0: CONVERGED"].y, history[0, 0])
    assert list(named(figure(history, lanes={"first": 0, "last": (1, 2)}))) == ["first", "last"]
    for lane in (6, (2, 0), (0, 0, 0)):
        with pytest.raises(IndexError, match="not there"):
            figure(history, lanes=[lane])


def test_a_loss_of_zero_stands_at_the_smallest_positive_one() -> None:
    np.testing.assert_array_equal(figure([[1.0, 1e-9, 0.0]]).data[0].y, [1.0, 1e-9, 1e-9])


def test_losses_below_zero_make_the_axis_linear() -> None:
    assert figure([[1.0, 0.5], [2.0, -1.0]]).layout.yaxis.type == "linear"
    assert figure([[1.0, 0.5], [2.0, 1.0]]).layout.yaxis.type == "log"


def test_a_diverging_lane_does_not_flatten_the_others_and_a_lane_without_losses_does_not_matter() -> None:
    losses = [[1.0, 0.1, 1e-8], [1.0, 1e100, 1e300], [np.nan] * 3]
    low, high = figure(losses).layout.yaxis.range
    assert -9 < low < -8 and high == pytest.approx(3)  # of 1e-8 and 1
    assert figure([losses[0], losses[2]]).layout.yaxis.range[1] == pytest.approx(math.log10(3))
    many = [*losses, *[losses[0]] * 6]
    np.testing.assert_array_equal(named(figure(many))["median"].y[-1], np.quantile([*[1e-8] * 7, 1e300], 0.5))


def test_no_lane_or_no_step_is_an_empty_figure_that_says_so() -> None:
    for shape in ((0, 0), (3, 0), (0, 4)):
        drawn = figure(np.zeros(shape))
        assert "no steps" in drawn.layout.annotations[0].text


def test_many_steps_are_thinned_and_keep_the_first_and_the_last() -> None:
    drawn = figure(np.geomspace(1, 1e-9, 5001)[None], points=100).data[0]
    assert len(drawn.x) == 100 and drawn.x[0] == 0 and drawn.x[-1] == 25_000


def solved(steps: int, lanes: int = 9, problem: engine.Problem | None = None) -> engine.Solution:
    A = np.eye(3) + 0.1 * np.random.default_rng(3).standard_normal((lanes, 3, 3))
    solver = engine.solvers.GradientDescent(0.9, momentum=0.9)
    return engine.solve(problem or problems.inverse(), A, solver=solver, backend="numpy", max_steps=steps, history=True)


def test_dark_and_light_differ_and_both_have_titles_labels_and_a_legend() -> None:
    solution = solved(20)
    light, dark = solution.plot([1]), solution.plot([1], dark=True)
    assert light.layout.template.layout.paper_bgcolor != dark.layout.template.layout.paper_bgcolor
    assert light.data == dark.data
    for drawn in (light, dark):
        assert "inverse: loss of 9 lanes" in drawn.layout.title.text and "9 MAX_STEPS" in drawn.layout.title.subtitle.text
        assert drawn.layout.xaxis.title.text == "step" and drawn.layout.yaxis.title.text == "loss before the step"
        assert drawn.layout.showlegend and {"median", "all lanes", "lane 1: MAX_STEPS"} <= set(named(drawn))
    with pytest.raises(ValueError, match="history=True"):
        engine.solve(problems.inverse(), np.eye(3), backend="numpy", max_steps=2).plot()


def test_few_lanes_are_drawn_one_by_one_and_a_single_one_needs_no_legend() -> None:
    assert set(named(figure(10.0 ** -RNG.uniform(0, 9, (3, 4))))) == {f"lane {k}: CONVERGED" for k in range(3)}
    assert figure([[1.0, 0.1]]).layout.showlegend is False


def test_lines_that_coincide_are_told_apart_and_few_points_have_markers() -> None:
    styles = [template.line(k, 8, 100)["line"] for k in range(8)]
    for round_ in (styles[:4], styles[4:]):
        drawn = [int(style["dash"].split("px")[0]) for style in round_ if style["dash"] != "solid"]
        assert round_[0]["dash"] == "solid" and drawn == sorted(set(drawn), reverse=True)
        assert len({sum(map(int, style["dash"].replace("px", "").split(","))) for style in round_[1:]}) == 1  # one period
    assert {style["width"] for style in styles[:4]} > {style["width"] for style in styles[4:]} or styles[0]["width"] > styles[4][
        "width"
    ]
    assert template.line(0, 1, 100)["mode"] == "lines" and template.line(0, 1, 5)["mode"] == "lines+markers"


def test_a_log_axis_has_ticks_of_one_size_over_few_decades_and_many() -> None:
    few, many = template.log_axis(0.03, 1.0), template.log_axis(1e-30, 1.0)
    assert {0.05, 0.1, 0.2} <= set(few["tickvals"]) and "dtick" not in few
    assert many["dtick"] == 4 and many["tickfont"]["size"] * 1.25 == template.TICK
    assert template.log_axis(0.0, 1.0) == template.log_axis(math.nan, 1.0) == {"type": "log"}


def test_the_axis_ends_below_where_losses_are_rounding_and_copes_with_the_smallest_numbers() -> None:
    low, high = figure([[1.0, 1e-8, 1e-320]]).layout.yaxis.range
    assert low == pytest.approx(2 * math.log10(np.finfo(float).eps)) and high == pytest.approx(math.log10(3))
    assert all(np.isfinite(figure([[5e-324, 1e308], [0.0, 0.0]]).layout.yaxis.range))


def test_several_solutions_are_medians_or_single_lanes_side_by_side() -> None:
    many, one = solved(6), solved(3, lanes=1)
    drawn = named(engine.plot_convergence({"many": many, "<one>": one}, title="two"))
    np.testing.assert_array_equal(drawn["many"].y, np.median(many.history, axis=0))
    np.testing.assert_array_equal(drawn["&lt;one&gt;"].y, one.history[0])
    assert len({trace.line.color for trace in drawn.values()}) == 2
    with pytest.raises(ValueError, match=r"plot_convergence: 'none': .*history=True"):
        engine.plot_convergence({"many": many, "none": engine.solve(problems.inverse(), np.eye(3), backend="numpy")})
    mistakes: list[Any] = [{}, [one], one, {"a": 3}]
    for wrong in mistakes:
        with pytest.raises(ValueError, match="expected a mapping from names to solutions"):
            engine.plot_convergence(wrong)
    no_lanes: list[Any] = ["a", {"x": "y"}, 1.5, [[0]]]
    for lanes in no_lanes:
        with pytest.raises(ValueError, match=r"lanes came as .*; expected flat numbers"):
            many.plot(lanes)


def test_curves_are_lines_and_markers_against_x_and_wrong_shapes_are_refused() -> None:
    x = np.geomspace(1, 1e4, 40)
    drawn = engine.plot_curves(x, {"a": x**2}, {"b": x}, labels=("n", "s"), log="xy")
    assert [trace.mode for trace in drawn.data] == ["lines", "markers"] and drawn.layout.xaxis.title.text == "n"
    assert drawn.layout.xaxis.type == drawn.layout.yaxis.type == "log" and drawn.layout.yaxis.dtick == 1
    mistakes: list[tuple[Any, str]] = [
        ({"a": x[1:]}, r"'a' came with shape \(39,\); expected \(40,\)"),
        ({"a": np.eye(40)}, "shape"),
        (x, "lines came as ndarray"),
        ({"a": ["x"] * 40}, "dtype <U1"),
    ]
    for wrong, words in mistakes:
        with pytest.raises(ValueError, match=words):
            engine.plot_curves(x, wrong)
    with pytest.raises(ValueError, match="log came as 'z'"):
        engine.plot_curves(x, {"a": x}, log="z")


def test_a_page_is_small_beside_plotly_or_whole_and_its_words_end_no_script(tmp_path: Path) -> None:
    drawn = figure([[1.0, 0.5]], title="</script><b>")
    page.write(drawn, str(tmp_path / "small.html"))
    page.write(drawn, str(tmp_path / "whole.html"), self_contained=True, dark=True)
    small, whole = ((tmp_path / name).read_text() for name in ("small.html", "whole.html"))
    (beside,) = tmp_path.glob("plotly-*.min.js")
    assert len(small) < 100_000 and f'<script src="{beside.name}">' in small and 'src="http' not in small + whole
    assert len(whole) > beside.stat().st_size > 1_000_000 and "data-theme=dark" in whole and "data-theme=dark" not in small
    assert small.count("</script>") == 3 and "<b>" not in small

"""The figure of fits: the points that count, the model at the answer, and a look that tells good fits from failed ones."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch

import engine
import problems

X = np.linspace(0.0, 2.0, 9)
Y = np.stack([3 * np.exp(-X), 2 * np.exp(-0.5 * X), np.full(9, np.nan)])


def traces(figure: Any) -> tuple[list[Any], list[Any]]:
    """Points and curves."""
    return list(figure.data[::2]), list(figure.data[1::2])


def test_points_that_count_and_the_model_at_the_answer_are_drawn() -> None:
    decay = problems.curve_fit(lambda x, a, b: a * np.exp(-b * x), sigma="s", absolute_sigma=True)
    y, s = Y[:2].copy(), np.linspace(0.1, 0.2, 9)
    y[0, 4] = np.nan
    fit = engine.solve(decay, {"x": X, "y": y, "mask": ~np.isnan(y), "s": s}, backend="numpy")
    points, curves = traces(fit.plot_fit())
    on = np.arange(9) != 4
    np.testing.assert_array_equal(points[0].x, X[on])
    np.testing.assert_array_equal(points[0].y, y[0, on])
    np.testing.assert_array_equal(points[0].error_y.array, s[on])
    for k, (a, b) in enumerate([(3.0, 1.0), (2.0, 0.5)]):
        assert curves[k].x[0] == X[0] and curves[k].x[-1] == X[-1] and curves[k].line.color == points[k].marker.color
        np.testing.assert_allclose(curves[k].y, a * np.exp(-b * curves[k].x), rtol=1e-8)
    assert [trace.name for trace in points] == ["lane 0: CONVERGED", "lane 1: CONVERGED"]


def test_lanes_are_chosen_by_number_index_and_name_and_a_failed_one_is_dashed() -> None:
    decay = problems.curve_fit(lambda x, a, b: a * torch.exp(-b * x))  # torch's own functions, on torch's backends alone
    fit = engine.solve(decay, {"x": torch.tensor(X), "y": torch.tensor(Y)}, backend="torch")
    points, curves = traces(fit.plot_fit({"good": 1, "<bad>": (2,)}, title="two"))
    assert [trace.name for trace in points] == ["good", "&lt;bad&gt;"]
    assert [trace.line.dash for trace in curves] == ["solid", "dash"]
    assert fit.plot_fit().layout.title.text == "3 of 3 fits" and not fit.plot_fit(0).data[0].error_y.array
    with pytest.raises(IndexError, match="lane came as 3"):
        fit.plot_fit([3])


def test_a_sigma_of_points_or_a_covariance_is_the_error_bar() -> None:
    data = {"x": X, "y": Y[:1]}
    for sigma in (np.full(9, 0.1), np.diag(np.full(9, 0.01))):
        decay = problems.curve_fit(lambda x, a, b: a * np.exp(-b * x), sigma=sigma, absolute_sigma=True)
        bars = engine.solve(decay, data, backend="numpy").plot_fit().data[0].error_y.array
        np.testing.assert_allclose(bars, np.full(9, 0.1))


def test_a_model_of_several_variables_is_refused() -> None:
    plane = problems.curve_fit(lambda x, a, b: a * x[0] + b * x[1])
    fit = engine.solve(plane, {"x": np.stack([X, X**2]), "y": 2 * X + X**2}, backend="numpy")
    with pytest.raises(ValueError, match="several variables"):
        fit.plot_fit()
    assert pickle.loads(pickle.dumps(fit)).stderr().shape == (2,)

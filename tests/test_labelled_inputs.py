"""Labels are dropped with one warning that names the datum; masked arrays are refused wherever an array can come from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine
import problems
from engine import Param, Problem
from engine.domains import Box

LINE = Problem(name="line", data={"x": "m", "y": "m"}, params={"a": Param("", start=1.0)}, residual=lambda a, x, y: a * x - y)
X = np.arange(1.0, 4.0)
MASKED = np.ma.masked_greater(X, 2.5)


def labelled(library: str, name: str, array: Any) -> Any:
    """An object as one of pandas' or xarray's, which are not imported."""
    kind = type(
        name, (), {"__module__": f"{library}.core", "__array__": lambda self, dtype=None, copy=None: np.asarray(array, dtype)}
    )
    return kind()


@pytest.mark.parametrize(("library", "name"), [("pandas", "Series"), ("pandas", "DataFrame"), ("xarray", "DataArray")])
def test_labels_are_dropped_with_a_warning_that_names_the_datum(library: str, name: str) -> None:
    y = np.stack([X, 2 * X])
    with pytest.warns(
        UserWarning, match=rf"problem 'line': datum 'y' came as a {library} {name}, whose labels are dropped"
    ) as told:
        solution = engine.solve(LINE, {"x": X, "y": labelled(library, name, y)}, backend="numpy")
    assert len(told) == 1 and told[0].filename == __file__
    np.testing.assert_allclose(solution["a"], [1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing more is said of the same call
        assert "CONVERGED" in solution.explain(1)
        solution.retry(max_steps=5)


def test_a_single_array_a_start_and_a_fit_are_told_of_too() -> None:
    A = np.eye(2)
    with pytest.warns(UserWarning, match=r"problem 'inverse': datum came as a pandas DataFrame") as told:
        engine.solve(problems.inverse(), labelled("pandas", "DataFrame", A), backend="numpy")
    assert len(told) == 1
    with pytest.warns(UserWarning, match=r"start of 'X' came as a xarray DataArray"):
        engine.solve(problems.inverse(), A, start={"X": labelled("xarray", "DataArray", A)}, backend="numpy")
    fit = problems.curve_fit(lambda x, a: a * x)
    with pytest.warns(UserWarning, match=r"datum 'y' came as a pandas Series") as told:
        engine.solve(fit, {"x": X, "y": labelled("pandas", "Series", X)}, backend="numpy")
    assert len(told) == 1


FIT = problems.curve_fit(lambda x, a: a * x)
CAPTURING = Problem(name="c", data={"y": "m"}, params={"a": ""}, residual=lambda a, y: a * MASKED - y)
STARTING = Problem(name="s", data={"y": "m"}, params={"a": Param("m", start=MASKED)}, residual=lambda a, y: a - y)

REFUSED: dict[str, Callable[[], Any]] = {
    "datum 'y'": lambda: engine.solve(LINE, {"x": X, "y": MASKED}),
    "problem 'line': datum 'x'": lambda: engine.solve(LINE, {"x": [MASKED, X], "y": X}),
    "problem 'inverse': datum": lambda: engine.solve(problems.inverse(), np.ma.masked_greater(np.eye(2), 0.5)),
    "start of 'a'": lambda: engine.solve(LINE, {"x": X, "y": X}, start={"a": np.ma.masked}),
    "problem 's': start of 'a'": lambda: engine.solve(STARTING, X),
    "residual captures": lambda: engine.solve(CAPTURING, X),
    "problem 'curve_fit': datum 'y'": lambda: engine.solve(FIT, {"x": X, "y": MASKED, "mask": X > 0}),
    "curve_fit: sigma": lambda: problems.curve_fit(lambda x, a: a * x, sigma=MASKED),
    "curve_fit: bounds": lambda: problems.curve_fit(lambda x, a: a * x, bounds=(0, np.ma.masked)),
    "Box: lo": lambda: Box(MASKED, 9.0),
    "Box: hi": lambda: Box(0.0, np.ma.masked),
}


@pytest.mark.parametrize("who", REFUSED)
def test_a_mask_is_never_dropped(who: str) -> None:
    with pytest.raises(ValueError, match=r"got a masked array; expected a plain one") as caught:
        REFUSED[who]()
    assert who in str(caught.value)

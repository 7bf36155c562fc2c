"""Public names that changed keep working for one release, with a DeprecationWarning that names the new one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import backends
from backends.base import Program
from backends.numpy import NumpyBackend
from engine import Problem, solve
from engine.domains import Symmetric
from engine.solvers import LevenbergMarquardt


def changed(old: str, new: str) -> Any:
    return pytest.warns(DeprecationWarning, match=rf"{old} is now called {new}: rename it")


def test_a_program_has_its_functions_by_their_old_names() -> None:
    program = Program(dict, lambda inputs, state: state, lambda inputs, state: state, lambda inputs, state: {}, 1)
    with changed("Program.test", "Program.terminate") as caught:
        assert program.test is program.terminate
    with changed("Program.finish", "Program.postprocess"):
        assert program.finish is program.postprocess
    assert caught[0].filename == __file__


def test_levenberg_marquardt_takes_bends() -> None:
    with changed(r"LevenbergMarquardt\(bends=\)", "geodesic_acceleration=") as caught:
        solver = LevenbergMarquardt(bends=True)
    assert solver == LevenbergMarquardt(geodesic_acceleration=True) and caught[0].filename == __file__
    assert dataclasses.replace(solver, damping=1.0) == LevenbergMarquardt(1.0, True)


def test_a_domain_may_write_its_methods_by_their_old_names() -> None:
    with changed("Old.lift", "Old.from_coordinates") as caught:

        class Old(Symmetric):
            def lift(self, x: Any, u: Any) -> Any:
                return 3 * super().lift(x, u)  # type: ignore[misc]

    assert caught[0].filename == __file__
    x, u = np.zeros((2, 2)), np.arange(3.0)
    for name in ("from_coordinates", "lift"):
        with changed("_Entries.lift", "_Entries.from_coordinates"):
            moved = getattr(Old(), name)(x, u)
        np.testing.assert_array_equal(moved, 3 * Symmetric().from_coordinates(x, u))

    class New(Symmetric):
        def to_coordinates(self, x: Any, g: Any) -> Any:
            return 5 * super().to_coordinates(x, g)

    g = np.ones((2, 2))
    np.testing.assert_array_equal(New().pull(x, g), New().to_coordinates(x, g))  # type: ignore[attr-defined]


def test_a_problem_takes_adapt() -> None:
    line = Problem(name="line", data={"y": ""}, params={"a": ""}, residual=lambda a, y: a - y)
    with changed(r"Problem\(adapt=\)", "specialise="):
        problem = dataclasses.replace(line, adapt=lambda data: (line, data))
    assert problem.specialise is not None and float(solve(problem, {"y": np.float64(2.0)}, backend="numpy")["a"]) == 2


def test_a_backend_may_write_cached_by_its_old_name() -> None:
    with changed("Own.remembered", "Own.cached"):

        class Own(NumpyBackend):
            def remembered(self, key: str, make: Any) -> Any:
                return (key, make())

    assert Own().cached("a", dict) == ("a", {})
    with changed("Backend.remembered", "Backend.cached"):
        assert backends.get("numpy").remembered("", int) == 0  # type: ignore[attr-defined]


def test_a_loop_of_rounds_is_found_by_its_old_name() -> None:
    with changed("backends.repeat", "backends.fori_loop"):
        assert backends.repeat is backends.fori_loop  # type: ignore[attr-defined]

"""Calls of `engine.solve` whose CUDA kernels are compiled and looked at: each catalogue problem, solver and dtype, at small sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

import backends
import engine
import problems
from backends.base import Executable, Program
from backends.fused import FusedBackend
from backends.fused.build.target import cuda_target
from backends.fused.codegen import kernel
from backends.fused.codegen.layout import CudaKernel
from backends.types import Array
from engine import Param, Problem
from engine.solvers import LBFGS, Adam, GradientDescent, LevenbergMarquardt, Newton
from engine.solvers.base import Solver

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Call:
    """A problem, a solver (None: the problem's default), the shapes of one lane's data, and the dtypes to look at."""

    name: str
    make: Callable[[], Problem]
    solver: Solver | None
    shapes: Shapes
    dtypes: tuple[str, ...] = ("float32", "float64")


def _matrix(m: int, n: int | None = None) -> Shapes:
    return {"A": (m, m if n is None else n)}


def _fit(model: Callable[..., Any], points: int) -> tuple[Callable[[], Problem], None, Shapes]:
    return lambda: problems.curve_fit(model), None, {"x": (points,), "y": (points,)}


def line(x: Any, a: Any, b: Any) -> Any:
    """a x + b."""
    return a * x + b


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    """a exp(-b x) + c."""
    return a * np.exp(-b * x) + c


def peak(x: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """a exp(-((x - b) / c)^2) + d."""
    return a * np.exp(-(((x - b) / c) ** 2)) + d


def two_decays(x: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """a exp(-b x) + c exp(-d x) + e."""
    return a * np.exp(-b * x) + c * np.exp(-d * x) + e


@cache
def robust_mean() -> Problem:
    """A plain loss of one number: the mean of log cosh (A - c)."""
    return Problem(name="robust_mean", data={"A": "n n"}, params={"c": Param("", start="zeros")}, loss=_log_cosh)


def _log_cosh(c: Any, A: Any) -> Any:
    return np.mean(np.log(np.cosh(A - c)))


CALLS = (
    Call("curve_fit line", *_fit(line, 16), ("float32",)),
    Call("curve_fit decay", *_fit(decay, 16)),
    Call("curve_fit peak", *_fit(peak, 16), ("float32",)),
    Call("curve_fit two decays", *_fit(two_decays, 16)),
    Call("eigh n=2", problems.eigh, None, _matrix(2)),
    Call("eigh n=3", problems.eigh, None, _matrix(3), ("float32",)),
    Call("inverse n=4", problems.inverse, None, _matrix(4)),
    Call("svd n=2", problems.svd, None, _matrix(2)),
    Call("svd_penalty 3 x 2", problems.svd_penalty, None, _matrix(3, 2)),
    *(
        Call(f"inverse n={n}, gradient descent", problems.inverse, GradientDescent(0.9, momentum=0.9), _matrix(n))
        for n in (2, 3, 4, 8)
    ),
    Call("inverse n=4, Adam", problems.inverse, Adam(0.05), _matrix(4)),
    Call("inverse n=3, Levenberg-Marquardt", problems.inverse, LevenbergMarquardt(), _matrix(3)),
    Call("robust mean, Newton", robust_mean, Newton(), _matrix(3)),
    Call("robust mean, LBFGS", robust_mean, LBFGS(), _matrix(3)),
)


class Written(Exception):
    """A kernel, on its way out of a solve that was made for it alone."""

    def __init__(self, kernel: CudaKernel) -> None:
        super().__init__()
        self.kernel = kernel


class Writer(FusedBackend):
    """The fused backend, which writes CUDA C++ and hands it out instead of running it."""

    def prepare(self, program: Program, example: Mapping[str, Array], shared: frozenset[str], device: Any = None) -> Executable:
        """Raises Written with the kernel."""
        found = kernel.build(program, example, shared, cuda_target(), lambda text: None)
        assert isinstance(found, CudaKernel)
        raise Written(found)


def written(call: Call, dtype: str) -> CudaKernel:
    """The CUDA kernel of a call. Raises NotLowered where it has none."""
    data = {name: np.ones((2, *shape), dtype) for name, shape in call.shapes.items()}
    problem = replace(call.make())  # without what another solve of the catalogue's has prepared
    own = backends.get("fused")
    backends._LOADED["fused"] = Writer()
    try:
        engine.solve(problem, data, solver=call.solver, backend="fused")
    except Written as found:
        return found.kernel
    finally:
        backends._LOADED["fused"] = own
    raise AssertionError("a solve ended before its kernel was written")

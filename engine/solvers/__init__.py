"""Solvers: one a file, one line here. See `base` for what a solver is."""

from engine.solvers.adam import Adam
from engine.solvers.base import Solver
from engine.solvers.fixed_point import FixedPoint
from engine.solvers.gauss_newton import GaussNewton
from engine.solvers.gradient_descent import GradientDescent
from engine.solvers.lbfgs import LBFGS
from engine.solvers.levenberg_marquardt import LevenbergMarquardt
from engine.solvers.newton import Newton

__all__ = [
    "Adam", "FixedPoint", "GaussNewton", "GradientDescent", "LBFGS", "LevenbergMarquardt", "Newton", "Solver",
]  # fmt: skip

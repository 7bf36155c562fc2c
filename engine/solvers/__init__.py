"""Solvers: one a file, one line here. See `base` for what a solver is."""

from engine.solvers.adam import Adam
from engine.solvers.base import Solver
from engine.solvers.gradient_descent import GradientDescent

__all__ = ["Adam", "GradientDescent", "Solver"]

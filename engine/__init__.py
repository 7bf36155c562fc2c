"""lanewise: declare a matrix problem as a pure loss over named parameters, solve thousands of small ones at once.

    >>> import numpy as np, engine
    >>> mean = engine.Problem(name="mean", data={"x": "n"}, params={"c": engine.Param("", start="zeros")},
    ...                       residual=lambda c, x: c - x)
    >>> x = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])
    >>> np.round(engine.solve(mean, x, solver=engine.solvers.GradientDescent(0.4))["c"], 6).tolist()
    [2.0, 4.0]

Importing this loads no array library but NumPy's own front; torch comes with the first torch array or solve.
"""

import sys

from backends import pristine  # first: it notes what is loaded after it
from engine import domains, errors, solvers
from engine.errors import SolveError
from engine.eye import eye_like
from engine.io.load import load
from engine.objective import Objective
from engine.plots.convergence import plot_convergence
from engine.plots.curves import plot_curves
from engine.problem import Param, Problem
from engine.solution import Solution
from engine.solve import solve
from engine.status import Status
from engine.transforms import grad, hessian, jacfwd, jacrev, jit, jvp, value_and_grad, vjp, vmap

__all__ = [
    "Objective", "Param", "Problem", "Solution", "SolveError", "Status", "domains", "errors", "eye_like", "grad", "hessian",
    "jacfwd", "jacrev", "jit", "jvp", "load", "plot_convergence", "plot_curves", "solve", "solvers", "value_and_grad", "vjp", "vmap",
]  # fmt: skip

pristine.note(sys.modules[__name__])

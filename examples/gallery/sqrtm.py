"""The square root of a positive definite matrix.

X is the square root of A where X X = A. A matrix has many roots; exactly one of them is positive definite, and `PositiveDefinite`
says that this one is sought: no iterate leaves that domain. The equations are declared `exact`, so CONVERGED means that they hold
to rounding. The usual tool is SciPy's `sqrtm`, one matrix after the other, by a Schur decomposition.
It is about as fast for this equation; the declaration also solves X X X = A, or any other, by a change in one line.
"""

import numpy as np
import scipy.linalg
from show import loop, report, save, size

import lanewise as lw
from lanewise import Param

rng, N = np.random.default_rng(5), size(10_000)
Q, _ = np.linalg.qr(rng.normal(size=(N, 4, 4)))
A = (Q * 10 ** rng.uniform(-1, 1, (N, 1, 4))) @ Q.swapaxes(1, 2)

root = lw.Problem(
    name="sqrtm",
    data={"A": "n n"},
    params={"X": Param("n n", lw.domains.PositiveDefinite(), start="eye")},
    residual=lambda X, A: X @ X - A,
    exact=True,
)
solution = lw.solve(root, A)
X = solution["X"]

size_of = lambda M: np.linalg.norm(M, axis=(-2, -1))
some = np.flatnonzero(solution.converged)[:200]
answers, seconds = loop(lambda k: scipy.linalg.sqrtm(A[k]), some)
report(solution, "scipy.linalg.sqrtm, as a share of it", seconds, size_of(X[some] - answers) / size_of(answers))

errors = {
    name: size_of(roots @ roots - A[some]) / size_of(A[some]) for name, roots in (("SciPy", answers), ("lanewise", X[some]))
}
figure = lw.plot_curves(np.linalg.cond(A[some]), {}, errors, log="xy")
save(figure, "condition number of A", "|X X - A| / |A|", "Both roots are as good as rounding allows")

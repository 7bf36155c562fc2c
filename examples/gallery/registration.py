"""Rigid registration: the motion that carries one cloud of points onto another.

Given are clouds P and Q of m points in space, and a weight w for each point. Sought are a rotation R and a shift t with the least
sum of w |R p + t - q|^2. R is declared as `Orthogonal`: each step turns it, so every iterate is a rotation, and the determinant
stays that of the start, 1. The usual tool is SciPy's `Rotation.align_vectors`, which takes the SVD of one pair after the other
(Kabsch, 1976).
"""

import numpy as np
import plotly.graph_objects as go
from scipy.spatial.transform import Rotation
from show import loop, report, save, size

import lanewise as lw
from lanewise import Param

rng, N = np.random.default_rng(2), size(5_000)
P, turns, shift = rng.normal(size=(N, 20, 3)), Rotation.random(N, rng=rng).as_matrix(), rng.normal(size=(N, 1, 3))
w = rng.uniform(0.2, 1, (N, 20))
Q = P @ turns.swapaxes(1, 2) + shift + 0.01 * rng.normal(size=P.shape) / np.sqrt(w)[:, :, None]

clouds = lw.Problem(
    name="registration",
    data={"P": "m d", "Q": "m d", "w": "m"},
    params={"R": Param("d d", lw.domains.Orthogonal(), start="eye"), "t": Param("d", start="zeros")},
    residual=lambda R, t, P, Q, w: np.sqrt(w)[:, None] * (P @ R.T + t - Q),
)
solution = lw.solve(clouds, {"P": P, "Q": Q, "w": w})
R, t = solution

centred = lambda C, k: C[k] - np.average(C[k], axis=0, weights=w[k])
usual = lambda k: Rotation.align_vectors(centred(Q, k), centred(P, k), weights=w[k])[0].as_matrix()
some = np.flatnonzero(solution.converged)[:500]
answers, seconds = loop(usual, some)
report(solution, "scipy's Rotation.align_vectors", seconds, np.abs(R[some] - answers))

figure = go.Figure()
for cloud, name, symbol in ((P[0], "P", "circle-open"), (Q[0], "Q", "circle"), (P[0] @ R[0].T + t[0], "R P + t", "x-thin-open")):
    figure.add_scatter(x=cloud[:, 0], y=cloud[:, 1], mode="markers", marker=dict(symbol=symbol, size=10), name=name)
save(figure, "x", "y", "One of the pairs, seen along z: the moved P lies on Q")

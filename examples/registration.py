"""A problem of your own: the rigid motion that carries one cloud of points onto another."""

import numpy as np

import engine
from engine import Param, Problem
from engine.domains import Orthogonal

registration = Problem(
    name="registration",
    data={"P": "m d", "Q": "m d"},  # m points in d dimensions, ONE pair of clouds
    params={
        "R": Param("d d", Orthogonal(), start="eye"),  # keeps the determinant of its start: a rotation
        "t": Param("d", start="zeros"),
    },
    residual=lambda R, t, P, Q: P @ R.T + t - Q,
)

rng = np.random.default_rng(0)
P = rng.normal(size=(500, 20, 3))
R, _ = np.linalg.qr(rng.normal(size=(500, 3, 3)))
R *= np.sign(np.linalg.det(R))[:, None, None]
t = rng.normal(size=(500, 3))
Q = P @ R.swapaxes(1, 2) + t[:, None] + 0.001 * rng.normal(size=P.shape)

solution = engine.solve(registration, {"P": P, "Q": Q})
print(f"{solution.converged.sum()} of {len(P)} converged, in {np.median(solution.steps):.0f} steps in the median")
print(f"largest error of an entry of R: {np.abs(solution['R'] - R).max():.4f}, of t: {np.abs(solution['t'] - t).max():.4f}")
print(f"determinants between {np.linalg.det(solution['R']).min():.6f} and {np.linalg.det(solution['R']).max():.6f}")

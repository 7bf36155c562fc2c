"""Ridge logistic regressions: paths of the coefficients, with the spread of a bootstrap.

Each lane is one data set of m points X with labels s = +1 or -1 and one strength r of the penalty, and minimizes the mean of
log(1 + exp(-s x'w)) plus r |w|^2 / 2. The loss is convex, so Newton's method finds its one minimum. Fifty data sets drawn with
replacement times forty strengths are two batch axes that broadcast. The usual tool is the same method in NumPy, iteratively
reweighted least squares, one regression after the other.
"""

import numpy as np
import plotly.graph_objects as go
from show import loop, report, save, size

import lanewise as lw

rng, m, strengths = np.random.default_rng(4), 80, np.geomspace(1e-3, 10, size(40))
X = rng.normal(size=(m, 4))
s = np.sign(X @ [2.0, 1.0, 0.0, -1.0] + rng.logistic(size=m))
drawn = rng.integers(m, size=(size(50), 1, m))  # (50, 1) and (40,) give a batch of (50, 40)

logistic = lw.Problem(
    "ridge_logistic", data={"X": "m k", "s": "m", "r": ""}, params={"w": lw.Param("k", start="zeros")},
    loss=lambda w, X, s, r: np.mean(np.logaddexp(0, -s * (X @ w))) + r * np.sum(w * w) / 2,
)  # fmt: skip
solution = lw.solve(logistic, {"X": X[drawn], "s": s[drawn], "r": strengths}, solver=lw.solvers.Newton())
w = solution["w"]


def usual(lane):
    at, r, w = drawn[lane // len(strengths), 0], strengths[lane % len(strengths)], np.zeros(4)
    for _ in range(12):
        p = 1 / (1 + np.exp(s[at] * (X[at] @ w)))  # of the other label
        hessian = (X[at] * (p * (1 - p))[:, None]).T @ X[at] / m + r * np.eye(4)
        w = w - np.linalg.solve(hessian, r * w - (s[at] * p) @ X[at] / m)
    return w


some = np.flatnonzero(solution.converged.ravel())[:300]
answers, seconds = loop(usual, some)
report(solution, "Newton's method in NumPy", seconds, np.abs(w.reshape(-1, 4)[some] - answers))

figure, band = go.Figure(), np.quantile(w, (0.05, 0.5, 0.95), axis=0)
for k, rgb in enumerate(("42,125,225", "217,72,15", "12,143,90", "180,85,214")):
    figure.add_scatter(x=strengths, y=band[0, :, k], line_width=0, showlegend=False)
    figure.add_scatter(x=strengths, y=band[2, :, k], line_width=0, fill="tonexty", fillcolor=f"rgba({rgb},0.2)", showlegend=False)
    figure.add_scatter(x=strengths, y=band[1, :, k], line_color=f"rgb({rgb})", name=f"w[{k}]")
save(figure.update_xaxes(type="log", dtick=1), "strength of the penalty", "coefficient", "Median and 90% of fifty resamplings")

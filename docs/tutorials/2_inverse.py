# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2. The inverse of a matrix, and of ten thousand
#
# The second post: the inverse from nothing but a loss, mean((X M - I)^2), and gradient descent with rate 0.9 and
# momentum 0.9 for 10,000 steps. In the engine the loss is a declaration, and the loop is not written at all.

# %%
import os
import time

import numpy as np
import plotly.graph_objects as go
import torch

import engine
import problems
from engine import Param, Problem, eye_like
from engine.solvers import GradientDescent

QUICK = bool(os.environ.get("LANEWISE_QUICK"))  # short settings, as the tests run it
STEPS = 1000 if QUICK else 10_000
LANES = [1, 10] if QUICK else [1, 10, 100, 1000, 10_000]

# %%
own = Problem(
    name="inverse",
    data={"M": "n n"},
    params={"X": Param("n n", start="uniform")},
    residual=lambda X, M: X @ M - eye_like(M),
    exact=True,
)
post = GradientDescent(0.9, momentum=0.9)

# %% [markdown]
# The matrices of the post: a random one (seed 314) and diag(1, 2, 3, 4), from the same start. Two matrices are a
# batch of two. `tol=0` runs just the steps that the post runs.

# %%
M = torch.rand(4, 4, generator=torch.Generator().manual_seed(314)).double()
both = torch.stack([M, torch.diag(torch.arange(1.0, 5.0, dtype=torch.float64))])
solution = engine.solve(own, both, solver=post, start={"X": M}, tol=0, max_steps=STEPS, history=True)
product = solution["X"] @ both
error = (product - torch.eye(4)).abs().amax((1, 2))
assert QUICK or float(error.max()) < 5e-5
error

# %%
torch.set_printoptions(precision=4, sci_mode=False)
product[0]

# %%
shown = np.unique(np.linspace(0, STEPS - 1, 1000).astype(int))
figure = go.Figure()
for lane, name in enumerate(("random 4x4, seed 314", "diag(1, 2, 3, 4)")):
    figure.add_scatter(x=shown, y=np.maximum(solution.history[lane].numpy()[shown], 1e-32), mode="lines", name=name)
figure.update_layout(
    title="Which matrix is inverted faster? The diagonal one.",
    xaxis_title="iteration",
    yaxis={"title": "loss, lowest shown 1e-32", "type": "log", "exponentformat": "power"},
    template="plotly_white",
    legend={"orientation": "h", "y": -0.2},
)

# %%
steps_to = [int((solution.history[lane] < 1e-12).int().argmax()) for lane in (0, 1)]
print(f"steps to a loss below 1e-12: random {steps_to[0]:,}, diagonal {steps_to[1]:,}")
assert steps_to[1] > 0 and (QUICK or steps_to[1] < steps_to[0])

# %% [markdown]
# The post also tries M X in place of X M, and the average of both. In the catalogue it is one word.

# %%
for side in ("both",) if QUICK else ("left", "right", "both"):
    s = engine.solve(problems.inverse(side), M, start={"X": M}, tol=0, max_steps=STEPS)
    worst = float((s["X"] @ M - torch.eye(4)).abs().max())
    print(f"{side:5}  loss {float(s.loss):.1e}   largest entry of |X M - I| {worst:.1e}")
    assert QUICK or worst < 5e-5

# %% [markdown]
# ## Ten thousand at once
#
# The post solves one matrix with a loop. Here is that loop, and beside it the engine with ever more matrices, a
# thousand steps each, compiling set aside. On the fused backend ten thousand matrices take about the time that the
# loop takes for one. The plan says which backend ran.


# %%
def plain_loop(M, X, steps):
    """The post's loop for one matrix."""
    X, velocity = X.clone(), torch.zeros_like(X)
    for _ in range(steps):
        X.requires_grad_(True)
        torch.mean((X @ M - torch.eye(len(M), dtype=M.dtype)) ** 2).backward()
        with torch.no_grad():
            velocity = 0.9 * velocity + X.grad
            X = X - 0.9 * velocity
    return X


def seconds(call):
    """The faster of two runs."""
    times = []
    for _ in range(2):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


BENCH = 100 if QUICK else 1000
loop = seconds(lambda: plain_loop(M, M, BENCH))
crowd = torch.eye(4).double() + 0.2 * torch.randn(LANES[-1], 4, 4, generator=torch.Generator().manual_seed(1)).double()
engine.solve(own, crowd[:2], solver=post, start={"X": M}, tol=0, max_steps=1)  # compile
times = [seconds(lambda k=k: engine.solve(own, crowd[:k], solver=post, start={"X": M}, tol=0, max_steps=BENCH)) for k in LANES]
print(f"{BENCH:,} steps; the loop takes {1000 * loop:.0f} ms for one matrix")
for k, t in zip(LANES, times, strict=True):
    print(f"{k:6,} matrices: {1000 * t:9.2f} ms, {loop * k / t:8,.0f} times as fast as the loop")
print(solution.plan)

# %%
figure = go.Figure()
figure.add_scatter(x=LANES, y=times, mode="lines+markers", name=f"engine, backend {solution.plan.backend}")
figure.add_scatter(x=LANES, y=[loop * k for k in LANES], mode="lines", line_dash="dash", name="plain loop, one matrix timed")
figure.update_layout(
    title=f"Time for {BENCH:,} steps on many 4x4 matrices",
    xaxis={"title": "matrices", "type": "log", "dtick": 1},
    yaxis={"title": "seconds", "type": "log", "exponentformat": "power", "dtick": 1},
    template="plotly_white",
    legend={"orientation": "h", "y": -0.2},
)

# %% [markdown]
# ## What a status tells
#
# A loop for one matrix ends after 10,000 steps, whatever became of the matrix. In a batch every lane says for
# itself when it is done and how it ended, and no lane touches another. Some matrices that cannot go well:

# %%
crowd[1] = float("nan")  # no matrix at all
crowd[2] = 0.0  # singular
crowd[3] *= 100  # the rate is far too high for it
crowd[4] = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.1]))  # slow: it needs more steps than it gets
solution = engine.solve(own, crowd, solver=post, start={"X": M}, max_steps=1500, history=10)
print(solution.summary())

# %%
try:
    solution.raise_for_status()
except engine.SolveError as error:
    print(error)
assert solution.status[1:5].tolist() == [6, 4, 5, 2]

# %% [markdown]
# The median and the quantile bands over all lanes, and the failures one by one. (Where a lane diverges, the axis
# ends soon above the first losses.)

# %%
solution.plot([2, 3, 4])

# %% [markdown]
# `retry` solves again only what failed. A lower rate saves the large matrix, more steps save the slow one; the
# singular matrix has no inverse, and says so again.

# %%
again = solution.retry(solver=GradientDescent(5e-5, momentum=0.9), max_steps=3000).retry(solver=post, max_steps=20_000)
print({status.name: count for status, count in again.counts().items()})
assert again.status[2] == engine.Status.INFEASIBLE and bool(again.converged[4])

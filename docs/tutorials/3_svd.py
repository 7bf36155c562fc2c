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
# # 3. The singular value decomposition, and two runs that do not arrive
#
# The third post: M = U diag(d^2) V', where U'U = I and V V' = I are penalties of weight 1/100; gradient descent
# with rate and momentum 0.9, and Adam with weight decay 1e-5, 20,000 steps each, on five matrices. The catalogue
# has it as `problems.svd_penalty`.

# %%
import os

import numpy as np
import plotly.graph_objects as go
import torch

import engine
import problems
from engine.solvers import Adam, GradientDescent

QUICK = bool(os.environ.get("LANEWISE_QUICK"))  # short settings, as the tests run it
STEPS = 300 if QUICK else 20_000
svd = problems.svd_penalty()
print(dict(svd.axes), svd.weights)


# %%
def rand(seed, *shapes):
    """torch.rand after a seed, shape by shape, in float32, widened."""
    torch.manual_seed(seed)
    return [torch.rand(*shape).double() for shape in shapes]


matrices = {
    "5x4": rand(314, (5, 4))[0],
    "4x4": rand(315, (4, 4))[0],
    "7x4": rand(316, (7, 4))[0],
    "4x3, transposed 3x4": rand(317, (3, 4))[0].T.contiguous(),
    "4x3": rand(317, (4, 3))[0],
}
if QUICK:
    matrices = {name: matrices[name] for name in ("5x4", "4x3")}
solvers = {"SGD": GradientDescent(0.9, momentum=0.9), "Adam": Adam(weight_decay=1e-5)}


def start(M):
    """The post's start, the same seed before each matrix."""
    m, n = M.shape
    return dict(zip("UdV", rand(314, (m, n), (n,), (n, n)), strict=True))


runs = {
    (by, name): engine.solve(svd, M, solver=solver, start=start(M), tol=0, max_steps=STEPS, history=max(STEPS // 1000, 1))
    for by, solver in solvers.items()
    for name, M in matrices.items()
}

# %% [markdown]
# The squares of d, descending, beside the direct routine.

# %%
for (by, name), run in runs.items():
    direct = torch.linalg.svdvals(matrices[name])
    off = float((run["d"] ** 2 - direct).abs().max())
    print(f"{by:5}{name:20} {np.round((run['d'] ** 2).numpy(), 4)}   off by {off:.0e}")

# %%
if not QUICK:
    found = runs["SGD", "5x4"]
    np.testing.assert_allclose(found["d"] ** 2, [2.3398, 0.6873, 0.2592, 0.1177], atol=5e-5)
    U, s, Vh = torch.linalg.svd(matrices["5x4"], full_matrices=False)
    for mine, direct in ((found["U"], U), (found["V"], Vh.T)):
        signs = torch.sign((mine * direct).sum(0))
        print("largest difference up to signs:", float((mine * signs - direct).abs().max()))
        torch.testing.assert_close(mine * signs, direct, rtol=0, atol=1e-6)


# %%
def losses(by):
    """Loss against iteration for all matrices, for one optimiser."""
    figure = go.Figure()
    for name in matrices:
        history = runs[by, name].history.numpy()
        every = max(STEPS // 1000, 1)
        figure.add_scatter(x=every * np.arange(len(history)), y=np.maximum(history, 1e-34), mode="lines", name=name)
    return figure.update_layout(
        title=f"Singular value decomposition by {by}: loss of five matrices" if not QUICK else by,
        xaxis_title="iteration",
        yaxis={"title": "loss", "type": "log", "exponentformat": "power"},
        template="plotly_white",
        legend={"orientation": "h", "y": -0.2},
    )


losses("SGD")

# %%
losses("Adam")

# %% [markdown]
# Gradient descent goes down to rounding for three matrices; Adam, with its weight decay, comes near for all five
# and stops short of the digits. But two runs of gradient descent do not arrive: 4x3 and 7x4. The post ends here.
#
# ## What a status tells
#
# `tol=0` runs blindly. With a tolerance every run is tested by figures that are recomputed from the answer.

# %%
for name, M in matrices.items():
    checked = engine.solve(svd, M, solver=solvers["SGD"], start=start(M), max_steps=STEPS)
    print(
        f"{name:20} {engine.Status(int(checked.status)).name:12} steps {int(checked.steps):6,}  residual {float(checked.residual):.1e}"
    )

# %% [markdown]
# ## 4x3: caught at zero, where the squared form has a saddle
#
# The third singular value of this run is zero. The singular values are d^2, so that the derivative of the loss
# with respect to d_i is 2 d_i times something. Where that something is positive, every step multiplies d_i by a
# number below one: it decays to zero and never changes its sign. And at d_i = 0 nothing pulls at the columns u_i and
# v_i either: the whole gradient vanishes, whatever is left of M.


# %%
def loss(p, M):
    """The post's loss."""
    eye = torch.eye(M.shape[1], dtype=M.dtype)
    product, left, right = (p["U"] * p["d"] ** 2) @ p["V"].T - M, p["U"].T @ p["U"] - eye, p["V"] @ p["V"].T - eye
    return (product**2).mean() + (left**2).mean() / 100 + (right**2).mean() / 100


def look(p, M):
    """The gradient, and the curvature of the loss along d."""
    gradient = engine.grad(loss)(p, M)
    curvature = engine.hessian(lambda d: loss({**p, "d": d}, M))(p["d"])
    largest = max(float(g.abs().max()) for g in gradient.values())
    lowest = torch.linalg.eigvalsh(curvature)[0]
    print(f"largest gradient {largest:.1e}   lowest curvature along d {float(lowest):+.4f}")
    return lowest


M = matrices["4x3"]
stuck = runs["SGD", "4x3"].params
left_over = M - (stuck["U"] * stuck["d"] ** 2) @ stuck["V"].T
wanted = float(stuck["U"][:, 2] @ left_over @ stuck["V"][:, 2])
print("d", stuck["d"].numpy())
print(f"u' (M - U diag(d^2) V') v of the third columns: {wanted:+.4f}")
lowest = look(stuck, M)
assert QUICK or (wanted < 0 < lowest and float(stuck["d"][2]) < 1e-12)

# %% [markdown]
# The third columns want a negative singular value, and a square has none. Turning u_3 round costs nothing at
# d_3 = 0, for its column of the product is zero: the loss does not change at all. But there the curvature along d_3
# is negative. The two points lie on one level floor, which is a saddle: uphill at one end, downhill at the other.

# %%
turned = {**stuck, "U": stuck["U"] * torch.tensor([1.0, 1.0, -1.0])}
print(f"loss {float(loss(stuck, M)):.12f}, with u_3 turned {float(loss(turned, M)):.12f}")
lowest = look(turned, M)
assert QUICK or lowest < 0

# %% [markdown]
# A push of 0.001 along d_3 decides: from where the run was caught it dies away, from the turned column it rolls off
# the saddle and arrives.

# %%
push = torch.tensor([0.0, 0.0, 1e-3], dtype=torch.float64)
for words, p in (("as it was", stuck), ("u_3 turned", turned)):
    pushed = {**p, "d": p["d"] + push}
    freed = engine.solve(svd, M, solver=solvers["SGD"], start=pushed, max_steps=STEPS)
    print(f"{words:11} {engine.Status(int(freed.status)).name:10} d^2 {(freed['d'] ** 2).numpy()}")
print(f"{'direct routine':22} d^2 {torch.linalg.svdvals(M).numpy()}")
assert QUICK or bool(freed.converged)

# %% [markdown]
# The status of the caught run says STALLED, not that it converged: its loss moves no more, and what is left is far
# above the tolerance. For a decomposition that cannot be caught, declare the singular values without the square.

# %% [markdown]
# How often does it happen? The lanes of a batch can be starts as well as matrices: one matrix, shared by all
# lanes, from 500 random starts at once.

# %%
COUNT = 20 if QUICK else 500
starts = dict(zip("UdV", rand(1, (COUNT, 4, 3), (COUNT, 3), (COUNT, 3, 3)), strict=True))
many = engine.solve(svd, M, solver=solvers["SGD"], start=starts, max_steps=STEPS, history=max(STEPS // 1000, 1))
print(many.summary())
caught = int((many["d"][:, 2] ** 2 < 1e-3).sum())
print(f"{caught} of {COUNT} starts are caught at a zero")

# %%
many.plot(many.failed[:3])

# %% [markdown]
# ## 7x4: still on its way
#
# The other run is caught nowhere. Two singular values, 0.6117 and 0.5545, lie close together, and their vectors turn
# towards their places slowly. Its gradient is not zero, and it goes on from where it stopped.

# %%
name = "5x4" if QUICK else "7x4"
M, way = matrices[name], runs["SGD", name].params
gradient = engine.grad(loss)(way, M)
print("largest gradient", max(float(g.abs().max()) for g in gradient.values()), " d^2", (way["d"] ** 2).numpy())
further = engine.solve(svd, M, solver=solvers["SGD"], start=way, max_steps=3 * STEPS, history=max(STEPS // 500, 1))
print(engine.Status(int(further.status)).name, "after", int(further.steps), "more steps, d^2", (further["d"] ** 2).numpy())
print("direct routine", torch.linalg.svdvals(M).numpy())

# %%
further.plot()

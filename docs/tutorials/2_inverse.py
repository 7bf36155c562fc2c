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
# This goes along with the post [*Matrix operations with pytorch - optimizer - part
# 2*](https://arthought.com/matrix-operations-with-pytorch-optimizer-part-2/) by H. F.
# Wittmann: the inverse from nothing but a loss, mean((X M - I)^2), and gradient
# descent. Here the loss is a declaration, and the loop is not written at all. Then it
# goes on: ten thousand matrices at once, degenerate ones among them, a certified
# answer, and derivatives of the inverse.

# %%
import timeit

import torch

import lanewise as lw

# %% tags=["remove-cell"]
torch.set_printoptions(precision=4, sci_mode=False)

# %%
inverse = lw.Problem(
    name="inverse",
    data={"M": "n n"},
    params={"X": lw.Param("n n", start="uniform")},
    residual=lambda X, M: X @ M - lw.eye_like(M),
    exact=True,
)

# %% [markdown]
# The post takes a random matrix (seed 314) and diag(1, 2, 3, 4), from the same start,
# and descends with rate 0.9 and momentum 0.9 for 10,000 steps. Two matrices are a batch
# of two. `tol=0` runs just the steps that the post runs.

# %%
M = torch.rand(4, 4, generator=torch.Generator().manual_seed(314)).double()
both = torch.stack([M, torch.diag(torch.arange(1.0, 5.0, dtype=torch.float64))])
post = lw.solvers.GradientDescent(0.9, momentum=0.9)
solution = lw.solve(
    inverse, both, solver=post, start={"X": M}, tol=0, max_steps=10_000, history=True
)
solution["X"][0] @ M

# %%
solution.plot(
    {"random, seed 314": 0, "diag(1, 2, 3, 4)": 1},
    title="Which matrix is inverted faster? The diagonal one.",
)

# %%
first_below = (solution.history < 1e-12).int().argmax(1)
print(f"steps to a loss of 1e-12: random {first_below[0]}, diagonal {first_below[1]}")

# %% [markdown]
# The post also tries M X in place of X M, and the average of both. In the catalogue of
# problems that is one word.

# %%
for side in ("left", "right", "both"):
    problem = lw.problems.inverse(side)
    by_side = lw.solve(problem, M, solver=post, start={"X": M}, tol=0, max_steps=10_000)
    apart = (by_side["X"] @ M - torch.eye(4)).abs().max()
    print(f"{side:6} loss {by_side.loss:.1e}, X M - I {apart:.1e}")

# %% [markdown]
# ## Ten thousand at once
#
# The post solves one matrix with a loop. Here is that loop with `torch.optim`, a
# thousand steps of it, and beside it as many steps for ever more matrices, the fastest
# of five runs each.


# %%
def loop(M, steps):
    X = M.clone().requires_grad_()
    descent = torch.optim.SGD([X], lr=0.9, momentum=0.9)
    for _ in range(steps):
        descent.zero_grad()
        torch.mean((X @ M - torch.eye(4)) ** 2).backward()
        descent.step()
    return X.detach()


# %%
one = min(timeit.repeat(lambda: loop(M, 1000), number=1, repeat=5))

noise = torch.randn(10_000, 4, 4, generator=torch.Generator().manual_seed(1)).double()
crowd = torch.eye(4) + 0.2 * noise
options = dict(solver=post, start={"X": M}, tol=0, max_steps=1000)
lw.solve(inverse, crowd[:1], **options)  # compiles, once for any number of matrices
counts = [1, 10, 100, 1000, 10_000]
times = [
    min(lw.solve(inverse, crowd[:count], **options).timings["run_s"] for _ in range(5))
    for count in counts
]
for count, seconds in zip(counts, times):
    times_as_fast = one * count / seconds
    print(f"{count:6,} matrices: {1000 * seconds:8.2f} ms, {times_as_fast:,.0f} times")

# %%
lw.plot_curves(
    counts,
    {"the loop": [one * count for count in counts], "lanewise": times},
    title="A thousand steps for many 4x4 matrices",
    labels=("matrices", "seconds"),
    log="xy",
)

# %% [markdown]
# The engine made one native kernel of the declaration, gradient and all, which steps a
# matrix in each SIMD element. The plan says what ran, and why.

# %%
print(solution.plan)

# %% [markdown]
# ## Degenerate matrices, and what a status tells
#
# The loop ends after its steps, whatever became of the matrix. In a batch each lane
# says how it ended, and no lane touches another. Four matrices that cannot go well:

# %%
crowd[1] = float("nan")  # no matrix at all
crowd[2] = 1.0  # singular
crowd[3] *= 100  # the rate is far too high for it
crowd[4] = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.1]))  # slow
solution = lw.solve(
    inverse, crowd, solver=post, start={"X": M}, max_steps=1500, history=10
)
print(solution.summary())

# %% [markdown]
# The figure has the median and the quantiles of all lanes, and those asked for one by
# one.

# %%
solution.plot([2, 3, 4], title="Ten thousand inverses, and three that fail")

# %%
print(solution.explain(2))

# %% [markdown]
# `retry` solves again only what failed. A lower rate saves the large matrix, more steps
# save the slow one. The singular matrix has no inverse, and says so again.

# %%
slower = lw.solvers.GradientDescent(5e-5, momentum=0.9)
again = solution.retry(solver=slower, max_steps=5000)
again = again.retry(solver=post, max_steps=20_000)
[lw.Status(code).name for code in again.status[1:5]]

# %% [markdown]
# ## A certified answer, and no rate to choose
#
# Left alone, the engine takes a second-order solver: no rate, and some ten steps. It
# finds by itself that the equations fall into four blocks, one a row of X. Its answers
# are certified: CONVERGED says that the equations hold as well as float64 can tell, by
# a test of the returned X alone.

# %%
own = lw.solve(inverse, crowd, history=True)
print(own.plan.structure)
print({status.name: count for status, count in own.counts().items()})

# %%
good = own.converged
float((own["X"][good] - torch.linalg.inv(crowd[good])).abs().max())

# %%
lw.plot_convergence(
    {"gradient descent": solution, "Levenberg-Marquardt": own},
    title="Median loss of ten thousand inverses",
)

# %% [markdown]
# ## The derivative of an inverse
#
# A solve can stand inside a model: its answer carries derivatives with respect to the
# data. The derivative of trace(M^-1) is -(M^-2)', a formula that the engine does not
# know.

# %%
gradient = lw.grad(lambda M: torch.trace(lw.solve(inverse, M)["X"]))(M)
formula = -torch.linalg.matrix_power(torch.linalg.inv(M), 2).T
print(gradient, (gradient - formula).abs().max() / formula.abs().max(), sep="\n")

# %% [markdown]
# Next: [the singular value decomposition, and two runs that do not
# arrive](3_svd.ipynb).

# %% tags=["remove-cell"]
first = lw.solve(inverse, both, solver=post, start={"X": M}, tol=0, max_steps=10_000)
assert (first["X"] @ both - torch.eye(4)).abs().max() < 5e-5
assert 0 < first_below[1] < first_below[0]
assert solution.status[1:5].tolist() == [6, 4, 5, 2]
assert again.status[1:5].tolist() == [6, 4, 0, 0]
assert own.status[1:5].tolist() == [6, 4, 0, 0] and own.converged.sum() == 9_998
torch.testing.assert_close(own["X"][good], torch.linalg.inv(crowd[good]))
torch.testing.assert_close(gradient, formula, rtol=1e-8, atol=0)

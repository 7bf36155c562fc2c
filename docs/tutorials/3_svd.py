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
# This goes along with the post [*Matrix operations with pytorch - optimizer - part
# 3*](https://arthought.com/matrix-operations-with-pytorch-optimizer-part-3/) by H. F.
# Wittmann: M = U diag(d^2) V', where U'U = I and V V' = I are penalties of weight
# 1/100, by gradient descent and by Adam. Two of the post's runs do not arrive. We find
# out why, and go on to a decomposition that cannot fail so, for ten thousand matrices,
# degenerate ones among them.

# %%
import torch

import lanewise as lw

# %% tags=["remove-cell"]
torch.set_printoptions(precision=4, sci_mode=False)

# %%
penalized = lw.problems.svd_penalty()
print(dict(penalized.axes), penalized.weights)

# %% [markdown]
# The five matrices of the post, and its start, the same seed before each. `rand` draws
# one array after the other.


# %%
def rand(seed, *shapes):
    torch.manual_seed(seed)
    return [torch.rand(*shape).double() for shape in shapes]


def start(M):
    m, n = M.shape
    return dict(zip("UdV", rand(314, (m, n), (n,), (n, n))))


matrices = {
    "5x4": rand(314, (5, 4))[0],
    "4x4": rand(315, (4, 4))[0],
    "7x4": rand(316, (7, 4))[0],
    "4x3, transposed 3x4": rand(317, (3, 4))[0].T.contiguous(),
    "4x3": rand(317, (4, 3))[0],
}

# %% [markdown]
# Gradient descent with rate and momentum 0.9, and Adam with weight decay 1e-5: 20,000
# steps each. `tol=0` runs all of them, blindly, as the post does. Without it a run that
# has arrived is done.


# %%
def runs(solver, **options):
    options |= dict(solver=solver, max_steps=20_000, history=20)
    return {
        name: lw.solve(penalized, M, start=start(M), **options)
        for name, M in matrices.items()
    }


heavy_ball = lw.solvers.GradientDescent(0.9, momentum=0.9)
descent = runs(heavy_ball)
adam = runs(lw.solvers.Adam(weight_decay=1e-5), tol=0)
lw.plot_convergence(descent, title="Gradient descent: loss of five matrices")

# %%
lw.plot_convergence(adam, title="Adam: loss of five matrices")

# %% [markdown]
# The squares of d, descending, beside the direct routine. Gradient descent goes down to
# rounding for three matrices. Adam, with its weight decay, comes near for all five, and
# stops short of the digits.

# %%
for name, M in matrices.items():
    print(name)
    for by, run in {"descent": descent[name], "Adam": adam[name]}.items():
        print(f"  {by:8}", (run["d"] ** 2).numpy().round(4))
    print("  direct  ", torch.linalg.svdvals(M).numpy().round(4))

# %% [markdown]
# ## What a status tells
#
# Each run of gradient descent was tested, by figures that are recomputed from its
# answer. The runs for 7x4 and 4x3 are told apart: one needs more steps, the other
# cannot get further.

# %%
for name, run in descent.items():
    print(f"{name:20} {lw.Status(run.status).name:10} after {run.steps:6,} steps")

# %% [markdown]
# ## 4x3: caught at zero, where the squared form has a saddle
#
# The third singular value of this run is zero. The derivative of the loss with respect
# to d_i is 2 d_i times something. Where that something is positive, each step
# multiplies d_i by a number below one: it decays to zero, and never changes its sign.
# And at d_i = 0 nothing pulls at the columns u_i and v_i either: the whole gradient
# vanishes, whatever is left of M. `lw.grad` and `lw.hessian` take the loss apart.


# %%
def loss(p, M):
    eye = torch.eye(M.shape[1])
    misfit = (p["U"] * p["d"] ** 2) @ p["V"].T - M
    left, right = p["U"].T @ p["U"] - eye, p["V"] @ p["V"].T - eye
    return (misfit**2).mean() + (left**2).mean() / 100 + (right**2).mean() / 100


def curvature_along_d(p, M):
    hessian = lw.hessian(lambda d: loss({**p, "d": d}, M))(p["d"])
    return torch.linalg.eigvalsh(hessian)[0].item()


M, caught = matrices["4x3"], descent["4x3"].params
gradient = lw.grad(loss)(caught, M)
print("d", caught["d"].numpy())
print("largest gradient", max(g.abs().max().item() for g in gradient.values()))
print("lowest curvature along d", curvature_along_d(caught, M))

# %% [markdown]
# So it is a point of rest, and uphill along d. But turning u_3 round costs nothing at
# d_3 = 0: its column of the product is zero, and the loss does not change. There the
# curvature along d_3 is negative. The two points lie on one level floor, which is a
# saddle: uphill at one end, downhill at the other.

# %%
turned = {**caught, "U": caught["U"] * torch.tensor([1.0, 1.0, -1.0])}
print("loss", loss(caught, M).item(), "and with u_3 turned", loss(turned, M).item())
print("lowest curvature along d", curvature_along_d(turned, M))

# %% [markdown]
# A push of 0.001 along d_3 decides. From where the run was caught it dies away; from
# the turned column it rolls off the saddle and arrives. Two starts are two lanes.

# %%
push = torch.tensor([0.0, 0.0, 1e-3], dtype=torch.float64)
pushed = {name: torch.stack([caught[name], turned[name]]) for name in "UdV"}
pushed["d"] = pushed["d"] + push
freed = lw.solve(
    penalized,
    M,
    start=pushed,
    solver=heavy_ball,
    max_steps=20_000,
    history=20,
)
freed.plot({"as it was": 0, "u_3 turned": 1}, title="A push along d decides")

# %%
print("as it was ", lw.Status(freed.status[0]).name, (freed["d"][0] ** 2).numpy())
print("u_3 turned", lw.Status(freed.status[1]).name, (freed["d"][1] ** 2).numpy())
print("direct    ", torch.linalg.svdvals(M).numpy())

# %% [markdown]
# How often does it happen? The lanes of a batch can be starts as well as matrices. One
# matrix, shared by all lanes, from 500 random starts:

# %%
starts = dict(zip("UdV", rand(1, (500, 4, 3), (500, 3), (500, 3, 3))))
many = lw.solve(
    penalized,
    M,
    start=starts,
    solver=heavy_ball,
    max_steps=20_000,
    history=20,
)
print(many.summary())
print((many["d"][:, 2] ** 2 < 1e-3).sum().item(), "of 500 starts are caught at a zero")

# %%
many.plot(many.failed[:2], title="500 starts, and two that are caught")

# %% [markdown]
# ## 7x4: still on its way
#
# This run is caught nowhere. Two singular values, 0.6117 and 0.5545, lie close
# together, and their vectors turn towards their places slowly. `start=` goes on from
# where it stopped: after 60,000 more steps six digits are there, and the status still
# says that it is not done.

# %%
way = descent["7x4"]
further = lw.solve(
    penalized,
    matrices["7x4"],
    start=way.params,
    solver=heavy_ball,
    max_steps=60_000,
)
print(lw.Status(further.status).name, "after", further.steps.item(), "more steps")
print((further["d"] ** 2).numpy(), torch.linalg.svdvals(matrices["7x4"]).numpy())

# %% [markdown]
# ## Orthogonal by domain, not by penalty
#
# Both troubles come from the formulation, penalties and squares. Declared by its
# definition, the decomposition has U and V in the domain of matrices with orthonormal
# columns. No iterate leaves it, no weight needs a choice, and S is no square. There is
# no rate either: the equations are solved by Levenberg-Marquardt, in some twenty steps,
# from the same random start for all.

# %%
orthogonal = lw.domains.Orthogonal()
svd = lw.Problem(
    name="svd",
    data={"A": "m n"},
    params={
        "U": lw.Param("m k", orthogonal),
        "S": lw.Param("k"),
        "V": lw.Param("n k", orthogonal),
    },
    sizes={"k": lambda m, n: min(m, n)},
    residual=lambda U, S, V, A: (U * S) @ V.T - A,
    exact=True,
)

# %% [markdown]
# Degenerate matrices are the test of a decomposition: equal singular values, some that
# are zero, nothing but zeros, columns of very different sizes. Ten thousand random
# matrices beside them do not notice.

# %%
crowd = torch.randn(10_000, 5, 4, generator=torch.Generator().manual_seed(1)).double()
crowd[0] = torch.eye(5, 4)  # four equal singular values
crowd[1] = torch.ones(5, 4)  # rank one
crowd[2] = 0.0
crowd[3] *= torch.tensor([1.0, 1e-3, 1e-6, 1e-9])
crowd[4] = float("inf")
solution = lw.solve(svd, crowd, history=True)
print({status.name: count for status, count in solution.counts().items()})

# %%
solution.plot([0, 1, 3], title="Ten thousand decompositions from one random start")

# %% [markdown]
# All random matrices arrive, and so do those with equal and with zero singular values,
# and columns a thousand times smaller each. Two lanes failed, and each has its own
# story: nothing but zeros, where the answer shrinks for ever; and no matrix at all.

# %%
for lane in solution.failed:
    story = solution.explain(int(lane)).splitlines()
    print(*story[:1], *[line for line in story if line.startswith("  test")], sep="\n")

# %% [markdown]
# A better start helps them. `lw.problems.svd()` of the catalogue is this declaration
# with a start near the answer, a few sweeps of Jacobi rotations, and a `finish` that
# brings signs and order into one form. Its figures beside LAPACK's:

# %%
best = lw.solve(lw.problems.svd(), crowd)
print({status.name: count for status, count in best.counts().items()})

good = best.converged
U, S, V = (param[good] for param in best)
back = torch.linalg.matrix_norm((U * S[:, None]) @ V.mT - crowd[good])
exact = torch.linalg.svdvals(crowd[good])
print("U diag(S) V' - A:", back.max().item())
print("U'U - I:         ", (U.mT @ U - torch.eye(4)).abs().max().item())
print("singular values: ", (S - exact).abs().max().item())

# %% [markdown]
# The answer carries derivatives, even where singular values are equal and single
# vectors are not unique: the gradient of their sum, the nuclear norm, is U V'.

# %%
few = crowd[[0, 5, 6]]
nuclear = lw.grad(lambda A: lw.solve(lw.problems.svd(), A)["S"].sum())(few)
polar = best["U"][[0, 5, 6]] @ best["V"][[0, 5, 6]].mT
(nuclear - polar).abs().amax((1, 2))

# %% [markdown]
# More such scripts, with pictures: the [gallery](../gallery.md). All about the
# declaration: [declare your own problem](../guide/declare.md).

# %% tags=["remove-cell"]
post = torch.tensor([2.3398, 0.6873, 0.2592, 0.1177], dtype=torch.float64)
torch.testing.assert_close(descent["5x4"]["d"] ** 2, post, rtol=0, atol=5e-5)
left, _, right = torch.linalg.svd(matrices["5x4"], full_matrices=False)
for mine, theirs in ((descent["5x4"]["U"], left), (descent["5x4"]["V"], right.T)):
    signs = torch.sign((mine * theirs).sum(0))
    torch.testing.assert_close(mine * signs, theirs, rtol=0, atol=1e-6)
codes = {name: lw.Status(run.status).name for name, run in descent.items()}
assert [codes["7x4"], codes["4x3"]] == ["MAX_STEPS", "STALLED"]
assert [codes[name] for name in list(codes)[:2]] == ["CONVERGED"] * 2
assert caught["d"][2] < 1e-12
curvatures = [curvature_along_d(p, matrices["4x3"]) for p in (turned, caught)]
assert curvatures[0] < 0 < curvatures[1]
assert not freed.converged[0] and freed.converged[1]
assert (further["d"] ** 2 - torch.linalg.svdvals(matrices["7x4"])).abs().max() < 1e-5
assert solution.failed.tolist() == [2, 4] and good.sum() == 9_999
assert back.max() < 1e-13
torch.testing.assert_close(nuclear, polar, rtol=0, atol=1e-8)

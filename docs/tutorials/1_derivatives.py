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
# # 1. Tensors and derivatives
#
# This goes along with the post [*Matrix operations with pytorch - optimizer - part
# 1*](https://arthought.com/matrix-operations-with-pytorch-optimizer-part-1/) by H. F.
# Wittmann: tensors, and derivatives that nobody writes by hand. Then it goes on:
# derivatives point by point, inverse functions, and derivatives through a solve.

# %%
import torch

import lanewise as lw

# %% [markdown]
# ## Tensors
#
# A vector times a number, and the dot product of two vectors three times: by hand, by
# multiply-and-sum, and by `@`.

# %%
seven = torch.tensor([1, 2, 3]) * 7
seven

# %%
a, b = torch.tensor([1, 2, 3]), torch.tensor([4, 5, 6])
dots = 1 * 4 + 2 * 5 + 3 * 6, (a * b).sum().item(), (a @ b).item()
dots

# %% [markdown]
# A seeded random matrix is the same on every machine.

# %%
M = torch.rand(2, 3, generator=torch.Generator().manual_seed(314))
M

# %% [markdown]
# ## Derivatives
#
# z = x y^5 at (3, 7): dz/dx = y^5 = 16807 and dz/dy = 5 x y^4 = 36015, exactly. The
# post marks tensors with `requires_grad` and calls `backward`. Here a derivative is a
# function made from a function: `lw.grad` and its kin have JAX's signatures, and take
# NumPy arrays as well as tensors.

# %%
dz = lw.grad(lambda x, y: x * y**5, argnums=(0, 1))
dz(torch.tensor(3.0), torch.tensor(7.0))

# %% [markdown]
# ## The derivative of a function, version 1
#
# One backward pass through sin, on 100 points at once: the vector-Jacobian product with
# ones. The Jacobian is diagonal, so that its transpose times ones is the derivative at
# every point.

# %%
x = torch.linspace(0, 2 * torch.pi, 100, dtype=torch.float64)
y, pull = lw.vjp(torch.sin, x)
(version_1,) = pull(torch.ones_like(x))

# %%
lw.plot_curves(
    x,
    {"Sin": y, "Cos": torch.cos(x)},
    {"automatic derivative": version_1},
    title="The derivative of Sin by automatic differentiation is Cos",
)

# %% [markdown]
# ## The derivative as an optimisation, version 2
#
# The gradient, with respect to x, of the loss sum(y_hat - y), where y_hat = sin(x) and
# y is a constant.

# %%
target = torch.zeros_like(x)
version_2 = lw.grad(lambda x: torch.sum(torch.sin(x) - target))(x)

# %%
lw.plot_curves(
    x,
    {"Sin": y, "Cos": torch.cos(x)},
    {"version 1: vector-Jacobian product": version_1, "version 2: gradient": version_2},
    title="Both versions of the derivative fall on Cos",
)

# %% [markdown]
# ## One point a lane
#
# Both versions work because a sum over points happens to keep them apart. There is a
# way that needs no sum, and the post does not have it: `lw.vmap` makes a function of
# many points from a function of one. It goes on to any order: the third derivative of
# sin is -cos.

# %%
version_3 = lw.vmap(lw.grad(torch.sin))(x)
third = lw.vmap(lw.grad(lw.grad(lw.grad(torch.sin))))(x)
float((version_3 - torch.cos(x)).abs().max()), float((third + torch.cos(x)).abs().max())

# %% [markdown]
# ## Inverse functions: a solve for each point
#
# Derivatives are means; an end is the solution of an equation. Which angle has the sine
# s? We declare the equation for *one* s, and solve it for thousands. Each has a
# *status*. A sine above 1 has no angle, and only its own lane says so.

# %%
half_turn = lw.domains.Box(-torch.pi / 2, torch.pi / 2)
arcsin = lw.Problem(
    name="arcsin",
    data={"s": ""},
    params={"x": lw.Param("", half_turn, start="zeros")},
    residual=lambda x, s: torch.sin(x) - s,
    exact=True,
)
s = torch.linspace(-1.1, 1.1, 10_001, dtype=torch.float64)
angles = lw.solve(arcsin, s)
print(angles.summary())

# %% [markdown]
# CONVERGED is a promise: the equation holds as well as the arithmetic can tell.
# `explain` tells the story of one lane.

# %%
print(angles.explain(0))

# %%
good = angles.converged
float((angles["x"] - torch.asin(s))[good].abs().max())

# %% [markdown]
# ## The derivative of a solution
#
# The angle is a function of s, although nobody wrote a formula for it. Its derivative
# is 1 / cos(x), by the theorem on implicit functions, and solutions of tensors carry
# it: through `lw.grad`, `backward` and `torch.func` alike, without a step of the solver
# being recorded. Failed lanes have derivative 0, never NaN.

# %%
some = torch.linspace(-0.97, 0.97, 61, dtype=torch.float64)
slope = lw.grad(lambda s: lw.solve(arcsin, s)["x"].sum())(some)
curve = lw.solve(arcsin, some)["x"]

# %%
lw.plot_curves(
    some,
    {"Arcsin, solved": curve, "1 / Cos of it": 1 / torch.cos(curve)},
    {"derivative of the solution": slope},
    title="The derivative of a solution comes with it",
    labels=("s", "value"),
)

# %% [markdown]
# Next: [the inverse of a matrix, and of ten thousand](2_inverse.ipynb).

# %% tags=["remove-cell"]
assert seven.tolist() == [7, 14, 21] and dots == (32, 32, 32)
post = torch.tensor([[0.7196, 0.6295, 0.6667], [0.3385, 0.8522, 0.3126]])
torch.testing.assert_close(M, post, rtol=0, atol=5e-5)
assert [float(d) for d in dz(torch.tensor(3.0), torch.tensor(7.0))] == [
    16807.0,
    36015.0,
]
for version in (version_1, version_2, version_3, -third):
    torch.testing.assert_close(version, torch.cos(x), rtol=0, atol=1e-15)
assert good.tolist() == (s.abs() <= 1).tolist()
torch.testing.assert_close(slope, 1 / torch.cos(curve), rtol=1e-9, atol=0)

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
# The first post: arrays, and derivatives that nobody writes by hand. `engine.grad` and its kin have JAX's
# signatures and go by the arrays that they are given, NumPy arrays or torch tensors.

# %%
import numpy as np
import plotly.graph_objects as go
import torch

import engine

# %% [markdown]
# ## Tensors

# %%
seven = torch.tensor([1, 2, 3]) * 7
seven

# %% [markdown]
# A dot product three times: by hand, by multiply-and-sum, and by `@`.

# %%
a, b = torch.tensor([1, 2, 3]), torch.tensor([4, 5, 6])
dots = [sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True)), int((a * b).sum()), int(a @ b)]
assert seven.tolist() == [7, 14, 21] and dots == [32, 32, 32]
dots

# %% [markdown]
# A seeded random matrix is the same on every machine.

# %%
M = torch.rand(2, 3, generator=torch.Generator().manual_seed(314))
np.testing.assert_allclose(M, [[0.7196, 0.6295, 0.6667], [0.3385, 0.8522, 0.3126]], atol=5e-5)
M

# %% [markdown]
# ## Derivatives
#
# z = x y^5 at (3, 7): dz/dx = y^5 = 16807 and dz/dy = 5 x y^4 = 36015, exactly. The post marks tensors with
# `requires_grad` and calls `backward`; here a derivative is a function made from a function.

# %%
dz = engine.grad(lambda x, y: x * y**5, argnums=(0, 1))
exact = [float(v) for v in dz(torch.tensor(3.0), torch.tensor(7.0))]
assert exact == [16807.0, 36015.0]
exact

# %% [markdown]
# ## The derivative of a function, version 1
#
# One backward pass through sin, on 100 points at once: the vector-Jacobian product with ones. The Jacobian is
# diagonal, so that its transpose times ones is the derivative at every point.

# %%
x = torch.linspace(0, 2 * torch.pi, 100, dtype=torch.float64)
y, pull = engine.vjp(torch.sin, x)
(version_1,) = pull(torch.ones_like(x))
float((version_1 - torch.cos(x)).abs().max())

# %% [markdown]
# ## The derivative as an optimisation, version 2
#
# The gradient, with respect to x, of the loss sum(y_hat - y), where y_hat = sin(x) and y is a constant.

# %%
target = torch.zeros_like(x)
version_2 = engine.grad(lambda x: torch.sum(torch.sin(x) - target))(x)
for version in (version_1, version_2):
    torch.testing.assert_close(version, torch.cos(x), rtol=0, atol=1e-15)

# %% [markdown]
# There is a third way, which the post does not have: one lane a point. `engine.vmap` makes a function of many
# points from a function of one, and nothing has to be summed.

# %%
version_3 = engine.vmap(engine.grad(torch.sin))(x)
torch.testing.assert_close(version_3, torch.cos(x), rtol=0, atol=1e-15)


# %%
def picture(title, *markers):
    """Sin and Cos as lines, automatic derivatives as markers."""
    figure = go.Figure()
    figure.add_scatter(x=x, y=y, mode="lines", name="Sin")
    for name, values, symbol, size in markers:
        figure.add_scatter(x=x, y=values, mode="markers", name=name, marker={"symbol": symbol, "size": size})
    figure.add_scatter(x=x, y=torch.cos(x), mode="lines", name="Cos")
    return figure.update_layout(
        title=title,
        xaxis_title="x",
        yaxis_title="value",
        template="plotly_white",
        legend={"orientation": "h", "y": -0.2},
    )


picture("The derivative of Sin by automatic differentiation is Cos", ("automatic derivative", version_1, "circle", 6))

# %%
picture(
    "Both versions of the derivative fall on Cos",
    ("version 1: vector-Jacobian product", version_1, "circle-open", 10),
    ("version 2: gradient of a loss", version_2, "x", 5),
)

"""Fit a decay to many noisy curves, with bounds, missing points and a standard deviation for each point."""

import numpy as np

import engine
import problems

rng = np.random.default_rng(0)
x = np.linspace(0, 4, 40)  # shared by all curves
a, b = rng.uniform(1, 5, size=(2, 1000, 1))
sigma = np.broadcast_to(0.02 + 0.02 * x, (1000, 40))
y = a * np.exp(-b * x / 2) + sigma * rng.normal(size=sigma.shape)
mask = rng.random(y.shape) > 0.1  # False: the point does not count
y[~mask] = np.nan

decay = problems.curve_fit(
    lambda x, a, b: a * np.exp(-b * x / 2),
    sigma="sigma",  # the name of a further datum
    absolute_sigma=True,
    bounds=([0, 0], [10, 10]),
)
fit = engine.solve(decay, {"x": x, "y": y, "mask": mask, "sigma": sigma})

pull = np.stack([fit["a"] - a[:, 0], fit["b"] - b[:, 0]], axis=-1) / fit.stderr()  # errors in standard errors
print(f"{fit.converged.sum():,} of {len(y):,} fits converged")
print(f"first curve: a = {fit['a'][0]:.4f} +- {fit.stderr()[0, 0]:.4f}, b = {fit['b'][0]:.4f} +- {fit.stderr()[0, 1]:.4f}")
print(f"within one standard error: {100 * (np.abs(pull) < 1).mean():.0f}% (68% expected)")

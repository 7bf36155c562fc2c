"""A plate of dose-response curves, with dead wells.

Each well gives a response y to 12 doses. The model is the logistic curve of four parameters,
y = bottom + (top - bottom) / (1 + exp(-slope (x - middle))), with x the logarithm of the dose. Each point has its own standard
deviation, a tenth of them are missing, and the parameters are bounded. A dead well reads 0 at each dose: nothing tells where its
`middle` is, so its lane does not count as converged. The usual tool fits one well after the other.
"""

import numpy as np
from scipy.optimize import curve_fit
from show import loop, report, save, size

import lanewise as lw

rng, N, x = np.random.default_rng(1), size(10_000), np.linspace(-9, -4, 12)
true = np.stack([rng.uniform(low, high, N) for low, high in ((0, 5), (80, 120), (1.5, 4), (-7.5, -5.5))], axis=1)
model = lambda x, bottom, top, slope, middle: bottom + (top - bottom) / (1 + np.exp(-slope * (x - middle)))
sigma = 1 + 0.03 * model(x, *true.T[:, :, None])
y, mask = rng.normal(model(x, *true.T[:, :, None]), sigma), rng.random((N, 12)) > 0.1
y[3::50] = 0  # dead wells
bounds = ([-20, -20, 0.2, -9], [60, 200, 10, -4])

p0 = {"bottom": 0.0, "top": 100.0, "slope": 2.0, "middle": -6.5}
fit = lw.solve(
    lw.problems.curve_fit(model, sigma="sigma", absolute_sigma=True, bounds=bounds),
    dict(x=x, y=y, sigma=sigma, mask=mask),
    start=p0,
)

usual = lambda k: curve_fit(model, x[mask[k]], y[k, mask[k]], [*p0.values()], sigma[k, mask[k]], bounds=bounds)[0]
some = np.flatnonzero(fit.converged)[:100]
answers, seconds = loop(usual, some)
ours = np.stack([*fit.params.values()], axis=1)
report(fit, "scipy.optimize.curve_fit, in standard errors", seconds, np.abs(ours[some] - answers) / fit.stderr()[some])

figure = fit.plot_fit({f"well {k}: {lw.Status(fit.status[k]).name}": k for k in range(4)})
save(figure, "log10 of the dose", "response", "Four wells of a plate, one of them dead")

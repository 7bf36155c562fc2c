"""A cube of decays: an image of relaxation times.

A camera or scanner gives, for each pixel, a signal at 8 times that decays as y = a exp(-t / T). Usual is a straight line through
log y, `np.polyfit`: fast, and biased where the signal sinks into the noise, as the logarithm blows small values up. A fit of the
decay itself has no such bias; pixel by pixel with SciPy it takes minutes. Here all pixels are one call, and their statuses are
an image, too.
"""

import numpy as np
from plotly.subplots import make_subplots
from scipy.optimize import curve_fit
from show import loop, report, save, size

import lanewise as lw

rng, n, t = np.random.default_rng(6), size(112), np.linspace(0.1, 3, 8)
row, column = np.mgrid[-1 : 1 : n * 1j, -1 : 1 : n * 1j]
T = 0.6 + 0.8 * (row**2 + column**2 < 0.6) - 0.9 * ((row + 0.2) ** 2 + column**2 < 0.1)
decay = lambda t, a, T: a * np.exp(-t / T)
y = decay(t, 1.0, T[..., None]) + 0.02 * rng.normal(size=(n, n, 8))  # (row, column, time)

model = lw.problems.curve_fit(lambda x, a, T: decay(x, a, T), bounds=([0, 0.05], [10, 10]))
fit = lw.solve(model, {"x": t, "y": y}, start={"a": 1.0, "T": 0.8})

some = np.flatnonzero(fit.converged.ravel())[:: max(1, n * n // 300)]
answers, seconds = loop(lambda k: curve_fit(decay, t, y.reshape(-1, 8)[k], [1.0, 0.8], bounds=([0, 0.05], [10, 10]))[0], some)
report(fit, "scipy.optimize.curve_fit, in T", seconds, np.abs(fit["T"].ravel()[some] - answers[:, 1]))

line = -1 / np.polyfit(t, np.log(np.maximum(y, 1e-3)).reshape(-1, 8).T, 1)[0].reshape(n, n)
figure = make_subplots(1, 3, subplot_titles=["truth", "fit", "line"])
for k, image in enumerate((T, fit["T"], line)):
    figure.add_heatmap(z=np.float32(image), coloraxis="coloraxis", row=1, col=k + 1)
figure.update_xaxes(visible=False, constrain="domain").update_yaxes(visible=False, scaleanchor="x", constrain="domain")
figure.update_coloraxes(cmin=0.2, cmax=1.6, colorscale="Viridis", colorbar=dict(orientation="h", y=-0.3, thickness=14))
save(figure, "", "", "Relaxation time T of each pixel: true, by the fit, by a line through log y", height=360)

"""A chemical equilibrium in logarithms: the titration of phosphoric acid.

Unknown are the concentrations of H, OH and the four forms of the acid, which span twenty orders of magnitude; their logarithms do
not. There the laws of mass action are linear: ln H + ln H2A - ln H3A = ln K1, and so on. The acid's total C and the charge balance,
H + Na = OH + H2A + 2 HA + 3 A, are sums of exponentials. Six equations in six unknowns: `exact=True` says that a solution makes
all of them zero. The usual tool solves one mixture after the other by bisection for the pH.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp
from show import loop, report, save, size

import lanewise as lw
from lanewise import Param

lnK, lnKw = -np.log(10) * np.array([2.15, 7.20, 12.35]), -np.log(10) * 14
C, Na = np.meshgrid(np.geomspace(1e-3, 0.1, size(40)), np.linspace(0.01, 3.2, size(250)), indexing="ij")
Na = Na * C  # the base, in parts of the acid


def equations(u, C, Na):
    """u = ln (H, OH, H3A, H2A, HA, A)."""
    mass_action = u[0] + u[3:] - u[2:5] - lnK
    charge = np.logaddexp(u[0], np.log(Na)) - logsumexp(u[np.array([1, 3, 4, 5])] + np.log([1, 1, 2, 3]))
    return np.concatenate([mass_action, np.stack([u[0] + u[1] - lnKw, logsumexp(u[2:]) - np.log(C), charge])])


acid = lw.Problem("equilibrium", {"C": "", "Na": ""}, {"u": Param("6", start=np.full(6, -10.0))}, equations, exact=True)
solution = lw.solve(acid, {"C": C, "Na": Na})
pH = -solution["u"][..., 0] / np.log(10)


def usual(k):
    c, na = C.flat[k], Na.flat[k]
    forms = lambda h: np.cumprod([1, *(np.exp(lnK) / h)])
    charge = lambda ph: 10**-ph + na - 10 ** (ph - 14) - c * (forms(10**-ph) @ range(4)) / forms(10**-ph).sum()
    return brentq(charge, 0, 14, xtol=1e-13)


some = np.linspace(0, C.size - 1, min(C.size, 500)).astype(int)
answers, seconds = loop(usual, some)
report(solution, "scipy.optimize.brentq, in pH", seconds, np.abs(pH.ravel()[some] - answers))

dilutions = range(0, len(C), max(1, len(C) // 4))
figure = lw.plot_curves((Na / C)[0], {f"{1000 * C[k, 0]:.3g} mmol/l": pH[k] for k in dilutions})
save(figure, "sodium per acid", "pH", "Titration of phosphoric acid: the more dilute, the lower the steps")

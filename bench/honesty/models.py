"""Curves as their users write them, with ranges of their params. The judge evaluates the same formulas in extended precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
Model = Callable[..., Any]


@dataclass(frozen=True)
class Curve:
    """A model of x `(n,)` or `(k, n)`, and ranges of its params, `(p, 2)`.

    Attributes:
        powers: for each param, the powers of the units of y and of x in its own unit; empty if it has no such units.
        analytic: the judge's form of the model, where complex steps through the user's would not give the derivative.
    """

    model: Model
    x: Array
    ranges: tuple[tuple[float, float], ...]
    powers: tuple[tuple[int, int], ...] = ()
    analytic: Model | None = None

    @property
    def judged(self) -> Model:
        """The judge's form of the model."""
        return self.analytic or self.model


def _decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * x) + c


def _two_decays(t: Any, a: Any, k: Any, b: Any, q: Any) -> Any:
    return a * np.exp(-k * t) + b * np.exp(-q * t)


def _peak(x: Any, height: Any, middle: Any, width: Any, floor: Any) -> Any:
    return height * np.exp(-(((x - middle) / width) ** 2) / 2) + floor


def _lorentz(x: Any, height: Any, middle: Any, width: Any, floor: Any) -> Any:
    return height / (1 + ((x - middle) / width) ** 2) + floor


def _spot(x: Any, height: Any, u: Any, v: Any, width: Any, floor: Any) -> Any:
    return height * np.exp(-((x[0] - u) ** 2 + (x[1] - v) ** 2) / (2 * width**2)) + floor


def _growth(x: Any, top: Any, rate: Any, middle: Any) -> Any:
    return top / (1 + np.exp(rate * (middle - x)))


def _saturation(x: Any, top: Any, half: Any) -> Any:
    return top * x / (half + x)


def _hill(x: Any, top: Any, half: Any, n: Any) -> Any:
    return top * x**n / (half**n + x**n)


def _wave(x: Any, a: Any, frequency: Any, phase: Any) -> Any:
    return a * np.sin(frequency * x + phase)


def _damped(x: Any, a: Any, g: Any, w: Any, c: Any) -> Any:
    return a * np.exp(-g * x) * np.cos(w * x) + c


def _sine(x: Any, a: Any, f: Any, p: Any, o: Any) -> Any:
    return a * np.sin(2 * np.pi * f * x + p) + o


def _power(x: Any, a: Any, b: Any) -> Any:
    return a * x**b


def _stretched(x: Any, a: Any, tau: Any, b: Any) -> Any:
    return a * np.exp(-((x / tau) ** b))


def _line(x: Any, a: Any, b: Any) -> Any:
    return a * x + b


def _quadratic(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * x**2 + b * x + c


def _cubic(x: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    return a + b * x + c * x**2 + d * x**3


def _quartic(x: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    return a + b * x + c * x**2 + d * x**3 + e * x**4


def _quintic(x: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    return a + b * x + c * x**2 + d * x**3 + e * x**4 + f * x**5


def _charge(v: Any, s: Any, a: Any, c: Any) -> Any:
    """Retarding potentials: the charge of an electron in the exponent, as in public questions on fitting."""
    return c + a * np.exp(-v * s / 1.6e-16)


def _arrhenius(temperature: Any, a: Any, e: Any) -> Any:
    return a * np.exp(-e / (8.314462618 * temperature))


def _redundant(x: Any, a: Any, b: Any, c: Any) -> Any:
    return (a + b) * x + c


def _plane(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a + b * x[0] + c * x[1]


def _yields(t: Any, b0: Any, b1: Any, b2: Any, tau: Any) -> Any:
    """Nelson and Siegel's curve of yields, guarded at t = 0."""
    u = t / tau
    g = np.where(u == 0, 1.0, (1 - np.exp(-u)) / u)
    return b0 + b1 * g + b2 * (g - np.exp(-u))


def _reserve(x: Any, a: Any, b: Any, top: Any) -> Any:
    """Kumaraswamy's form: the derivative by a is infinite at x = 1 where b < 1."""
    return (1 - x**a) ** b * top


def _reserve_inside(x: Any, a: Any, b: Any, top: Any) -> Any:
    """The same, 0 at x = 1 for all a and b > 0; b has no effect there either."""
    shape = np.broadcast_shapes(np.shape(x), np.shape(a))
    inside, first = np.broadcast_to((x < 1) & (x > 0), shape), np.broadcast_to(x == 0, shape)
    x = np.where(inside, x, 0.5)
    return np.where(inside, (1 - x**a) ** b, np.where(first, 1, 0)) * top


POINTS = np.linspace(0.0, 4.0, 32)
PIXELS = np.stack([np.tile(np.arange(5.0), 5), np.repeat(np.arange(5.0), 5)]) - 2.0
MATURITIES = np.array([0.0, 0.5, 1, 2, 3, 4, 5, 10, 15, 20, 25, 30])

CURVES = {
    "decay": Curve(_decay, POINTS, ((1, 3), (0.5, 2), (0, 1)), ((1, 0), (0, -1), (1, 0))),
    "two decays": Curve(_two_decays, np.linspace(0, 10, 40), ((1, 3), (0.8, 2), (1, 3), (0.1, 0.3))),
    "two decays of close rates": Curve(_two_decays, np.linspace(0, 10, 40), ((1, 3), (0.6, 0.8), (1, 3), (0.45, 0.6))),
    "two decays 1000 : 4": Curve(_two_decays, np.linspace(0, 10, 40), ((800, 1200), (0.8, 1.2), (2, 6), (0.1, 0.2))),
    "peak": Curve(_peak, POINTS, ((0.5, 5), (0.5, 3.5), (0.2, 1.5), (0, 1)), ((1, 0), (0, 1), (0, 1), (1, 0))),
    "Lorentz peak": Curve(_lorentz, POINTS, ((0.5, 5), (0.5, 3.5), (0.2, 1), (0, 1)), ((1, 0), (0, 1), (0, 1), (1, 0))),
    "spot": Curve(_spot, PIXELS, ((5, 10), (-0.5, 0.5), (-0.5, 0.5), (0.8, 1.3), (0.5, 1.5))),
    "growth": Curve(_growth, POINTS, ((1, 5), (1, 5), (0.5, 3.5)), ((1, 0), (0, -1), (0, 1))),
    "saturation": Curve(_saturation, POINTS + 0.1, ((1, 5), (0.2, 5)), ((1, 0), (0, 1))),
    "Hill": Curve(_hill, POINTS + 0.1, ((1, 5), (0.5, 3), (1, 4)), ((1, 0), (0, 1), (0, 0))),
    "wave": Curve(_wave, POINTS, ((0.5, 2), (1, 4), (-1, 1)), ((1, 0), (0, -1), (0, 0))),
    "damped wave": Curve(_damped, POINTS, ((1, 3), (0.1, 1), (3, 6), (-1, 1))),
    "sine": Curve(_sine, np.linspace(-np.pi, np.pi, 21), ((0.1, 0.4), (0.12, 0.2), (-2, 2), (0.3, 0.8))),
    "power law": Curve(_power, POINTS + 0.1, ((0.5, 5), (-2, 3))),
    "stretched decay": Curve(_stretched, POINTS + 0.05, ((1, 3), (0.5, 2), (0.5, 1.5))),
    "line": Curve(_line, np.arange(11.0), ((-2, 2), (-2, 2))),
    "quadratic": Curve(_quadratic, np.linspace(0, 10, 21), ((-1, 1),) * 3),
    "cubic": Curve(_cubic, np.linspace(0, 10, 24), ((-1, 1),) * 4),
    "quartic": Curve(_quartic, np.linspace(-2, 2, 30), ((-1, 1),) * 5),
    "quintic": Curve(_quintic, np.linspace(-2, 2, 30), ((-1, 1),) * 6),
    "charge": Curve(_charge, np.linspace(0, 0.88, 12), ((3e-16, 6e-16), (-3000, -1500), (6000, 8000))),
    "Arrhenius": Curve(_arrhenius, np.linspace(280, 400, 16), ((1e8, 1e11), (4e4, 6e4))),
    "redundant": Curve(_redundant, np.linspace(0, 1, 16), ((0.5, 2),) * 3),
    "plane": Curve(_plane, np.stack([np.linspace(0, 1, 20), np.zeros(20)]), ((0.5, 2),) * 3),
    "yields": Curve(_yields, MATURITIES, ((0.03, 0.06), (-0.04, 0.01), (-0.03, 0.03), (1, 8))),
    "reserve": Curve(_reserve, np.linspace(0, 1, 41), ((0.4, 2), (0.9, 2.5), (1e5, 5e5)), analytic=_reserve_inside),
}

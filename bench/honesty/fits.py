"""Kinds of curve fits: both precisions, noise from rounding to the signal's size, near and far starts, odd units."""

from __future__ import annotations

from functools import partial

from bench.honesty.draws import Draw
from bench.honesty.solved import Kind, judged

INF = float("inf")
SINE = ((0.0, -INF, -INF, -INF), (INF,) * 4)
RESERVE = ((0.1, 0.1, 1e4), (3.0, 3.0, 1e7))
PEAK = ((0.0, 1.0, 0.3, 0.2), (3.0, 3.0, 1.0, 1.0))
ANY = ("near", "far", "ones", "zeros")
FLAT = ("ones", "zeros")
SINGLE = (-6.0, -0.5)
"""Powers of ten of the noise in float32."""

DRAWS: dict[str, tuple[int, Draw]] = {
    "decay": (2500, Draw("decay", clean=8)),
    "decay, any start": (1500, Draw("decay", noise=(-4, -0.5), starts=ANY)),
    "decay, odd units": (1500, Draw("decay", units=12, noise=(-8, -0.5))),
    "decay float32": (2500, Draw("decay", "float32", SINGLE, clean=8)),
    "decay, mask and sigma": (1500, Draw("decay", masked=True)),
    "two decays": (1500, Draw("two decays", noise=(-10, -1))),
    "two decays of close rates": (1500, Draw("two decays of close rates", noise=(-10, -2))),
    "two decays 1000 : 4 float32": (2000, Draw("two decays 1000 : 4", "float32", (-6, -3))),
    "peak": (2000, Draw("peak", clean=8)),
    "peak, any start": (1500, Draw("peak", noise=(-4, -0.5), starts=ANY)),
    "peak, odd units": (1000, Draw("peak", units=12, noise=(-8, -1))),
    "peak float32": (2000, Draw("peak", "float32", SINGLE)),
    "peak, active bounds": (2000, Draw("peak", noise=(-4, -0.5), bounds=PEAK)),
    "Lorentz peak": (1500, Draw("Lorentz peak", noise=(-8, -0.5), starts=("near", "near", "ones"))),
    "spot float32": (2500, Draw("spot", "float32", SINGLE, starts=("near", "near", "near", "far"))),
    "growth": (2000, Draw("growth", noise=(-8, -0.5), clean=8, starts=("near", "near", "ones"))),
    "saturation": (1500, Draw("saturation", starts=ANY)),
    "Hill": (1500, Draw("Hill", noise=(-8, -0.5), starts=("near", "near", "ones"))),
    "wave": (1500, Draw("wave", noise=(-8, 0), starts=("near", "near", "ones"))),
    "damped wave": (1500, Draw("damped wave", noise=(-8, 0), starts=("near", "far"))),
    "sine, amplitude bounded": (1500, Draw("sine", noise=(-3, -0.5), bounds=SINE, starts=("near", "far", "ones"))),
    "power law": (1500, Draw("power law", clean=8, noise=(-10, -0.5), starts=("near", "ones"))),
    "stretched decay": (1500, Draw("stretched decay", noise=(-8, -0.5))),
    "line over an offset": (3000, Draw("line", offsets=(0, 9), noise=(-6, 0), starts=(*FLAT, "near"))),
    "line over an offset float32": (2000, Draw("line", "float32", (-3, 0), offsets=(0, 5), starts=(*FLAT, "near"))),
    "line over dates in days": (1000, Draw("line", offsets=(5.85, 5.9), noise=(-4, 0), starts=FLAT)),
    "quadratic over an offset": (1500, Draw("quadratic", offsets=(0, 5), noise=(-4, -0.5), starts=(*FLAT, "near"))),
    "cubic": (1500, Draw("cubic", noise=(-10, 0), starts=(*FLAT, "far"))),
    "cubic over an offset": (1000, Draw("cubic", offsets=(0, 3), noise=(-4, -0.5), starts=FLAT)),
    "quartic": (1500, Draw("quartic", noise=(-10, 0), starts=(*FLAT, "far"))),
    "quintic float32": (1500, Draw("quintic", "float32", SINGLE, starts=(*FLAT, "far"))),
    "charge of an electron": (1500, Draw("charge", noise=(-4, -1))),
    "Arrhenius": (1500, Draw("Arrhenius", noise=(-8, -1))),
    "redundant params": (1000, Draw("redundant", noise=(-8, 0), starts=("near", *FLAT))),
    "a param without effect": (1000, Draw("plane", noise=(-6, 0), second=3, starts=("near", *FLAT))),
    "yields, guarded": (1500, Draw("yields", noise=(-6, -1))),
    "reserve, infinite derivative": (1000, Draw("reserve", noise=(-3, -1), bounds=RESERVE)),
}


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [Kind(name, count, partial(judged, draw)) for name, (count, draw) in DRAWS.items()]

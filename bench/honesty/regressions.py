"""Regressions with certified values (`tests.strd`), and lanes like them: new noise of other levels, starts between NIST's two."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

import problems
from bench.honesty.objective import Data, Function
from bench.honesty.solved import Kind, Lanes, judged
from bench.honesty.spaces import Free
from tests import strd

Array = Any

LANES = {
    "Misra1a": 500, "BoxBOD": 500, "Chwirut2": 400, "Kirby2": 200, "Rat43": 400, "Eckerle4": 400, "MGH09": 400, "MGH10": 400,
    "MGH17": 400, "Bennett5": 100, "Thurber": 300, "Lanczos3": 400,
}  # fmt: skip
"""Names and numbers of lanes: of lower, average and higher difficulty, by NIST's own grading."""


@cache
def _problem(name: str) -> Any:
    return problems.curve_fit(strd.MODELS[name])


@np.errstate(all="ignore")
def draw(name: str, rng: np.random.Generator, count: int) -> Lanes:
    """The first two lanes are NIST's; the others have noise of 1e-3 to 3 times the certified deviation."""
    certified = strd.CERTIFIED[name]
    data, model = strd.fit_data(name), strd.MODELS[name]
    x, observed = data["x"], data["y"]
    theta = np.array(certified["certified"])
    y = np.asarray(model(x, *theta), float)
    deviation = np.sqrt(certified["rss"] / (len(y) - len(theta)))
    y = y + deviation * 10 ** rng.uniform(-3, 0.5, (count, 1)) * rng.standard_normal((count, len(y)))
    share = rng.uniform(0, 1, (count, 1))
    share[:2, 0], y[:2] = [1.0, 0.0][:count], observed
    start = share * np.array(certified["start1"]) + (1 - share) * np.array(certified["start2"])
    truth = np.tile(theta, (count, 1))
    return Lanes(_problem(name), {"x": x, "y": y}, start, truth, _residual(model), Free(len(theta)), shared=frozenset({"x"}))


def _residual(model: Any) -> Function:
    def function(z: Array, data: Data) -> Array:
        return model(data["x"], *z.T[..., None]) - data["y"]

    return function


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [Kind(f"NIST {name}", count, partial(judged, partial(draw, name))) for name, count in LANES.items()]

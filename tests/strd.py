"""Nonlinear regressions with certified values: the Statistical Reference Datasets of NIST, in the public domain.

`data/strd.json` has for each the two starts, certified params and standard deviations, residual sum of squares, x and y.
Models as published. Source: https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Model = Callable[..., Any]
CERTIFIED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "strd.json").read_text())


def _enso(x: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any, b6: Any, b7: Any, b8: Any, b9: Any) -> Any:
    angle = 2 * np.pi * x
    year = b2 * np.cos(angle / 12) + b3 * np.sin(angle / 12)
    return b1 + year + b5 * np.cos(angle / b4) + b6 * np.sin(angle / b4) + b8 * np.cos(angle / b7) + b9 * np.sin(angle / b7)


def _gauss(x: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any, b6: Any, b7: Any, b8: Any) -> Any:
    return b1 * np.exp(-b2 * x) + b3 * np.exp(-((x - b4) ** 2) / b5**2) + b6 * np.exp(-((x - b7) ** 2) / b8**2)


def _cubics(x: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any, b6: Any, b7: Any) -> Any:
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def _lanczos(x: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any, b6: Any) -> Any:
    return b1 * np.exp(-b2 * x) + b3 * np.exp(-b4 * x) + b5 * np.exp(-b6 * x)


def _chwirut(x: Any, b1: Any, b2: Any, b3: Any) -> Any:
    return np.exp(-b1 * x) / (b2 + b3 * x)


def _saturation(x: Any, b1: Any, b2: Any) -> Any:
    return b1 * (1 - np.exp(-b2 * x))


MODELS: dict[str, Model] = {
    "Bennett5": lambda x, b1, b2, b3: b1 * (b2 + x) ** (-1 / b3),
    "BoxBOD": _saturation,
    "Chwirut1": _chwirut,
    "Chwirut2": _chwirut,
    "DanWood": lambda x, b1, b2: b1 * x**b2,
    "ENSO": _enso,
    "Eckerle4": lambda x, b1, b2, b3: (b1 / b2) * np.exp(-0.5 * ((x - b3) / b2) ** 2),
    "Gauss1": _gauss,
    "Gauss2": _gauss,
    "Gauss3": _gauss,
    "Hahn1": _cubics,
    "Kirby2": lambda x, b1, b2, b3, b4, b5: (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2),
    "Lanczos1": _lanczos,
    "Lanczos2": _lanczos,
    "Lanczos3": _lanczos,
    "MGH09": lambda x, b1, b2, b3, b4: b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4),
    "MGH10": lambda x, b1, b2, b3: b1 * np.exp(b2 / (x + b3)),
    "MGH17": lambda x, b1, b2, b3, b4, b5: b1 + b2 * np.exp(-x * b4) + b3 * np.exp(-x * b5),
    "Misra1a": _saturation,
    "Misra1b": lambda x, b1, b2: b1 * (1 - (1 + b2 * x / 2) ** -2),
    "Misra1c": lambda x, b1, b2: b1 * (1 - (1 + 2 * b2 * x) ** -0.5),
    "Misra1d": lambda x, b1, b2: b1 * b2 * x / (1 + b2 * x),
    "Nelson": lambda x, b1, b2, b3: b1 - b2 * x[0] * np.exp(-b3 * x[1]),
    "Rat42": lambda x, b1, b2, b3: b1 / (1 + np.exp(b2 - b3 * x)),
    "Rat43": lambda x, b1, b2, b3, b4: b1 / (1 + np.exp(b2 - b3 * x)) ** (1 / b4),
    "Roszman1": lambda x, b1, b2, b3, b4: b1 - b2 * x - np.arctan(b3 / (x - b4)) / np.pi,
    "Thurber": _cubics,
}


def fit_data(name: str) -> dict[str, np.ndarray]:
    """x and y as arrays; Nelson's response is the logarithm of what was measured."""
    known = CERTIFIED[name]
    y = np.array(known["y"])
    return {"x": np.array(known["x"]), "y": np.log(y) if name == "Nelson" else y}


def both_starts(name: str) -> dict[str, np.ndarray]:
    """The far and the near start, as two lanes."""
    known = CERTIFIED[name]
    pairs = zip(known["start1"], known["start2"], strict=True)
    return {f"b{k + 1}": np.array(pair) for k, pair in enumerate(pairs)}


def digits(found: np.ndarray, certified: np.ndarray) -> np.ndarray:
    """Correct digits of the worst entry, the logarithm of the relative error: `(lanes, p)` -> `(lanes,)`."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log10(np.abs(found / certified - 1)).max(axis=-1))


def offset(name: str, theta: np.ndarray) -> float:
    """The relative offset at a point, by complex steps in long double; |r| / |y| where that is smaller (an exact fit)."""
    data = {key: array.astype(np.longdouble) for key, array in fit_data(name).items()}
    step = np.longdouble(1e-60)
    values = theta.astype(np.clongdouble) + 1j * step * np.eye(len(theta))
    columns = np.stack([MODELS[name](data["x"], *row).imag / step for row in values])
    gap = MODELS[name](data["x"], *theta.astype(np.longdouble)) - data["y"]
    return min(relative_offset(columns, gap), float(np.sqrt(gap @ gap) / np.sqrt(data["y"] @ data["y"])))


def relative_offset(columns: np.ndarray, gap: np.ndarray) -> float:
    """That of Bates and Watts, |P r| / |r|, in long double by Gram and Schmidt, twice: np.linalg knows no long double."""
    gap, basis = gap.astype(np.longdouble), list[np.ndarray]()
    for column in columns.astype(np.longdouble):
        for q in basis + basis:
            column = column - (q @ column) * q
        basis.append(column / np.sqrt(column @ column))
    along = np.array([q @ gap for q in basis])
    return float(np.sqrt(along @ along / (gap @ gap)))

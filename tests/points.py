"""Points and matrices at which the reference backend's derivatives are tested."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace

RNG = np.random.default_rng(7)

V = np.array([0.3, -0.7, 1.9, 0.55])

P = np.array([0.2, 0.7, 1.9, 5.5])

M, W = RNG.standard_normal((3, 3)) + 3 * np.eye(3), RNG.standard_normal((3, 3))

SPD = M @ M.T

INV = np.linalg.inv(M)

I3 = np.eye(3)


def xp(a: Any) -> Any:
    return array_namespace(a)

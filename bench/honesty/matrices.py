"""Unit vectors, and orthogonal, symmetric and positive definite matrices, with ill-scaled data."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from bench.honesty.bounded import times
from bench.honesty.manifolds import Rotations, Sphere, Symmetric
from bench.honesty.objective import Data
from bench.honesty.solved import Kind, Lanes, judged
from engine import Param, Problem, domains

Array = Any


@cache
def null_vector() -> Problem:
    """The unit vector c that makes |M c| least: total least squares, and algebraic fits of conics."""
    return Problem("null vector", {"M": "m k"}, {"c": Param("k", domains.UnitNorm())}, lambda c, M: M @ c)


def _null_vectors(M: Array, rng: np.random.Generator) -> Lanes:
    count, _, k = M.shape
    truth = np.linalg.svd(M)[2][:, -1]
    start = rng.standard_normal((count, k))
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    return Lanes(null_vector(), {"M": M}, start, truth, lambda z, data: times(data["M"], z), Sphere(k), shapes={"c": (k,)})


def circles(rng: np.random.Generator, count: int) -> Lanes:
    """Circles near (1000, 600), as c0 (x^2 + y^2) + c1 x + c2 y + c3 = 0: columns from 1e6 to 1."""
    angle = np.linspace(0, 6, 30)
    radius = rng.uniform(4, 9, (count, 1))
    center = np.array([1000.0, 600.0]) + rng.uniform(-300, 300, (count, 2))
    x, y = center[:, :1] + radius * np.cos(angle), center[:, 1:] + radius * np.sin(angle)
    level = 10 ** rng.uniform(-3, -0.5, (count, 1))
    x, y = x + level * rng.standard_normal(x.shape), y + level * rng.standard_normal(y.shape)
    return _null_vectors(np.stack([x * x + y * y, x, y, np.ones_like(x)], axis=2), rng)


def total_least_squares(rng: np.random.Generator, count: int) -> Lanes:
    """Lines a x + b y + c = 0 through points far from the origin, in units that differ by up to 1e3."""
    t = np.linspace(0, 1, 20)
    slope, shift = rng.uniform(-2, 2, (2, count, 1))
    x = 100 + t + 0.01 * rng.standard_normal((count, 20))
    y = (slope * t + shift + 0.01 * rng.standard_normal((count, 20))) * 10 ** rng.uniform(-3, 3, (count, 1))
    return _null_vectors(np.stack([x, y, np.ones_like(x)], axis=2), rng)


@cache
def procrustes() -> Problem:
    """The rotation that takes A to B best."""
    return Problem(
        "rotation", {"A": "m n", "B": "m n"}, {"Q": Param("n n", domains.Orthogonal(), start="eye")}, lambda Q, A, B: A @ Q - B
    )


def rotations(rng: np.random.Generator, count: int) -> Lanes:
    """Clouds of 8 points, long in one direction, turned by any angle, with noise; some turned by half a turn about an axis."""
    A = rng.standard_normal((count, 8, 3)) * 10 ** rng.uniform(-1, 1, (count, 1, 3))
    Q = np.linalg.qr(rng.standard_normal((count, 3, 3)))[0]
    Q *= np.linalg.det(Q)[:, None, None]
    half = np.arange(count) % 4 == 0
    Q[half] = np.diag([1.0, -1.0, -1.0])
    B = A @ Q + 10 ** rng.uniform(-3, -1, (count, 1, 1)) * rng.standard_normal(A.shape)
    start, truth = np.tile(np.eye(3).ravel(), (count, 1)), Q.reshape(count, 9)

    def function(z: Array, data: Data) -> Array:
        turned = (data["A"][:, :, :, None] * z.reshape(-1, 1, 3, 3)).sum(axis=2)
        return (turned - data["B"]).reshape(len(z), -1)

    return Lanes(procrustes(), {"A": A, "B": B}, start, truth, function, Rotations(3), np.ones(9), {"Q": (3, 3)})


@cache
def stiffness(positive: bool) -> Problem:
    """The symmetric, or positive definite, S with X S nearest to Y."""
    domain = domains.PositiveDefinite() if positive else domains.Symmetric()
    return Problem("stiffness", {"X": "m n", "Y": "m n"}, {"S": Param("n n", domain, start="eye")}, lambda S, X, Y: X @ S - Y)


def stiffnesses(positive: bool, rng: np.random.Generator, count: int) -> Lanes:
    """3 x 3 from 8 displacements, of components that differ by up to 100; positive ones have eigenvalues above 1."""
    X = rng.standard_normal((count, 8, 3)) * 10 ** rng.uniform(-1, 1, (count, 1, 3))
    S = rng.standard_normal((count, 3, 3))
    S = S @ S.swapaxes(1, 2) + 2 * np.eye(3) if positive else S + S.swapaxes(1, 2)
    Y = X @ S + 10 ** rng.uniform(-4, -1 if positive else 0, (count, 1, 1)) * rng.standard_normal(X.shape)
    start, truth = np.tile(np.eye(3).ravel(), (count, 1)), S.reshape(count, 9)

    def function(z: Array, data: Data) -> Array:
        product = (data["X"][:, :, :, None] * z.reshape(-1, 1, 3, 3)).sum(axis=2)
        return (product - data["Y"]).reshape(len(z), -1)

    return Lanes(stiffness(positive), {"X": X, "Y": Y}, start, truth, function, Symmetric(3), np.ones(9), {"S": (3, 3)})


@cache
def covariance() -> Problem:
    """Normal likelihood of a covariance S, given the second moments C."""

    def loss(S: Any, C: Any) -> Any:
        det = S[0, 0] * S[1, 1] - S[0, 1] * S[1, 0]
        trace = (S[1, 1] * C[0, 0] - S[0, 1] * C[0, 1] - S[1, 0] * C[1, 0] + S[0, 0] * C[1, 1]) / det
        return array_namespace(S).log(det) + trace

    return Problem("covariance", {"C": "n n"}, {"S": Param("n n", domains.PositiveDefinite(), start="eye")}, loss=loss)


def covariances(rng: np.random.Generator, count: int) -> Lanes:
    """2 x 2, of 10 draws of correlated variables in units that differ by up to 30. The minimum is C itself."""
    draws = (
        rng.standard_normal((count, 10, 2)) @ rng.standard_normal((count, 2, 2)) * 10 ** rng.uniform(-0.75, 0.75, (count, 1, 2))
    )
    C = draws.swapaxes(1, 2) @ draws / 10

    def function(z: Array, data: Data) -> Array:
        a, b, d = z[:, 0], (z[:, 1] + z[:, 2]) / 2, z[:, 3]
        det = np.where((a.real > 0) & ((a * d - b * b).real > 0), a * d - b * b, np.nan)
        c = data["C"]
        return np.log(det) + (d * c[:, 0, 0] - b * (c[:, 0, 1] + c[:, 1, 0]) + a * c[:, 1, 1]) / det

    start, truth = np.tile(np.eye(2).ravel(), (count, 1)), C.reshape(count, 4)
    return Lanes(covariance(), {"C": C}, start, truth, function, Symmetric(2), np.ones(4), {"S": (2, 2)}, squares=False)


def kinds() -> list[Kind]:
    """All kinds of this file."""
    drawn: list[tuple[str, int, Callable[[np.random.Generator, int], Lanes]]] = [
        ("UnitNorm: circles", 2000, circles),
        ("UnitNorm: total least squares", 1500, total_least_squares),
        ("Orthogonal: rotations of clouds", 1500, rotations),
        ("Symmetric: stiffness", 1500, partial(stiffnesses, False)),
        ("PositiveDefinite: stiffness", 1000, partial(stiffnesses, True)),
        ("PositiveDefinite: covariances", 1500, covariances),
    ]
    return [Kind(name, count, partial(judged, draw)) for name, count, draw in drawn]

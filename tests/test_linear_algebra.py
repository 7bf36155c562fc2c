"""Linear algebra inside a declared loss: a bad lane becomes a status, nothing raises, good lanes keep their bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import engine
from engine import Param, Problem, Status
from engine.solvers import GradientDescent

LANES = 8
BAD = {1: "nan", 3: "inf", 4: "zero", 5: "singular", 6: "huge"}


def xp(a: Any) -> Any:
    return array_namespace(a)


def square(a: Any) -> Any:
    return xp(a).mean(a * a)


def shifted(X: Any, A: Any) -> Any:
    """A matrix of both data and unknowns, near A."""
    return A + 0.1 * X


def gram(X: Any, A: Any) -> Any:
    """The same, symmetric; definite where A is regular."""
    M = shifted(X, A)
    return xp(M).matrix_transpose(M) @ M


# what a loss does with a function of the unknowns, so that its derivative is asked for too
ON_BOTH: dict[str, Callable[..., Any]] = {
    "inv": lambda X, A: square(xp(A).linalg.inv(shifted(X, A))),
    "solve": lambda X, A: square(xp(A).linalg.solve(shifted(X, A), A[:, :1]) - X[:, :1]),
    "cholesky": lambda X, A: square(xp(A).linalg.cholesky(gram(X, A))),
    "slogdet": lambda X, A: square(xp(A).linalg.slogdet(shifted(X, A)).logabsdet) + square(X),
    "det": lambda X, A: square(xp(A).linalg.det(shifted(X, A)) - 1),
}
ON_TORCH: dict[str, Callable[..., Any]] = {
    "eigh": lambda X, A: square(xp(A).linalg.eigh(gram(X, A)).eigenvalues - 1),
    "svd": lambda X, A: square(xp(A).linalg.svd(shifted(X, A), full_matrices=False)[1] - 1),
    "qr": lambda X, A: square(xp(A).linalg.qr(shifted(X, A))[1]),
    "pinv": lambda X, A: square(xp(A).linalg.pinv(shifted(X, A)) - X),
}
# the same factorisations of the data alone, which no derivative goes through
OF_DATA: dict[str, Callable[..., Any]] = {
    "eigh": lambda X, A: square(X[0, :] - xp(A).linalg.eigh(A @ xp(A).matrix_transpose(A)).eigenvalues),
    "svd": lambda X, A: square(X[0, :] - xp(A).linalg.svd(A, full_matrices=False)[1]),
    "qr": lambda X, A: square(X - xp(A).linalg.qr(A)[1]),
    "pinv": lambda X, A: square(X - xp(A).linalg.pinv(A)),
}
ROWS = [pytest.param(f, b, id=f"{name}-{b}") for b in ("torch", "numpy") for name, f in ON_BOTH.items()]
ROWS += [pytest.param(ON_BOTH["det"], "fused", id="det-fused")]
ROWS += [pytest.param(f, "torch", id=f"{name}-torch") for name, f in ON_TORCH.items()]
ROWS += [pytest.param(f, b, id=f"{name} of data-{b}") for b in ("torch", "numpy") for name, f in OF_DATA.items()]


def batch(bad: bool, n: int = 3) -> np.ndarray:
    """Regular matrices; some of them replaced by faulty ones, or by the identity."""
    rng = np.random.default_rng(5)
    A: np.ndarray = np.eye(n) + 0.2 * rng.standard_normal((LANES, n, n))
    for lane, kind in BAD.items():
        A[lane] = np.eye(n) if not bad else faulty(kind, A[lane])
    return A


def faulty(kind: str, A: np.ndarray) -> np.ndarray:
    if kind in ("nan", "inf"):
        return np.where(np.eye(len(A)) > 0, float(kind), A)
    if kind == "singular":
        return np.concatenate([A[:-1], A[:1]])
    return np.full_like(A, {"zero": 0.0, "huge": 1e300}[kind])


@pytest.mark.parametrize("loss, backend", ROWS)
def test_a_bad_lane_in_a_loss_that_factorises_stays_alone(
    loss: Callable[..., Any], backend: str, capfd: pytest.CaptureFixture[str]
) -> None:
    problem = Problem(name="factored", data={"A": "n n"}, params={"X": Param("n n", start="zeros")}, loss=loss)
    n, steps = (2, 5) if backend == "numpy" else (3, 20)  # whose Hessians are nested differences
    options: dict[str, Any] = dict(solver=GradientDescent(0.05), backend=backend, max_steps=steps)
    clean, spoiled = (engine.solve(problem, batch(bad, n), **options) for bad in (False, True))
    good = [k for k in range(LANES) if k not in BAD]
    assert np.isfinite(clean["X"]).all() and (clean.status != Status.NONFINITE).all()
    for name in ("status", "steps", "loss", "residual"):
        np.testing.assert_array_equal(getattr(clean, name)[good], getattr(spoiled, name)[good], err_msg=name)
    np.testing.assert_array_equal(clean["X"][good], spoiled["X"][good])
    assert (spoiled.status[[1, 3]] == Status.NONFINITE_INPUT).all()
    assert capfd.readouterr().err == ""


UNTRACEABLE: dict[str, tuple[str, Callable[..., Any]]] = {
    f"{name} on numpy": ("numpy", ON_TORCH[name]) for name in ("eigh", "svd", "qr", "pinv")
}
UNTRACEABLE["lstsq on numpy"] = ("numpy", lambda X, A: square(np.linalg.lstsq(shifted(X, A), A[:, :1])[0]))
UNTRACEABLE["lstsq on torch"] = ("torch", lambda X, A: square(torch.linalg.lstsq(shifted(X, A), A[:, :1])[0]))


@pytest.mark.parametrize("name", UNTRACEABLE)
def test_what_cannot_be_made_safe_is_refused_by_name_with_a_remedy(name: str) -> None:
    backend, loss = UNTRACEABLE[name]
    problem = Problem(name="factored", data={"A": "n n"}, params={"X": "n n"}, loss=loss)
    with pytest.raises(
        TypeError, match=rf"problem 'factored': loss .*linalg\.{name.split()[0]}.*(use|with|write instead:) .*solve"
    ):
        engine.solve(problem, batch(False), backend=backend, max_steps=2)

"""The main job on real input: `make demo`, or `python -m demo`.

1. Approximations of rank 1, 2 and 3 of each of the 1,797 handwritten digits (8x8) that scikit-learn ships, one outer product
   at a time, declared here as any user would declare a problem, and compared with the known optimum.
2. The singular value decomposition of each digit from its definition, compared with LAPACK.
3. The inverse of 10,000 random 4x4 matrices from nothing but a loss, compared with LAPACK.

Writes answers and pictures to out/. Needs the `demo` extra: scikit-learn and pillow.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

import engine
import problems
from engine import Param, Problem, Solution
from engine.domains import UnitNorm
from engine.plots import page
from tools.picture import Row, picture
from tools.ticker import ticking

OUT = Path("out")
RANKS = (1, 2, 3)
HOW = {
    1: "u v' close to each of 1,797 handwritten digits",
    2: "u v' close to what rank 1 left",
    3: "u v' close to what rank 2 left",
}
SHOWN = 12
"""Digits in the picture."""

YOURS = """\
import numpy as np, lanewise as lw
solution = lw.solve(lw.problems.inverse(), np.random.rand(10_000, 4, 4))
print(solution.summary(), solution.plan, solution.explain(0), sep="\\n")
"""


def remainder(u: Any, v: Any, A: Any) -> Any:
    """A - u v', all entries of it: its mean square is the loss."""
    return A - u[:, None] * v


OUTER = Problem(
    name="outer_product",
    data={"A": "m n"},
    params={"u": Param("m", UnitNorm(), start="normal"), "v": Param("n", start="normal")},
    residual=remainder,
)


def solved(title: str, problem: Problem, A: np.ndarray, **options: Any) -> Solution:
    """The problem for all matrices, and its report; with a line every few seconds, as the first time compiles a kernel."""
    with ticking(f"Solving {problem.name} for {len(A):,} matrices", lambda: ", the first call compiles its kernel"):
        solution = engine.solve(problem, A, **options)
        summary = solution.summary().rstrip()
    print(f"\n{title}\n{'-' * len(title)}\n{summary}")
    if solution.lane_steps > len(A):  # else most lanes have done without
        speed = solution.lane_steps / solution.timings["run_s"]
        print(f"throughput: {speed:,.0f} matrix steps/s ({solution.lane_steps:,} in all)")
    return solution


@functools.cache
def images() -> np.ndarray:
    """The digits, `(1797, 8, 8)`, between 0 and 1. Scikit-learn is loaded here, as that takes seconds the first time."""
    with ticking("Loading scikit-learn and its digits"):
        from sklearn.datasets import load_digits

        return np.asarray(load_digits().images / 16.0)


def digits() -> None:
    """Approximate all digits, one outer product at a time, and compare with the theorem of Eckart and Young."""
    A = images()
    best = np.cumsum(np.linalg.svd(A, compute_uv=False)[:, ::-1] ** 2, axis=-1)[:, ::-1] / A[0].size
    rest, rows = A, [Row("original", "", A[:SHOWN], np.zeros(0))]
    answers: dict[str, Any] = {}
    for rank in RANKS:
        first = solved(f"Rank {rank}: {HOW[rank]}", OUTER, rest, history=True)
        solution = first.retry(max_steps=20_000)
        u, v = solution
        rest = rest - u[:, :, None] * v[:, None]
        loss = np.mean(rest**2, axis=(1, 2))
        began, above = np.mean(first.history[:, 0]), np.max(loss - best[:, rank])
        print(f"start   random u and v, one draw for all digits: mean squared error {began:.3g}")
        print(f"solver  {np.median(first.steps):.0f} steps in the median: {np.mean(loss):.9f}")
        print(f"best    {np.mean(best[:, rank]):.9f} by LAPACK (Eckart and Young); the worst digit is {above:.0e} above it")
        if len(first.failed):
            left = len(solution.failed)
            print(f"retry   with 40 times the steps: {left} of {len(first.failed)} left", end="")
            print(f", for what it approximates is rounding: {np.abs(rest[solution.failed]).max():.0e}" if left else "")
        error = np.sqrt(loss / np.mean(A * A, axis=(1, 2)))
        rows.append(Row(f"rank {rank}", f"{100 * np.mean(error):.0f}% on average", (A - rest)[:SHOWN], error[:SHOWN]))
        answers |= {f"u{rank}": u, f"v{rank}": v, f"status{rank}": solution.status}
        if rank == 1:
            page.write(first.plot(lanes=range(3)), str(OUT / "digits.html"))
    np.savez_compressed(OUT / "digits.npz", A=A, best_loss=best, loss=loss, **answers)
    title = "Handwritten digits, 8x8, as sums of one, two and three outer products"
    below = f"Numbers: error of each digit, as a share of it. {len(A):,} digits at once; at rank 3, {status_words(solution)}."
    picture(title, rows, below).save(OUT / "digits.png")


def decompositions() -> None:
    """Decompose all digits and compare with numpy.linalg.svd."""
    A = images()
    solution = solved("The SVD of 1,797 handwritten digits, most of them singular", problems.svd(), A)
    U, S, V = solution
    size = np.linalg.norm(A, axis=(1, 2))
    back = np.linalg.norm((U * S[:, None]) @ V.swapaxes(1, 2) - A, axis=(1, 2)) / size
    error = np.abs(S - np.linalg.svd(A, compute_uv=False)).max(axis=1) / size

    print(f"start   sweeps of Jacobi rotations; it already was the answer for {np.sum(solution.steps == 0):,} digits")
    print(f"solver  Levenberg-Marquardt, {solution.steps.max()} step at most; |U S V' - A| / |A| at worst {back.max():.0e}")
    print(f"LAPACK  its singular values differ by at most {error.max():.0e} of |A|\n")
    save("svd.npz", solution, A=A)


def inverses() -> None:
    """Invert 10,000 uniform random matrices and compare with numpy.linalg.inv."""
    A = np.random.default_rng(314).random((10_000, 4, 4))
    solution = solved("The inverses of 10,000 random 4x4 matrices", problems.inverse(), A)
    X, good = solution["X"], solution.converged
    exact = np.linalg.inv(A)
    error = np.linalg.norm(X - exact, axis=(1, 2)) / np.linalg.norm(exact, axis=(1, 2))
    condition = np.linalg.cond(A)

    print("start   one uniform random matrix for all lanes")
    print(f"solver  Levenberg-Marquardt, {np.median(solution.steps):.0f} steps in the median, {solution.steps.max()} at most")
    print(f"LAPACK  its inverses differ by {np.median(error[good]):.0e} in the median, {error[good].max():.0e} at worst", end="")
    print(f" (condition {condition[good][np.argmax(error[good])]:.0e})\n")
    save("inverses.npz", solution, A=A)


def status_words(solution: Solution) -> str:
    """Counts by status on one line."""
    return ", ".join(f"{count:,} {status.name}" for status, count in solution.counts().items())


def save(name: str, solution: Solution, **more: Any) -> None:
    """Answers, statuses and figures as npz."""
    figures = {field: getattr(solution, field) for field in ("status", "steps", "loss", "residual")}
    np.savez_compressed(OUT / name, **solution.params, **figures, **more)


def main() -> None:
    """All jobs."""
    OUT.mkdir(exist_ok=True)
    digits()
    decompositions()
    inverses()
    print(f"Answers in {OUT}/*.npz; look at {OUT}/digits.png, and at {OUT}/digits.html for the loss step by step.")
    print("\nNow you: `. .venv/bin/activate`, then in python (this kernel is compiled already):\n")
    print(YOURS, end="", flush=True)


if __name__ == "__main__":
    main()

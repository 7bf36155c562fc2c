"""The main job on real input: `make demo`, or `python -m demo`.

1. Rank-3 approximation of each of the 1,797 handwritten digits (8x8) that scikit-learn ships, declared here as any
   user would declare a problem, and compared with the known optimum.
2. The singular value decomposition of each digit from its definition, compared with LAPACK.
3. The inverse of 10,000 random 4x4 matrices from nothing but a loss, compared with LAPACK.

Writes out/digits.npz, out/digits.png, out/svd.npz and out/inverses.npz. Needs the `demo` extra: scikit-learn and pillow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits

import engine
import problems
from engine import Param, Problem, Solution
from engine.solvers import GradientDescent

OUT = Path("out")
RANK = 3
SHOWN = 12
"""Digits in the picture."""

CELL, GAP, LEFT, TOP = 64, 8, 88, 40
"""Pixels: the side of a digit, between two, left of the rows, above them."""


def squared_error(B: Any, C: Any, A: Any) -> Any:
    """mean((B C - A)^2) of one matrix."""
    error = B @ C - A
    return array_namespace(A).mean(error * error)


LOW_RANK = Problem(
    name="rank_3_digits",
    data={"A": "m n"},
    params={"B": Param("m r", start="normal"), "C": Param("r n", start="normal")},
    sizes={"r": RANK},
    loss=squared_error,
    solver=GradientDescent(1.0, momentum=0.9),
)


def digits() -> None:
    """Approximate all digits and compare with the theorem of Eckart and Young: the best loss drops s[3:]."""
    A = load_digits().images / 16.0
    solution = engine.solve(LOW_RANK, A)
    B, C = solution
    best = np.sum(np.linalg.svd(A, compute_uv=False)[:, RANK:] ** 2, axis=-1) / A[0].size
    excess = np.asarray(solution.loss) - best

    report("Rank-3 approximation of 1,797 handwritten digits", solution)
    print(f"mean loss {np.mean(solution.loss):.9f}; the best that any rank-{RANK} matrix can do is {np.mean(best):.9f}")
    print(
        f"above the optimum, in mean squared pixels (0..1): median {np.median(excess):.1e}, "
        f"99% of the digits below {np.quantile(excess, 0.99):.1e}, worst {excess.max():.1e}\n"
    )
    save("digits.npz", solution, A=A, best_loss=best)
    picture(A[:SHOWN], (B @ C)[:SHOWN]).save(OUT / "digits.png")


def decompositions() -> None:
    """Decompose all digits and compare with numpy.linalg.svd."""
    A = load_digits().images / 16.0
    solution = engine.solve(problems.svd(), A)
    U, S, V = solution
    size = np.linalg.norm(A, axis=(1, 2))
    back = np.linalg.norm((U * S[:, None]) @ V.swapaxes(1, 2) - A, axis=(1, 2)) / size
    error = np.abs(S - np.linalg.svd(A, compute_uv=False)).max(axis=1) / size

    report("The SVD of 1,797 handwritten digits, most of them singular", solution)
    print(f"|U S V' - A| / |A|: median {np.median(back):.1e}, worst {back.max():.1e}", end="; ")
    print(f"singular values agree with LAPACK to {error.max():.1e} of |A|\n")
    save("svd.npz", solution, A=A)


def inverses() -> None:
    """Invert 10,000 uniform random matrices and compare with numpy.linalg.inv."""
    A = np.random.default_rng(314).random((10_000, 4, 4))
    solution = engine.solve(problems.inverse(), A, max_steps=4000)
    X, good = solution["X"], solution.converged
    exact = np.linalg.inv(A)
    error = np.linalg.norm(X - exact, axis=(1, 2)) / np.linalg.norm(exact, axis=(1, 2))
    condition = np.linalg.cond(A)

    report("The inverses of 10,000 random 4x4 matrices", solution)
    print(f"converged lanes agree with LAPACK to {np.median(error[good]):.1e} (median), {error[good].max():.1e} (worst)")
    print(f"condition number: median {np.median(condition[good]):.0f} of the converged lanes", end="")
    print(f", {np.median(condition[~good]):.0f} of the others\n" if not good.all() else "\n")
    save("inverses.npz", solution, A=A)


def report(title: str, solution: Solution) -> None:
    """Throughput, counts by status, quantiles of steps and figures."""
    print(f"{title}\n{'-' * len(title)}\n{solution.summary().rstrip()}")
    if solution.lane_steps > len(solution.status):  # else most lanes have done without
        speed = solution.lane_steps / solution.timings["run_s"]
        print(f"throughput: {speed:,.0f} matrix steps/s ({solution.lane_steps:,} in all)")
    print()


def save(name: str, solution: Solution, **more: Any) -> None:
    """Answers, statuses and figures as npz."""
    figures = {field: getattr(solution, field) for field in ("status", "steps", "loss", "residual")}
    np.savez_compressed(OUT / name, **solution.params, **figures, **more)


def picture(before: Any, after: Any) -> Image.Image:
    """Two rows of digits, as they are and as rank-3 matrices, dark on light."""
    width = LEFT + len(before) * (CELL + GAP)
    canvas = Image.new("L", (width, TOP + 2 * (CELL + GAP)), 255)
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=15)
    pen.text((GAP, GAP), "Handwritten digits (8x8), and each one's rank-3 approximation by gradient descent", 0, font)
    for row, (label, images) in enumerate((("before", before), (f"rank {RANK}", after))):
        y = TOP + row * (CELL + GAP)
        pen.text((GAP, y + CELL // 2 - GAP), label, 0, font)
        for column, image in enumerate(images):
            pixels = np.uint8(np.round(255 * (1 - np.clip(image, 0, 1))))
            tile = Image.fromarray(pixels).resize((CELL, CELL), Image.Resampling.NEAREST)
            canvas.paste(tile, (LEFT + column * (CELL + GAP), y))
            pen.rectangle((LEFT + column * (CELL + GAP), y, LEFT + column * (CELL + GAP) + CELL - 1, y + CELL - 1), outline=200)
    return canvas


def main() -> None:
    """All jobs."""
    OUT.mkdir(exist_ok=True)
    digits()
    decompositions()
    inverses()
    print(f"wrote {', '.join(str(OUT / name) for name in ('digits.npz', 'digits.png', 'svd.npz', 'inverses.npz'))}")


if __name__ == "__main__":
    main()

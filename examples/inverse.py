"""Invert ten thousand matrices at once, by the definition of the inverse alone."""

import numpy as np

import engine
import problems

rng = np.random.default_rng(0)
A = rng.normal(size=(10_000, 4, 4))  # the leading axis is the batch
A[7] = np.outer(A[7, 0], A[7, 1])  # rank 1: no inverse
A[8, 0, 0] = np.nan

solution = engine.solve(problems.inverse(), A)  # X A = I
good = solution.converged
error = np.abs(solution["X"][good] @ A[good] - np.eye(4)).max(axis=(1, 2))

print(solution.summary())
print(f"{good.sum():,} of {len(A):,} inverted; largest entry of X A - I: {error.max():.0e}, median {np.median(error):.0e}")
for lane in solution.failed:
    print(f"lane {lane}: {engine.Status(solution.status[lane]).name}")

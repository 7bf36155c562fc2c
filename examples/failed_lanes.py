"""Lanes that fail keep to themselves; `retry` solves them again, and them alone."""

import numpy as np

import engine
from engine import Param, Problem

root = Problem("sqrtm", {"A": "n n"}, {"X": Param("n n", start="eye")}, lambda X, A: X @ X - A, exact=True)

rng = np.random.default_rng(0)
B = rng.normal(size=(1000, 3, 3))
A = B @ B  # each has a real square root
A[0] = -np.eye(3)  # has none
A[1] = np.nan

first = engine.solve(root, A, max_steps=40)
again = first.retry(max_steps=1000)  # the same start, more steps
starts = again.retry(start={"X": rng.normal(size=(3, 3))})  # another start

for name, solution in {"40 steps": first, "1,000 steps": again, "another start": starts}.items():
    print(f"{name:<14}", {status.name: count for status, count in solution.counts().items()})
kept = first.converged
print("good lanes kept bit for bit:", np.array_equal(first["X"][kept], starts["X"][kept]))
X, usable = starts["X"], starts.converged
gap = np.abs(X[usable] @ X[usable] - A[usable]).max(axis=(1, 2)) / np.abs(A[usable]).max(axis=(1, 2))
print(f"largest relative error of X X among {usable.sum()} answers: {gap.max():.0e}")

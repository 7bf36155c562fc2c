"""A Solution, read: answers by name, a status for each lane, the plan that was followed, the advice for lanes that failed."""

import numpy as np

import engine
import problems

rng = np.random.default_rng(0)
A = rng.normal(size=(2, 100, 4, 4))  # two batch axes: all arrays of the solution begin with them
A[0, 3] = 0  # singular
A[1, 99, 0, 0] = np.inf

solution = engine.solve(problems.inverse(), A, history=True)

print(solution.summary(), end="\n\n")  # counts by status, quantiles, times, advice
print(solution.plan, end="\n\n")  # solver, backend, kernel, certificate, and why
print("X", solution["X"].shape, " status", solution.status.shape, " history", solution.history.shape)
for lane in zip(*map(np.ndarray.tolist, solution.failed), strict=True):
    print(f"lane {lane}: {engine.Status(solution.status[lane]).name}, residual {solution.residual[lane]:.2g}")
print(f"the loss of the first lane before each of its {solution.steps[0, 0]} steps:")
print(np.array2string(solution.history[0, 0][: solution.steps[0, 0]], precision=1))
try:
    solution.raise_for_status()
except engine.SolveError as error:
    print(f"SolveError: {error}")

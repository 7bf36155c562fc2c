"""Torch tensors in, torch tensors out; an array that the residual captures is an input, read at every call."""

import torch

import engine
from engine import Param, Problem

torch.manual_seed(0)
A = torch.randn(1000, 6, 3)
b = torch.randn(1000, 6)
strength = torch.tensor(0.1)


def residual(x, A, b):
    return {"fit": A @ x - b, "ridge": torch.sqrt(strength) * x}


weights = {"fit": 6, "ridge": 3}  # a block counts by its mean of squares: times its size, by the sum
ridge = Problem("ridge", {"A": "m n", "b": "m"}, {"x": Param("n", start="zeros")}, residual, weights=weights)

for value in (0.1, 10.0):
    strength.fill_(value)  # no new kernel: the tensor's numbers are read when `solve` is called
    solution = engine.solve(ridge, {"A": A, "b": b})
    normal = A.mT @ A + value * torch.eye(3)
    direct = torch.linalg.solve(normal, A.mT @ b[..., None])[..., 0]
    error = (solution["x"] - direct).abs().max()
    print(f"strength {value:<4}: {solution['x'].dtype}, {int(solution.converged.sum())} of {len(A)} converged,", end=" ")
    print(f"|x| {solution['x'].norm(dim=1).mean():.3f} on average, at most {error:.0e} from torch.linalg, ", end="")
    print(f"compile {'yes' if solution.timings['compile_s'] else 'no'}")

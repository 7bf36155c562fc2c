"""Derivatives of solutions by data and captured tensors.

    condition    the optimality condition of one lane, and its matrix
    attach       steps on it from a detached answer, for all lanes
    tracked      a call whose tensors somebody differentiates, or a transform maps
    traced       a call inside torch.compile

Nothing here is loaded, or runs, for a call that nobody differentiates.
"""

from engine.derivatives.tracked import solve_tracked

__all__ = ["solve_tracked"]

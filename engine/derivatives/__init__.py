"""Derivatives of solutions by data and captured tensors.

    condition    the optimality condition of one lane, and its matrix
    attach       steps on it from a detached answer, for all lanes
    direct       inverses of the matrix by arithmetic alone
    native       the reverse derivative of these steps as a kernel
    call         one call: its plain solve, its matrices, its figures re-attached
    pullback     the backward pass of plain autograd
    tracked      a call whose tensors somebody differentiates, or a transform maps
    traced       a call inside torch.compile
    perturbed    a call on NumPy arrays that carry a derivative
    orders       how many derivatives are taken, and how many there are

Nothing here is loaded, or runs, for a call that nobody differentiates.
"""

from engine.derivatives.tracked import solve_tracked

__all__ = ["solve_tracked"]

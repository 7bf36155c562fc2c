"""Small dense linear algebra in plain array operations: traceable, for one lane, any leading axes of blocks.

Needs the array-API namespace alone. Every function is unrolled over the size, a column at a time, with the rest of
the matrix as one array; nothing raises and nothing branches on a value. A pivot that is not positive is replaced by a
small one and reported, so that a faulty lane stays finite where it can, and stays alone. Results have the dtype and the
device of the arguments, which are float arrays of one dtype.
"""

from engine.smalllinalg.basics import eye, scaled
from engine.smalllinalg.jacobi import rotated
from engine.smalllinalg.orthogonal import orthonormal, qr
from engine.smalllinalg.selection import descending, first_largest
from engine.smalllinalg.symmetric import cholesky, condition, solve_symmetric
from engine.smalllinalg.triangular import solve_lower, solve_unpivoted, solve_upper

__all__ = [
    "cholesky",
    "condition",
    "descending",
    "eye",
    "first_largest",
    "orthonormal",
    "qr",
    "rotated",
    "scaled",
    "solve_lower",
    "solve_symmetric",
    "solve_unpivoted",
    "solve_upper",
]

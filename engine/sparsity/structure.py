"""The sparsity of the curvature in tangent coordinates: static knowledge of a solver's step.

Needs nothing; `detect` finds one. The curvature is J'J of a residual problem, the Hessian of another loss. Coordinates
that it couples form blocks: one product with the sum of the k-th members of all blocks gives the k-th column of
every block at once, so that as many products as the largest block has members give all entries.

Source:
    Curtis, Powell and Reid, On the estimation of sparse Jacobian matrices, J. Inst. Maths Applics 13 (1974): columns that share
    no row are taken together; Coleman and More, Estimation of sparse Jacobian matrices and graph coloring problems, SIAM J.
    Numer. Anal. 20 (1983): a colouring of the graph in which coupled coordinates are neighbours. Here its components are
    taken for complete, so that the k-th member of each has the colour k.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Structure:
    """Blocks of coupled coordinates, each in ascending order; together they are a permutation of all.

    Fields:
        rows: the residual's rows that depend on each block, where no row depends on two and all blocks are of one size.
        singular: whether a derivative may be infinite where the residual is finite.

    Example:
        >>> Structure(((0, 2), (1,))).colours
        ((0, 1), (2,))
        >>> print(Structure(((0, 2), (1,))))
        1 block of 2 x 2, 1 block of 1 x 1
    """

    blocks: tuple[tuple[int, ...], ...]
    rows: tuple[tuple[int, ...], ...] | None = None
    singular: bool = True

    @classmethod
    def dense(cls, size: int) -> Structure:
        """One block."""
        return cls((tuple(range(size)),) if size else ())

    @property
    def size(self) -> int:
        """The number of coordinates."""
        return sum(map(len, self.blocks))

    @property
    def width(self) -> int:
        """The number of coordinates of the largest block."""
        return max(map(len, self.blocks), default=0)

    @property
    def is_dense(self) -> bool:
        """Whether products would save nothing over all columns of J."""
        return 2 * self.width > self.size

    @cached_property
    def groups(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """The blocks by size, largest first."""
        widths = sorted({len(block) for block in self.blocks}, reverse=True)
        return tuple(tuple(block for block in self.blocks if len(block) == width) for width in widths)

    # A component of k coordinates needs at least as many colours as its largest clique; k are always enough, and let the solver
    # factor dense blocks. Members of one colour lie in different blocks: no entry of the product mixes two columns.
    @property
    def colours(self) -> tuple[tuple[int, ...], ...]:
        """For each k, the k-th members of all blocks that have so many."""
        return tuple(tuple(sorted(block[k] for block in self.blocks if len(block) > k)) for k in range(self.width))

    @property
    def members(self) -> list[int]:
        """Colour by colour, for each coordinate the one of that colour in its block; itself where there is none."""
        own = {k: block for block in self.blocks for k in block}
        width = len(self.colours)
        return [own[k][colour] if len(own[k]) > colour else k for colour in range(width) for k in range(self.size)]

    def __str__(self) -> str:
        if len(self.blocks) == 1:
            return f"dense, {self.size} x {self.size}"
        words = (f"{len(group)} block{'s' * (len(group) > 1)} of {len(group[0])} x {len(group[0])}" for group in self.groups)
        return ", ".join(words)

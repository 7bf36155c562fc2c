"""Contractions as loops over register tiles, with the rest of their group at the end of each. Needs `sums`.

Register tiling (Goto and van de Geijn, Anatomy of high-performance matrix multiplication, ACM TOMS 34, 2008, section 4): a tile
of the result stays in registers while the loop over the depth adds to it outer products of a column and a row. Each number that
is loaded is used for a whole row or column of the tile.
"""

from __future__ import annotations

from typing import Any

from backends.fused.codegen.operands import vector_type
from backends.fused.codegen.sums import Sums
from backends.fused.ir.graph import Node
from backends.fused.passes.schedule import Group


def _tiles(size: int, most: int) -> list[tuple[int, int, int]]:
    """A range cut into (first, end, tile): equal tiles, and what is left."""
    tile = -(-size // -(-size // most))
    full = size - size % tile
    return [(0, full, tile), *([(full, size, size - full)] if full < size else [])]


class Tiles(Sums):
    """Contractions, tile by tile."""

    def _contraction(self, group: Group) -> None:
        node = group.head
        assert node is not None
        a, b = node.args
        batch, rows, depth = a.shape
        columns = b.shape[2]
        sums = self._open_sums(group, 4)
        self._range("g", 0, batch, 1, rows * columns)
        for i0, i1, ti in _tiles(rows, self.tile[0]):
            self._range("i", i0, i1, ti)
            for j0, j1, tj in _tiles(columns, self.tile[1]):
                self._range("j", j0, j1, tj)
                self._tile(group, node, ti, tj, depth, rows, columns, sums)
                self.lines.append("}")
            self.lines.append("}")
        self.lines.append("}")
        self._close_sums(sums)

    def _tile(self, group: Group, node: Node, ti: int, tj: int, depth: int, rows: int, columns: int, sums: Any) -> None:
        a, b = node.args
        kind = vector_type(node.dtype)
        for first in (True, False):
            if not first:
                if depth == 1:
                    break
                self.lines.append(f"{self._written_out(4)} for (int k = 1; k < {depth}; k++) {{")
            # The first round defines the accumulators instead of adding to zeros: a sum of one term keeps its sign of zero.
            k = "0" if first else "k"
            left = [self._cell(a, ("g", f"(i + {x})", k)) for x in range(ti)]
            right = [self._cell(b, ("g", k, f"(j + {y})")) for y in range(tj)]
            z = "z" if first else ""
            for name, texts, held in (("a", left, False), ("b", right, True)):
                self.lines.append(
                    " ".join(
                        f"{kind} {z}{name}{x} = {text};{f' hold({z}{name}{x});' if held else ''}" for x, text in enumerate(texts)
                    )
                )
            for x in range(ti):
                for y in range(tj):
                    self.lines.append(f"{kind} m{x}_{y} = za{x} * zb{y};" if first else f"m{x}_{y} += a{x} * b{y};")
            if not first:
                self.lines.append("}")
        # The rest of the group is computed on the accumulators, element by element, before they leave the registers.
        count = sums[0][1] if sums else 1
        for x in range(ti):
            for y in range(tj):
                at = f"((g * {rows} + i + {x}) * {columns} + j + {y})"
                self._element(group, at, {node: f"m{x}_{y}"}, (x * tj + y) % count)

"""Meanings of ATen operations in the lane IR: one entry an operation, by its name without overload.

An entry is called with a `LoweringContext` (where to make nodes, and the result's meta tensor), then with the operation's
own arguments, tensors as views. To add an operation, add it to the table of its kind; if it is pointwise and new, to `ops` too. Needs the tables
of `pointwise`, `reductions`, `indexing` and `ordering`.
"""

from __future__ import annotations

from backends.fused.lowering.call import LoweringRule
from backends.fused.lowering.indexing import INDEXING
from backends.fused.lowering.ordering import ORDERED
from backends.fused.lowering.pointwise import POINTWISE
from backends.fused.lowering.reductions import REDUCTIONS

LOWERINGS: dict[str, LoweringRule] = {
    **POINTWISE,
    **REDUCTIONS,
    **INDEXING,
    **ORDERED,
    "_linalg_check_errors": lambda ctx, *_, **__: None,  # raises for all lanes; the results tell lane by lane
}

"""Operations that only move elements: torch runs them on the indices of their arguments. Needs `ir`.

Element k of an argument is stood for by the number of its place among all arguments, 0 for a zero that the operation
puts in; what comes out are the places that the result's elements come from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from backends.fused.ir.graph import Graph, View

MOVES = frozenset(
    "alias as_strided as_strided_scatter cat clone constant_pad_nd contiguous detach diag_embed diagonal diagonal_backward "
    "diagonal_scatter expand expand_as flip gather index index_put index_select lift_fresh lift_fresh_copy movedim narrow "
    "permute repeat reshape roll rot90 scatter select select_backward select_scatter slice slice_backward "
    "slice_scatter split split_with_sizes squeeze stack swapaxes t transpose tril triu unbind unfold unsqueeze view "
    "_reshape_alias _unsafe_index _unsafe_view index_copy take hstack vstack dstack block_diag diag tensor_split "
    "squeeze_copy unsqueeze_copy view_copy expand_copy permute_copy t_copy transpose_copy slice_copy select_copy "
    "diagonal_copy alias_copy detach_copy unbind_copy split_copy _unsafe_index_put split_with_sizes_copy chunk "
    "take_along_dim squeeze_ unsqueeze_".split()
)
_INDEXED = {"index": 1, "_unsafe_index": 1, "index_put": 1, "_unsafe_index_put": 1, "index_select": 2, "gather": 2, "scatter": 2}
_INDEXED |= {"index_copy": 2, "take": 1, "take_along_dim": 1}


def is_static(name: str, args: Any) -> bool:
    """False for indexing by numbers that are not known before the run, or that adds up."""
    if name in ("index_put", "_unsafe_index_put") and len(args) > 3 and args[3]:
        return False
    if name == "constant_pad_nd" and len(args) > 2 and args[2] != 0:
        return False
    if name == "scatter" and not isinstance(args[3], View):
        return False
    if name not in _INDEXED:
        return True
    which = args[_INDEXED[name]]
    return all(v.node.value is not None for v in (which if isinstance(which, list) else [which]) if isinstance(v, View))


_STRIDED = ("as_strided", "as_strided_scatter")
"""They read the memory of their first argument by its strides, not its elements by their order."""


def move(graph: Graph, target: Any, args: Any, kwargs: Any, first: torch.Tensor | None = None) -> Any:
    """The result of a movement as views; `first` has the strides that its first argument had in the trace."""
    name = target._schema.name.removeprefix("aten::")
    sources: list[View] = []
    starts = [1]
    which = _INDEXED.get(name)

    def places(view: View) -> torch.Tensor:
        sources.append(view)
        starts.append(starts[-1] + view.index.size)
        return torch.arange(starts[-2], starts[-1]).reshape(view.shape)

    own = [_each(a, _numbers if k == which else places) for k, a in enumerate(args)]
    if name in _STRIDED:
        own[0] = _strided(own[0], first)
    named = {
        k: _each(v, places) for k, v in kwargs.items() if k not in ("dtype", "layout", "device", "pin_memory", "memory_format")
    }
    result = target(*own, **named)
    if name in _STRIDED and (result < 0).any():
        raise NotImplementedError("memory outside of its argument")
    if isinstance(result, torch.Tensor):
        return _view(graph, result, sources, starts)
    return [_view(graph, part, sources, starts) for part in result]


def _strided(places: torch.Tensor, like: torch.Tensor | None) -> torch.Tensor:
    """The places laid out in memory as `like`, with -1 before and between them."""
    if like is None:
        raise NotImplementedError("an argument whose memory is not known")
    reached = like.storage_offset() + sum((size - 1) * stride for size, stride in zip(like.shape, like.stride(), strict=True))
    return torch.full((reached + 1,), -1).as_strided(like.shape, like.stride(), like.storage_offset()).copy_(places)


def _view(graph: Graph, places: torch.Tensor, sources: list[View], starts: list[int]) -> View:
    """A view of the one source that all elements come from, or of several and zero joined."""
    index = places.numpy()
    dtype = np.result_type(*(s.dtype for s in sources)).name
    sources = [graph.map("copy", s, dtype=dtype) for s in sources]
    used = [k for k, start in enumerate(starts[:-1]) if ((index >= start) & (index < starts[k + 1])).any()]
    if len(used) == 1 and not (index == 0).any():
        source = sources[used[0]]
        return source.at(source.index.reshape(-1)[index - starts[used[0]]])
    zero = graph.const(np.zeros(1), dtype)
    parts = [zero, *(sources[k].at(sources[k].index.reshape(-1)) for k in used)]
    begins = np.cumsum([0, *(p.index.size for p in parts)])
    compact = np.zeros(starts[-1], np.intp)
    for k, begin in zip(used, begins[1:], strict=False):
        compact[starts[k] : starts[k + 1]] = np.arange(begin, begin + sources[k].index.size)
    joined = graph.concat(parts, 0)
    return joined.at(joined.index[compact[index]])


def _numbers(view: View) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(view.constant())).reshape(view.shape)


def _each(value: View | float, f: Callable[[View], Any]) -> Any:
    if isinstance(value, View):
        return f(value)
    return [_each(v, f) for v in value] if isinstance(value, list) else value

"""Params as trees: one flat vector of all entries and back, and a choice leaf by leaf. Needs nothing of the engine."""

from __future__ import annotations

import math
from typing import Any

from backends.tree import tree_map
from backends.types import Array, array_namespace

Params = dict[str, Array]


def flat(params: Params) -> Array:
    """All entries as one vector `(size,)`, in order of declaration.

    >>> import numpy as np
    >>> flat({"a": np.ones((1, 2)), "b": np.zeros(1)}).tolist()
    [1.0, 1.0, 0.0]
    """
    parts = [array_namespace(x).reshape(x, (-1,)) for x in params.values()]
    return parts[0] if len(parts) == 1 else array_namespace(*parts).concat(parts)


def shaped(vector: Array, like: Params) -> Params:
    """The params of such a vector, in the shapes of others.

    >>> import numpy as np
    >>> {name: x.shape for name, x in shaped(np.arange(3.0), {"a": np.ones((1, 2)), "b": np.zeros(1)}).items()}
    {'a': (1, 2), 'b': (1,)}
    """
    found, start = {}, 0
    for name, x in like.items():
        stop = start + math.prod(x.shape)
        found[name] = array_namespace(vector).reshape(vector[start:stop], tuple(x.shape))
        start = stop
    return found


def select(condition: Array, yes: object, no: object) -> Any:
    """A choice leaf by leaf: where(condition, yes, no).

    >>> import numpy as np
    >>> select(np.array(True), {"a": np.array(1.0)}, {"a": np.array(2.0)})["a"].tolist()
    1.0
    """
    return tree_map(lambda a, b: array_namespace(a, b).where(condition, a, b), yes, no)

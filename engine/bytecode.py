"""Code objects as digests that are the same in every process: bytecode, names and constants, but neither files nor lines."""

from __future__ import annotations

import dis
import hashlib
import marshal
import types
from functools import cache

VERSION = 2
"""Of marshal's format: the last one in which a value's bytes depend on the value alone."""

_KNOWN: dict[int, tuple[types.CodeType, str]] = {}
"""Digests that were taken; a code object does not change, and is kept so that its id stays its own."""


def code_digest(code: types.CodeType) -> str:
    """A digest of a code object and of those within it."""
    known = _KNOWN.get(id(code))
    if known is None:
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags)
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        constants = tuple(code_digest(c).encode() if isinstance(c, types.CodeType) else c for c in code.co_consts)
        parts = marshal.dumps((code.co_code, code.co_exceptiontable, names, counts, constants), VERSION)
        known = _KNOWN[id(code)] = code, hashlib.sha256(parts).hexdigest()
    return known[1]


def global_names(code: types.CodeType) -> set[str]:
    """Global names that a code object and those within it may read."""
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*(global_names(inner) for inner in nested))


@cache
def written_names(code: types.CodeType) -> set[str]:
    """Names outside of it that a code object, or one within it, writes: globals, and variables of functions around it."""
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    own = {
        str(word.argval)
        for word in dis.get_instructions(code)
        if word.opname == "STORE_GLOBAL" or (word.opname == "STORE_DEREF" and word.argval in code.co_freevars)
    }
    return own.union(*(written_names(inner) - set(code.co_cellvars) for inner in nested))

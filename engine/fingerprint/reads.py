"""Reads of a function's bytecode beside its arguments: globals, attributes and modules, by name.

Names are complete only where none is computed: `pure` lists the builtins and attributes that a function may use, and `getattr`,
`globals` or `eval` are not among them. Code that makes classes or sets, or writes globals, is refused: a set of strings is read in
another order in every process. Needs Python alone.
"""

from __future__ import annotations

import dis
import types
from dataclasses import dataclass

from engine.libraries import Unhashable

REFUSED = frozenset({
    "BUILD_SET", "SET_ADD", "SET_UPDATE", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_BUILD_CLASS", "LOAD_LOCALS", "MATCH_CLASS", "IMPORT_STAR",
    "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF", "GET_AWAITABLE", "GET_AITER", "ASYNC_GEN_WRAP",
})  # fmt: skip
"""Instructions that read what no name says, or whose order is another in every process."""

FORMATS = frozenset({"FORMAT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC"})
"""Instructions that make text of a value, for messages: a text may hold an address."""


@dataclass(frozen=True)
class Reads:
    """Names that a code object and those within it read, and the attributes that they write."""

    names: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()

    def __or__(self, other: Reads) -> Reads:
        return Reads(*(getattr(self, name) | getattr(other, name) for name in self.__dataclass_fields__))


_KNOWN: dict[int, tuple[types.CodeType, Reads]] = {}
"""Reads that were looked up; a code object does not change, and is kept so that its id stays its own."""


def reads(code: types.CodeType) -> Reads:
    """Names that a code object and those within it read. Raises Unhashable where that cannot be told."""
    known = _KNOWN.get(id(code))
    if known is None:
        found = _own(code)
        for inner in code.co_consts:
            if isinstance(inner, types.CodeType):
                found |= reads(inner)
        known = _KNOWN[id(code)] = code, found
    return known[1]


def _own(code: types.CodeType) -> Reads:
    names, attributes, written, modules = set(), set(), set(), set()
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("CACHE", "EXTENDED_ARG")]
    raises = any(step.opname in ("RAISE_VARARGS", "LOAD_ASSERTION_ERROR") for step in steps)
    for at, step in enumerate(steps):
        name = step.opname
        if name in REFUSED or (name in FORMATS and not raises):
            raise Unhashable(f"{code.co_qualname} does {name}")
        if name == "IS_OP" and not _is_told(*steps[at - 2 : at]):
            raise Unhashable(f"{code.co_qualname} tells objects apart by where they are")
        if isinstance(step.argval, str) and name == "LOAD_CONST" and "%" in step.argval and not raises and at:
            raise Unhashable(f"{code.co_qualname} makes text, perhaps of an address")
        if isinstance(step.argval, frozenset) and steps[at + 1].opname != "CONTAINS_OP":
            raise Unhashable(f"{code.co_qualname} reads a set in its order")
        if name == "IMPORT_NAME":
            if steps[at - 2].argval != 0:
                raise Unhashable(f"{code.co_qualname} imports relative to its package")
            modules.add(step.argval)
        elif name in ("STORE_ATTR", "DELETE_ATTR"):
            written.add(step.argval)
        elif "ATTR" in name or "METHOD" in name or name == "IMPORT_FROM":
            if isinstance(step.argval, str):
                attributes.add(step.argval)
        elif name in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
            names.add(step.argval)
    return Reads(*map(frozenset, (names, attributes, written, modules)))


def _is_told(before: dis.Instruction, step: dis.Instruction) -> bool:
    """Whether an instruction gives an object that there is once: None, a truth, an ellipsis, a class; as what `dataclass` writes does."""
    if step.opname == "LOAD_CONST":
        return any(step.argval is single for single in (None, True, False, ...))
    if step.opname == "LOAD_DEREF":
        return "HAS_DEFAULT_FACTORY" in step.argval or (step.argval == "cls" and before.opname == "CALL")
    return step.opname == "LOAD_ATTR" and step.argval == "__class__"

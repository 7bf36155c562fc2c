"""Axes in einops words: parsing a declaration, reading sizes off shapes. Pure Python; needs `signatures`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import ArgumentError, DeclarationError
from engine.signatures import parameters

Axes = tuple[str, ...]
Sizes = dict[str, int]


def parse(text: str, owner: str) -> Axes:
    """The axes of a declaration; integers stand for themselves.

    Raises ValueError naming the owner when a word is neither a name nor a number.

    >>> parse("m n", "A"), parse("", "c"), parse("3 n", "T")
    (('m', 'n'), (), ('3', 'n'))
    """
    if not isinstance(text, str):
        raise DeclarationError(f"{owner}: axes came as {text!r}; expected a string of axis names such as 'm n'")
    axes = tuple(text.split())
    for axis in axes:
        if not (axis.isidentifier() or axis.isdigit()):
            raise DeclarationError(f"{owner}: axis {axis!r} in {text!r} is no name; expected names or numbers, such as 'm n'")
    return axes


def read(owner: str, axes: Axes, shape: tuple[int, ...], sizes: Sizes, origin: dict[str, str]) -> tuple[int, ...]:
    """Read axis sizes off the last axes of a shape into `sizes`; return the batch shape before them.

    Raises ValueError naming the datum when the rank is too low or an axis already has another size.
    """
    if len(shape) < len(axes):
        raise ArgumentError(
            f"{owner}: got shape {shape}; expected at least {len(axes)} axes ({' '.join(axes)}), "
            "with batch axes in front: reshape it"
        )
    cut = len(shape) - len(axes)
    for axis, size in zip(axes, shape[cut:], strict=True):
        known = int(axis) if axis.isdigit() else sizes.get(axis)
        if known is not None and known != size:
            source = f" from {origin[axis]}" if axis in origin else ""
            hint = "a square matrix" if axes.count(axis) > 1 and origin.get(axis) == owner else "one size for one name"
            raise ArgumentError(
                f"{owner}: got shape {shape}, so axis {axis!r} is {size}; expected {known}{source} ({hint}): "
                f"pass an array whose last axes are ({' '.join(axes)})"
            )
        if not axis.isdigit():
            sizes.setdefault(axis, size)
            origin.setdefault(axis, owner)
    return shape[:cut]


def derive(declared: Mapping[str, int | Callable[..., int]], sizes: Sizes, problem: str) -> None:
    """Add the sizes that no datum carries: numbers, or functions of other sizes."""
    for axis, rule in declared.items():
        if callable(rule):
            wanted = list(parameters(rule, f"problem {problem!r}: sizes[{axis!r}]", sorted(sizes)))
            missing = [name for name in wanted if name not in sizes]
            if missing:
                raise DeclarationError(f"problem {problem!r}: sizes[{axis!r}] asks for {missing}; known axes are {sorted(sizes)}")
            size: Any = rule(**{name: sizes[name] for name in wanted})
        else:
            size = rule
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise DeclarationError(f"problem {problem!r}: sizes[{axis!r}] gave {size!r}; expected a whole number, 0 or more")
        if sizes.setdefault(axis, size) != size:
            raise DeclarationError(f"problem {problem!r}: sizes[{axis!r}] gave {size}, but the data has {sizes[axis]}: drop one")


def shape_of(axes: Axes, sizes: Sizes, owner: str) -> tuple[int, ...]:
    """The shape of an array with these axes.

    >>> shape_of(("m", "3"), {"m": 5}, "B")
    (5, 3)
    """
    missing = [axis for axis in axes if not axis.isdigit() and axis not in sizes]
    if missing:
        raise DeclarationError(f"{owner}: no datum has axis {missing[0]!r}; known axes are {sorted(sizes)}: give it in sizes=")
    return tuple(int(axis) if axis.isdigit() else sizes[axis] for axis in axes)

"""Every operation of `tests.operations` as a native kernel against torch: values, and all that torch.func makes of them.

A kernel holds many operations, for compiling is what takes the time. `MapKernel` has no other way to an answer: an
operation without a lowering raises.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import grad, jacfwd, jacrev, jvp

from backends.fused.run.mapped import MapKernel
from backends.tree import leaves, names
from tests.operations import GROUPS, Operation

LANES = 2

# torch's advice on its own functions, and on what it loads for forward mode
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning"),
]

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-4}
"""Of the largest number of a lane's result."""

DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)


def parts(size: int) -> list[Any]:
    """The table in parts of some operations, a kernel each."""
    starts = [(group, start) for group, table in GROUPS.items() for start in range(0, len(table), size)]
    return [
        pytest.param(dict(list(GROUPS[group].items())[start : start + size]), id=f"{group}{start // size}")
        for group, start in starts
    ]


def arguments(operation: Operation, axes: dict[str, int], dtype: torch.dtype, name: str) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    shapes = [[axes[axis] if axis in axes else int(axis) for axis in word] for word in operation.shapes.split(" ")]
    spread = operation.high - operation.low
    drawn = [torch.rand(LANES, *shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return tuple((operation.low + spread * x).to(dtype) for x in drawn)


def wave(x: Tensor) -> Tensor:
    """Numbers of the shape of x, no two alike."""
    return torch.cos(1 + torch.arange(x.numel(), dtype=x.dtype)).reshape(x.shape)


def values(operation: Operation, args: tuple[Tensor, ...]) -> Any:
    """The results of an operation for a lane."""
    return operation.function(*args)


def derivatives(operation: Operation, args: tuple[Tensor, ...]) -> dict[str, Any]:
    """Derivatives of a lane: in double precision by reverse mode and twice, in single precision once, both ways."""
    function, each = operation.function, tuple(range(len(args)))

    def number(*given: Tensor) -> Tensor:
        y = function(*given)
        total: Tensor = (y * wave(y)).sum()
        return total

    if args[0].dtype == torch.float32:
        return {"jacrev": jacrev(function)(*args), "jvp": jvp(function, args, tuple(map(wave, args)))[1]}
    found: dict[str, Any] = {"grad": list(grad(number, each)(*args))}
    if operation.orders > 1:
        found["hessian"] = jacfwd(grad(number), len(args) - 1)(*args)
    else:
        found["jacfwd"] = jacfwd(function)(*args)
    return found


def compare(found: Any, expected: Any, what: str, tolerance: float) -> str:
    """The faults, in words; nothing where all is well."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"{what}: {found.dtype} {tuple(found.shape)}, expected {expected.dtype} {tuple(expected.shape)}"
    if not expected.is_floating_point():
        return "" if bool((found == expected).all()) else f"{what}: {found}, expected {expected}"
    if not bool((found.isnan() == expected.isnan()).all()):
        return f"{what}: NaN elsewhere: {found}, expected {expected}"
    size = torch.where(expected.isfinite(), expected.abs(), 0)
    bound = tolerance * (size + (size.amax() if size.numel() else 0))
    off = torch.where(found == expected, 0, (found - expected).abs()).nan_to_num(nan=0.0, posinf=torch.inf)
    return "" if bool((off <= bound).all()) else f"{what}: off by {off.max():.2g}: {found}, expected {expected}"


def check(run: Callable[..., Any], args: Sequence[Tensor], tolerance: float) -> None:
    kernel = MapKernel(run, [a[0] for a in args], frozenset())
    found = kernel(args, len(args[0]))
    wrong = []
    for lane in range(len(args[0])):
        expected = run(*(a[lane] for a in args))
        both = zip(leaves(found), leaves(expected), names(expected), strict=True)
        wrong += [compare(a[lane], b, f"lane {lane}, {name}", tolerance) for a, b, name in both]
    assert not any(wrong), "\n".join(filter(None, wrong))


def together(part: dict[str, Operation], all_results: Callable[..., Any]) -> Callable[..., Any]:
    """One function of the arguments of several operations."""
    counts = {name: len(operation.shapes.split(" ")) for name, operation in part.items()}

    def run(*args: Tensor) -> Any:
        rest = iter(args)
        return {name: all_results(operation, tuple(next(rest) for _ in range(counts[name]))) for name, operation in part.items()}

    return run


def sizes(name: str, seed: int, most: str) -> dict[str, int]:
    """Sizes of the axes n, m, k and a for an operation, its own, for to draw for all costs a kernel each time."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return {axis: int(rng.integers(1, int(size) + 1)) for axis, size in zip("nmka", most, strict=True)}


@DTYPES
@pytest.mark.parametrize("part", parts(30))
@settings(max_examples=2, derandomize=True, deadline=None, database=None, phases=[Phase.generate])
@given(seed=st.integers(0, 999))
def test_an_operation_agrees_with_torch_at_any_shape(part: Any, dtype: torch.dtype, seed: int) -> None:
    """All axes are 1 at first."""
    most = "3444" if seed else "1111"
    args = [a for name, operation in part.items() for a in arguments(operation, sizes(name, seed, most), dtype, name)]
    check(together(part, values), args, TOLERANCE[dtype])


@DTYPES
@pytest.mark.parametrize("part", parts(10))
def test_the_derivatives_of_an_operation_agree_with_torch_at_a_shape_of_its_own(part: Any, dtype: torch.dtype) -> None:
    """m is not 1, where what is normalised has derivatives of rounding errors alone."""
    part = {name: operation for name, operation in part.items() if operation.orders}
    most = "2222" if dtype == torch.float64 else "3333"  # the former are of second order
    drawn = {name: sizes(f"{name} {dtype}", 1, most) for name in part}
    drawn = {name: {**found, "m": max(2, found["m"])} for name, found in drawn.items()}
    args = [a for name, operation in part.items() for a in arguments(operation, drawn[name], dtype, name)]
    if part:
        check(together(part, derivatives), args, TOLERANCE[dtype])


SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1, -1, 2.5, -2.5, 0.5, -0.5, 3, -3, 0.3, -0.3, 1e10, -1e10, 1e-30]
BETTER = {
    "polygamma": "torch's is a series, off by 4e-10, and finite at its poles; `test_vmath` has mpmath's",
    "polygamma 2": "torch's is NaN at infinity, not 0",
    "gelu": "torch's is NaN at infinity in single precision, not infinite",
}
"""Operations that are not torch's at these numbers, and why."""


def at_special_numbers(operation: Operation, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """One lane: all numbers, or all pairs of them."""
    numbers, words = torch.tensor(SPECIAL, dtype=dtype), operation.shapes.split(" ")
    if len(words) == 1:
        return (numbers[None, None],)
    first, second = torch.meshgrid(numbers, numbers, indexing="ij")
    return first[None], (numbers if words[1] == "m" else second)[None]


@DTYPES
@pytest.mark.parametrize("group", ["pointwise", "arithmetic", "compared", "activations"])
def test_nan_infinities_zeros_and_negative_numbers_give_what_they_give_in_torch(
    group: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeros have torch's signs where a function of C's library is meant.

    Optimised as kernels are: log2(1/2 + 1/2) is, as torch's, what a fused multiply-add leaves.
    """
    monkeypatch.delenv("LANEWISE_OPT")
    table = {name: one for name, one in GROUPS[group].items() if one.shapes in ("nm", "nm m", "nm nm") and name not in BETTER}
    part = {name: one for name, one in table.items() if not name.startswith(("integer", "casts"))}  # NaN and 1e10 are none
    args = [a for one in part.values() for a in at_special_numbers(one, dtype)]
    run: Any = together(part, values)
    found, expected = MapKernel(run, [a[0] for a in args], frozenset())(args, 1), run(*(a[0] for a in args))
    for name, value in expected.items():
        own = found[name][0]
        assert torch.allclose(own, value, rtol=TOLERANCE[dtype], atol=0, equal_nan=True), f"{name}: {own}, expected {value}"
        if group == "pointwise" and value.is_floating_point():
            assert torch.equal(own.signbit()[value == 0], value.signbit()[value == 0]), name

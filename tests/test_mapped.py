"""jit of vmap as a native kernel: what torch.vmap gives, for any axes, trees and dtypes; and why, where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import engine
from backends.tree import leaves
from tests.test_fused import threads  # noqa: F401  (a fixture)

NATIVE = "fused: one native kernel"


def draw(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def close(found: Any, expected: Any) -> None:
    """One structure, shapes, dtypes; numbers to a few units in the last place."""
    assert type(found) is type(expected)
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        unit = torch.finfo(a.dtype).eps if a.is_floating_point() else 0.0
        torch.testing.assert_close(a, b, rtol=32 * unit, atol=32 * unit)


def native(f: Callable[..., Any], *args: Any, **axes: Any) -> Any:
    made: Any = engine.jit(engine.vmap(f, **axes))
    found = made(*args)
    assert made.plan == NATIVE
    return found


A, B, C, V = draw(9, 3, 3), draw(9, 3, 3, seed=1), draw(3, 3, seed=2), draw(9, 3, seed=3)


@pytest.mark.parametrize(
    ("in_axes", "out_axes", "args"),
    [
        (0, 0, (A, B)),
        ((1, 1), 0, (A.movedim(0, 1), B.movedim(0, 1))),
        ((2, 0), 0, (A.movedim(0, 2), B)),
        ((-1, -3), 0, (A.movedim(0, 2), B)),
        ((0, None), 0, (A, C)),
        ((None, 0), 1, (C, B)),
        ((0, 1), 2, (A, B.movedim(0, 1))),
        (0, -1, (A, B)),
        (0, -2, (A.mT, B[:, :1].expand(9, 3, 3))),
    ],
)
def test_axes_in_and_out_are_those_of_torch(in_axes: Any, out_axes: Any, args: Any) -> None:
    def f(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.tanh(a @ b.mT) - b

    close(native(f, *args, in_axes=in_axes, out_axes=out_axes), torch.vmap(f, in_dims=in_axes, out_dims=out_axes)(*args))


def test_arguments_and_results_are_trees() -> None:
    def f(given: dict[str, Any], v: torch.Tensor) -> dict[str, Any]:
        a, b = given["pair"]
        return {"product": a @ b, "rest": (a.sum(), [v - given["v"], (b > 0).sum()]), "same": v}

    args = ({"pair": (A, B), "v": V}, V * 2)
    close(native(f, *args), torch.vmap(f)(*args))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_floats_keep_their_dtype_and_whole_numbers_truths_and_casts_are_those_of_torch(dtype: torch.dtype) -> None:
    def f(a: torch.Tensor, k: torch.Tensor, on: torch.Tensor) -> Any:
        return (
            a * k,
            k + 1,
            on & (a[0] > 0),
            torch.where(on, a, -a),
            a.to(torch.float64).sum(),
            a.to(torch.float32),
            (a > 0).to(dtype),
        )

    args = (draw(9, 3, dtype=dtype), torch.arange(9, dtype=torch.int32) - 4, torch.arange(9) % 2 == 0)
    close(native(f, *args), torch.vmap(f)(*args))


@pytest.mark.parametrize("lanes", [0, 1, 2, 7, 8, 9, 1000])
def test_any_number_of_lanes_goes_through_one_kernel_and_a_lane_keeps_its_bits(lanes: int, threads: Any) -> None:  # noqa: F811
    def f(a: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = torch.linalg.inv(a) + torch.exp(a)
        return found

    made: Any = engine.jit(engine.vmap(f))
    data = draw(1000, 3, 3)
    threads(1)
    whole = made(data)
    threads(2)
    found = made(data[:lanes])
    assert made.plan == NATIVE and torch.equal(found, whole[:lanes])
    torch.testing.assert_close(found, torch.vmap(f)(data[:lanes]) if lanes else data[:0], rtol=1e-9, atol=1e-9)


def test_a_captured_array_is_read_at_every_call() -> None:
    shift = torch.zeros(3, dtype=torch.float64)
    made: Any = engine.jit(engine.vmap(lambda v: 2 * v + shift))
    for value in (0.0, 5.0, -1.0):
        shift[:] = value
        assert torch.equal(made(V), 2 * V + value) and made.plan == NATIVE


def test_derivatives_inside_are_compiled_with_the_rest() -> None:
    def f(a: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = (torch.sin(a @ v) ** 2).sum()
        return total

    for make in (engine.grad, engine.jacfwd, engine.hessian, engine.value_and_grad):
        close(native(make(f, argnums=1), A, V), torch.vmap(make(f, argnums=1))(A, V))
    twice: Callable[..., Any] = engine.grad(lambda a, v: engine.grad(f, argnums=1)(a, v).sum())
    close(native(twice, A, V), torch.vmap(twice)(A, V))


@pytest.mark.parametrize("points", [2, 5, 7, 8, 11, 25, 31, 33])
def test_elements_side_by_side_and_those_left_over_give_what_one_after_the_other_does(points: int) -> None:
    """Loops with exp take some elements at a time: each element, sums and the greatest, for numbers of them that leave any rest."""
    x = draw(9, points) * 100

    def f(x: torch.Tensor) -> Any:
        y = torch.exp(x)
        return y, (x * y).sum(), (y + torch.log1p(y)).amax(), torch.exp(torch.flip(y, (0,)).clamp(max=3.0))

    close(native(f, x), torch.vmap(f)(x))


@pytest.mark.parametrize(("own", "other"), [(torch.float32, torch.float64), (torch.float64, torch.float32)])
def test_a_loop_may_take_functions_of_the_other_float_type(own: torch.dtype, other: torch.dtype) -> None:
    def f(x: torch.Tensor) -> Any:
        y = torch.exp(x.to(other))
        return y, (y * x).sum(), torch.exp(y.to(own).clamp(max=3.0))

    x = draw(9, 13, dtype=own)
    for a, b in zip(native(f, x), torch.vmap(f)(x), strict=True):
        torch.testing.assert_close(a, b, rtol=2e-6, atol=2e-6)  # both round in single precision


def test_numpy_arrays_give_numpy_arrays_whatever_their_strides() -> None:
    a = A.numpy()
    frozen = a.copy()
    frozen.flags.writeable = False
    for given in (a, a[::-1], a[:, ::-1].swapaxes(1, 2), frozen, a.astype(">f8"), np.broadcast_to(a[:1], a.shape)):
        found = native(lambda m: m @ m, given)
        assert type(found) is np.ndarray
        np.testing.assert_allclose(found, given @ given, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(frozen, a)


def test_where_there_is_no_kernel_the_answer_is_right_and_the_reason_can_be_read() -> None:
    f: Any = engine.jit(engine.vmap(torch.special.i0e))
    torch.testing.assert_close(f(V), torch.special.i0e(V))
    assert f.plan.startswith("inductor: torch.compile; fused cannot: ") and "i0e: no lowering" in f.plan
    mixed: Any = engine.jit(engine.vmap(lambda a, b: a + b))
    close(mixed(V, V.to(torch.float32)), V + V.to(torch.float32))
    assert "several" in mixed.plan and "float" in mixed.plan


def test_a_mistake_of_the_function_comes_in_its_own_words() -> None:
    made = engine.jit(engine.vmap(lambda a: a @ torch.ones(7, dtype=a.dtype)))
    with pytest.raises(RuntimeError, match="size mismatch"):
        made(A)
    with pytest.raises(ValueError, match="in_dims"):
        engine.jit(engine.vmap(lambda a, b: a + b, in_axes=(0, 0, 0)))(A, B)

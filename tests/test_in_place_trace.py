"""Functions that change their own tensors in place are traced as what they compute: against plain torch, one lane at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from backends.torch.trace import Traced
from backends.tree import leaves


def constant(x: Tensor) -> Tensor:
    z = torch.zeros(3, dtype=x.dtype)
    z[0] = 2.0
    z[1:].fill_(3.0)
    return z * x


def read_before_it_is_changed(x: Tensor) -> Tensor:
    z = torch.ones(3, dtype=x.dtype)
    before = z + x
    z.add_(4.0)
    return torch.cat([before, z * x])


def view_read_after_its_base_is_changed(x: Tensor) -> Tensor:
    z = torch.zeros(4, dtype=x.dtype)
    tail = z[1:]
    z[2] = 5.0
    z.mul_(2.0)
    return tail * x


def input_written_into_a_constant(x: Tensor) -> Tensor:
    z = torch.zeros(3, dtype=x.dtype)
    z[1] = x[0] * x[2]
    z[0] = 7.0
    return z + x


def copy_of_an_input(x: Tensor) -> Tensor:
    y = x.clone()
    y[0] = 1.0
    y.mul_(x)
    return y + x


def filled_twice(x: Tensor) -> Tensor:
    z = torch.empty(3, dtype=x.dtype)
    z.fill_(1.0)
    first = z * x
    z.zero_()
    return first + z


PATTERNS = [
    constant,
    read_before_it_is_changed,
    view_read_after_its_base_is_changed,
    input_written_into_a_constant,
    copy_of_an_input,
    filled_twice,
]


def lanes() -> Tensor:
    return torch.rand(9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.5


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
def test_a_trace_computes_what_the_function_does(pattern: Callable[[Tensor], Tensor]) -> None:
    first, second, third = ((x,) for x in lanes()[:3])
    traced = Traced(pattern, [first, second])
    assert torch.equal(leaves(traced.graph.module()(*third))[0], pattern(*third))

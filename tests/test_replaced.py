"""Compositions that take the place of torch's own while a function is traced, called as torch's: equal to them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from backends.fused.lowering.lower import NotLowered
from backends.fused.run.mapped import MapKernel
from backends.torch.quantile import replacement

QUANTILES = pytest.mark.parametrize("own", [torch.quantile, torch.nanquantile])


def holed(shape: tuple[int, ...], holes: str) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    x[..., 0] = torch.nan if holes == "some" else x[..., 0]
    return torch.full_like(x, torch.nan) if holes == "all" else x


@QUANTILES
@pytest.mark.parametrize("interpolation", ["linear", "midpoint", "lower", "higher", "nearest"])
@pytest.mark.parametrize("holes", ["no", "some", "all"])
def test_a_quantile_is_torchs_along_any_axis_for_any_levels(own: Any, interpolation: str, holes: str) -> None:
    levels = [0.3, 0, 1.0, torch.tensor(0.4, dtype=torch.float64), torch.tensor([0.1, 0.5, 1], dtype=torch.float64)]
    for x in (holed((5,), holes), holed((2, 3, 4), holes), holed((1, 1), holes)):
        for q in levels:
            for dim in (None, *range(-x.ndim, x.ndim)):
                for keepdim in (False, True):
                    options: dict[str, Any] = dict(dim=dim, keepdim=keepdim, interpolation=interpolation)
                    found, expected = replacement(own)(x, q, **options), own(x, q, **options)
                    torch.testing.assert_close(found, expected, rtol=1e-15, atol=0, equal_nan=True)


@QUANTILES
def test_a_level_that_is_none_is_torchs_error_and_one_of_a_lane_nan(own: Any) -> None:
    x = holed((4,), "no")
    for wrong in (dict(q=1.5), dict(q=0.5, interpolation="cubic"), dict(q=0.5, dim=3)):
        with pytest.raises((RuntimeError, IndexError)) as said:
            own(x, **wrong)
        with pytest.raises(said.type, match=r"quantile\(\)|Dimension out of range"):
            replacement(own)(x, **wrong)
    found = MapKernel(replacement(own), [x, x[0]], frozenset())([x.repeat(3, 1), torch.tensor([0.5, 1.5, torch.nan]).double()], 3)
    torch.testing.assert_close(found, torch.stack([own(x, 0.5), *(torch.tensor(torch.nan).double(),) * 2]), equal_nan=True)


def test_memory_outside_of_an_array_is_refused() -> None:
    x = holed((3, 3), "no")
    for reach in (lambda x: torch.as_strided(x[1:], (2, 2), (1, 1), 0), lambda x: torch.as_strided(x[:, ::2], (2, 3), (3, 1))):
        with pytest.raises(NotLowered, match=r"as_strided: memory outside of its argument, at .*test_replaced\.py:\d+"):
            MapKernel(reach, [x], frozenset())

"""The structure of the curvature, and what a function is made of: no numbers can fool them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st

import backends
import problems
from backends.torch import anatomy
from backends.torch.anatomy import examine
from engine import Param, Problem
from engine.bind import bind
from engine.plan import choose, prepare
from engine.sparsity import components, detect
from engine.sparsity.structure import Structure

Array = Any


def structure(problem: Problem, kind: str = "residual", backend: str = "torch", **data: tuple[int, ...]) -> Structure:
    bound = bind(problem, {name: np.ones((2, *shape)) for name, shape in data.items()}, None, 0)
    return detect.detect(problem, backend, bound.signature.shapes, data, kind)


def own(residual: Any, **data: str) -> Problem:
    """A residual of a vector `p` of k entries, beside data."""
    return Problem(name="own", data=data, params={"p": Param("k", start="zeros")}, residual=residual)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=6), st.integers(0, 100))
def test_a_nan_reaches_what_a_matrix_has_entries_for(pattern: list[list[bool]], seed: int) -> None:
    mask = torch.tensor(pattern)
    weights = torch.rand(mask.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5

    def sums(x: torch.Tensor) -> torch.Tensor:
        return torch.stack(
            [
                sum((weights[i, k] * x[k] for k in range(5) if pattern[i][k]), torch.zeros((), dtype=x.dtype))
                for i in range(len(mask))
            ]
        )

    found = examine(sums, torch.ones(5, dtype=torch.float64))
    assert found is not None and found.polynomial and found.regular
    assert [set(rows.tolist()) for rows in found.reach] == [set(mask[:, k].nonzero()[:, 0].tolist()) for k in range(5)]


def test_more_inputs_than_go_at_a_time_are_all_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anatomy, "CHUNK", 3)
    found = examine(lambda x: x.flip(0) * 2, torch.ones(8, dtype=torch.float64))
    assert found is not None and [rows.tolist() for rows in found.reach] == [[7 - k] for k in range(8)]


@pytest.mark.parametrize(
    "f, polynomial, regular",
    [
        (lambda x: x**3 - 2 * x, True, True),
        (lambda x: x * 1e-9, False, True),
        (lambda x: torch.exp(-x), False, True),
        (lambda x: torch.sqrt(x), False, False),
        (lambda x: x**0.5, False, False),
        (lambda x: torch.where(x > 0, x, -x), False, True),
    ],
)
def test_operations_say_what_a_function_is(f: Any, polynomial: bool, regular: bool) -> None:
    found = examine(f, torch.ones(3, dtype=torch.float64))
    assert found is not None and (found.polynomial, found.regular) == (polynomial, regular)


@pytest.mark.parametrize(
    "f", [lambda x: torch.sort(x).values, lambda x: torch.cummax(x, 0).values, lambda x: x[:1].repeat(int(x[0]))]
)
def test_what_a_nan_does_not_go_through_is_not_seen(f: Any) -> None:
    assert examine(f, torch.ones(3, dtype=torch.float64)) is None


def test_a_choice_that_was_not_taken_counts() -> None:
    """The rows change places where x > 5; at the points looked at they never do."""
    found = examine(lambda x: torch.where(x > 5, x.flip(0), x), torch.ones(2, dtype=torch.float64))
    assert found is not None and [rows.tolist() for rows in found.reach] == [[0, 1], [0, 1]]


@pytest.mark.parametrize("constant", [1e-19, 1e-9, 1.0, 1e9, 1e17])
def test_constants_of_any_size_hide_no_coupling(constant: float) -> None:
    """exp(-p0 c) p1 + p2: what underflows at ordinary numbers still depends on p0."""

    def residual(p: Array, x: Array) -> Array:
        xp = array_namespace(p)
        return p[1] * xp.exp(-x * p[0] / constant) + p[2]

    assert structure(own(residual, x="m", z="k"), x=(6,), z=(3,)).is_dense


def test_numbers_deny_no_coupling_of_what_is_no_polynomial() -> None:
    """Row 0 is z0 p0 + exp(-(1e12 p1)^2): at ordinary numbers J'J has a 0 where the two meet, near p1 = 0 it has none."""

    def residual(p: Array, z: Array) -> Array:
        xp = array_namespace(p)
        return xp.stack([z[0] * p[0] + xp.exp(-((1e12 * p[1]) ** 2)), z[1] * p[1]])

    assert structure(own(residual, z="k"), z=(2,)).is_dense


def test_products_that_vanish_at_all_numbers_are_blocks_and_small_ones_are_not() -> None:
    apart = structure(own(lambda p, z: p * z, z="k"), z=(4,))
    assert apart.blocks == ((0,), (1,), (2,), (3,)) and apart.rows == ((0,), (1,), (2,), (3,))
    faint = structure(own(lambda p, z: p * z + 1e-14 * array_namespace(p).flip(p), z="k"), z=(4,))
    assert faint.blocks == ((0, 3), (1, 2))


def test_captured_zeros_play_no_part_and_captured_indices_do() -> None:
    zero, order = np.zeros((3, 3)), np.array([3, 1, 2, 0])
    mixed = own(lambda p, z: zero @ p + p * z, z="k")
    assert structure(mixed, z=(3,)).is_dense
    swapped = own(lambda p, z: p[order] * z + p, z="k")
    assert structure(swapped, z=(4,)).blocks == ((0, 3), (1,), (2,))


def test_a_loss_couples_what_its_hessian_does() -> None:
    pairs = Problem(
        name="pairs",
        data={"z": "k"},
        params={"p": Param("k", start="zeros")},
        loss=lambda p, z: (z * (p[:2] * p[2:] + p[:2] ** 2).sum()).sum() + (p**4).sum(),
    )
    assert structure(pairs, "loss", z=(4,)).blocks == ((0, 2), (1, 3))


@pytest.mark.parametrize("n", [2, 5, 8])
def test_a_decomposition_has_blocks_of_two_by_numbers(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = n * (n - 1) // 2
    monkeypatch.setattr(detect, "CHUNK", 7)
    found = structure(problems.svd(), A=(n, n))
    assert sorted(map(len, found.blocks)) == [1] * n + [2] * pairs
    assert all(len(block) == 1 for block in structure(problems.eigh(), A=(n, n)).blocks)


def test_a_backend_that_sees_no_operations_gives_dense_curvature() -> None:
    assert structure(own(lambda p, z: p * z, z="k"), backend="numpy", z=(4,)).is_dense


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sets(st.integers(0, 9), max_size=4), min_size=1, max_size=8))
def test_blocks_are_the_components_of_what_shares_a_row(links: list[set[int]]) -> None:
    moved = [np.array([k]) for k in range(len(links))]
    found = components.blocks(moved, [np.array(sorted(rows), int) for rows in links])
    label = list(range(len(links)))
    for _ in links:  # by brute force
        for i, a in enumerate(links):
            for j, b in enumerate(links):
                if a & b:
                    label[i] = label[j] = min(label[i], label[j])
    expected = [tuple(k for k in range(len(links)) if label[k] == name) for name in sorted(set(label))]
    assert list(found) == expected


def test_a_column_that_is_zero_or_not_finite_is_coupled_with_all() -> None:
    rows = np.eye(3)
    for length in (0.0, np.nan, np.inf):
        assert components.is_one(components.linked(components.singletons(3), 0, rows, np.array([1.0, length, 1.0])))
    assert backends.get("torch").examine(lambda x: x, torch.ones(2)) is not None


def test_a_plan_is_chosen_without_a_look_at_the_curvature(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = own(lambda p, z: p * z, z="k")
    bound = bind(problem, {"z": np.ones(4)}, None, 0)
    monkeypatch.setattr(detect, "detect", lambda *_: pytest.fail("the curvature was looked at"))
    plan, key = choose(problem, None, "torch", bound.signature, {}, free=False)
    assert plan.structure is None
    monkeypatch.undo()
    found = prepare(problem, plan, key, bound, {})[0].structure
    assert found is not None and found.blocks == ((0,), (1,), (2,), (3,))

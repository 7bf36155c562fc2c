"""Scratch memory: buffers that live together never share a place, and what is dead lends its room."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import engine
import problems
from backends.fused.passes.memory_plan import Buffer, pack

LIVES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12), st.integers(0, 6)), max_size=30)


@given(lives=LIVES)
def test_no_two_living_buffers_overlap(lives: list[tuple[int, int, int]]) -> None:
    buffers = [Buffer(f"b{k}", size, first, first + more) for k, (size, first, more) in enumerate(lives)]
    starts, size = pack(buffers)
    for moment in range(20):
        taken = [
            place
            for start, buffer in zip(starts, buffers, strict=True)
            if buffer.first <= moment <= buffer.last
            for place in range(start, start + buffer.size)
        ]
        assert len(set(taken)) == len(taken)
        assert max(taken, default=-1) < size


def test_a_chain_of_shrinking_buffers_takes_two_of_them() -> None:
    """As an elimination's: a small one that lives long must not keep the room of a large one."""
    chain = [Buffer(f"a{k}", 100 - k, k, k + 1) for k in range(10)]
    columns = [Buffer(f"c{k}", 1, k, 10) for k in range(10)]
    _, size = pack([*chain, *columns])
    assert size <= 100 + 99 + 10


def test_the_largest_inverse_is_a_kernel() -> None:
    a = np.random.default_rng(0).normal(size=(3, 32, 32)) + 32 * np.eye(32)
    found = engine.solve(problems.inverse(), a, backend="fused")
    assert found.converged.all()
    assert np.abs(found["X"] @ a - np.eye(32)).max() < 1e-12

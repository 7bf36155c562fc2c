"""How kernels are compiled in tests: fast, but where what the compiler makes of them is tested too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

OPTIMISED = frozenset(
    f"tests.test_{name}"
    for name in ("contract", "curve_fit", "trajectories", "fused", "fused_linalg", "isa", "packs", "replaced", "vmath", "targets")
)
"""Modules whose kernels are optimised as a user's are: the promises of bits, and the forms that vector code has."""


@pytest.fixture(scope="module", autouse=True)
def optimisation(request: pytest.FixtureRequest) -> Iterator[None]:
    """`LANEWISE_OPT=1`, which halves what the C++ compiler takes, in all other modules."""
    with pytest.MonkeyPatch.context() as patch:
        if request.module.__name__ not in OPTIMISED:
            patch.setenv("LANEWISE_OPT", "1")
        yield

"""Fixtures of all tests: how kernels are compiled, fast but where what the compiler makes of them is tested too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.problem import BY_ID

OPTIMISED = ("contract", "curve_fit", "trajectories", "fused", "fused_linalg", "isa", "packs", "replaced", "vmath", "targets")
"""Modules whose kernels are optimised as a user's are: promises of bits, certified answers, the forms that vector code has."""

assert all((Path(__file__).parent / f"test_{name}.py").exists() for name in OPTIMISED)


@pytest.fixture(scope="module", autouse=True)
def optimisation(request: pytest.FixtureRequest) -> Iterator[None]:
    """`LANEWISE_OPT=1`, which halves what the C++ compiler takes, in all other modules; neither runs the other's kernels."""
    optimised = request.module.__name__.removeprefix("tests.test_") in OPTIMISED
    with pytest.MonkeyPatch.context() as patch:
        if optimised:
            _forget()
        else:
            patch.setenv("LANEWISE_OPT", "1")
        yield
    if optimised:
        _forget()


def _forget() -> None:
    """Prepared programs of all problems; what was compiled is found again by its text and flags."""
    for problem in list(BY_ID.values()):
        problem.memory.clear()

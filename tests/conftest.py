"""Fixtures of all tests: how kernels are compiled, fast but where what the compiler makes of them is tested too."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from engine.problem import BY_ID

OPTIMISED = ("contract", "trajectories", "fused", "fused_linalg", "isa", "packs", "replaced", "vmath", "targets")
"""Modules whose kernels are optimised as a user's are: promises of bits, the forms that vector code has."""

PLAIN = ("cuda_text", "domains", "numpy_functions", "operations")
"""Modules whose kernels take a few steps of a few lanes: making them is all that takes time."""

assert all((Path(__file__).parent / f"test_{name}.py").exists() for name in OPTIMISED + PLAIN)

_levels = [""]


def pytest_collection_finish() -> None:
    """Imported objects stay: no look for cycles goes over them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def optimisation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """`LANEWISE_OPT` is 1 where nothing else is said, which halves what the C++ compiler takes, and 0 in plain modules.

    Where the level changes problems forget what they prepared; what was compiled is found again by its text and flags.
    """
    module = request.module.__name__.removeprefix("tests.test_")
    optimised = module in OPTIMISED or request.node.get_closest_marker("optimised") is not None
    level = "" if optimised else "0" if module in PLAIN else "1"
    monkeypatch.setenv("LANEWISE_OPT", level)
    if level != _levels.pop():
        for problem in list(BY_ID.values()):
            problem.memory.clear()
    _levels.append(level)

"""Public names that changed keep working for one release, with a DeprecationWarning that names the new one."""

from __future__ import annotations

from typing import Any

import pytest

from backends.base import Program


def changed(old: str, new: str) -> Any:
    return pytest.warns(DeprecationWarning, match=rf"{old} is now called {new}: rename it")


def test_a_program_has_its_functions_by_their_old_names() -> None:
    program = Program(dict, lambda inputs, state: state, lambda inputs, state: state, lambda inputs, state: {}, 1)
    with changed("Program.test", "Program.terminate") as caught:
        assert program.test is program.terminate
    with changed("Program.finish", "Program.postprocess"):
        assert program.finish is program.postprocess
    assert caught[0].filename == __file__

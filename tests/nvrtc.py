"""NVRTC for tests, which the development environment has; elsewhere they are skipped, and say so."""

from __future__ import annotations

import pytest

from backends.fused.build import nvrtc
from backends.fused.build.target import ToolchainError


def missing() -> str:
    """Why there is no NVRTC here; empty where there is one."""
    try:
        nvrtc.version()
    except ToolchainError as error:
        return str(error)
    return ""


needed = pytest.mark.skipif(bool(missing()), reason=missing() or "NVRTC is here")
"""For tests that compile CUDA C++: no GPU and no driver is needed."""

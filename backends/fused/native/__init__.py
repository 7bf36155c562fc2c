"""Headers of C++ that kernels are made of; unlike Python code they are read when a kernel is made."""

from __future__ import annotations

from importlib.resources import files


def header(name: str) -> str:
    """The text of a header."""
    return files("backends.fused").joinpath("native", name).read_text()


def headers() -> list[str]:
    """The texts of all headers of a solve's kernel."""
    return [header(name) for name in ("vmath.h", "block.h", "lane_io.h", "runtime.h")]

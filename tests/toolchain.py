"""Sources, compilers and a cache of their own for tests of the tool chain."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from backends.fused.build import toolchain
from backends.fused.build.toolchain import Library

SOURCE = 'extern "C" long answer() {{ return {0}; }}\n// {1}\n'


def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache directory, and a memory that forgets."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("LANEWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LANEWISE_ISA", raising=False)
    forget(monkeypatch)
    return tmp_path / "cache"


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process."""
    monkeypatch.setattr(toolchain, "_loaded", {})


def unique(value: int = 42) -> str:
    """A source that was never compiled before."""
    return SOURCE.format(value, uuid.uuid4())


def entry(folder: Path) -> Path:
    (path,) = folder.glob("*.so")
    return path


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return path


def right(library: Library, origin: str, value: int = 42) -> None:
    assert library.handle.answer() == value
    assert library.origin == origin

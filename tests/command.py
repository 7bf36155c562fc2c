"""The command line for tests: how it is started, and files for it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

COMMAND = [sys.executable, "-m", "engine"]

GOOD = np.eye(3) + 0.1 * np.arange(18).reshape(2, 3, 3) / 10


def saved(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    """The bytes of an npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


def good_file(tmp_path: Path) -> str:
    np.save(tmp_path / "A.npy", GOOD)
    return str(tmp_path / "A.npy")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def one_line(text: str) -> bool:
    return text.startswith("lanewise: ") and text.count("\n") == 1 and text[:-1].isprintable()


def here() -> dict[str, str]:
    """The environment with this tree on the path, for a process that starts elsewhere."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}

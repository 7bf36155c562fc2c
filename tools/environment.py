"""The private environment of the Makefile's targets: `python3 -m tools.environment demo`.

Each target installs what it needs into `.venv`, says what that is and how large, and leaves a stamp, `.venv/ready-demo`, that
make compares with pyproject.toml and constraints.txt.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tools.ticker import ticking

VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)

DEV = "dev,demo,docs,gallery,cuda"
NEEDS: dict[str, tuple[str, str, int, int]] = {
    "demo": ("demo", "PyTorch, NumPy, plotly, scikit-learn with its digits, pillow", 280, 1100),
    "dev": (
        DEV,
        "what the demo needs, linters, type checker, pytest, notebooks, NVIDIA's NVRTC",
        430,
        1550,
    ),
    "pictures": (
        f"{DEV},pictures",
        "the tools for changing the code, and kaleido, which draws with a Chrome of yours",
        430,
        1550,
    ),
    "peers": (f"{DEV},peers", "the tools for changing the code, and the peers: JAX, optimistix, SciPy", 520, 1850),
}
"""Target -> extras, words, megabytes to fetch, megabytes on disk; with the CPU build of PyTorch on Linux, x86-64."""


def disk() -> float:
    """Megabytes of the environment, each file at its length."""
    return sum(os.lstat(Path(folder) / file).st_size for folder, _, files in os.walk(VENV) for file in files) / 1e6


def size() -> str:
    """The words of a ticking line."""
    try:
        return f", {disk():,.0f} MB on disk"
    except FileNotFoundError:  # pip renames and removes while we look
        return ""


def prepare(target: str) -> None:
    """Make the environment where it is missing, and install the extras of a target.

    Raises:
        SystemExit: Python is too old, or venv or pip failed, who then have said why.
    """
    extras, words, fetched, on_disk = NEEDS[target]
    if sys.version_info[:2] < OLDEST:
        found = ".".join(map(str, sys.version_info[:2]))
        raise SystemExit(f"{sys.executable} is Python {found}; lanewise needs 3.11 or newer: make PYTHON=python3.12")
    begun = time.perf_counter()
    print(f"Setting up {VENV} for `{target}`, once: {words}.")
    print(
        f"About {fetched} MB to fetch where pip has them not yet, {on_disk / 1000:.1f} GB on disk. PyTorch is most of it: this is"
    )
    print("the size of its CPU build. Where pip takes the CUDA build (the default on Linux), it is some 5 GB more.", flush=True)
    if not (VENV / "bin" / "pip").exists():  # the last thing that venv writes
        with ticking(f"python -m venv {VENV}"):
            run(sys.executable, "-m", "venv", str(VENV))
    command = [str(PYTHON), "-m", "pip", "install", "--no-compile", "--disable-pip-version-check", "-c", "constraints.txt"]
    with ticking("pip install", size):
        run(*command, "-e", f".[{extras}]")
    (VENV / f"ready-{target}").touch()
    print(f"Ready after {time.perf_counter() - begun:.0f} s: {disk():,.0f} MB in {VENV}; `make clean` removes it.\n", flush=True)


def run(*command: str) -> None:
    """A command on this terminal, whose failure ends the program."""
    if (code := subprocess.run(command).returncode) != 0:
        raise SystemExit(f"`{' '.join(command)}` failed with status {code}: its own words are above")


if __name__ == "__main__":
    prepare(sys.argv[1])

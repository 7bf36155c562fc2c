"""One suite in a process of its own: `python -m bench.gpu.suite NAME FILE [--shim]` adds a line of JSON to the file for each row.

A kernel that fails or hangs takes this process with it, and nothing that was measured before.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from bench.gpu.place import place
from bench.gpu.suites import SUITES


def main(name: str, file: str, *options: str) -> int:
    """Run a suite; 1 where a row is missing, whose error is on the terminal."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # or JAX takes three quarters of the device's memory
    here, missing = place("--shim" in options), 0
    with Path(file).open("a") as out:
        for task in SUITES[name](here):
            try:
                row = task()
            except Exception:
                traceback.print_exc()
                missing += 1
                continue
            out.write(json.dumps(row | {"suite": f"gpu {name}"}) + "\n")
            out.flush()
            print(f"  {row['group']}: {row['runner']}, {row['stats']['median'] * 1e3:.3g} ms", flush=True)
    return min(missing, 1)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))

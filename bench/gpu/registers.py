"""Registers, spills, stack and shared memory of the CUDA kernels, by ptxas' own report: `python -m bench.gpu.registers` writes the table.

Neither a GPU nor a driver is needed. The table holds a digest of each kernel's text, so that a test need not compile what has not
changed.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from backends.fused.build import nvrtc
from backends.fused.codegen.layout import CudaKernel
from bench.gpu.kernels import CALLS, written

TABLE = Path(__file__).parents[1] / "reports" / "registers.json"
CAPABILITIES = ((8, 0), (9, 0))

Row = dict[str, Any]

ROWS = [(f"{call.name}, {dtype}", call, dtype) for call in CALLS for dtype in call.dtypes]
"""Name of a row, and the call and dtype of its kernel."""


def digest(kernel: CudaKernel) -> str:
    """The first digits of the digest of a text without its comments and empty lines."""
    lines = [line for line in re.sub(r" *//.*", "", kernel.source).splitlines() if line]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def about(kernel: CudaKernel) -> Row:
    """A row's entries that need no compiler."""
    return {"digest": digest(kernel), "mapping": kernel.mapping, "threads": kernel.lanes, "shared_bytes": kernel.shared_bytes}


def usage(kernel: CudaKernel, capability: nvrtc.Capability) -> Row:
    """The resources of each kernel of a text: kernel -> figure -> number."""
    return {name: asdict(found) for name, found in nvrtc.compiled(kernel.source, nvrtc.architecture(capability)).usage.items()}


def row(kernel: CudaKernel) -> Row:
    """The row of a kernel, with the seconds of a processor that NVRTC took for each device."""
    found = about(kernel)
    for capability in CAPABILITIES:
        began = time.process_time()
        used = usage(kernel, capability)
        seconds = round(time.process_time() - began, 1)
        found["sm_{}{}".format(*capability)] = {"seconds": seconds, **used}
    return found


def versions() -> dict[str, str]:
    """Versions that decide on texts and registers beside this project's code."""
    return {"nvrtc": ".".join(map(str, nvrtc.version())), "torch": torch.__version__.partition("+")[0]}


HEAD = f"{'kernel':<48}{'mapping':>10}{'threads':>8}{'shared':>8}{'registers':>10}{'spills':>8}{'stack':>7}{'seconds':>8}"


def line(name: str, entry: Row) -> str:
    """A row in words: of the steps' kernel on the newest device."""
    newest = entry["sm_{}{}".format(*CAPABILITIES[-1])]
    hot = newest["lw_solve"]
    spills = hot["spill_stores"] + hot["spill_loads"]
    return (
        f"{name:<48}{entry['mapping']:>10}{entry['threads']:>8}{entry['shared_bytes']:>8,}{hot['registers']:>10}{spills:>8,}"
        f"{hot['stack']:>7,}{newest['seconds']:>8}"
    )


def committed() -> dict[str, Any]:
    """The table as it stands in the file; without rows where there is none, or one of other versions."""
    found: dict[str, Any] = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    return found if versions().items() <= found.items() else versions() | {"kernels": {}}


def main() -> None:
    """Write the table, and print it. Rows of an unchanged text are taken over, so that a run can be resumed."""
    nvrtc.TIMEOUT = math.inf  # on a busy machine a kernel may take minutes
    known, rows = committed()["kernels"], dict[str, Row]()
    print(HEAD)
    for name, call, dtype in ROWS:
        kernel = written(call, dtype)
        old = known.get(name, {})
        rows[name] = old if old.get("digest") == digest(kernel) else row(kernel)
        print(line(name, rows[name]), flush=True)
        TABLE.write_text(json.dumps(versions() | {"kernels": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

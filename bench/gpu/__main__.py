"""The lane compiler on this machine's GPU, in under eight minutes and without a network: contract, benchmark, table.

    python -m bench.gpu [--out FOLDER] [--only SUITE] [--shim]

First the contract table runs on CUDA, then each suite in a process of its own, with a share of the time as its limit. The
folder, `out/gpu`, gets `benchmark.json`, as pytest-benchmark stores a run. `--shim` tries it all on the CPU at tiny sizes; its times
say nothing. The exit code is 1 where there is no GPU, a promise of the contract is broken, or a row is missing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from bench.gpu.place import Place, place
from bench.gpu.suites import SUITES
from bench.gpu.table import ROOT, benchmark, machine, table

BUDGET = 460.0
"""Seconds of the whole command."""

CONTRACT = 150.0
"""Seconds of the contract at most."""


def run(command: list[str], seconds: float) -> bool:
    """Whether a command of this Python ended well within its time."""
    try:
        return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, timeout=max(1.0, seconds)).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"{command[0]} was stopped after {seconds:.0f} s", flush=True)
        return False


def contract(here: Place) -> bool:
    """Whether every promise of the contract table holds here."""
    rows = "shim and inverse-gd-shim-float32" if here.tiny else "cuda"
    # the machine may lack pytest's plugins, and have a torch that warns of its own internals
    options = ["-o", "addopts=", "-W", "default", "-p", "no:cacheprovider"]
    return run(["pytest", "-q", "tests/test_contract.py", "-k", rows, *options], CONTRACT)


def main() -> int:
    """Run it all, and print the table last."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description="The contract and the benchmark on a GPU.")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "gpu", help="folder for benchmark.json")
    parser.add_argument("--only", choices=["contract", *SUITES], help="one part alone")
    parser.add_argument("--shim", action="store_true", help="on the CPU at tiny sizes, to try the command")
    asked = parser.parse_args()
    end, here = time.monotonic() + BUDGET, place(asked.shim)
    out: Path = asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    rows = out / "rows.jsonl"
    rows.write_text("")
    well = asked.only not in (None, "contract") or contract(here)
    suites = [name for name in SUITES if asked.only in (None, name)]
    for k, name in enumerate(suites):
        share = (end - time.monotonic()) / (len(suites) - k) * (1.0 if k == len(suites) - 1 else 1.3)
        well &= run(["bench.gpu.suite", name, str(rows), *(["--shim"] if asked.shim else [])], share)
    found = [json.loads(line) for line in rows.read_text().splitlines()]
    (out / "benchmark.json").write_text(json.dumps(benchmark(found, machine(here.device)), indent=1) + "\n")
    print(table(found), f"{'all well' if well else 'something failed, see above'}; {out / 'benchmark.json'}", sep="\n")
    return 0 if well else 1


if __name__ == "__main__":
    raise SystemExit(main())

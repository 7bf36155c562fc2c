"""A short table of the rows, and a file of them as pytest-benchmark lays it out. Needs rows alone."""

from __future__ import annotations

import math
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Row = dict[str, Any]

ROOT = Path(__file__).parents[2]
HEAD = f"{'task':<26}{'runner':<24}{'matrices':>12}{'ns a matrix':>13}{'times ours':>12}{'of peak':>9}{'certified':>11}{'first call':>12}"


def nanoseconds(row: Row) -> float:
    """The time a matrix, or a matrix and step."""
    return float(row["ns_per_matrix_step"] if "ns_per_matrix_step" in row else row["ns_per_matrix"])


def table(rows: Iterable[Row]) -> str:
    """A line for each row; "times ours" compares with the lane compiler's row of the same task."""
    lines, ours = [HEAD], dict[str, float]()
    for row in rows:
        if row["runner"].startswith("lanewise"):
            ours[row["group"]] = nanoseconds(row)
        share = row.get("share_of_peak", math.nan)
        lines.append(
            f"{row['group']:<26}{row['runner']:<24}{row['matrices']:>12,}{nanoseconds(row):>13.4g}"
            f"{nanoseconds(row) / ours.get(row['group'], math.nan):>12.3g}{'' if math.isnan(share) else f'{share:.0%}':>9}"
            f"{row['certified']:>11.2%}{row['first_s']:>10.1f} s"
        )
    return "\n".join([*lines, "ns a matrix: of gradient descent on the inverse, a matrix and step"])


def benchmark(rows: Iterable[Row], machine: Row) -> Row:
    """The rows as pytest-benchmark stores a run."""
    return {
        "machine_info": machine,
        "commit_info": {"id": _commit()},
        "benchmarks": [
            {
                "group": row["group"],
                "name": f"{row['runner']} {row['group']}",
                "fullname": f"bench/gpu::{row['suite']} {row['runner']} {row['group']}",
                "params": None,
                "stats": row["stats"],
                "extra_info": {name: value for name, value in row.items() if name != "stats"},
            }
            for row in rows
        ],
        "datetime": datetime.now(UTC).isoformat(),
        "version": "5.1.0",
    }


def machine(device: str) -> Row:
    """The device and the versions, no name or path of the machine."""
    import torch

    found: Row = {"machine": platform.machine(), "python_version": platform.python_version(), "torch": torch.__version__}
    if device != "cpu":
        about = torch.cuda.get_device_properties(0)
        found |= {"gpu": about.name, "capability": f"{about.major}.{about.minor}", "cuda": torch.version.cuda or ""}
        found |= {"memory_gib": round(about.total_memory / 2**30), "multiprocessors": about.multi_processor_count}
    return found


def _commit() -> str:
    """The commit of this tree; empty where git does not say."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip()

"""The tables of docs/performance.md: shares of the peak, other steps, the scale, decompositions, fits. Needs a report alone.

A suite that the report does not have gives no table.
"""

from __future__ import annotations

import math
from typing import Any

Row = dict[str, Any]


def markdown(lines: list[list[str]]) -> str:
    """Rows of cells as a table; the first two are the head and its rule."""
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def share(row: Row | None) -> str:
    """A row's share of the peak in words; nothing for no row."""
    return "" if row is None else f"{100 * row['share_of_peak']:.0f}%" if row["share_of_peak"] >= 0.01 else "<1%"


def performance(report: dict[str, Any]) -> str:
    """All tables of a report, as `report.slim` makes it, each under what it shows. Raises KeyError for a row without its figures."""
    suites: dict[str, list[Row]] = {}
    for row in report["rows"]:
        suites.setdefault(row["suite"], []).append(row)
    parts = [
        _shares(suites.get("inverse", []), "Share of the peak of multiply-adds, the inverse"),
        _shares(suites.get("avx2", []), "The same restricted to AVX2, of the peak of AVX2"),
        _steps(suites.get("steps", [])),
        _scale(suites.get("scale", [])),
        _decompositions(suites.get("decompositions", [])),
        _fits(suites.get("curve fits", [])),
    ]
    machine = report["machine"]
    where = f"{machine['cpu']['brand_raw']}, {machine['threads']} threads, torch {machine['torch']}, {report['date']}."
    return "\n\n".join([where, *(part for part in parts if part)])


def _shares(rows: list[Row], title: str) -> str:
    if not rows:
        return ""
    sizes = sorted({row["n"] for row in rows})
    found = {(row["runner"], row["dtype"], row["n"]): row for row in rows}
    lines = [["runner", "dtype", *(f"n = {n}" for n in sizes)], ["---", "---", *["---:"] * len(sizes)]]
    for runner, dtype in dict.fromkeys((row["runner"], row["dtype"]) for row in rows):
        lines.append([runner, dtype, *(share(found.get((runner, dtype, n))) for n in sizes)])
    return f"**{title}** ({_peaks(rows)})\n\n{markdown(lines)}"


def _peaks(rows: list[Row]) -> str:
    best = {row["dtype"]: row["peak_gflops"] for row in rows}
    return ", ".join(f"{dtype}: {value:,.0f} GFlop/s" for dtype, value in best.items())


def _steps(rows: list[Row]) -> str:
    if not rows:
        return ""
    head = [
        "gradient step",
        "dtype",
        "useful operations",
        "",
        "in the kernel",
        "ns",
        "share of peak",
        "floor, ns",
        "times the floor",
    ]
    lines = [head, ["---", "---", "---", *["---:"] * 6]]
    for row in rows:
        counts = [row["formula"], f"{row['useful_flops']:,}", f"{row['counted_flops']:,}", f"{row['ns_per_matrix_step']:.3g}"]
        lines.append([row["runner"], row["dtype"], *counts, share(row), f"{row['floor_ns']:.3g}", f"{row['times_floor']:.2f}"])
    return f"**Gradient steps of other problems** ({_peaks(rows)})\n\n{markdown(lines)}"


def _scale(rows: list[Row]) -> str:
    if not rows:
        return ""
    lines = [["matrices", "ns per matrix", "a call, ms", "outputs, MiB", "memory beside input and outputs, MiB"], ["---:"] * 5]
    for row in sorted(rows, key=lambda row: int(row["matrices"])):
        time = [f"{row['ns_per_matrix']:,.0f}", f"{row['seconds'] * 1e3:,.3g}"]
        lines.append([f"{row['matrices']:,}", *time, f"{row['output_mib']:,.1f}", _known(row["extra_mib"])])
    first = rows[0]
    head = f"**Scale**: n = {first['n']}, {first['dtype']}, {first['steps']} steps, warm"
    seen = "Memory is by how much the process grew at most; what was freed again is seen to 0.25 MiB on two processors."
    return f"{head}\n\n{markdown(lines)}\n\n{seen}"


def _known(mib: float) -> str:
    return "" if math.isnan(mib) else f"{mib:,.2f}"


def _decompositions(rows: list[Row]) -> str:
    if not rows:
        return ""
    found = {(row["runner"], row["problem"], row["n"]): row for row in rows}
    head = [
        "",
        "n",
        "us per matrix",
        "torch.linalg, us",
        "times as fast",
        "certified",
        "steps, median",
        "steps, 99%",
        "compiled in, s",
    ]
    lines = [head, ["---", *["---:"] * 8]]
    for (runner, problem, n), row in found.items():
        peer = found.get(("torch.linalg", problem, n))
        if runner != "torch.linalg" and peer is not None:
            times = [f"{x['us_per_matrix']:.3g}" for x in (row, peer)]
            rest = [f"{peer['us_per_matrix'] / row['us_per_matrix']:.2g}", f"{100 * row['certified']:.4g}%"]
            steps = [f"{row['steps_median']:.0f}", f"{row['steps_99']:.0f}", f"{row['compile_s']:.1f}"]
            lines.append([problem, str(n), *times, *rest, *steps])
    return f"**Decompositions from declared residuals** (float64, normal matrices, whole calls)\n\n{markdown(lines)}"


def _fits(rows: list[Row]) -> str:
    if not rows:
        return ""
    head = ["model", "runner", "dtype", "fits", "us per fit", "fits per second", "certified", "steps", "first call compiles, s"]
    lines = [head, ["---", "---", "---", *["---:"] * 6]]
    for row in rows:
        rate = [f"{row['fits']:,}", f"{row['us_per_fit']:.3g}", f"{row['fits_per_s']:,.0f}", f"{100 * row['certified']:.4g}%"]
        steps = "" if row["steps"] != row["steps"] else f"{row['steps']:.1f}"
        lines.append([row["model"], row["runner"], row["dtype"], *rate, steps, f"{row['compile_s']:.1f}"])
    return f"**Curve fits** (whole calls)\n\n{markdown(lines)}"

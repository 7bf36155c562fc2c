"""From a run to what is published: a slim JSON under reports/, a figure, and the README's table.

    python -m bench.report           the newest run in .benchmarks becomes the report; without one, the report stays

Needs nothing of the engine. The table between the README's markers is a function of the committed report alone.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "bench" / "reports" / "inverse.json"
FIGURE = ROOT / "out" / "bench-inverse.html"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
Row = dict[str, Any]


def slim(run: dict[str, Any]) -> dict[str, Any]:
    """What is worth keeping of a pytest-benchmark run: where and when, and the figures."""
    rows = [b["extra_info"] for b in run["benchmarks"] if b["extra_info"].get("suite") == "inverse"]
    return {"machine": run["machine_info"], "commit": run["commit_info"], "date": run["datetime"][:10], "rows": rows}


def table(report: dict[str, Any]) -> str:
    """Nanoseconds per matrix and step by n, one row a runner, as Markdown."""
    rows: list[Row] = report["rows"]
    sizes = sorted({row["n"] for row in rows})
    found = {(row["runner"], row["n"]): row for row in rows}
    runners = list(dict.fromkeys(row["runner"] for row in rows))
    head = ["ns per matrix and step", *(f"n = {n}" for n in sizes), "first call at n = 4", "certified"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for runner in runners:
        mine = [found.get((runner, n)) for n in sizes]
        worst = min(row["certified"] for row in mine if row)
        compiled = found.get((runner, 4), {}).get("compile_s", math.nan)
        lines.append([runner, *(_number(row) for row in mine), f"{compiled:.1f} s", f"{100 * worst:.0f}%"])
    machine = report["machine"]
    peak = max(row["peak_gflops"] for row in rows)
    note = (
        f"{machine['cpu']['brand_raw']}, {machine['threads']} threads, torch {machine['torch']}, float32, {report['date']}; "
        f"{rows[0]['steps']} steps of gradient descent with momentum on the inverse, "
        f"{', '.join(f'{_matrices(rows, n):,} at n = {n}' for n in sizes)} (the plain loop: one). All in one run from the same "
        f"start with the same rate; the first call, which compiles, is left out. Bare multiply-adds reach {peak:,.0f} GFlop/s."
    )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n\n" + note


def figure(report: dict[str, Any]) -> Any:
    """Matrices a second against n, both axes logarithmic, one line a runner."""
    import plotly.graph_objects as go

    drawn = go.Figure()
    for runner in dict.fromkeys(row["runner"] for row in report["rows"]):
        mine = [row for row in report["rows"] if row["runner"] == runner]
        width = 3 if runner.startswith("lanewise") else 1.5
        x, y = [row["n"] for row in mine], [row["matrices_per_s"] for row in mine]
        drawn.add_scatter(x=x, y=y, mode="lines+markers", name=runner, line_width=width)
    drawn.update_layout(
        title=f"The inverse by gradient descent: throughput of {report['rows'][0]['steps']} steps",
        xaxis={"title": "n (matrices are n x n)", "type": "log", "tickvals": sorted({row["n"] for row in report["rows"]})},
        yaxis={"title": "matrices per second", "type": "log", "exponentformat": "power", "dtick": 1},
        legend={"orientation": "h", "y": -0.2},
        template="plotly_white",
    )
    return drawn


def with_table(readme: str, report: dict[str, Any]) -> str:
    """The README with the report's table between its markers.

    Raises ValueError without the markers.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README: no {BEGIN} ... {END}; expected both, around the table")
    return f"{before}{BEGIN}\n{table(report)}\n{END}{after}"


def newest() -> dict[str, Any] | None:
    """The newest run in pytest-benchmark's storage that has this suite."""
    for path in sorted((ROOT / ".benchmarks").glob("*/*.json"), key=lambda p: p.stat().st_mtime, reverse=True):
        run: dict[str, Any] = json.loads(path.read_text())
        if slim(run)["rows"]:
            return run
    return None


def main() -> None:
    """Write the report, the figure and the table."""
    run = newest()
    if run is not None:
        REPORT.write_text(json.dumps(slim(run), indent=1) + "\n")
    report = json.loads(REPORT.read_text())
    readme = ROOT / "README.md"
    readme.write_text(with_table(readme.read_text(), report))
    FIGURE.parent.mkdir(exist_ok=True)
    figure(report).write_html(FIGURE, include_plotlyjs="cdn")
    print(f"{table(report)}\n\nfigure: {FIGURE.relative_to(ROOT)}")


def _number(row: Row | None) -> str:
    if row is None:
        return ""
    value = row["ns_per_matrix_step"]
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _matrices(rows: list[Row], n: int) -> int:
    return int(max(row["matrices"] for row in rows if row["n"] == n))


if __name__ == "__main__":
    main()

"""From a run to what is published: a slim JSON under reports/, a figure, and the tables of README and docs/performance.md.

    python -m bench.report           the newest run in .benchmarks becomes the report; without one, the report stays

Needs the look of the engine's figures; the PNG of the figure needs a Chromium. What stands between a page's markers is a function of
the committed report alone.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.tables import markdown, performance, share
from engine.plots import page
from engine.plots.template import COLOURS, SYMBOLS, blank, log_axis

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "bench" / "reports" / "inverse.json"
FIGURE = ROOT / "out" / "bench-inverse.html"
PICTURE = ROOT / "docs" / "roofline.png"
DATA = ROOT / "docs" / "roofline.json"
"""The figure as the site draws it."""

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
Row = dict[str, Any]
ROOF = "#7a7f87"


def slim(run: dict[str, Any]) -> dict[str, Any]:
    """A pytest-benchmark run in short: where and when, and the figures."""
    rows = [b["extra_info"] for b in run["benchmarks"] if "suite" in b["extra_info"]]
    kept = {"machine": run["machine_info"], "commit": run["commit_info"], "date": run["datetime"][:10]}
    return kept | {"rows": [against(row, rows) for row in rows]}


def against(row: Row, rows: list[Row]) -> Row:
    """A row with its share, and its floor, by the highest peak that any row of its suite and dtype saw."""
    if "peak_gflops" not in row:
        return row
    peak = max(other["peak_gflops"] for other in rows if (other["suite"], other["dtype"]) == (row["suite"], row["dtype"]))
    found = row | {"peak_gflops": peak, "share_of_peak": row["gflops"] / peak}
    if "floor_ns" in row:
        floor = row["useful_flops"] / peak + row["exponentials_ns"]
        found |= {"floor_ns": floor, "times_floor": row["ns_per_matrix_step"] / floor}
    return found


def suite(report: dict[str, Any], name: str) -> list[Row]:
    """The rows of one suite."""
    return [row for row in report["rows"] if row["suite"] == name]


def table(report: dict[str, Any]) -> str:
    """Nanoseconds per matrix and step by n, one row a runner, as Markdown."""
    rows: list[Row] = [row for row in suite(report, "inverse") if row["dtype"] == "float32"]
    sizes = sorted({row["n"] for row in rows})
    found = {(row["runner"], row["n"]): row for row in rows}
    runners = list(dict.fromkeys(row["runner"] for row in rows))
    head = ["ns per matrix and step", *(f"n = {n}" for n in sizes), "first call at n = 4", "certified at n = 4"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for runner in runners:
        mine = [found.get((runner, n)) for n in sizes]
        certified = found.get((runner, 4), {}).get("certified", math.nan)
        compiled = found.get((runner, 4), {}).get("compile_s", math.nan)
        lines.append([runner, *(_number(row) for row in mine), f"{compiled:.1f} s", f"{100 * certified:.0f}%"])
    lines += [[f"share of peak, {dtype}", *shares(report, "lanewise fused", dtype), "", ""] for dtype in ("float32", "float64")]
    machine = report["machine"]
    peak = max(row["peak_gflops"] for row in rows)
    batches = ", ".join(
        f"{_most(rows, n, 'matrices'):,} matrices and {_most(rows, n, 'steps'):,} steps at n = {n}" for n in sizes
    )
    note = (
        f"{machine['cpu']['brand_raw']}, {machine['threads']} threads, torch {machine['torch']}, float32, {report['date']}; "
        f"gradient descent with momentum on the inverse, "
        f"{batches} (the plain loop: one matrix). "
        "Medians of five calls or more (of three that take over a second), all in one run from the same start with the same rate; the first call, "
        f"which compiles, is left out. Bare multiply-adds reach {peak:,.0f} GFlop/s in float32; the share counts 4n^3 + 6n^2 "
        "useful operations a step, of whole `engine.solve` calls of the lane compiler."
    )
    return f"{markdown(lines)}\n\n{note}"


def figure(report: dict[str, Any]) -> Any:
    """Roofline: operations a second against n, both axes logarithmic, a line a runner, beside what bare multiply-adds reach."""
    from plotly.subplots import make_subplots

    measured = suite(report, "inverse")
    dtypes = [dtype for dtype in ("float32", "float64") if any(row["dtype"] == dtype for row in measured)]
    drawn = make_subplots(rows=1, cols=len(dtypes), subplot_titles=dtypes, shared_yaxes=True, figure=blank())
    runners = list(dict.fromkeys(row["runner"] for row in measured))
    own_first = sorted(runners, key=lambda runner: not runner.startswith("lanewise"))
    for column, dtype in enumerate(dtypes, start=1):
        rows = [row for row in measured if row["dtype"] == dtype]
        peak, sizes = max(row["peak_gflops"] for row in rows), sorted({row["n"] for row in rows})
        where = dict(showlegend=column == 1, row=1, col=column)
        roof = dict(mode="lines", line={"dash": "dash", "color": ROOF}, name="bare multiply-adds", legendgroup="roof")
        drawn.add_scatter(x=sizes, y=[peak] * len(sizes), **roof, **where)
        for runner in runners:
            k, mine = own_first.index(runner), [row for row in rows if row["runner"] == runner]
            look = {"color": COLOURS[k % len(COLOURS)], "width": 4 if runner.startswith("lanewise") else 1.5}
            marker = {"symbol": SYMBOLS[k % len(SYMBOLS)], "size": 9}
            drawn.add_scatter(
                x=[row["n"] for row in mine], y=[row["gflops"] for row in mine], mode="lines+markers", name=runner,
                line=look, marker=marker, legendgroup=runner, **where,
            )  # fmt: skip
    drawn.update_xaxes(title="n", type="log", tickvals=sorted({row["n"] for row in measured}))
    drawn.update_yaxes(log_axis(min(row["gflops"] for row in measured), max(row["peak_gflops"] for row in measured)))
    title = "The inverse of n x n matrices by gradient descent: useful operations, 4n^3 + 6n^2 a step"
    return drawn.update_layout(title_text=title, yaxis_title="GFlop/s", height=540)


def data(report: dict[str, Any]) -> str:
    """The figure in plotly's JSON, for the site."""
    return f"{figure(report).to_json()}\n"


def with_table(page: str, report: dict[str, Any], text: Callable[[dict[str, Any]], str] = table) -> str:
    """A page with the report's table, or another text of it, between its markers.

    Raises ValueError without the markers.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README or page: no {BEGIN} ... {END}; expected both, around the table")
    return f"{before}{BEGIN}\n{text(report)}\n{END}{after}"


PAGES: dict[Path, Callable[[dict[str, Any]], str]] = {
    ROOT / "README.md": table,
    ROOT / "docs" / "performance.md": performance,
}


def picture(html: Path, target: Path) -> bool:
    """The figure as a PNG; False where no Chromium draws it."""
    browser = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
    if browser is None:
        return False
    size = ["--hide-scrollbars", "--window-size=1200,640", "--virtual-time-budget=10000"]
    command = [browser, "--headless", "--disable-gpu", "--no-sandbox", *size, f"--screenshot={target}", html.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=120).returncode == 0 and target.is_file()


def newest() -> dict[str, Any] | None:
    """The newest run in pytest-benchmark's storage that has this suite."""
    for path in sorted((ROOT / ".benchmarks").glob("*/*.json"), key=lambda p: p.stat().st_mtime, reverse=True):
        run: dict[str, Any] = json.loads(path.read_text())
        if suite(slim(run), "inverse"):
            return run
    return None


def main() -> None:
    """Write the report, the figure and the tables. Raises FileNotFoundError with neither a run nor a committed report."""
    run = newest()
    if run is not None:
        REPORT.write_text(json.dumps(slim(run), indent=1) + "\n")
    report = json.loads(REPORT.read_text())
    for file, text in PAGES.items():
        file.write_text(with_table(file.read_text(), report, text))
    FIGURE.parent.mkdir(exist_ok=True)
    page.write(figure(report), str(FIGURE))
    DATA.write_text(data(report))
    drawn = picture(FIGURE, PICTURE)
    shown = f", {PICTURE.relative_to(ROOT)}" if drawn else "; no Chromium was found that draws it as a PNG"
    print(f"{table(report)}\n\n{performance(report)}\n\nfigure: {FIGURE.relative_to(ROOT)}{shown}")


def _number(row: Row | None) -> str:
    if row is None:
        return ""
    value = row["ns_per_matrix_step"]
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def shares(report: dict[str, Any], runner: str, dtype: str) -> list[str]:
    """A runner's share of the peak by n, in words."""
    measured = suite(report, "inverse")
    mine = {row["n"]: row for row in measured if row["runner"] == runner and row["dtype"] == dtype}
    return [share(mine.get(n)) for n in sorted({row["n"] for row in measured})]


def _most(rows: list[Row], n: int, what: str) -> int:
    return int(max(row[what] for row in rows if row["n"] == n))


if __name__ == "__main__":
    main()

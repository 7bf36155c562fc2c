"""Is a lane that is called CONVERGED right? Random lanes of many kinds, judged in extended precision.

    python -m bench.honesty [--lanes 100000] [--seed 0] [--only KIND] [--show] [--out FILE]

Prints a table and ends with exit code 1 if any CONVERGED is false, or if more than 1% of a kind's lanes at the minimum have
another status than the right one. Needs a C++ compiler; nothing is timed. `judge` says what is asked of a lane.
"""

from __future__ import annotations

from pathlib import Path

import click

from bench.honesty import kinds as _kinds
from bench.honesty import table
from bench.honesty.solved import Judged, Kind


@click.command()
@click.option("--lanes", default=_kinds.ALL, show_default=True, help="How many, about, in all.")
@click.option("--seed", default=0, show_default=True)
@click.option("--only", default="", help="A kind, or kinds that begin so.")
@click.option("--show", is_flag=True, help="Say of each violation which lane it is, and how to see it again.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the table goes, beside the terminal.")
def main(lanes: int, seed: int, only: str, show: bool, out: Path | None) -> None:
    """Solve random lanes and judge each one."""
    rows: list[tuple[str, ...]] = [table.HEAD]
    outcomes: list[tuple[Kind, Judged]] = []
    for kind in _kinds.chosen(only):
        judged = _kinds.run(kind, lanes, seed)
        outcomes.append((kind, judged))
        rows.append(table.row(kind, judged))
        click.echo("  ".join(rows[-1]), err=True)
        if show:
            again = f"python -m bench.honesty --only '{kind.name}' --lanes {lanes} --seed {seed} --show"
            for line in table.violations(kind, judged):
                click.echo(f"    {line}\n    again: {again}", err=True)
    report = f"{table.text(rows)}\n{table.total(outcomes)}; seed {seed}\n"
    click.echo(report)
    if out is not None:
        out.write_text(report)
    raise SystemExit(int(any(table.broken(kind, judged) for kind, judged in outcomes)))


if __name__ == "__main__":
    main()

"""Is a lane that is called CONVERGED right? Random lanes of mixed kinds, checked in extended precision.

    python -m bench.honesty [--lanes 100000] [--seed 0] [--out FILE]

Prints a table and ends with exit code 1 if any lane breaks a promise, or if too few of a kind are CONVERGED. Needs a C++
compiler; nothing is timed. Bounds of the ratios: LAPACK Users' Guide, chapter 4; for fits see `fitted.slope_ratio`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
import numpy as np

from bench import fitted
from bench.lanes import Group, Judged, eighs, fits, inverses, one_step_fits, one_step_inverses, one_step_svds, singular, svds
from engine import Status

ALL = 100_000
"""Lanes that the groups' numbers are made for."""

SHARE = 0.98
"""Of the lanes of a decomposition that are CONVERGED at least."""

INVERSES = {2: 4000, 3: 4000, 4: 4000, 5: 3000, 6: 3000, 8: 4000, 12: 2500, 16: 2500, 24: 1500, 32: 500}
SINGLE = {2: 2000, 4: 3000, 8: 3000, 16: 1000}
SVDS = {(2, 2): 2000, (3, 3): 2000, (4, 4): 4000, (3, 5): 2000, (6, 3): 2000, (8, 8): 3000, (16, 4): 2000, (5, 12): 1500,
        (12, 12): 1500, (16, 16): 2000}  # fmt: skip
EIGHS = {2: 2000, 3: 2000, 4: 3000, 6: 2000, 8: 3000, 12: 2000, 16: 2000}
FITS = {"exponential": 3000, "Gaussian": 2500, "Gaussian spot": 3000, "logistic": 2000, "saturation": 1500, "wave": 1500}

HEAD = ("kind", "lanes", "CONVERGED", "other", "worst ratio", "bound", "least family", "violations")


def groups() -> list[Group]:
    """All lanes of a run, by kernel."""
    found = [Group(f"inverse float64 n={n}", k, 30, SHARE, partial(inverses, n, "float64")) for n, k in INVERSES.items()]
    found += [Group(f"inverse float32 n={n}", k, 30, SHARE, partial(inverses, n, "float32")) for n, k in SINGLE.items()]
    found += [Group(f"singular n={n}", 1500, 1e-6, 0, partial(singular, n)) for n in (2, 3, 4, 8)]
    found += [Group(f"svd {m}x{n}", k, 50, SHARE, partial(svds, m, n)) for (m, n), k in SVDS.items()]
    found += [Group(f"eigh n={n}", k, 50, SHARE, partial(eighs, n)) for n, k in EIGHS.items()]
    found += [Group("eigh n=16 close", 2000, 50, SHARE, partial(eighs, 16, kinds=("close",)))]
    found += [Group(f"svd float32 {n}x{n}", 1000, 50, SHARE, partial(svds, n, n, dtype="float32")) for n in (4, 8)]
    found += [Group(f"eigh float32 n={n}", 1000, 50, SHARE, partial(eighs, n, dtype="float32")) for n in (4, 8)]
    wide: list[tuple[str, float, partial[Judged]]] = [
        ("inverse n=4", 30, partial(inverses, 4, "float64")), ("svd 4x4", 50, partial(svds, 4, 4)), ("eigh n=4", 50, partial(eighs, 4))
    ]  # fmt: skip
    found += [Group(f"{kind} of size 1e+-200", 1000, bound, SHARE, partial(run, scales=200)) for kind, bound, run in wide]
    found += [Group(f"fit {name} {fitted.CURVES[name].dtype}", k, 1, 0, partial(fits, name)) for name, k in FITS.items()]
    ends: list[tuple[str, partial[Judged]]] = [
        ("inverse n=4", partial(one_step_inverses, 4)), ("svd 4x4", partial(one_step_svds, 4)),
        ("fit exponential", partial(one_step_fits, "exponential")),
    ]  # fmt: skip
    return found + [Group(f"max_steps=1 {kind}", 1500, 1, 0, run) for kind, run in ends]


def row(group: Group, judged: Judged) -> tuple[str, ...]:
    """One line of the table."""
    converged = judged.status == Status.CONVERGED
    others = [
        f"{(judged.status == s).mean():.2%} {s.name}" for s in Status if s != Status.CONVERGED and (judged.status == s).any()
    ]
    shares = {family: converged[judged.family == family].mean() for family in np.unique(judged.family)}
    least = min(shares, key=lambda family: shares[family])
    worst = f"{judged.ratio.max():.3g}" if judged.ratio.max() > -np.inf else ""
    family = f"{least} {shares[least]:.2%}" if len(shares) > 1 and converged.any() and shares[least] < 1 else ""
    head = (group.kind, f"{len(converged):,}", f"{converged.mean():.2%}", ", ".join(others), worst, f"{group.bound:g}")
    return (*head, family, str(int(judged.wrong.sum())))


def text(rows: list[tuple[str, ...]]) -> str:
    """The table in columns."""
    widths = [max(len(line[k]) for line in rows) for k in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in rows) + "\n"


@click.command()
@click.option("--lanes", default=ALL, show_default=True, help="How many, about, in all.")
@click.option("--seed", default=0, show_default=True)
@click.option("--only", default="", help="Kinds that begin so.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the table goes, beside the terminal.")
def main(lanes: int, seed: int, only: str, out: Path | None) -> None:
    """Solve random lanes and check every one that is called CONVERGED."""
    rows: list[tuple[str, ...]] = [HEAD]
    broken = total = 0
    for k, group in enumerate(groups()):
        if not group.kind.startswith(only):
            continue
        count = max(8, round(group.lanes * lanes / ALL))
        judged = group.run(np.random.default_rng([seed, k]), count)
        few = (judged.status == Status.CONVERGED).mean() < group.share
        broken, total = broken + int(judged.wrong.sum()) + int(few), total + count
        rows.append(row(group, judged))
        click.echo("  ".join(rows[-1]), err=True)
    table = text(rows) + f"\n{total:,} lanes, {broken} violations; seed {seed}\n"
    click.echo(table)
    if out is not None:
        out.write_text(table)
    raise SystemExit(int(broken > 0))


if __name__ == "__main__":
    main()

"""`lanewise plot`: the convergence of a saved solution as an HTML page that needs no network."""

from __future__ import annotations

import os

import click

from engine.io import archive, npz_read, npz_write
from engine.plots import page
from engine.plots.convergence import of_one

EPILOG = """\b
Examples:
  lanewise plot out.npz
  lanewise plot out.npz -o out.html --lane 0 --lane 17 --dark
  lanewise plot out.npz --self-contained"""


@click.command(epilog=EPILOG)
@click.argument("saved", metavar="OUT.npz")
@click.option("-o", "--output", metavar="FILE.html", help="Where the figure goes; by default beside OUT.npz.")
@click.option("--lane", "lanes", type=int, multiple=True, help="A lane to draw on its own; as often as you like.")
@click.option("--dark", is_flag=True, help="Light on dark, whatever the reader's theme is.")
@click.option("--self-contained", is_flag=True, help="One file of 5 MB, in place of a small one and plotly.js beside it.")
def plot(saved: str, output: str | None, lanes: tuple[int, ...], dark: bool, self_contained: bool) -> None:
    """Draw the loss against the step from OUT.npz, which was solved with --history."""
    target = f"{os.path.splitext(saved)[0]}.html" if output is None else output
    npz_write.check_target(target)
    arrays = npz_read.read(saved)
    if os.path.realpath(target) == os.path.realpath(saved):
        raise click.UsageError(f"the figure would replace {saved}; expected another file: give one with -o")
    figure = of_one(archive.losses(arrays, saved), lanes)
    page.write(figure, target, self_contained=self_contained, dark=dark)
    click.echo(target)

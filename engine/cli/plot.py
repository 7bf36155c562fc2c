"""`lanewise plot`: the convergence of a saved solution as one HTML file that needs no network."""

from __future__ import annotations

import os

import click

from engine.io import archive, npz_read, npz_write
from engine.plots.figures import convergence

EPILOG = """\b
Examples:
  lanewise plot out.npz
  lanewise plot out.npz -o out.html --lane 0 --lane 17 --dark"""


@click.command(epilog=EPILOG)
@click.argument("saved", metavar="OUT.npz")
@click.option("-o", "--output", metavar="FILE.html", help="Where the figure goes; by default beside OUT.npz.")
@click.option("--lane", "lanes", type=int, multiple=True, help="A lane to draw on its own; as often as you like.")
@click.option("--dark", is_flag=True, help="Light on dark.")
def plot(saved: str, output: str | None, lanes: tuple[int, ...], dark: bool) -> None:
    """Draw the loss against the step from OUT.npz, which was solved with --history."""
    target = f"{os.path.splitext(saved)[0]}.html" if output is None else output
    npz_write.check_target(target)
    arrays = npz_read.read(saved)
    if os.path.realpath(target) == os.path.realpath(saved):
        raise click.UsageError(f"the figure would replace {saved}; expected another file: give one with -o")
    figure = convergence(archive.losses(arrays, saved), lanes, dark)
    with npz_write.whole(target) as file:
        file.write(figure.to_html(include_plotlyjs=True).encode())
    click.echo(target)

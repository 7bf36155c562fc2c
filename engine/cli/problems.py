"""`lanewise problems`: the catalogue, one line a problem."""

from __future__ import annotations

import inspect

import click

from engine.cli.calls import called, catalogue


@click.command()
def problems() -> None:
    """List the problems: how to call them, and what they are."""
    found = catalogue().items()
    known = {name + called(make).removesuffix("()"): (inspect.getdoc(make) or "").partition("\n")[0] for name, make in found}
    width = max(map(len, known), default=0)
    for call, words in known.items():
        click.echo(f"{call.ljust(width)}  {words}".rstrip())

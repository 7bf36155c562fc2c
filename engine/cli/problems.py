"""`lanewise problems`: the catalogue, one line a problem."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import click

from engine import Problem
from engine.cli.calls import called, catalogue


@click.command()
def problems() -> None:
    """List the problems: how to call them, and what they are; those that take a function are for Python alone."""
    found = catalogue().items()
    known = {name + called(make).removesuffix("()"): _words(make) for name, make in found}
    width = max(map(len, known), default=0)
    for call, words in known.items():
        click.echo(f"{call.ljust(width)}  {words}".rstrip())


def _words(make: Callable[..., Problem]) -> str:
    takes = inspect.signature(make).parameters.values()
    given = any(p.default is p.empty for p in takes)  # no literal makes a function
    return ("In Python: " if given else "") + (inspect.getdoc(make) or "").partition("\n")[0]

"""`lanewise problems`: the catalogue, one line a problem."""

from __future__ import annotations

import inspect

import click

from engine.cli.calls import catalogue


@click.command()
def problems() -> None:
    """List the problems: how to call them, and what they are."""
    known = {f"{name}{_settings(make)}": (inspect.getdoc(make) or "").partition("\n")[0] for name, make in catalogue().items()}
    width = max(map(len, known), default=0)
    for call, words in known.items():
        click.echo(f"{call.ljust(width)}  {words}".rstrip())


def _settings(make: object) -> str:
    """The settings of a problem, without types; nothing where there are none."""
    parameters = inspect.signature(make).parameters.values()  # type: ignore[arg-type]
    shown = [str(p.replace(annotation=p.empty)) for p in parameters]
    return f"({', '.join(shown)})" if shown else ""

"""`lanewise solve`: files in, one npz out, a summary on the terminal."""

from __future__ import annotations

import sys
from typing import Any

import click

import engine
from engine.cli import calls, data
from engine.io import archive, npz_write

EPILOG = """\b
Examples:
  lanewise solve inverse A.npy -o out.npz
  lanewise solve 'inverse(side="right")' A=A.npy -o out.npz --tol 1e-10
  lanewise solve svd_penalty A.npz -o out.npz --solver 'Adam(0.01)' --history 10

FILE is npy or npz, named NAME=FILE or in order of the problem's data; leading axes are the batch.
Exit codes: 0 all lanes converged, 1 some did not, 2 bad usage or input."""


class Solve(click.Command):
    """The command, in which a bare --history keeps every step: only a whole number after it is its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a bare --history its 1."""
        end = args.index("--") if "--" in args else len(args)
        bare = [k for k in range(end) if args[k] == "--history" and not "".join(args[k + 1 : k + 2]).isdecimal()]
        for k in reversed(bare):
            args[k : k + 1] = ["--history", "1"]
        return super().parse_args(ctx, args)


@click.command(cls=Solve, epilog=EPILOG)
@click.argument("problem")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", required=True, metavar="OUT.npz", help="Where answers and figures go, whole or not at all.")
@click.option("--solver", metavar="NAME(...)", help="A solver of engine.solvers, such as 'GradientDescent(0.9, momentum=0.9)'.")
@click.option("--backend", default="auto", show_default=True, help="What computes.")
@click.option("--tol", type=float, help="What the residual is compared with; 0 runs just --max-steps steps.")
@click.option("--max-steps", type=int, help="The limit per lane.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of random starts.")
@click.option(
    "--history", type=click.IntRange(0), default=0, metavar="[K]", help="Keep the loss before every K-th step, or every one."
)
def solve(problem: str, files: tuple[str, ...], output: str, solver: str | None, **options: Any) -> int:
    """Solve PROBLEM for every matrix of FILE..., write OUT.npz."""
    declared = calls.problem(problem)
    chosen = None if solver is None else calls.solver(solver)
    npz_write.check_target(output)
    data.check_output(output, files)
    arrays = data.load(declared, files)
    # A bar is for eyes only: nothing of it goes into a pipe or a log.
    solution = engine.solve(declared, arrays, solver=chosen, progress=sys.stderr.isatty(), **options)
    npz_write.write(output, archive.arrays(solution))
    click.echo(solution.summary(), nl=False)
    return 0 if bool(solution.converged.all()) else 1

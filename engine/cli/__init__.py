"""The command line, `python -m engine` or `lanewise`: one command a file; what goes wrong is one line and a code.

Exit codes: 0 all lanes converged, 1 some did not, 2 bad usage or input, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from engine.cli.plot import plot
from engine.cli.problems import problems
from engine.cli.solve import solve
from engine.version import VERSION

LONGEST = 1000
"""Characters of a message: what a user gives may be longer."""

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM

EPILOG = """\b
Examples:
  lanewise problems
  lanewise solve inverse A.npy -o inverse.npz --history
  lanewise plot inverse.npz

Exit codes: 0 all lanes converged, 1 some did not, 2 bad usage or input."""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="lanewise", message="%(prog)s %(version)s")
def cli() -> None:
    """Solve thousands of small matrix problems at once."""


cli.add_command(solve)
cli.add_command(problems)
cli.add_command(plot)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Example:
        >>> main(["plot"])
        2
    """
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = cli.main(arguments, prog_name="lanewise", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _refuse(error.format_message(), error.exit_code)
    except click.Abort:
        return _refuse("interrupted", INTERRUPTED)
    except (TypeError, ValueError, IndexError, OverflowError, MemoryError) as error:
        # The engine's own words for bad usage and bad files: the public boundary promises these types.
        return _refuse(str(error) or type(error).__name__, 2)
    finally:
        signal.signal(signal.SIGTERM, before)


def _refuse(message: str, code: int) -> int:
    """One printable line on stderr: a file's own words must not steer a terminal."""
    line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(message.split())[:LONGEST])
    print(f"lanewise: {line}", file=sys.stderr)
    return code


def _terminate(number: int, frame: FrameType | None) -> None:
    """Leave by an exception, so that a draft is taken away."""
    sys.exit(TERMINATED)

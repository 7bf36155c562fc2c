"""The host's C++ compiler: finding it, telling it apart from another, running it. Needs GCC or Clang on the machine."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import PIPE
from typing import IO

from backends.fused.build.target import NoCompiler, ToolchainError

__all__ = ["REMEDY", "TIMEOUT", "Compiler", "find_compiler"]

TIMEOUT = 120.0
"""Seconds after which a compile is stopped."""

# What changes the meaning of a compile without being on its command line.
ENVIRONMENT = ("CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "CCC_OVERRIDE_OPTIONS")
NO_ROOM = ("No space left on device", "Disk quota exceeded")
REMEDY = "install g++ or clang++, or set CXX to the path of one"


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: the words that start it, and a text that changes whenever it is exchanged for another."""

    command: tuple[str, ...]
    identity: str

    def compile(self, sources: Sequence[Path], output: Path, flags: tuple[str, ...]) -> None:
        """One shared library from a source file, or from objects.

        Raises ToolchainError when the compiler fails, is killed, or takes more than `TIMEOUT` seconds.
        """
        environment = {**os.environ, "TMPDIR": str(output.parent)}  # a compiler that is stopped leaves its files there
        # Libraries are among the flags, and a linker wants them after what uses them.
        self.judge(*_run([*self.command, *map(str, sources), *flags, "-o", str(output)], TIMEOUT, environment))
        if not output.is_file():
            raise self.idle()

    def judge(self, code: int, words: str) -> None:
        """Raises ToolchainError where the compiler ended with a status other than 0."""
        name = shlex.join(self.command)
        if code < 0:
            raise ToolchainError(f"the C++ compiler {name} was killed by signal {-code}; solve again, with more memory free")
        if code and any(phrase in words for phrase in NO_ROOM):
            raise ToolchainError(
                f"the C++ compiler {name} found no room for its files in {tempfile.gettempdir()}; free space there, or set TMPDIR to a "
                f"folder that has room. It said:\n{_excerpt(words)}"
            )
        if code:
            raise ToolchainError(f"the C++ compiler {name} failed with status {code}; {REMEDY}. It said:\n{_excerpt(words)}")

    def idle(self) -> ToolchainError:
        """The error of a compiler that ended well and made nothing."""
        return ToolchainError(f"the C++ compiler {shlex.join(self.command)} made no library; {REMEDY}")

    def slow(self) -> ToolchainError:
        """The error of a compiler that was stopped."""
        return ToolchainError(f"the C++ compiler {self.command[0]} took over {TIMEOUT:g} s and was stopped; {REMEDY}")


def find_compiler() -> Compiler:
    """The compiler that `CXX` names, else the first of g++, clang++ and c++ on the path.

    Raises NoCompiler when there is none, or it does not tell its version.
    """
    named = os.environ.get("CXX", "").strip()
    try:
        words = shlex.split(named)
    except ValueError as error:
        raise NoCompiler(f"CXX={named!r} cannot be read as a command ({error}); {REMEDY}") from None
    for candidate in [words] if words else [["g++"], ["clang++"], ["c++"]]:
        path = shutil.which(candidate[0])
        if path is not None:
            return _identified((os.path.abspath(path), *candidate[1:]))
    if named:
        raise NoCompiler(f"CXX={named!r} names no program that can be run; {REMEDY}, or unset CXX")
    raise NoCompiler(f"no C++ compiler was found on PATH; {REMEDY}")


def _identified(command: tuple[str, ...]) -> Compiler:
    real = os.path.realpath(command[0])
    try:
        about = os.stat(real)
    except OSError as error:
        raise NoCompiler(f"the C++ compiler {command[0]} cannot be read ({error.strerror}); {REMEDY}") from None
    around = [f"{name}={os.environ[name]}" for name in ENVIRONMENT if name in os.environ]
    what = (*command, real, str(about.st_size), str(about.st_mtime_ns), _version(command, real, about.st_mtime_ns), *around)
    return Compiler(command, "\0".join(what))


@cache
def _version(command: tuple[str, ...], real: str, changed: int) -> str:
    """The compiler's own words; asked again when its file changed."""
    code, words = _run([*command, "--version"], 20.0)
    if code:
        raise NoCompiler(f"{shlex.join(command)} --version failed with status {code}; {REMEDY}. It said:\n{_excerpt(words)}")
    return words


def _run(command: list[str], timeout: float, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Exit status and output of a command.

    The compiler starts programs of its own: all are stopped together, also on an interrupt.
    """
    with started(command, environment) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
            return process.returncode, output.decode(errors="replace")
        except subprocess.TimeoutExpired:
            raise ToolchainError(f"the C++ compiler {command[0]} took over {timeout:g} s and was stopped; {REMEDY}") from None
        finally:
            if process.poll() is None:
                stop(process)


def started(command: list[str], environment: Mapping[str, str] | None, words: IO[bytes] | int = PIPE) -> subprocess.Popen[bytes]:
    """A command that runs, in a group of its own; `words` is where it says what it has to say."""
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT, start_new_session=True, env=environment
        )
    except OSError as error:
        raise ToolchainError(f"the C++ compiler {command[0]} cannot be started ({error.strerror}); {REMEDY}") from None


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def _excerpt(words: str) -> str:
    """The first lines that matter: errors before the rest, no more than a screen."""
    lines = words.strip().splitlines()
    errors = [line for line in lines if "error" in line.lower()]
    return "\n".join((errors or lines or ["nothing"])[:12])

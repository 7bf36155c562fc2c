"""The host's C++ compiler: finding it, telling it apart from another, running it. Needs GCC or Clang on the machine."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from backends.fused.build.target import ToolchainError

__all__ = ["REMEDY", "TIMEOUT", "Compiler", "find_compiler"]

TIMEOUT = 120.0
"""Seconds after which a compile is stopped."""

# What changes the meaning of a compile without being on its command line.
ENVIRONMENT = ("CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "CCC_OVERRIDE_OPTIONS")
REMEDY = "install g++ or clang++, or set CXX to the path of one"


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: the words that start it, and a text that changes whenever it is exchanged for another."""

    command: tuple[str, ...]
    identity: str

    def compile(self, source: Path, output: Path, flags: tuple[str, ...], parts: Sequence[int] = ()) -> None:
        """One shared library from one source file; its parts, each some bits of LW_PARTS, side by side, if there are several.

        Raises ToolchainError when the compiler fails, is killed, or takes more than `TIMEOUT` seconds.
        """
        environment = {**os.environ, "TMPDIR": str(output.parent)}  # a compiler that is stopped leaves its files there
        # Libraries are among the flags, and a linker wants them after what uses them.
        if len(parts) < 2:
            self._checked([[*self.command, str(source), *flags, "-o", str(output)]], environment)
        else:
            objects = [str(output.with_name(f"{output.stem}-{k}.o")) for k in range(len(parts))]
            alone = [flag for flag in flags if flag != "-shared" and not flag.startswith("-l")]
            self._checked(
                [
                    [*self.command, "-c", str(source), f"-DLW_PARTS={mask}ul", *alone, "-o", made]
                    for mask, made in zip(parts, objects, strict=True)
                ],
                environment,
            )
            self._checked([[*self.command, *objects, *flags, "-o", str(output)]], environment)
        if not output.is_file():
            raise ToolchainError(f"the C++ compiler {shlex.join(self.command)} made no library; {REMEDY}")

    def _checked(self, commands: Sequence[list[str]], environment: Mapping[str, str]) -> None:
        name = shlex.join(self.command)
        for code, words in _run(commands, TIMEOUT, environment):
            if code < 0:
                raise ToolchainError(f"the C++ compiler {name} was killed by signal {-code}; solve again, with more memory free")
            if code:
                raise ToolchainError(f"the C++ compiler {name} failed with status {code}; {REMEDY}. It said:\n{_excerpt(words)}")


def find_compiler() -> Compiler:
    """The compiler that `CXX` names, else the first of g++, clang++ and c++ on the path.

    Raises ToolchainError when there is none, or it does not tell its version.
    """
    named = os.environ.get("CXX", "").strip()
    try:
        words = shlex.split(named)
    except ValueError as error:
        raise ToolchainError(f"CXX={named!r} cannot be read as a command ({error}); {REMEDY}") from None
    for candidate in [words] if words else [["g++"], ["clang++"], ["c++"]]:
        path = shutil.which(candidate[0])
        if path is not None:
            return _identified((os.path.abspath(path), *candidate[1:]))
    if named:
        raise ToolchainError(f"CXX={named!r} names no program that can be run; {REMEDY}, or unset CXX")
    raise ToolchainError(f"no C++ compiler was found on PATH; {REMEDY}")


def _identified(command: tuple[str, ...]) -> Compiler:
    real = os.path.realpath(command[0])
    try:
        about = os.stat(real)
    except OSError as error:
        raise ToolchainError(f"the C++ compiler {command[0]} cannot be read ({error.strerror}); {REMEDY}") from None
    around = [f"{name}={os.environ[name]}" for name in ENVIRONMENT if name in os.environ]
    what = (*command, real, str(about.st_size), str(about.st_mtime_ns), _version(command, real, about.st_mtime_ns), *around)
    return Compiler(command, "\0".join(what))


@cache
def _version(command: tuple[str, ...], real: str, changed: int) -> str:
    """The compiler's own words; asked again when its file changed."""
    ((code, words),) = _run([[*command, "--version"]], 20.0)
    if code:
        raise ToolchainError(f"{shlex.join(command)} --version failed with status {code}; {REMEDY}. It said:\n{_excerpt(words)}")
    return words


def _run(commands: Sequence[list[str]], timeout: float, environment: Mapping[str, str] | None = None) -> list[tuple[int, str]]:
    """Exit status and output of commands, side by side.

    The compiler starts programs of its own: all are stopped together, also on an interrupt.
    """
    started: list[subprocess.Popen[bytes]] = []
    end = time.monotonic() + timeout
    with ExitStack() as stack:
        try:
            for command in commands:
                started.append(stack.enter_context(_started(command, environment)))
            return [_ended(process, end - time.monotonic()) for process in started]
        except subprocess.TimeoutExpired:
            raise ToolchainError(f"the C++ compiler {commands[0][0]} took over {timeout:g} s and was stopped; {REMEDY}") from None
        finally:
            for process in started:
                if process.poll() is None:
                    _stop(process)


def _started(command: list[str], environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
    except OSError as error:
        raise ToolchainError(f"the C++ compiler {command[0]} cannot be started ({error.strerror}); {REMEDY}") from None


def _ended(process: subprocess.Popen[bytes], timeout: float) -> tuple[int, str]:
    output, _ = process.communicate(timeout=max(timeout, 0.0))
    return process.returncode, output.decode(errors="replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def _excerpt(words: str) -> str:
    """The first lines that matter: errors before the rest, no more than a screen."""
    lines = words.strip().splitlines()
    errors = [line for line in lines if "error" in line.lower()]
    return "\n".join((errors or lines or ["nothing"])[:12])

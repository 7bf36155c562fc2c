"""Parts of a kernel as object files, compiled side by side, each as soon as its text is known. Needs `compiler`, `cache`.

A part is a translation unit of its own: of a kernel's text what is in no part, and what `LW_IN` has for it. Objects are kept on
disk under a digest of their text, so that kernels which differ in one function share the others.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from backends.fused.build import cache, compiler, workplace
from backends.fused.build.target import Target, ToolchainError

PART = re.compile(r"^#if LW_IN\((\d+)\)  // part \d+: (\d+)$", re.MULTILINE)
"""A part of a source that can be compiled apart: its bit, and how long it takes."""

POLL = 0.005
"""Seconds between two looks at compilers that run."""


def units(source: str) -> list[str]:
    """The text of each part of a source, the one that takes longest first; none of a source in one part."""
    parts = sorted(((int(load), int(bit)) for bit, load in PART.findall(source)), reverse=True)
    return [unit(source, bit) for _, bit in parts] if len(parts) > 1 else []


def unit(source: str, bit: int) -> str:
    """The text that one part of a source reads of it."""
    kept, depth, taken = list[str](), 0, True
    for line in source.splitlines():
        if not depth and line.startswith("#if LW_IN("):
            depth, taken = 1, bool(int(line[len("#if LW_IN(") : line.index(")")]) & bit)
            continue
        if depth:  # a part may have conditions of its own
            depth += line.startswith("#if") - line.startswith("#endif")
            if not depth:
                taken = True
                continue
        if taken:
            kept.append(line)
    return "\n".join([*kept, ""])


def processors() -> int:
    """Processors that this process may use; not every system tells it apart from all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Job:
    """A compiler that runs: what it makes, what it says, and when it is stopped."""

    process: subprocess.Popen[bytes]
    made: Path
    said: Path
    end: float


class Parts:
    """Objects that are being compiled; what runs is stopped, and every file removed, where the `with` ends.

    Raises ToolchainError when there is no compiler, it fails, is killed or takes too long; OSError where there is no room.
    """

    def __init__(self, target: Target) -> None:
        self.compiler = compiler.find_compiler()
        self.flags = target.object_flags
        self.cores, self.stack, self.waiting = processors(), ExitStack(), list[tuple[str, str]]()
        self.place: Path | None = None
        self.jobs: dict[str, Job] = {}

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for job in self.jobs.values():
            if job.process.poll() is None:
                compiler.stop(job.process)
            job.process.wait()
        self.stack.close()

    def begin(self, text: str) -> None:
        """Have a part compiled, unless an object of it is there; side by side with whatever follows, where there are cores for it."""
        if self.cores > 1:
            self._want(text)

    def _want(self, text: str) -> None:
        key = self._key(text)
        if key not in self.jobs and key not in dict(self.waiting) and _kept(key) is None:
            self.waiting.append((key, text))
        self._start()

    def objects(self, texts: Sequence[str]) -> list[bytes]:
        """The object of each part."""
        found = {}
        for text in texts:
            self._want(text)
        for key in map(self._key, texts):
            while key in dict(self.waiting) or (key in self.jobs and self.jobs[key].process.poll() is None):
                self._start()
                self._watch()
                time.sleep(POLL)
            found[key] = _kept(key) or self._made(key)
        return [found[self._key(text)] for text in texts]

    def _key(self, text: str) -> str:
        return cache.digest(text, *self.flags, self.compiler.identity)

    def _start(self) -> None:
        """As many compilers as there are processors."""
        while self.waiting and sum(job.process.poll() is None for job in self.jobs.values()) < self.cores:
            if self.place is None:
                self.place = self.stack.enter_context(workplace.workplace())
            key, text = self.waiting.pop(0)
            source, made, said = (self.place / f"kernel-{len(self.jobs)}.{end}" for end in ("cpp", "o", "txt"))
            source.write_text(text)
            command = [*self.compiler.command, "-c", str(source), "-DLW_PARTS=~0ul", *self.flags, "-o", str(made)]
            with said.open("wb") as words:
                process = compiler.started(command, {**os.environ, "TMPDIR": str(self.place)}, words)
            self.jobs[key] = Job(process, made, said, time.monotonic() + compiler.TIMEOUT)

    def _watch(self) -> None:
        for job in self.jobs.values():
            if job.process.poll() is None and time.monotonic() > job.end:
                raise self.compiler.slow()

    def _made(self, key: str) -> bytes:
        """The object of a compiler that has ended; kept on disk where that can be done."""
        job = self.jobs[key]
        self.compiler.judge(job.process.returncode, job.said.read_text(errors="replace"))
        if not job.made.is_file():
            raise self.compiler.idle()
        made = job.made.read_bytes()
        with contextlib.suppress(OSError):
            cache.store(cache.directory(), key, made, ".o")
        return made


def _kept(key: str) -> bytes | None:
    """The object that is on disk, or None."""
    try:
        return cache.read(cache.directory(), key, ".o")
    except OSError:
        return None


__all__ = ["Parts", "ToolchainError", "processors", "unit", "units"]

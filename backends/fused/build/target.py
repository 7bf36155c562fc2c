"""The instruction set to compile for, by the host's processor. Needs nothing but the operating system's word on it.

`LANEWISE_ISA` restricts it: `LANEWISE_ISA=avx2` on a machine with AVX-512 builds and runs AVX2 code only. `LANEWISE_OPT=1` asks
the C++ compiler for less: kernels compile in half the time and run slower.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["NoCompiler", "Target", "ToolchainError", "cuda_target", "host_names", "host_target", "supported", "target"]

# No -ffast-math: it makes tests for NaN vanish.
COMMON = (
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-exceptions",
    "-pthread",
    "-shared",
    "-fPIC",
    "-std=c++17",
    "-Wno-psabi",
)

# The levels of the x86-64 psABI, by the names of Linux's processor flags.
V3 = frozenset("avx avx2 bmi1 bmi2 f16c fma abm movbe".split())
V4 = V3 | frozenset("avx512f avx512bw avx512cd avx512dq avx512vl".split())

LEVELS = ("0", "1", "2", "3")
"""Levels of optimisation that `LANEWISE_OPT` may name."""

WIDTH = {"avx512": 64, "avx2": 32, "neon": 16, "plain": 16}


class ToolchainError(RuntimeError):
    """No native library could be made. The text names the cause and a remedy."""


class NoCompiler(ToolchainError):
    """There is no C++ compiler that can be used."""


@dataclass(frozen=True)
class Target:
    """An instruction set: its `name`, the bytes of a vector register, and the compiler's flags for it."""

    name: str
    vector_bytes: int
    flags: tuple[str, ...]

    @property
    def object_flags(self) -> tuple[str, ...]:
        """The flags for an object file: without what is only for the linker."""
        return tuple(flag for flag in self.flags if flag not in ("-shared", "-nodefaultlibs") and not flag.startswith("-l"))

    def width(self, dtype: str) -> int:
        """Lanes of that dtype that go side by side: one where a thread is a lane."""
        return max(1, self.vector_bytes // (8 if dtype == "float64" else 4))


def host_target() -> Target:
    """The widest target that this processor runs, or the one that `LANEWISE_ISA` names.

    Raises ToolchainError for a name in `LANEWISE_ISA` that is unknown, or that this processor does not run.

    >>> host_target().name in WIDTH
    True
    """
    names = host_names()
    predicate = os.environ.get("LANEWISE_ISA", "").strip().lower() or names[0]
    if predicate not in names:
        what = "is not an instruction set that lanewise knows" if predicate not in WIDTH else "does not run on this processor"
        raise ToolchainError(f"LANEWISE_ISA={predicate!r} {what}; unset it, or set it to one of {', '.join(names)}")
    return target(predicate, platform.machine())


def cuda_target() -> Target:
    """The target whose kernels are CUDA C++, a thread a lane. Their text serves every device.

    >>> cuda_target().width("float32")
    1
    """
    return Target("cuda", 0, ())


def target(name: str, machine: str) -> Target:
    """The target of that name on that kind of machine (as `platform.machine()` words it).

    Raises ToolchainError for a level in `LANEWISE_OPT` that is none.
    """
    return Target(name, WIDTH[name], (_optimisation(), *COMMON, *_architecture(name, machine), *_libraries(machine)))


def _optimisation() -> str:
    level = os.environ.get("LANEWISE_OPT", "").strip() or "3"
    if level not in LEVELS:
        raise ToolchainError(
            f"LANEWISE_OPT={level!r} is no level of optimisation; unset it, or set it to one of {', '.join(LEVELS)}"
        )
    return f"-O{level}"


def supported(machine: str, flags: frozenset[str]) -> tuple[str, ...]:
    """The targets that a processor with these flags runs, the widest first.

    >>> supported("x86_64", V3)
    ('avx2', 'plain')
    """
    if machine in ("aarch64", "arm64"):
        return ("neon", "plain")
    levels = (("avx512", V4), ("avx2", V3))
    return (*(name for name, needs in levels if machine in ("x86_64", "AMD64") and needs <= flags), "plain")


@cache
def host_names() -> tuple[str, ...]:
    """The names of the targets that this processor runs, the widest first."""
    return supported(platform.machine(), _processor_flags())


def _processor_flags() -> frozenset[str]:
    """The flags common to all processors of /proc/cpuinfo; none where there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return frozenset()
    found = [frozenset(line.split()) for line in re.findall(r"^flags\s*:(.*)$", text, re.MULTILINE)]
    return frozenset.intersection(*found) if found else frozenset()


def _architecture(name: str, machine: str) -> tuple[str, ...]:
    """Levels by name, never "native": the restriction is real, and a cached library runs on every machine of the level."""
    arm: Mapping[str, tuple[str, ...]] = {"neon": ("-march=armv8-a",), "plain": ("-march=armv8-a", "-DLW_PLAIN")}
    x86: Mapping[str, tuple[str, ...]] = {
        "avx512": ("-march=x86-64-v4", "-mtune=native", "-mprefer-vector-width=512"),
        "avx2": ("-march=x86-64-v3", "-mtune=native"),
        "plain": ("-march=x86-64", "-mtune=native"),
    }
    if machine in ("aarch64", "arm64"):
        return arm[name]
    return x86[name] if machine in ("x86_64", "AMD64") else ()


def _libraries(machine: str) -> tuple[str, ...]:
    """The libraries of a kernel: glibc's vector math where this glibc has it, by the same test as in `vmath.h`.

    On glibc no other: to look into the C++ library, of which a kernel uses nothing, takes a linker most of its time.
    """
    names = os.confstr_names if hasattr(os, "confstr_names") else {}
    words = (os.confstr("CS_GNU_LIBC_VERSION") or "" if "CS_GNU_LIBC_VERSION" in names else "").split()
    version = tuple(int(part) for part in words[1].split(".")[:2]) if len(words) == 2 and words[0] == "glibc" else (0, 0)
    since = {"x86_64": (2, 22), "aarch64": (2, 38)}.get(machine)
    vector = ("-lmvec",) if since is not None and version >= since else ()
    return ("-nodefaultlibs", *vector, "-lm", "-lpthread", "-lc", "-lgcc") if version > (0, 0) else ("-lm",)

"""CUDA C++ text to machine code by NVRTC, in this process, through the caches of C++ libraries. Needs no driver and no toolkit.

    built = build(source, (9, 0))
    built.module.codes, built.module.usage["lw_solve"].registers

`cuda-bindings` calls the library, and finds it: torch's CUDA builds bring both, `pip install 'lanewise[cuda]'` does elsewhere. Neither
is loaded before a text is compiled. Registers, spills, stack and shared memory are read from ptxas' report, which NVRTC hands on as
its log: of the compiled code, the spills stand nowhere else.

The kernels of a text are compiled side by side, each in a thread of its own, where the text can be told which of them to make
(`LW_KERNELS` in `runtime.cuh`) and there are processors for it: NVVM takes most of the time, and NVRTC runs in several threads at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import re
import time
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache as once
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from backends.fused.build import cache
from backends.fused.build.compiler import TIMEOUT
from backends.fused.build.locks import Locks
from backends.fused.build.parts import processors
from backends.fused.build.target import ToolchainError
from backends.stopwatch import span

__all__ = ["REMEDY", "TIMEOUT", "Built", "Capability", "Module", "Usage", "build", "version"]

Capability = tuple[int, int]
"""Compute capability of a device, (9, 0) for sm_90."""

OPTIONS = ("--std=c++17", "--fmad=true", "--ftz=false", "--prec-div=true", "--prec-sqrt=true", "--ptxas-options=-v")
"""No --use_fast_math: it makes tests for NaN vanish, and divisions inexact."""

REMEDY = "pip install cuda-bindings nvidia-cuda-nvrtc, or a CUDA build of torch, which brings both"
SUFFIX = ".cubin"
CANCEL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

KERNEL = re.compile(r"^#if LW_KERNELS & (\d+)", re.MULTILINE)
"""The bit of a kernel that a text makes or leaves out."""

ENTRY = re.compile(r"Compiling entry function '(\w+)'(.*?)(?=Compiling entry function|\Z)", re.DOTALL)
FIGURES = {
    "registers": r"Used (\d+) registers",
    "spill_stores": r"(\d+) bytes spill stores",
    "spill_loads": r"(\d+) bytes spill loads",
    "stack": r"(\d+) bytes stack frame",
    "shared": r"(\d+) bytes smem",
}
"""Figures in ptxas' report on a kernel; one that is 0 may be left out."""


@dataclass(frozen=True)
class Usage:
    """Resources of a kernel: registers a thread, bytes of spills and stack a thread, bytes of static shared memory a block."""

    registers: int
    spill_stores: int
    spill_loads: int
    stack: int
    shared: int


@dataclass(frozen=True, eq=False)
class Module:
    """Machine code for `arch`, such as "sm_90", in one piece or several, and the resources of each kernel.

    For devices younger than the compiler it is PTX ("compute_120"), which their driver compiles; nothing is known of its kernels.
    """

    codes: tuple[bytes, ...]
    arch: str
    usage: dict[str, Usage]


@dataclass(frozen=True)
class Built:
    """A module; origin, seconds and note as a `toolchain.Library` has them."""

    module: Module
    origin: str
    seconds: float
    note: str


_loaded: weakref.WeakValueDictionary[str, Module] = weakref.WeakValueDictionary()
_locks = Locks()


def build(source: str, capability: Capability) -> Built:
    """The module of a text for a device, from memory, from the disk cache, or compiled.

    Raises ToolchainError where NVRTC or its bindings are missing, where it does not know the device, and where the text does not
    compile or takes too long; the text names the cause and a remedy, or is the compiler's log.
    """
    arch = architecture(capability)
    key = cache.digest(source, arch, *OPTIONS, identity())
    with _locks.of(key):
        module = _loaded.get(key)
        if module is not None:
            return Built(module, "memory", 0.0, "")
        built = _from_disk(key, source, arch)
        _loaded[key] = built.module
        return built


def _from_disk(key: str, source: str, arch: str) -> Built:
    folder, note = None, ""
    try:
        folder = cache.directory()
        entry = cache.read(folder, key, SUFFIX)
        if entry is not None:
            return Built(_unpacked(entry), "disk", 0.0, "")
    except OSError as error:
        note = str(error)
    began = time.perf_counter()
    with span("compile"):
        module = compiled(source, arch)
    seconds = time.perf_counter() - began
    if folder is not None:
        try:
            cache.store(folder, key, _packed(module), SUFFIX)
        except OSError as error:
            note = f"{folder} cannot be used: {error}"
    return Built(module, "compiled", seconds, note)


def _packed(module: Module) -> bytes:
    """A line of JSON, and the code."""
    usage = {name: asdict(found) for name, found in module.usage.items()}
    about = {"arch": module.arch, "usage": usage, "sizes": [len(code) for code in module.codes]}
    return json.dumps(about).encode() + b"\n" + b"".join(module.codes)


def _unpacked(entry: bytes) -> Module:
    head, _, rest = entry.partition(b"\n")
    about = json.loads(head)
    ends = [0, *accumulate(about["sizes"])]
    codes = tuple(rest[first:end] for first, end in pairwise(ends))
    return Module(codes, about["arch"], {name: Usage(**figures) for name, figures in about["usage"].items()})


@once
def bindings() -> Any:
    """NVRTC's functions. Raises ToolchainError where the package or the library is missing."""
    try:
        nvrtc: Any = importlib.import_module("cuda.bindings.nvrtc")
    except ImportError as error:
        raise ToolchainError(f"CUDA C++ needs the package cuda-bindings, which cannot be imported ({error}): {REMEDY}") from None
    try:
        nvrtc.nvrtcVersion()
    except Exception as error:  # of the finder of NVIDIA's libraries, whose class has moved between its versions
        words = str(error).strip().splitlines()
        raise ToolchainError(
            f"CUDA C++ needs NVRTC, whose library is not found ({words[0] if words else type(error).__name__}): {REMEDY}"
        ) from None
    return nvrtc


def version() -> tuple[int, int]:
    """NVRTC's version. Raises ToolchainError."""
    major, minor = _checked(bindings(), bindings().nvrtcVersion())
    return int(major), int(minor)


@once
def identity() -> str:
    """A text that changes whenever NVRTC is exchanged for another. Raises ToolchainError."""
    finder: Any = importlib.import_module("cuda.pathfinder")  # the bindings have loaded it
    path = os.path.realpath(finder.load_nvidia_dynamic_lib("nvrtc").abs_path or "libnvrtc")
    about = os.stat(path) if Path(path).exists() else None
    return repr((version(), path, about and (about.st_size, about.st_mtime_ns)))


def architecture(capability: Capability) -> str:
    """Name of what to compile for: the nearest architecture of the same generation, whose machine code runs there, else the newest's PTX.

    Raises ToolchainError for a device older than all that this NVRTC knows.
    """
    known = [divmod(number, 10) for number in _checked(bindings(), bindings().nvrtcGetSupportedArchs())]
    usable = [own for own in known if own <= tuple(capability)]
    name = "sm_{}{}".format(*capability)
    if not usable:
        raise ToolchainError(
            f"NVRTC {'.'.join(map(str, version()))} compiles for sm_{'{}{}'.format(*min(known))} and newer, the device is {name}: "
            "install an older one, as the CUDA build of torch for this device has"
        )
    major, minor = max(usable)
    return f"sm_{major}{minor}" if major == capability[0] else f"compute_{major}{minor}"


def compiled(source: str, arch: str) -> Module:
    """A text compiled now, without any cache. Raises ToolchainError with the compiler's log."""
    bits = sorted({int(bit) for bit in KERNEL.findall(source)}) if processors() > 1 else []
    options: list[list[str]] = [[f"-DLW_KERNELS={bit}"] for bit in bits] or [[]]
    with ThreadPoolExecutor(min(len(options), processors())) as pool:
        pieces = list(pool.map(partial(_piece, source, arch), options))
    found: dict[str, Usage] = {}
    for _, log in pieces:
        found |= usage(log)
    return Module(tuple(code for code, _ in pieces), arch, found)


def _piece(source: str, arch: str, own: Sequence[str]) -> tuple[bytes, str]:
    """The code that a text is with some options more, and the compiler's log. Raises ToolchainError."""
    nvrtc, end = bindings(), time.monotonic() + TIMEOUT
    options = [option.encode() for option in (f"--gpu-architecture={arch}", *OPTIONS, *own)]
    program = _checked(nvrtc, nvrtc.nvrtcCreateProgram(source.encode(), b"kernel.cu", 0, [], []))
    late = CANCEL(lambda *_: int(time.monotonic() > end))  # asked between passes of the front end, not within ptxas
    try:
        with contextlib.suppress(AttributeError, RuntimeError):  # an NVRTC that is too old to be stopped
            nvrtc.nvrtcSetFlowCallback(program, ctypes.cast(late, ctypes.c_void_p).value, 0)
        (code,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        log = _bytes(nvrtc, program, "ProgramLog").decode(errors="replace").strip("\0 \n")
        if code == nvrtc.nvrtcResult.NVRTC_ERROR_CANCELLED:
            raise ToolchainError(f"NVRTC took over {TIMEOUT:g} s on a kernel of {len(source):,} characters and was stopped")
        if code != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise ToolchainError(f"NVRTC failed on a kernel for {arch} ({code.name}). It said:\n{_excerpt(log)}")
        return _bytes(nvrtc, program, "CUBIN" if arch.startswith("sm_") else "PTX"), log
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def usage(log: str) -> dict[str, Usage]:
    """Kernel -> resources, from ptxas' report.

    >>> usage('''ptxas info    : Compiling entry function 'solve' for 'sm_90'
    ... ptxas         .     16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
    ... ptxas info    : Used 94 registers, used 0 barriers, 512 bytes smem''')
    {'solve': Usage(registers=94, spill_stores=8, spill_loads=12, stack=16, shared=512)}
    """
    found = {}
    for name, text in ENTRY.findall(log):
        figures = {figure: re.search(pattern, text) for figure, pattern in FIGURES.items()}
        found[name] = Usage(**{figure: int(match[1]) if match else 0 for figure, match in figures.items()})
    return found


def _excerpt(log: str) -> str:
    """The first lines that matter: errors before the rest, no more than a screen."""
    lines = log.splitlines()
    errors = [line for line in lines if "error" in line.lower()]
    return "\n".join((errors or lines or ["nothing"])[:12])


def _bytes(nvrtc: Any, program: object, what: str) -> bytes:
    """A text or code of a compiled program."""
    size = _checked(nvrtc, getattr(nvrtc, f"nvrtcGet{what}Size")(program))
    found = bytes(size)
    _checked(nvrtc, getattr(nvrtc, f"nvrtcGet{what}")(program, found))
    return found


def _checked(nvrtc: Any, result: tuple[Any, ...]) -> Any:
    """The values that a function of NVRTC returned behind its code. Raises ToolchainError."""
    code, *values = result
    if code != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise ToolchainError(f"NVRTC failed: {code.name}")
    return values[0] if len(values) == 1 else tuple(values)

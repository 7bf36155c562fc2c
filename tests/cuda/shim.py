"""A device that is the CPU: emitted CUDA behind a shim header, compiled by the host's C++ compiler, over NumPy arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Executable, Program
from backends.errors import CompilerMissing, Unsupported
from backends.fused import FusedBackend
from backends.fused.build.target import NoCompiler, Target, ToolchainError, host_target
from backends.fused.build.toolchain import Library, build
from backends.fused.cuda.device import Memory
from backends.fused.cuda.executable import CudaExecutable
from backends.fused.run.lanes import for_kernel, host_view
from backends.types import Array

SHIM = Path(__file__).with_name("shim.h").read_text()
KERNELS = ("lw_hoist", "lw_init", "lw_solve", "lw_postprocess")

# Blocks and threads in order, or the last first: nothing may hang on it. Fibres of all blocks take turns, but where a block has
# memory of its own, of which there is one here.
LAUNCH = """
alignas(128) T lw_shared[100000 / sizeof(T)];
static void (*kernel_of_all)(Task);
static const Task *task_of_all;
static void begin() { kernel_of_all(*task_of_all); }
static int launched(void (*kernel)(Task), const Task *task, long blocks, long threads, int reversed) {
  kernel_of_all = kernel, task_of_all = task, gridDim.x = blocks, blockDim.x = threads;
  const long all = blocks * threads;
#ifdef SHIM_FIBRES
  const long group = LW_MAPPING == LW_SHARED ? threads : all, room = 1 << 16;
  Fibre *fibres = (Fibre *)__builtin_calloc(group, sizeof(Fibre));
  char *stacks = (char *)__builtin_malloc(group * room);
  for (long first = 0; first < all; first += group) {
    for (long k = 0; k < group; k++) {
      Fibre &f = fibres[k];
      const long id = reversed ? all - 1 - first - k : first + k;
      f.block.x = id / threads, f.thread.x = id % threads, f.over = false;
      getcontext(&f.context);
      f.context.uc_stack.ss_sp = stacks + k * room, f.context.uc_stack.ss_size = room, f.context.uc_link = nullptr;
      makecontext(&f.context, [] { begin(), running->over = true, pass(); }, 0);
    }
    for (bool left = true; left;) {
      left = false;
      for (long k = 0; k < group; k++) {
        if (fibres[k].over) continue;
        running = &fibres[k], threadIdx = running->thread, blockIdx = running->block, left = true;
        swapcontext(&home, &running->context);
      }
    }
  }
  __builtin_free(stacks), __builtin_free(fibres);
#else
  for (long k = 0; k < all; k++) {
    const long id = reversed ? all - 1 - k : k;
    blockIdx.x = id / threads, threadIdx.x = id % threads;
    begin();
  }
#endif
  return 0;
}
"""


def flags(target: Target) -> tuple[str, ...]:
    """A target's flags, for code that compiles fast; device code reads a number as another type."""
    return (*("-O1" if flag == "-O3" else flag for flag in target.flags), "-fno-strict-aliasing", "-Wno-unknown-pragmas")


def driven(source: str, fibres: bool = False) -> str:
    """A kernel's text with the shim in front, and a function behind it for each kernel."""
    calls = (
        f'extern "C" int launch_{name}(const Task *task, long blocks, long threads, int reversed)\n'
        f"{{ return launched({name}, task, blocks, threads, reversed); }}"
        for name in KERNELS
    )
    return "\n".join(["#define SHIM_FIBRES" if fibres else "", SHIM, source, LAUNCH, *calls, ""])


@dataclass
class ShimDevice:
    """The protocol of `backends.fused.cuda.device` on the CPU.

    Args:
        blocks: how many "run at once".
        reversed: whether blocks and threads come the last first.
        fibres: whether threads take turns.
    """

    blocks: int = 2
    reversed: bool = False
    fibres: bool = False
    name: str = "a shim of CUDA"

    def compile(self, source: str) -> Library:
        target = host_target()
        return build(driven(source, self.fibres), replace(target, flags=flags(target)))

    def launch(self, module: Any, kernel: str, blocks: int, threads: int, shared_bytes: int, task: ctypes.Structure) -> None:
        call = getattr(module.handle, f"launch_{kernel}")
        call(ctypes.byref(task), ctypes.c_long(blocks), ctypes.c_long(threads), ctypes.c_int(self.reversed))

    def resident(self, module: Any, kernel: str, threads: int, shared_bytes: int) -> int:
        return self.blocks

    def full(self, shape: tuple[int, ...], dtype: str, value: float | None) -> Array:
        return np.full(shape, np.nan if value is None and dtype.startswith("float") else value or 0, dtype)

    def upload(self, array: np.ndarray) -> Array:
        return array.copy()

    def pack(self, parts: Sequence[Array], dtype: str) -> Array:
        arrays = [np.asarray(a) for a in parts]
        flat = [(a.astype(dtype) if a.dtype.kind == "f" else for_kernel(a, dtype)).reshape(-1).view(dtype) for a in arrays]
        return np.concatenate(flat)

    def download(self, array: Array) -> np.ndarray:
        return host_view(array).copy()

    def memory(self, array: Array) -> Memory:
        view = host_view(array)
        return Memory(int(view.__array_interface__["data"][0]), view.shape, view.strides, view.dtype)

    def busy(self) -> bool:
        return False

    def peek(self, array: Array) -> np.ndarray:
        return host_view(array)

    def poke(self, array: Array, index: int, value: int) -> None:
        host_view(array)[index] = value


class ShimBackend(FusedBackend):
    """The fused backend with `device` in the place of the CPU's kernels."""

    name = "shim"
    device = ShimDevice()

    def prepare(self, program: Program, example: Mapping[str, Array], shared: frozenset[str], device: Any = None) -> Executable:
        try:
            return CudaExecutable(program, example, shared, self.device)
        except NoCompiler as error:
            raise CompilerMissing(str(error)) from error
        except ToolchainError as error:
            raise Unsupported(str(error)) from error


BACKEND: Any = ShimBackend()

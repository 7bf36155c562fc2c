"""Headers of C++ that kernels are made of; unlike Python code they are read when a kernel is made.

vmath.h     vectors and their functions, to 4 units in the last place
block.h     lanes in vectors: loads, masks, selects
input.h     where an input's numbers are, and what they are; for all targets
kernel.h    what the loop over lanes reads and calls of a kernel
lane_io.h   inputs gathered into blocks, threads
runtime.h   the loop over lanes, one text for all kernels of a dtype
map.h       the loop of a mapped function
cuda/       the same in CUDA C++, where a thread is a lane: block.cuh, lane_math.cuh, lane_io.cuh, runtime.cuh; every_round.cuh for
            steps whose numbers are in registers

The loop over lanes replaces lanes as rays are replaced in persistent-thread ray tracing (Aila and Laine, Understanding the
efficiency of ray traversal on GPUs, HPG 2009): threads take the next W lanes of the batch by one atomic counter, a
lane that is done leaves its element of the block to one that is ready, and answers are written W at a time. Every lane runs the
same instructions wherever it stands, so that its bits depend on neither element, block nor thread. Comments are part of a
kernel's text: an edit of a header compiles all kernels anew.
"""

from __future__ import annotations

from importlib.resources import files


def header(name: str) -> str:
    """The text of a header."""
    return files("backends.fused").joinpath("native", name).read_text()


def headers() -> list[str]:
    """The texts of all headers of a solve's kernel."""
    return [header(name) for name in ("vmath.h", "block.h", "kernel.h", "input.h", "lane_io.h", "runtime.h")]


def cuda_headers() -> list[str]:
    """The texts of all headers of a solve's kernel of CUDA C++."""
    own = ("block", "lane_math", "every_round", "lane_io", "runtime")
    return [header("input.h"), *(header(f"cuda/{name}.cuh") for name in own)]

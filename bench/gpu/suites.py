"""The rows of the benchmark on a GPU: a suite yields tasks, each of which makes the row of one runner when it is called.

Data lies on the device before the clock starts, and every call is waited for. The lane compiler's calls are whole calls of `engine.solve`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

import engine
import problems
from bench import peers
from bench.gpu import hand
from bench.gpu.place import Place, figures
from bench.test_curve_fits import Arrays, by_optimistix, decay, decays, spot, spots
from bench.test_inverse import useful
from engine import Problem, Solution
from engine.solvers import GradientDescent

Row = dict[str, Any]
Task = Callable[[], Row]

INVERSES = ((4, "float32"), (2, "float32"), (3, "float32"), (8, "float32"), (4, "float64"))
STEPS = 100
MATRICES, PEERS_MATRICES = 10_000_000, 1_000_000
DECOMPOSED = 1_000_000
LINALG = 100_000
"""Matrices for library calls, which may go through a batch one by one."""
OURS = "lanewise fused"
SPOTS, DECAYS = 4_000_000, 200_000


def timed(here: Place, runner: str, about: Row, call: Callable[[], Any]) -> tuple[Any, Row]:
    """The result of a runner's first call, and its row: the statistics of the calls after it."""
    found, first = here.first(call)
    row: Row = {"runner": runner, "first_s": first, "stats": figures(here.times(call)), **about}
    row["ns_per_matrix"] = row["stats"]["median"] / row["matrices"] * 1e9
    return found, row


def ours(here: Place, about: Row, problem: Problem, data: Any, **options: Any) -> tuple[Solution, Row]:
    """A solve by the lane compiler, and its row."""
    found, row = timed(here, OURS, about, partial(engine.solve, problem, data, backend=here.backend, **options))
    steps = float(found.steps.float().median())
    return found, row | {"kernel": found.plan.kernel, "compile_s": found.timings["compile_s"], "steps_median": steps}


def solved(here: Place, about: Row, problem: Problem, data: dict[str, Tensor], shared: str = "", **options: Any) -> Row:
    """The row of a solve at default tolerance."""
    found, row = ours(here, about, problem, data, **options)
    said = float(found.converged.float().mean())
    return row | {"converged": said, "certified": here.certified(problem, data, found.params, shared)}


def per_step(row: Row, here: Place) -> Row:
    """Rates of gradient steps on the inverse, beside the peak."""
    rate, best = useful(row["n"]) * row["steps"] / row["ns_per_matrix"], hand.peak(here, row["dtype"])
    found = {"ns_per_matrix_step": row["ns_per_matrix"] / row["steps"], "gflops": rate, "peak_gflops": best}
    return row | found | {"share_of_peak": rate / best}


def inverses(here: Place) -> Iterator[Task]:
    """Gradient descent with momentum on the inverse, a fixed number of steps from one start, as `bench/test_inverse.py` has it."""
    for n, dtype in INVERSES:
        kind = getattr(torch, dtype)
        lanes = here.lanes(MATRICES, 24 * n * n * kind.itemsize)
        noise = torch.randn(lanes, n, n, device=here.device, dtype=kind)
        A = torch.eye(n, device=here.device, dtype=kind) + 0.2 / n**0.5 * noise
        start = torch.rand(n, n, device=here.device, dtype=kind)
        about = {"group": f"inverse n={n} {dtype}", "n": n, "dtype": dtype, "steps": here.steps(STEPS)}
        yield partial(descent, here, about | {"matrices": lanes}, A, start)
        few = A[:PEERS_MATRICES]
        for name, peer in peers.PEERS.items():
            if name != "plain loop" and dtype == "float32":
                yield partial(peer_descent, here, about | {"matrices": len(few)}, few, start, name, peer)


def descent(here: Place, about: Row, A: Tensor, start: Tensor) -> Row:
    """The lane compiler's row."""
    solver, inverse = GradientDescent(peers.RATE, momentum=peers.MOMENTUM), problems.inverse()
    found, row = ours(here, about, inverse, A, solver=solver, tol=0, max_steps=about["steps"], start={"X": start})
    return per_step(row | {"certified": here.certified(inverse, {"A": A}, {"X": found["X"]})}, here)


def peer_descent(here: Place, about: Row, A: Tensor, start: Tensor, name: str, peer: peers.Peer) -> Row:
    """A peer's row."""
    X, row = timed(here, name, about, partial(peer, A, start.expand_as(A).contiguous(), about["steps"]))
    return per_step(row | {"certified": here.certified(problems.inverse(), {"A": A}, {"X": X})}, here)


def decompositions(here: Place) -> Iterator[Task]:
    """SVD and eigh of 3x3 and 4x4 matrices, default tolerance, against torch.linalg, CuPy, and 3x3 eigh by hand."""
    for name, n in (("eigh", 3), ("svd", 3), ("eigh", 4), ("svd", 4)):
        A = torch.randn(here.lanes(DECOMPOSED, 400 * n * n), n, n, device=here.device)
        A = A if name == "svd" else (A + A.mT) / 2
        about = {"group": f"{name} n={n} float32", "n": n, "dtype": "float32", "problem": name}
        yield partial(solved, here, about | {"matrices": len(A)}, getattr(problems, name)(), {"A": A})
        for runner, (peer, most) in decomposers(here, name, n).items():
            yield partial(decomposed, here, about | {"matrices": min(len(A), most)}, A[:most], runner, peer)


def decomposers(here: Place, name: str, n: int) -> dict[str, tuple[Callable[[Tensor], Any], int]]:
    """Peers of a decomposition, and the most matrices for each."""
    found: dict[str, tuple[Callable[[Tensor], Any], int]] = {"torch.linalg": (getattr(torch.linalg, name), LINALG)}
    if name == "eigh" and n == 3 and not here.tiny:
        found["by hand, CUDA C++"] = hand.eigh, DECOMPOSED
    if find_spec("cupy") and not here.tiny:
        found["CuPy"] = partial(by_cupy, name), LINALG
    return found


def by_cupy(name: str, A: Tensor) -> list[Tensor]:
    """CuPy's function of that name."""
    cupy: Any = import_module("cupy")  # optional: types must not depend on whether it is there
    return [torch.utils.dlpack.from_dlpack(array) for array in getattr(cupy.linalg, name)(cupy.from_dlpack(A))]


def decomposed(here: Place, about: Row, A: Tensor, runner: str, peer: Callable[[Tensor], Any]) -> Row:
    """A peer's row."""
    answer, row = timed(here, runner, about, partial(peer, A))
    names = {"w": answer[0], "V": answer[1]} if about["problem"] == "eigh" else dict(U=answer[0], S=answer[1], V=answer[2].mT)
    return row | {"certified": here.certified(getattr(problems, about["problem"])(), {"A": A}, names)}


def fits(here: Place) -> Iterator[Task]:
    """Gaussian spots of 5 x 5 pixels, float32, and decays in float64 with optimistix under jit of vmap beside them."""
    for model, count in ((spot, SPOTS), (decay, DECAYS)):
        lanes = here.lanes(count, 2000)
        arrays, first = spots(lanes) if model is spot else decays(32, lanes)
        data = {name: torch.from_numpy(array).to(here.device) for name, array in arrays.items()}
        start = {name: torch.as_tensor(value, dtype=data["y"].dtype, device=here.device) for name, value in first.items()}
        about = {"group": f"fit of a {model.__name__}", "dtype": str(arrays["y"].dtype), "matrices": lanes}
        yield partial(solved, here, about, problems.curve_fit(model), data, "x", start=start)
        if model is decay and find_spec("optimistix") and not here.tiny:
            yield partial(by_peer, here, about | {"matrices": min(lanes, LINALG)}, arrays, first)


def by_peer(here: Place, about: Row, arrays: Arrays, first: Arrays) -> Row:
    """optimistix' row, on the device that jax takes."""
    few = {"x": arrays["x"], "y": arrays["y"][: about["matrices"]]}
    theta, row = timed(here, "optimistix", about, partial(by_optimistix, few, first))
    answers = {name: torch.as_tensor(theta[:, k], device=here.device) for k, name in enumerate(first)}
    data = {name: torch.from_numpy(array).to(here.device) for name, array in few.items()}
    return row | {"certified": here.certified(problems.curve_fit(decay), data, answers, "x")}


SUITES: dict[str, Callable[[Place], Iterator[Task]]] = {
    "inverses": inverses,
    "decompositions": decompositions,
    "fits": fits,
}

"""Which backend a tensor on a CUDA device gets, and what the plan says where one cannot run: no GPU is needed to ask."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import backends
import engine
import problems
from backends.base import Executable, Program
from backends.errors import Unsupported
from backends.fused import BACKEND, FusedBackend
from backends.fused.build.target import ToolchainError
from backends.fused.cuda import torch_device
from backends.fused.run.lanes import Lanes
from engine import plan
from tests.cuda import shim

CUDA = torch.device("cuda", 1)
ROOT = Path(__file__).parents[1]


class Elsewhere:
    """A tensor of the host that says it is on a GPU."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor, self.device, self.shape, self.ndim = tensor, CUDA, tensor.shape, tensor.ndim
        self.asked: list[str] = []

    def resolve_neg(self) -> torch.Tensor:
        """The tensor."""
        self.asked.append("resolve_neg")
        return self.tensor

    def to(self, dtype: torch.dtype) -> torch.Tensor:
        """The tensor in another dtype."""
        self.asked.append(str(dtype))
        return self.tensor.to(dtype)


def test_auto_asks_the_same_backends_on_every_gpu_as_on_the_cpu() -> None:
    assert plan._automatic("cuda:1") == plan._automatic("cuda") == plan._automatic("cpu") == ("fused", "inductor", "torch")
    assert plan._automatic("mps:0") == ("torch",)


def test_inputs_on_a_gpu_stay_there() -> None:
    given = Elsewhere(torch.arange(6.0).reshape(3, 2))
    lanes = BACKEND.load_lanes(given, (4, 3), 1, "float32", CUDA)
    wide: Any = lanes.array
    assert isinstance(lanes, Lanes) and wide.data_ptr() == given.tensor.data_ptr(), "no copy, and no NumPy array"
    assert wide.shape == (4, 3, 2) and wide.stride(0) == 0 and lanes.axes == 2 and lanes.shape == (12, 2)
    assert BACKEND.load_shared(given, "float64", CUDA).dtype == torch.float64 and given.asked == ["resolve_neg", "torch.float64"]
    assert BACKEND.load_shared(given, None, CUDA) is given and BACKEND.load_shared(2.5, "float32", CUDA) == 2.5
    sent = BACKEND.load_shared(torch.ones(2), "float32", CUDA)
    assert isinstance(sent, np.ndarray), "an array on the host is sent along with the launch"


def prepared(device: Any, monkeypatch: pytest.MonkeyPatch, own: FusedBackend) -> engine.Solution:
    """A solve whose backend believes that its data is on a device."""
    real = own.prepare

    def prepare(program: Program, example: Any, shared: frozenset[str], on: Any = None) -> Executable:
        return real(program, example, shared, device)

    monkeypatch.setattr(
        FusedBackend, "prepare", lambda self, program, example, shared, device=None: prepare(program, example, shared)
    )
    return engine.solve(problems.inverse.__wrapped__(), np.eye(2) * np.ones((3, 1, 1)), max_steps=3)


@pytest.mark.parametrize(
    "words", ["CUDA C++ needs the package cuda-bindings", "the CUDA driver does not take code of this NVRTC"]
)
def test_a_gpu_without_its_tools_gets_the_next_backend_and_the_plan_says_why(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(index: int) -> Any:
        assert index == 1
        return SimpleNamespace(name="a GPU", compile=_raising(words))

    monkeypatch.setattr(torch_device, "cuda_device", broken)
    monkeypatch.setitem(backends.AUTO, "cpu", ("fused", "torch"))  # without the compile of Inductor, which asks nothing here
    found = prepared(CUDA, monkeypatch, FusedBackend())
    assert found.plan.backend == "torch" and found.plan.why == f"fused cannot: {words}"


def _raising(words: str) -> Any:
    def compile(source: str) -> Any:
        raise ToolchainError(words)

    return compile


def test_data_on_a_gpu_runs_on_the_device_of_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def device(index: int) -> shim.ShimDevice:
        asked.append(index)
        return shim.ShimDevice()

    monkeypatch.setattr(torch_device, "cuda_device", device)
    found = prepared(CUDA, monkeypatch, FusedBackend())
    assert asked == [1] and found.plan.backend == "fused" and "a shim of CUDA" in found.plan.kernel
    assert int(found.lane_steps) == found.steps.sum()


def test_a_solve_on_the_cpu_loads_nothing_of_cuda() -> None:
    code = """
import sys, numpy as np, engine, problems
found = engine.solve(problems.inverse(), np.eye(2) * np.ones((3, 1, 1)), backend="fused", max_steps=2)
print(found.plan.backend, [name for name in sys.modules if name.startswith(("backends.fused.cuda", "backends.fused.build.nvrtc"))])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["fused", "[]\n"]


def test_other_devices_are_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="native kernels run on the CPU and on CUDA devices, the data is on mps"):
        backends.get("fused").prepare(None, {}, frozenset(), torch.device("mps"))  # type: ignore[arg-type]

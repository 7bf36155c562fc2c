"""The launcher against a driver that is a C++ file: which calls it makes, in what order, on which stream, with which bytes.

The bindings are NVIDIA's own, so that what passes through them is proven, too; memory is the host's. No GPU is needed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends.fused.build import nvrtc
from backends.fused.build.compiler import find_compiler
from backends.fused.build.target import ToolchainError
from tests.nvrtc import needed

ROOT = Path(__file__).parents[1]
DRIVER = Path(__file__).parent / "cuda" / "driver.cpp"
SCRIPT = """
import ctypes, json, sys
from types import SimpleNamespace
import numpy as np, torch

streams = {1: 0x7777}
torch.cuda.get_device_properties = lambda index: SimpleNamespace(major=9, minor=0, multi_processor_count=132, name="Fake")
torch.cuda.current_stream = lambda device: SimpleNamespace(cuda_stream=streams[1], query=lambda: False)
torch.cuda.is_current_stream_capturing = lambda: False

from backends.errors import Unsupported
from backends.fused.build.target import ToolchainError
from backends.fused.cuda import torch_device
from backends.fused.cuda.driver import DriverError

device = torch_device.cuda_device(1)
device.device = torch.device("cpu")  # memory that this process can read
if sys.argv[1] == "old":
    try:
        device.compile(torch_device.UPLOAD)
    except (ToolchainError, DriverError) as error:
        print(json.dumps(str(error)))
else:
    module = device.compile(torch_device.UPLOAD)
    assert device.compile(torch_device.UPLOAD) is module
    blocks = [device.resident(module, "upload", 128, 50_000) for _ in range(2)]
    given = np.arange(1500, dtype=np.float32)
    first = device.upload(given)
    streams[1] = 0x8888
    parts = [np.asarray(2.5), np.array([[True, False]]), np.arange(3), np.arange(2.0)]
    packed = device.pack(parts, "float32")
    said = []
    for refused in (lambda: device.resident(module, "upload", 1024, 0), lambda: device.memory(torch.empty(2, device="meta"))):
        try:
            refused()
        except Unsupported as error:
            said.append(str(error))
    print(json.dumps([blocks, first.tolist() == given.tolist(), packed.tolist()[:1] + packed.tolist()[-2:],
                      packed.view(torch.int32)[1:6].tolist(), said, device.busy()]))
"""


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a libcuda.so.1 that notes its calls, and copies on the host what a kernel would on a device."""
    folder = tmp_path_factory.mktemp("driver")
    try:
        compiler = find_compiler()
    except ToolchainError as error:
        pytest.skip(str(error))
    command = [*compiler.command, "-shared", "-fPIC", "-std=c++17", str(DRIVER), "-o", str(folder / "libcuda.so.1"), "-ldl"]
    subprocess.run([*command, "-Wl,-soname,libcuda.so.1"], check=True)
    return folder


def run(fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> tuple[Any, list[list[str]]]:
    """The script's words, and the driver's calls."""
    from backends.fused.cuda.torch_device import UPLOAD

    tmp_path.chmod(0o700)
    monkeypatch.setenv("LANEWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(nvrtc, "_loaded", {})
    nvrtc.build(UPLOAD, (9, 0))  # here: NVRTC asks a driver that it finds for more than this one knows
    calls = tmp_path / "calls"
    own = {**os.environ, "LD_LIBRARY_PATH": str(fake), "CALLS": str(calls), "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", SCRIPT, "old" if environment else "new"]
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), [line.split() for line in calls.read_text().splitlines()]


@needed
def test_a_module_is_loaded_once_and_launched_on_the_current_stream(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (blocks, copied, floats, whole, said, busy), calls = run(fake, tmp_path, monkeypatch)
    assert calls[:7] == [
        ["cuInit"], ["cuDeviceGet", "1"], ["cuDevicePrimaryCtxRetain", "1"], ["push", "1"],
        ["cuModuleLoadData", "ELF"], ["cuModuleGetFunction", "upload"], ["pop"],
    ]  # fmt: skip
    assert sum(call[0] == "cuModuleLoadData" for call in calls) == 1
    # shared memory beyond 48 KiB is asked for, and 3 blocks a multiprocessor are those of all 132
    assert calls[7:11] == [["push", "1"], ["attribute", "8", "50000"], ["occupancy", "128", "50000"], ["pop"]]
    assert blocks == [396, 396]
    assert said == [
        "Fake, sm_90 has no room for a block of 1024 threads and 0 bytes of shared memory",
        "an array on meta among those on cpu: nothing moves silently; use .to(cpu)",
    ]
    launches = [call[1:] for call in calls if call[0] == "launch"]
    assert launches == [
        ["1", "1", "1", "128", "1", "1", "0", "7777", "3968"],
        ["1", "1", "1", "128", "1", "1", "0", "7777", "2032"],
        ["1", "1", "1", "128", "1", "1", "0", "8888", "32"],
    ], "blocks, threads, shared bytes, stream, bytes that travel as an argument"
    contexts = [call[0] for call in calls if call[0] in ("push", "pop")]
    assert contexts == ["push", "pop"] * (len(contexts) // 2), "every call leaves the thread's context as it was"
    assert copied and floats == [2.5, 0.0, 1.0] and whole == [-1, 0, 0, 1, 2] and busy is True


@needed
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("OLD", "(CUDA_ERROR_UNSUPPORTED_PTX_VERSION): update the driver, or install the nvidia-cuda-nvrtc of the CUDA version"),
        ("EMPTY", "the code of a kernel's text has no upload"),
    ],
)
def test_code_that_the_driver_does_not_take_is_an_error(
    fault: str, words: str, fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, calls = run(fake, tmp_path, monkeypatch, **{fault: "1"})
    assert words in said and calls[-1] == ["pop"]

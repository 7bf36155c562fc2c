"""The benchmark on a GPU, tried on the CPU: its rows, its table, its file, the kernel written by hand, and its words without a GPU."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

import backends
from backends.fused.build.toolchain import build, host_target
from bench import report
from bench.gpu import hand, suite, table
from bench.gpu.place import Place, figures, place
from bench.gpu.suites import SUITES, Row, inverses
from tests.cuda.shim import LAUNCH, SHIM, flags

ROOT = Path(__file__).parents[1]


@pytest.fixture
def shim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The CPU in the place of a GPU."""
    monkeypatch.setattr(backends, "NAMES", dict(backends.NAMES))
    yield place(shim=True)
    backends._LOADED.pop("shim", None)


def row(runner: str, nanoseconds: float, **own: float) -> Row:
    stats = figures([nanoseconds * 1e-9 * 50] * 3)
    base = {"suite": "gpu inverses", "group": "inverse n=4 float32", "runner": runner, "matrices": 50, "stats": stats}
    return base | {"certified": 0.5, "first_s": 1.25, "ns_per_matrix": nanoseconds} | own


def test_a_suite_writes_a_row_for_each_runner_and_goes_on_behind_one_that_fails(
    shim: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ours, *_, by_hand = islice(inverses(shim), 3)

    def failing() -> Row:
        raise RuntimeError("a peer that is not there")

    monkeypatch.setitem(SUITES, "inverses", lambda here: iter([ours, failing, by_hand]))
    assert suite.main("inverses", str(tmp_path / "rows"), "--shim") == 1
    first, second = map(json.loads, (tmp_path / "rows").read_text().splitlines())
    assert "a peer that is not there" in capfd.readouterr().err
    assert (first["runner"], second["runner"]) == ("lanewise fused", "baddbmm by hand")
    assert "a shim of CUDA" in first["kernel"] and first["steps"] == first["steps_median"] == 3
    for found in (first, second):
        assert found["stats"]["rounds"] >= 3 and 0 < found["stats"]["min"] <= found["stats"]["median"] <= found["stats"]["max"]
        assert found["ns_per_matrix"] == pytest.approx(1e9 * found["stats"]["median"] / 48)
        assert found["gflops"] == pytest.approx((4 * 4**3 + 6 * 4**2) / found["ns_per_matrix_step"])


def test_what_is_certified_are_the_answers_themselves(shim: Place) -> None:
    import problems

    A = torch.eye(2).repeat(4, 1, 1) * torch.tensor([1.0, 2.0, 4.0, 8.0])[:, None, None]
    X = A.inverse()
    X[1] += 0.5
    assert shim.certified(problems.inverse(), {"A": A}, {"X": X}) == 0.75


def test_the_table_compares_with_ours_and_the_file_is_one_that_reports_read(tmp_path: Path) -> None:
    rows = [row("lanewise fused", 2.0, share_of_peak=0.5), row("torch.compile", 30.0)]
    ours, theirs, note = table.table(rows).splitlines()[1:]
    assert ours.split()[-7:] == ["50", "2", "1", "50%", "50.00%", "1.2", "s"]
    assert theirs.split()[-6:] == ["50", "30", "15", "50.00%", "1.2", "s"] and "matrix and step" in note
    stored = json.loads(json.dumps(table.benchmark(rows, table.machine("cpu"))))
    slim = report.slim(stored)
    assert [r["runner"] for r in slim["rows"]] == ["lanewise fused", "torch.compile"]
    assert stored["benchmarks"][1]["stats"]["median"] == pytest.approx(1.5e-6) and slim["machine"]["torch"] == torch.__version__


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_the_command_says_so_in_one_line() -> None:
    done = subprocess.run([sys.executable, "-m", "bench.gpu"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("no GPU: ") and len(done.stderr.splitlines()) == 1


def test_eigh_by_hand_is_right() -> None:
    """Against LAPACK: also of diagonal matrices, equal eigenvalues, zeros, and sizes far from 1."""
    head = "typedef float T;\nstatic inline float rsqrtf(float x) { return 1 / sqrtf(x); }\n#define LW_SHARED_BYTES 4\n"
    call = 'extern "C" int run(const Task *task, long blocks) { return launched(eigh, task, blocks, 256, 0); }\n'
    target = host_target()
    source = SHIM + head + hand.EIGH.replace("__launch_bounds__(256)", "") + LAUNCH + call
    library = build(source, type(target)(target.name, target.vector_bytes, flags(target)))
    rng = np.random.default_rng(0)
    A = rng.standard_normal((300, 3, 3)).astype("float32")
    A = A + A.swapaxes(-1, -2)
    A[1], A[2], A[3] = 0, np.eye(3), np.diag([3, -1, 2])
    A[4], A[5] = 2 + np.zeros((3, 3)), [[1, 1e-20, 0], [1e-20, 1, 0], [0, 0, 1]]
    A[6:50] *= 1e12
    A[50:100] *= 1e-12
    w, V = np.empty((300, 3), "float32"), np.empty((300, 3, 3), "float32")
    task = hand.EighTask(A.ctypes.data, w.ctypes.data, V.ctypes.data, 300)
    library.handle.run(ctypes.byref(task), ctypes.c_long(2))
    size = np.abs(A).max((1, 2))[:, None] + 1e-30
    assert (np.abs(w - np.linalg.eigvalsh(A.astype("float64"))) <= 3e-6 * size).all()
    assert (np.abs((V * w[:, None]) @ V.swapaxes(-1, -2) - A) <= 5e-6 * size[..., None]).all()
    assert (np.abs(V.swapaxes(-1, -2) @ V - np.eye(3)) <= 3e-6).all()

"""CUDA C++ to machine code: what is compiled, what it uses, what is kept, what is said where it cannot be."""

from __future__ import annotations

import importlib
import uuid
from pathlib import Path
from typing import Any

import pytest

from backends.fused.build import cache, nvrtc
from backends.fused.build.nvrtc import Usage, architecture, build, compiled
from backends.fused.build.target import ToolchainError
from tests.nvrtc import needed

SOURCE = """
extern "C" __global__ void plain(float *to, const float *from) { to[threadIdx.x] = sqrtf(from[0] / from[1] + 2.0f * from[2]); }
extern "C" __global__ void __launch_bounds__(1024) crowded(double *to, const double *from, int count) {
  __shared__ double all[32];
  double x[64];
  for (int k = 0; k < 64; k++) x[k] = from[k * 1024 + threadIdx.x];
  for (int i = 0; i < count; i++) {
#pragma unroll
    for (int k = 0; k < 64; k++) x[k] = x[k] * x[(k * 7 + 3) % 64] + 1.0;
  }
  all[threadIdx.x % 32] = x[5];
  __syncthreads();
  for (int k = 0; k < 64; k++) to[k * 1024 + threadIdx.x] = x[k] + all[k % 32];
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A disk cache of its own, and a memory that forgets."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("LANEWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(nvrtc, "_loaded", {})
    return tmp_path / "cache"


@needed
@pytest.mark.parametrize("capability", [(8, 0), (9, 0)])
def test_code_is_made_for_the_device_and_its_resources_are_reported(capability: tuple[int, int], folder: Path) -> None:
    module = build(SOURCE, capability).module
    (code,) = module.codes
    assert code.startswith(b"\x7fELF") and module.arch == "sm_{}{}".format(*capability)
    plain, crowded = module.usage["plain"], module.usage["crowded"]
    assert 0 < plain.registers < 64 and plain == Usage(plain.registers, 0, 0, 0, 0)
    assert crowded.shared == 256 and crowded.registers <= 64
    assert crowded.spill_stores and crowded.spill_loads and crowded.stack  # 64 doubles in 64 registers of half their size


@needed
def test_arithmetic_is_fused_and_exact() -> None:
    ptx = compiled(SOURCE, "compute_80").codes[0].decode()
    assert "fma.rn.f32" in ptx and "fma.rn.f64" in ptx and "div.rn.f32" in ptx and "sqrt.rn.f32" in ptx
    assert ".ftz" not in ptx and ".approx" not in ptx


@needed
def test_a_text_is_compiled_once_a_device_and_found_in_memory_and_on_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"{SOURCE}// {uuid.uuid4()}"
    first = build(source, (9, 0))
    assert first.origin == "compiled" and first.seconds > 0 and not first.note
    again = build(source, (9, 0))
    assert again.origin == "memory" and again.module is first.module
    monkeypatch.setattr(nvrtc, "_loaded", {})
    kept = build(source, (9, 0))
    assert kept.origin == "disk" and (kept.module.codes, kept.module.usage) == (first.module.codes, first.module.usage)
    assert build(source, (8, 0)).origin == "compiled"


SEVERAL = """
#ifndef LW_KERNELS
#define LW_KERNELS 3
#endif
#if LW_KERNELS & 1
extern "C" __global__ void first(float *to) { to[0] = 1; }
#endif
#if LW_KERNELS & 2
extern "C" __global__ void second(float *to) { __shared__ float all[5]; all[threadIdx.x] = to[1]; to[0] = all[3]; }
#endif
"""


@needed
@pytest.mark.parametrize(("cores", "pieces"), [(1, 1), (2, 2)])
def test_kernels_are_compiled_side_by_side_where_there_are_processors(
    cores: int, pieces: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvrtc, "processors", lambda: cores)
    made = build(SEVERAL, (9, 0)).module
    monkeypatch.setattr(nvrtc, "_loaded", {})
    for module in (made, build(SEVERAL, (9, 0)).module):
        assert len(module.codes) == pieces and all(code.startswith(b"\x7fELF") for code in module.codes)
        assert module.usage.keys() == {"first", "second"} and module.usage["second"].shared == 20
    assert sum(b"first" in code for code in made.codes) == 1


@needed
def test_an_entry_that_was_cut_short_is_compiled_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(SOURCE, (9, 0))
    (path,) = folder.glob("*.cubin")
    path.write_bytes(path.read_bytes()[:-1])
    monkeypatch.setattr(nvrtc, "_loaded", {})
    assert build(SOURCE, (9, 0)).origin == "compiled"


@needed
def test_a_cache_that_cannot_be_used_costs_the_compile_and_is_noted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_text("a file where the folder should be")
    built = build(SOURCE, (9, 0))
    assert built.origin == "compiled" and "is not a directory" in built.note


def test_the_cache_drops_modules_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT", 100)
    cache.store(cache.directory(), "a" * 64, b"0" * 90, nvrtc.SUFFIX)
    cache.store(cache.directory(), "b" * 64, b"0" * 90, nvrtc.SUFFIX)
    assert [path.stem for path in folder.glob("*.cubin")] == ["b" * 64]


@needed
def test_the_compilers_own_words_are_shown(folder: Path) -> None:
    with pytest.raises(ToolchainError, match=r"NVRTC failed on a kernel for sm_90 .*(.|\n)*identifier \"foo\" is undefined"):
        build('extern "C" __global__ void wrong(float *to) { to[0] = foo; }', (9, 0))
    assert not list(folder.glob("*.cubin"))


@needed
def test_a_compile_that_takes_too_long_is_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "TIMEOUT", 0.0)
    with pytest.raises(ToolchainError, match=r"took over 0 s on a kernel of .* characters and was stopped"):
        build(SOURCE, (9, 0))


@needed
def test_an_nvrtc_that_cannot_be_stopped_compiles(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = nvrtc.bindings()

    class Older:
        """Bindings of a version without the callback."""

        def __getattr__(self, name: str) -> Any:
            if name == "nvrtcSetFlowCallback":
                raise AttributeError(name)
            return getattr(real, name)

    monkeypatch.setattr(nvrtc, "bindings", Older)
    assert build(SOURCE, (9, 0)).origin == "compiled"


@needed
def test_a_younger_device_gets_ptx_and_one_that_is_too_old_a_remedy() -> None:
    assert architecture((8, 0)) == "sm_80" and architecture((9, 0)) == "sm_90"
    assert architecture((9, 9)) == "sm_90", "machine code runs on all devices of its generation that are not older"
    assert architecture((99, 0)).startswith("compute_")
    module = compiled(SOURCE, architecture((99, 0)))
    assert b".visible .entry plain" in module.codes[0] and module.usage == {}
    with pytest.raises(ToolchainError, match=r"compiles for sm_\d+ and newer, the device is sm_30: install an older one"):
        architecture((3, 0))


@pytest.mark.parametrize("name", ["cuda.bindings.nvrtc", "nvrtcVersion"])
def test_a_missing_package_is_an_error_with_its_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        """Bindings whose library is not there."""

        def nvrtcVersion(self) -> None:
            raise RuntimeError("libnvrtc.so.13: no such file")

    def refuse(module: str) -> Any:
        if name == module:
            raise ModuleNotFoundError("No module named 'cuda'")
        return Broken()

    monkeypatch.setattr(importlib, "import_module", refuse)
    nvrtc.bindings.cache_clear()
    try:
        with pytest.raises(
            ToolchainError, match=r"(No module named 'cuda'|no such file).*pip install cuda-bindings nvidia-cuda-nvrtc"
        ):
            nvrtc.bindings()
    finally:
        nvrtc.bindings.cache_clear()

"""The tool chain under faults: never a crash, a reason that helps."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path

import pytest

from backends.fused.build import cache, compiler, target, toolchain
from backends.fused.build.toolchain import Library, ToolchainError, build, host_target
from tests.toolchain import entry, forget, own_cache, right, script, unique


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_cache(tmp_path, monkeypatch)


def test_a_library_is_compiled_once_then_comes_from_memory_and_in_a_new_process_from_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = unique()
    right(build(source, host_target()), "compiled")
    right(build(source, host_target()), "memory")
    forget(monkeypatch)
    right(build(source, host_target()), "disk")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry(folder).stat().st_mode) == 0o600


def test_another_source_flag_instruction_set_or_compiler_is_another_entry(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, host = unique(), host_target()
    real = shutil.which(os.environ.get("CXX", "g++"))
    monkeypatch.setenv("CXX", str(script(folder.parent / "cxx", f'exec {real} "$@"')))
    build(source, host)
    build(source.replace("42", "43"), host)
    build(source, target.Target(host.name, host.vector_bytes, (*host.flags, "-DX")))
    build(source, target.Target("other", host.vector_bytes, host.flags))
    script(folder.parent / "cxx", f'true; exec {real} "$@"')
    right(build(source, host), "compiled")
    assert len(list(folder.glob("*.so"))) == 5


def test_without_a_compiler_the_reason_names_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=r"no C\+\+ compiler was found on PATH; install g\+\+"):
        build(unique(), host_target())
    monkeypatch.setenv("CXX", "no-such-compiler -O1")
    with pytest.raises(ToolchainError, match="CXX='no-such-compiler -O1' names no program"):
        build(unique(), host_target())
    monkeypatch.setenv("CXX", "g++ 'unbalanced")
    with pytest.raises(ToolchainError, match="cannot be read as a command"):
        build(unique(), host_target())


def test_what_a_failing_compiler_says_is_in_the_reason_and_nothing_is_kept(folder: Path) -> None:
    with pytest.raises(ToolchainError, match=r"failed with status 1[\s\S]*error: .*nonsense"):
        build("nonsense", host_target())
    assert not list(folder.iterdir())


def test_a_program_that_is_no_compiler_gives_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", str(script(tmp_path / "cxx", "exit 3")))
    with pytest.raises(ToolchainError, match="--version failed with status 3"):
        build(unique(), host_target())
    (tmp_path / "cxx").write_text("not a program")
    with pytest.raises(ToolchainError, match="cannot be started"):
        build(unique(), host_target())


def test_a_killed_compile_leaves_nothing_that_is_later_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = unique()
    # Half a library is written when the compiler is killed.
    body = 'case "$1" in --version) echo 1;; *) for o; do :; done; head -c 5000 /bin/sh > "$o"; kill -9 $$;; esac'
    monkeypatch.setenv("CXX", str(script(folder.parent / "cxx", body)))
    with pytest.raises(ToolchainError, match="was killed by signal 9"):
        build(source, host_target())
    assert not list(folder.iterdir())


def test_a_killed_process_leaves_nothing_that_is_later_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = unique()
    kill = "import os; from backends.fused.build import cache, toolchain; os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
    code = kill + f"toolchain.build({source!r}, toolchain.host_target())"
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    (left,) = folder.iterdir()
    assert left.name.startswith("new-")
    right(build(source, host_target()), "compiled")
    assert left.exists()  # it may be another process's, at work
    os.utime(left, (0, 0))
    build(unique(), host_target())
    assert not left.exists()


def test_a_compile_that_takes_too_long_is_stopped_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    body = f'case "$1" in --version) echo 1;; *) sleep 60 & echo $! > {pid}; wait;; esac'
    monkeypatch.setenv("CXX", str(script(tmp_path / "cxx", body)))
    monkeypatch.setattr(compiler, "TIMEOUT", 0.5)
    with pytest.raises(ToolchainError, match=r"took over 0\.5 s and was stopped"):
        build(unique(), host_target())
    deadline = time.monotonic() + 5
    while running(int(pid.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not running(int(pid.read_text()))


def running(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_without_room_for_temporary_files_the_reason_names_a_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder.parent / "gone"))
    with pytest.raises(ToolchainError, match="set TMPDIR"):
        build(unique(), host_target())


def test_two_processes_at_once_are_both_right(folder: Path) -> None:
    source = unique(1234)
    code = f"from backends.fused.build.toolchain import *; print(build({source!r}, host_target()).handle.answer())"
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == [b"1234\n"] * 2
    assert [process.returncode for process in both] == [0, 0]
    assert [path.name for path in folder.iterdir()] == [entry(folder).name]


def test_threads_that_want_one_kernel_compile_it_once() -> None:
    source, got = unique(), list[Library]()
    threads = [threading.Thread(target=lambda: got.append(build(source, host_target()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(library.origin for library in got) == ["compiled", "memory", "memory", "memory"]


def test_an_instruction_set_can_be_restricted_but_not_invented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANEWISE_ISA", "plain")
    assert (host_target().name, host_target().vector_bytes) == ("plain", 16)
    monkeypatch.setenv("LANEWISE_ISA", "mmx")
    with pytest.raises(
        ToolchainError, match="'mmx' is not an instruction set that lanewise knows; unset it, or set it to one of"
    ):
        host_target()
    monkeypatch.setenv("LANEWISE_ISA", "neon" if platform.machine() == "x86_64" else "avx2")
    with pytest.raises(ToolchainError, match="does not run on this processor"):
        host_target()


def test_the_widest_instruction_set_that_a_processor_has_whole_is_taken() -> None:
    assert target.supported("x86_64", target.V4) == ("avx512", "avx2", "plain")
    assert target.supported("x86_64", target.V4 - {"avx512dq"}) == ("avx2", "plain")
    assert target.supported("x86_64", target.V3 - {"fma"}) == ("plain",)
    assert target.supported("aarch64", frozenset()) == ("neon", "plain")
    assert target.supported("riscv64", frozenset()) == ("plain",)


def test_a_restricted_target_compiles_without_the_wider_instructions() -> None:
    macros = {"avx512": "__AVX512F__", "avx2": "__AVX2__"}
    for name in target.host_names():
        isa = target.target(name, platform.machine())
        wider = [macros[n] for n in macros if target.WIDTH[n] > isa.vector_bytes]
        test = "".join(f"#ifdef {macro}\n#error wider\n#endif\n" for macro in wider)
        build(test + unique(), isa)


def test_a_library_without_its_entry_point_is_an_error_with_a_remedy_and_is_kept_nowhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, real = unique(), shutil.which(os.environ.get("CXX", "g++"))
    body = (
        f'case "$1" in --version) echo 1;; *) for o; do :; done; echo "int other;" | {real} -shared -fPIC -x c++ - -o "$o";; esac'
    )
    monkeypatch.setenv("CXX", str(script(folder.parent / "cxx", body)))
    for _ in range(2):
        with pytest.raises(ToolchainError, match=r"cxx made a library without the functions answer; install g\+\+"):
            build(source, host_target())
        assert not list(folder.iterdir()) and not toolchain._loaded
    monkeypatch.setenv("LANEWISE_CACHE", str(folder.parent / "cxx"))
    with pytest.raises(ToolchainError, match="without the functions answer"):
        build(source, host_target())


def test_an_entry_of_the_cache_without_its_entry_point_is_compiled_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, other = unique(), unique(7).replace("answer", "other")
    for text, name in ((source, "first"), (other, "second")):
        monkeypatch.setenv("LANEWISE_CACHE", str(folder.with_name(name)))
        build(text, host_target())
    forget(monkeypatch)
    monkeypatch.setenv("LANEWISE_CACHE", str(folder))
    folder.mkdir(mode=0o700)
    key = entry(folder.with_name("first")).stem
    path = folder / f"{key}.so"
    path.write_bytes(cache.seal(key, entry(folder.with_name("second")).read_bytes()[:-32]))
    path.chmod(0o600)
    right(build(source, host_target()), "compiled")
    forget(monkeypatch)
    right(build(source, host_target()), "disk")


def mapped(path: Path) -> bool:
    """Whether a file is part of this process's memory."""
    return str(path) in Path("/proc/self/maps").read_text()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc/self/maps on this system")
def test_a_library_is_closed_when_its_last_user_is_gone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_loaded", weakref.WeakValueDictionary())
    source = unique()
    library = build(source, host_target())
    path = entry(folder)
    again = build(source, host_target())
    assert again.origin == "memory" and again.handle is library.handle and mapped(path)
    del library
    function = again.handle.answer
    del again
    assert mapped(path) and function() == 42
    del function
    assert not mapped(path) and not toolchain._loaded
    right(build(source, host_target()), "disk")
    assert not mapped(path)

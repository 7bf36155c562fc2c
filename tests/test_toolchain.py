"""What the tool chain promises under faults: never a crash, never foreign or broken code loaded, a reason that helps."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.fused.build import cache, compiler, parts, target, toolchain, workplace
from backends.fused.build.toolchain import Library, ToolchainError, build, host_target

SOURCE = 'extern "C" long answer() {{ return {0}; }}\n// {1}\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache directory, and a memory that forgets."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("LANEWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LANEWISE_ISA", raising=False)
    forget(monkeypatch)
    return tmp_path / "cache"


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process."""
    monkeypatch.setattr(toolchain, "_loaded", {})


def unique(value: int = 42) -> str:
    """A source that was never compiled before."""
    return SOURCE.format(value, uuid.uuid4())


def entry(folder: Path) -> Path:
    (path,) = folder.glob("*.so")
    return path


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return path


def right(library: Library, origin: str, value: int = 42) -> None:
    assert library.handle.answer() == value
    assert library.origin == origin


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


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def foreign(path: Path) -> None:
    path.write_bytes(Path(sys.executable).read_bytes())


def of_another_key(path: Path) -> None:
    path.write_bytes(cache.seal("0" * 64, path.read_bytes()[:-32]))


def of_another_processor(path: Path) -> None:
    """Sealed as its own, but an ELF file for a machine that this is not: only loading it tells."""
    data = bytearray(path.read_bytes()[:-32])
    data[18:20] = (0xF3 if data[18] != 0xF3 else 0x3E, 0)
    path.write_bytes(cache.seal(path.stem, bytes(data)))


def writable_by_others(path: Path) -> None:
    path.chmod(0o666)


def a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


FAULTS = (
    truncated,
    emptied,
    changed,
    foreign,
    of_another_key,
    of_another_processor,
    writable_by_others,
    a_link,
    a_pipe,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_an_entry_that_is_broken_or_not_private_is_compiled_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Path], None]
) -> None:
    source = unique()
    first = folder.with_name("first")
    monkeypatch.setenv("LANEWISE_CACHE", str(first))
    build(source, host_target())
    forget(monkeypatch)
    monkeypatch.setenv("LANEWISE_CACHE", str(folder))
    # A loader knows a file that it has loaded by its path and its inode: as for a new process, both are new.
    folder.mkdir(mode=0o700)
    path = folder / entry(first).name
    path.write_bytes(entry(first).read_bytes())
    path.chmod(0o600)
    fault(path)
    right(build(source, host_target()), "compiled")
    forget(monkeypatch)
    right(build(source, host_target()), "disk")


def test_an_entry_or_directory_of_another_user_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = unique()
    build(source, host_target())
    forget(monkeypatch)
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    assert cache.lookup(folder, entry(folder).stem) is None
    library = build(source, host_target())
    right(library, "compiled")
    assert "belongs to another user; set LANEWISE_CACHE" in library.note


@pytest.mark.parametrize("which", ["directory", "parent"])
def test_a_directory_that_others_may_write_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    source = unique()
    right(build(source, host_target()), "compiled")
    for mode in (0o770, 0o707):
        forget(monkeypatch)
        (folder if which == "directory" else folder.parent).chmod(mode)
        library = build(source, host_target())
        right(library, "compiled")
        assert "others may write" in library.note and "chmod go-w" in library.note
    folder.parent.chmod(0o1777 if which == "parent" else 0o700)
    folder.chmod(0o700)
    forget(monkeypatch)
    right(build(source, host_target()), "disk")


def test_a_link_to_a_directory_is_judged_by_where_it_leads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_to_all = folder.parent / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    folder.symlink_to(open_to_all)
    assert "others may write" in build(unique(), host_target()).note
    assert not list(open_to_all.iterdir())
    # Private, but others may exchange it.
    folder.unlink()
    (open_to_all / "private").mkdir(mode=0o700)
    folder.symlink_to(open_to_all / "private")
    assert "others may write" in build(unique(), host_target()).note
    assert not list((open_to_all / "private").iterdir())


@pytest.mark.parametrize("there", [False, True])
def test_a_read_only_cache_costs_only_the_cache(folder: Path, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    """Root writes where permissions forbid it, so the system calls refuse, as on a file system mounted read-only."""
    if there:
        folder.mkdir(mode=0o700)
    mkdir, mkstemp = os.mkdir, tempfile.mkstemp

    def refuse_mkdir(path: str, mode: int = 0o777) -> None:
        if str(path).startswith(str(folder)):
            raise OSError(30, "Read-only file system", str(path))
        mkdir(path, mode)

    def refuse_mkstemp(prefix: str, dir: Path) -> tuple[int, str]:
        if str(dir).startswith(str(folder)):
            raise OSError(30, "Read-only file system", str(dir))
        return mkstemp(prefix=prefix, dir=str(dir))

    monkeypatch.setattr(os, "mkdir", refuse_mkdir)
    monkeypatch.setattr(tempfile, "mkstemp", refuse_mkstemp)
    library = build(unique(), host_target())
    right(library, "compiled")
    assert "Read-only file system" in library.note


def test_a_full_disk_costs_only_the_cache_and_leaves_no_part_of_an_entry(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    source = unique()
    monkeypatch.setattr(cache, "seal", full)
    library = build(source, host_target())
    right(library, "compiled")
    assert "No space left on device" in library.note
    assert not list(folder.iterdir())


def test_a_cache_directory_that_vanished_or_is_a_file_costs_only_the_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = unique()
    build(source, host_target())
    forget(monkeypatch)
    shutil.rmtree(folder)
    right(build(source, host_target()), "compiled")
    forget(monkeypatch)
    shutil.rmtree(folder)
    folder.write_text("a file")
    library = build(source, host_target())
    right(library, "compiled")
    assert "is not a directory" in library.note


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


def test_the_cache_is_bounded_and_drops_what_was_used_longest_ago(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, used, new = (unique(i) for i in range(3))
    build(old, host_target())
    size = entry(folder).stat().st_size
    build(used, host_target())
    for age, path in enumerate(sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)):
        os.utime(path, (time.time() - 100 - 100 * age,) * 2)
    forget(monkeypatch)
    right(build(old, host_target()), "disk", 0)  # now `used` is the one used longest ago
    monkeypatch.setattr(cache, "LIMIT", int(2.5 * size))
    build(new, host_target())
    forget(monkeypatch)
    origins = [build(source, host_target()).origin for source in (old, new)]
    assert origins == ["disk", "disk"]
    right(build(used, host_target()), "compiled", 1)


@pytest.mark.parametrize("value", ["", "relative"])
def test_without_a_named_directory_the_cache_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.delenv("LANEWISE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache.directory() == tmp_path / ".cache" / "lanewise"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.directory() == tmp_path / "xdg" / "lanewise"


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


KILLED = """
import os, sys, time
from pathlib import Path
from typing import Any
from backends.fused.build.workplace import workplace
with workplace() as place:
    (place / "kernel.cpp").write_text("half")
    (place / "ccAbC123.s").write_text("of the compiler")
    print(place, flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), 9)
"""


def test_directories_of_killed_processes_are_removed_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    foreign = [tmp_path / "lanewise-kernel-results1", tmp_path / "lanewise-kernel-results_", tmp_path / "lanewise-kernel-"]
    for place in foreign:
        place.mkdir(0o700)
        (place / "results.npz").write_text("the user's")
    open_to_all = tmp_path / "lanewise-kernel-abcdefgh"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )  # fmt: skip
    assert process.stdout is not None and process.stdin is not None
    place = Path(process.stdout.readline().strip())
    with workplace.workplace() as own:
        assert place.is_dir() and own.is_dir()  # its owner is at work
        process.communicate("die\n")
        assert process.returncode == -9 and place.is_dir()
        with workplace.workplace():
            assert not place.exists() and own.is_dir()
    assert sorted(tmp_path.iterdir()) == sorted([*foreign, open_to_all])


def test_a_directory_that_another_process_takes_away_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made, mkdtemp = list[str](), tempfile.mkdtemp

    def taken(prefix: str) -> str:
        made.append(mkdtemp(prefix=prefix))
        if len(made) < 3:
            shutil.rmtree(made[-1])
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", taken)
    with workplace.workplace() as place:
        assert str(place) == made[2] and place.is_dir()
    assert not list(tmp_path.iterdir())


def test_a_compiler_that_is_stopped_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    body = 'case "$1" in --version) echo 1;; *) echo half > "$TMPDIR/ccAbc.s"; sleep 60;; esac'
    monkeypatch.setenv("CXX", str(script(tmp_path / "cxx", body)))
    monkeypatch.setattr(compiler, "TIMEOUT", 0.3)
    with pytest.raises(ToolchainError, match="was stopped"):
        build(unique(), host_target())
    assert not list((tmp_path / "tmp").iterdir())


PARTED = """
#ifdef LW_PARTS
#define OWN __attribute__((visibility("hidden")))
#else
#define LW_PARTS ~0ul
#define OWN static
#endif
#define LW_IN(MASK) ((LW_PARTS) & (MASK))
OWN long half();
#if LW_IN(1)  // part 0: 90000
extern "C" long answer() {{ return 2 * half(); }}
#endif
#if LW_IN(2)  // part 1: {weight}
OWN long half() {{ return 21; }}
#endif
// {unique}
"""


def watched(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that are started from here on."""
    commands: list[list[str]] = []
    start = compiler.started

    def seen(command: list[str], *rest: Any) -> subprocess.Popen[bytes]:
        commands.append(command)
        return start(command, *rest)

    monkeypatch.setattr(compiler, "started", seen)
    return commands


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_parts_compile_side_by_side_and_make_one_library(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = watched(monkeypatch)
    monkeypatch.setattr(parts, "processors", lambda: cores)
    right(build(PARTED.format(weight=50000, unique=uuid.uuid4()), host_target()), "compiled")
    assert sum("-c" in command for command in commands) == (0 if cores == 1 else 2)
    assert sum("-shared" in command for command in commands) == 1


def test_the_longest_part_is_compiled_first_and_little_text_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "processors", lambda: 2)
    source = "".join(
        f"#if LW_IN({1 << k})  // part {k}: {load}\n#if {k}\n#endif\n#endif\n" for k, load in enumerate((5, 90000, 9))
    )
    assert parts.units("head\n" + source) == [f"head\n#if {k}\n#endif\n" for k in (1, 2, 0)]
    assert parts.units(source.replace("90000", "9000")) == []
    monkeypatch.setattr(parts, "processors", lambda: 1)
    assert parts.units(source) == []


def test_a_part_that_was_begun_or_is_on_disk_is_not_compiled_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "processors", lambda: 2)
    commands = watched(monkeypatch)
    source, target = PARTED.format(weight=50000, unique=uuid.uuid4()), host_target()
    with parts.Parts(target) as begun:
        begun.begin(parts.unit(source, 2))
        right(build(source, target, begun), "compiled")
        assert sum("-c" in command for command in commands) == 2
    right(build(source.replace("2 * half()", "half() + 21"), target), "compiled")
    assert sum("-c" in command for command in commands) == 3


def test_a_part_that_nobody_waits_for_is_stopped_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(parts, "processors", lambda: 2)
    body = 'case "$1" in --version) echo 1;; *) echo half > "$TMPDIR/ccAbc.s"; sleep 60;; esac'
    monkeypatch.setenv("CXX", str(script(tmp_path / "cxx", body)))
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), parts.Parts(host_target()) as made:
        made.begin("int unused;\n")
        (job,) = made.jobs.values()
        raise KeyboardInterrupt
    assert job.process.returncode == -signal.SIGKILL and time.monotonic() - begun < 30
    assert not list((tmp_path / "tmp").iterdir())


def test_a_mistake_in_a_part_is_told() -> None:
    with pytest.raises(ToolchainError, match="nowhere"):
        build(PARTED.format(weight=50000, unique=uuid.uuid4()).replace("return 21", "return nowhere"), host_target())

"""The disk cache under faults: broken, foreign or unsafe entries are never loaded, and cost only the cache."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.fused.build import cache
from backends.fused.build.toolchain import build, host_target
from tests.toolchain import entry, forget, own_cache, right, unique


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_cache(tmp_path, monkeypatch)


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

"""The command line as a process: good files, bad ones, an interrupt, a terminal and a pipe."""

from __future__ import annotations

import io
import os
import pty
import signal
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import engine
import problems
from backends.reading import FileError, read
from engine.cli import main

COMMAND = [sys.executable, "-m", "engine"]
GOOD = np.eye(3) + 0.1 * np.arange(18).reshape(2, 3, 3) / 10


def saved(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    """The bytes of an npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


def header(text: str, length: int | None = None, version: bytes = b"\x02\x00") -> bytes:
    """An npy file of a header alone, which may lie about its length."""
    size = len(text) if length is None else length
    return b"\x93NUMPY" + version + struct.pack("<I", size) + text.encode()


def zipped(members: dict[str, bytes], **options: int) -> bytes:
    """A zip file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:  # type: ignore[call-overload]
        for name, value in members.items():
            archive.writestr(name, value)
    return stream.getvalue()


def bomb() -> bytes:
    """Two megabytes that say they inflate to two gigabytes, and do."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A.npy", b"\0" * (1 << 20))
    data = bytearray(stream.getvalue())
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", (1 << 31) - 1)
    return bytes(data)


def flipped() -> bytes:
    """An npz file with one byte of its data changed, so that its checksum is wrong."""
    data = bytearray(zipped({"A.npy": saved(GOOD)}))
    data[200] ^= 1
    return bytes(data)


NUMBERS = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s)}"

BAD: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "is empty"),
    "text": (b"1,0\n0,1\n", "neither npy nor npz"),
    "half a magic": (b"\x93NUM", "neither npy nor npz"),
    "a magic alone": (b"\x93NUMPY", "damaged header"),
    "a pickle": (b"\x80\x04\x95.", "neither npy nor npz"),
    "objects": (saved(np.array([print, 1], dtype=object), allow_pickle=True), "pickled"),
    "truncated data": (saved(GOOD)[:-8], "truncated"),
    "a truncated header": (saved(GOOD)[:40], "damaged header"),
    "two arrays in one file": (saved(GOOD) * 2, "more than one array"),
    "a header of gigabytes": (header("", 1 << 31), "has a header of 2,147,483,648 bytes"),
    "a shape beyond memory": (header(NUMBERS % "10**9, 10**9"), "damaged header"),
    "data beyond memory": (header(NUMBERS % "1000000000, 1000000000"), "truncated"),
    "a negative axis": (header(NUMBERS % "-1, -1"), "axes of 0 or more"),
    "code in a header": (header("{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': ()}"), "damaged header"),
    "a deeply nested header": (header("(" * 5000), "damaged header"),
    "an unknown version": (header(NUMBERS % "1,", version=b"\x09\x00"), "damaged header"),
    "strings": (saved(np.array([["a", "b"], ["c", "d"]])), "dtype str32"),
    "complex numbers": (saved(GOOD + 1j), "complex128"),
    "half precision": (saved(GOOD.astype(np.float16)), "float16"),
    "dates": (saved(np.zeros((2, 2), "M8[s]")), "expected numbers"),
    "a structured dtype": (saved(np.zeros(3, "f8,i4")), "expected numbers"),
    "no square": (saved(np.ones((2, 3, 4))), "square"),
    "too few axes": (saved(np.ones(3)), "2 axes"),
    "a truncated archive": (zipped({"A.npy": saved(GOOD)})[:-30], "damaged or foreign archive"),
    "a wrong checksum": (flipped(), "damaged or foreign archive"),
    "an archive of text": (zipped({"A.txt": b"1"}), "expected an npz file"),
    "an empty archive": (zipped({}), "expected one"),
    "foreign names": (zipped({"B.npy": saved(GOOD), "C.npy": saved(GOOD)}), "no datum 'B'"),
    "a wrong name that steers a terminal": (zipped({"\x1b[2J.npy": saved(GOOD), "C.npy": saved(GOOD)}), "no datum"),
    "an array too many": (zipped({"arr_0.npy": saved(GOOD), "arr_1.npy": saved(GOOD)}), "one array too many"),
    "an archive that inflates": (bomb(), "would inflate"),
    "an archive that lies about a member": (zipped({"A.npy": header(NUMBERS % "9999,")}), "truncated"),
}


@pytest.fixture
def good(tmp_path: Path) -> str:
    np.save(tmp_path / "A.npy", GOOD)
    return str(tmp_path / "A.npy")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def one_line(text: str) -> bool:
    return text.startswith("lanewise: ") and text.count("\n") == 1 and text[:-1].isprintable()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_line_and_code_2_and_leaves_no_output(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words = BAD[name]
    (tmp_path / "bad").write_bytes(content)
    assert main(["solve", "inverse", str(tmp_path / "bad"), "-o", str(tmp_path / "out.npz")]) == 2
    out, err = capsys.readouterr()
    assert one_line(err) and words in err and not out
    assert [p.name for p in tmp_path.iterdir()] == ["bad"]


def test_the_name_of_a_file_does_not_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "\x1b[2J\n.npy").write_bytes(b"")
    assert main(["solve", "inverse", str(tmp_path / "\x1b[2J\n.npy"), "-o", str(tmp_path / "out.npz")]) == 2
    assert one_line(capsys.readouterr().err)


USAGE: dict[str, tuple[list[str], str]] = {
    "an unknown problem": (["solve", "inverted", "A", "-o", "O"], "there is no 'inverted'"),
    "code as a problem": (["solve", "__import__('os').getcwd()", "A", "-o", "O"], "call of literals"),
    "code as a setting": (["solve", "inverse(side=open('x'))", "A", "-o", "O"], "call of literals"),
    "an unknown setting": (["solve", "inverse(rank=3)", "A", "-o", "O"], "rank"),
    "a bad setting": (["solve", "inverse(side='up')", "A", "-o", "O"], "'left'"),
    "a solver without its rate": (["solve", "inverse", "A", "-o", "O", "--solver", "GradientDescent"], "learning_rate"),
    "an unknown solver": (["solve", "inverse", "A", "-o", "O", "--solver", "Magic()"], "Adam"),
    "an unknown backend": (["solve", "inverse", "A", "-o", "O", "--backend", "abacus"], "'abacus'"),
    "a negative tolerance": (["solve", "inverse", "A", "-o", "O", "--tol", "-1"], "tol"),
    "a word for a number": (["solve", "inverse", "A", "-o", "O", "--max-steps", "many"], "many"),
    "no output": (["solve", "inverse", "A"], "--output"),
    "no file": (["solve", "inverse", "-o", "O"], "FILE"),
    "an unknown option": (["solve", "inverse", "A", "-o", "O", "--fast"], "--fast"),
    "an unknown datum": (["solve", "inverse", "B=A", "-o", "O"], "no datum 'B'"),
    "a datum twice": (["solve", "inverse", "A=A", "A=A", "-o", "O"], "came twice"),
    "a file that is not there": (["solve", "inverse", "nowhere.npy", "-o", "O"], "nowhere.npy: No such file"),
    "a folder": (["solve", "inverse", ".", "-o", "O"], "no regular file"),
    "a device": (["solve", "inverse", "/dev/zero", "-o", "O"], "no regular file"),
    "an output on a device": (["solve", "inverse", "A", "-o", "/dev/null"], "no regular file"),
    "an output in no folder": (["solve", "inverse", "A", "-o", "nowhere/O"], "no folder"),
    "a plot of an input": (["plot", "A"], "no saved solution"),
}


@pytest.mark.parametrize("name", USAGE)
def test_bad_usage_is_one_line_and_code_2(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, words = USAGE[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "A").write_bytes(saved(GOOD))
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert one_line(err) and words in err
    assert [p.name for p in tmp_path.iterdir()] == ["A"]


def test_a_bad_file_as_a_process_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.npy").write_bytes(BAD["truncated data"][0])
    done = run("solve", "inverse", tmp_path / "bad.npy", "-o", tmp_path / "out.npz")
    assert done.returncode == 2 and one_line(done.stderr) and not done.stdout


def test_good_files_give_the_answers_of_solve_and_code_0(good: str, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    done = run(
        "solve",
        "inverse",
        f"A={good}",
        "-o",
        out,
        "--history",
        "3",
        "--backend",
        "numpy",
        "--solver",
        "adam(0.05)",
        "--seed",
        "4",
    )
    assert done.returncode == 0 and "CONVERGED" in done.stdout
    assert done.stderr == "" and "\x1b" not in done.stdout
    expected = engine.solve(problems.inverse(), GOOD, history=3, backend="numpy", solver=engine.solvers.Adam(0.05), seed=4)
    with np.load(out, allow_pickle=False) as found:
        for name in ("status", "steps", "residual", "history", "loss"):
            np.testing.assert_array_equal(found[name], getattr(expected, name))
        np.testing.assert_array_equal(found["X"], expected["X"])


def test_a_saved_solution_gives_the_figure_of_the_solution(good: str, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    options = ["--history", "--backend", "numpy", "--max-steps", "40", "--solver", "GradientDescent(0.9, momentum=0.9)"]
    assert main(["solve", "inverse", good, "-o", str(out), *options]) == 1
    from engine import archive, figures

    solver = engine.solvers.GradientDescent(0.9, momentum=0.9)
    solution = engine.solve(problems.inverse(), GOOD, solver=solver, history=True, backend="numpy", max_steps=40)
    assert figures.convergence(archive.losses(read(str(out)), "out"), [1]).to_json() == solution.plot([1]).to_json()
    assert main(["plot", str(out), "--lane", "1", "--dark"]) == 0
    page = (tmp_path / "out.html").read_text()
    assert "loss before the step" in page and "lane 1" in page and 'src="http' not in page
    assert main(["plot", str(out), "--lane", "2"]) == 2


def test_lanes_that_do_not_converge_give_code_1_and_their_status(tmp_path: Path) -> None:
    lanes = GOOD.copy()
    lanes[1, 0, 0] = np.nan
    np.savez(tmp_path / "in.npz", A=lanes)
    assert main(["solve", "inverse", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npz"), "--backend", "numpy"]) == 1
    assert read(str(tmp_path / "out.npz"))["status"].tolist() == [0, 6]


def test_files_of_any_order_and_byte_order_are_the_same_numbers(tmp_path: Path) -> None:
    for name, array in (
        ("f", np.asfortranarray(GOOD)),
        ("b", GOOD.astype(">f8")),
        ("e", np.zeros((0, 3, 3))),
        ("s", np.array(2.0)),
    ):
        np.save(tmp_path / f"{name}.npy", array)
        found = read(str(tmp_path / f"{name}.npy"))[""]
        assert found.dtype == np.float64 and found.dtype.isnative
        np.testing.assert_array_equal(found, array)


def test_an_output_that_fails_in_the_middle_leaves_the_old_one(tmp_path: Path) -> None:
    from backends.writing import whole

    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole(str(tmp_path / "out")) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert (tmp_path / "out").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    from backends.writing import whole

    with pytest.raises(FileError, match=r"out: could not be written: No space left"), whole(str(tmp_path / "out")):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_in_the_middle_leaves_nothing(number: int, code: int, tmp_path: Path) -> None:
    np.save(tmp_path / "A.npy", np.broadcast_to(GOOD[:1], (3000, 3, 3)))
    command = [
        *COMMAND,
        "solve",
        "inverse",
        "A.npy",
        "-o",
        "out.npz",
        "--tol",
        "0",
        "--backend",
        "numpy",
        "--max-steps",
        "100000",
    ]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=here(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored by what runs in the background
    )
    try:
        time.sleep(4)
        assert process.poll() is None
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == code and "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["A.npy"]


def here() -> dict[str, str]:
    """The environment with this tree on the path, for a process that starts elsewhere."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def on_a_terminal(*arguments: str) -> tuple[str, int]:
    """What a process writes on a terminal, and its code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [*COMMAND, *arguments], {**here(), "TERM": "xterm", "COLUMNS": "100"})
    shown = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_terminal_shows_a_progress_bar(good: str, tmp_path: Path) -> None:
    shown, code = on_a_terminal("solve", "inverse", good, "-o", str(tmp_path / "out.npz"), "--backend", "numpy")
    assert code == 0 and "2/2" in shown and "\x1b[" in shown and "CONVERGED" in shown


def test_help_and_the_catalogue_are_readable_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    done = run("problems")
    assert done.returncode == 0 and done.stderr == ""
    assert [line.partition(" ")[0].partition("(")[0] for line in done.stdout.splitlines()] == list(problems.catalogue())
    for command in ([], ["solve"], ["plot"]):
        assert main([*command, "--help"]) == 0
        assert "Examples:" in capsys.readouterr().out

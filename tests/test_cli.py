"""The command line as a process: good files, bad ones, an interrupt, a terminal and a pipe."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import engine
import problems
from engine.cli import main
from engine.io.npz_read import read

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


SENSELESS = {
    "Adam(nan)": "call of literals",
    "Adam(float('nan'))": "call of literals",
    "GradientDescent(1e400)": "learning_rate came as inf",
    "GradientDescent(-1e400)": "learning_rate came as -inf",
    "GradientDescent(-1)": "learning_rate came as -1",
    "GradientDescent('fast')": "learning_rate came as 'fast'",
    "GradientDescent(1j)": "expected a number",
    "GradientDescent(True)": "learning_rate came as True",
    f"GradientDescent(0x{'f' * 400})": "beyond all floats",
    f"GradientDescent({'9' * 4400})": "4,417 characters",
    "GradientDescent(0.1, 0.9, 1)": "nesterov came as 1",
    "LevenbergMarquardt(damping=-1)": "damping came as -1",
    "LevenbergMarquardt(damping=1e300)": "damping came as 1e+300",
    "LevenbergMarquardt(geodesic_acceleration='yes')": "geodesic_acceleration",
    "Newton(0)": "damping came as 0",
    "FixedPoint(memory=10**9)": "call of literals",
    "FixedPoint(memory=1000000000)": "memory came as 1000000000; expected 0 <= memory <= 100",
    "LBFGS(10**12)": "call of literals",
    "LBFGS(1000000000000)": "memory came as 1000000000000; expected 1 <= memory <= 100",
    f"LBFGS({'9' * 900})": "over 30 digits",
    "LBFGS(True)": "expected a whole number",
    "Adam(betas=(0.9, 1e400))": "betas came as inf",
    "Adam(betas=(0.9,))": "two numbers",
    "Adam(eps=-1)": "eps came as -1",
    "Newton(Newton())": "call of literals",
    "Adam(9**9**9)": "call of literals",
    "Adam(learning_rate=9**9**9**9)": "call of literals",
    f"Adam({'(' * 400}1{')' * 400})": "call of literals",
    f"Adam({'[' * 450}{']' * 450})": "call of literals",
    f"Adam({'-' * 900}1)": "call of literals",
    "(" * 100_000: "100,000 characters",
    "Adam(" + "1," * 500_000 + ")": "1,000,006 characters",
    "x" * 10**6: "1,000,000 characters",
    "Adam\0(0.1)": "call of literals",
    "Adam(0.1); import os": "call of literals",
    "Adam(0.1)(0.2)": "call of literals",
    "": "call of literals",
}


@pytest.mark.parametrize("text", SENSELESS, ids=lambda text: text[:40])
def test_a_senseless_solver_is_refused_at_once(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "A").write_bytes(saved(GOOD))
    assert main(["solve", "inverse", str(tmp_path / "A"), "-o", str(tmp_path / "O"), "--solver", text]) == 2
    err = capsys.readouterr().err
    assert one_line(err) and SENSELESS[text] in err and "expected" in err and len(err) < 400
    assert [p.name for p in tmp_path.iterdir()] == ["A"]


def test_a_senseless_problem_is_refused_as_a_senseless_solver_is(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("inverse(9**9**9)", "inverse(" * 1000, "svd(1e400)", f"inverse(side={'x' * 900!r})"):
        assert main(["solve", text, "A", "-o", "O"]) == 2
        err = capsys.readouterr().err
        assert (one_line(err) and "problem" in err) or "side" in err


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
    from engine.io import archive
    from engine.plots import figures

    solver = engine.solvers.GradientDescent(0.9, momentum=0.9)
    solution = engine.solve(problems.inverse(), GOOD, solver=solver, history=True, backend="numpy", max_steps=40)
    assert figures.convergence(archive.losses(read(str(out)), "out"), [1]).to_json() == solution.plot([1]).to_json()
    assert main(["plot", str(out), "--lane", "1", "--dark"]) == 0
    page = (tmp_path / "out.html").read_text()
    assert "loss before the step" in page and "lane 1" in page and 'src="http' not in page
    assert main(["plot", str(out), "--lane", "2"]) == 2


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The arrays of a saved solution with a history."""
    folder = tmp_path_factory.mktemp("kept")
    np.save(folder / "A.npy", GOOD)
    options = ["--history", "--backend", "numpy", "--max-steps", "5", "--solver", "Adam(0.1)"]
    assert main(["solve", "inverse", str(folder / "A.npy"), "-o", str(folder / "out.npz"), *options]) == 1
    return read(str(folder / "out.npz"))


def described(arrays: dict[str, np.ndarray], **changes: object) -> dict[str, np.ndarray]:
    """A saved solution with another description."""
    about = json.loads(str(arrays["about"])) | changes
    return arrays | {"about": np.array(json.dumps(about))}


CHANGES: dict[str, tuple[Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]], str]] = {
    "no history": (
        lambda a: {n: v for n, v in a.items() if n != "history"},
        "has no history; expected one: solve with --history",
    ),
    "no status": (lambda a: {n: v for n, v in a.items() if n != "status"}, "no saved solution"),
    "no description": (lambda a: {n: v for n, v in a.items() if n != "about"}, "no saved solution"),
    "a history of one lane": (lambda a: a | {"history": a["history"][0]}, "expected one row of losses for each status"),
    "a history of words": (lambda a: a | {"history": a["history"].astype(str)}, "expected one row of losses"),
    "a status of no meaning": (lambda a: a | {"status": a["status"] + 77}, "description is damaged"),
    "a status of floats": (lambda a: a | {"status": a["status"] + 0.5}, "description is damaged"),
    "a description that is a number": (lambda a: a | {"about": np.array(3.0)}, "description is damaged"),
    "a description that is half": (lambda a: a | {"about": np.array('{"problem"')}, "description is damaged"),
    "a description without end": (lambda a: a | {"about": np.array("[" * 100_000)}, "description is damaged"),
    "a stride of words": (lambda a: described(a, history_every="x"), "description is damaged"),
    "a stride of zero": (lambda a: described(a, history_every=0), "description is damaged"),
    "a stride beyond all integers": (lambda a: described(a, history_every=10**400), "description is damaged"),
    "a stride that is no number": (lambda a: described(a, history_every=float("nan")), "description is damaged"),
    "a solver that is a list": (lambda a: described(a, solver=[1]), "description is damaged"),
    "a name without end": (lambda a: described(a, problem="x" * 10**6), "description is damaged"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_plot_of_a_changed_solution_is_one_line_and_code_2(
    name: str, kept: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, words = CHANGES[name]
    np.savez(tmp_path / "out.npz", **change(kept))  # type: ignore[arg-type]
    assert main(["plot", str(tmp_path / "out.npz")]) == 2
    out, err = capsys.readouterr()
    assert one_line(err) and words in err and "expected" in err and not out
    assert [p.name for p in tmp_path.iterdir()] == ["out.npz"]


@pytest.mark.parametrize(
    "name", ["an empty file", "text", "a truncated archive", "a wrong checksum", "an archive of text", "objects"]
)
def test_a_plot_of_a_senseless_file_is_one_line_and_code_2(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, words = BAD[name]
    (tmp_path / "out.npz").write_bytes(content)
    (tmp_path / "folder").mkdir()
    for path in (
        tmp_path / "out.npz",
        tmp_path / "folder",
        tmp_path / "none.npz",
        Path("/dev/null"),
        Path("a\0b"),
        Path("x" * 9999),
    ):
        assert main(["plot", str(path), "-o", str(tmp_path / "out.html")]) == 2
        err = capsys.readouterr().err
        assert one_line(err) and "expected" in err and len(err) < 500
        assert path.name != "out.npz" or words in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "out.npz"]


def test_a_plot_never_replaces_the_solution_that_it_shows(
    kept: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open(tmp_path / "out.html", "wb") as file:
        np.savez(file, **kept)  # type: ignore[arg-type]
    (tmp_path / "link.npz").symlink_to("out.html")
    before = (tmp_path / "out.html").read_bytes()
    for arguments in (["out.html"], ["out.html", "-o", "out.html"], ["link.npz", "-o", "out.html"], ["out.html", "-o", ""]):
        assert (
            main(["plot", str(tmp_path / arguments[0]), *(str(tmp_path / a) if ".html" in a else a for a in arguments[1:])]) == 2
        )
        assert one_line(capsys.readouterr().err)
    assert (tmp_path / "out.html").read_bytes() == before


def test_a_plot_shows_lanes_whose_losses_are_not_finite(kept: dict[str, np.ndarray], tmp_path: Path) -> None:
    for history in (kept["history"] * np.inf, kept["history"] * np.nan, np.where(np.eye(2, 5) > 0, np.inf, kept["history"])):
        np.savez(tmp_path / "out.npz", **kept | {"history": history})  # type: ignore[arg-type]
        assert main(["plot", str(tmp_path / "out.npz"), "--lane", "0"]) == 0


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
    from engine.io.npz_write import whole

    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole(str(tmp_path / "out")) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert (tmp_path / "out").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    from engine.io.npz_write import whole

    with pytest.raises(engine.errors.FileError, match=r"out: could not be written: No space left"), whole(str(tmp_path / "out")):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


TELLING = """
from backends.numpy.iterate import NumpyExecutable
from engine.cli import main
own = NumpyExecutable.iterate
def telling(*arguments):
    print("solving", flush=True)
    return own(*arguments)
NumpyExecutable.iterate = telling
raise SystemExit(main())
"""
"""The command with a word of it on stdout when it solves."""


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_in_the_middle_leaves_nothing(number: int, code: int, tmp_path: Path) -> None:
    np.save(tmp_path / "A.npy", np.broadcast_to(GOOD[:1], (3000, 3, 3)))
    command = [
        sys.executable,
        "-c",
        TELLING,
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
        assert process.stdout is not None and process.stdout.readline() == "solving\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=300)
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

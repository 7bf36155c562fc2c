"""The command line as a process: good files, bad usage, an interrupt, a terminal and a pipe."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import engine
import problems
from engine.cli import main
from engine.io.npz_read import read
from tests.command import COMMAND, GOOD, good_file, here, one_line, run, saved


@pytest.fixture
def good(tmp_path: Path) -> str:
    return good_file(tmp_path)


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


def test_lanes_that_do_not_converge_give_code_1_and_their_status(tmp_path: Path) -> None:
    lanes = GOOD.copy()
    lanes[1, 0, 0] = np.nan
    np.savez(tmp_path / "in.npz", A=lanes)
    assert main(["solve", "inverse", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npz"), "--backend", "numpy"]) == 1
    assert read(str(tmp_path / "out.npz"))["status"].tolist() == [0, 6]


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


def on_a_terminal(*arguments: str) -> tuple[str, int]:
    """The output of a process on a terminal, and its code."""
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

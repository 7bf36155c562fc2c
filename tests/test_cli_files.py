"""Files that the command line reads and writes: bad ones are one line and code 2, nothing is half written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.cli import main
from engine.io.npz_read import read
from tests.bad_files import BAD
from tests.command import COMMAND, GOOD, here, one_line, run


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


def test_a_bad_file_as_a_process_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.npy").write_bytes(BAD["truncated data"][0])
    done = run("solve", "inverse", tmp_path / "bad.npy", "-o", tmp_path / "out.npz")
    assert done.returncode == 2 and one_line(done.stderr) and not done.stdout


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


@pytest.mark.parametrize("name", ["A.npz", "./A.npz", "out.csv"])
def test_answers_go_to_an_npz_file_that_is_no_input(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "A.npz", A=GOOD)
    before = (tmp_path / "A.npz").read_bytes()
    done = subprocess.run(
        [*COMMAND, "solve", "inverse", "A=A.npz", "-o", name], cwd=tmp_path, env=here(), capture_output=True, text=True
    )
    assert done.returncode == 2 and one_line(done.stderr) and name in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["A.npz"] and (tmp_path / "A.npz").read_bytes() == before

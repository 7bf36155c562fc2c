"""`lanewise plot`: the figure of a saved solution, and files that are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import engine
import problems
from engine.cli import main
from engine.io.npz_read import read
from tests.bad_files import BAD
from tests.command import GOOD, good_file, one_line


@pytest.fixture
def good(tmp_path: Path) -> str:
    return good_file(tmp_path)


def test_a_saved_solution_gives_the_figure_of_the_solution(good: str, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    options = ["--history", "--backend", "numpy", "--max-steps", "40", "--solver", "GradientDescent(0.9, momentum=0.9)"]
    assert main(["solve", "inverse", good, "-o", str(out), *options]) == 1
    from engine.io import archive
    from engine.plots.convergence import of_one

    solver = engine.solvers.GradientDescent(0.9, momentum=0.9)
    solution = engine.solve(problems.inverse(), GOOD, solver=solver, history=True, backend="numpy", max_steps=40)
    assert of_one(archive.losses(read(str(out)), "out"), [1]).to_json() == solution.plot([1]).to_json()
    assert main(["plot", str(out), "--lane", "1", "--dark"]) == 0
    page = (tmp_path / "out.html").read_text()
    assert "loss before the step" in page and "lane 1" in page and 'src="http' not in page and len(page) < 100_000
    assert len(list(tmp_path.glob("plotly-*.min.js"))) == 1
    assert main(["plot", str(out), "--self-contained", "-o", str(tmp_path / "whole.html")]) == 0
    assert (tmp_path / "whole.html").stat().st_size > 1_000_000
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

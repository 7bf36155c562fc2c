"""The examples run as scripts; what they print is checked against NumPy, SciPy and torch."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit

FOLDER = Path(__file__).parents[1] / "examples"


def run(name: str, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """The variables that an example leaves, and its printed text."""
    variables = runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    return variables, capsys.readouterr().out


def numbers(pattern: str, text: str) -> list[float]:
    """The groups of a pattern's one match, as numbers."""
    (match,) = re.finditer(pattern, text)
    return [float(group.replace(",", "")) for group in match.groups()]


def regular(a: np.ndarray) -> np.ndarray:
    """Whether each matrix is finite and of full rank."""
    finite = np.isfinite(a).all(axis=(-2, -1))
    return np.asarray(finite & (np.linalg.matrix_rank(np.where(finite[..., None, None], a, 0)) == a.shape[-1]))


def test_there_are_six_and_all_are_short() -> None:
    lengths = {file.stem: len(file.read_text().splitlines()) for file in FOLDER.glob("*.py")}
    assert len(lengths) == 6
    assert max(lengths.values()) <= 30


def test_inverse(capsys: pytest.CaptureFixture[str]) -> None:
    variables, text = run("inverse", capsys)
    a, x = variables["A"], variables["solution"]["X"]
    good = regular(a)
    count, lanes, worst = numbers(r"([\d,]+) of ([\d,]+) inverted; largest entry of X A - I: (\S+),", text)
    assert (count, lanes) == (good.sum(), len(a))
    condition = np.linalg.cond(a[good])
    assert worst < 1e-14 * condition.max()
    error = np.abs(x[good] - np.linalg.inv(a[good])).max(axis=(1, 2)) / np.abs(x[good]).max(axis=(1, 2))
    assert (error < 1e-13 * condition).all()
    failed = {int(lane): status for lane, status in re.findall(r"lane (\d+): (\w+)", text)}
    assert failed == {7: "INFEASIBLE", 8: "NONFINITE_INPUT"}


def test_fits(capsys: pytest.CaptureFixture[str]) -> None:
    variables, text = run("fits", capsys)
    a, a_error, b, b_error = numbers(r"a = (\S+) \+- (\S+), b = (\S+) \+- (\S+)", text)
    on = variables["mask"][0]
    best, covariance = curve_fit(
        lambda x, a, b: a * np.exp(-b * x / 2),
        variables["x"][on],
        variables["y"][0][on],
        sigma=variables["sigma"][0][on],
        absolute_sigma=True,
        bounds=([0, 0], [10, 10]),
    )
    np.testing.assert_allclose([a, b], best, atol=1e-4)
    np.testing.assert_allclose([a_error, b_error], np.sqrt(np.diag(covariance)), atol=1e-4)
    assert numbers(r"([\d,]+) of ([\d,]+) fits converged", text) == [1000, 1000]
    (share,) = numbers(r"within one standard error: (\d+)%", text)
    assert abs(share - 68.3) < 4


def kabsch(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and translation of clouds by the SVD of their covariance (Kabsch, 1976)."""
    pm, qm = p.mean(axis=1, keepdims=True), q.mean(axis=1, keepdims=True)
    u, _, vt = np.linalg.svd((q - qm).swapaxes(1, 2) @ (p - pm))
    u[..., -1] *= np.sign(np.linalg.det(u @ vt))[:, None]
    r = u @ vt
    return r, (qm - pm @ r.swapaxes(1, 2))[:, 0]


def test_registration(capsys: pytest.CaptureFixture[str]) -> None:
    variables, text = run("registration", capsys)
    r, t = kabsch(variables["P"], variables["Q"])
    solution = variables["solution"]
    assert np.abs(solution["R"] - r).max() < 1e-8
    assert np.abs(solution["t"] - t).max() < 1e-8
    errors = np.abs(r - variables["R"]).max(), np.abs(t - variables["t"]).max()
    np.testing.assert_allclose(numbers(r"entry of R: (\S+), of t: (\S+)", text), errors, atol=1e-4)
    assert numbers(r"(\d+) of (\d+) converged", text) == [500, 500]


def test_failed_lanes(capsys: pytest.CaptureFixture[str]) -> None:
    variables, text = run("failed_lanes", capsys)
    a = variables["A"]
    rooted = np.isfinite(a).all(axis=(1, 2)) & (np.linalg.det(np.nan_to_num(a)) > 0)  # det(X)^2 = det(A)
    np.testing.assert_array_equal(variables["starts"].converged, rooted)
    gap, answers = re.search(r"among (\d+) answers: (\S+)", text).groups()[::-1]  # type: ignore[union-attr]
    x = variables["starts"]["X"][rooted]
    relative = np.abs(x @ x - a[rooted]).max(axis=(1, 2)) / np.abs(a[rooted]).max(axis=(1, 2))
    assert int(answers) == rooted.sum()
    assert relative.max() <= float(gap) * 1.5 < 1e-11
    assert variables["first"].converged.sum() < variables["again"].converged.sum() == rooted.sum()
    assert "bit for bit: True" in text


def test_torch_tensors(capsys: pytest.CaptureFixture[str]) -> None:
    variables, text = run("torch_tensors", capsys)
    a, b = variables["A"].double().numpy(), variables["b"].double().numpy()
    sizes = [float(size) for size in re.findall(r"\|x\| (\S+) on average", text)]
    for strength, size in zip((0.1, 10.0), sizes, strict=True):
        wide = np.concatenate([a, np.broadcast_to(np.sqrt(strength) * np.eye(3), (1000, 3, 3))], axis=1)
        x = (np.linalg.pinv(wide) @ np.concatenate([b, np.zeros((1000, 3))], axis=1)[..., None])[..., 0]
        assert abs(np.linalg.norm(x, axis=1).mean() - size) < 1e-3
    assert np.abs(variables["solution"]["x"].numpy() - x).max() < 1e-4
    assert text.count("1000 of 1000 converged") == 2
    assert text.splitlines()[-1].endswith("compile no")


def test_reading(capsys: pytest.CaptureFixture[str]) -> None:
    variables, text = run("reading", capsys)
    solution, a = variables["solution"], variables["A"]
    bad = [tuple(lane) for lane in np.argwhere(~regular(a)).tolist()]
    failed = [tuple(map(int, lane)) for lane in re.findall(r"^lane \((\d+), (\d+)\): ", text, re.MULTILINE)]
    assert failed == bad
    x = np.linalg.inv(a[regular(a)])
    np.testing.assert_allclose(solution["X"][regular(a)], x, rtol=1e-8, atol=1e-10 * np.abs(x).max())
    (steps,) = numbers(r"before each of its (\d+) steps", text)
    losses = [float(word) for word in text.split("steps:\n")[1].split("]")[0].strip(" [\n").split()]
    assert len(losses) == steps and losses == sorted(losses, reverse=True)
    assert all(word in text for word in ("backend", "certificate", "SolveError: 2 of 200 lanes", "INFEASIBLE: 1 (lanes (0, 3))"))

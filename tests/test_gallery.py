"""The gallery, a dozen lanes of each example: it runs as it stands, agrees with the usual tool, says so on one line, and is short."""

from __future__ import annotations

import ast
import re
import runpy
import struct
import sys
from functools import partial
from pathlib import Path

import pytest

import lanewise

FOLDER = Path(__file__).parents[1] / "examples" / "gallery"
EXAMPLES = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "show")

WITHIN = {
    "dose_response": 1e-2,
    "registration": 1e-8,
    "equilibrium": 1e-9,
    "logistic": 1e-9,
    "sqrtm": 1e-11,
    "decay_cube": 1e-4,
}
"""Example -> the largest difference to the usual tool, in the units that its line names; SciPy's fits stop at 1e-8 of the loss."""

LINE = re.compile(
    r"(\w+): ([\d,]+) lanes, .*?([\d.]+)% CONVERGED.*, \S+ s; within (\S+) of (.+); [\d.,e+]+ times as fast", re.DOTALL
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_agrees_with_the_usual_tool_and_leaves_a_picture(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANEWISE_QUICK", "1")
    monkeypatch.setenv("LANEWISE_GALLERY", str(tmp_path))
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "show", raising=False)
    monkeypatch.setattr(lanewise, "solve", partial(lanewise.solve, backend="torch"))  # compiles nothing
    variables = runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    line = capsys.readouterr().out
    match = LINE.fullmatch(line.strip())
    assert match and match[1] == name and "\n" not in line.strip(), line
    assert float(match[4]) <= WITHIN[name] and float(match[3]) >= 90.0
    assert len(variables["some"]) > 5 and sys.modules["show"].size(100) == 12
    assert (tmp_path / f"{name}.html").stat().st_size > 1000


def test_there_are_six_short_examples_with_a_text_of_three_to_six_sentences_and_a_picture() -> None:
    assert set(EXAMPLES) == set(WITHIN)
    for name in EXAMPLES:
        source = (FOLDER / f"{name}.py").read_text()
        text = ast.get_docstring(ast.parse(source)) or ""
        body = text.partition("\n\n")[2]
        assert 3 <= len(re.findall(r"[.!?](?:\s|$)", body)) <= 6, name
        begun = ast.parse(source).body[0].end_lineno or 0
        code = [line for line in source.splitlines()[begun:] if line.strip()]
        assert len(code) <= 30, (name, len(code))
        picture = (FOLDER / f"{name}.png").read_bytes()
        assert (
            len((FOLDER / f"{name}.json").read_bytes()) < 300_000
            and len(picture) < 150_000
            and struct.unpack(">I", picture[16:20]) == (950,)
        )

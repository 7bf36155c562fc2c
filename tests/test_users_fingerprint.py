"""A user's functions are named by all that they read; what cannot be hashed completely has no name, and leaves nothing on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.scripts import IMPURE, IMPURE_SCRIPT, MUTATIONS, SCRIPT

ROOT = Path(__file__).parents[1]

DRIVER = """
import json, os, sys
import numpy, torch, engine, problems, backends, array_api_compat.torch
from engine.fingerprint.program import fingerprint
fused = backends.get("fused")
for script in json.load(sys.stdin):
    if os.fork() == 0:
        scope = {"__name__": "__main__"}
        exec(script, scope)
        print(fingerprint(scope["declared"](), fused) or "none", flush=True)
        os._exit(0)
    os.wait()
"""


def names_of(scripts: list[str]) -> list[str]:
    """The name of what each script declares, each in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], input=json.dumps(scripts), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not done.stderr, done.stderr
    return done.stdout.split()


def changed(old: str, new: str) -> str:
    assert SCRIPT.count(old) == 1, old
    return SCRIPT.replace(old, new)


def test_every_change_of_what_a_function_reads_is_another_name_or_none() -> None:
    same = [SCRIPT, "# a comment\n" + SCRIPT, changed("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nUNREAD = object()")]
    before, *rest = names_of([*same, *(changed(*change) for change in MUTATIONS.values())])
    alike, others = rest[:2], dict(zip(MUTATIONS, rest[2:], strict=True))
    assert before != "none" and alike == [before] * 2
    assert len(others) == len(MUTATIONS) and not [change for change, name in others.items() if name == before]
    named = [name for name in others.values() if name != "none"]
    assert len(named) == len(set(named)) > 45


def test_what_cannot_be_hashed_completely_has_no_name() -> None:
    found = names_of([IMPURE_SCRIPT.replace("EXPRESSION", text) for text in ("x * RATE - y", *IMPURE.values())])
    assert found[0] != "none"
    assert not [what for what, name in zip(IMPURE, found[1:], strict=True) if name != "none"]


SOLVED = """
import sys
traced = []
def watch(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "_trace" and frame.f_code.co_filename.endswith("trace.py"):
        traced.append(frame.f_code.co_name)
sys.setprofile(watch)
import os, time
import numpy as np, engine
import mymodel
from array_api_compat import array_namespace
RATE, W = 2.0, np.array([1.0, 2.0])
class Model:
    def __init__(self):
        self.shift = 1.0
    def apply(self, y):
        return array_namespace(y).abs(y) + self.shift
model = Model()
def residual(x, y):
    return x - RATE * model.apply(y) - W - mymodel.helper(y)
problem = engine.Problem(name="p", data={"y": "n"}, params={"x": engine.Param("n", start="zeros")}, residual=residual)
found = engine.solve(problem, np.ones((1, 2)), solver=engine.solvers.GradientDescent(1.0), tol=0, max_steps=1, backend="fused")
print(np.asarray(found["x"])[0].tolist(), bool(traced))
"""
MODULE = "def helper(y):\n    return 3.0 * y\n"

EDITS: dict[str, tuple[str, str, list[float]]] = {
    "a number": ("RATE, W = 2.0", "RATE, W = 3.0", [10.0, 11.0]),
    "a field": ("self.shift = 1.0", "self.shift = 2.0", [10.0, 11.0]),
    "a method": ("return array_namespace(y).abs(y) +", "return -array_namespace(y).abs(y) +", [4.0, 5.0]),
    "a helper in another file": ("3.0 * y", "4.0 * y", [9.0, 10.0]),
    "a replaced function of a library": (
        "class Model", "import array_api_compat.torch as at\nat.abs = lambda y: 5 * y\nclass Model", [16.0, 17.0]),
    "the environment": ("- mymodel", "- float(os.environ['EXTRA']) - mymodel", [13.0, 14.0]),
}  # fmt: skip


def test_a_second_process_runs_the_same_script_without_a_trace_and_another_script_with_its_own_answer(tmp_path: Path) -> None:
    def run(script: str = SOLVED, module: str = MODULE, **more: str) -> list[Any]:
        (tmp_path / "script.py").write_text(script)
        (tmp_path / "mymodel.py").write_text(module)
        cache = str(tmp_path / "cache")
        environment = os.environ | {"PYTHONPATH": str(ROOT), "LANEWISE_CACHE": cache, "PYTHONDONTWRITEBYTECODE": "1", **more}
        done = subprocess.run(
            [sys.executable, str(tmp_path / "script.py")], env=environment, capture_output=True, text=True, check=True
        )
        numbers, _, traced = done.stdout.strip().rpartition(" ")
        return [json.loads(numbers), traced == "True"]

    tmp_path.chmod(0o700)
    assert run() == [[8.0, 9.0], True]
    assert run(EXTRA="5") == [[8.0, 9.0], False]
    assert run(SOLVED.replace("W = 2.0, np.array([1.0, 2.0])", "W = 2.0, np.array([3.0, 4.0])")) == [[10.0, 11.0], False]
    for old, new, expected in EDITS.values():
        assert run(SOLVED.replace(old, new), MODULE.replace(old, new), EXTRA="5") == [expected, True]
    assert run(SOLVED.replace(*EDITS["the environment"][:2]), EXTRA="7") == [[15.0, 16.0], True]
    assert run() == [[8.0, 9.0], False]


IMPURE_SOLVED = """
import numpy as np, engine
from engine import Param, Problem
calls = []
def residual(x, y):
    calls.append(1)
    return x - len(calls) * y
problem = Problem(name="p", data={"y": "n"}, params={"x": Param("n", start="zeros")}, residual=residual)
try:
    engine.solve(problem, np.ones((1, 2)), backend="fused")
except TypeError as error:
    print("frozen in" in str(error))
"""


def test_a_function_that_is_not_pure_leaves_nothing_on_disk(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "LANEWISE_CACHE": str(tmp_path / "cache")}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", IMPURE_SOLVED], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == "True\n"
    assert not list(tmp_path.rglob("*.json"))


def test_a_name_is_the_same_whether_torch_and_what_needs_it_are_loaded_or_not() -> None:
    code = """
import sys, numpy as np, engine, problems
from array_api_compat import array_namespace
from engine.fingerprint.program import fingerprint
if "torch" in sys.argv:
    import torch, backends, array_api_compat.torch
    backends.get("fused"), backends.get("inductor"), backends.get("numpy")
    import backends.fused.run.mapped, engine.cli, scipy.special, einops
W, FACTOR = np.ones(2), 2.0
def residual(x, y):
    return x - FACTOR * array_namespace(y).exp(y) - W
user = engine.Problem(name="p", data={"y": "n"}, params={"x": engine.Param("n", start="zeros")}, residual=residual)
print(fingerprint(problems.svd()), fingerprint(user), "torch" in sys.modules)
"""
    without, loaded = (
        subprocess.run([sys.executable, "-c", code, *more], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        for more in ([], ["torch"])
    )
    assert without == [*loaded[:2], "False"] and loaded[2] == "True" and len({*loaded}) == 3


def test_libraries_that_are_loaded_beside_take_no_name_away() -> None:
    code = "import engine, problems; from engine.fingerprint.program import fingerprint; import scipy.optimize, scipy.stats, hypothesis, torch"
    found = subprocess.run(
        [sys.executable, "-c", f"{code}; print(bool(fingerprint(problems.inverse())))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["True"]

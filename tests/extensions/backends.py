"""Backends that are wrong in one way each: a line of `NAMES`, and what it leads to."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import backends
import engine
import problems
from backends.base import Backend
from engine.solvers import GradientDescent
from tests.recipes.backend import Differences, Loop

A = np.eye(2) + np.full((3, 2, 2), 0.1)


def toy(**changes: Any) -> Any:
    """The model of CONTRIBUTING.md with other attributes."""
    return type("Toy", (Differences,), {"name": "toy"} | changes)()


class Bare(Backend):
    name, library = "toy", "numpy"

    def load(self, array: Any, dtype: str | None = None, device: Any = None) -> Any:
        return np.asarray(array, dtype)


def prepared(change: Callable[[Any, Any], Any]) -> Any:
    """A backend whose executables give other outcomes."""

    class Other(Loop):
        def iterate(self, inputs: Any, run: Any) -> Any:
            return change(super().iterate(inputs, run), run)

    return toy(prepare=lambda self, program, example, shared, device=None: Other(program, dict(example)))


def run(backend: Any, module: str = "tests.extensions.toy") -> Callable[[], Any]:
    """A solve with the backend of a module that was written for it, and a line in `NAMES`; both are gone afterwards."""

    def hand_in() -> Any:
        fresh = problems.inverse.__wrapped__()  # an executable is kept with its problem, by the backend's name
        made = types.ModuleType("tests.extensions.toy")
        if backend is not None:
            made.BACKEND = backend  # type: ignore[attr-defined]
        sys.modules[made.__name__], backends.NAMES["toy"] = made, module
        try:
            return engine.solve(fresh, A, solver=GradientDescent(0.1), backend="toy", max_steps=3)
        finally:
            del sys.modules[made.__name__], backends.NAMES["toy"]
            backends._LOADED.pop("toy", None)

    return hand_in


def without_loss(outcome: Any, run: Any) -> Any:
    return replace(outcome, results={name: value for name, value in outcome.results.items() if name != "loss"})


def one_less(outcome: Any, run: Any) -> Any:
    return replace(outcome, results=outcome.results | {"status": outcome.results["status"][1:]})


WRONG: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "no such module": (run(toy(), "tests.extensions.missing"), ["'toy'", "'tests.extensions.missing'", "not there", "line"]),
    "a module without BACKEND": (run(None), ["'toy'", "'tests.extensions.toy'", "BACKEND"]),
    "a class": (run(Differences), ["'toy'", "class Differences", "call it"]),
    "a class of one's own": (run(object()), ["'toy'", "object", "backends.base.Backend", "derive"]),
    "methods that are missing": (
        run(Bare()),  # type: ignore[abstract]
        ["'toy' (Bare) has no unload, jvp, vjp, vmap, prepare", "prepare(program, example, shared, device=None)", "write them"],
    ),
    "another name": (run(toy(name="mine")), ["'toy'", "'mine'", "name = 'toy'"]),
    "a library that nobody knows": (run(toy(library="cupy")), ["'toy'", "'cupy'", "'numpy', 'torch', 'jax'"]),
    "a jvp of other arguments": (run(toy(jvp=lambda self, f, x: x)), ["jvp takes (f, x)", "jvp(f, primals, tangents, has_aux=False)"]),
    "an option that is missing": (run(toy(vjp=lambda self, f, *primals: f)), ["vjp takes (f, *primals)", "has_aux=False"]),
    "an attribute in place of a method": (run(toy(vmap=None)), ["has no vmap", "vmap(f, in_axes=0, out_axes=0)"]),
    "a description that is no method": (run(toy(describe="a loop")), ["describe is 'a loop'", "describe()"]),
    "nothing prepared": (run(toy(prepare=lambda self, program, example, shared, device=None: None)), ["prepare returned NoneType", "iterate"]),
    "results without an outcome": (run(prepared(lambda outcome, run: outcome.results)), ["iterate returned dict", "Outcome("]),
    "an outcome without a loss": (run(prepared(without_loss)), ["iterate returned the results", "'loss'", "postprocess"]),
    "an outcome of other lanes": (run(prepared(one_less)), ["status of shape (2,)", "3 lanes", "(3,)"]),
}  # fmt: skip

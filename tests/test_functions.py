"""Functions of any origin: each works, or is refused by name before anything is called, with a remedy."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import engine
import problems
from engine import Param, Problem
from engine.solvers import GradientDescent

Y = np.ones((2, 3))


def run(text: str, scope: dict[str, Any] | None = None) -> Any:
    """The f that a text defines, as from a template or a notebook's kernel: there is no file and no module."""
    scope = {} if scope is None else scope
    exec(text, scope)
    return scope["f"]


def without_module(name: Any) -> Any:
    function = lambda x, y: x - y
    function.__module__ = name
    return function


class Own:
    """Residuals as methods of every kind."""

    k = 1.0
    __slots__ = ()

    def __call__(self, x: Any, y: Any) -> Any:
        return self.k * x - y

    def bound(self, x: Any, y: Any) -> Any:
        return self.k * x - y

    @classmethod
    def of_class(cls, x: Any, y: Any) -> Any:
        return cls.k * x - y

    @staticmethod
    def static(x: Any, y: Any) -> Any:
        return x - y


def scaled(k: Any, x: Any, y: Any) -> Any:
    return k * x - y


def wrapped(function: Callable[..., Any]) -> Any:
    return functools.wraps(function)(lambda *args, **named: function(*args, **named))


GOOD: dict[str, Callable[[], Any]] = {
    "no __name__": lambda: run("f = lambda x, y: x - y"),
    "no builtins": lambda: run("f = lambda x, y: x - y", {"__builtins__": {}}),
    "builtins and a helper": lambda: run("def g(x): return abs(x) * len('a')\ndef f(x, y): return x - g(y)"),
    "a __name__ that is None": lambda: run("f = lambda x, y: x - y", {"__name__": None}),
    "a __name__ that is a number": lambda: run("f = lambda x, y: x - y", {"__name__": 7}),
    "a __name__ of no module": lambda: run("f = lambda x, y: x - y", {"__name__": "no.such"}),
    "a __name__ of this project": lambda: run("f = lambda x, y: x - y", {"__name__": "engine.lane.program"}),
    "a __name__ of NumPy": lambda: run("f = lambda x, y: x - y", {"__name__": "numpy"}),
    "eval": lambda: eval("lambda x, y: x - y", {}),
    "an interactive line": lambda: eval(compile("lambda x, y: x - y", "<stdin>", "eval")),
    "a module that is None": lambda: without_module(None),
    "a module that is a list": lambda: without_module(["m"]),
    "a partial function by name": lambda: functools.partial(scaled, k=1.0),
    "a partial function by place": lambda: functools.partial(scaled, 1.0),
    "a partial function with an array": lambda: functools.partial(scaled, np.ones(3)),
    "a partial function twice": lambda: functools.partial(functools.partial(scaled, k=3.0), k=1.0),
    "a partial method": lambda: functools.partial(Own().bound),
    "a callable object": Own,
    "a bound method": lambda: Own().bound,
    "a class method": lambda: Own.of_class,
    "a static method": lambda: Own().static,
    "a wrapped function": lambda: wrapped(Own.static),
    "a wrapped function of fewer names": lambda: wrapped(lambda x: x - 1.0),
    "a module of torch": lambda: type("Gap", (torch.nn.Module,), {"forward": lambda self, x, y: x - y})(),
}


TRACED = ("no __name__", "a module that is a list", "a partial function with an array", "a callable object", "a module of torch")


@pytest.mark.parametrize(("name", "backend"), [(name, "numpy") for name in GOOD] + [(name, "torch") for name in TRACED])
def test_a_function_of_any_origin_is_solved(name: str, backend: str) -> None:
    problem = Problem(name="own", data={"y": "n"}, params={"x": Param("n", start="zeros")}, residual=GOOD[name]())
    found = engine.solve(problem, Y, solver=GradientDescent(1.5), tol=0, max_steps=1, backend=backend)
    np.testing.assert_array_equal(found["x"], Y)


def test_a_function_without_a_module_is_compiled_and_a_default_solver_takes_it() -> None:
    problem = Problem(name="own", data={"y": "n"}, params={"x": "n"}, residual=GOOD["builtins and a helper"]())
    found = engine.solve(problem, Y, backend="fused")
    assert found.converged.all()
    np.testing.assert_allclose(found["x"], Y)


def yielding(x: Any, y: Any) -> Iterator[Any]:
    yield x - y


async def awaiting(x: Any, y: Any) -> Any:
    return x - y


UNTRACEABLE: dict[str, tuple[Any, str]] = {
    "a class": (Own, "the class .*Own.*give an object of it"),
    "a generator": (yielding, "generator or coroutine.*return the value"),
    "a coroutine": (awaiting, "generator or coroutine.*return the value"),
    "an operator": (operator.sub, r"positional only.*lambda x, y: sub\(x, y\)"),
    "a universal function": (np.subtract, r"positional only.*lambda x, y: subtract\(x, y\)"),
    "a made universal function": (np.frompyfunc(lambda x, y: x - y, 2, 1), r"lambda x, y: f\(x, y\)"),
    "a builtin without a signature": (max, r"cannot be read.*lambda x, y: max\(x, y\)"),
    "a function of torch": (torch.sub, r"cannot be read.*lambda x, y: sub\(x, y\)"),
    "a method caller": (operator.methodcaller("sum"), r"cannot be read.*lambda x, y: f\(x, y\)"),
    "a partial builtin": (functools.partial(operator.sub), "positional only.*wrap it"),
    "a partial function of a missing place": (functools.partial(scaled, *range(4)), "cannot be read"),
    "a slash": (run("def f(x, y, /): return x - y"), "'x' is positional only.*drop the /"),
    "a text": ("x - y", "came as 'x - y'; expected a function of x, y"),
    "a number": (3, "came as 3"),
}


@pytest.mark.parametrize("name", UNTRACEABLE)
def test_a_callable_that_cannot_be_called_by_names_is_refused_with_a_remedy(name: str) -> None:
    function, words = UNTRACEABLE[name]
    fields: dict[str, Any] = dict(name="own", data={"y": "n"}, params={"x": "n"})
    with pytest.raises(TypeError, match=f"problem 'own': residual.*{words}"):
        Problem(**fields, residual=function)
    with pytest.raises(TypeError, match=rf"problem 'own': measures\['m'\].*{words}"):
        Problem(**fields, residual=lambda x, y: x - y, measures={"m": function})


def test_other_declared_functions_are_refused_in_the_same_words() -> None:
    fields: dict[str, Any] = dict(name="own", data={"y": "n"}, residual=lambda x, y: x[:1] - y[:1])
    with pytest.raises(TypeError, match="start of 'x' came as <built-in function max>, whose arguments cannot be read"):
        Problem(**fields, params={"x": Param("n", start=max)})
    with pytest.raises(TypeError, match=r"sizes\['k'\] came as <built-in function min>.*lambda n: min\(n\)"):
        engine.solve(Problem(**fields, params={"x": "k"}, sizes={"k": min}), Y)
    for model, words in ((np.power, "Python code"), (max, "cannot be read"), (Own, "the class"), (yielding, "generator")):
        with pytest.raises(TypeError, match=f"curve_fit: model.*{words}"):
            problems.curve_fit(model)

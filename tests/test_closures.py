"""Captured arrays are inputs under each of their names, read at every call; numbers and helpers are fixed at declaration."""

from __future__ import annotations

import collections
import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import engine
import problems
from engine import Param, Problem, places
from engine.closures import freeze
from engine.errors import TraceError
from engine.solvers import GradientDescent

Y = np.ones((1, 2))
BACKENDS = pytest.mark.parametrize("backend", ["numpy", "torch"])


def declared(residual: Callable[..., Any]) -> Problem:
    return Problem(name="p", data={"y": "n"}, params={"x": Param("n", start="zeros")}, residual=residual)


def solved(problem: Problem, backend: str = "numpy", y: Any = Y) -> Any:
    """The x at which `x - f(y)` vanishes, in one step of gradient descent."""
    return np.asarray(engine.solve(problem, y, solver=GradientDescent(1.0), tol=0, max_steps=1, backend=backend)["x"])[0].tolist()


def pair() -> Any:
    return np.array([1.0, 2.0])


W = V = pair()


@pytest.mark.parametrize("backend", ["numpy", "torch", "fused"])
def test_one_array_under_two_names_is_two_inputs(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = declared(lambda x, y: x - y * W - V)
    assert solved(problem, backend) == [2, 4]
    monkeypatch.setitem(globals(), "V", np.zeros(2))
    assert solved(problem, backend) == [1, 2]
    monkeypatch.setitem(globals(), "W", np.array([5.0, 5.0]))
    assert solved(problem, backend) == [5, 5]


@BACKENDS
def test_one_container_under_two_names_is_two_inputs(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = second = [pair(), {"W": pair()}]
    problem = declared(lambda x, y: x - y * first[1]["W"] - second[1]["W"])
    assert solved(problem, backend) == [2, 4]
    second = [pair(), {"W": np.zeros(2)}]
    assert solved(problem, backend) == [1, 2]


REBOUND = {
    "a float": (3.0, [3, 3]),
    "an int": (3, [3, 3]),
    "a truth": (True, [1, 1]),
    "a NumPy scalar": (np.float32(4), [4, 4]),
    "a scalar array": (np.array(5.0), [5, 5]),
    "an array of whole numbers": (np.array([7, 8]), [7, 8]),
    "an array of another dtype": (np.array([7, 8], np.float32), [7, 8]),
    "an array of another rank": (np.array([[7.0], [8.0]])[:, 0], [7, 8]),
    "a reversed view": (np.array([8.0, 7.0])[::-1], [7, 8]),
    "a tensor": (torch.tensor([7.0, 8.0]), [7, 8]),
}


@BACKENDS
def test_a_name_that_held_an_array_is_followed_to_an_array_or_a_number(backend: str) -> None:
    value: Any = pair()
    problem = declared(lambda x, y: x - y * value)
    assert solved(problem, backend) == [1, 2]
    for name, (value, expected) in REBOUND.items():  # noqa: B007
        assert solved(problem, backend) == expected, name
    value = pair()
    assert solved(problem, backend) == [1, 2]


WRONG = {
    "None": (None, "is now None"),
    "a list": ([1.0, 2.0], r"is now \[1.0, 2.0\]"),
    "a text": ("x" * 999, "is now 'xxx"),
    "a function": (len, "is now <built-in"),
    "a complex number": (1j, "complex128"),
    "an array of objects": (np.ones(2, object), "dtype object"),
    "a masked array": (np.ma.array([1.0, 2.0], mask=[False, True]), "masked array; .*filled"),
    "an array that does not fit": (np.ones(3), "residual raised"),
}


@BACKENDS
def test_a_name_that_holds_nothing_usable_any_more_is_refused_by_name(backend: str) -> None:
    value: Any = pair()
    problem = declared(lambda x, y: x - y * value)
    assert solved(problem, backend) == [1, 2]
    for value, words in WRONG.values():  # noqa: B007
        with pytest.raises((TypeError, ValueError), match=f"problem 'p'.*{words}") as error:
            solved(problem, backend)
        assert "residual captures value, which was" in str(error.value) or "residual" in str(error.value)
        assert len(str(error.value)) < 500
    value = pair()
    assert solved(problem, backend) == [1, 2]


def test_a_name_or_member_that_is_gone_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    box, row = {"W": pair()}, [1.0, (pair(),)]
    problem = declared(lambda x, y: x - y * V - box["W"] - row[1][0])  # type: ignore[index]
    assert solved(problem) == [3, 6]
    box = {}
    with pytest.raises(TypeError, match=r"residual captures box\['W'\], which was an array .* is gone; expected an array or a"):
        solved(problem)
    for wrong in (None, 3.0, pair()):
        box = wrong  # type: ignore[assignment]
        with pytest.raises(TypeError, match=r"box\['W'\]"):
            solved(problem)
    box, row = {"W": pair()}, [1.0]
    with pytest.raises(TypeError, match=r"row\[1\]\[0\]"):
        solved(problem)
    row = [1.0, (pair(),)]
    monkeypatch.delitem(globals(), "V")
    with pytest.raises(TypeError, match=r"residual captures V, which .* is gone"):
        solved(problem)


def test_a_view_shows_what_is_written_to_its_base() -> None:
    base = np.array([9.0, 1.0, 2.0])
    view = base[1:]
    problem = declared(lambda x, y: x - y * view)
    assert solved(problem) == [1, 2]
    base[:] = 7.0
    assert solved(problem) == [7, 7]
    base = np.zeros(3)
    assert solved(problem) == [7, 7]


Pair = collections.namedtuple("Pair", ["W", "k"])


class Settings(dict):  # type: ignore[type-arg]
    """A dict whose members are attributes too."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


CONTAINERS: dict[str, tuple[Callable[[Any, float], Any], Callable[[Any, Any], Any]]] = {
    "a dict": (lambda w, k: {"W": w, "k": k}, lambda c, y: y * c["W"] * c["k"]),
    "a tuple": (lambda w, k: (w, k), lambda c, y: y * c[0] * c[1]),
    "a list of a thousand": (lambda w, k: [w, k, *range(1500)], lambda c, y: y * c[0] * c[1]),
    "a named tuple": (Pair, lambda c, y: y * c.W * c.k),
    "an ordered dict": (lambda w, k: collections.OrderedDict(W=w, k=k), lambda c, y: y * c["W"] * c["k"]),
    "a dict with defaults": (lambda w, k: collections.defaultdict(int, W=w, k=k), lambda c, y: y * c["W"] * c["k"] + c["none"]),
    "a deque": (lambda w, k: collections.deque([w, k]), lambda c, y: y * c[0] * c[1]),
    "a read-only mapping": (lambda w, k: types.MappingProxyType({"W": w, "k": k}), lambda c, y: y * c["W"] * c["k"]),
    "a class of the user's": (lambda w, k: Settings(W=w, k=k), lambda c, y: y * c.W * c.k),
    "containers in containers": (lambda w, k: {1: [(w,), {None: k}]}, lambda c, y: y * c[1][0][0] * c[1][1][None]),
}


@BACKENDS
def test_arrays_in_containers_are_inputs_and_numbers_there_are_fixed(backend: str) -> None:
    names = CONTAINERS if backend == "numpy" else ["a named tuple", "a class of the user's", "containers in containers"]
    for make, use in (CONTAINERS[name] for name in names):
        holder = make(pair(), 2.0)
        problem = declared(lambda x, y, use=use: x - use(holder, y))  # noqa: B023
        holder = make(pair(), 9.0)
        assert solved(problem, backend) == [2, 4]
        holder = make(np.array([5.0, 6.0]), 9.0)
        assert solved(problem, backend) == [10, 12]


def test_numbers_in_mutable_containers_and_objects_are_fixed_at_declaration() -> None:
    row, box, some, thing = [2.0], {"k": 3.0}, {4.0}, types.SimpleNamespace(k=5.0)
    problem = declared(lambda x, y: x - y * (row[0] + box["k"] + max(some) + thing.k))
    row[0] = box["k"] = thing.k = 100.0
    some.add(100.0)
    assert solved(problem) == [14, 14]


class Model:
    """A user's object: a residual as its method, as its call, and helpers."""

    def __init__(self, W: Any, k: float = 1.0) -> None:
        self.W, self.k, self.inner, self.itself = W, k, {"V": W}, self

    def __call__(self, x: Any, y: Any) -> Any:
        return x - self.value(y)

    def residual(self, x: Any, y: Any) -> Any:
        return x - self.itself.value(y)

    def value(self, y: Any) -> Any:
        return self.k * y * (self.W + self.inner["V"])


USES: dict[str, Callable[[Model], Callable[..., Any]]] = {
    "a bound method": lambda model: model.residual,
    "a callable object": lambda model: model,
    "a helper object": lambda model: lambda x, y: x - model.value(y),
    "a helper method": lambda model: (lambda value: lambda x, y: x - value(y))(model.value),
    "a partial function of an object": lambda model: functools.partial(lambda own, x, y: own(x, y), model),
    "an argument with a default": lambda model: lambda x, y, own=model: own(x, y),
}


@pytest.mark.parametrize(
    ("name", "backend"), [(name, "numpy") for name in USES] + [("a bound method", "fused"), ("a callable object", "torch")]
)
def test_attributes_of_an_object_that_are_arrays_are_inputs(name: str, backend: str) -> None:
    model = Model(pair())
    problem = declared(USES[name](model))
    assert solved(problem, backend) == [2, 4]
    model.W, model.k = np.zeros(2), 100.0
    assert solved(problem, backend) == [1, 2]
    model.inner["V"][:] = 5.0
    assert solved(problem, backend) == [5, 5]
    model.inner = None  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"residual captures Model.inner\['V'\], which was an array"):
        solved(problem, backend)


def test_an_object_that_cannot_be_copied_or_has_no_attributes_stays_what_it_is() -> None:
    class Sentinel:
        """Told by its identity."""

    class Single:
        """Refuses copies."""

        k = 2.0

        def __init__(self) -> None:
            self.lock = 1

        def __reduce_ex__(self, protocol: Any) -> Any:
            raise RuntimeError("there is one")

    nothing, single = Sentinel(), Single()
    problem = declared(lambda x, y, given=nothing: x - y * (single.k if given is nothing else 0.0))
    assert solved(problem) == [2, 2]


def test_a_rebound_helper_is_fixed_and_its_arrays_are_read_at_every_call() -> None:
    weight = pair()

    def helper(y: Any) -> Any:
        return y * weight

    problem = declared(lambda x, y: x - helper(y))
    assert solved(problem) == [1, 2]
    helper = lambda y: 100 * y  # noqa: F811
    assert solved(problem) == [1, 2]
    weight = np.array([3.0, 4.0])
    assert solved(problem) == [3, 4]


def test_defaults_and_attributes_of_functions_that_are_arrays_are_inputs() -> None:
    def residual(x: Any, y: Any, v: Any = pair(), *, w: Any = pair()) -> Any:  # noqa: B008
        return x - y * v - w - residual.u  # type: ignore[attr-defined]

    residual.u = pair()  # type: ignore[attr-defined]
    problem = declared(residual)
    assert solved(problem) == [3, 6]
    residual.u = np.zeros(2)  # type: ignore[attr-defined]
    assert solved(problem) == [2, 4]
    residual.__defaults__, residual.__kwdefaults__ = (np.zeros(2),), {"w": 7.0}
    assert solved(problem) == [7, 7]
    residual.__defaults__ = ()
    with pytest.raises(TypeError, match=r"residual captures residual.__defaults__\[0\], which was an array"):
        solved(problem)


def test_a_wrapped_function_keeps_its_signature_and_a_recursive_one_meets_itself() -> None:
    def wrapped(function: Any) -> Any:
        return functools.wraps(function)(lambda *args, **named: function(*args, **named))

    def power(y: Any, k: int) -> Any:
        return y if k == 0 else weight * power(y, k - 1)

    weight = pair()
    problem = declared(wrapped(lambda x: x - power(weight, 2)))
    assert solved(problem) == [1, 8]
    weight = np.array([2.0, 3.0])
    assert solved(problem) == [8, 27]


def test_a_container_that_holds_itself_is_no_endless_loop() -> None:
    looped: list[Any] = [pair()]
    looped.append(looped)
    problem = declared(lambda x, y: x - y * looped[0] - looped[1][1][0])
    assert solved(problem) == [2, 4]
    node = types.SimpleNamespace(W=pair())
    node.parent = types.SimpleNamespace(child=node)
    problem = declared(lambda x, y: x - y * node.parent.child.W)
    node.W = np.array([3.0, 4.0])
    assert solved(problem) == [3, 4]


class Holder:
    """Arrays that no variable holds."""

    array: Any = np.ones(2)
    tensor = torch.tensor([1.0, 2.0], dtype=torch.float64)


@pytest.mark.parametrize(("side", "backend"), [("left", "torch"), ("right", "fused")])
def test_an_array_that_is_no_variable_is_refused_instead_of_frozen(side: str, backend: str) -> None:
    hidden = declared((lambda x, y: x - y * Holder.array) if side == "right" else lambda x, y: x - Holder.array * y)
    with pytest.raises(TypeError, match=r"problem 'p'.*[Cc]apture"):
        solved(hidden, backend)
    frozen = declared((lambda x, y: x - y * Holder.tensor) if side == "right" else lambda x, y: x - Holder.tensor * y)
    with pytest.raises(TypeError, match=r"problem 'p'.*reads a tensor that it did not capture.*capture the tensor as a variable"):
        solved(frozen, backend)
    made = declared(lambda x, y: x - y * torch.tensor([1.0, 2.0], dtype=y.dtype))
    assert solved(made, backend) == [1, 2]


def test_functions_of_this_project_are_followed_wherever_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "is_installed", lambda file: True)
    x, sigma = np.arange(5.0), np.array([1.0, 2.0, 1.0, 2.0, 1.0])
    fit = problems.curve_fit(lambda x, a, b: a * x + b, sigma=sigma)
    solution = engine.solve(fit, {"x": x, "y": x + sigma}, backend="torch")
    assert np.isfinite(solution.covariance()).all()


def test_a_compiled_map_reads_what_its_names_hold_and_runs_as_it_is_without_an_array() -> None:
    weight: Any = pair()
    f: Any = engine.jit(engine.vmap(lambda a: a * (1.0 if weight is None else weight)))
    assert f(Y).tolist() == [[1, 2]] and f.plan == "fused: one native kernel"
    weight = np.array([3.0, 4.0])
    assert f(Y).tolist() == [[3, 4]] and f.plan == "fused: one native kernel"
    weight = None
    assert f(Y).tolist() == [[1, 1]] and "which was an array" in f.plan


def test_functions_bound_at_once_in_several_threads_keep_their_own_arrays() -> None:
    from concurrent.futures import ThreadPoolExecutor

    weight = pair()

    def twice(n: int) -> Any:
        return weight * n if n < 2 else twice(n - 1)

    frozen = freeze(twice)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda k: float(frozen.rebuild([np.array([float(k)])])(50)[0]), range(400)))
    assert found == [float(k) for k in range(400)]


COUNT = 0
TABLE = None


def counted() -> float:
    global COUNT
    COUNT += 1
    return 1.0


def tabled() -> Any:
    global TABLE
    if TABLE is None:
        TABLE = np.arange(3.0)
    return TABLE


@pytest.mark.parametrize("backend", ["auto", "torch", "numpy"])
def test_a_name_outside_that_is_written_is_refused_where_it_changes(backend: str) -> None:
    def counting() -> Callable[..., Any]:
        calls = 0

        def residual(c: Any, y: Any) -> Any:
            nonlocal calls
            calls += 1
            return c - y

        return residual

    cases: list[tuple[Callable[..., Any], str]] = [
        (lambda c, y: counted() * c - y, "COUNT"),
        (counting(), "calls"),
        (lambda c, y: c * tabled() - y, "TABLE"),
    ]
    for residual, name in cases:
        problem = Problem("own", {"y": "3"}, {"c": Param("", start=1.0)}, residual=residual)
        with pytest.raises(TraceError, match=f"residual .*changes '{name}', a name outside of it: .* write instead: "):
            engine.solve(problem, np.ones(3), backend=backend)

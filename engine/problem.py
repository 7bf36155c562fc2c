"""The declaration: what a user says about ONE matrix. Checked when it is made, immutable afterwards.

Needs `axes` to parse, `closures` to fix what the declared functions see, `domains` for where parameters live.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field, fields
from types import MappingProxyType
from typing import Any
from weakref import WeakValueDictionary

from backends.arrays import is_array
from backends.renamed import renamed
from engine import axes as _axes
from engine import portable
from engine.closures import CapturedFunction, freeze
from engine.domains import Domain, Real
from engine.domains.contract import check as check_domain
from engine.errors import DeclarationError
from engine.signatures import is_compiled, parameters, wrapping

Function = Callable[..., Any]
STARTS = ("normal", "uniform", "zeros", "eye")


BY_ID: WeakValueDictionary[int, Problem] = WeakValueDictionary()
"""All problems by their ids: code that torch.compile traces knows an object by its id alone."""


@dataclass(frozen=True, eq=False)
class Param:
    """A named unknown: its axes, the domain it lives in, and where a solve starts.

    Args:
        axes: axis names in einops words, `"m n"`, or `""` for a scalar.
        domain: where the parameter lives; `engine.domains.Real()` by default.
        start: `"normal"`, `"uniform"`, `"zeros"`, `"eye"`, a number, an array of the parameter's shape, or a
            pure function of one lane's data, called with the data that it names; params that share a function share
            one call, which may return a dict of them all. A random start is one draw,
            shared by all lanes.

    Raises:
        TypeError, ValueError: axes that are no names, an unknown start or domain.

    Example:
        >>> Param("n n", start="eye").axes
        'n n'
    """

    axes: str
    domain: Domain = field(default_factory=Real)
    start: Any = "normal"

    def __post_init__(self) -> None:
        _axes.parse(self.axes, "Param")
        check_domain(self.domain, "Param")
        if isinstance(self.start, str) and self.start not in STARTS:
            raise DeclarationError(
                f"Param: start came as {self.start!r}; expected one of {STARTS}, a number, an array or a function"
            )


class _Params:
    """The type of `Problem.params`: written as `Param`s or bare axes, read as `Param`s.

    A data descriptor as dataclasses know them: one that raises AttributeError for the class itself has no default.
    """

    def __get__(self, problem: Problem | None, owner: type[Problem]) -> Mapping[str, Param]:
        if problem is None:
            raise AttributeError("params")
        found: Mapping[str, Param] = vars(problem)["params"]
        return found

    def __set__(self, problem: Problem, value: Mapping[str, Param | str]) -> None:
        vars(problem)["params"] = value


@dataclass(frozen=True, eq=False)
class Problem:
    r"""A matrix problem: a pure loss over named parameters, for ONE matrix, no batch axis anywhere.

    The loss of a residual problem is `sum_k weights[k] * mean(r_k**2)`, the mean of squares.

    Declared functions are pure, see one lane, and are written with operators, NumPy's functions (`np.exp`, `np.sum`,
    `np.where`, `np.linalg.norm`), `scipy.special` or the namespace of an array (`A.__array_namespace__()`), on any backend.
    `np.eye(3)` and other arrays of numbers alone are constants in the lane's dtype. Reading a value (`float(x)`, `if`, `.item()`),
    writing to an argument, files, draws and functions without a meaning for one lane raise TypeError at `engine.solve`, before
    anything is compiled: `problem 'p': loss (line 3, float(x)) turns ...: why; write instead: ...`.

    Args:
        name: what it is called in messages and plans.
        data: name -> axes of one matrix; sizes are read off the data, one name has one size.
        params: name -> `Param`, or its axes as a bare string.
        residual: pure function of the named arrays that returns an array or a dict of arrays; or
        loss: pure function of the named arrays that returns a scalar. Exactly one of the two.
        weights: block name -> number (0 or more), default 1 each; a bare number for a residual of one block.
        sizes: axes that no datum carries: a number, or a function of other axes, `{"k": lambda m, n: min(m, n)}`.
        exact: True when the residual is zero at a solution, and success is a vanishing residual; False when
            success is a stationary point.
        finish: pure function of the named arrays that returns a dict of changed params: the canonical form.
        measures: name -> pure function of the named arrays, extra figures per lane.
        solver: the default solver; None lets the plan choose.
        derived: name -> function of a `Solution`, called when it is asked for: `solution.name()`.
        specialise: function of the data by name as they came, before they are checked, that returns a Problem and its
            data: for a declaration that depends on which data there are, or on their ranks. Its name before version 0.2
            was `adapt`.

    Raises:
        TypeError, ValueError: at once, naming the field, what came and what was expected.

    Example:
        >>> line = Problem(name="line", data={"x": "m", "y": "m"}, params={"a": "", "b": ""},
        ...                residual=lambda a, b, x, y: a * x + b - y)
        >>> list(line.params)
        ['a', 'b']
    """

    name: str
    data: Mapping[str, str]
    params: _Params = _Params()
    residual: Function | None = None
    loss: Function | None = None
    weights: Mapping[str, float] | float | None = None
    sizes: Mapping[str, int | Callable[..., int]] = field(default_factory=dict)
    exact: bool = False
    finish: Function | None = None
    measures: Mapping[str, Function] = field(default_factory=dict)
    solver: Any = None
    derived: Mapping[str, Function] = field(default_factory=dict)
    specialise: Callable[[Any], tuple[Problem, Any]] | None = None
    adapt: InitVar[Callable[[Any], tuple[Problem, Any]] | None] = None

    axes: Mapping[str, tuple[str, ...]] = field(init=False, repr=False)
    frozen: Mapping[str, CapturedFunction] = field(init=False, repr=False)
    memory: dict[Any, Any] = field(init=False, repr=False)  # what was worked out for it; a table elsewhere would keep it alive

    def __post_init__(self, adapt: Callable[[Any], tuple[Problem, Any]] | None) -> None:
        if adapt is not None:
            renamed("Problem(adapt=)", "specialise=", stacklevel=4)
            self._fix("specialise", adapt)
        if not isinstance(self.name, str) or not self.name:
            raise DeclarationError(f"Problem: name came as {self.name!r}; expected a non-empty string")
        where = f"problem {self.name!r}"
        for kind in ("data", "params", "sizes", "measures", "derived"):
            if not isinstance(getattr(self, kind), Mapping):
                raise DeclarationError(f"{where}: {kind} came as {getattr(self, kind)!r}; expected a mapping from names")
        params = {name: self._param(name, value) for name, value in self.params.items()}
        self._fix("params", MappingProxyType(params))
        for kind in ("data", "sizes", "measures", "derived"):
            self._fix(kind, MappingProxyType(dict(getattr(self, kind))))
        self._check_names(where)
        owners = {name: f"{where}: {name}" for name in (*self.data, *params)}
        texts = {**self.data, **{name: param.axes for name, param in params.items()}}
        self._fix("axes", MappingProxyType({name: _axes.parse(text, owners[name]) for name, text in texts.items()}))
        self._check_bounds(where)
        self._check_losses(where)
        self._fix("frozen", MappingProxyType(dict(self._declared(where))))
        self._fix("memory", {})
        BY_ID[id(self)] = self

    def __copy__(self) -> Problem:
        """The problem itself, which cannot change."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Problem:
        """A problem with copies of its arrays, those that its functions captured among them; it compiles anew."""
        if id(self) not in memo:
            taken, _ = portable.settled(self._fields(), self.frozen, lambda arrays: copy.deepcopy(arrays, memo))
            memo[id(self)] = Problem(**copy.deepcopy(taken, memo))
        found: Problem = memo[id(self)]
        return found

    def __reduce__(self) -> Any:
        """Pickle the declaration, lambdas as code; functions have the numbers that were fixed, and captured arrays as they are."""
        return portable.unpacked, (Problem, portable.packed(*portable.settled(self._fields(), self.frozen, list)))

    def _fields(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.init}

    def _fix(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _param(self, name: str, value: object) -> Param:
        if isinstance(value, str):
            return Param(value)
        if not isinstance(value, Param):
            raise DeclarationError(
                f"problem {self.name!r}: param {name!r} came as {value!r}; expected Param('n n') or a string of axes"
            )
        return value

    def _check_names(self, where: str) -> None:
        if not self.params:
            raise DeclarationError(f"{where}: params is empty; expected at least one unknown, such as {{'X': 'n n'}}")
        for name in (*self.data, *self.params):
            if not isinstance(name, str) or not name.isidentifier():
                raise DeclarationError(f"{where}: {name!r} is no name; expected a Python identifier")
        both = sorted(set(self.data) & set(self.params))
        if both:
            raise DeclarationError(f"{where}: {both[0]!r} is both a datum and a param; expected one of them: rename one")

    def _check_bounds(self, where: str) -> None:
        for name, param in self.params.items():
            for datum in param.domain.names:
                if datum not in self.data:
                    raise DeclarationError(
                        f"{where}: param {name!r}: its domain reads the datum {datum!r}, which is not declared; "
                        f"expected one of {sorted(self.data)}: declare it in data="
                    )
            for end, shape in param.domain.bound_shapes:
                if len(shape) > len(self.axes[name]):
                    raise DeclarationError(
                        f"{where}: param {name!r}: {end} of its domain came with shape {shape}; expected a number, or an array with "
                        f"the axes of the param, ({param.axes})"
                    )

    def _check_losses(self, where: str) -> None:
        given = [kind for kind in ("residual", "loss") if getattr(self, kind) is not None]
        if len(given) != 1:
            what = "both residual and loss" if given else "neither residual nor loss"
            raise DeclarationError(f"{where}: got {what}; expected exactly one: drop or add one")
        if self.weights is not None and self.residual is None:
            raise DeclarationError(f"{where}: weights came with a loss; expected them with a residual: weigh inside the loss")
        if not isinstance(self.exact, bool):
            raise DeclarationError(f"{where}: exact came as {self.exact!r}; expected True or False")
        if self.exact and self.residual is None:
            raise DeclarationError(f"{where}: exact=True came with a loss; expected a residual that vanishes: declare residual=")
        weights = self.weights if isinstance(self.weights, Mapping) else {"": 1.0 if self.weights is None else self.weights}
        for block, weight in weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
                raise DeclarationError(f"{where}: weights[{block!r}] came as {weight!r}; expected a finite number, 0 or more")

    def _declared(self, where: str) -> Any:
        """Snapshots of all declared functions, by role."""
        names = (*self.params, *self.data)
        for role in ("residual", "loss", "finish"):
            function = getattr(self, role)
            if function is not None:
                yield role, _checked(function, names, f"{where}: {role}")
        for name, function in self.measures.items():
            yield f"measures.{name}", _checked(function, names, f"{where}: measures[{name!r}]")
        for name, param in self.params.items():
            if callable(param.start) and not is_array(param.start):
                yield f"start.{name}", _checked(param.start, tuple(self.data), f"{where}: start of {name!r}")


def _checked(function: Any, names: tuple[str, ...], owner: str) -> CapturedFunction:
    """The frozen function, after a look at its arguments."""
    for argument in parameters(function, owner, names).values():
        if argument.kind in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL):
            continue
        if argument.kind is argument.POSITIONAL_ONLY:
            remedy = wrapping(function, names) if is_compiled(function) else "drop the /"
            raise DeclarationError(
                f"{owner}: argument {argument.name!r} is positional only; functions are called by keyword: {remedy}"
            )
        if argument.name not in names and argument.default is argument.empty:
            raise DeclarationError(
                f"{owner}: argument {argument.name!r} is not declared; expected some of {', '.join(names)}: rename it"
            )
    return freeze(function)

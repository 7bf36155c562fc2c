"""The contract of a backend, which knows nothing of problems or solvers.

A backend turns pure functions of ONE lane into batched ones. It needs only this file, derives from `Backend`, and offers:

1.  `name`, `library`               what it is called; whose arrays it computes with
2.  `load`, `unload`                arrays in and out of its library, without a copy where that can be
3.  `jvp`, `vjp`                    derivatives of one-lane functions, with JAX's signatures;
                                    arguments may be nested dicts, tuples and lists of arrays
4.  `vmap`                          batching of a user's own function
5.  `prepare`                       a `Program` bound to shapes and dtypes: traced, checked, compiled
6.  `Executable.iterate`            run a prepared program over many lanes until each says it is done

The last one is the performance-critical one. What a lane does after it is done, how lanes are packed,
refilled, chunked and threaded is the backend's business, and results may not depend on it.

The rest has a default: gradients, Jacobians and Hessians from `jvp` and `vjp` (`derived`), `load_lanes` and `load_shared`, for the
inputs of a whole solve, from `load`,
`jit`, `once`, `examine`, `lookup`, `keep`, `declared`, `meaning` and `map_lanes` that do nothing special, `describe`. `contract` checks what is handed in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from backends import derived
from backends.arrays import to_lanes
from backends.errors import Unsupported
from backends.renamed import keep_old_names, renamed
from backends.types import Array, Axes, ScalarFunction
from backends.types import State as State

Inputs = dict[str, Array]
Function = Callable[..., Any]

RUNNING = -1
"""The value of a lane's `status` while it wants more steps."""


@dataclass(frozen=True)
class Anatomy:
    """Properties of a function of a vector that hold at any numbers.

    reach         for each entry of the vector, a host array of the entries of the result that depend on it
    polynomial    whether it is a polynomial of its entries with constants of ordinary size
    regular       whether its derivative is finite wherever its value is, but for overflow
    """

    reach: tuple[Any, ...]
    polynomial: bool
    regular: bool


@dataclass(frozen=True)
class Program:
    """The whole solve of ONE lane as four pure functions.

    init         inputs -> state. The state is a nested dict or `Record` of arrays; `state["status"]` is a scalar int8.
    step         (inputs, state) -> state, one iteration; `state["loss"]` is the loss before that step.
    terminate    (inputs, state) -> state, with `status` other than RUNNING when the lane is done.
    postprocess  (inputs, state) -> results, a nested dict of arrays.
    every        steps between two tests; the first test comes before the first step.
    size         about how many operations a step is written out in, where that grows with the unknowns (see `too_large`).
    key          gives a name that the same functions have in every process, and no others; an empty one where there is none.
    users        inputs -> a tree: the parts of the four that are not this project's own, called once as they are. None: all of
                 it may be a user's. Whoever traces looks here for numbers of one lane that are frozen in, and at the four only where it is None.
    """

    init: Callable[[Inputs], State]
    step: Callable[[Inputs, Any], State]
    terminate: Callable[[Inputs, Any], State]
    postprocess: Callable[[Inputs, Any], dict[str, Any]]
    every: int
    key: Callable[[], str] = str
    size: int = 0
    users: Callable[[Inputs], Any] | None = None

    @property
    def test(self) -> Callable[[Inputs, Any], State]:
        """`terminate`, by its name before version 0.2."""
        renamed("Program.test", "Program.terminate")
        return self.terminate

    @property
    def finish(self) -> Callable[[Inputs, Any], dict[str, Any]]:
        """`postprocess`, by its name before version 0.2."""
        renamed("Program.finish", "Program.postprocess")
        return self.postprocess


LARGEST = 1500
"""Size of a program above which compilers take minutes and gigabytes."""


def too_large(program: Program) -> str:
    """Why a program is not compiled, known before anything is traced; empty where it may be."""
    if program.size <= LARGEST:
        return ""
    return f"a step of about {program.size:,} operations, more than {LARGEST:,}, would compile for minutes"


@dataclass(frozen=True)
class Run:
    """Arguments of one `iterate` call beside the arrays.

    lanes        how many lanes; batched inputs have it as their leading axis
    shared       names of the inputs that have no lane axis
    max_steps    steps of a lane after which it is tested last
    history      keep the loss before every k-th step; 0 for none
    progress     called with the number of lanes that are done
    """

    lanes: int
    shared: frozenset[str]
    max_steps: int
    history: int = 0
    progress: Callable[[int], None] | None = None


@dataclass(frozen=True)
class Outcome:
    """Results with a leading lane axis; `history` is (lanes, rows) or None; `lane_steps` counts idle ones too, and is an array
    without axes where the results lie on a device that is still at work on them.

    compile_s    seconds of this call that went into compiling, not running
    kernel       what ran, for the plan, where that shows only at run time
    """

    results: dict[str, Any]
    history: Array | None
    lane_steps: int | Array
    compile_s: float = 0.0
    kernel: str = ""


class Executable:
    """A prepared program; `about` says for the plan what runs, where `Backend.describe` says less."""

    about: str = ""

    @abstractmethod
    def iterate(self, inputs: dict[str, Any], run: Run) -> Outcome:
        """Run every lane until its status says that it is done."""
        raise NotImplementedError


class Backend:
    """The base class of backends. The methods marked abstract are a backend's own to write; the others have defaults.

    name        as in `backends.NAMES`
    library     whose arrays it computes with: "numpy", "torch" or "jax"
    closures    whether a derivative may be of a function that closes over what an outer derivative perturbs
    compiles    whether it needs the machine's C++ compiler
    """

    name: str = ""
    library: str = ""
    closures: bool = False
    compiles: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        """Methods by their names before version 0.2 count as written."""
        super().__init_subclass__(**options)
        keep_old_names(cls, {"remembered": "cached"})

    def describe(self) -> str:
        """A phrase for the kernel that runs a program, for `print(solution.plan)`, unless an `Outcome` says it better."""
        return f"backend {self.name!r}"

    @abstractmethod
    def load(self, array: Array | float, dtype: str | None = None, device: Any = None) -> Any:
        """An array of this backend's library, without a copy where dtype, strides and device allow."""
        raise NotImplementedError

    @abstractmethod
    def unload(self, array: Any, library: str) -> Any:
        """An array of another library, without a copy where that can be."""
        raise NotImplementedError

    def load_lanes(self, array: Array, batch: tuple[int, ...], rank: int, dtype: str, device: Any = None) -> Any:
        """An array whose axes before the last `rank` broadcast to `batch`, as lanes: one axis in front, the last one fastest.

        What is returned has `shape`, `dtype`, a length, and its lanes by number; it goes to this backend's `iterate`.
        """
        return self.load(to_lanes(array, batch, rank), dtype, device)

    def load_shared(self, array: Array | float, dtype: str | None, device: Any = None) -> Any:
        """An array or number that all lanes share, for this backend's `iterate`, in the dtype given."""
        return self.load(array, dtype, device)

    @abstractmethod
    def jvp(self, f: Function, primals: Sequence[object], tangents: Sequence[object], has_aux: bool = False) -> Any:
        """(value, tangent), or (value, tangent, aux)."""
        raise NotImplementedError

    @abstractmethod
    def vjp(self, f: Function, *primals: object, has_aux: bool = False) -> Any:
        """(value, pullback), or (value, pullback, aux); pullback(cotangent) is a tuple, one tree for each primal."""
        raise NotImplementedError

    def value_and_grad(self, f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        """args -> (value, gradient), or ((value, aux), gradient)."""
        return derived.value_and_grad(self.vjp, f, argnums, has_aux)

    def grad(self, f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        """args -> gradient, or (gradient, aux)."""
        return derived.grad(self.value_and_grad(f, argnums, has_aux), has_aux)

    def jacfwd(self, f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        """args -> Jacobian, or (Jacobian, aux), by columns."""
        return derived.jacfwd(self.jvp, f, argnums, has_aux)

    def jacrev(self, f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        """args -> Jacobian, or (Jacobian, aux), by rows."""
        return derived.jacrev(self.vjp, f, argnums, has_aux)

    def hessian(self, f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
        """args -> second derivatives of a scalar, or (second derivatives, aux)."""
        return self.jacfwd(self.jacrev(f, argnums, has_aux), argnums, has_aux)

    @abstractmethod
    def vmap(self, f: Function, in_axes: Axes = 0, out_axes: Axes = 0) -> Function:
        """A function of one lane over the lanes of its arguments."""
        raise NotImplementedError

    def map_lanes(
        self, f: Function, in_axes: int | tuple[int | None, ...] | None = 0, out_axes: int | tuple[int, ...] = 0
    ) -> Function:
        """vmap as one compiled kernel; a call raises Unsupported or TraceError where there is none for its arguments."""
        raise Unsupported(f"backend {self.name!r} makes no kernels of functions")

    def jit(self, f: Function) -> Function:
        """A compiled function; the function itself where there is nothing to compile."""
        return f

    def once(self) -> AbstractContextManager[None]:
        """A context for a few evaluations, in which nothing is loaded to compile them."""
        return nullcontext()

    def examine(self, f: Callable[[Array], Array], x: Any) -> Anatomy | None:
        """The anatomy of a function from a vector to a vector, by its operations; None where they cannot be seen."""
        return None

    def declared(self, inputs: Iterable[Array]) -> AbstractContextManager[None]:
        """A context in which a user's function runs on these arrays: NumPy's functions work on them, writing to them does not."""
        return nullcontext()

    def meaning(self, function: Function) -> Function | None:
        """A function of SciPy's on this backend's arrays, where NumPy's protocols do not reach it; by default there is none."""
        return None

    def lookup(self, key: str) -> Any:
        """A value that was kept under a key, perhaps by another process; None where there is none."""
        return None

    def keep(self, key: str, value: object) -> None:
        """Keep a value, of nested lists and dicts of numbers and strings, for `lookup`; by default and under an empty key not."""

    def cached(self, key: str, make: Callable[[], Any]) -> Any:
        """The value that is kept under a key, else one that is made, and kept."""
        found = self.lookup(key)
        if found is None:
            found = make()
            self.keep(key, found)
        return found

    @abstractmethod
    def prepare(self, program: Program, example: Mapping[str, Array], shared: frozenset[str], device: Any = None) -> Executable:
        """Make a program ready for lanes like the example, host arrays, on a device; all lanes share some of the inputs.

        Raises TraceError for a function that is not pure, Unsupported where another backend should be asked.
        """
        raise NotImplementedError


keep_old_names(Backend, {"remembered": "cached"})

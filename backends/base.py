"""The contract of a backend, which knows nothing of problems or solvers.

A backend turns pure functions of ONE lane into batched ones. It needs only this file, and offers:

1.  `name`, `library`               what it is called; whose arrays it computes with
2.  `load`, `unload`                arrays in and out of its library, without a copy where that can be;
    `load_lanes`, `load_shared`     inputs of a whole solve
3.  `grad`, `value_and_grad`        derivatives of one-lane functions, with JAX's signatures;
    `jvp`, `vjp`, `jacfwd`,         arguments may be nested dicts, tuples and lists of arrays
    `jacrev`, `hessian`
4.  `vmap`, `jit`                   batching and compiling of a user's own function;
    `once`                          a context for a few evaluations, in which nothing is loaded to compile them
    `examine`                       a function taken apart without its numbers
5.  `prepare`                       a `Program` bound to shapes and dtypes: traced, checked, compiled
6.  `remembered`                    what was worked out under a key before, perhaps in another process
7.  `Executable.iterate`            run a prepared program over many lanes until each says it is done

The last one is the performance-critical one. What a lane does after it is done, how lanes are packed,
refilled, chunked and threaded is the backend's business, and results may not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

Array = Any
Inputs = dict[str, Array]
State = dict[str, Any]
Function = Callable[..., Any]

RUNNING = -1
"""The value of a lane's `status` while it wants more steps."""


class TraceError(TypeError):
    """A declared function does something that cannot be traced faithfully."""


class Unsupported(Exception):
    """A backend cannot run this program, or not on this machine; the text says what stands in the way."""


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

    init    inputs -> state. The state is a nested dict of arrays; `state["status"]` is a scalar int8.
    step    (inputs, state) -> state, one iteration; `state["loss"]` is the loss before that step.
    test    (inputs, state) -> state, with `status` other than RUNNING when the lane is done.
    finish  (inputs, state) -> results, a nested dict of arrays.
    every   steps between two tests; the first test comes before the first step.
    size    about how many operations a step is written out in, where that grows with the unknowns (see `too_large`).
    key     gives a name that the same functions have in every process, and no others; an empty one where there is none.
    users   inputs -> a tree: whatever of the four is not this project's own, called once as it is. None: all of it may be a
            user's. Whoever traces looks here for numbers of one lane that are frozen in, and at the four only where it is None.
    """

    init: Callable[[Inputs], State]
    step: Callable[[Inputs, State], State]
    test: Callable[[Inputs, State], State]
    finish: Callable[[Inputs, State], dict[str, Any]]
    every: int
    key: Callable[[], str] = str
    size: int = 0
    users: Callable[[Inputs], Any] | None = None


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
    """Results with a leading lane axis; `history` is (lanes, rows) or None; `lane_steps` counts idle ones too.

    compile_s    seconds of this call that went into compiling, not running
    kernel       what ran, for the plan, where that shows only at run time
    """

    results: dict[str, Any]
    history: Array | None
    lane_steps: int
    compile_s: float = 0.0
    kernel: str = ""


class Executable(Protocol):
    """A prepared program; `about` says for the plan what runs, where the backend's name does not."""

    about: str

    def iterate(self, inputs: Inputs, run: Run) -> Outcome:
        """Run every lane until its status says that it is done."""
        ...


class Backend(Protocol):
    """The operations listed at the top of this file."""

    name: str
    library: str
    closures: bool
    """Whether a derivative may be of a function that closes over what an outer derivative perturbs."""

    def load(self, array: Array, dtype: str | None = None, device: Any = None) -> Array: ...
    def load_shared(self, array: Array, dtype: str | None, device: Any = None) -> Array:
        """An array or number that all lanes share, for this backend's `iterate`, in the dtype given."""
        ...

    def load_lanes(self, array: Array, batch: tuple[int, ...], rank: int, dtype: str, device: Any = None) -> Array:
        """An array whose axes before the last `rank` broadcast to `batch`, as lanes: one axis in front, the last one fastest.

        What is returned has `shape`, `dtype`, a length, and its lanes by number; it goes to this backend's `iterate`.
        """
        ...

    def unload(self, array: Array, library: str) -> Array: ...
    def grad(self, f: Function, argnums: Any = 0, has_aux: bool = False) -> Function: ...
    def value_and_grad(self, f: Function, argnums: Any = 0, has_aux: bool = False) -> Function: ...
    def jvp(self, f: Function, primals: Any, tangents: Any, has_aux: bool = False) -> Any: ...
    def vjp(self, f: Function, *primals: Any, has_aux: bool = False) -> Any: ...
    def jacfwd(self, f: Function, argnums: Any = 0, has_aux: bool = False) -> Function: ...
    def jacrev(self, f: Function, argnums: Any = 0, has_aux: bool = False) -> Function: ...
    def hessian(self, f: Function, argnums: Any = 0, has_aux: bool = False) -> Function: ...
    def vmap(self, f: Function, in_axes: Any = 0, out_axes: Any = 0) -> Function: ...
    def jit(self, f: Function) -> Function: ...
    def once(self) -> AbstractContextManager[None]: ...
    def examine(self, f: Callable[[Array], Array], x: Array) -> Anatomy | None:
        """The anatomy of a function from a vector to a vector, by its operations; None where they cannot be seen."""
        ...

    def remembered(self, key: str, make: Callable[[], Any]) -> Any: ...
    def prepare(self, program: Program, example: Mapping[str, Array], shared: frozenset[str], device: Any = None) -> Executable:
        """Make a program ready for lanes like the example, host arrays, on a device; all lanes share some of the inputs.

        Raises TraceError for a function that is not pure, Unsupported where another backend should be asked.
        """
        ...

"""Types of arrays and of what functions of one lane take, which say their shapes.

Arrays are NumPy's, torch's, or those that a tracer passes: `Array` has the attributes of all of them, and an array namespace returns
more of them. Types of one library (`torch.Tensor`, `np.ndarray`) belong into that library's backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, SupportsFloat

from backends.record import Record

if not TYPE_CHECKING:
    from array_api_compat import array_namespace


class Array(Protocol):
    """An array of any shape, real, with operators and indices as in the array-API standard."""

    @property
    def shape(self) -> Any:
        """Sizes of the axes."""

    @property
    def ndim(self) -> int:
        """The number of axes."""

    @property
    def dtype(self) -> Any:
        """The dtype, in the array's own library."""

    def __eq__(self, other: Any, /) -> Array: ...  # type: ignore[override]
    def __ne__(self, other: Any, /) -> Array: ...  # type: ignore[override]
    def __iter__(self) -> Iterator[Array]: ...
    def __getitem__(self, key: Any, /) -> Array: ...
    @property
    def T(self) -> Array:
        """The transpose of a matrix."""

    def __array__(self) -> Any: ...
    def __float__(self) -> float: ...
    def __bool__(self) -> bool: ...
    def __len__(self) -> int: ...
    def __add__(self, other: Any, /) -> Array: ...
    def __radd__(self, other: Any, /) -> Array: ...
    def __sub__(self, other: Any, /) -> Array: ...
    def __rsub__(self, other: Any, /) -> Array: ...
    def __mul__(self, other: Any, /) -> Array: ...
    def __rmul__(self, other: Any, /) -> Array: ...
    def __truediv__(self, other: Any, /) -> Array: ...
    def __rtruediv__(self, other: Any, /) -> Array: ...
    def __floordiv__(self, other: Any, /) -> Array: ...
    def __pow__(self, other: Any, /) -> Array: ...
    def __matmul__(self, other: Any, /) -> Array: ...
    def __neg__(self) -> Array: ...
    def __invert__(self) -> Array: ...
    def __and__(self, other: Any, /) -> Array: ...
    def __rand__(self, other: Any, /) -> Array: ...
    def __or__(self, other: Any, /) -> Array: ...
    def __lt__(self, other: Any, /) -> Array: ...
    def __le__(self, other: Any, /) -> Array: ...
    def __gt__(self, other: Any, /) -> Array: ...
    def __ge__(self, other: Any, /) -> Array: ...


class Operation(Protocol):
    """A function of an array namespace, or a part of it with more of them (`linalg`)."""

    def __call__(self, *args: Any, **kwargs: Any) -> Array: ...
    def __getattr__(self, name: str) -> Operation: ...


class Namespace(Protocol):
    """An array namespace: its functions return arrays, but for those that are named here."""

    finfo: Callable[..., Any]
    linalg: Any
    frexp: Callable[..., tuple[Array, Array]]
    int64: Any
    int32: Any
    int8: Any
    bool: Any

    def __getattr__(self, name: str) -> Operation: ...


if TYPE_CHECKING:

    def array_namespace(*arrays: object) -> Namespace:
        """That of array_api_compat, with a type."""


class Scalar(Array, Protocol):
    """An array of shape `()`: one number of the lane."""


class Vector(Array, Protocol):
    """An array of shape `(n,)`, such as tangent coordinates."""


class Matrix(Array, Protocol):
    """An array of shape `(m, n)`."""


Params = dict[str, Array]
"""Parameter name -> its array, in the declared shape, of one lane."""

Inputs = dict[str, Array]
"""Input name (`data.A`, `setting.0`, `tol` ...) -> its array, of one lane."""

Blocks = dict[str, Array]
"""Block name -> its array: parts of a residual in their own shapes, or diagonal blocks `(count, k, k)` of a curvature."""

State = Record | dict[str, Any]
"""Entry name -> an array, or a tree of them: a record of its own class, or a dict."""

Axes = int | Sequence["Axes"] | Mapping[str, "Axes"] | None
"""A lane axis, or a tree of them that may stop above the leaves of the arguments; None: not mapped."""

ScalarFunction = Callable[..., SupportsFloat | tuple[SupportsFloat, Any]]
"""A function of one lane that returns a number, or a number and an auxiliary output."""

Function = Callable[..., Any]
"""A function of one lane, with arrays or trees of them as arguments."""

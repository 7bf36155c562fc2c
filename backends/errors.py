"""The errors that this project raises on purpose, each still the built-in class that it is about. `engine.errors` has them all.

An error of usage says who, what came, what was expected, and a remedy. What the numbers do is a status, never an error.
"""

from __future__ import annotations


class LanewiseError(Exception):
    """Any error that this project raises on purpose.

    >>> issubclass(ArgumentError, LanewiseError) and issubclass(TraceError, LanewiseError)
    True
    """


class ArgumentError(LanewiseError, TypeError, ValueError):
    """An argument of a call: data, an option, a setting of a solver.

    >>> issubclass(ArgumentError, TypeError) and issubclass(ArgumentError, ValueError)
    True
    """


class ExtensionError(LanewiseError, TypeError, ValueError):
    """A solver, domain, backend or operation that does not keep its contract.

    >>> issubclass(ExtensionError, TypeError) and issubclass(ExtensionError, ValueError)
    True
    """


class TraceError(LanewiseError, TypeError):
    """A declared function does something that cannot be traced faithfully: it does `what`, `why` that fails, the remedy.

    All refusals read alike, `what: why; write instead: remedy`; whoever knows the problem puts its name, the function's and the
    line in front of them.

    >>> print(TraceError("branches on the value of an array", "no value is known yet", "np.where(condition, a, b)"))
    branches on the value of an array: no value is known yet; write instead: np.where(condition, a, b)
    """

    def __init__(self, what: str, why: str = "", remedy: str = "") -> None:
        super().__init__(f"{what}: {why}; write instead: {remedy}" if why else what)


class FileError(LanewiseError, ValueError):
    """A file that cannot be used: its name, what is wrong, what was expected.

    Example:
        >>> raise FileError("a.npy: is empty; expected a .npy or .npz file")
        Traceback (most recent call last):
        backends.errors.FileError: a.npy: is empty; expected a .npy or .npz file
    """


class Unsupported(LanewiseError):
    """A backend cannot run this program, or not on this machine; the text says what stands in the way.

    Example:
        >>> raise Unsupported("native kernels run on the CPU, the data is on cuda")
        Traceback (most recent call last):
        backends.errors.Unsupported: native kernels run on the CPU, the data is on cuda
    """


class CompilerMissing(Unsupported):
    """A backend that needs a C++ compiler found none that works; the text says which it looked for, and a remedy."""

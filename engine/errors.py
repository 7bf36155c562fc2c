"""The errors of this project: catch one class, or `LanewiseError` for all. Each is still the built-in class that it is about.

    LanewiseError             everything below
      ArgumentError           an argument of a call: data, an option, a setting of a solver     TypeError, ValueError
      DeclarationError        a Problem or Param that is declared wrongly                       TypeError, ValueError
      DeclaredFunctionError   a declared function raised, or returned something else            TypeError, ValueError
      TraceError              a declared function that cannot be traced faithfully              TypeError
      ExtensionError          a solver, domain, backend or operation that breaks its contract   TypeError, ValueError
      FileError               a file that cannot be used                                        ValueError
      SolveError              lanes that did not converge, with check="raise"                   RuntimeError
      Unsupported             a backend that cannot run a program; another one is asked

Needs nothing of the engine.
"""

from __future__ import annotations

from typing import Any

from backends.errors import ArgumentError, ExtensionError, FileError, LanewiseError, TraceError, Unsupported

__all__ = [
    "ArgumentError", "DeclarationError", "DeclaredFunctionError", "ExtensionError", "FileError", "LanewiseError", "SolveError",
    "TraceError", "Unsupported",
]  # fmt: skip


class DeclarationError(LanewiseError, TypeError, ValueError):
    """A Problem or Param that is declared wrongly: the field, what came, what was expected.

    >>> from engine import Param
    >>> Param("n, n")
    Traceback (most recent call last):
    engine.errors.DeclarationError: Param: axis 'n,' in 'n, n' is no name; expected names or numbers, such as 'm n'
    """


class DeclaredFunctionError(LanewiseError, TypeError, ValueError):
    """A declared function raised, or returned something that its role does not take; the function's own error is `__cause__`.

    >>> import engine
    >>> bad = engine.Problem(name="bad", data={"A": "n n"}, params={"X": "n n"}, residual=lambda X, A: {}["A"])
    >>> try:
    ...     engine.solve(bad, [[1.0]], backend="numpy")
    ... except DeclaredFunctionError as error:
    ...     print(repr(error.__cause__))
    KeyError('A')
    """


class SolveError(LanewiseError, RuntimeError):
    """Some lanes did not converge; `solution` is the `Solution` with everything that was found.

    Example:
        >>> raise SolveError("3 of 10 lanes failed")
        Traceback (most recent call last):
        engine.errors.SolveError: 3 of 10 lanes failed
    """

    def __init__(self, message: str, solution: Any = None) -> None:
        super().__init__(message)
        self.solution = solution

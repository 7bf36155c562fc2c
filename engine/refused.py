"""The sentence with which a declared function is refused: problem, function, line, what it does, why that fails, the remedy."""

from __future__ import annotations

import linecache
import re
from types import TracebackType

from backends.errors import TraceError


def refused(problem: str, role: str, function: object, error: TraceError) -> TraceError:
    """The refusal with its place.

    >>> print(refused("own", "loss", None, TraceError("branches on a value", "it is not known", "np.where(condition, a, b)")))
    problem 'own': loss branches on a value: it is not known; write instead: np.where(condition, a, b)
    """
    return TraceError(f"problem {problem!r}: {role}{place(function, error)} {error}")


def of_torch(error: BaseException) -> TraceError | None:
    """A refusal in the place of torch's own words for what a declared function cannot do; None for other errors.

    >>> print(of_torch(RuntimeError("derivative for aten::floor_divide is not implemented")))
    calls floor_divide: torch has no derivative of it; write instead: functions that have one, or backend='numpy'
    """
    words = str(error)
    missing = re.search(
        r"derivative for (?:aten::|')(\w+).* is not implemented|forward AD with (?:aten::)?(\w+) that does not", words
    )
    if missing:
        name = missing[1] or missing[2]
        found = TraceError(f"calls {name}", "torch has no derivative of it", "functions that have one, or backend='numpy'")
    elif "vmap" in words and "`self` not being vmapped" in words:
        found = TraceError(
            "writes numbers of a lane into an array that it made", "all lanes would share that array",
            "np.where(condition, value, x), or np.stack and np.concatenate of the parts",
        )  # fmt: skip
    elif isinstance(error, AttributeError) and words.startswith("'Tensor' object has no attribute"):
        found = TraceError(
            f"asks for {words.rpartition(' ')[2]}", "the arrays of one lane have it not", "np's functions, or operators"
        )
    else:
        return None
    return found.with_traceback(error.__traceback__)


def place(function: object, error: BaseException) -> str:
    """The line of the user's own file where it happened, and the expression, where the file can be read."""
    code = getattr(function, "__code__", None)
    trace, at = error.__traceback__, None
    while trace is not None:
        if code is not None and trace.tb_frame.f_code.co_filename == code.co_filename:
            at = trace
        trace = trace.tb_next
    if at is None:
        return ""
    text = _expression(at)
    return f" (line {at.tb_lineno}, {text})" if text else f" (line {at.tb_lineno})"


def _expression(trace: TracebackType) -> str:
    """The expression that runs in a frame, where it stands on one line."""
    code = trace.tb_frame.f_code
    first, last, start, end = list(code.co_positions())[trace.tb_lasti // 2]
    if first is None or first != last:
        return ""
    return linecache.getline(code.co_filename, first).encode()[start:end].decode(errors="replace").strip()

"""Refusals of declared functions, in the same words on every backend: what it does, why that fails, the remedy."""

from __future__ import annotations

UNKNOWN = "one lane is traced for all lanes, and its numbers are not theirs"
WHERE = "np.where(condition, a, b)"
ARRAY = "operators and NumPy's functions of the array itself, np.exp(x) for math.exp(x)"
AS_ARRAY = "x itself for np.asarray(x), np.stack([a, b]) for np.array([a, b])"

VALUES: dict[str, tuple[str, str, str]] = {
    "__bool__": ("branches on the value of an array", UNKNOWN, WHERE),
    "__float__": ("turns an array into a Python float", UNKNOWN, f"{ARRAY}, {WHERE} for a choice"),
    "__int__": ("turns an array into a Python int", UNKNOWN, ARRAY),
    "__index__": ("uses an array's value as an index or a size", UNKNOWN, f"a fixed index or size, or {WHERE}"),
    "item": ("reads an array's value with item()", UNKNOWN, "the array itself: x[0] is one too"),
    "tolist": ("reads an array's values with tolist()", UNKNOWN, "the array itself: x[0] is one too"),
}
"""Methods that read numbers."""

NUMPY = ("turns an array into a NumPy array", UNKNOWN, AS_ARRAY)
RANDOM = (
    "a declared function is a pure function, and its numbers would be frozen in",
    "a datum: draw the numbers before, and pass them as data",
)
WRITES = (
    "writes to an array that it was given",
    "the array is the lane's, and others read it",
    "x = x + 1 for x += 1, np.where(condition, value, x) for x[...] = value, or np.copy(x) first",
)
HIDDEN = (
    "it would be frozen in, whatever it holds later",
    "the array as a variable of its own, which the function can capture, or as data",
)
MEANING = "it has no meaning on the arrays of one lane"
REMEDIES = {
    "piecewise": "np.select(conditions, choices), or np.where",
    "unique": "np.where with a condition: a shape may not depend on values",
    "histogram": "sums of np.where with conditions",
    "apply_along_axis": "operators and functions of the whole array, with axis=",
    "vectorize": "the function itself, of the whole array, with np.where for if",
}
REMEDY = "operators and functions that have one, such as np.where, np.sum, np.dot or np.linalg.solve"

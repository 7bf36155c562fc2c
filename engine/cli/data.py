"""Files of the command line as the data of a problem: by name, or in order. Needs `npz_read` to read them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from engine import Problem
from engine.errors import FileError
from engine.io.npz_read import read


def load(problem: Problem, files: Sequence[str]) -> dict[str, Any]:
    """Datum -> array.

    `NAME=FILE` is that datum. The arrays of an npz file whose names are all data go by name; every other array
    is the next datum in order of declaration that is not given yet, an npz's own numbering (arr_0, ...) included.

    Raises:
        FileError: by file: what cannot be read, fits no datum, or comes twice.
    """
    given: dict[str, Any] = {}
    unnamed: list[tuple[str, Any]] = []
    for text in files:
        name, path = split(text)
        arrays = read(path)
        if name and len(arrays) > 1:
            arrays = {key: value for key, value in arrays.items() if key == name} or arrays
        if len(arrays) != 1 and (name or not arrays):
            raise FileError(f"{path}: holds the arrays {sorted(arrays)}; expected one for datum {name or 'in order'!r}")
        for key, array in arrays.items():
            word = name or (key if key in problem.data else "")
            if word:
                _put(problem, given, word, array, path)
            elif key == "" or len(arrays) == 1 or key.startswith("arr_"):
                unnamed.append((path, array))
            else:
                raise FileError(f"{path}: problem {problem.name!r} has no datum {key!r}; expected {', '.join(problem.data)}")
    free = [datum for datum in problem.data if datum not in given]
    for path, array in unnamed:
        if not free:
            raise FileError(f"{path}: is one array too many; problem {problem.name!r} has the data {', '.join(problem.data)}")
        _put(problem, given, free.pop(0), array, path)
    return given


def check_output(output: str, files: Sequence[str]) -> None:
    """Raises FileError where the answers would take the place of their own input, or have the name of another kind of file."""
    if os.path.splitext(output)[1].lower() not in ("", ".npz"):
        raise FileError(f"{output}: answers are an npz file; expected a name that ends with .npz")
    for path in (split(text)[1] for text in files):
        if os.path.exists(output) and os.path.exists(path) and os.path.samefile(output, path):
            raise FileError(f"{output}: is an input, too; expected another file for the answers: it would be overwritten")


def split(text: str) -> tuple[str, str]:
    """`NAME=FILE` in two; no name where what stands before `=` is none (write ./a=b.npy for such a file).

    >>> split("A=a.npy"), split("a.npy"), split("./a=b.npy")
    (('A', 'a.npy'), ('', 'a.npy'), ('', './a=b.npy'))
    """
    name, equals, path = text.partition("=")
    return (name, path) if equals and name.isidentifier() else ("", text)


def _put(problem: Problem, given: dict[str, Any], name: str, array: Any, path: str) -> None:
    if name not in problem.data:
        raise FileError(f"{path}: problem {problem.name!r} has no datum {name!r}; expected {', '.join(problem.data)}")
    if name in given:
        raise FileError(f"{path}: datum {name!r} came twice; expected it once")
    given[name] = array

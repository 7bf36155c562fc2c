"""The front, `import lanewise as lw`: all names of `engine`, and the catalogue as `lw.problems`.

    >>> import lanewise as lw, numpy as np
    >>> lw.solve(lw.problems.inverse(), np.diag([2.0, 4.0]))["X"].round(6).diagonal().tolist()
    [0.5, 0.25]

The packages behind it have common names. A file of such a name beside a script does not keep them from being imported; a warning
names the file, as the script could not import it any more. A module of such a name that is loaded already raises ImportError.
"""

import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_ROOT = os.path.dirname(os.path.abspath(__file__))
_PACKAGES = ("backends", "engine", "problems")


def _is_own(name: str, file: str | None) -> bool:
    return file is not None and os.path.realpath(file) == os.path.realpath(os.path.join(_ROOT, name, "__init__.py"))


@contextmanager
def _first_on_path() -> Iterator[None]:
    """This project's packages are found before files of the same names."""
    for name in _PACKAGES:
        if name in sys.modules:
            file = getattr(sys.modules[name], "__file__", None)
            if not _is_own(name, file):
                raise ImportError(f"lanewise: {file} is loaded as {name!r}, the name of a package of lanewise: rename this file")
            continue
        found = importlib.util.find_spec(name)
        if found is not None and not _is_own(name, found.origin):
            warnings.warn(
                f"{found.origin or name} has the name of a package of lanewise, and `import {name}` gives that package: rename this file",
                ImportWarning if found.origin is None else UserWarning,
                stacklevel=4,
            )
    sys.path.insert(0, _ROOT)
    try:
        yield
    finally:
        sys.path.remove(_ROOT)


with _first_on_path():
    import engine
    import problems
    from engine import *  # noqa: F403
    from engine.version import VERSION as __version__

__all__ = [*engine.__all__, "__version__", "problems"]


def main() -> int:
    """The command line `lanewise`."""
    from engine.cli import main

    return main()

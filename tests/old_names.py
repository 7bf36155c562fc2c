"""Names of a private language that words of the field replace: `python -m tests.old_names` counts the uses that are left.

`OLD` lists old names by the files in which they have the old meaning. Words that the field uses too in those files (`where`, `test`,
`row`) are left out. Identifiers count, keys of a state (strings that are one word), and module names; prose does not.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]

OLD = {
    "*.py": "TROUBLE trouble curving tamed bends lends EVERY steepest _heed _judges _in_full _as_before _Teller _Untold Frozen "
    "discover spoken Spoken reroute Hoisted hoisted Carried carried abreast _settle_outputs close_ranks",
    "engine/*.py": "identity leave captures readers pull lift units adapt",
    "engine/lane/*.py": "Lane _fit _rest FAR still shown idle",
    "engine/solvers/*.py": "growth mark since idle judge begin spread squares",
    "engine/certificate/*.py": "magnitude taken still",
    "backends/*.py": "curves host reading writing repeat remembered notes",
    "backends/numpy/*.py": "Lane",
    "backends/torch/*.py": "guard REFUSED lean record Recorded polish uniform make_uniform home lines",
    "backends/fused/*.py": "rooms rare Rare wanted apart goes Place Tables Leaf chained hot PIECE PATIENT SHARE SHORT meanings "
    "Lowering grid _drawn _through _simpler _dots pick sink moved pairs",
    "backends/fused/native/*.h": "MOVED CARRIED NCARRIED LAST NIN NST NRES NTMP put_away once saved Apart load_lanes",
}
"""Pattern of paths -> old names."""

ALIASES = frozenset({
    ("engine/problem.py", "adapt"), ("engine/solvers/levenberg_marquardt.py", "bends"), ("engine/solvers/base.py", "EVERY"),
    ("engine/domains/base.py", "lift"), ("engine/domains/base.py", "pull"), ("engine/domains/base.py", "steepest"),
    ("backends/base.py", "remembered"), ("backends/__init__.py", "repeat"), ("backends/torch/numpy_functions.py", "repeat"),
})  # fmt: skip
"""Files in which an old name stays: public ones work for one release with a DeprecationWarning; `np.repeat` is NumPy's name."""


def product_files(root: Path = ROOT) -> dict[str, str]:
    """Path below the root -> text, of Python files and headers."""
    files = [file for folder in ("engine", "backends", "problems") for file in sorted((root / folder).rglob("*.*"))]
    return {file.relative_to(root).as_posix(): file.read_text() for file in files if file.suffix in (".py", ".h")}


def words(path: str, source: str) -> list[str]:
    """Identifiers, strings that are one word, and the module's name."""
    if path.endswith(".h"):
        return re.findall(r"\w+", re.sub(r"//.*|\"[^\"]*\"", "", source))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    plain = (token.string.strip("\"'") for token in tokens if token.type in (tokenize.NAME, tokenize.STRING))
    return [*(word for word in plain if word.isidentifier()), Path(path).stem]


def left(files: dict[str, str]) -> Counter[tuple[str, str]]:
    """(file, old name) -> how often it is left."""
    found: Counter[tuple[str, str]] = Counter()
    for path, source in files.items():
        old = {word for pattern, names in OLD.items() if fnmatch(path, pattern) for word in names.split()}
        found.update((path, word) for word in words(path, source) if word in old)
    return found


def main() -> None:
    """Print the count, deprecated aliases left out, and the names with their files."""
    found = Counter({use: count for use, count in left(product_files()).items() if use not in ALIASES})
    print(f"{sum(found.values())} uses of old names in {len({path for path, _ in found})} files")
    names: Counter[str] = Counter()
    for (_, word), count in found.items():
        names[word] += count
    for word, count in names.most_common():
        print(f"  {count:4}  {word:16} {', '.join(sorted({path for path, other in found if other == word})[:4])}")


if __name__ == "__main__":
    main()

"""A solver, backend, domain or operation that is wrong is refused when it is handed in: by name, what came, what was expected, a remedy."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engine.errors import ExtensionError
from tests.extensions import backends, domains, operations, solvers

TABLES = {"solver": solvers.WRONG, "backend": backends.WRONG, "domain": domains.WRONG, "operation": operations.WRONG}
ROWS = [pytest.param(*row, id=f"{kind}-{name}") for kind, table in TABLES.items() for name, row in table.items()]


@pytest.mark.parametrize("hand_in, words", ROWS)
def test_it_is_refused_with_words_that_help(hand_in: Any, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.torch import iterate

    started: list[Any] = []
    monkeypatch.setattr(iterate.TorchExecutable, "iterate", lambda *a: started.append(a))
    with pytest.raises(ExtensionError) as caught:
        hand_in()
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"{missing} not in: {caught.value}"
    assert re.search(r"; expected .+", str(caught.value)), caught.value
    assert not started


def test_the_table_has_what_the_issue_asks_for() -> None:
    assert len(ROWS) >= 20

"""The machine in the stored JSON: its processor and versions, no name or path of it; and a run's own caches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Processor, Python, torch and threads."""
    cpu = machine_info.get("cpu", {})
    kept = {name: machine_info[name] for name in ("machine", "python_version") if name in machine_info}
    machine_info.clear()
    machine_info.update(kept | {"cpu": {"brand_raw": cpu.get("brand_raw", "unknown")}})
    machine_info.update({"torch": torch.__version__, "threads": torch.get_num_threads()})


def pytest_benchmark_update_commit_info(config: pytest.Config, commit_info: dict[str, Any]) -> None:
    """Which commit, and whether the tree had changes."""
    kept = {name: commit_info.get(name) for name in ("id", "time", "dirty")}
    commit_info.clear()
    commit_info.update(kept)


@pytest.fixture(scope="session", autouse=True)
def cold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Empty disk caches of compiled code: or what a first call compiles would depend on the runs before."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LANEWISE_CACHE", "TORCHINDUCTOR_CACHE_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp("cache")))
        yield

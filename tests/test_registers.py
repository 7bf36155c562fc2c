"""The committed table of what CUDA kernels use: it is of the texts that are written now, and nothing spills that must not.

`python -m bench.gpu.registers` writes the table; a text that has not changed is not compiled again, but for a few.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from backends.fused.build import nvrtc
from bench.gpu import registers
from bench.gpu.kernels import Call, written
from tests.nvrtc import needed

TABLE: dict[str, Any] = json.loads(registers.TABLE.read_text())
ROWS = {name: (call, dtype) for name, call, dtype in registers.ROWS}
SAMPLE = ("inverse n=2, gradient descent, float32", "inverse n=2, gradient descent, float64")
"""Rows that are compiled in every run: small ones."""

WITHOUT_SPILLS = (
    *(f"inverse n={n}, gradient descent, float32" for n in (2, 3, 4, 8)),
    *(f"curve_fit {model}, float32" for model in ("line", "decay", "peak", "two decays")),
)
AGAIN = "run python -m bench.gpu.registers, and look at what has changed"

same_torch = pytest.mark.skipif(
    not torch.__version__.startswith(TABLE["torch"]),
    reason=f"the table's texts come from torch {TABLE['torch']}, whose decompositions they hold",
)


def test_the_table_has_every_catalogue_problem_solver_and_dtype() -> None:
    import problems

    assert list(TABLE["kernels"]) == list(ROWS)
    for words in (*problems.catalogue(), "gradient descent", "Adam", "Levenberg-Marquardt", "Newton", "LBFGS"):
        assert {dtype for name, (_, dtype) in ROWS.items() if words in name} == {"float32", "float64"}, words
    devices = {"sm_{}{}".format(*capability) for capability in registers.CAPABILITIES}
    for name, row in TABLE["kernels"].items():
        assert devices == {"sm_80", "sm_90"} <= row.keys(), name
        for device in devices:
            assert {"lw_init", "lw_solve", "lw_postprocess"} <= row[device].keys(), name


@same_torch
@pytest.mark.parametrize(("name", "call"), [(name, call) for name, (call, dtype) in ROWS.items() if dtype == "float32"])
def test_the_table_is_of_the_texts_that_are_written(name: str, call: Call) -> None:
    row, kernel = TABLE["kernels"][name], written(call, "float32")
    assert registers.about(kernel).items() <= row.items(), AGAIN


@needed
@same_torch
@pytest.mark.parametrize("name", SAMPLE)
def test_a_text_uses_what_the_table_says(name: str) -> None:
    row, kernel = TABLE["kernels"][name], written(*ROWS[name])
    assert registers.about(kernel).items() <= row.items(), AGAIN
    if registers.versions()["nvrtc"] != TABLE["nvrtc"]:
        pytest.skip(f"the table is of NVRTC {TABLE['nvrtc']}, another version may use other registers")
    for capability in registers.CAPABILITIES:
        kept = dict(row["sm_{}{}".format(*capability)])
        kept.pop("seconds")
        assert registers.usage(kernel, capability) == kept, AGAIN


@pytest.mark.parametrize("name", WITHOUT_SPILLS)
def test_steps_that_must_not_spill_do_not(name: str) -> None:
    row = TABLE["kernels"][name]
    for device in ("sm_80", "sm_90"):
        hot = nvrtc.Usage(**row[device]["lw_solve"])
        assert (hot.spill_stores, hot.spill_loads, hot.stack) == (0, 0, 0), device
        assert hot.registers <= 255 and row["shared_bytes"] <= 99 * 1024, "of every device from compute capability 8.0 on"

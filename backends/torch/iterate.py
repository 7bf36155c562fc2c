"""Eager torch: a traced one-lane step, batched by vmap, over a pack of lanes from which done ones leave.

Needs `trace`. All lanes of a pack have taken the same number of steps. Between chunks of steps the lanes that
are done write their results, and the others are compacted. A pack has rows to spare where the code that runs it
would round a lane by its place (`TorchExecutable.width`); they hold a lane once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from backends.alone import ALONE
from backends.base import RUNNING, Executable, Inputs, Outcome, Program, Run, State
from backends.torch.trace import Traced, proven
from backends.tree import Tree, leaves, tree_map, unflatten

Batched = Callable[..., Tree]
Compile = Callable[[Traced], Batched]

MEMORY = 2**30
"""Bytes of a step's arrays above which the lanes go one pack after the other."""


def eager(traced: Traced) -> Batched:
    """A one-lane graph over a leading lane axis of every argument."""
    flat = torch.vmap(lambda *tensors: tuple(traced.graph(*tensors)))
    return lambda *arguments: unflatten(traced.output, list(flat(*traced.flat(arguments))))


class TorchExecutable(Executable):
    """A program traced for the shapes of one example lane."""

    def width(self, lanes: int) -> int:
        """Rows of a pack: at least two, as a batch of one takes other library kernels, which round differently."""
        return max(2, lanes)

    def __init__(self, program: Program, example: Mapping[str, Tensor], compile: Compile = eager) -> None:
        with ALONE:
            self._trace(program, example, compile)

    def _trace(self, program: Program, example: Mapping[str, Tensor], compile: Compile) -> None:
        lanes = proven(program, [random_lane(example, seed) for seed in (1, 2)])
        init = Traced(program.init, [(lane,) for lane in lanes])
        pairs = list(zip(lanes, init.results, strict=True))
        init.release()
        self.every = program.every
        self.example = dict(example)
        # what runs once a solve is not worth the seconds that a compiler takes
        postprocess, step, terminate = (
            Traced(f, pairs).release() for f in (program.postprocess, program.step, program.terminate)
        )
        self.init, self.postprocess = eager(init), eager(postprocess)
        self.step, self.terminate = compile(step), compile(terminate)
        self.most = max(2, MEMORY // max(1, *(graph.peak() for graph in (init, step, terminate, postprocess))))

    def iterate(self, inputs: dict[str, Any], run: Run) -> Outcome:
        """Run all lanes; see `backends.base`."""
        if run.lanes < 2:
            return self._widened(inputs, run)
        if run.lanes > self.most:
            return self._in_parts(inputs, run)
        with torch.no_grad():
            pack = Pack.start(self, inputs, run)
            while pack.lanes:
                pack.chunk(min(self.every, run.max_steps - pack.taken))
            return pack.outcome()

    def _in_parts(self, inputs: Inputs, run: Run) -> Outcome:
        """Some lanes after the others."""
        parts, done = [], 0
        for first in range(0, run.lanes, self.most):
            lanes = min(self.most, run.lanes - first)
            own = {name: a if name in run.shared else a[first : first + lanes] for name, a in inputs.items()}
            progress = None if run.progress is None else partial(_further, run.progress, done)
            parts.append(self.iterate(own, replace(run, lanes=lanes, progress=progress)))
            done += lanes
        results = tree_map(lambda *arrays: torch.cat(arrays), *(part.results for part in parts))
        histories: list[Any] = [part.history for part in parts if part.history is not None]
        history = _joined(histories) if run.history else None
        return Outcome(results, history, sum(part.lane_steps for part in parts))

    def _widened(self, inputs: dict[str, Tensor], run: Run) -> Outcome:
        """A batch of none or one, as the first of two equal lanes."""
        wide = {
            name: array
            if name in run.shared
            else (array if run.lanes else self.example[name][None].to(array)).expand(2, *array.shape[1:]).contiguous()
            for name, array in inputs.items()
        }
        steps = run.max_steps if run.lanes else 0
        if not run.lanes:
            wide["max_steps"] = wide["max_steps"] * 0
        report = run.progress
        progress = None if report is None else lambda done: report(min(done, run.lanes))
        outcome = self.iterate(wide, Run(2, run.shared, steps, run.history, progress))
        history = None if outcome.history is None else outcome.history[: run.lanes]
        results = tree_map(lambda array: array[: run.lanes], outcome.results)
        return Outcome(results, history, outcome.lane_steps // 2 * run.lanes)


@dataclass
class Pack:
    """The lanes still at work, where they belong, and what the done ones left."""

    executable: TorchExecutable
    run: Run
    all_inputs: dict[str, Tensor]
    inputs: dict[str, Tensor]
    state: State
    lane_ids: Tensor
    final: State
    history: list[Tensor] = field(default_factory=list)
    taken: int = 0
    lane_steps: int = 0

    @classmethod
    def start(cls, executable: TorchExecutable, inputs: dict[str, Tensor], run: Run) -> Pack:
        """Initial states of all lanes, tested once. A shared input is the same memory for every lane."""
        dense = {name: array.contiguous() for name, array in inputs.items()}
        wide = {name: array.expand(run.lanes, *array.shape) if name in run.shared else array for name, array in dense.items()}
        state = tree_map(Tensor.contiguous, executable.init(wide))
        lane_ids = torch.arange(run.lanes, device=state["status"].device)
        pack = cls(executable, run, wide, wide, state, lane_ids, tree_map(torch.empty_like, state))
        if executable.width(run.lanes) > run.lanes:
            pack.compact(lane_ids)
        pack.terminate()
        return pack

    @property
    def lanes(self) -> int:
        """How many lanes the pack holds; rows behind them are spare."""
        return len(self.lane_ids)

    def chunk(self, steps: int) -> None:
        """Some steps, a test, and out with the lanes that are done."""
        for k in range(self.taken, self.taken + steps):
            self.state = self.executable.step(self.inputs, self.state)
            self.lane_steps += self.lanes
            if self.run.history and k % self.run.history == 0:
                self.record_history()
        self.taken += steps
        self.terminate()

    def terminate(self) -> None:
        """Write the results of done lanes; keep the others."""
        self.state = self.executable.terminate(self.inputs, self.state)
        running = self.state["status"][: self.lanes] == RUNNING
        left = int(running.sum())
        if left == self.lanes:
            return
        for final, now in zip(leaves(self.final), leaves(self.state), strict=True):
            final[self.lane_ids] = now[: self.lanes]
        if self.run.progress is not None:
            self.run.progress(self.run.lanes - left)
        self.compact(running.nonzero()[:, 0])

    def compact(self, rows: Tensor) -> None:
        """Compact the pack; the first lane fills the spare rows."""
        self.lane_ids = self.lane_ids[rows]
        if not len(rows):
            return
        rows = torch.cat([rows, rows[:1].expand(self.executable.width(len(rows)) - len(rows))])
        self.state = tree_map(lambda array: array[rows], self.state)
        self.inputs = {
            name: array[:1].expand(len(rows), *array.shape[1:]) if name in self.run.shared else array[rows]
            for name, array in self.inputs.items()
        }

    def record_history(self) -> None:
        """The loss before the step just taken, of the lanes that are at work."""
        loss = self.state["loss"]
        row = torch.full((self.run.lanes,), torch.nan, dtype=loss.dtype, device=loss.device)
        running = self.state["status"] == RUNNING
        row[self.lane_ids] = torch.where(running, loss, torch.nan)[: self.lanes]
        self.history.append(row)

    def outcome(self) -> Outcome:
        """Finish all lanes in one batch."""
        results = self.executable.postprocess(self.all_inputs, self.final)
        return Outcome(results, self.rows(results["steps"]) if self.run.history else None, self.lane_steps)

    def rows(self, steps: Tensor) -> Tensor:
        """The history, (lanes, rows), up to the largest step count of any lane."""
        longest = int(steps.max()) if self.run.lanes else 0
        rows = self.history[: -(-longest // self.run.history)]
        return torch.stack(rows, dim=1) if rows else self.final["loss"][:, None][:, :0]


def _further(progress: Callable[[int], None], before: int, done: int) -> None:
    progress(before + done)


def _joined(histories: list[Tensor]) -> Tensor:
    """Histories of several packs, each as long as the longest."""
    longest = max(history.shape[1] for history in histories)
    return torch.cat([torch.nn.functional.pad(h, (0, longest - h.shape[1]), value=torch.nan) for h in histories])


def random_lane(example: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """A lane of the example's shapes; integer inputs keep their values, which may be indices."""
    generator = torch.Generator().manual_seed(seed)

    def draw(array: Tensor) -> Tensor:
        if not array.is_floating_point():
            return array
        return torch.randn(array.shape, generator=generator, dtype=array.dtype).abs().to(array.device) + 0.5

    return {name: draw(array) for name, array in example.items()}

"""Eager torch: a traced one-lane step, batched by vmap, over a pack of lanes from which done ones leave.

Needs `trace`. All lanes of a pack have taken the same number of steps. Between chunks of steps the lanes that
are done write their state home and the others close ranks, never below two: a batch of one takes other library
kernels, which round differently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from backends.base import RUNNING, Inputs, Outcome, Program, Run, State
from backends.torch.trace import Traced
from backends.tree import Tree, leaves, tree_map, unflatten

Batched = Callable[..., Tree]
Compile = Callable[[Traced], Batched]


def eager(traced: Traced) -> Batched:
    """A one-lane graph over a leading lane axis of every argument."""
    flat = torch.vmap(lambda *tensors: tuple(traced.graph(*tensors)))
    return lambda *arguments: unflatten(traced.output, list(flat(*traced.flat(arguments))))


class TorchExecutable:
    """A program traced for the shapes of one example lane."""

    def __init__(self, program: Program, example: Mapping[str, Tensor], compile: Compile = eager) -> None:
        lanes = [random_lane(example, seed) for seed in (1, 2)]
        init = Traced(program.init, [(lane,) for lane in lanes])
        states = [init(lane) for lane in lanes]
        pairs = list(zip(lanes, states, strict=True))
        self.every = program.every
        self.example = dict(example)
        # what runs once a solve is not worth the seconds that a compiler takes
        self.init, self.finish = eager(init), eager(Traced(program.finish, pairs))
        self.step, self.test = (compile(Traced(f, pairs)) for f in (program.step, program.test))

    def iterate(self, inputs: Inputs, run: Run) -> Outcome:
        """Run all lanes; see `backends.base`."""
        if run.lanes < 2:
            return self._widened(inputs, run)
        with torch.no_grad():
            pack = Pack.start(self, inputs, run)
            while pack.lanes:
                pack.chunk(min(self.every, run.max_steps - pack.taken))
            return pack.outcome()

    def _widened(self, inputs: Inputs, run: Run) -> Outcome:
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
    all_inputs: Inputs
    inputs: Inputs
    state: State
    home: Tensor
    final: State
    history: list[Tensor] = field(default_factory=list)
    taken: int = 0
    lane_steps: int = 0

    @classmethod
    def start(cls, executable: TorchExecutable, inputs: Inputs, run: Run) -> Pack:
        """Initial states of all lanes, tested once. A shared input is the same memory for every lane."""
        dense = {name: array.contiguous() for name, array in inputs.items()}
        wide = {name: array.expand(run.lanes, *array.shape) if name in run.shared else array for name, array in dense.items()}
        state = executable.test(wide, tree_map(Tensor.contiguous, executable.init(wide)))
        home = torch.arange(run.lanes, device=state["status"].device)
        final = tree_map(torch.empty_like, state)
        pack = cls(executable, run, wide, wide, state, home, final)
        pack.close_ranks()
        return pack

    @property
    def lanes(self) -> int:
        """How many lanes the pack holds."""
        return len(self.home)

    def chunk(self, steps: int) -> None:
        """Some steps, a test, and out with the lanes that are done."""
        for k in range(self.taken, self.taken + steps):
            self.state = self.executable.step(self.inputs, self.state)
            self.lane_steps += self.lanes
            if self.run.history and k % self.run.history == 0:
                self.record()
        self.taken += steps
        self.state = self.executable.test(self.inputs, self.state)
        self.close_ranks()

    def record(self) -> None:
        """The loss before the step just taken, of the lanes that are at work."""
        loss = self.state["loss"]
        row = torch.full((self.run.lanes,), torch.nan, dtype=loss.dtype, device=loss.device)
        row[self.home] = torch.where(self.state["status"] == RUNNING, loss, torch.nan)
        self.history.append(row)

    def close_ranks(self) -> None:
        """Write done lanes home; keep the rest, padded to two by a done one."""
        running = self.state["status"] == RUNNING
        left = int(running.sum())
        if left == self.lanes:
            return
        for home, now in zip(leaves(self.final), leaves(self.state), strict=True):
            home[self.home] = now
        if self.run.progress is not None:
            self.run.progress(self.run.lanes - left)
        keep = running.nonzero()[:, 0]
        if left == 1:
            keep = torch.cat([keep, (~running).nonzero()[:1, 0]])
        self.home = self.home[keep]
        self.state = tree_map(lambda array: array[keep], self.state)
        self.inputs = {
            name: array[: len(keep)] if name in self.run.shared else array[keep] for name, array in self.inputs.items()
        }

    def outcome(self) -> Outcome:
        """Finish all lanes in one batch."""
        results = self.executable.finish(self.all_inputs, self.final)
        return Outcome(results, self.rows(results["steps"]) if self.run.history else None, self.lane_steps)

    def rows(self, steps: Tensor) -> Tensor:
        """The history, (lanes, rows), up to the largest step count of any lane."""
        longest = int(steps.max()) if self.run.lanes else 0
        rows = self.history[: -(-longest // self.run.history)]
        return torch.stack(rows, dim=1) if rows else self.final["loss"][:, None][:, :0]


def random_lane(example: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """A lane of the example's shapes; integer inputs keep their values, which may be indices."""
    generator = torch.Generator().manual_seed(seed)

    def draw(array: Tensor) -> Tensor:
        if not array.is_floating_point():
            return array
        return torch.randn(array.shape, generator=generator, dtype=array.dtype).abs().to(array.device) + 0.5

    return {name: draw(array) for name, array in example.items()}

"""The cost of changes: a write with its read-back, and an optimizer step with an engine that has nothing to change.

    python benchmarks/change.py [--json] [--quick]

Everything is measured in this process, on one thread, on a network of three layers (64 x 256 x 256 x 1, batches of 64,
AdamW, dropout, normalisation). A binding's time is the median over its repeats, with the quartiles beside it. The cost
of an engine is measured in pairs of blocks, on the same loop with and without it alternately; a share is the median
over the pairs, with an interval from resampled pairs. Times are CPU seconds, so that other work on the machine matters
less.

The limit is for the engine that has nothing to change. It is compared with engines that watch one proven change,
and all of them, and with a loop that clips, weights and samples with Seedbed's objects instead of PyTorch's own.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import BatchSampler, DataLoader, TensorDataset

from seedbed.change import (
    BatchSize,
    Binding,
    ChangeEngine,
    ClipNorm,
    Delta,
    DropoutRate,
    Freeze,
    GroupSetting,
    LearningRate,
    LossWeight,
    LossWeights,
    MixtureSampler,
    MixtureWeight,
    OptimizerSetting,
    Parameter,
    RateRule,
    ResizableBatchSampler,
    Set,
    track_batches,
)
from seedbed.records import Journal

ENGINE_BAR = 0.005
ROWS, BATCH = 4096, 64

Found = dict[str, Any]


@final
@dataclass(frozen=True)
class Plan:
    """How much to measure: repeats of a write, pairs of blocks, and steps in a block."""

    repeats: int
    pairs: int
    block: int


FULL = Plan(repeats=500, pairs=200, block=20)
QUICK = Plan(repeats=50, pairs=6, block=5)


@final
class Loop:
    """A training loop; with `ours` it clips, weights and samples with Seedbed's objects, else with PyTorch's."""

    def __init__(self, *, ours: bool) -> None:
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.1), nn.Linear(256, 256)
        )
        self.model = nn.Sequential(self.body, nn.ReLU(), nn.Linear(256, 1))
        self.optimizer = AdamW(self.model.parameters(), lr=1e-4)
        self.scheduler = CosineAnnealingLR(self.optimizer, T_max=10**6)
        self.weights = LossWeights({"fit": 1.0, "size": 0.01})
        self.clip = ClipNorm(self.optimizer, 1.0)
        self.mixture = MixtureSampler({"all": ROWS // 2, "rest": ROWS // 2}, {"all": 1.0, "rest": 1.0}, ROWS, seed=0)
        self.batches = ResizableBatchSampler(self.mixture, BATCH, drop_last=True)
        self._ours = ours
        self._data = TensorDataset(torch.randn(ROWS, 64), torch.randn(ROWS, 1))
        self._feed = self._passes()

    def step(self) -> None:
        """One optimizer step."""
        x, y = next(self._feed)
        self.optimizer.zero_grad()
        out = self.model(x)
        fit, size = (out - y).square().mean(), out.square().mean()
        if self._ours:
            self.weights.combine({"fit": fit, "size": size}).backward()
            self.clip.clip(self.model.parameters())
        else:
            (1.0 * fit + 0.01 * size).backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.scheduler.step()

    def bindings(self) -> dict[str, Binding]:
        """A binding of every kind."""
        rate = LearningRate(self.optimizer, self.scheduler)
        return {
            "lr": rate,
            "weight decay": GroupSetting(self.optimizer, OptimizerSetting.WEIGHT_DECAY),
            "beta1": GroupSetting(self.optimizer, OptimizerSetting.BETA1),
            "beta2": GroupSetting(self.optimizer, OptimizerSetting.BETA2),
            "clip norm": self.clip,
            "loss weight": LossWeight(self.weights, "size", self.optimizer),
            "dropout": DropoutRate(self.model, self.optimizer),
            "batch size, lr": BatchSize(self.batches, self.optimizer, rate, RateRule.LINEAR),
            "mixture": MixtureWeight(self.mixture, "rest", self.optimizer),
            "freeze": Freeze(self.model, "0", self.optimizer),
        }

    def _passes(self) -> Iterator[list[Tensor]]:
        if self._ours:
            loader = DataLoader(self._data, batch_sampler=self.batches)
            return chain.from_iterable(track_batches(each, self.batches, self.mixture) for each in repeat(loader))
        drawn = torch.utils.data.RandomSampler(range(ROWS), replacement=True)
        loader = DataLoader(self._data, batch_sampler=BatchSampler(drawn, BATCH, drop_last=True))
        return chain.from_iterable(repeat(loader))


VALUES: Mapping[str, tuple[float, float]] = {
    "lr": (1e-4, 2e-4),
    "weight decay": (0.01, 0.02),
    "beta1": (0.9, 0.8),
    "beta2": (0.999, 0.99),
    "clip norm": (1.0, 2.0),
    "loss weight": (0.01, 0.02),
    "dropout": (0.1, 0.2),
    "batch size, lr": (BATCH, 2 * BATCH),
    "mixture": (1.0, 2.0),
    "freeze": (0.0, 1.0),
}
PROVEN = {name: value for name, (_, value) in VALUES.items() if name not in {"batch size, lr", "freeze"}}


def write_times(plan: Plan) -> Found:
    """Microseconds of a write and the read-back of each binding, back and forth: median and quartiles."""
    loop = Loop(ours=True)
    loop.step()
    found: Found = {}
    for name, binding in loop.bindings().items():
        spent = []
        for number in range(2 * plan.repeats):
            value = VALUES[name][1 - number % 2]
            begun = time.perf_counter_ns()
            binding.write(value)
            read = binding.read()
            spent.append(time.perf_counter_ns() - begun)
            if read != value:
                sys.exit(f"{name}: wrote {value!r} and read {read!r}")
        low, middle, high = np.quantile(np.array(spent) / 1000, [0.25, 0.5, 0.75])
        found[name] = {"median_us": float(middle), "quartiles_us": [float(low), float(high)]}
    return found


def engine_of(loop: Loop, folder: Path) -> ChangeEngine:
    """An engine with all bindings on a loop."""
    bindings = loop.bindings()
    parameters = [Parameter(name, "1", 0.0, 10_000.0) for name in bindings]
    return ChangeEngine(Journal.open(folder), bindings, parameters)


def with_changes(loop: Loop, file: Path, wanted: Mapping[str, float]) -> ChangeEngine:
    """An engine whose changes are made, proven and still watched."""
    engine = engine_of(loop, file)
    for name, value in wanted.items():
        engine.propose(Delta(name, Set(value), "the benchmark", "me"), step=0)
    for _ in range(3):
        loop.step()
    engine.require_effective()
    return engine


def step_costs(plan: Plan, folder: Path) -> Found:
    """The extra cost of each kind of loop over the one that it is compared with."""
    plain, ours = Loop(ours=False), Loop(ours=True)
    found: Found = {
        "nothing at all (the noise)": paired(plan, Arm(ours), Arm(ours)),
        "an engine with nothing to change": paired(plan, Arm(ours), Idle(ours, folder)),
    }
    for wanted in ({"lr": PROVEN["lr"]}, PROVEN):
        loop = Loop(ours=True)
        watched = Watched(loop, with_changes(loop, folder / f"{len(wanted)}.log", wanted))
        label = f"an engine that watches {len(wanted)} proven change{'s' if len(wanted) > 1 else ''}"
        found[label] = paired(plan, Arm(loop), watched)
    found["clip, loss weights and samplers of Seedbed"] = paired(plan, Arm(plain), Arm(ours))
    return found


class Arm:
    """One side of a comparison: a loop without an engine."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop

    def begin(self) -> None:
        """Called before a block; not measured."""

    def end(self) -> None:
        """Called after a block; not measured."""


@final
class Idle(Arm):
    """The same loop with an engine that has nothing to change."""

    def __init__(self, loop: Loop, folder: Path) -> None:
        super().__init__(loop)
        self._folder, self._number = folder, 0

    def begin(self) -> None:
        """Make a new engine."""
        self._number += 1
        self._engine = engine_of(self.loop, self._folder / f"idle{self._number}.log")

    def end(self) -> None:
        """Close the engine."""
        self._engine.close()


@final
class Watched(Arm):
    """The same loop with an engine that watches proven changes."""

    def __init__(self, loop: Loop, engine: ChangeEngine) -> None:
        super().__init__(loop)
        self._engine = engine
        engine.close()

    def begin(self) -> None:
        """Watch again; the first steps prove the values again."""
        self._engine.settle(0)
        for _ in range(2):
            self.loop.step()

    def end(self) -> None:
        """End the watches."""
        self._engine.require_effective()
        self._engine.close()


def paired(plan: Plan, without: Arm, with_it: Arm) -> Found:
    """The extra share of CPU seconds of `with_it` over `without`, and the microseconds of a step."""
    arms = (without, with_it)
    spent = np.zeros((plan.pairs, 2))
    for pair in range(-1, plan.pairs):  # the first pair warms up
        for side in (pair % 2, 1 - pair % 2):
            arms[side].begin()
            spent[max(pair, 0), side] = block(arms[side].loop.step, plan.block)
            arms[side].end()
    shares = spent[:, 1] / spent[:, 0] - 1
    low, high = interval(shares)
    step = float(np.median(spent[:, 0])) / plan.block * 1e6
    return {
        "share": float(np.median(shares)),
        "interval_95": [low, high],
        "extra_us_per_step": float(np.median(shares)) * step,
        "step_us": step,
        "pairs": plan.pairs,
        "steps_per_block": plan.block,
    }


def block(step: Callable[[], None], steps: int) -> float:
    """CPU seconds of that many steps."""
    begun = time.process_time()
    for _ in range(steps):
        step()
    return time.process_time() - begun


def interval(shares: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of the median, by resampling the pairs."""
    resampled = np.random.default_rng(0).choice(shares, (2000, len(shares)))
    low, high = np.quantile(np.median(resampled, axis=1), [0.025, 0.975])
    return float(low), float(high)


def verdict(cost: Found) -> bool | None:
    """Whether the cost is below the limit; None when the interval contains the limit."""
    low, high = cost["interval_95"]
    return True if high < ENGINE_BAR else False if low >= ENGINE_BAR else None


def show(found: Found) -> None:
    """Print the tables."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    writes = Table("binding", "median, µs", "quartiles, µs", title="write and read-back")
    for name, spent in found["writes"].items():
        low, high = spent["quartiles_us"]
        writes.add_row(name, f"{spent['median_us']:.1f}", f"{low:.1f} to {high:.1f}")
    console.print(writes)
    costs = Table(
        "beside the same loop without", "share of CPU time", "95 % interval", "µs a step", title="an optimizer step"
    )
    for name, cost in found["steps"].items():
        low, high = cost["interval_95"]
        costs.add_row(name, f"{cost['share']:+.2%}", f"{low:+.2%} to {high:+.2%}", f"{cost['extra_us_per_step']:+.1f}")
    console.print(costs)
    bar = found["bars"]["engine_with_nothing_to_change"]
    words = {True: "met", False: "missed", None: "inconclusive"}[bar["met"]]
    console.print(f"an engine with nothing to change, below {ENGINE_BAR:.1%} of a step: [bold]{words}[/bold]")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what changing costs.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.add_argument("--quick", action="store_true", help="few repeats and pairs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    plan = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        found: Found = {"quick": options.quick, "writes": write_times(plan), "steps": step_costs(plan, Path(folder))}
    cost = found["steps"]["an engine with nothing to change"]
    bar = {"value": cost["share"], "below": ENGINE_BAR, "met": verdict(cost)}
    found["bars"] = {"engine_with_nothing_to_change": bar}
    if options.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
